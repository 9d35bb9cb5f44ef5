"""`/api/casebridge/automation`, and which calls queue a push by themselves (extensions.md 2)."""

from __future__ import annotations

from typing import Any

import pytest

PATH = "/api/casebridge/automation"
TRIGGERS = ["title", "description", "comments", "status", "severity", "tags", "connector"]
DEFAULTS = {"enabled": False, "on": TRIGGERS, "create": True}
TRACKER = {"id": "tracker", "name": "Tracker", "type": ".jira", "fields": None}
OTHER = {**TRACKER, "id": "other"}
NONE = {"id": "none", "name": "none", "type": ".none", "fields": None}
COMMENT = {"type": "user", "owner": "cases", "comment": "seen again"}
ALERT = {
    "type": "alert", "owner": "cases", "alertId": "a1", "index": "i1", "rule": {"id": None, "name": None},
}  # fmt: skip

on_one_database = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


async def switch_on(client: Any, owner: str = "cases", **given: Any) -> dict[str, Any]:
    body = {"owner": owner, "auto_push": {"enabled": True, **given}}
    answer = await client.put(PATH, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def opened(client: Any, **given: Any) -> dict[str, Any]:
    body = {
        "owner": "cases", "title": "Odd logons", "description": "seen", "tags": ["vpn"],
        "settings": {"syncAlerts": False}, "connector": TRACKER, **given,
    }  # fmt: skip
    answer = await client.post("/api/cases", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def changed(client: Any, case_id: str, **given: Any) -> None:
    version = (await client.get(f"/api/cases/{case_id}")).json()["version"]
    answer = await client.patch("/api/cases", json={"cases": [{"id": case_id, "version": version, **given}]})
    assert answer.status_code == 200, answer.text


async def deliveries(client: Any, case_id: str) -> list[dict[str, Any]]:
    return list((await client.get("/api/casebridge/deliveries", params={"caseId": case_id})).json()["deliveries"])


# The switch


async def test_before_the_first_put_the_defaults_are_answered_without_a_version(client: Any):
    answer = await client.get(PATH, params={"owner": "cases"})
    assert answer.json() == {"owner": "cases", "version": None, "auto_push": DEFAULTS}


async def test_what_a_put_leaves_out_gets_its_default(client: Any):
    saved = await switch_on(client, on=["tags"])
    assert saved["auto_push"] == {"enabled": True, "on": ["tags"], "create": True}
    again = await client.put(PATH, json={"owner": "cases", "version": saved["version"], "auto_push": {}})
    assert again.json()["auto_push"] == DEFAULTS
    assert again.json()["version"] != saved["version"]
    assert (await client.get(PATH, params={"owner": "cases"})).json() == again.json()


async def test_the_first_put_may_say_null_and_later_ones_need_the_present_version(client: Any):
    body = {"owner": "cases", "auto_push": {"enabled": True}}
    assert (await client.put(PATH, json={**body, "version": "WzEsMV0="})).status_code == 409
    first = await client.put(PATH, json={**body, "version": None})
    assert first.status_code == 200
    for without in (body, {**body, "version": None}):
        assert (await client.put(PATH, json=without)).status_code == 400
    second = await client.put(PATH, json={**body, "version": first.json()["version"]})
    assert second.status_code == 200
    assert (await client.put(PATH, json={**body, "version": first.json()["version"]})).status_code == 409


async def test_every_owner_and_space_has_an_automation_of_its_own(client: Any):
    await switch_on(client, "observability")
    for path, owner, version in (
        (PATH, "cases", None),
        (PATH, "securitySolution", None),
    ):
        assert (await client.get(path, params={"owner": owner})).json()["version"] is version
    assert (await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})).status_code == 200
    assert (await client.get(f"/s/ops{PATH}", params={"owner": "observability"})).json()["version"] is None


@on_one_database
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"owner": "cases"},
        {"auto_push": {}},
        {"owner": "cases", "auto_push": None},
        {"owner": "cases", "auto_push": {"on": ["assignees"]}},
        {"owner": "cases", "auto_push": {"on": ["tags", "tags"]}},
        {"owner": "cases", "auto_push": {"on": None}},
        {"owner": "cases", "auto_push": {"enabled": "yes"}},
        {"owner": "cases", "auto_push": {"quiet": 1}},
        {"owner": "cases", "auto_push": {}, "more": 1},
        {"owner": "cases", "auto_push": {}, "version": 1},
    ],
)
async def test_bad_bodies_are_refused(client: Any, body: Any):
    assert (await client.put(PATH, json=body)).status_code == 400


