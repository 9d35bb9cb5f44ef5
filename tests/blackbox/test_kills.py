"""kill -9 of a real server while it pushes through every connector at once, at one request and another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.blackbox.live import FAST, Live
from tests.blackbox.soak import OPEN, Soak
from tests.push.systems import LINKS, Far, state_of

pytestmark = pytest.mark.slow

PLACES = (0, 2, 4)
NOTES = ["one", "two"]


@pytest.fixture
async def live(tmp_path: Path, database_target: str) -> AsyncIterator[Live]:
    server = Live(tmp_path, database_target, env={**FAST, "CASEBRIDGE_CIRCUIT_FAULTS": "100"})
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


async def open_cases(soak: Soak, live: Live, place: int) -> dict[str, str]:
    """A case with two comments for each connector; their ids by connector."""
    made = {}
    for name, link in LINKS.items():
        connector = {"id": name, "name": name, "type": await soak._type(link), "fields": link.fields}
        given = {
            "owner": "cases",
            "title": f"{name} {place}",
            "description": "seen",
            "tags": [],
            "connector": connector,
        }
        case = await live.call("POST", "/api/cases", {**given, "settings": {"syncAlerts": False}})
        made[name] = case["id"]
        for text in NOTES:
            body = {"type": "user", "owner": "cases", "comment": text}
            await live.call("POST", f"/api/cases/{case['id']}/comments", body)
    return made


async def push(live: Live, case_id: str, connector: str) -> None:
    try:
        async with live.client() as client:
            await client.post(f"/api/cases/{case_id}/connector/{connector}/_push", json={})
    except httpx2.TransportError:
        return


async def newest(live: Live, case_id: str) -> dict[str, Any] | None:
    """The newest delivery of a case once a worker has done with it: as far as it may go by itself."""
    for _ in range(150):
        found = (await live.call("GET", f"/api/casebridge/deliveries?caseId={case_id}"))["deliveries"]
        if not found:
            return None
        delivery: dict[str, Any] = found[0]
        stays = delivery["state"] == "uncertain" and delivery["next_attempt_at"] is None
        if delivery["state"] not in OPEN or stays:
            return delivery
        await asyncio.sleep(0.1)
    raise AssertionError(f"{delivery}\n{live.output[-2000:]}")


async def test_a_server_killed_at_any_request_of_pushes_through_every_connector_leaves_one_record_each(live: Live):
    soak = Soak([live], [], seed=0)
    async with AsyncExitStack() as held:
        await soak.prepare(held)
        for place in PLACES:
            ids = await open_cases(soak, live, place)
            for sandbox in soak.sandboxes.values():
                sandbox.faults.clear()
                sandbox.faults.add(f"any=slow-answer:0.8*3@{place}")
            pushing = [asyncio.create_task(push(live, id_, name)) for name, id_ in ids.items()]
            await asyncio.sleep(0.6)
            live.kill()
            await asyncio.gather(*pushing)
            for sandbox in soak.sandboxes.values():
                sandbox.faults.clear()
            await asyncio.to_thread(live.start)
            for name, case_id in ids.items():
                await assert_whole(soak, live, name, case_id, f"{name} {place}")


async def assert_whole(soak: Soak, live: Live, name: str, case_id: str, title: str) -> None:
    """One record, each comment once; where nobody can look, after a person has asked for the repeat."""
    link = LINKS[name]
    delivery = await newest(live, case_id)
    if delivery is None or delivery["state"] == "failed":
        await live.call("POST", f"/api/cases/{case_id}/connector/{name}/_push", {})
    elif delivery["state"] == "uncertain":
        assert not link.can_look, delivery
        await live.call("POST", f"/api/casebridge/deliveries/{delivery['id']}/_retry")
        await newest(live, case_id)
    delivery = await newest(live, case_id)
    assert delivery is not None
    found: list[Far] = [each for each in link.read(state_of(soak.sandboxes[link.member])) if each.title == title]
    case = await live.call("GET", f"/api/cases/{case_id}")
    assert [sorted(each.comments) for each in found] == [sorted(NOTES)], (title, found, delivery)
    assert (delivery["state"], delivery["external_id"]) == ("delivered", found[0].id), (title, delivery)
    assert case["external_service"]["external_id"] == found[0].id
