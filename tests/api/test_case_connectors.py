"""Which connectors of a case need a push, after real pushes to a simulated Jira (activity.md 2.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from casebridge.sandbox.jira import jira_app
from casebridge.sandbox.server import serving
from tests.api.building import NO_CONNECTOR, change, comment, delete_comment, edit_comment, get, jira, open_case

FIELDS = jira()["fields"]


class Far:
    """The far side: its address and its faults."""

    def __init__(self, url: str, sandbox: Any) -> None:
        self.url = url
        self.sandbox = sandbox

    def settings(self, name: str) -> dict[str, Any]:
        """A connector's body."""
        config = {"apiUrl": self.url, "projectKey": "OPS"}
        return {"name": name, "config": config, "secrets": {"email": "bot@example.org", "apiToken": "sandbox-token"}}


@pytest.fixture
async def far(client: Any) -> AsyncIterator[Far]:
    """A simulated Jira and two connectors to it, `jira-1` and `jira-2`."""
    app = jira_app(project_keys=("OPS",), api_token="sandbox-token")
    async with serving(app) as url:
        there = Far(url, app.state.sandbox)
        for id_, name in (("jira-1", "Ops Jira"), ("jira-2", "Other Jira")):
            body = {**there.settings(name), "connector_type_id": ".jira"}
            response = await client.post(f"/api/actions/connector/{id_}", json=body)
            assert response.status_code == 200, response.text
        yield there


async def push(client: Any, case_id: str, connector_id: str = "jira-1", *, status: int = 200) -> Any:
    response = await client.post(f"/api/cases/{case_id}/connector/{connector_id}/_push")
    assert response.status_code == status, response.text
    return response.json()


async def view(client: Any, case_id: str) -> Any:
    return await get(client, f"/internal/cases/{case_id}/_connectors")


async def needs_push(client: Any, case_id: str, connector_id: str = "jira-1") -> bool:
    state = (await view(client, case_id))[connector_id]["push"]
    assert state["hasBeenPushed"] is ("details" in state)
    return bool(state["needsToBePushed"])


async def pushed_case(client: Any) -> str:
    case = await open_case(client, connector=jira())
    await push(client, case["id"])
    assert not await needs_push(client, case["id"])
    return str(case["id"])


async def test_a_case_without_connectors_has_an_empty_view(client: Any):
    case = await open_case(client)
    assert await view(client, case["id"]) == {}


async def test_a_connector_not_yet_pushed_with_needs_a_push(client: Any, far: Far):
    case = await open_case(client, connector=jira())
    assert await view(client, case["id"]) == {
        "jira-1": {
            "id": "jira-1",
            "name": "Ops Jira",
            "type": ".jira",
            "fields": FIELDS,
            "push": {"needsToBePushed": True, "hasBeenPushed": False},
        }
    }


async def test_after_a_push_nothing_is_needed_and_its_details_are_shown(client: Any, far: Far):
    case = await open_case(client, connector=jira())
    await comment(client, case["id"], "hello")
    service = (await push(client, case["id"]))["external_service"]

    assert (await view(client, case["id"]))["jira-1"]["push"] == {
        "needsToBePushed": False,
        "hasBeenPushed": True,
        "details": {
            "latestUserActionPushDate": service["pushed_at"],
            "oldestUserActionPushDate": service["pushed_at"],
            "externalService": service,
        },
    }


async def test_details_span_from_the_oldest_to_the_latest_push(client: Any, far: Far):
    case = await open_case(client, connector=jira())
    services = []
    for _ in range(3):
        services.append((await push(client, case["id"]))["external_service"])
        await asyncio.sleep(0.002)

    details = (await view(client, case["id"]))["jira-1"]["push"]["details"]

    assert details == {
        "oldestUserActionPushDate": services[0]["pushed_at"],
        "latestUserActionPushDate": services[2]["pushed_at"],
        "externalService": services[2],
    }


@pytest.mark.parametrize("changes", [{"title": "New"}, {"description": "new"}, {"tags": ["new"]}])
async def test_a_change_of_what_is_sent_makes_a_push_necessary(client: Any, far: Far, changes: dict[str, Any]):
    id_ = await pushed_case(client)
    await change(client, id_, **changes)
    assert await needs_push(client, id_)
    await push(client, id_)
    assert not await needs_push(client, id_)


async def test_a_comment_written_edited_or_deleted_makes_a_push_necessary(client: Any, far: Far):
    id_ = await pushed_case(client)
    written = await comment(client, id_, "one")
    assert await needs_push(client, id_)
    await push(client, id_)
    await edit_comment(client, id_, written, "two")
    assert await needs_push(client, id_)
    await push(client, id_)
    await delete_comment(client, id_, written)
    assert await needs_push(client, id_)
    await push(client, id_)
    assert not await needs_push(client, id_)


