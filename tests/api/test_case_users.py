"""Participants, assignees and reporter of a case (activity.md 2.5)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from casebridge.domain.case import Case, NewCase, change_case, open_case
from casebridge.domain.case import CaseChanges as Changes
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.user import Actor, User
from casebridge.storage import cases
from casebridge.storage.session import Database
from casebridge.storage.unit import Unit
from tests.api import building
from tests.api.building import change, comment, get

NOON = datetime(2031, 4, 1, 12, tzinfo=UTC)
NOBODY = {"username": None, "full_name": None, "email": None}


def unit(database: Database, by: User) -> Unit:
    return Unit(database, Actor(by, ("superuser",)), "default", NOON, lambda: str(uuid.uuid4()))


async def opened(database: Database, by: User, *assignees: str) -> str:
    """The id of a case opened by this user."""
    new = NewCase(owner="cases", title="T", description="d", tags=(), connector=NO_CONNECTOR, assignees=assignees)
    opening = open_case(new, (), id_=str(uuid.uuid4()), space="default", by=by, at=NOON)
    work = unit(database, by)
    work.open(opening.case, opening.activity)
    return (await work.save())[0].id


async def retitled(database: Database, id_: str, by: User) -> None:
    """Have this user change the title."""
    case = await cases.get(database, "default", id_)
    assert isinstance(case, Case)
    changed = change_case(case, Changes(title=f"{case.title}+"), (), by=by, at=NOON)
    work = unit(database, by)
    work.update(case, changed.case, changed.activity)
    await work.save()


async def users(client: Any, case_id: str) -> Any:
    return await get(client, f"/internal/cases/{case_id}/_users")


async def test_who_opens_a_case_is_its_reporter_and_first_participant(client: Any):
    case = await building.open_case(client)
    ada = {"user": {"username": "admin", "full_name": "Ada Admin", "email": "ada@example.org"}}
    assert await users(client, case["id"]) == {
        "participants": [ada], "assignees": [], "unassignedUsers": [], "reporter": ada,
    }  # fmt: skip


async def test_participants_come_once_by_user_name_as_recorded_last(client: Any, database: Database):
    id_ = await opened(database, User("zoe", "Zoe", None))
    await retitled(database, id_, User("anna", "Anna", "anna@example.org", "u-anna"))
    await retitled(database, id_, User("Bea", None, None))
    await retitled(database, id_, User("zoe", "Zoe Zimmer", "zoe@example.org", "u-zoe"))

    found = await users(client, id_)

    assert found["participants"] == [
        {"user": {"username": "Bea", "full_name": None, "email": None}},
        {"user": {"username": "anna", "full_name": "Anna", "email": "anna@example.org"}, "uid": "u-anna"},
        {"user": {"username": "zoe", "full_name": "Zoe Zimmer", "email": "zoe@example.org"}, "uid": "u-zoe"},
    ]
    assert found["reporter"] == {"user": {"username": "zoe", "full_name": "Zoe", "email": None}}


async def test_records_without_a_user_name_are_one_participant_sorted_as_unknown(client: Any, database: Database):
    id_ = await opened(database, User(None, None, None))
    await retitled(database, id_, User(None, "Somebody", None))
    await retitled(database, id_, User("Zoe", None, None))
    await retitled(database, id_, User("Ada", None, None))

    names = [each["user"] for each in (await users(client, id_))["participants"]]

    assert [each["username"] for each in names] == ["Ada", None, "Zoe"]
    assert names[1]["full_name"] == "Somebody"


async def test_commenting_makes_a_participant(client: Any, database: Database):
    id_ = await opened(database, User("zoe", "Zoe", None))
    await comment(client, id_, "x" * 20_000)
    assert [each["user"]["username"] for each in (await users(client, id_))["participants"]] == ["admin", "zoe"]


async def test_assignees_keep_the_order_of_the_case_and_are_known_by_uid(client: Any):
    case = await building.open_case(client, assignees=[{"uid": "u-2"}, {"uid": "u-1"}])
    found = await users(client, case["id"])
    assert found["assignees"] == [{"user": NOBODY, "uid": "u-2"}, {"user": NOBODY, "uid": "u-1"}]
    assert found["unassignedUsers"] == []


async def test_who_was_assigned_once_and_is_no_more_is_unassigned(client: Any):
    case = await building.open_case(client, assignees=[{"uid": "u-1"}])
    await change(client, case["id"], assignees=[{"uid": "u-2"}, {"uid": "u-3"}])
    await change(client, case["id"], assignees=[{"uid": "u-3"}])

    found = await users(client, case["id"])

    assert [each["uid"] for each in found["assignees"]] == ["u-3"]
    assert found["unassignedUsers"] == [{"user": NOBODY, "uid": "u-1"}, {"user": NOBODY, "uid": "u-2"}]


async def test_participants_and_the_reporter_are_never_unassigned_users(client: Any, database: Database):
    id_ = await opened(database, User("zoe", "Zoe", None, "u-zoe"), "u-zoe", "u-anna", "u-else")
    await retitled(database, id_, User("anna", "Anna", None, "u-anna"))
    await retitled(database, id_, User("zoe", "Zoe", None))
    await change(client, id_, assignees=[])

    found = await users(client, id_)

    assert [each["uid"] for each in found["unassignedUsers"]] == ["u-else"]
    assert "uid" not in found["participants"][-1]


async def test_an_unknown_case_has_no_users(client: Any):
    assert (await client.get("/internal/cases/unknown/_users")).status_code == 404


async def test_a_case_of_another_space_has_no_users_here(client: Any):
    response = await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    assert response.status_code == 200
    case = await building.open_case(client, at="/s/ops")
    assert (await client.get(f"/internal/cases/{case['id']}/_users")).status_code == 404
    assert (await client.get(f"/s/ops/internal/cases/{case['id']}/_users")).status_code == 200
