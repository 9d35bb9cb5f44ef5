"""Comments as 7.10 and 7.11 knew them (dialect-7.10.md 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from casebridge.storage.session import Database
from tests.api.calls import CASES, commented, fetched, message_of, opened, without
from tests.api.legacy import ADMIN, CASE_KEYS, COMMENT_KEYS, OLD, attach, old_case, old_changed, old_comment, old_get

ONE_DATABASE = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)
ALERT_KEYS = (COMMENT_KEYS - {"comment"}) | {"alertId", "index"}
RULE = {"id": "r1", "name": "Rule"}


def comments_of(case: Mapping[str, Any]) -> str:
    return f"{OLD}/{case['id']}/comments"


async def edit(client: Any, case: Mapping[str, Any], comment: Mapping[str, Any], **given: Any) -> Any:
    body = {"id": comment["id"], "version": comment["version"], "type": "user", "comment": "edited", **given}
    return await client.patch(comments_of(case), json=body)


async def with_newer_attachments(client: Any, database: Database) -> dict[str, Any]:
    """A case with a comment, one alert, two alerts at once, and a state."""
    case = await old_comment(client, await old_case(client), "first")
    await attach(database, case, {"type": "alert", "alertId": ["a1"], "index": ["i1"], "rule": RULE}, "one")
    await attach(database, case, {"type": "alert", "alertId": ["a2", "a3"], "index": ["i", "i"], "rule": RULE}, "two")
    await attach(database, case, {"type": "persistableState"}, "state")
    return case


async def test_a_new_comment_answers_the_case_with_all_its_comments(client: Any):
    case = await old_case(client)
    first = await old_comment(client, case, " first ")

    second = await old_comment(client, case, "second")

    assert set(second) == CASE_KEYS
    assert [each["comment"] for each in second["comments"]] == [" first ", "second"]
    assert (second["totalComment"], second["updated_by"]) == (2, ADMIN)
    assert len({case["version"], first["version"], second["version"]}) == 3
    comment = second["comments"][1]
    assert set(comment) == COMMENT_KEYS
    assert (comment["type"], comment["created_by"], comment["updated_at"]) == ("user", ADMIN, None)
    assert (comment["updated_by"], comment["pushed_at"], comment["pushed_by"]) == (None, None, None)


@ONE_DATABASE
async def test_a_comment_without_a_type_is_one_of_a_user(client: Any):
    case = await old_case(client)

    answer = await client.post(comments_of(case), json={"comment": "from 7.10"})

    assert answer.json()["comments"][0]["type"] == "user"


@ONE_DATABASE
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "user"},
        {"comment": ""},
        {"comment": " "},
        {"comment": "x" * 30_001},
        {"comment": "x", "owner": "securitySolution"},
        {"comment": "x", "alertId": "a"},
        {"comment": None},
        {"type": "alert", "alertId": "a"},
        {"type": "alert", "index": "i"},
        {"type": "alert", "alertId": "a", "index": "i", "comment": "x"},
        {"type": "alert", "alertId": ["a"], "index": ["i"]},
        {"type": "alert", "alertId": "a", "index": "i", "rule": {"id": "r"}},
        {"type": "actions", "comment": "x"},
        {"type": "nope", "comment": "x"},
    ],
)
async def test_other_keys_and_shapes_are_refused(client: Any, body: dict[str, Any]):
    case = await old_case(client)

    message_of(await client.post(comments_of(case), json=body), 400)
    assert (await old_get(client, case))["version"] == case["version"]


@ONE_DATABASE
async def test_a_closed_case_takes_comments_too(client: Any):
    case = await old_changed(client, await old_case(client), status="closed")

    assert (await old_comment(client, case))["status"] == "closed"


@ONE_DATABASE
async def test_an_edited_comment_is_replaced_at_its_own_version(client: Any):
    case = await old_comment(client, await old_case(client), "first")
    comment = case["comments"][0]

    answer = await edit(client, case, comment)

    edited = answer.json()["comments"][0]
    assert (edited["comment"], edited["updated_by"]) == ("edited", ADMIN)
    assert edited["version"] != comment["version"]
    assert answer.json()["version"] != case["version"]
    assert "[cases-comments/" in message_of(await edit(client, case, comment), 409)


@ONE_DATABASE
async def test_an_edit_is_refused_in_this_order(client: Any, database: Database):
    case = await with_newer_attachments(client, database)
    other = await old_comment(client, await old_case(client))
    comment = case["comments"][0]
    alert = {"type": "alert", "alertId": "a", "index": "i", "comment": None}
    stale = {**comment, "version": "x"}
    del alert["comment"]

    complete = {"id": comment["id"], "version": comment["version"], "type": "user", "comment": "x"}
    for key in complete:
        message_of(await client.patch(comments_of(case), json=without(complete, key)), 400)
    message_of(await edit(client, case, stale, owner="cases"), 400)
    message_of(await edit(client, case, {**stale, "id": "nope"}), 404)
    message_of(await edit(client, other, stale), 404)
    message_of(await edit(client, {"id": "nope"}, stale), 404)
    message_of(await edit(client, case, {"id": "state", "version": "x"}), 404)
    message_of(await edit(client, case, {"id": "one", "version": "x"}), 400)
    body = {"id": comment["id"], "version": "x", **alert}
    message_of(await client.patch(comments_of(case), json=body), 400)
    message_of(await edit(client, case, stale), 409)


async def test_alerts_are_shown_and_other_attachments_left_out(client: Any, database: Database):
    case = await with_newer_attachments(client, database)

    listed = (await client.get(comments_of(case))).json()
    full = await old_get(client, case)
    page = (await client.get(f"{comments_of(case)}/_find")).json()

    assert [each["type"] for each in listed] == ["user", "alert", "alert"]
    assert set(listed[1]) == ALERT_KEYS
    assert (listed[1]["alertId"], listed[1]["index"]) == ("a1", "i1")
    assert (listed[2]["alertId"], listed[2]["index"]) == (["a2", "a3"], ["i", "i"])
    assert (full["comments"], full["totalComment"]) == (listed, 3)
    assert page == {"comments": listed, "page": 1, "per_page": 20, "total": 3}
    assert (await client.get(f"{comments_of(case)}/one")).json() == listed[1]
    message_of(await client.get(f"{comments_of(case)}/state"), 404)
    message_of(await client.delete(f"{comments_of(case)}/state"), 404)


@ONE_DATABASE
async def test_deleting_all_comments_leaves_what_the_dialect_does_not_show(client: Any, database: Database):
    case = await with_newer_attachments(client, database)

    gone = await client.delete(comments_of(case))

    assert (gone.status_code, gone.content) == (204, b"")
    assert (await client.get(comments_of(case))).json() == []
    assert await database.read("SELECT id FROM attachment") == [("state",)]
    assert (await client.delete(comments_of(case))).status_code == 204


@ONE_DATABASE
async def test_a_page_of_comments_is_sorted_and_searched(client: Any):
    case = await old_case(client)
    for text in ("alpha one", "beta", "alpha two", "Gamma-Ray alphabet"):
        await old_comment(client, case, text)

    async def found(**params: Any) -> list[str]:
        answer = await client.get(f"{comments_of(case)}/_find", params=params)
        assert answer.status_code == 200, answer.text
        return [each["comment"].split()[-1] for each in answer.json()["comments"]]

    assert await found(nope="1", owner="cases") == ["one", "beta", "two", "alphabet"]
    assert await found(sortOrder="desc", perPage=2) == ["alphabet", "two"]
    assert await found(page=2, perPage=3) == ["alphabet"]
    assert await found(search="ALPHA") == ["one", "two"]
    assert await found(search="alpha*") == ["one", "two", "alphabet"]
    assert await found(search="alpha + two | beta") == ["beta", "two"]
    assert await found(search='"alpha two"') == ["two"]
    assert await found(search='"two alpha"') == []
    assert await found(search="-alpha") == ["beta", "alphabet"]
    assert await found(search="gamma-ray") == ["alphabet"]
    assert await found(search="!!") == []
    assert await found(search=" ") == ["one", "beta", "two", "alphabet"]
    for wrong in ("sortOrder=up", "page=0", "perPage=101", "page=x"):
        message_of(await client.get(f"{comments_of(case)}/_find?{wrong}"), 400)


@ONE_DATABASE
async def test_one_comment_is_read_and_deleted_within_its_case(client: Any):
    case = await old_comment(client, await old_case(client))
    other = await old_case(client)
    comment = case["comments"][0]

    assert (await client.get(f"{comments_of(case)}/{comment['id']}")).json() == comment
    for method in ("GET", "DELETE"):
        message_of(await client.request(method, f"{comments_of(other)}/{comment['id']}"), 404)
        message_of(await client.request(method, f"{comments_of(case)}/nope"), 404)
    assert (await client.delete(f"{comments_of(case)}/{comment['id']}")).status_code == 204
    assert (await old_get(client, case))["totalComment"] == 0


@ONE_DATABASE
async def test_comments_of_unknown_cases_and_other_owners_do_not_exist(client: Any):
    foreign = await commented(client, await opened(client, owner="cases"))
    comment = foreign["comments"][0]

    for case in (foreign, {"id": "nope"}):
        message_of(await client.post(comments_of(case), json={"comment": "x"}), 404)
        message_of(await edit(client, case, comment), 404)
        message_of(await client.get(comments_of(case)), 404)
        message_of(await client.get(f"{comments_of(case)}/{comment['id']}"), 404)
        message_of(await client.delete(comments_of(case)), 404)
        message_of(await client.delete(f"{comments_of(case)}/{comment['id']}"), 404)
        assert (await client.get(f"{comments_of(case)}/_find")).json()["total"] == 0
    assert (await fetched(client, foreign))["totalComment"] == 1


async def test_both_dialects_see_the_same_comments(client: Any):
    case = await old_comment(client, await old_case(client), "then")
    today = await commented(client, {**case, "owner": "securitySolution"}, "now")

    seen = (await client.get(comments_of(case))).json()
    assert [each["comment"] for each in seen] == ["then", "now"]
    assert [each["version"] for each in seen] == [each["version"] for each in today["comments"]]
    assert today["comments"][0]["owner"] == "securitySolution"
    assert (await client.get(f"{CASES}/{case['id']}/comments")).json() == today["comments"]
