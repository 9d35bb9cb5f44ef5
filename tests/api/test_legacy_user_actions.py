"""Activity in the form of 7.10 and 7.11 (dialect-7.10.md 7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casebridge.storage.session import Database
from tests.api.calls import NO_CONNECTOR, activity, changed, message_of, opened
from tests.api.legacy import ADMIN, OLD, attach, old_activity, old_case, old_changed, old_comment

ONE_DATABASE = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)
DESK = {"id": "desk", "name": "Desk", "type": ".jira", "fields": {"issueType": "1", "priority": None, "parent": None}}
KEYS = {
    "action_field", "action", "action_at", "action_by", "new_value", "old_value", "action_id", "case_id", "comment_id",
}  # fmt: skip

Told = tuple[str, str, Any, Any]


async def told(client: Any, case: dict[str, Any]) -> list[Told]:
    """Field, action, new and old value of every record but the first."""
    return [
        (each["action_field"][0], each["action"], each["new_value"], each["old_value"])
        for each in (await old_activity(client, case))[1:]
    ]


async def test_a_creation_tells_the_body_as_text(client: Any):
    case = await old_case(client, title=" Odd ", tags=["a", "b"], connector=DESK, settings={"syncAlerts": False})

    (entry,) = await old_activity(client, case)

    assert set(entry) == KEYS
    assert entry["action_field"] == ["description", "status", "tags", "title", "connector", "settings"]
    assert (entry["action"], entry["action_at"], entry["action_by"]) == ("create", case["created_at"], ADMIN)
    assert (entry["old_value"], entry["case_id"], entry["comment_id"]) == (None, case["id"], None)
    assert json.loads(entry["new_value"]) == {
        "title": " Odd ",
        "description": "seen on two hosts",
        "tags": ["a", "b"],
        "connector": DESK,
        "settings": {"syncAlerts": False},
    }


async def test_each_changed_field_is_an_entry_in_the_order_of_the_keys_of_a_case(client: Any):
    case = await old_case(client, tags=["a", "b"])
    settings = {"settings": {"syncAlerts": False}, "connector": DESK, "status": "closed"}

    now = await old_changed(client, case, **settings, tags=["b", "c", "d"], description="D", title="T")

    assert await told(client, case) == [
        ("title", "update", "T", "Odd logons"),
        ("description", "update", "D", "seen on two hosts"),
        ("tags", "add", "c, d", None),
        ("tags", "delete", "a", None),
        ("status", "update", "closed", "open"),
        ("connector", "update", text(DESK), text(NO_CONNECTOR)),
        ("settings", "update", '{"syncAlerts":false}', '{"syncAlerts":true}'),
    ]
    assert {each["action_at"] for each in (await old_activity(client, case))[1:]} == {now["updated_at"]}


def text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


async def test_an_old_value_is_what_was_there_last(client: Any):
    case = await old_case(client)
    for title in ("B", "C"):
        case = await old_changed(client, case, title=title)

    assert await told(client, case) == [("title", "update", "B", "Odd logons"), ("title", "update", "C", "B")]


async def test_comments_are_told_with_their_texts(client: Any):
    case = await old_comment(client, await old_case(client), "first")
    comment = case["comments"][0]
    body = {"id": comment["id"], "version": comment["version"], "type": "user", "comment": "second"}
    await client.patch(f"{OLD}/{case['id']}/comments", json=body)
    await client.delete(f"{OLD}/{case['id']}/comments/{comment['id']}")

    assert await told(client, case) == [
        ("comment", "create", "first", None),
        ("comment", "update", "second", "first"),
        ("comment", "delete", None, None),
    ]
    assert {each["comment_id"] for each in (await old_activity(client, case))[1:]} == {comment["id"]}


@ONE_DATABASE
async def test_alerts_are_told_as_json_and_other_attachments_are_not(client: Any, database: Database):
    case = await old_case(client)
    alert = {"type": "alert", "alertId": ["a1"], "index": ["i1"], "rule": {"id": None, "name": None}}
    await attach(database, case, alert, "alert-1")
    await attach(database, case, {"type": "persistableState"}, "state-1")

    assert await told(client, case) == [
        ("comment", "create", '{"type":"alert","alertId":"a1","index":"i1"}', None),
    ]


async def test_what_has_no_old_form_is_left_out(client: Any):
    case = await opened(client, owner="securitySolution", severity="high", category="C")
    case = await changed(client, case, severity="low", category=None, assignees=[{"uid": "u1"}], title="New")

    entries = await old_activity(client, case)

    assert [each["action_field"] for each in entries[1:]] == [["title"]]
    assert set(json.loads(entries[0]["new_value"])) == {"title", "description", "tags", "connector", "settings"}
    assert len(await activity(client, case)) == 5


@ONE_DATABASE
async def test_unknown_cases_and_those_of_other_owners_have_no_activity(client: Any, nobody: Any):
    foreign = await opened(client, owner="cases")

    assert await old_activity(client, foreign) == []
    assert await old_activity(client, {"id": "nope"}) == []
    message_of(await nobody.get(f"{OLD}/{(await old_case(client))['id']}/user_actions"), 403)
    message_of(await client.get(f"{OLD}/{foreign['id']}/user_actions/_find"), 404)
