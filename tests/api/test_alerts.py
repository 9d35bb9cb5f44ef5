"""Alerts of cases: attaching, repeats, limits, and the cases an alert is attached to (attachments.md 1, 3, 5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.conftest import Client

RULE = {"id": "r-9", "name": "Odd logon hours"}


def an_alert(*ids: str, **given: Any) -> dict[str, Any]:
    """Alerts of these ids, all in one index."""
    listed = {"alertId": list(ids), "index": ["detections"] * len(ids)}
    return {"type": "alert", "owner": "cases", "rule": RULE} | listed | given


async def attach(client: Client, case_id: str, *ids: str, **given: Any) -> dict[str, Any]:
    answer = await client.post(f"/api/cases/{case_id}/comments", json=an_alert(*ids, **given))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(client: Client, case_id: str, body: Any, *words: str, status: int = 400) -> None:
    answer = await client.post(f"/api/cases/{case_id}/comments", json=body)
    assert answer.status_code == status, answer.text
    assert all(word in answer.json()["message"] for word in words), answer.text


async def test_a_single_alert_is_stored_and_answered_as_a_list(client: Client, open_case: Any):
    case = await open_case()

    stored = await attach(client, case["id"], alertId="evt-81", index="detections-1")

    (comment,) = stored["comments"]
    assert (comment["alertId"], comment["index"], comment["rule"]) == (["evt-81"], ["detections-1"], RULE)
    assert (stored["totalComment"], stored["totalAlerts"]) == (1, 1)
    read = (await client.get(f"/api/cases/{case['id']}/comments/{comment['id']}")).json()
    assert read == comment


async def test_elsewhere_alerts_are_no_comments_and_count_once_each(client: Client, open_case: Any):
    case = await open_case()
    await attach(client, case["id"], "evt-1", "evt-2")

    read = (await client.get(f"/api/cases/{case['id']}")).json()

    assert (read["totalComment"], read["totalAlerts"]) == (0, 2)
    assert (await client.get(f"/api/cases/{case['id']}/comments/_find")).json()["total"] == 0
    assert len((await client.get(f"/api/cases/{case['id']}/comments")).json()) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"rule": {"id": "r"}},
        {"rule": None},
        {"rule": {"id": "r", "name": None, "more": 1}},
        {"alertId": None},
        {"alertId": 5},
        {"index": [1]},
        {"comment": "hello"},
        {"type": "Alert"},
        {"type": "event"},
    ],
)
async def test_another_shape_is_refused(client: Client, open_case: Any, given: dict[str, Any]):
    case = await open_case()
    await refused(client, case["id"], an_alert("evt-1", **given))


@pytest.mark.parametrize("left", ["type", "owner", "alertId", "index", "rule"])
async def test_a_missing_key_is_refused(client: Client, open_case: Any, left: str):
    case = await open_case()
    await refused(client, case["id"], {key: value for key, value in an_alert("e").items() if key != left}, left)


async def test_uneven_lists_are_refused_with_both_lists_in_the_message(client: Client, open_case: Any):
    case = await open_case()
    await refused(client, case["id"], an_alert("evt-1", "evt-2", index="only-one"), '["evt-1","evt-2"]', '["only-one"]')


async def test_a_repeated_alert_changes_nothing_at_all(client: Client, open_case: Any):
    case = await open_case()
    before = await attach(client, case["id"], "evt-1")

    again = await attach(client, case["id"], "evt-1", index="elsewhere")

    assert again == before
    actions = (await client.get(f"/api/cases/{case['id']}/user_actions/_find")).json()
    assert actions["total"] == 2


async def test_a_partly_new_attachment_keeps_only_the_new_pairs(client: Client, open_case: Any):
    case = await open_case()
    await attach(client, case["id"], "evt-1")

    stored = await attach(client, case["id"], "evt-1", "evt-2", "evt-2", index=["a", "b", "c"])

    last = stored["comments"][-1]
    assert (last["alertId"], last["index"], stored["totalAlerts"]) == (["evt-2"], ["b"], 2)
    action = (await client.get(f"/api/cases/{case['id']}/user_actions/_find")).json()["userActions"][-1]
    assert action["payload"]["comment"]["alertId"] == ["evt-2"]
    assert (action["type"], action["action"], action["comment_id"]) == ("comment", "create", last["id"])


async def test_a_closed_case_takes_comments_but_no_alerts(client: Client, open_case: Any):
    case = await open_case()
    patch = {"cases": [{"id": case["id"], "version": case["version"], "status": "closed"}]}
    assert (await client.patch("/api/cases", json=patch)).status_code == 200

    await refused(client, case["id"], an_alert("evt-1"), "closed")
    # The state of the case is looked at before its owner.
    await refused(client, case["id"], an_alert("evt-1", owner="observability"), "closed")
    comment = {"type": "user", "owner": "cases", "comment": "late remark"}
    assert (await client.post(f"/api/cases/{case['id']}/comments", json=comment)).status_code == 200


async def test_refusals_come_in_their_order(client: Client, nobody: Client, open_case: Any):
    case = await open_case()
    uneven = an_alert("evt-1", "evt-2", index="one")

    await refused(nobody, "unknown", uneven, "evt-2")
    await refused(nobody, "unknown", an_alert("evt-1"), status=403)
    await refused(client, "unknown", an_alert("evt-1", owner="nobody's"), status=403)
    await refused(client, "unknown", an_alert("evt-1"), "[cases/unknown]", status=404)
    await refused(client, case["id"], an_alert("evt-1", owner="observability"), "observability")


async def test_a_thousand_alerts_fit_and_not_one_more(client: Client, open_case: Any):
    case = await open_case()
    many = [f"evt-{number}" for number in range(999)]
    await attach(client, case["id"], *many)

    await refused(client, case["id"], an_alert("new-1", "new-2"), "1000", "alerts")
    # Repeats are taken out after the limit was looked at.
    await refused(client, case["id"], an_alert("evt-1", "evt-2"), "1000")
    assert (await attach(client, case["id"], "new-1"))["totalAlerts"] == 1000
    await refused(client, case["id"], an_alert("new-2"), "1000")
    comment = {"type": "user", "owner": "cases", "comment": "a full case still takes comments"}
    assert (await client.post(f"/api/cases/{case['id']}/comments", json=comment)).status_code == 200


async def test_a_thousand_and_one_repeats_are_too_many(client: Client, open_case: Any):
    case = await open_case()
    await refused(client, case["id"], an_alert(*["evt-1"] * 1001), "1000")


async def test_parallel_requests_never_pass_the_limit(client: Client, open_case: Any):
    case = await open_case()
    await attach(client, case["id"], *[f"evt-{number}" for number in range(997)])
    path = f"/api/cases/{case['id']}/comments"

    answers = await asyncio.gather(*(client.post(path, json=an_alert(f"new-{n}")) for n in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [400] * 5
    assert (await client.get(f"/api/cases/{case['id']}")).json()["totalAlerts"] == 1000


async def test_parallel_requests_attach_one_alert_once(client: Client, open_case: Any):
    case = await open_case()
    path = f"/api/cases/{case['id']}/comments"

    answers = await asyncio.gather(*(client.post(path, json=an_alert("evt-1")) for _ in range(6)))

    assert [answer.status_code for answer in answers] == [200] * 6
    assert len((await client.get(path)).json()) == 1


async def test_an_edited_alert_moves_with_its_case_list_and_total(client: Client, open_case: Any):
    case = await open_case()
    await attach(client, case["id"], "kept")
    comment = (await attach(client, case["id"], "old"))["comments"][1]
    body = an_alert("new", "kept") | {"id": comment["id"], "version": comment["version"]}

    edited = await client.patch(f"/api/cases/{case['id']}/comments", json=body)

    assert edited.status_code == 200, edited.text
    assert edited.json()["comments"][1]["alertId"] == ["new", "kept"]
    # Answers of writing routes count ids over all attachments, others count distinct ones.
    assert edited.json()["totalAlerts"] == 3
    assert (await client.get(f"/api/cases/{case['id']}")).json()["totalAlerts"] == 2
    assert (await client.get("/api/cases/alerts/old")).json() == []
    assert [each["id"] for each in (await client.get("/api/cases/alerts/new")).json()] == [case["id"]]


async def test_an_edit_is_refused_for_uneven_lists_and_other_types(client: Client, open_case: Any):
    case = await open_case()
    comment = (await attach(client, case["id"], "evt-1"))["comments"][0]
    of_it = {"id": comment["id"], "version": comment["version"]}
    path = f"/api/cases/{case['id']}/comments"

    uneven = await client.patch(path, json=an_alert("a", "b", index="one") | of_it)
    other = await client.patch(path, json={"type": "user", "owner": "cases", "comment": "x"} | of_it)
    stale = await client.patch(path, json=an_alert("a") | of_it | {"version": "WzEsMV0="})

    assert (uneven.status_code, other.status_code, stale.status_code) == (400, 400, 409)


async def test_deleting_an_attachment_lets_go_of_its_alerts(client: Client, open_case: Any):
    case = await open_case()
    comment = (await attach(client, case["id"], "evt-1", "evt-2"))["comments"][0]
    await attach(client, case["id"], "evt-3")

    assert (await client.delete(f"/api/cases/{case['id']}/comments/{comment['id']}")).status_code == 204

    assert (await client.get(f"/api/cases/{case['id']}")).json()["totalAlerts"] == 1
    assert (await client.get("/api/cases/alerts/evt-1")).json() == []
    assert (await attach(client, case["id"], "evt-1"))["totalAlerts"] == 2
    assert (await client.delete(f"/api/cases/{case['id']}/comments")).status_code == 204
    assert (await client.get(f"/api/cases/{case['id']}")).json()["totalAlerts"] == 0


async def test_alerts_of_a_case_are_listed_in_order(client: Client, open_case: Any):
    case = await open_case()
    await attach(client, case["id"], "b", "a", index=["one", "two"])
    stored = await attach(client, case["id"], "c")

    listed = await client.get(f"/api/cases/{case['id']}/alerts")

    times = [each["created_at"] for each in stored["comments"]]
    assert listed.json() == [
        {"id": "b", "index": "one", "attached_at": times[0]},
        {"id": "a", "index": "two", "attached_at": times[0]},
        {"id": "c", "index": "detections", "attached_at": times[1]},
    ]


async def test_a_case_without_alerts_has_an_empty_list_and_an_unknown_one_none(
    client: Client, nobody: Client, open_case: Any
):
    case = await open_case()
    assert (await client.get(f"/api/cases/{case['id']}/alerts")).json() == []
    assert (await client.get("/api/cases/unknown/alerts")).status_code == 404
    assert (await nobody.get(f"/api/cases/{case['id']}/alerts")).status_code == 403


async def test_the_cases_of_an_alert_are_told_oldest_first(client: Client, open_case: Any):
    first, second = await open_case(title="First"), await open_case(title="Second")
    await attach(client, second["id"], "evt/1 ü")
    await attach(client, first["id"], "other", "evt/1 ü")
    await client.post(
        f"/api/cases/{first['id']}/comments", json={"type": "user", "owner": "cases", "comment": "looking into it"}
    )

    found = await client.get("/api/cases/alerts/evt%2F1%20%C3%BC")

    assert [each["title"] for each in found.json()] == ["First", "Second"]
    assert found.json()[0] == {
        "id": first["id"],
        "title": "First",
        "description": first["description"],
        "status": "open",
        "createdAt": first["created_at"],
        "totals": {"alerts": 2, "events": 0, "userComments": 1},
    }


async def test_the_cases_of_an_alert_are_narrowed_by_owner_and_space(client: Client, open_case: Any):
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    ours, other = await open_case(), await open_case(owner="observability")
    await attach(client, ours["id"], "evt-1")
    await attach(client, other["id"], "evt-1", owner="observability")

    async def ids(query: str, prefix: str = "") -> list[str]:
        answer = await client.get(f"{prefix}/api/cases/alerts/evt-1{query}")
        assert answer.status_code == 200
        return [each["id"] for each in answer.json()]

    assert await ids("") == [ours["id"], other["id"]]
    assert await ids("?owner=observability") == [other["id"]]
    assert await ids("?owner=observability&owner=cases") == [ours["id"], other["id"]]
    assert await ids("?owner=nobody") == []
    assert await ids("", "/s/ops") == []


async def test_an_unknown_alert_has_no_cases_and_odd_questions_are_refused(client: Client, nobody: Client):
    assert (await client.get("/api/cases/alerts/evt-1")).json() == []
    assert (await client.get("/api/cases/alerts/evt-1?page=1")).status_code == 400
    assert (await client.get("/api/cases/alerts/%20")).status_code == 400
    assert (await nobody.get("/api/cases/alerts/evt-1")).status_code == 403


async def test_a_deleted_case_is_no_longer_told_of_its_alerts(client: Client, open_case: Any):
    case, kept = await open_case(), await open_case()
    await attach(client, case["id"], "evt-1")
    await attach(client, kept["id"], "evt-1")

    await client.delete(f'/api/cases?ids=["{case["id"]}"]')

    assert [each["id"] for each in (await client.get("/api/cases/alerts/evt-1")).json()] == [kept["id"]]


async def test_an_alert_id_may_be_longer_than_an_index_takes(client: Client, open_case: Any):
    case = await open_case()
    assert (await attach(client, case["id"], "x" * 9000))["totalAlerts"] == 1
