"""PostgreSQL: a pool of asyncpg connections, and every change sent as one statement.

One statement is one round trip and one implicit transaction: no transaction is open while Python waits. Only a change
of more than MOST_TOGETHER writes needs several. This module does not know what the statements mean.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar

import asyncpg
import msgspec

from casebridge.domain.errors import Refused, StorageUnavailable
from casebridge.storage.dialect import CONFLICT_STATE, REMEMBERED_TEXT, compose, statement
from casebridge.storage.session import ConstraintBroken, Load, Query, Row, Write

CONNECT_TIMEOUT_S = 5.0
ACQUIRE_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 30.0
LOAD_TIMEOUT_S = 3600.0
CLOSE_TIMEOUT_S = 10.0
RECONNECT_S = 1.0
RETRIES = 5
MOST_TOGETHER = 500
HINT_CHANNEL = "casebridge_hint"

T = TypeVar("T")
Connection = Any  # asyncpg has no types
Returned = list[list[dict[str, Any]]]

_CONTENDED = frozenset({"40P01", "40001"})
# Classes and codes that tell of the server, not of the statement: connection, resources, shutdown, read-only, I/O.
_UNAVAILABLE = ("08", "28", "3D000", "53", "55P03", "57", "58", "25006", "25P03", "25P04", "XX001", "XX002")
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class _Contended(StorageUnavailable):
    """A deadlock or the like made the server take the whole change back: it may be sent again."""


class _PooledConnection(asyncpg.Connection):  # type: ignore[misc]
    """No code leaves session state on a pooled connection, so its return costs no round trip.

    A transaction left open by a cancelled caller is still rolled back, by `asyncpg.Connection.reset` itself.
    """

    __slots__ = ()

    def get_reset_query(self) -> str:
        """Nothing."""
        return ""


class PostgreSQLDatabase:
    """A database on a PostgreSQL server, shared with any number of processes."""

    dialect: Literal["sqlite", "postgresql"] = "postgresql"

    def __init__(self, dsn: str, pool: Any) -> None:
        self.name = shown(dsn)
        self._pool = pool
        self._closed = False
        self._again = asyncio.Lock()
        self._listener = _Listener(dsn)

    @classmethod
    async def open(cls, dsn: str, *, pool_size: int = 10) -> PostgreSQLDatabase:
        """The database at this address, which has UTF-8; StorageUnavailable when it cannot be reached."""
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=pool_size,
                connection_class=_PooledConnection,
                statement_cache_size=512,
                max_cached_statement_lifetime=0,
                max_cacheable_statement_size=2 * REMEMBERED_TEXT,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=COMMAND_TIMEOUT_S,
                server_settings={"application_name": "casebridge", "jit": "off"},
            )
        except (*_ERRORS, ValueError) as error:
            raise unreachable(error, dsn) from _harmless(error)
        database = cls(dsn, pool)
        if (encoding := await database.read("SHOW server_encoding")) != [("UTF8",)]:
            await database.close()
            raise StorageUnavailable(f"PostgreSQL at {database.name} has encoding {encoding[0][0]}, expected UTF8.")
        return database

    async def read(self, sql: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        """Rows of one read."""
        return await self._with_connection(lambda connection: _fetch(connection, sql, params or {}))

    async def peek(self, sql: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        """The same as `read`: every read is a round trip here."""
        return await self.read(sql, params)

    async def read_together(self, queries: Sequence[Query]) -> list[list[Row]]:
        """Rows of several reads that see the same moment."""

        async def fetch_all(connection: Connection) -> list[list[Row]]:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return [await _fetch(connection, query.sql, query.params) for query in queries]

        return await self._with_connection(fetch_all)

    async def commit(self, writes: Sequence[Write]) -> list[list[dict[str, Any]]]:
        """Write a change whole or not at all, durable on return; the RETURNING rows of each write.

        A change that met a deadlock is sent again; one whose outcome is unknown never is.
        """
        if not writes:
            return []
        try:
            return await self._with_connection(lambda connection: _send(connection, writes))
        except _Contended:
            return await self._send_again(writes)

    async def _send_again(self, writes: Sequence[Write]) -> Returned:
        """Up to RETRIES times, one change of this process at a time, so that they do not meet each other anew."""
        async with self._again:
            for attempt in range(1, RETRIES):
                with suppress(_Contended):
                    return await self._with_connection(lambda connection: _send(connection, writes))
                await asyncio.sleep(random.uniform(0.002, 0.02 * 2**attempt))
            return await self._with_connection(lambda connection: _send(connection, writes))

    async def load(self, writes: Sequence[Write]) -> None:
        """Write very many changes at once, whole or not at all: statements of one text travel together."""
        texts: dict[str, list[Write]] = {}
        for write in writes:
            texts.setdefault(write.sql, []).append(write)

        async def send_all(connection: Connection) -> None:
            async with connection.transaction():
                for sql, alike in texts.items():
                    parsed = statement(sql)
                    rows = [parsed.arguments(write.params) for write in alike]
                    await connection.executemany(parsed.text, rows, timeout=LOAD_TIMEOUT_S)

        await self._with_connection(send_all)

    def present_load(self) -> Load:
        """Connections of the pool, the one for hints left out."""
        idle = self._pool.get_idle_size()
        return Load(
            connections_busy=self._pool.get_size() - idle,
            connections_idle=idle,
            connections_most=self._pool.get_max_size(),
        )

    async def settle(self, tables: Sequence[str]) -> None:
        """Statistics of these tables, and which of their pages may be read from an index alone."""
        vacuum = f"VACUUM (ANALYZE) {', '.join(tables)}"
        await self._with_connection(lambda connection: connection.execute(vacuum, timeout=LOAD_TIMEOUT_S))

    async def hint(self) -> None:
        """Tell every listener in every process that there may be work; may get lost, never raises."""
        with suppress(StorageUnavailable):
            await self.read("SELECT pg_notify(:channel, '')", {"channel": HINT_CHANNEL})

    def on_hint(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back in the event loop at each hint, until the returned function is called."""
        return self._listener.add(callback)

    async def close(self) -> None:
        """Finish what is under way and let go of every connection."""
        self._closed = True
        await self._listener.close()
        try:
            await asyncio.wait_for(self._pool.close(), CLOSE_TIMEOUT_S)
        except TimeoutError:
            self._pool.terminate()

    async def _with_connection(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Lend a pooled connection; the driver's errors come out as ours."""
        if self._closed:
            raise StorageUnavailable(f"The connections to PostgreSQL at {self.name} are closed.")
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
        except _ERRORS as error:
            raise self._unavailable(error) from error
        try:
            return await work(connection)
        except _ERRORS as error:
            meaning = self._translated(error, lost=_is_lost(connection))
            if meaning is error:
                raise
            raise meaning from error
        finally:
            with suppress(*_ERRORS):
                await self._pool.release(connection)

    def _translated(self, error: Exception, *, lost: bool) -> Exception:
        """What a driver's error means; itself when it tells of a faulty statement."""
        state = getattr(error, "sqlstate", None) or ""
        if state in _CONTENDED:
            return _Contended(f"PostgreSQL at {self.name} took the change back again and again: {said(error)}")
        if isinstance(error, asyncpg.IntegrityConstraintViolationError):
            return ConstraintBroken(str(error))
        if isinstance(error, OSError) or lost or state.startswith(_UNAVAILABLE):
            return self._unavailable(error)
        return error

    def _unavailable(self, error: Exception) -> StorageUnavailable:
        return StorageUnavailable(f"PostgreSQL at {self.name} cannot be used: {said(error)}")


def _is_lost(connection: Connection) -> bool:
    """Whether the connection is gone; asyncpg takes a lost one out of our hands by itself."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


async def _fetch(connection: Connection, sql: str, params: Mapping[str, Any]) -> list[Row]:
    parsed = statement(sql)
    return [tuple(record) for record in await connection.fetch(parsed.text, *parsed.arguments(params))]


async def _send(connection: Connection, writes: Sequence[Write]) -> Returned:
    if len(writes) == 1:
        return await _send_one(connection, writes[0])
    if len(writes) <= MOST_TOGETHER:
        return await _send_together(connection, writes)
    # A statement has room for 1,664 columns and 32,767 parameters: a change larger than that takes several.
    async with connection.transaction():
        returned: Returned = []
        for first in range(0, len(writes), MOST_TOGETHER):
            returned += await _send_together(connection, writes[first : first + MOST_TOGETHER])
        return returned


async def _send_one(connection: Connection, write: Write) -> Returned:
    """A single write needs no guard: when it touches no row, nothing is written."""
    parsed = statement(write.sql)
    arguments = parsed.arguments(write.params)
    rows: list[dict[str, Any]] = []
    if parsed.returns:
        rows = [dict(record) for record in await connection.fetch(parsed.text, *arguments)]
        touched = bool(rows)
    else:
        status: str = await connection.execute(parsed.text, *arguments)
        touched = not status.endswith(" 0")
    if write.conflict is not None and not touched:
        raise write.conflict
    return [rows]


async def _send_together(connection: Connection, writes: Sequence[Write]) -> Returned:
    composed = compose([write.sql for write in writes], [write.conflict is not None for write in writes])
    pairs = zip(composed.parts, writes, strict=True)
    arguments = [value for part, write in pairs for value in part.arguments(write.params)]
    try:
        cells = await connection.fetchrow(composed.text, *arguments)
    except asyncpg.PostgresError as error:
        if error.sqlstate != CONFLICT_STATE:
            raise
        raise _conflict_of(writes, error) from None
    return [_rows(cell) if part.returns else [] for part, cell in zip(composed.parts, cells, strict=True)]


def _conflict_of(writes: Sequence[Write], error: Any) -> Refused:
    conflict = writes[int(error.detail)].conflict
    assert conflict is not None
    return conflict


def _rows(cell: str | None) -> list[dict[str, Any]]:
    """The returned rows of one write; a JSON document inside stays text, as in a plain read."""
    if cell is None:
        return []
    rows = msgspec.json.decode(cell, type=list[dict[str, Any]])
    for row in rows:
        for name, value in row.items():
            if isinstance(value, dict):
                row[name] = msgspec.json.encode(value).decode()
    return rows


class _Listener:
    """A connection of its own that hears hints; it starts with the first callback and comes back when lost."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._callbacks: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back at each hint, until the returned function is called."""
        self._callbacks.append(callback)
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        return lambda: self._callbacks.remove(callback)

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _listen(self) -> None:
        while True:
            with suppress(*_ERRORS):
                await self._listen_once()
            await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        """Listen until the connection is lost. Whatever came before may have been missed: that is a hint too."""
        lost = asyncio.Event()
        connection = await asyncpg.connect(self._dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=COMMAND_TIMEOUT_S)
        try:
            connection.add_termination_listener(lambda *_: lost.set())
            await connection.add_listener(HINT_CHANNEL, lambda *_: self._call_back())
            self._call_back()
            await lost.wait()
        finally:
            connection.terminate()

    def _call_back(self) -> None:
        for callback in tuple(self._callbacks):
            callback()


def shown(dsn: str) -> str:
    """Host, port and database of an address: what may stand in a message."""
    if "password=" in dsn:
        return "the given address"
    return dsn.partition("://")[2].rpartition("@")[2].partition("?")[0]


def unreachable(error: Exception, dsn: str) -> StorageUnavailable:
    """What to tell of a server that cannot be reached, in one line and without the password."""
    if _harmless(error) is None:
        return StorageUnavailable(
            "The PostgreSQL address cannot be read: expected postgresql://user:password@host:port/database "
            "with every special character of user and password percent-encoded."
        )
    return StorageUnavailable(f"PostgreSQL at {shown(dsn)} cannot be reached: {said(error)}")


def said(error: Exception) -> str:
    """The first line of an error, or its kind when it says nothing."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time."
    return (str(error) or type(error).__name__).splitlines()[0]


def _harmless(error: Exception) -> Exception | None:
    """The error unless it tells of an address that cannot be read: its text may hold a piece of the password."""
    return None if isinstance(error, ValueError) and not isinstance(error, OSError) else error
