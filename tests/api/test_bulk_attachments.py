"""Several attachments at once, added and read by id (attachments.md 4)."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.api.conftest import Client

COMMENT = {"type": "user", "owner": "cases", "comment": "called the site"}
RULE = {"id": None, "name": None}


def an_alert(*ids: str, **given: Any) -> dict[str, Any]:
    listed = {"alertId": list(ids), "index": ["detections"] * len(ids)}
    return {"type": "alert", "owner": "cases", "rule": RULE} | listed | given


async def add(client: Client, case_id: str, *bodies: Any) -> Any:
    return await client.post(f"/internal/cases/{case_id}/attachments/_bulk_create", json=list(bodies))


async def read(client: Client, case_id: str, *ids: str) -> Any:
    return await client.post(f"/internal/cases/{case_id}/attachments/_bulk_get", json={"ids": ids})


async def test_several_attachments_are_added_in_order_with_one_record_each(client: Client, open_case: Any):
    case = await open_case()

    answer = await add(client, case["id"], COMMENT, an_alert("evt-1"), {**COMMENT, "comment": "second"})

    stored = answer.json()
    assert [each["type"] for each in stored["comments"]] == ["user", "alert", "user"]
    assert (stored["totalComment"], stored["totalAlerts"]) == (3, 1)
    actions = (await client.get(f"/api/cases/{case['id']}/user_actions/_find")).json()["userActions"][1:]
    assert [each["comment_id"] for each in actions] == [each["id"] for each in stored["comments"]]
    assert {each["created_at"] for each in stored["comments"]} == {stored["updated_at"]}


async def test_an_empty_list_changes_nothing(client: Client, nobody: Client, open_case: Any):
    case = await open_case()

    answer = await add(client, case["id"])

    assert (answer.status_code, answer.json()["version"], answer.json()["updated_at"]) == (200, case["version"], None)
    assert (await add(client, "unknown")).status_code == 404
    assert (await add(nobody, case["id"])).status_code == 403


async def test_a_hundred_are_taken_and_not_one_more(client: Client, open_case: Any):
    case = await open_case()
    assert (await add(client, case["id"], *[COMMENT] * 101)).status_code == 400
    assert (await add(client, case["id"], *[COMMENT] * 100)).json()["totalComment"] == 100


async def test_one_bad_entry_spoils_all(client: Client, open_case: Any):
    case = await open_case()
    uneven = an_alert("a", "b", index="one")
    for bad in (uneven, {**COMMENT, "comment": " "}, {**COMMENT, "owner": "observability"}, {"type": "user"}):
        assert (await add(client, case["id"], COMMENT, bad)).status_code == 400
    assert (await client.get(f"/api/cases/{case['id']}/comments")).json() == []


async def test_the_type_id_is_looked_at_before_the_privilege(nobody: Client):
    state = {
        "type": "persistableState",
        "owner": "cases",
        "persistableStateAttachmentTypeId": "own-type",
        "persistableStateAttachmentState": {},
    }
    assert (await add(nobody, "unknown", state)).status_code == 400
    assert (await add(nobody, "unknown", COMMENT)).status_code == 403


async def test_repeats_are_taken_out_across_the_list_and_the_case(client: Client, open_case: Any):
    case = await open_case()
    await add(client, case["id"], an_alert("evt-1"))

    answer = await add(client, case["id"], an_alert("evt-1"), an_alert("evt-2", "evt-1"), an_alert("evt-2"), COMMENT)

    assert [each.get("alertId") for each in answer.json()["comments"]] == [["evt-1"], ["evt-2"], None]
    actions = (await client.get(f"/api/cases/{case['id']}/user_actions/_find")).json()["userActions"]
    told = [each["payload"]["comment"].get("alertId") for each in actions[2:]]
    assert told == [["evt-2", "evt-1"], None]


async def test_the_record_keeps_a_single_alert_as_it_was_sent(client: Client, open_case: Any):
    case = await open_case()

    answer = await add(client, case["id"], an_alert(alertId="evt-1", index="one"))

    assert answer.json()["comments"][0]["alertId"] == ["evt-1"]
    action = (await client.get(f"/api/cases/{case['id']}/user_actions/_find")).json()["userActions"][-1]
    assert action["payload"]["comment"]["alertId"] == "evt-1"


async def test_only_repeats_change_nothing(client: Client, open_case: Any):
    case = await open_case()
    before = (await add(client, case["id"], an_alert("evt-1"))).json()
    assert (await add(client, case["id"], an_alert("evt-1"), an_alert("evt-1"))).json() == before


async def test_a_closed_case_refuses_the_whole_list_when_it_holds_an_alert(client: Client, open_case: Any):
    case = await open_case()
    patch = {"cases": [{"id": case["id"], "version": case["version"], "status": "closed"}]}
    await client.patch("/api/cases", json=patch)

    assert (await add(client, case["id"], COMMENT, an_alert("evt-1"))).status_code == 400
    assert (await add(client, case["id"], COMMENT)).status_code == 200


async def test_limits_count_the_whole_list_also_in_parallel(client: Client, open_case: Any):
    case = await open_case()
    chunks = [[f"{name}-{number}" for number in range(400)] for name in "abc"]

    answers = await asyncio.gather(
        *(add(client, case["id"], an_alert(*ids[:200]), an_alert(*ids[200:])) for ids in chunks)
    )

    assert sorted(answer.status_code for answer in answers) == [200, 200, 400]
    assert (await client.get(f"/api/cases/{case['id']}")).json()["totalAlerts"] == 800


async def test_attachments_are_read_in_the_order_asked(client: Client, open_case: Any):
    case, other = await open_case(), await open_case()
    first, second = (await add(client, case["id"], COMMENT, an_alert("evt-1"))).json()["comments"]
    foreign = (await add(client, other["id"], COMMENT)).json()["comments"][0]

    answer = await read(client, case["id"], second["id"], foreign["id"], "unknown", first["id"])

    assert answer.json()["attachments"] == [second, first]
    assert [(each["status"], each["error"], each["attachmentId"]) for each in answer.json()["errors"]] == [
        (400, "Bad Request", foreign["id"]),
        (404, "Not Found", "unknown"),
    ]
    assert all(each["attachmentId"] == each["savedObjectId"] for each in answer.json()["errors"])


async def test_without_problems_both_lists_are_there(client: Client, open_case: Any):
    case = await open_case()
    first = (await add(client, case["id"], COMMENT)).json()["comments"][0]
    assert (await read(client, case["id"], first["id"])).json() == {"attachments": [first], "errors": []}


async def test_a_bulk_read_is_refused_whole(client: Client, nobody: Client, open_case: Any, disable: Any):
    case = await open_case(owner="observability")
    assert (await read(client, case["id"])).status_code == 400
    assert (await read(client, case["id"], *["x"] * 101)).status_code == 400
    assert (await read(client, case["id"], *["x"] * 100)).status_code == 200
    assert (await read(client, "unknown", "x")).status_code == 404
    assert (await read(nobody, case["id"], "x")).status_code == 403
    await disable("observabilityCasesV3")
    assert (await read(client, case["id"], "x")).status_code == 403


async def test_unknown_keys_and_other_bodies_are_refused(client: Client, open_case: Any):
    case = await open_case()
    path = f"/internal/cases/{case['id']}/attachments"
    for name, body in (("_bulk_get", {"ids": ["x"], "more": 1}), ("_bulk_get", ["x"]), ("_bulk_create", COMMENT)):
        assert (await client.post(f"{path}/{name}", json=body)).status_code == 400