@on_one_database
@pytest.mark.parametrize("query", [{}, {"owner": ["cases", "observability"]}, {"owner": "cases", "more": "1"}])
async def test_bad_queries_are_refused(client: Any, query: Any):
    assert (await client.get(PATH, params=query)).status_code == 400


async def test_automation_is_for_those_who_may_change_settings(nobody: Any, client: Any):
    assert (await nobody.get(PATH, params={"owner": "cases"})).status_code == 403
    assert (await nobody.put(PATH, json={"owner": "cases", "auto_push": {}})).status_code == 403
    assert (await client.get(PATH, params={"owner": "nobodys"})).status_code == 403
    assert (await client.put(PATH, json={"owner": "nobodys", "auto_push": {}})).status_code == 403


# What queues


async def test_by_default_nothing_is_queued(client: Any):
    case = await opened(client)
    await changed(client, case["id"], title="Renamed")
    await client.post(f"/api/cases/{case['id']}/comments", json=COMMENT)
    assert await deliveries(client, case["id"]) == []


async def test_a_new_case_is_queued_in_the_name_of_who_opened_it(client: Any):
    await switch_on(client)
    (delivery,) = await deliveries(client, (await opened(client))["id"])
    assert (delivery["origin"], delivery["state"], delivery["attempt_count"]) == ("automatic", "queued", 0)
    assert (delivery["connector_id"], delivery["connector_type"]) == ("tracker", ".jira")
    assert delivery["created_by"]["username"] == "admin"
    assert delivery["next_attempt_at"] > delivery["created_at"]


async def test_a_case_without_a_connector_is_not_queued_until_it_has_one(client: Any):
    await switch_on(client)
    case = await opened(client, connector=NONE)
    await changed(client, case["id"], title="Renamed")
    assert await deliveries(client, case["id"]) == []
    await changed(client, case["id"], connector=TRACKER)
    assert len(await deliveries(client, case["id"])) == 1


@pytest.mark.parametrize(
    ("trigger", "change"),
    [
        ("title", {"title": "Renamed"}),
        ("description", {"description": "more"}),
        ("status", {"status": "in-progress"}),
        ("severity", {"severity": "high"}),
        ("tags", {"tags": ["vpn", "night"]}),
        ("connector", {"connector": OTHER}),
        ("connector", {"connector": {**TRACKER, "fields": {"issueType": "1", "priority": None, "parent": None}}}),
    ],
)
async def test_a_change_is_queued_if_it_is_named_in_on(client: Any, trigger: str, change: dict[str, Any]):
    saved = await switch_on(client, on=[each for each in TRIGGERS if each != trigger])
    case = await opened(client, connector=NONE)
    await switch_connector(client, case["id"])
    before = len(await deliveries(client, case["id"]))
    await changed(client, case["id"], **change)
    assert len(await deliveries(client, case["id"])) == before

    case = await opened(client, connector=NONE)
    body = {"owner": "cases", "version": saved["version"], "auto_push": {"enabled": False}}
    off = (await client.put(PATH, json=body)).json()
    await switch_connector(client, case["id"])
    body = {"owner": "cases", "version": off["version"], "auto_push": {"enabled": True, "on": [trigger]}}
    await client.put(PATH, json=body)
    await changed(client, case["id"], category="else", **({} if trigger == "title" else {"assignees": []}))
    assert await deliveries(client, case["id"]) == []
    await changed(client, case["id"], **change)
    assert len(await deliveries(client, case["id"])) == 1


async def switch_connector(client: Any, case_id: str) -> None:
    await changed(client, case_id, connector=TRACKER)


async def test_attachments_are_queued_singly_in_bulk_and_edited_but_not_when_deleted(client: Any):
    case = await opened(client)
    path = f"/api/cases/{case['id']}/comments"
    first = (await client.post(path, json=COMMENT)).json()["comments"][0]
    await switch_on(client, on=["comments"])
    assert (await client.delete(f"{path}/{first['id']}")).status_code == 204
    assert await deliveries(client, case["id"]) == []

    for other, call in (
        ("add", lambda id_: client.post(f"/api/cases/{id_}/comments", json=COMMENT)),
        ("alert", lambda id_: client.post(f"/api/cases/{id_}/comments", json=ALERT)),
        ("bulk", lambda id_: client.post(f"/internal/cases/{id_}/attachments/_bulk_create", json=[COMMENT, COMMENT])),
    ):
        id_ = await without_delivery(client)
        assert (await call(id_)).status_code == 200, other
        assert len(await deliveries(client, id_)) == 1, other


