"""Real processes: a server and a simulated Elasticsearch, alerts that follow their case, whoever is killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.blackbox.live import FAST, Live

pytestmark = pytest.mark.slow

INDEX = ".internal.alerts-security.alerts-default-000001"
STATUS, IDS = "kibana.alert.workflow_status", "kibana.alert.case_ids"


@pytest.fixture
def store_url() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "casebridge", "sandbox", "elasticsearch", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    yield line.partition("listens on ")[2].partition(" ")[0]
    process.terminate()
    process.wait(10)


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
async def live(
    request: pytest.FixtureRequest, tmp_path: Path, database_target: str, store_url: str
) -> AsyncIterator[Live]:
    if request.param == 2 and not database_target.startswith("postgresql"):
        pytest.skip("several processes need PostgreSQL")
    sink = {
        "CASEBRIDGE_ALERT_SINK_URL": store_url,
        "CASEBRIDGE_ALERT_SINK_USERNAME": "casebridge",
        "CASEBRIDGE_ALERT_SINK_PASSWORD": "sandbox-password",
    }
    server = Live(tmp_path, database_target, workers=request.param, env={**FAST, **sink})
    await asyncio.to_thread(server.start)
    yield server
    assert await asyncio.to_thread(server.stop) == 0
    assert "sandbox-password" not in server.output


async def store(url: str, method: str, path: str, body: Any = None) -> Any:
    async with httpx2.AsyncClient(base_url=url, auth=("casebridge", "sandbox-password"), trust_env=False) as client:
        answer = await client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


async def a_case_with_alerts(live: Live, *alerts: str) -> dict[str, Any]:
    case = await live.call(
        "POST",
        "/api/cases",
        {
            "owner": "securitySolution",
            "title": "Odd logons",
            "description": "seen",
            "tags": [],
            "connector": {"id": "none", "name": "none", "type": ".none", "fields": None},
            "settings": {"syncAlerts": True},
        },
    )
    payload = {
        "type": "alert",
        "owner": "securitySolution",
        "alertId": list(alerts),
        "index": [INDEX] * len(alerts),
        "rule": {"id": None, "name": None},
    }
    answer: dict[str, Any] = await live.call("POST", f"/api/cases/{case['id']}/comments", payload)
    return answer


async def set_status(live: Live, case: dict[str, Any], status: str) -> dict[str, Any]:
    change = {"id": case["id"], "version": case["version"], "status": status}
    (changed,) = await live.call("PATCH", "/api/cases", {"cases": [change]})
    return dict(changed)


async def until_told(url: str, live: Live, id_: str, expected: dict[str, Any]) -> None:
    source = None
    for _ in range(200):
        source = (await store(url, "GET", f"/{INDEX}/_doc/{id_}"))["_source"]
        if source == expected:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{source}, expected {expected}\n{live.output[-3000:]}")


async def test_alerts_follow_their_case(live: Live, store_url: str):
    for id_ in ("a", "b"):
        await store(store_url, "PUT", f"/{INDEX}/_doc/{id_}", {STATUS: "open", "host": id_})
    case = await a_case_with_alerts(live, "a", "b", "never-there")
    await until_told(store_url, live, "b", {STATUS: "open", "host": "b", IDS: [case["id"]]})

    case = await set_status(live, case, "in-progress")
    await until_told(store_url, live, "a", {STATUS: "acknowledged", "host": "a", IDS: [case["id"]]})
    await set_status(live, case, "closed")

    for id_ in ("a", "b"):
        await until_told(store_url, live, id_, {STATUS: "closed", "host": id_, IDS: [case["id"]]})


@pytest.mark.parametrize("fault", ["search=delay:0.7", "bulk=delay:0.7", "bulk=slow-answer:0.7"])
async def test_a_server_killed_while_it_tells_alerts_tells_them_after_its_next_start(
    live: Live, store_url: str, fault: str
):
    await store(store_url, "PUT", f"/{INDEX}/_doc/a", {STATUS: "open"})
    case = await a_case_with_alerts(live, "a")
    await until_told(store_url, live, "a", {STATUS: "open", IDS: [case["id"]]})
    await store(store_url, "POST", "/_sandbox/faults", fault)
    await set_status(live, case, "closed")
    await asyncio.sleep(0.3)

    live.kill()
    await asyncio.to_thread(live.start)

    await until_told(store_url, live, "a", {STATUS: "closed", IDS: [case["id"]]})


async def test_a_store_that_is_away_is_told_when_it_is_back(live: Live, store_url: str):
    await store(store_url, "PUT", f"/{INDEX}/_doc/a", {STATUS: "open"})
    await store(store_url, "POST", "/_sandbox/faults", "any=drop-before*3")

    case = await set_status(live, await a_case_with_alerts(live, "a"), "closed")

    for _ in range(3):
        await asyncio.sleep(0.5)
    await until_told(store_url, live, "a", {STATUS: "closed", IDS: [case["id"]]})
