"""Walking over all cases with a cursor (extensions.md 5)."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casebridge.domain.case import NewCase, open_case, with_status
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.cursor import cursor_text, read_cursor
from casebridge.domain.errors import InvalidInput
from casebridge.domain.user import Actor, User
from casebridge.storage import cases
from casebridge.storage.session import Database
from casebridge.storage.unit import Unit
from tests.api.building import get

NOON = datetime(2031, 4, 1, 12, tzinfo=UTC)
ANNA = User("anna", None, None, "u-anna")
PATH = "/api/casebridge/cases"


def unit(database: Database, space: str = "default") -> Unit:
    return Unit(database, Actor(ANNA, ("superuser",)), space, NOON, lambda: str(uuid.uuid4()))


async def opened(
    database: Database, number: int, *, space: str = "default", at: datetime = NOON, status: str = "open", **given: Any
) -> list[str]:
    """Ids of so many new cases, in order of creation."""
    work = unit(database, space)
    for _ in range(number):
        new = NewCase(
            **{"owner": "cases", "title": "T", "description": "d", "tags": (), **given}, connector=NO_CONNECTOR
        )
        case = open_case(new, (), id_=str(uuid.uuid4()), space=space, by=ANNA, at=at).case
        work.open(with_status(case, status, by=ANNA, at=at), ())
    return [case.id for case in await work.save()]


async def delete(database: Database, id_: str) -> None:
    case = await cases.get(database, "default", id_)
    assert case is not None
    work = unit(database)
    work.remove(case)
    await work.save()


async def walked(client: Any, path: str = PATH, **query: Any) -> list[list[str]]:
    """Ids of every step of a walk."""
    steps = []
    while True:
        found = await get(client, path, **query)
        assert set(found) == {"cases", "next_cursor"}
        steps.append([case["id"] for case in found["cases"]])
        if found["next_cursor"] is None:
            return steps
        query["cursor"] = found["next_cursor"]


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (8, [7]), (1000, [7])])
async def test_a_walk_returns_every_case_once_oldest_first(client: Any, database: Database, limit: int, sizes: Any):
    ids = await opened(database, 7)
    steps = await walked(client, limit=limit)
    assert [len(step) for step in steps] == sizes
    assert [id_ for step in steps for id_ in step] == ids


async def test_the_order_is_that_of_creation_whatever_the_clock_said(client: Any, database: Database):
    late, early = [(await opened(database, 1, at=NOON + timedelta(days=days)))[0] for days in (5, 1)]
    assert await walked(client) == [[late, early]]


async def test_a_step_holds_a_hundred_cases_unless_asked_otherwise(client: Any, database: Database):
    await opened(database, 101)
    assert [len(step) for step in await walked(client)] == [100, 1]


async def test_an_empty_store_is_walked_in_one_step(client: Any):
    assert await get(client, PATH) == {"cases": [], "next_cursor": None}


async def test_cases_are_whole_as_find_shows_them(client: Any, database: Database):
    await opened(database, 2, tags=("a",), assignees=("u-1",))
    found = await get(client, PATH)
    assert found["cases"] == (await get(client, "/api/cases/_find"))["cases"]


async def test_what_is_not_changed_during_a_walk_is_returned_exactly_once(client: Any, database: Database):
    ids = await opened(database, 30)
    gone, closed, seen = set(ids[4:30:5]), set(ids[3:30:5]), []
    cursor: dict[str, str] = {}
    for _ in range(200):
        found = await get(client, PATH, limit=4, status="open", **cursor)
        seen += [case["id"] for case in found["cases"]]
        if found["next_cursor"] is None:
            break
        cursor = {"cursor": found["next_cursor"]}
        # Meanwhile others open, close and delete cases on both sides of the walk.
        if len(seen) < 60:
            await opened(database, 1)
        if gone:
            await delete(database, gone.pop())
        if closed:
            await close(database, closed.pop())
    assert len(seen) == len(set(seen))
    untouched = [id_ for place, id_ in enumerate(ids) if place % 5 not in (3, 4)]
    assert [id_ for id_ in seen if id_ in set(untouched)] == untouched


async def close(database: Database, id_: str) -> None:
    case = await cases.get(database, "default", id_)
    assert case is not None
    work = unit(database)
    work.update(case, with_status(case, "closed", by=ANNA, at=NOON), ())
    await work.save()


async def test_a_walk_goes_on_from_a_case_that_is_gone(client: Any, database: Database):
    ids = await opened(database, 4)
    found = await get(client, PATH, limit=2)
    await delete(database, ids[1])
    assert await walked(client, cursor=found["next_cursor"]) == [ids[2:]]


async def test_there_is_no_window(client: Any, database: Database):
    """A page number would end at ten thousand; a cursor may stand anywhere."""
    ids = await opened(database, 1)
    assert await walked(client, cursor=cursor_text(2**63 - 1)) == [[]]
    assert await walked(client, limit=1000) == [ids]


async def test_filters_are_those_of_find(client: Any, database: Database):
    await opened(database, 3)
    tagged = await opened(database, 3, tags=("a", "b"), assignees=("u-1",), severity="high", category="x")
    other = await opened(database, 3, owner="observability", at=NOON + timedelta(days=2), status="closed")
    for query in ({"tags": ["a", "c"]}, {"assignees": "u-1"}, {"severity": "high"}, {"category": "x"}):
        assert await walked(client, limit=2, **query) == [tagged[:2], tagged[2:]]
    for query in ({"owner": "observability"}, {"status": "closed"}, {"from": "2031-04-03"}):
        assert await walked(client, limit=2, **query) == [other[:2], other[2:]]
    assert await walked(client, owner="nobody") == [[]]
    assert await walked(client, reporters="u-anna", assignees=["none", "u-1"], to="2031-04-01", tags="b") == [tagged]


async def test_a_space_is_walked_alone(client: Any, database: Database):
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    here, there = [], []
    for _ in range(3):
        here += await opened(database, 1)
        there += await opened(database, 1, space="ops")
    assert await walked(client, limit=2) == [here[:2], here[2:]]
    assert await walked(client, f"/s/ops{PATH}", limit=2) == [there[:2], there[2:]]


@pytest.mark.parametrize("cursor", ["", "1", "x", "null", cursor_text(5) + "=", cursor_text(5)[:-1], "%C3%A9", "a b"])
async def test_a_malformed_cursor_is_refused(client: Any, cursor: str):
    response = await client.get(f"{PATH}?cursor={cursor}")
    assert response.status_code == 400
    assert "cursor" in response.json()["message"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=-1", "limit=x", "page=1", "perPage=2", "colour=red"])
async def test_a_bad_query_is_refused(client: Any, query: str):
    assert (await client.get(f"{PATH}?{query}")).status_code == 400


async def test_more_than_a_hundred_values_are_refused_here_too(client: Any):
    response = await client.get(PATH, params={"tags": [str(number) for number in range(101)]})
    assert response.status_code == 400


@given(st.integers(1, 2**63 - 1))
def test_a_cursor_reads_back(pk: int):
    assert read_cursor(cursor_text(pk)) == pk


@given(st.text(max_size=30) | st.binary(max_size=30).map(lambda raw: urlsafe_b64encode(raw).decode()))
def test_a_cursor_is_read_only_as_it_was_made(text: str):
    try:
        pk = read_cursor(text)
    except InvalidInput:
        return
    assert cursor_text(pk) == text


def test_numbers_beyond_the_store_are_no_cursor():
    for pk in (0, 2**63):
        with pytest.raises(InvalidInput):
            read_cursor(cursor_text(pk))
