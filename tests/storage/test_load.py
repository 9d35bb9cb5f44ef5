"""What can be seen of a store at work: how busy the way to it is, and how its deliveries stand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from casebridge.domain.delivery import Delivery
from casebridge.domain.user import User
from casebridge.storage import outbox
from casebridge.storage.session import Database, Write
from casebridge.storage.sqlite import SQLiteDatabase

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_write(key: str) -> Write:
    return Write("INSERT INTO meta (key, value) VALUES (:key, 'x')", {"key": key})


async def test_changes_on_their_way_to_the_writer_are_counted_until_they_are_written(database: Database):
    if not isinstance(database, SQLiteDatabase):
        pytest.skip("PostgreSQL has no queue of ours")
    assert database.present_load().writes_waiting == 0
    changes = [asyncio.create_task(database.commit([a_write(f"load-{number}")])) for number in range(7)]
    await asyncio.sleep(0)
    assert database.present_load().writes_waiting == 7

    await asyncio.gather(*changes)
    async with asyncio.timeout(5):
        while database.present_load().writes_waiting:
            await asyncio.sleep(0.01)


async def test_a_change_that_was_given_up_does_not_count_for_ever(database: Database):
    if not isinstance(database, SQLiteDatabase):
        pytest.skip("PostgreSQL has no queue of ours")
    change = asyncio.create_task(database.commit([a_write("given-up")]))
    await asyncio.sleep(0)
    change.cancel()

    async with asyncio.timeout(5):
        while database.present_load().writes_waiting:
            await asyncio.sleep(0.01)


async def test_connections_in_use_are_told_apart_from_idle_ones(database: Database):
    if database.dialect == "sqlite":
        load = database.present_load()
        assert (load.connections_busy, load.connections_most) == (None, None)
        return
    await database.read("SELECT 1")
    before = database.present_load()
    slow = asyncio.create_task(database.read("SELECT pg_sleep(0.5)"))
    await asyncio.sleep(0.1)
    during = database.present_load()
    await slow

    assert before.connections_busy == 0
    assert during.connections_busy == 1
    assert before.connections_idle
    assert before.connections_most
    assert before.writes_waiting is None


def a_delivery(id_: str, state: str, age_s: float) -> Delivery:
    at = NOON - timedelta(seconds=age_s)
    return Delivery(
        id=id_,
        space="default",
        case_id=f"case-{id_}",
        connector_id="tracker",
        connector_type=".jira",
        owner="cases",
        origin="manual",
        state=state,
        action="create",
        created_at=at,
        created_by=User("ada", None, None),
        updated_at=at,
    )


async def test_deliveries_are_tallied_by_state_in_all_spaces(database: Database):
    assert await outbox.tally(database) == {}
    for number, state in enumerate(("queued", "queued", "failed", "delivered")):
        await database.commit([outbox.insert_write(a_delivery(f"d{number}", state, 10))])

    assert await outbox.tally(database) == {"queued": 2, "failed": 1, "delivered": 1}


async def test_of_each_state_of_waiting_the_first_made_is_the_oldest(database: Database):
    assert await outbox.list_oldest(database) == []
    made = (
        ("a", "delivered", 900),
        ("b", "queued", 60),
        ("c", "waiting", 50),
        ("d", "queued", 40),
        ("e", "failed", 30),
    )
    for id_, state, age_s in made:
        await database.commit([outbox.insert_write(a_delivery(id_, state, age_s))])

    found = await outbox.list_oldest(database)

    assert {each.state: (each.id, NOON - each.created_at) for each in found} == {
        "queued": ("b", timedelta(seconds=60)),
        "waiting": ("c", timedelta(seconds=50)),
    }
