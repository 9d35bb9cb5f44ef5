"""Activity with the attachments it names, and activity in numbers (activity.md 2.2 and 2.4)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.building import change, comment, delete_comment, edit_comment, get, open_case


def activity(case: dict[str, Any], view: str) -> str:
    return f"/internal/cases/{case['id']}/user_actions/{view}"


async def test_a_page_answers_as_the_public_one_and_adds_attachments(client: Any):
    case = await open_case(client)
    await comment(client, case["id"], "first")
    query = {"sortOrder": "desc", "perPage": 1}

    public = await get(client, f"/api/cases/{case['id']}/user_actions/_find", **query)
    internal = await get(client, activity(case, "_find"), **query)

    [latest] = internal.pop("latestAttachments")
    assert internal == public
    assert latest == (await get(client, f"/api/cases/{case['id']}/comments"))[0]


async def test_an_edited_comment_is_shown_once_with_its_present_text(client: Any):
    case = await open_case(client)
    id_ = await comment(client, case["id"], "before")
    await edit_comment(client, case["id"], id_, "after")

    page = await get(client, activity(case, "_find"), types="comment")

    assert [each["payload"]["comment"]["comment"] for each in page["userActions"]] == ["before", "after"]
    assert [(each["id"], each["comment"]) for each in page["latestAttachments"]] == [(id_, "after")]


async def test_a_deleted_comment_is_absent_from_the_attachments(client: Any):
    case = await open_case(client)
    gone, kept = await comment(client, case["id"], "gone"), await comment(client, case["id"], "kept")
    await delete_comment(client, case["id"], gone)

    page = await get(client, activity(case, "_find"))

    assert page["total"] == 4
    assert [each["id"] for each in page["latestAttachments"]] == [kept]


async def test_only_attachments_named_on_the_page_are_shown(client: Any):
    case = await open_case(client)
    first, second = await comment(client, case["id"], "one"), await comment(client, case["id"], "two")

    pages = [await get(client, activity(case, "_find"), perPage=1, page=number) for number in (1, 2, 3, 4)]

    shown = [[each["id"] for each in page["latestAttachments"]] for page in pages]
    assert shown == [[], [first], [second], []]


async def test_a_page_without_records_still_counts_them(client: Any):
    case = await open_case(client)
    page = await get(client, activity(case, "_find"), perPage=0)
    assert page == {"userActions": [], "page": 1, "perPage": 0, "total": 1, "latestAttachments": []}


async def test_statistics_tell_comments_from_all_else(client: Any):
    case = await open_case(client, tags=["a"])
    edited, deleted = await comment(client, case["id"], "edited"), await comment(client, case["id"], "deleted")
    await comment(client, case["id"], "left alone")
    await edit_comment(client, case["id"], edited, "anew")
    await edit_comment(client, case["id"], deleted, "anew")
    await edit_comment(client, case["id"], deleted, "and again")
    await delete_comment(client, case["id"], deleted)
    await change(client, case["id"], tags=["b"])

    assert await get(client, activity(case, "_stats")) == {
        "total": 10,
        "total_comments": 7,
        "total_other_actions": 3,
        "total_deletions": 2,
        "total_comment_deletions": 1,
        "total_comment_creations": 3,
        "total_hidden_comment_updates": 2,
        "total_other_action_deletions": 1,
    }


async def test_a_new_case_has_one_record(client: Any):
    case = await open_case(client)
    stats = await get(client, activity(case, "_stats"))
    assert (stats.pop("total"), stats.pop("total_other_actions")) == (1, 1)
    assert set(stats.values()) == {0}


@pytest.mark.parametrize("view", ["_find", "_stats"])
async def test_an_unknown_case_has_no_activity(client: Any, view: str):
    response = await client.get(f"/internal/cases/unknown/user_actions/{view}")
    assert response.status_code == 404
    assert "[cases/unknown]" in response.json()["message"]


@pytest.mark.parametrize("query", ["perPage=101", "page=0", "types=titles", "sortOrder=up", "colour=red"])
async def test_a_bad_query_is_refused_before_the_case_is_looked_up(client: Any, query: str):
    response = await client.get(f"/internal/cases/unknown/user_actions/_find?{query}")
    assert response.status_code == 400
