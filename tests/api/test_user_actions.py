"""`/api/cases/{case_id}/user_actions`: the activity of a case (contract activity.md 1, 2.1, 2.3, 3).

What each change records stands with that change: test_cases, test_comments.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from casebridge.domain.user import Account
from casebridge.services.ground import Ground
from casebridge.storage import accounts
from casebridge.storage.session import Database
from tests.api.calls import (
    ADMIN,
    CASES,
    JIRA,
    Clock,
    activity,
    changed,
    commented,
    configured,
    message_of,
    opened,
    with_space,
    without,
)

AT = "2024-05-17T08:03:59.120Z"
UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ONE_DATABASE = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)
"""For what is decided before the store is asked."""
TYPES = [
    "create_case",
    "title",
    "description",
    "tags",
    "assignees",
    "status",
    "severity",
    "category",
    "settings",
    "connector",
    "customFields",
    "observables",
    "pushed",
    "comment",
    "delete_case",
]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ground(ground: Ground, clock: Clock) -> Ground:
    return msgspec.structs.replace(ground, now=clock)


def records_of(case: dict[str, Any]) -> str:
    return f"{CASES}/{case['id']}/user_actions"


async def a_busy_case(client: Any) -> dict[str, Any]:
    """A case that was opened, changed twice, commented on twice; one comment was edited, the other deleted."""
    case = await opened(client)
    case = await changed(client, case, title="Other", severity="high")
    case = await commented(client, await commented(client, case, "one"), "two")
    one, two = case["comments"]
    edit = {"id": one["id"], "version": one["version"], "type": "user", "owner": "cases", "comment": "one!"}
    assert (await client.patch(f"{CASES}/{case['id']}/comments", json=edit)).status_code == 200
    assert (await client.delete(f"{CASES}/{case['id']}/comments/{two['id']}")).status_code == 204
    return case


async def test_opening_a_case_leaves_one_record_with_all_initial_values(client: Any) -> None:
    field = {"key": "region", "label": "Region", "type": "text", "required": False}
    await configured(client, field)
    case = await opened(client, assignees=[{"uid": "a"}], category=" Cat ", connector=JIRA, severity="high")
    (record,) = await activity(client, case)
    assert UUID_4.fullmatch(record["id"])
    assert without(record, "id", "version") == {
        "type": "create_case",
        "action": "create",
        "created_at": AT,
        "created_by": ADMIN,
        "owner": "cases",
        "comment_id": None,
        "payload": {
            "title": "Badge reader offline",
            "description": "Door 4 stopped answering.",
            "tags": ["doors", "site-b"],
            "owner": "cases",
            "status": "open",
            "severity": "high",
            "assignees": [{"uid": "a"}],
            "settings": {"syncAlerts": True},
            "category": "Cat",
            "customFields": [{"key": "region", "type": "text", "value": None}],
            "connector": JIRA,
        },
    }


async def test_records_of_one_request_share_the_instant_and_keep_their_order(client: Any, clock: Clock) -> None:
    case = await opened(client)
    clock.forward(1)
    case = await changed(client, case, status="closed", title="Other", category="Cat")
    records = (await activity(client, case))[1:]
    assert [each["type"] for each in records] == ["status", "title", "category"]
    assert {each["created_at"] for each in records} == {case["updated_at"]} == {"2024-05-17T08:04:00.120Z"}
    assert [each["type"] for each in await activity(client, case, sortOrder="desc")] == [
        "category",
        "title",
        "status",
        "create_case",
    ]


async def test_the_page_says_per_page_in_camel_case(client: Any) -> None:
    case = await a_busy_case(client)
    everything = await activity(client, case)
    answer = (await client.get(f"{records_of(case)}/_find")).json()
    assert answer == {"userActions": everything, "page": 1, "perPage": 20, "total": 7}
    answer = (await client.get(f"{records_of(case)}/_find", params={"page": 2, "perPage": 3})).json()
    assert answer == {"userActions": everything[3:6], "page": 2, "perPage": 3, "total": 7}
    answer = (await client.get(f"{records_of(case)}/_find", params={"perPage": 0})).json()
    assert answer == {"userActions": [], "page": 1, "perPage": 0, "total": 7}
    answer = (await client.get(f"{records_of(case)}/_find", params={"page": 100, "perPage": 100})).json()
    assert answer == {"userActions": [], "page": 100, "perPage": 100, "total": 7}


@pytest.mark.parametrize(
    ("types", "found"),
    [
        (["title"], ["title/update"]),
        (["comment"], ["comment/create", "comment/create", "comment/update", "comment/delete"]),
        (["user"], ["comment/create", "comment/create"]),
        (["action"], ["create_case/create", "title/update", "severity/update"]),
        (["alert"], []),
        (["attachment"], []),
        (["delete_case"], []),
        (["severity", "user"], ["severity/update", "comment/create", "comment/create"]),
        (["title", "title", "action"], ["create_case/create", "title/update", "severity/update"]),
        (["alert", "attachment", "create_case"], ["create_case/create"]),
        (
            ["action", "comment"],
            [
                "create_case/create",
                "title/update",
                "severity/update",
                "comment/create",
                "comment/create",
                "comment/update",
                "comment/delete",
            ],
        ),
    ],
)
async def test_types_and_pseudo_types_are_or_ed(client: Any, types: list[str], found: list[str]) -> None:
    case = await a_busy_case(client)
    records = await activity(client, case, types=types)
    assert [f"{each['type']}/{each['action']}" for each in records] == found
    answer = await client.get(f"{records_of(case)}/_find", params={"types": types, "perPage": 1, "page": 2})
    assert answer.json()["total"] == len(found)


@ONE_DATABASE
async def test_every_type_may_be_asked_for(client: Any) -> None:
    case = await opened(client)
    types = [*TYPES, "action", "user", "alert", "attachment"]
    assert len(await activity(client, case, types=types)) == 1


@pytest.mark.parametrize(
    "query",
    [
        "types=nope",
        "types=",
        "types=Title",
        "types=title,comment",
        "types=title&types=nope",
        "types%5B%5D=title",
        "types=extended_fields",
        "sortOrder=DESC",
        "sortOrder=",
        "page=0",
        "page=x",
        "perPage=101",
        "perPage=-1",
        "page=501",
        "page=10001&perPage=0",
        "per_page=5",
        "search=x",
        "authors=admin",
        "sources=x",
        "nope=1",
    ],
)
@ONE_DATABASE
async def test_what_is_not_known_is_refused_before_the_case_is_looked_up(client: Any, query: str) -> None:
    for case in (await opened(client), {"id": "nope"}):
        message_of(await client.get(f"{records_of(case)}/_find?{query}"), 400)


async def test_an_unknown_deleted_or_foreign_case_is_404(client: Any) -> None:
    gone, kept = await opened(client), await opened(client)
    await client.delete(CASES, params={"ids": json.dumps([gone["id"]])})
    space = await with_space(client, "ops")
    for prefix, case in (("", {"id": "nope"}), ("", gone), (space, kept)):
        for path in ("", "/_find"):
            assert f"[cases/{case['id']}]" in message_of(await client.get(f"{prefix}{records_of(case)}{path}"), 404)


async def test_activity_of_an_owner_one_may_not_read_is_403(
    client: Any, app: Any, connect: Any, database: Database, admin: Account
) -> None:
    case = await opened(client)
    await accounts.create(database, msgspec.structs.replace(admin, username="guest", roles=()))
    async with connect(app, auth=("guest", "correct horse battery")) as guest:
        for path in ("", "/_find"):
            message_of(await guest.get(records_of(case) + path), 403)
            message_of(await guest.get(records_of({"id": "nope"}) + path), 404)
        message_of(await guest.get(f"{records_of(case)}/_find?types=nope"), 400)


async def test_the_full_list_names_other_ids_and_no_version(client: Any) -> None:
    case = await a_busy_case(client)
    records = await activity(client, case)
    listed = (await client.get(records_of(case), params={"ignored": "1"})).json()
    assert listed == [
        without(each, "id", "version") | {"action_id": each["id"], "case_id": case["id"]} for each in records
    ]
    assert listed[-1]["comment_id"] == case["comments"][1]["id"]


async def test_records_are_never_rewritten(client: Any) -> None:
    case = await a_busy_case(client)
    before = await activity(client, case)
    case = (await client.get(f"{CASES}/{case['id']}")).json()
    await changed(client, case, title="Once more")
    assert (await activity(client, case))[:-1] == before


async def test_the_author_is_who_asked(client: Any, app: Any, connect: Any, database: Database, admin: Account) -> None:
    case = await opened(client)
    other = msgspec.structs.replace(admin, username="omar", full_name=None, email=None)
    await accounts.create(database, other)
    async with connect(app, auth=("omar", "correct horse battery")) as omar:
        await commented(omar, case)
    authors = [each["created_by"] for each in await activity(client, case)]
    assert authors == [ADMIN, {"username": "omar", "full_name": None, "email": None}]
