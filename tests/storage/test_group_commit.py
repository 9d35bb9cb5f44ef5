"""SQLite's writer: many changes a transaction, and numbers shared with other processes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from casebridge.domain.errors import VersionConflict
from casebridge.storage import sqlite_connection
from casebridge.storage.session import Write
from casebridge.storage.sqlite import SQLiteDatabase
from casebridge.storage.sqlite_writer import GROUP_SIZE

TAKE = Write("SELECT next_pk() AS pk", {})


def keep(key: str) -> Write:
    return Write("INSERT INTO meta (key, value) VALUES (:key, '')", {"key": key})


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that SQLite ran, as it was run."""
    seen: list[str] = []
    connect = sqlite_connection.connect

    def traced(path: Path, *, writes: bool = True, create: bool = False) -> sqlite3.Connection:
        connection = connect(path, writes=writes, create=create)
        connection.set_trace_callback(seen.append)
        return connection

    monkeypatch.setattr(sqlite_connection, "connect", traced)
    return seen


@pytest.fixture
async def file(sqlite_target: Path, statements: list[str]) -> AsyncIterator[SQLiteDatabase]:
    database = await SQLiteDatabase.open(sqlite_target)
    yield database
    await database.close()


async def test_parallel_changes_share_a_commit(file: SQLiteDatabase, statements: list[str]) -> None:
    await asyncio.gather(*(file.commit([keep(str(number))]) for number in range(10 * GROUP_SIZE)))
    assert 10 <= statements.count("COMMIT") <= 20


async def test_changes_one_by_one_are_each_committed(file: SQLiteDatabase, statements: list[str]) -> None:
    for number in range(5):
        await file.commit([keep(str(number))])
    assert statements.count("COMMIT") == 5


async def test_a_group_of_conflicts_writes_nothing(file: SQLiteDatabase, statements: list[str]) -> None:
    gone = Write("UPDATE space SET version = next_version() WHERE id = 'x'", {}, VersionConflict("space", "x"))
    with pytest.raises(VersionConflict):
        await file.commit([TAKE, gone])
    assert "COMMIT" not in statements


async def test_numbers_of_another_process_are_respected(file: SQLiteDatabase) -> None:
    other = await SQLiteDatabase.open(file.path)
    taken = [(await (file, other)[turn % 2].commit([TAKE]))[0][0]["pk"] for turn in range(6)]
    assert taken == [1, 2, 3, 4, 5, 6]
    await other.close()


async def test_two_processes_worth_of_writers_hand_out_every_number_once(file: SQLiteDatabase) -> None:
    other = await SQLiteDatabase.open(file.path)
    returned = await asyncio.gather(*((file, other)[turn % 2].commit([TAKE, keep(str(turn))]) for turn in range(100)))
    pks = [rows[0][0]["pk"] for rows in returned]
    assert len(set(pks)) == 100
    await other.close()


async def test_closing_leaves_one_file(file: SQLiteDatabase) -> None:
    await file.commit([keep("a")])
    await file.close()
    assert [path.name for path in file.path.parent.iterdir()] == [file.path.name]


def test_results_for_an_event_loop_that_is_gone_do_not_stop_the_writer(sqlite_target: Path) -> None:
    async def leave_early() -> SQLiteDatabase:
        database = await SQLiteDatabase.open(sqlite_target)
        tasks = [asyncio.create_task(database.commit([keep(str(number))])) for number in range(200)]
        await asyncio.sleep(0)
        assert tasks
        return database

    database = asyncio.run(leave_early())

    async def go_on() -> None:
        await database.commit([keep("after")])
        assert await database.read("SELECT key FROM meta WHERE key = 'after'") == [("after",)]
        await database.close()

    asyncio.run(go_on())


async def test_a_change_that_refuses_takes_only_itself_back(file: SQLiteDatabase) -> None:
    gone = Write("UPDATE space SET version = next_version() WHERE id = 'x'", {}, VersionConflict("space", "x"))
    changes = [[keep(str(turn)), *([gone] if turn % 3 == 0 else [])] for turn in range(30)]
    outcomes = await asyncio.gather(*(file.commit(change) for change in changes), return_exceptions=True)
    refused = [turn for turn, outcome in enumerate(outcomes) if isinstance(outcome, VersionConflict)]
    assert refused == list(range(0, 30, 3))
    kept = {key for (key,) in await file.read("SELECT key FROM meta")}
    assert {str(turn) for turn in range(30) if turn % 3} <= kept
    assert not {str(turn) for turn in refused} & kept


async def test_late_writes_come_after_those_of_the_whole_group(file: SQLiteDatabase, statements: list[str]) -> None:
    late = Write("UPDATE meta SET value = 'late' WHERE key = 'a'", {}, late=True)
    await asyncio.gather(file.commit([keep("a"), late]), *(file.commit([keep(str(turn))]) for turn in range(20)))
    assert (await file.read("SELECT value FROM meta WHERE key = 'a'")) == [("late",)]
    ran = [each for each in statements if "meta" in each and not each.startswith("SELECT")]
    groups = "".join("L" if "late" in each else "." for each in ran)
    assert groups.count("L") == 1
    assert groups.startswith(".L") or groups.endswith("L")


async def test_the_late_writes_of_a_refused_change_are_not_written(file: SQLiteDatabase) -> None:
    gone = Write("UPDATE space SET version = next_version() WHERE id = 'x'", {}, VersionConflict("space", "x"))
    late = Write("INSERT INTO meta (key, value) VALUES ('late', '')", {}, late=True)
    outcomes = await asyncio.gather(file.commit([late, gone]), file.commit([keep("a")]), return_exceptions=True)
    assert isinstance(outcomes[0], VersionConflict)
    assert not await file.read("SELECT 1 FROM meta WHERE key = 'late'")
    assert await file.read("SELECT 1 FROM meta WHERE key = 'a'")


async def test_numbers_given_as_parameters_come_back_as_returning_gives_them(file: SQLiteDatabase) -> None:
    plain = "INSERT INTO space (id, version, doc) VALUES (:id, next_version(), '{}') RETURNING version"
    asked = plain.replace(" RETURNING", " ON CONFLICT (id) DO NOTHING RETURNING")
    first = await file.commit([Write(plain, {"id": "one"})])
    second = await file.commit([Write(asked, {"id": "two"})])
    stored = dict(await file.read("SELECT id, version FROM space"))
    assert (first, second) == ([[{"version": stored["one"]}]], [[{"version": stored["two"]}]])
    assert stored["two"] == stored["one"] + 1


async def test_a_peek_sees_what_another_process_has_committed(file: SQLiteDatabase) -> None:
    other = await SQLiteDatabase.open(file.path)
    asked = "SELECT value FROM meta WHERE key = :key"
    assert await file.peek(asked, {"key": "a"}) == []
    await other.commit([keep("a")])
    assert await file.peek(asked, {"key": "a"}) == [("",)]
    await file.commit([Write("UPDATE meta SET value = 'b' WHERE key = 'a'", {})])
    assert await file.peek(asked, {"key": "a"}) == [("b",)]
    await other.close()