async def without_delivery(client: Any) -> str:
    """A case with the connector, not queued yet: `on` names comments alone, and it got the connector by a change."""
    case = await opened(client, connector=NONE)
    await switch_connector(client, case["id"])
    assert await deliveries(client, case["id"]) == []
    return str(case["id"])


async def test_an_edited_comment_is_queued(client: Any):
    case = await opened(client)
    path = f"/api/cases/{case['id']}/comments"
    comment = (await client.post(path, json=COMMENT)).json()["comments"][0]
    await switch_on(client, on=["comments"])
    edited = {**COMMENT, "id": comment["id"], "version": comment["version"], "comment": "seen thrice"}
    assert (await client.patch(path, json=edited)).status_code == 200
    assert len(await deliveries(client, case["id"])) == 1


async def test_a_change_of_many_cases_queues_each_whose_owner_wants_it(client: Any):
    mine = [await opened(client), await opened(client)]
    theirs = await opened(client, owner="observability")
    await switch_on(client)
    body = [{"id": each["id"], "version": each["version"], "severity": "high"} for each in [*mine, theirs]]
    assert (await client.patch("/api/cases", json={"cases": body})).status_code == 200
    assert [len(await deliveries(client, each["id"])) for each in [*mine, theirs]] == [1, 1, 0]


async def test_a_refused_change_queues_nothing(client: Any):
    case = await opened(client)
    await switch_on(client)
    entry = {"id": case["id"], "version": "WzEsMV0=", "title": "Renamed"}
    assert (await client.patch("/api/cases", json={"cases": [entry]})).status_code == 409
    assert await deliveries(client, case["id"]) == []


async def test_what_on_cannot_name_queues_nothing(client: Any):
    case = await opened(client)
    await switch_on(client)
    await changed(client, case["id"], category="phishing", settings={"syncAlerts": True})
    assert await deliveries(client, case["id"]) == []


async def test_with_an_empty_on_nothing_is_queued(client: Any):
    await switch_on(client, on=[])
    case = await opened(client)
    await changed(client, case["id"], title="Renamed")
    assert await deliveries(client, case["id"]) == []


async def test_changes_close_together_become_one_delivery(client: Any):
    await switch_on(client)
    case = await opened(client)
    (first,) = await deliveries(client, case["id"])
    await changed(client, case["id"], title="Renamed")
    await client.post(f"/api/cases/{case['id']}/comments", json=COMMENT)
    (last,) = await deliveries(client, case["id"])
    kept = ("id", "created_at", "next_attempt_at", "state")
    assert {key: last[key] for key in kept} == {key: first[key] for key in kept}
    assert last["version"] != first["version"]


async def test_a_case_moved_to_another_connector_is_queued_for_both(client: Any):
    await switch_on(client)
    case = await opened(client)
    await changed(client, case["id"], connector=OTHER)
    assert {each["connector_id"] for each in await deliveries(client, case["id"])} == {"tracker", "other"}


async def test_a_cancelled_delivery_takes_in_no_more_changes_and_may_be_queued_again_beside_a_new_one(client: Any):
    await switch_on(client)
    case = await opened(client)
    (first,) = await deliveries(client, case["id"])
    one = "/api/casebridge/deliveries/" + first["id"]
    assert (await client.post(f"{one}/_cancel")).json()["state"] == "cancelled"
    await changed(client, case["id"], title="Renamed")
    assert [each["state"] for each in await deliveries(client, case["id"])] == ["queued", "cancelled"]
    assert (await client.post(f"{one}/_retry")).json()["state"] == "queued"
    await changed(client, case["id"], title="Renamed again")
    assert len(await deliveries(client, case["id"])) == 2


async def test_deliveries_of_a_deleted_case_are_cancelled_and_stay_readable(client: Any):
    await switch_on(client)
    case = await opened(client)
    assert (await client.delete("/api/cases", params={"ids": f'["{case["id"]}"]'})).status_code == 204
    assert [each["state"] for each in await deliveries(client, case["id"])] == ["cancelled"]
