"""What is told to Prometheus: requests counted here, the state of this server's processes, and numbers of the store.

Several processes of one server share what they count through files, in prometheus-client's own multiprocess mode: it is
on when the variable PROMETHEUS_MULTIPROC_DIR was set before this module was loaded. Labels hold words of this program
alone: neither ids nor names nor anything that a caller chose.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

import casebridge
from casebridge.api.scraping import CONTENT_TYPE
from casebridge.api.tally import BOUNDS_S, Tally
from casebridge.services.ground import Ground
from casebridge.services.vitals import Vitals, Watch

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PUBLISH_EVERY_S = 1.0
"""How far behind the counts of the other processes of a server may be."""

assert CONTENT_TYPE == CONTENT_TYPE_PLAIN_0_0_4

_log = structlog.get_logger(__name__)


class Exposition:
    """All metrics of this process, and with several, of its server. Needs a running event loop."""

    def __init__(
        self, ground: Ground, tally: Tally | None, worker_is_well: Callable[[], bool], *, kept_s: float | None = None
    ) -> None:
        folder = os.environ.get(FOLDER_VARIABLE)
        self._ground = ground
        self._folder = None if folder is None else Path(folder)
        self._watch = Watch(ground) if kept_s is None else Watch(ground, kept_s)
        self._registry = CollectorRegistry()
        self._requests = None if tally is None else _Requests(tally, self._registry)
        self._state = _State(ground, worker_is_well, self._registry)
        self._process = _SharedProcess(self._registry) if folder else None
        if folder is None:
            ProcessCollector(registry=self._registry)
        self._task = asyncio.create_task(self._keep_publishing()) if folder else None

    async def scrape(self) -> bytes:
        """Everything as Prometheus text."""
        vitals = await self._watch.look()
        self._publish()
        return await asyncio.to_thread(self._write, vitals)

    async def close(self) -> None:
        """Publish no more."""
        if self._task is not None:
            self._publish()
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _publish(self) -> None:
        if self._requests is not None:
            self._requests.publish()
        self._state.publish()
        if self._process is not None:
            self._process.publish()

    async def _keep_publishing(self) -> None:
        while True:
            try:
                self._publish()
            except OSError:
                _log.exception("metrics could not be shared with the other processes")
            await asyncio.sleep(PUBLISH_EVERY_S)

    def _write(self, vitals: Vitals | None) -> bytes:
        measured, told = self._registry, CollectorRegistry()
        if self._folder is not None:
            _forget_dead(self._folder)
            measured = CollectorRegistry()
            MultiProcessCollector(measured, str(self._folder))  # type: ignore[no-untyped-call]
        told.register(_Told([*_about_build(self._ground), *_about_store(vitals)]))
        return generate_latest(measured) + generate_latest(told)


class _Latencies(Histogram):
    """A histogram that takes in many observations at once, already counted by bucket."""

    def take(self, counts: Sequence[int], total_s: float) -> None:
        """Add counts, the last one of what is above every bound."""
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(total_s)


class _Requests:
    """What the tally has, made into metrics."""

    def __init__(self, tally: Tally, registry: CollectorRegistry) -> None:
        self._tally = tally
        self._answers = Counter(
            "casebridge_http_requests",
            "Requests of the API that were answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._latencies = _Latencies(
            "casebridge_http_request_duration_seconds",
            "From the head of a request to the end of its answer.",
            ["method", "route"],
            buckets=BOUNDS_S,
            registry=registry,
        )

    def publish(self) -> None:
        """Take all that was counted since the last time."""
        for row in self._tally.rows:
            if not any(row.answers):
                continue
            for digit, count in enumerate(row.answers):
                if count:
                    self._answers.labels(row.method, row.path, f"{digit}xx").inc(count)
            self._latencies.labels(row.method, row.path).take(row.took, row.total_s)
            row.clear()


class _State:
    """How the processes of this server are at the moment."""

    def __init__(self, ground: Ground, worker_is_well: Callable[[], bool], registry: CollectorRegistry) -> None:
        self._database = ground.database
        self._worker_is_well = worker_is_well

        def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(name, text, labels, registry=registry, multiprocess_mode="livesum")

        self._processes = gauge("casebridge_processes", "Processes of this server.")
        self._working = gauge("casebridge_worker_processes", "Those whose background worker runs and has not failed.")
        if ground.database.dialect == "sqlite":
            text = "Changes to be written, and reads to be done, that wait for SQLite."
            self._queue = gauge("casebridge_database_queue", text, ["kind"])
        else:
            text = "Connections to PostgreSQL in the pools."
            self._connections = gauge("casebridge_database_connections", text, ["state"])
            self._most = gauge("casebridge_database_connections_limit", "The most that the pools may hold.")

    def publish(self) -> None:
        """Note how it is now."""
        self._processes.set(1)
        self._working.set(1 if self._worker_is_well() else 0)
        load = self._database.present_load()
        if self._database.dialect == "sqlite":
            self._queue.labels("write").set(load.writes_waiting or 0)
            self._queue.labels("read").set(load.reads_waiting or 0)
        else:
            self._connections.labels("busy").set(load.connections_busy or 0)
            self._connections.labels("idle").set(load.connections_idle or 0)
            self._most.set(load.connections_most or 0)


class _SharedProcess:
    """Memory, files and time of all processes together, under the names they have for one; that mode has none."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._collector = ProcessCollector(registry=None)
        self._cpu_s = 0.0
        self._cpu = Counter("process_cpu_seconds", "Time of all processes, ended ones too.", registry=registry)
        self._gauges = {
            "process_resident_memory_bytes": _shared("resident_memory_bytes", "Memory in use.", "livesum", registry),
            "process_virtual_memory_bytes": _shared("virtual_memory_bytes", "Virtual memory.", "livesum", registry),
            "process_open_fds": _shared("open_fds", "Open files.", "livesum", registry),
            "process_start_time_seconds": _shared("start_time_seconds", "Start of the first one.", "livemin", registry),
        }

    def publish(self) -> None:
        """Note how this process is now."""
        for family in self._collector.collect():
            for sample in family.samples:
                if sample.name == "process_cpu_seconds_total":
                    self._cpu.inc(max(0.0, sample.value - self._cpu_s))
                    self._cpu_s = sample.value
                elif sample.name in self._gauges:
                    self._gauges[sample.name].set(sample.value)


