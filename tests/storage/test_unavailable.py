"""A database that is away, full, read-only or locked: StorageUnavailable, nothing half done, and recovery."""

from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from casebridge.domain.errors import StorageUnavailable
from casebridge.storage import postgresql, sqlite_connection, sqlite_writer
from casebridge.storage.opening import open_database
from casebridge.storage.postgresql import PostgreSQLDatabase
from casebridge.storage.session import Query, Write
from casebridge.storage.sqlite import SQLiteDatabase


def keep(key: str, value: str = "v") -> Write:
    return Write("INSERT INTO meta (key, value) VALUES (:key, :value)", {"key": key, "value": value})


async def kept(database: Any) -> set[str]:
    return {row[0] for row in await database.read("SELECT key FROM meta WHERE key NOT IN ('uuid', 'access')")}


@pytest.fixture
async def file(sqlite_target: Path) -> AsyncIterator[SQLiteDatabase]:
    database = await SQLiteDatabase.open(sqlite_target)
    yield database
    await database.close()


@pytest.fixture
async def server(postgresql_target: str) -> AsyncIterator[PostgreSQLDatabase]:
    database = await PostgreSQLDatabase.open(postgresql_target)
    yield database
    await database.close()


@pytest.fixture
async def admin(postgresql_target: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(postgresql_target)
    yield connection
    await connection.close()


@contextmanager
def no_file_may_grow_beyond(size_bytes: int) -> Iterator[None]:
    """What a full disk looks like to SQLite, for real."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_full_disk_refuses_the_whole_group_and_heals(file: SQLiteDatabase) -> None:
    await file.commit([keep("before")])
    small = [keep("small")]
    large = [keep("large", "x" * 5_000_000)]
    with no_file_may_grow_beyond(1_000_000):
        outcomes = await asyncio.gather(file.commit(small), file.commit(large), return_exceptions=True)
    assert isinstance(outcomes[1], StorageUnavailable)
    assert isinstance(outcomes[1].__cause__, sqlite3.Error)
    acknowledged = {"small"} if outcomes[0] == [[]] else set()
    assert await kept(file) == {"before"} | acknowledged
    await file.commit([keep("after")])
    assert "after" in await kept(file)


async def test_a_group_that_cannot_begin_is_refused_whole(
    file: SQLiteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT_S", 0.05)
    other = sqlite3.connect(file.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(*(file.commit([keep(str(n))]) for n in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 5
    assert await kept(file) == set()
    other.execute("ROLLBACK")
    other.close()
    await file.commit([keep("after")])


async def test_a_read_only_file_can_still_be_read(sqlite_target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write any file, so the connection itself is made read-only."""
    database = await SQLiteDatabase.open(sqlite_target)
    connect = sqlite_connection.connect

    def read_only(path: Path, *, writes: bool = True, create: bool = False) -> sqlite3.Connection:
        return connect(path, writes=False)

    monkeypatch.setattr(sqlite_connection, "connect", read_only)
    with pytest.raises(StorageUnavailable, match="readonly"):
        await database.commit([keep("a")])
    assert await kept(database) == set()
    monkeypatch.setattr(sqlite_connection, "connect", connect)
    await database.commit([keep("b")])
    await database.close()


async def test_an_error_of_commit_refuses_every_change_of_the_group(
    file: SQLiteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(counters: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(sqlite_writer.Counters, "flush", fail)
        outcomes = await asyncio.gather(*(file.commit([keep(str(n))]) for n in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 5
    assert await kept(file) == set()
    await file.commit([keep("after")])


async def test_a_file_that_vanished_is_told_and_not_made_anew(file: SQLiteDatabase) -> None:
    await kept(file)
    file.path.write_bytes(b"no database at all, just some text" * 100)
    Path(f"{file.path}-wal").unlink(missing_ok=True)
    with pytest.raises(StorageUnavailable):
        await file.commit([keep("a")])
    with pytest.raises(StorageUnavailable):
        await file.read_together([Query("SELECT key FROM meta")])


@pytest.mark.parametrize("content", [b"this is certainly not a database" * 200, None])
async def test_what_is_no_database_cannot_be_opened(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "missing" / "x.db"
    if content is not None:
        path = tmp_path / "x.db"
        path.write_bytes(content)
    with pytest.raises(StorageUnavailable, match=r"x\.db"):
        await open_database(path)


async def test_a_server_that_ends_a_connection_during_a_change_is_unavailable_and_nothing_is_repeated(
    server: PostgreSQLDatabase, admin: Any
) -> None:
    for writes in (1, 2):
        slow = Write("SELECT next_pk(), pg_sleep(20)", {})
        change = asyncio.create_task(server.commit([slow, keep("a")][:writes]))
        await end_the_one_that_sleeps(admin)
        with pytest.raises(StorageUnavailable):
            await asyncio.wait_for(change, 5)
    assert await admin.fetchval("SELECT next_pk()") == 3
    assert await kept(server) == set()


async def test_a_server_that_ends_a_connection_during_a_read_is_unavailable_and_heals(
    server: PostgreSQLDatabase, admin: Any
) -> None:
    together = server.read_together([Query("SELECT 1"), Query("SELECT pg_sleep(20)")])
    for call in (server.read("SELECT pg_sleep(20)"), together):
        read = asyncio.create_task(call)
        await end_the_one_that_sleeps(admin)
        with pytest.raises(StorageUnavailable):
            await asyncio.wait_for(read, 5)
    await server.commit([keep("after")])
    assert await kept(server) == {"after"}


async def end_the_one_that_sleeps(admin: Any) -> None:
    sql = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event = 'PgSleep'"
    )
    while not await admin.fetch(sql):
        await asyncio.sleep(0.005)


async def test_idle_connections_that_were_ended_are_replaced_unnoticed(server: PostgreSQLDatabase, admin: Any) -> None:
    await asyncio.gather(*(server.read("SELECT pg_sleep(0.01)") for _ in range(8)))
    ended = await admin.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert len(ended) > 1
    await asyncio.sleep(0.05)
    await asyncio.gather(*(server.commit([keep(str(number))]) for number in range(8)))
    assert len(await kept(server)) == 8


async def test_a_listener_that_lost_its_connection_comes_back_with_a_hint(
    server: PostgreSQLDatabase, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "RECONNECT_S", 0.02)
    heard = asyncio.Event()
    server.on_hint(heard.set)
    await asyncio.wait_for(heard.wait(), 5)
    heard.clear()
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    await asyncio.wait_for(heard.wait(), 5)
    heard.clear()
    await server.hint()
    await asyncio.wait_for(heard.wait(), 5)


async def test_a_database_made_read_only_is_unavailable_for_changes(
    server: PostgreSQLDatabase, postgresql_target: str, admin: Any
) -> None:
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    database = await open_database(postgresql_target)
    for writes in ([keep("a")], [keep("a"), keep("b")]):
        with pytest.raises(StorageUnavailable, match="read-only"):
            await database.commit(writes)
    assert await kept(database) == set()
    await database.close()


async def test_a_pool_that_is_all_in_use_is_unavailable_in_time(
    postgresql_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "ACQUIRE_TIMEOUT_S", 0.05)
    database = await open_database(postgresql_target, pool_size=1)
    slow = asyncio.create_task(database.read("SELECT pg_sleep(0.5)"))
    await asyncio.sleep(0.01)
    with pytest.raises(StorageUnavailable, match="no answer in time"):
        await database.read("SELECT 1")
    await slow
    assert await database.read("SELECT 1") == [(1,)]
    await database.close()


async def test_a_transaction_left_by_a_caller_who_went_is_rolled_back(postgresql_target: str, admin: Any) -> None:
    database = await open_database(postgresql_target, pool_size=1)
    slow = asyncio.create_task(database.read_together([Query("SELECT 1"), Query("SELECT pg_sleep(20)")]))
    while not await admin.fetch("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
        await asyncio.sleep(0.005)
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    await database.commit([keep("a")])
    assert await kept(database) == {"a"}
    await database.close()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://casebridge:s3cret@127.0.0.1:1/cases",
        "postgresql://casebridge:s3cret/word@127.0.0.1:5432/cases",
        "postgresql://casebridge:s3cret#word@127.0.0.1:5432/cases",
        "postgres://casebridge:s3cret@[half/cases",
        "postgresql://casebridge@127.0.0.1:port/cases?password=s3cret",
        "mysql://casebridge:s3cret@127.0.0.1/cases",
    ],
)
async def test_an_address_that_leads_nowhere_is_told_in_one_line_without_its_password(address: str) -> None:
    with pytest.raises(StorageUnavailable) as refused:
        await open_database(address)
    assert "s3cret" not in f"{refused.value} {refused.value.__cause__}"
    assert len(str(refused.value).splitlines()) == 1


async def test_a_database_that_does_not_exist_is_told_by_name(postgresql_server: Any) -> None:
    with pytest.raises(StorageUnavailable, match="does not exist"):
        await open_database(postgresql_server.dsn_of("casebridge_nowhere"))


async def test_a_database_without_utf_8_is_refused(postgresql_server: Any, admin: Any) -> None:
    name = f"{await admin.fetchval('SELECT current_database()')}_ascii"
    await admin.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING SQL_ASCII LC_COLLATE 'C' LC_CTYPE 'C'")
    with pytest.raises(StorageUnavailable, match="UTF8"):
        await open_database(postgresql_server.dsn_of(name))
    postgresql_server.drop(name)
