"""Cases as 7.10 and 7.11 knew them (dialect-7.10.md 4.1 to 4.5)."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.api.calls import CASES, NO_CONNECTOR, configured, fetched, message_of, opened, patch, with_space
from tests.api.calls import changed as changed_today
from tests.api.legacy import (
    ADMIN,
    CASE_KEYS,
    OLD,
    SECURITY,
    an_old_body,
    old_case,
    old_changed,
    old_comment,
    old_get,
    old_patch,
)

ONE_DATABASE = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)
LONG = "".join(Random(7).choices("".join(map(chr, range(0x1F300, 0x1F600))), k=29_999)) + "z"
"""As long as a text may be, four bytes a character, and nothing that an index could pack."""


async def test_a_new_case_has_the_keys_of_that_time_and_no_others(client: Any):
    case = await old_case(client)

    assert set(case) == CASE_KEYS
    assert case == an_old_body() | {
        "id": case["id"],
        "version": case["version"],
        "comments": [],
        "totalComment": 0,
        "status": "open",
        "settings": {"syncAlerts": True},
        "external_service": None,
        "created_at": case["created_at"],
        "created_by": ADMIN,
        "updated_at": None,
        "updated_by": None,
        "closed_at": None,
        "closed_by": None,
    }
    assert await old_get(client, case) == case


@ONE_DATABASE
async def test_what_the_dialect_does_not_know_gets_its_default(client: Any):
    field = {"key": "region", "type": "text", "label": "Region", "required": True}
    await configured(client, field, owner=SECURITY)

    today = await fetched(client, await old_case(client, settings={"syncAlerts": False}))

    assert (today["owner"], today["severity"], today["assignees"], today["category"]) == (SECURITY, "low", [], None)
    assert today["settings"] == {"syncAlerts": False}


@ONE_DATABASE
@pytest.mark.parametrize(
    "wrong",
    [
        {"owner": SECURITY},
        {"status": "open"},
        {"severity": "low"},
        {"assignees": []},
        {"customFields": []},
        {"title": None},
        {"tags": "vpn"},
        {"settings": {"syncAlerts": True, "x": 1}},
        {"connector": {"id": "x", "name": "x", "type": ".swimlane", "fields": None}},
        {"connector": {"id": "x", "name": "x", "type": ".jira"}},
        {"title": "x" * 30_001},
        {"tags": ["x" * 30_001]},
        {"description": " "},
        {"description": "x" * 30_001},
    ],
)
async def test_other_keys_and_shapes_are_refused(client: Any, wrong: dict[str, Any]):
    message_of(await client.post(OLD, json=an_old_body(**wrong)), 400)


@ONE_DATABASE
@pytest.mark.parametrize("missing", ["title", "description", "tags", "connector"])
async def test_the_four_keys_are_required(client: Any, missing: str):
    body = {key: value for key, value in an_old_body().items() if key != missing}

    assert missing in message_of(await client.post(OLD, json=body), 400)


@ONE_DATABASE
async def test_fields_of_a_connector_are_those_of_its_type_then(client: Any):
    fields = {"issueTypes": [26, "27"], "severityCode": 4}
    case = await old_case(client, connector={"id": "r", "name": "R", "type": ".resilient", "fields": fields})

    assert case["connector"]["fields"] == {"incidentTypes": ["26", "27"], "severityCode": "4"}


@ONE_DATABASE
async def test_connectors_of_newer_types_are_shown_as_they_are(client: Any):
    swimlane = {"id": "s", "name": "S", "type": ".swimlane", "fields": {"caseId": "7"}}
    case = await opened(client, owner=SECURITY, connector=swimlane)

    assert (await old_get(client, case))["connector"] == swimlane


@ONE_DATABASE
async def test_texts_are_kept_as_sent(client: Any):
    case = await old_case(client, title="  Odd\n", description=" seen ", tags=[" vpn ", "vpn", ""])
    changed = await old_changed(client, case, title=" ", tags=["x "])

    assert (case["title"], case["description"], case["tags"]) == ("  Odd\n", " seen ", [" vpn ", "vpn", ""])
    assert (changed["title"], changed["tags"]) == (" ", ["x "])
    assert (await fetched(client, case))["title"] == " "


async def test_titles_and_tags_of_30000_characters_are_stored_sorted_and_found(client: Any):
    second = await old_case(client, title=LONG, tags=[LONG, "vpn"])
    first = await old_case(client, title=LONG[:-1] + "a", tags=[LONG, ""])

    by_title = await client.get(f"{CASES}/_find", params={"sortField": "title"})
    backwards = await client.get(f"{CASES}/_find", params={"sortField": "title", "sortOrder": "desc"})
    tags = await client.get(f"{OLD}/tags")

    assert [each["id"] for each in by_title.json()["cases"]] == [first["id"], second["id"]]
    assert [each["id"] for each in backwards.json()["cases"]] == [second["id"], first["id"]]
    assert tags.json() == ["", "vpn", LONG]
    assert (await client.get(f"{CASES}/tags")).json() == ["", "vpn", LONG]


async def test_a_tag_of_30000_characters_goes_with_its_last_case(client: Any):
    case = await old_case(client, tags=[LONG])
    other = await old_case(client, tags=[LONG[:-1] + "y"])
    case = await old_changed(client, case, tags=["short"])

    assert (await client.get(f"{OLD}/tags")).json() == ["short", LONG[:-1] + "y"]
    await client.delete(OLD, params={"ids": f'["{other["id"]}","{case["id"]}"]'})
    assert (await client.get(f"{OLD}/tags")).json() == []


@ONE_DATABASE
async def test_a_case_is_read_with_or_without_its_comments(client: Any):
    case = await old_case(client)
    await old_comment(client, case, "one")
    await old_comment(client, case, "two")
    url = f"{OLD}/{case['id']}"

    full = (await client.get(url)).json()
    bare = (await client.get(f"{url}?includeComments=false&owner=x")).json()

    assert ([each["comment"] for each in full["comments"]], full["totalComment"]) == (["one", "two"], 2)
    assert (bare["comments"], bare["totalComment"]) == ([], 0)
    assert (await client.get(f"{url}?includeComments=true")).json() == full
    message_of(await client.get(f"{url}?includeComments=1"), 400)
    assert "[cases/nope]" in message_of(await client.get(f"{OLD}/nope"), 404)


async def test_a_patch_answers_the_changed_cases_without_their_comments(client: Any):
    case = await old_case(client)
    other = await old_case(client, title="Other")
    case = await old_comment(client, case)
    wanted = {"title": "New", "tags": ["a"], "settings": {"syncAlerts": False}}
    entries = [
        {"id": other["id"], "version": other["version"], "title": "Other"},
        {"id": case["id"], "version": case["version"], **wanted},
    ]

    answer = await client.patch(OLD, json={"cases": entries})

    (changed,) = answer.json()
    assert set(changed) == CASE_KEYS
    assert (changed["id"], changed["title"], changed["tags"]) == (case["id"], "New", ["a"])
    assert (changed["comments"], changed["totalComment"], changed["updated_by"]) == ([], 0, ADMIN)
    assert changed["settings"] == {"syncAlerts": False}
    assert changed["version"] not in (case["version"], other["version"])


async def test_a_status_sets_and_clears_the_closing_data(client: Any):
    case = await old_case(client)

    closed = await old_changed(client, case, status="closed")
    busy = await old_changed(client, closed, status="in-progress")

    assert (closed["status"], closed["closed_by"], closed["closed_at"]) == ("closed", ADMIN, closed["updated_at"])
    assert (busy["status"], busy["closed_by"], busy["closed_at"]) == ("in-progress", None, None)


@ONE_DATABASE
async def test_a_patch_is_refused_in_this_order(client: Any):
    case = await old_case(client)
    stale = {**case, "version": "WzAsMV0="}
    unknown = {"id": "nope", "version": "x", "title": "t"}

    message_of(await old_patch(client, {**stale, "id": "nope"}, severity="low"), 400)
    message_of(await old_patch(client, {**stale, "id": "nope"}, title="x" * 30_001), 400)
    answer = await client.patch(OLD, json={"cases": [unknown, {"id": case["id"], "version": "x", "title": "t"}]})
    assert "[cases/nope]" in message_of(answer, 404)
    message_of(await old_patch(client, stale, title="New"), 409)
    message_of(await old_patch(client, case, title=case["title"], tags=["night", "vpn"]), 406)
    message_of(await client.patch(OLD, json={"cases": []}), 400)


@ONE_DATABASE
async def test_a_case_of_another_owner_does_not_exist(client: Any):
    case = await opened(client, owner="cases")

    message_of(await client.get(f"{OLD}/{case['id']}"), 404)
    message_of(await old_patch(client, case, title="New"), 404)
    message_of(await client.delete(OLD, params={"ids": f'["{case["id"]}"]'}), 404)
    assert (await fetched(client, case))["version"] == case["version"]


@ONE_DATABASE
async def test_cases_are_deleted_all_or_none(client: Any):
    case, other = await old_case(client), await old_case(client)

    message_of(await client.delete(OLD, params={"ids": f'["{case["id"]}","nope"]'}), 404)
    message_of(await client.delete(OLD, params={"ids": "[]"}), 400)
    gone = await client.delete(OLD, params={"ids": f'["{case["id"]}","{other["id"]}"]'})

    assert (gone.status_code, gone.content) == (204, b"")
    message_of(await client.get(f"{CASES}/{case['id']}"), 404)


async def test_a_client_that_changes_between_the_dialects_sees_one_store(client: Any):
    case = await old_case(client)
    today = await changed_today(client, case, severity="high", title="From today")
    old = await old_changed(client, today, title=" From then")

    seen = await fetched(client, case)
    assert (seen["version"], seen["severity"], seen["title"]) == (old["version"], "high", " From then")
    message_of(await patch(client, case, title="x"), 409)


@ONE_DATABASE
async def test_every_space_has_cases_of_its_own_in_both_orders_of_the_address(client: Any):
    await with_space(client, "fin")
    case = await old_case(client, "/s/fin/7.10/api/cases")

    assert (await client.get(f"/7.10/s/fin/api/cases/{case['id']}")).json() == case
    message_of(await client.get(f"{OLD}/{case['id']}"), 404)


@ONE_DATABASE
@pytest.mark.parametrize("path", ["resolve", "files", "alerts", "user_actions/_find", "connector/x/_push"])
async def test_routes_of_newer_releases_are_not_part_of_the_dialect(client: Any, path: str):
    case = await old_case(client)

    for method in ("GET", "POST"):
        message_of(await client.request(method, f"{OLD}/{case['id']}/{path}"), 404)


@ONE_DATABASE
async def test_the_two_steps_of_a_push_are_not_part_of_todays(client: Any):
    case = await opened(client, connector=NO_CONNECTOR)

    message_of(await client.post(f"{CASES}/{case['id']}/_push", json={}), 404)
    message_of(await client.post(f"{CASES}/configure/connectors/x/push", json={}), 404)


@ONE_DATABASE
async def test_nobody_without_a_role_may_touch_cases(client: Any, nobody: Any):
    case = await old_case(client)

    for answer in (
        await nobody.post(OLD, json=an_old_body()),
        await nobody.get(f"{OLD}/{case['id']}"),
        await old_patch(nobody, case, title="New"),
        await nobody.get(f"{OLD}/_find"),
        await nobody.get(f"{OLD}/tags"),
        await nobody.delete(OLD, params={"ids": f'["{case["id"]}"]'}),
    ):
        message_of(answer, 403)
