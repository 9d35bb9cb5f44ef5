"""Metrics of real processes: on which port they are, and that several processes of a server are told as one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.blackbox.live import FAST, PASSWORD, Live, free_port
from tests.blackbox.test_worker import Worker

pytestmark = pytest.mark.slow

STATUS = {"method": "GET", "route": "/api/status", "status": "2xx"}


class Server(Live):
    """A server with a port for metrics."""

    def __init__(self, folder: Path, target: str, *, workers: int = 1, **env: str) -> None:
        self.metrics_port = free_port()
        self.folder = folder / "data" / "run"
        env = {**FAST, "CASEBRIDGE_METRICS_PORT": str(self.metrics_port), **env}
        super().__init__(folder, target, workers=workers, env=env)

    @property
    def process(self) -> psutil.Process:
        """The one that was started."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def servers(self) -> list[psutil.Process]:
        """The processes that serve, when there are several."""
        found = []
        for each in self.process.children():
            with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
                found += [each] if "spawn_main" in " ".join(each.cmdline()) else []
        return found

    def get(self, path: str, port: int | None = None) -> httpx2.Response:
        """An answer on a connection of its own, so that any process may give it."""
        return httpx2.get(f"http://127.0.0.1:{port or self.port}{path}", timeout=30)


@pytest.fixture
def serves(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers of this test, which are stopped at its end."""
    made: list[Server] = []

    def make(target: str, **more: Any) -> Server:
        made.append(Server(tmp_path, target, **more))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.stop()


def value(port: int, name: str, **labels: str) -> float | None:
    """A sample as a scrape of this port has it; None when it is not there."""
    answer = httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=30)
    assert answer.status_code == 200, answer.text
    found = [
        sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) <= 1, found
    return found[0] if found else None


def comes(expected: float, port: int, name: str, **labels: str) -> None:
    """Wait until a sample has this value; processes publish what they count every second."""
    until = time.monotonic() + 20
    while (present := value(port, name, **labels)) != expected:
        assert time.monotonic() < until, f"{name} {labels} is {present}, not {expected}"
        time.sleep(0.2)


def test_one_process_tells_its_metrics_on_their_own_port_alone(serves: Callable[..., Server]):
    live = serves("sqlite")
    before = value(live.metrics_port, "casebridge_http_requests_total", **STATUS) or 0
    for _ in range(3):
        live.get("/api/status")

    assert value(live.metrics_port, "casebridge_http_requests_total", **STATUS) == before + 3
    assert value(live.metrics_port, "casebridge_processes") == 1
    assert value(live.metrics_port, "casebridge_worker_processes") == 1
    assert value(live.metrics_port, "casebridge_database_queue", kind="write") == 0
    assert live.get("/metrics").status_code == 404
    assert live.get("/api/status", live.metrics_port).status_code == 404
    assert not live.folder.exists()


def test_the_main_port_tells_them_when_it_was_opened(serves: Callable[..., Server]):
    live = serves("sqlite", CASEBRIDGE_METRICS="true", CASEBRIDGE_METRICS_PORT="")

    assert value(live.port, "casebridge_database_up") == 1
    with pytest.raises(httpx2.TransportError):
        live.get("/metrics", live.metrics_port)


def test_two_processes_are_told_as_one_server(serves: Callable[..., Server], postgresql_target: str):
    live = serves(postgresql_target, workers=2, CASEBRIDGE_METRICS="true")
    comes(2, live.metrics_port, "casebridge_processes")
    time.sleep(1.5)
    before = value(live.metrics_port, "casebridge_http_requests_total", **STATUS) or 0
    for _ in range(40):
        assert live.get("/api/status").status_code == 200

    comes(before + 40, live.metrics_port, "casebridge_http_requests_total", **STATUS)
    comes(before + 40, live.port, "casebridge_http_requests_total", **STATUS)
    route = {"method": "GET", "route": "/api/status"}
    comes(before + 40, live.port, "casebridge_http_request_duration_seconds_count", **route)
    comes(2, live.port, "casebridge_worker_processes")
    comes(2, live.port, "casebridge_workers_alive", command="serve")
    comes(20, live.port, "casebridge_database_connections_limit")
    both = sum(each.memory_info().rss for each in live.servers())
    assert value(live.port, "process_resident_memory_bytes") == pytest.approx(both, rel=0.3)


def test_what_a_killed_process_counted_stays_but_it_is_no_longer_told_as_alive(
    serves: Callable[..., Server], postgresql_target: str
):
    live = serves(postgresql_target, workers=2)
    comes(2, live.metrics_port, "casebridge_processes")
    for _ in range(20):
        live.get("/api/status")
    time.sleep(1.5)
    before = value(live.metrics_port, "casebridge_http_requests_total", **STATUS)
    assert before is not None
    assert before >= 20

    killed = live.servers()[0]
    killed.kill()
    until = time.monotonic() + 30
    while killed.pid in {each.pid for each in live.servers()} or len(live.servers()) < 2:
        assert time.monotonic() < until
        time.sleep(0.1)

    comes(2, live.metrics_port, "casebridge_processes")
    assert value(live.metrics_port, "casebridge_http_requests_total", **STATUS) == before


def test_the_folder_between_processes_goes_with_the_server_and_after_a_crash_with_the_next(
    serves: Callable[..., Server], postgresql_target: str
):
    live = serves(postgresql_target, workers=2)
    comes(2, live.metrics_port, "casebridge_processes")
    (left,) = live.folder.glob("metrics-*/")
    assert left.stat().st_mode & 0o077 == 0
    live.kill()
    assert left.exists()

    live.start()
    comes(2, live.metrics_port, "casebridge_processes")
    (mine,) = live.folder.glob("metrics-*/")
    assert mine != left
    live.stop()

    assert not list(live.folder.glob("metrics-*/"))


def test_a_worker_apart_tells_its_own(serves: Callable[..., Server], postgresql_target: str, tmp_path: Path):
    live = serves(postgresql_target, CASEBRIDGE_WORKER="false")
    port = free_port()
    worker = Worker(tmp_path, postgresql_target, CASEBRIDGE_METRICS_PORT=str(port))
    worker.start()
    try:
        comes(1, port, "casebridge_worker_processes")
        comes(1, live.metrics_port, "casebridge_workers_alive", command="worker")
        assert value(live.metrics_port, "casebridge_worker_processes") == 0
        assert value(port, "casebridge_deliveries", state="queued") == 0
        assert live.get("/api/status", port).status_code == 404
    finally:
        assert worker.stop() == 0


def test_a_port_in_use_is_told_in_one_line_that_names_the_setting(serves: Callable[..., Server], tmp_path: Path):
    live = serves("sqlite")

    command = [sys.executable, "-m", "casebridge", "serve", "--data", str(tmp_path / "other"), "--port", "0"]
    refused = subprocess.run(
        [*command, "--metrics-port", str(live.metrics_port)], capture_output=True, text=True, timeout=60
    )

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"port {live.metrics_port}" in refused.stderr
    assert "--metrics-port" in refused.stderr
    assert PASSWORD not in refused.stderr
