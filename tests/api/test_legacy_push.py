"""Pushing in two steps, as 7.10 and 7.11 did (dialect-7.10.md 6), through a simulated Jira."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.calls import CASES, NO_CONNECTOR, activity, fetched, message_of, opened, without
from tests.api.legacy import ADMIN, OLD, SECURITY, old_activity, old_case, old_changed, old_comment, old_get

ONE_DATABASE = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)
DANA = {"fullName": "Dana Lee", "username": "dana"}
TOLD = {
    "connector_id": "jira-1",
    "connector_name": "Tracker",
    "external_id": "10044",
    "external_title": "OPS-12",
    "external_url": "https://jira.example.org/browse/OPS-12",
}


@pytest.fixture
async def tracker(client: Any, jira: Any) -> str:
    """The id of a connector to the simulated Jira."""
    answer = await client.post("/api/actions/connector/jira-1", json=jira.connector)
    assert answer.status_code == 200, answer.text
    return "jira-1"


def params(**given: Any) -> dict[str, Any]:
    return {
        "savedObjectId": "case-1",
        "title": "Odd logons",
        "description": "seen on two hosts",
        "createdAt": "2020-11-05T10:20:30.400Z",
        "createdBy": DANA,
        "externalId": None,
        "comments": None,
        "issueType": "10001",
        "priority": None,
        "parent": None,
        **given,
    }


async def send(client: Any, connector_id: str, type_: str = ".jira", **given: Any) -> Any:
    body = {"connector_type": type_, "params": params(**given)}
    return await client.post(f"{OLD}/configure/connectors/{connector_id}/push", json=body)


async def tell(client: Any, case: Any, **given: Any) -> Any:
    return await client.post(f"{OLD}/{case['id']}/_push", json={**TOLD, **given})


async def closing_by_pushing(client: Any, owner: str = SECURITY) -> None:
    body = {"connector": NO_CONNECTOR, "closure_type": "close-by-pushing", "owner": owner}
    assert (await client.post(f"{CASES}/configure", json=body)).status_code == 200


# Sending


@ONE_DATABASE
async def test_sending_creates_an_incident_and_touches_no_case(client: Any, jira: Any, tracker: str):
    case = await old_case(client)

    answer = await send(client, tracker, savedObjectId=case["id"], summary="ignored", nope=1)

    (issue,) = jira.issues
    result = answer.json()
    assert set(result) == {"status", "actionId", "data"}
    assert (result["status"], result["actionId"]) == ("ok", tracker)
    assert set(result["data"]) == {"id", "title", "pushedDate", "url"}
    assert (result["data"]["id"], result["data"]["title"]) == (issue["id"], issue["key"])
    note = "(created at 2020-11-05T10:20:30.400Z by Dana Lee)"
    assert issue["fields"]["summary"] == f"Odd logons {note}"
    assert issue["fields"]["description"] == f"seen on two hosts {note}"
    assert await old_get(client, case) == case


@ONE_DATABASE
async def test_sending_again_updates_the_incident_and_adds_comments(client: Any, jira: Any, tracker: str):
    first = (await send(client, tracker)).json()["data"]
    comment = {"commentId": "c1", "comment": "on my way", "createdAt": "2020-11-05T11:00:00.000Z", "createdBy": DANA}
    later = {"updatedAt": "2020-11-06T07:00:00.000Z", "updatedBy": {"fullName": None, "username": "omar"}}

    answer = await send(client, tracker, externalId=first["id"], title="Worse", comments=[comment], **later)

    data = answer.json()["data"]
    (issue,) = jira.issues
    assert data["id"] == first["id"]
    assert [set(each) for each in data["comments"]] == [{"commentId", "pushedDate"}]
    assert data["comments"][0]["commentId"] == "c1"
    assert issue["fields"]["summary"] == "Worse (updated at 2020-11-06T07:00:00.000Z by omar)"
    assert issue["comments"][0]["body"] == "on my way (added at 2020-11-05T11:00:00.000Z by Dana Lee)"


@ONE_DATABASE
async def test_trouble_of_the_external_system_is_a_result(client: Any, jira: Any, tracker: str):
    jira.fault("create=status:503")

    answer = await send(client, tracker)

    result = answer.json()
    assert (answer.status_code, set(result)) == (200, {"status", "actionId", "message", "serviceMessage"})
    assert (result["status"], result["actionId"]) == ("error", tracker)
    assert "503" in result["serviceMessage"]


@ONE_DATABASE
async def test_what_is_sent_must_have_its_shape(client: Any, tracker: str):
    url = f"{OLD}/configure/connectors/{tracker}/push"

    for key in ("savedObjectId", "title", "createdAt", "createdBy"):
        body = {"connector_type": ".jira", "params": without(params(), key)}
        assert key in message_of(await client.post(url, json=body), 400)
    for body in ({}, {"params": params()}, {"connector_type": ".jira"}, {"connector_type": ".swimlane", "params": {}},
                 {"connector_type": ".jira", "params": params(), "x": 1},
                 {"connector_type": ".jira", "params": params(createdAt="yesterday")},
                 {"connector_type": ".jira", "params": params(comments=[{"commentId": "c"}])}):  # fmt: skip
        message_of(await client.post(url, json=body), 400)


@ONE_DATABASE
async def test_the_connector_must_exist_and_be_of_that_type(client: Any, jira: Any, tracker: str):
    assert "[action/nope]" in message_of(await send(client, "nope"), 404)
    assert ".jira" in message_of(await send(client, tracker, ".resilient"), 400)
    assert jira.issues == []


# Telling


async def test_a_case_that_is_told_of_a_push_remembers_it(client: Any):
    case = await old_comment(client, await old_case(client), "first")

    answer = await tell(client, case)

    told = answer.json()
    at = told["updated_at"]
    assert told["external_service"] == {**TOLD, "pushed_at": at, "pushed_by": ADMIN}
    assert (told["status"], told["closed_at"], told["updated_by"]) == ("open", None, ADMIN)
    assert told["version"] != case["version"]
    (comment,) = told["comments"]
    assert (comment["pushed_at"], comment["pushed_by"], told["totalComment"]) == (at, ADMIN, 1)
    assert comment["version"] != case["comments"][0]["version"]
    assert await old_get(client, case) == told


async def test_only_comments_that_were_never_pushed_are_marked(client: Any):
    case = await old_comment(client, await old_case(client), "first")
    first = (await tell(client, case)).json()
    await old_comment(client, case, "second")

    second = (await tell(client, case, external_title="OPS-13")).json()

    assert second["comments"][0] == first["comments"][0]
    assert second["comments"][1]["pushed_at"] == second["updated_at"]
    assert second["external_service"]["external_title"] == "OPS-13"


async def test_close_by_pushing_closes_the_case_and_the_activity_says_so(client: Any):
    await closing_by_pushing(client)
    case = await old_case(client)

    told = (await tell(client, case)).json()

    assert (told["status"], told["closed_at"], told["closed_by"]) == ("closed", told["updated_at"], ADMIN)
    closing, push = (await old_activity(client, case))[1:]
    assert (closing["action_field"], closing["action"]) == (["status"], "update")
    assert (closing["new_value"], closing["old_value"]) == ("closed", "open")
    assert (push["action_field"], push["action"], push["old_value"]) == (["pushed"], "push-to-service", None)
    assert json.loads(push["new_value"]) == told["external_service"]
    assert (await activity(client, case))[-1]["action"] == "push_to_service"
    assert "closed" in message_of(await tell(client, case), 409)
    assert (await old_get(client, case))["version"] == told["version"]


@ONE_DATABASE
async def test_configurations_of_other_owners_close_nothing(client: Any):
    await closing_by_pushing(client, "cases")

    assert (await tell(client, await old_case(client))).json()["status"] == "open"


@ONE_DATABASE
async def test_telling_is_refused_in_this_order(client: Any, nobody: Any):
    case = await old_changed(client, await old_case(client), status="closed")
    foreign = await opened(client, owner="cases")

    for key in TOLD:
        answer = await client.post(f"{OLD}/{case['id']}/_push", json=without(TOLD, key))
        message_of(answer, 400)
    message_of(await tell(client, case, pushed_at="now"), 400)
    message_of(await tell(client, case, external_id=None), 400)
    message_of(await tell(client, {"id": "nope"}), 404)
    message_of(await tell(client, foreign), 404)
    message_of(await tell(nobody, case), 403)
    message_of(await tell(client, case), 409)


@ONE_DATABASE
async def test_a_push_of_today_goes_on_from_what_it_was_told(client: Any, jira: Any, tracker: str):
    case = await old_comment(client, await old_case(client), "sent by the client")
    sent = (await send(client, tracker, savedObjectId=case["id"])).json()["data"]
    await tell(client, case, external_id=sent["id"], external_title=sent["title"], external_url=sent["url"])
    await old_comment(client, case, "new")

    pushed = await client.post(f"{CASES}/{case['id']}/connector/{tracker}/_push")

    assert pushed.status_code == 200, pushed.text
    (issue,) = jira.issues
    assert [each["body"].partition("\n")[0] for each in issue["comments"]] == ["new"]
    assert pushed.json()["external_service"]["external_id"] == sent["id"]


@ONE_DATABASE
async def test_what_is_told_counts_where_pushes_of_today_keep_a_ledger(client: Any, jira: Any, tracker: str):
    case = await old_comment(client, await old_case(client), "one")
    url = f"{CASES}/{case['id']}/connector/{tracker}/_push"
    service = (await client.post(url)).json()["external_service"]
    await old_comment(client, case, "two")
    await tell(client, case, **{key: service[key] for key in TOLD})
    await old_comment(client, case, "three")

    assert (await client.post(url)).status_code == 200

    (issue,) = jira.issues
    assert [each["body"].partition("\n")[0] for each in issue["comments"]] == ["one", "three"]
    assert (await fetched(client, case))["external_service"]["external_id"] == service["external_id"]
