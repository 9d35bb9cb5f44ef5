"""GET /metrics: where it can be had, what it tells, and what it never tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from casebridge.api.prometheus import Exposition
from casebridge.api.scraping import MetricsApp, by_port
from casebridge.api.table import ROUTES
from casebridge.api.tally import Tally
from casebridge.domain.circuit import LastError
from casebridge.domain.delivery import STATES
from casebridge.services.ground import Ground
from casebridge.storage import connector_care
from casebridge.storage.session import Database
from tests.api.building import open_case

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def figures(text: str) -> Figures:
    """Every sample by name and labels, as Prometheus' own parser reads them."""
    found: Figures = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, key
            found[key] = sample.value
    return found


def of(found: Figures, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


class Measured:
    """An app that counts, and how many times its store was asked for its numbers."""

    def __init__(self, ground: Ground, serve: Any, connect: Any, kept_s: float = 0.0, well: bool = True) -> None:
        tally = Tally(ROUTES)
        self.is_well = well
        self.exposition = Exposition(ground, tally, lambda: self.is_well, kept_s=kept_s)
        self.app = serve(ROUTES, tally=tally, metrics=self.exposition.scrape)
        self.client = connect(self.app)
        self.anonymous = connect(self.app, auth=None)

    async def scrape(self) -> Figures:
        answer = await self.anonymous.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return figures(answer.text)


@pytest.fixture
async def measured(ground: Ground, serve: Any, connect: Any) -> AsyncIterator[Measured]:
    made = Measured(ground, serve, connect)
    yield made
    await made.exposition.close()


async def test_requests_are_counted_by_route_method_and_kind_of_answer(measured: Measured):
    case = await open_case(measured.client)
    for _ in range(2):
        await measured.client.get(f"/api/cases/{case['id']}")
    await measured.client.get("/api/cases/nowhere")
    await measured.anonymous.get(f"/s/other/api/cases/{case['id']}")

    found = await measured.scrape()

    route = {"method": "GET", "route": "/api/cases/{case_id}"}
    assert of(found, "casebridge_http_requests_total", **route, status="2xx") == 2
    assert of(found, "casebridge_http_requests_total", **route, status="4xx") == 2
    assert of(found, "casebridge_http_requests_total", method="POST", route="/api/cases", status="2xx") == 1
    assert of(found, "casebridge_http_request_duration_seconds_count", **route) == 4
    assert of(found, "casebridge_http_request_duration_seconds_bucket", **route, le="+Inf") == 4
    assert 0 < of(found, "casebridge_http_request_duration_seconds_sum", **route) < 60


async def test_latencies_rise_from_bucket_to_bucket(measured: Measured):
    await open_case(measured.client)
    found = await measured.scrape()

    name, route = "casebridge_http_request_duration_seconds_bucket", {"method": "POST", "route": "/api/cases"}
    buckets = {
        float(dict(key[1])["le"]): value
        for key, value in found.items()
        if key[0] == name and ({**dict(key[1]), "le": ""} == {**route, "le": ""})
    }
    values = [buckets[bound] for bound in sorted(buckets)]
    assert len(values) == 15
    assert values == sorted(values)
    assert values[-1] == 1


async def test_scrapes_add_up(measured: Measured):
    first = await measured.scrape()
    second = await measured.scrape()
    third = await measured.scrape()

    labels = {"method": "GET", "route": "/metrics", "status": "2xx"}
    assert ("casebridge_http_requests_total", tuple(sorted(labels.items()))) not in first
    assert of(second, "casebridge_http_requests_total", **labels) == 1
    assert of(third, "casebridge_http_requests_total", **labels) == 2


async def test_requests_without_a_route_are_one_line_whatever_was_asked_for(measured: Measured, ask: Any):
    for number in range(5):
        await ask(measured.app, f"ODD{number}", f"/api/nothing/{number}")

    found = await measured.scrape()

    lines = [(key, value) for key, value in found.items() if "none" in dict(key[1]).values()]
    counted = [value for (name, _), value in lines if name == "casebridge_http_requests_total"]
    assert counted == [5]
    assert "ODD" not in str(found)


async def test_the_old_dialect_has_lines_of_its_own(measured: Measured):
    await measured.client.get("/7.10/api/cases/_find")

    found = await measured.scrape()

    labels = {"method": "GET", "route": "/7.10/api/cases/_find", "status": "2xx"}
    assert of(found, "casebridge_http_requests_total", **labels) == 1


async def test_no_id_title_name_or_secret_is_told(measured: Measured, jira: Any):
    connector = (await measured.client.post("/api/actions/connector", json=jira.connector)).json()
    case = await open_case(
        measured.client,
        title="A very private title",
        connector={
            "id": connector["id"],
            "name": "Tracker",
            "type": ".jira",
            "fields": {"issueType": "10001", "priority": None, "parent": None},
        },
    )
    jira.fault("create=status:503")
    await measured.client.post(f"/api/cases/{case['id']}/connector/{connector['id']}/_push")
    await measured.client.get("/s/hidden-space/api/cases/tags")

    text = (await measured.anonymous.get("/metrics")).text

    for each in (case["id"], connector["id"], "private", "hidden-space", "Tracker", "admin", "apiToken", jira.url):
        assert each not in text, each
    assert jira.secrets["apiToken"] not in text


async def test_deliveries_are_told_by_state_and_by_the_age_of_the_oldest_that_waits(
    measured: Measured, jira: Any, ground: Ground
):
    connector = (await measured.client.post("/api/actions/connector", json=jira.connector)).json()
    chosen = {
        "id": connector["id"],
        "name": "Tracker",
        "type": ".jira",
        "fields": {"issueType": "10001", "priority": None, "parent": None},
    }
    sent, queued = [await open_case(measured.client, connector=chosen) for _ in range(2)]
    pushed = await measured.client.post(f"/api/cases/{sent['id']}/connector/{connector['id']}/_push")
    assert pushed.status_code == 200, pushed.text
    queue = f"/api/cases/{queued['id']}/connector/{connector['id']}/_push"
    assert (await measured.client.post(queue, headers={"prefer": "respond-async"})).status_code == 202
    await asyncio.sleep(0.02)

    found = await measured.scrape()

    states = {state: of(found, "casebridge_deliveries", state=state) for state in STATES}
    assert states == {**dict.fromkeys(STATES, 0.0), "delivered": 1.0, "queued": 1.0}
    assert 0.01 < of(found, "casebridge_delivery_oldest_age_seconds", state="queued") < 600
    assert of(found, "casebridge_delivery_oldest_age_seconds", state="waiting") == 0
    assert of(found, "casebridge_circuits", state="closed") == 1


async def test_circuits_are_told_by_state(measured: Measured, ground: Ground, database: Database):
    now = ground.now()
    error = LastError("unavailable", "503", False, now)
    for id_, faults, probe_in_s in (("a", 5, 60), ("b", 7, 60), ("c", 5, -1), ("d", 1, 60)):
        probe_at = now + timedelta(seconds=probe_in_s)
        for _ in range(faults):
            await database.commit([connector_care.fault_write("default", id_, error, probe_at)])
    await database.commit([connector_care.success_write("default", "e", now)])

    found = await measured.scrape()

    states = {state: of(found, "casebridge_circuits", state=state) for state in ("closed", "open", "half-open")}
    assert states == {"closed": 2, "open": 2, "half-open": 1}


async def test_process_build_and_database_are_told(measured: Measured, database: Database):
    found = await measured.scrape()

    (build,) = [dict(labels) for name, labels in found if name == "casebridge_build_info"]
    assert build["database"] == database.dialect
    assert set(build) == {"version", "python", "database"}
    assert of(found, "process_resident_memory_bytes") > 1_000_000
    assert of(found, "process_cpu_seconds_total") > 0
    assert of(found, "casebridge_processes") == 1
    assert of(found, "casebridge_database_up") == 1
    if database.dialect == "sqlite":
        assert of(found, "casebridge_database_queue", kind="write") == 0
    else:
        assert of(found, "casebridge_database_connections_limit") >= 1
        assert of(found, "casebridge_workers_alive", command="worker") == 0


async def test_a_worker_that_is_not_well_is_told(measured: Measured):
    assert of(await measured.scrape(), "casebridge_worker_processes") == 1
    measured.is_well = False
    assert of(await measured.scrape(), "casebridge_worker_processes") == 0


async def test_without_its_store_the_rest_is_still_told(measured: Measured, database: Database):
    await measured.client.get("/api/status")
    await database.close()

    found = await measured.scrape()

    assert of(found, "casebridge_database_up") == 0
    assert not [name for name, _ in found if name == "casebridge_deliveries"]
    assert of(found, "casebridge_http_requests_total", method="GET", route="/api/status", status="2xx") == 1


async def test_the_store_is_asked_once_for_scrapes_in_a_row(
    ground: Ground, serve: Callable[..., Any], connect: Callable[..., Any]
):
    made = Measured(ground, serve, connect, kept_s=60.0)
    before = await made.scrape()
    await ground.database.commit([connector_care.success_write("default", "e", ground.now())])
    both = await asyncio.gather(made.scrape(), made.scrape())

    fresh = Measured(ground, serve, connect)
    assert [of(each, "casebridge_circuits", state="closed") for each in (before, *both)] == [0, 0, 0]
    assert of(await fresh.scrape(), "casebridge_circuits", state="closed") == 1


async def test_unless_the_operator_opened_it_there_is_no_such_route(client: Any, anonymous: Any):
    for each in (client, anonymous):
        answer = await each.get("/metrics")
        assert answer.status_code == 404
        assert answer.json()["message"] == "There is no route GET /metrics"


async def test_on_a_port_of_its_own_nothing_else_is_answered(measured: Measured, ask: Any):
    told = MetricsApp(measured.exposition.scrape)

    assert (await ask(told, "GET", "/metrics", auth=None)).status == 200
    assert (await ask(told, "HEAD", "/metrics")).body == b""
    for method, path in (("POST", "/metrics"), ("GET", "/"), ("GET", "/api/status"), ("GET", "/metrics/")):
        assert (await ask(told, method, path)).status == 404


async def test_a_fault_while_scraping_is_told_without_its_words(ask: Any):
    async def scrape() -> bytes:
        raise RuntimeError("hunter2")

    answer = await ask(MetricsApp(scrape), "GET", "/metrics")

    assert answer.status == 500
    assert b"hunter2" not in answer.body


async def test_the_port_by_which_a_request_came_in_decides():
    heard: list[str] = []

    def app(name: str) -> Any:
        async def note(scope: Any, receive: Any, send: Any) -> None:
            heard.append(name)

        return note

    both = by_port(9464, app("metrics"), app("site"))
    for server in (("127.0.0.1", 9464), ("127.0.0.1", 5601), None):
        await both({"type": "http", "server": server}, None, None)  # type: ignore[arg-type]
    await both({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    assert heard == ["metrics", "site", "site", "site"]