async def test_what_jira_is_not_told_makes_no_push_necessary(client: Any, far: Far):
    id_ = await pushed_case(client)
    await change(
        client,
        id_,
        severity="high",
        status="in-progress",
        category="x",
        assignees=[{"uid": "u-1"}],
        settings={"syncAlerts": True},
    )
    assert not await needs_push(client, id_)


async def test_other_fields_make_a_push_necessary_until_they_are_set_back(client: Any, far: Far):
    id_ = await pushed_case(client)
    await change(client, id_, connector=jira(priority="Low"))
    found = (await view(client, id_))["jira-1"]
    assert found["fields"] == {**FIELDS, "priority": "Low"}
    assert found["push"]["needsToBePushed"]
    await change(client, id_, connector=jira())
    assert not await needs_push(client, id_)


async def test_a_comment_added_while_a_push_is_under_way_is_still_to_be_pushed(client: Any, far: Far):
    case = await open_case(client, connector=jira())
    far.sandbox.faults.add("create=slow-answer:0.5")
    under_way = asyncio.create_task(push(client, case["id"]))
    async with asyncio.timeout(10):
        while not far.sandbox.faults.all[0].fired:
            await asyncio.sleep(0.01)
    await comment(client, case["id"], "late")
    await under_way

    assert await needs_push(client, case["id"])
    await push(client, case["id"])
    assert not await needs_push(client, case["id"])


async def test_a_failed_push_changes_nothing(client: Any, far: Far):
    case = await open_case(client, connector=jira())
    await comment(client, case["id"], "one")
    far.sandbox.faults.add("comment=status:400")
    await push(client, case["id"], status=424)
    state = (await view(client, case["id"]))["jira-1"]["push"]
    assert state == {"needsToBePushed": True, "hasBeenPushed": False}

    await push(client, case["id"])
    before = await view(client, case["id"])
    await comment(client, case["id"], "two")
    far.sandbox.faults.add("comment=status:400")
    await push(client, case["id"], status=424)
    after = await view(client, case["id"])
    assert after["jira-1"]["push"].pop("needsToBePushed")
    before["jira-1"]["push"].pop("needsToBePushed")
    assert after == before


async def test_each_connector_is_told_apart(client: Any, far: Far):
    id_ = await pushed_case(client)
    await change(client, id_, connector=jira("jira-2", "Other Jira"))
    await change(client, id_, title="New")
    await push(client, id_, "jira-2")
    await change(client, id_, connector=NO_CONNECTOR)

    found = await view(client, id_)

    assert {name: each["push"]["needsToBePushed"] for name, each in found.items()} == {"jira-1": True, "jira-2": False}
    numbers = {each["push"]["details"]["externalService"]["external_id"] for each in found.values()}
    assert len(numbers) == 2


async def test_a_push_through_a_connector_the_case_never_had_is_not_shown(client: Any, far: Far):
    case = await open_case(client, connector=jira())
    await push(client, case["id"], "jira-2")
    assert list(await view(client, case["id"])) == ["jira-1"]


async def test_a_push_that_closes_the_case_leaves_nothing_to_push(client: Any, far: Far):
    configuration = {"owner": "cases", "closure_type": "close-by-pushing", "connector": NO_CONNECTOR}
    assert (await client.post("/api/cases/configure", json=configuration)).status_code == 200
    case = await open_case(client, connector=jira())
    assert (await push(client, case["id"]))["status"] == "closed"
    assert not await needs_push(client, case["id"])


async def test_present_names_are_shown_unless_one_of_the_connectors_is_gone(client: Any, far: Far):
    case = await open_case(client, connector=jira("jira-1", "Recorded one"))
    await change(client, case["id"], connector=jira("jira-2", "Recorded two"))

    async def names() -> list[str]:
        return [each["name"] for each in (await view(client, case["id"])).values()]

    assert await names() == ["Ops Jira", "Other Jira"]
    response = await client.put("/api/actions/connector/jira-1", json=far.settings("Renamed"))
    assert response.status_code == 200
    assert await names() == ["Renamed", "Other Jira"]
    assert (await client.delete("/api/actions/connector/jira-2")).status_code == 204
    assert await names() == ["Recorded one", "Recorded two"]


async def test_an_unknown_case_has_no_view(client: Any):
    response = await client.get("/internal/cases/unknown/_connectors")
    assert response.status_code == 404
    assert "[cases/unknown]" in response.json()["message"]