def _shared(name: str, text: str, mode: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(f"process_{name}", text, registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]


class _Told(Collector):
    """Metrics that were made beforehand."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metrics)

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._metrics


def _about_build(ground: Ground) -> list[Metric]:
    labels = {
        "version": casebridge.__version__,
        "python": platform.python_version(),
        "database": ground.database.dialect,
    }
    family = GaugeMetricFamily("casebridge_build_info", "What runs here.", labels=list(labels))
    family.add_metric(list(labels.values()), 1)
    return [family]


def _about_store(vitals: Vitals | None) -> list[Metric]:
    """Numbers of the store; only that it is away when it is."""
    is_up = GaugeMetricFamily(
        "casebridge_database_up", "Whether the store could be asked for its numbers.", value=0 if vitals is None else 1
    )
    if vitals is None:
        return [is_up]
    tables = [
        ("casebridge_deliveries", "Deliveries by state.", "state", vitals.deliveries),
        (
            *("casebridge_delivery_oldest_age_seconds", "Age of the oldest delivery that waits in a state; 0: none."),
            *("state", vitals.oldest_s),
        ),
        ("casebridge_alert_updates", "Updates of alerts that have not arrived.", "state", vitals.alert_updates),
        ("casebridge_circuits", "Connectors that were used, by state of their circuit.", "state", vitals.circuits),
    ]
    if vitals.workers is not None:
        tables.append(
            ("casebridge_workers_alive", "Workers of all servers on this database.", "command", vitals.workers)
        )
    families: list[Metric] = [is_up]
    for name, text, label, values in tables:
        family = GaugeMetricFamily(name, text, labels=[label])
        for key, value in values.items():
            family.add_metric([key], value)
        families.append(family)
    return families


def _forget_dead(folder: Path) -> None:
    """Leave out what ended processes said of their state; what they counted stays."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*_*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            continue
