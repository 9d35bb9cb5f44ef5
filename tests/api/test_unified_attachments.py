"""Attachments in unified form: the same stored objects as the comment routes, answered alone (attachments.md 8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.conftest import Client

RULE = {"id": "r", "name": "Odd logons"}
FILE = {"files": [{"name": "a", "extension": "txt", "mimeType": "text/plain", "created": "2024-05-17T08:00:00.000Z"}]}
ACTIONS = {"comment": "contain", "actions": {"targets": [{"hostname": "h", "endpointId": "e"}], "type": "isolate"}}
SENT: dict[str, dict[str, Any]] = {
    "comment": {"type": "comment", "data": {"content": "hello"}},
    "alerts": {"type": "stack.alert", "attachmentId": ["a", "b"], "metadata": {"index": ["i", "j"], "rule": RULE}},
    "reference": {"type": "indicator", "attachmentId": "ioc-1", "metadata": {"name": "203.0.113.9"}},
    "bare reference": {"type": "osquery", "attachmentId": "q-1", "metadata": None},
    "file": {"type": ".files", "attachmentId": "f-1", "metadata": FILE},
    "state": {"type": ".lens", "data": {"title": "Errors", "rows": [1, 2]}},
    "actions": {"type": "actions", "data": ACTIONS},
}
CLASSIC: dict[str, dict[str, Any]] = {
    "comment": {"type": "user", "comment": "hello"},
    "alerts": {"type": "alert", "alertId": ["a", "b"], "index": ["i", "j"], "rule": RULE},
    "reference": {
        "type": "externalReference",
        "externalReferenceAttachmentTypeId": "indicator",
        "externalReferenceId": "ioc-1",
        "externalReferenceMetadata": {"name": "203.0.113.9"},
        "externalReferenceStorage": {"type": "elasticSearchDoc"},
    },
    "bare reference": {
        "type": "externalReference",
        "externalReferenceAttachmentTypeId": "osquery",
        "externalReferenceId": "q-1",
        "externalReferenceMetadata": None,
        "externalReferenceStorage": {"type": "elasticSearchDoc"},
    },
    "file": {
        "type": "externalReference",
        "externalReferenceAttachmentTypeId": ".files",
        "externalReferenceId": "f-1",
        "externalReferenceMetadata": FILE,
        "externalReferenceStorage": {"type": "savedObject", "soType": "file"},
    },
    "state": {
        "type": "persistableState",
        "persistableStateAttachmentTypeId": ".lens",
        "persistableStateAttachmentState": {"title": "Errors", "rows": [1, 2]},
    },
    "actions": {"type": "actions", **ACTIONS},
}
KEPT = ("id", "version", "created_at", "created_by", "updated_at", "updated_by", "pushed_at", "pushed_by")


def of(case: dict[str, Any]) -> str:
    return f"/api/cases/{case['id']}/attachments"


async def added(client: Client, case: dict[str, Any], name: str = "comment", **given: Any) -> dict[str, Any]:
    answer = await client.post(of(case), json={"owner": "cases", **SENT[name], **given})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def without_kept(shape: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shape.items() if key not in KEPT}


@pytest.mark.parametrize("name", SENT)
async def test_an_attachment_is_answered_alone_and_reads_in_both_forms(client: Client, open_case: Any, name: str):
    case = await open_case()

    made = await added(client, case, name)

    assert without_kept(made) == {"owner": "cases", **SENT[name]}
    assert (await client.get(f"{of(case)}/{made['id']}")).json() == made
    (classic,) = (await client.get(f"/api/cases/{case['id']}/comments")).json()
    assert without_kept(classic) == {"owner": "cases", **CLASSIC[name]}
    assert {key: classic[key] for key in KEPT} == {key: made[key] for key in KEPT}
    action = (await client.get(f"/api/cases/{case['id']}/user_actions/_find")).json()["userActions"][-1]
    assert (action["comment_id"], action["payload"]["comment"]["type"]) == (made["id"], CLASSIC[name]["type"])


@pytest.mark.parametrize("name", CLASSIC)
async def test_what_was_added_in_classic_form_reads_in_unified_form(client: Client, open_case: Any, name: str):
    case = await open_case()
    body = {"owner": "cases", **CLASSIC[name]}
    case = (await client.post(f"/api/cases/{case['id']}/comments", json=body)).json()

    (only,) = (await client.get(of(case))).json()["data"]

    assert without_kept(only) == {"owner": "cases", **SENT[name]}


@pytest.mark.parametrize(
    ("owner", "type_"),
    [("cases", "stack.alert"), ("observability", "observability.alert"), ("securitySolution", "security.alert")],
)
async def test_alerts_are_called_after_their_owner(client: Client, open_case: Any, owner: str, type_: str):
    case = await open_case(owner=owner)
    body = {"type": type_, "owner": owner, "attachmentId": "a", "metadata": {"index": "i"}}

    answer = await client.post(of(case), json=body)

    assert answer.status_code == 201
    rule = {"id": None, "name": None}
    assert without_kept(answer.json()) == {**body, "attachmentId": ["a"], "metadata": {"index": ["i"], "rule": rule}}
    other = "stack.alert" if type_ != "stack.alert" else "security.alert"
    refused = await client.post(of(case), json={**body, "type": other, "attachmentId": "b"})
    assert (refused.status_code, type_ in refused.json()["message"]) == (400, True)


async def test_alerts_that_are_there_already_are_answered_and_change_nothing(client: Client, open_case: Any):
    case = await open_case()
    made = await added(client, case, "alerts")
    before = (await client.get(f"/api/cases/{case['id']}")).json()

    again = await client.post(of(case), json={"owner": "cases", **SENT["alerts"]})

    assert (again.status_code, again.json()) == (200, made)
    assert (await client.get(f"/api/cases/{case['id']}")).json() == before


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"type": "nonsense", "data": {}}, "nonsense"),
        ({"type": "user", "data": {"content": "x"}}, "user"),
        ({"type": "comment"}, "data"),
        ({"type": "comment", "data": {"text": "x"}}, "data"),
        ({"type": "comment", "data": {"content": "x", "more": 1}}, "data"),
        ({"type": "comment", "data": {"content": " "}}, "comment"),
        ({"type": "comment", "data": {"content": "x" * 30_001}}, "30000"),
        ({"type": "comment", "data": {"content": "x"}, "attachmentId": "a"}, "attachmentId"),
        ({"type": "comment", "data": {"content": "x"}, "metadata": {}}, "metadata"),
        ({"type": "stack.alert", "attachmentId": "a"}, "metadata"),
        ({"type": "stack.alert", "metadata": {"index": "i"}}, "attachmentId"),
        ({"type": "stack.alert", "attachmentId": ["a", "b"], "metadata": {"index": "i"}}, "index"),
        ({"type": "indicator", "attachmentId": "a", "data": {"x": 1}}, "data"),
        ({"type": "indicator", "data": {"x": 1}}, "attachmentId"),
        ({"type": "indicator", "attachmentId": ["a", "b"]}, "attachmentId"),
        ({"type": ".files", "attachmentId": "a", "metadata": {}}, "files"),
        ({"type": ".lens", "attachmentId": "a"}, "attachmentId"),
        ({"type": "actions", "data": {"comment": "x"}}, "data"),
        ({"type": "comment", "data": {"content": "x"}, "id": "mine"}, "id"),
    ],
)
async def test_parts_that_do_not_fit_are_refused_by_name(
    client: Client, open_case: Any, body: dict[str, Any], told: str
):
    case = await open_case()

    answer = await client.post(of(case), json={"owner": "cases", **body})

    assert (answer.status_code, told in answer.json()["message"]) == (400, True), answer.text
    assert (await client.get(of(case))).json()["total"] == 0


async def test_the_rules_of_the_classic_routes_hold(client: Client, nobody: Client, open_case: Any):
    case = await open_case()
    body = {"owner": "cases", **SENT["comment"]}

    assert (await nobody.post(of(case), json=body)).status_code == 403
    assert (await client.post(of({"id": "nope"}), json=body)).status_code == 404
    assert (await client.post(of(case), json={**body, "owner": "observability"})).status_code == 400
    assert (await client.post(of(case), json={**body, "owner": "nobody"})).status_code == 403
    entry = {"id": case["id"], "version": case["version"], "status": "closed"}
    assert (await client.patch("/api/cases", json={"cases": [entry]})).status_code == 200
    assert (await client.post(of(case), json={"owner": "cases", **SENT["alerts"]})).status_code == 400
    await added(client, case)


async def test_the_list_is_paged_sorted_and_narrowed_by_type(client: Client, open_case: Any):
    case = await open_case()
    made = [await added(client, case, name) for name in SENT]

    async def listed(query: str) -> tuple[list[str], int]:
        answer = await client.get(f"{of(case)}?{query}")
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()["data"]], answer.json()["total"]

    ids = [each["id"] for each in made]
    assert (await client.get(of(case))).json() == {"data": made, "page": 1, "per_page": 20, "total": 7}
    assert await listed("page=2&perPage=3") == (ids[3:6], 7)
    assert await listed("sortOrder=desc&perPage=2") == (ids[:-3:-1], 7)
    assert await listed("type=comment") == (ids[:1], 1)
    assert await listed("type=indicator&type=.lens&type=stack.alert&sortOrder=desc") == ([ids[5], ids[2], ids[1]], 3)
    assert await listed("type=.files&page=2") == ([], 1)
    assert await listed("type=endpoint") == ([], 0)


async def test_odd_questions_and_callers_get_their_answers(client: Client, nobody: Client, open_case: Any):
    case = await open_case()
    for query in ("type=nonsense", "perPage=101", "page=x", "sortOrder=up", "other=1", "page=10001"):
        assert (await client.get(f"{of(case)}?{query}")).status_code == 400, query
    assert (await nobody.get(of(case))).status_code == 403
    assert (await client.get(of({"id": "nope"}))).json() == {"data": [], "page": 1, "per_page": 20, "total": 0}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("comment", {"data": {"content": "second thoughts"}}),
        ("alerts", {"attachmentId": ["c"], "metadata": {"index": ["k"], "rule": RULE}}),
        ("reference", {"attachmentId": "ioc-2", "metadata": None}),
        ("state", {"data": {}}),
        ("actions", {"data": {**ACTIONS, "comment": "released"}}),
    ],
)
async def test_a_replacement_is_whole_and_needs_the_version_read(
    client: Client, open_case: Any, name: str, change: dict[str, Any]
):
    case = await open_case()
    made = await added(client, case, name)
    body = {"owner": "cases", **SENT[name], **change, "version": made["version"]}

    answer = await client.put(f"{of(case)}/{made['id']}", json=body)

    assert answer.status_code == 200, answer.text
    assert without_kept(answer.json()) == {"owner": "cases", **SENT[name], **change}
    assert answer.json()["version"] != made["version"]
    assert answer.json()["updated_by"]["username"] == "admin"
    assert (await client.put(f"{of(case)}/{made['id']}", json=body)).status_code == 409
    missing = {key: value for key, value in body.items() if key != "version"}
    assert (await client.put(f"{of(case)}/{made['id']}", json=missing)).status_code == 400


async def test_a_replaced_reference_stays_where_it_is_stored(client: Client, open_case: Any):
    case = await open_case()
    storage = {"type": "savedObject", "soType": "indicator"}
    body = {"owner": "cases", **CLASSIC["reference"], "externalReferenceStorage": storage}
    (made,) = (await client.post(f"/api/cases/{case['id']}/comments", json=body)).json()["comments"]

    changed = {"owner": "cases", **SENT["reference"], "attachmentId": "ioc-9", "version": made["version"]}
    assert (await client.put(f"{of(case)}/{made['id']}", json=changed)).status_code == 200

    (classic,) = (await client.get(f"/api/cases/{case['id']}/comments")).json()
    assert (classic["externalReferenceId"], classic["externalReferenceStorage"]) == ("ioc-9", storage)


async def test_type_and_owner_stay(client: Client, nobody: Client, open_case: Any):
    case, other = await open_case(), await open_case()
    made = await added(client, case, "reference")
    one = f"{of(case)}/{made['id']}"
    body = {"owner": "cases", **SENT["reference"], "version": made["version"]}

    for wrong in ({"type": "osquery"}, {"owner": "observability"}):
        assert (await client.put(one, json={**body, **wrong})).status_code == 400
    value = {"type": "comment", "owner": "cases", "data": {"content": "x"}, "version": made["version"]}
    assert (await client.put(one, json=value)).status_code == 400
    assert (await nobody.put(one, json=body)).status_code == 403
    for elsewhere in (f"{of(other)}/{made['id']}", f"{of(case)}/nope", f"{of({'id': 'nope'})}/{made['id']}"):
        assert (await client.put(elsewhere, json=body)).status_code == 404
    assert (await client.get(one)).json() == made


async def test_one_or_all_are_deleted(client: Client, nobody: Client, open_case: Any):
    case, other = await open_case(), await open_case()
    first, second, _ = [await added(client, case, name) for name in ("comment", "alerts", "state")]

    assert (await nobody.delete(f"{of(case)}/{first['id']}")).status_code == 403
    assert (await client.delete(f"{of(other)}/{first['id']}")).status_code == 404
    assert (await client.get(f"{of(other)}/{first['id']}")).status_code == 404
    assert (await client.delete(f"{of(case)}/{first['id']}")).status_code == 204
    assert (await client.delete(f"{of(case)}/{first['id']}")).status_code == 404
    assert (await client.get(f"{of(case)}/{second['id']}")).status_code == 200
    assert (await client.delete(of(case))).status_code == 204
    assert (await client.delete(of(case))).status_code == 404
    assert (await client.get(of(case))).json()["total"] == 0


async def test_attachments_added_at_once_are_each_answered_with_their_own(client: Client, open_case: Any):
    case = await open_case()

    made = await asyncio.gather(*[added(client, case, data={"content": str(number)}) for number in range(12)])

    assert [each["data"]["content"] for each in made] == [str(number) for number in range(12)]
    page = (await client.get(f"{of(case)}?perPage=100")).json()
    assert page["total"] == 12
    assert sorted(each["id"] for each in page["data"]) == sorted(each["id"] for each in made)
