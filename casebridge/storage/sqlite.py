"""SQLite: one writer thread that commits in groups, two reader threads, nothing but the standard library.

A group is up to 64 changes in one transaction, a savepoint each: many callers share one flush to the disk, and a
change that must not happen takes only itself back. This module does not know what the statements mean.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Literal

from casebridge.domain.errors import StorageUnavailable
from casebridge.storage.session import ConstraintBroken, Query, Row, Write

GROUP_SIZE = 64
READERS = 2
BUSY_TIMEOUT_S = 5.0

# Primary result codes that tell of the disk, the memory or a lock, not of the statement.
_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)

# A list, given for what is `text[]` on PostgreSQL, is JSON text here.
sqlite3.register_adapter(list, lambda values: json.dumps(values, ensure_ascii=False))


class _Job:
    """What a thread shall do, how it went, and the caller who waits for it."""

    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: Any) -> None:
        self.work = work
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.result: Any = None
        self.error: Exception | None = None


class SQLiteDatabase:
    """A database in one file, of which this process need not be the only user."""

    dialect: Literal["sqlite", "postgresql"] = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closed = False
        self._near: sqlite3.Connection | None = None
        self._changes: SimpleQueue[_Job | None] = SimpleQueue()
        self._reads: SimpleQueue[_Job | None] = SimpleQueue()
        self._callbacks: list[Callable[[], None]] = []
        self._writer = Thread(target=_Writer(path, self._changes).run, name="sqlite-writer", daemon=True)
        self._readers = [
            Thread(target=_serve_reads, args=(path, self._reads), name=f"sqlite-reader-{number}", daemon=True)
            for number in range(READERS)
        ]
        for thread in (self._writer, *self._readers):
            thread.start()

    @classmethod
    async def open(cls, path: str | Path) -> SQLiteDatabase:
        """The database in this file, which is made when missing; StorageUnavailable when that cannot be."""
        try:
            return cls(await asyncio.to_thread(_prepare, Path(path)))
        except sqlite3.Error as error:
            raise _unavailable(error, Path(path)) from error

    async def read(self, sql: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        """Rows of one read."""
        rows: list[Row] = await self._ask(self._reads, lambda connection: _fetch(connection, sql, params or {}))
        return rows

    async def peek(self, sql: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        """Rows of a read by key from a small table, read where we stand: a change of threads costs many times more."""
        if self._closed:
            raise StorageUnavailable(f"The database {self.path} is closed.")
        try:
            if self._near is None:
                self._near = _connect(self.path)
            return _fetch(self._near, sql, params or {})
        except sqlite3.Error as error:
            if _is_unavailable(error):
                raise _unavailable(error, self.path) from error
            raise _translated(error) from error

    async def read_together(self, queries: Sequence[Query]) -> list[list[Row]]:
        """Rows of several reads that see the same moment."""
        queries = tuple(queries)
        tables: list[list[Row]] = await self._ask(self._reads, lambda connection: _fetch_together(connection, queries))
        return tables

    async def commit(self, writes: Sequence[Write]) -> list[list[dict[str, Any]]]:
        """Write a change whole or not at all, durable on return; the RETURNING rows of each write."""
        returned: list[list[dict[str, Any]]] = await self._ask(self._changes, tuple(writes))
        return returned

    async def hint(self) -> None:
        """Tell every listener in this process that there may be work."""
        for callback in tuple(self._callbacks):
            callback()

    def on_hint(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back at each hint, until the returned function is called."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    async def close(self) -> None:
        """Finish what is under way and let go of every connection."""
        self._closed = True
        if self._near is not None:
            self._near.close()
        await asyncio.to_thread(self._stop_threads)

    async def _ask(self, queue: SimpleQueue[_Job | None], work: Any) -> Any:
        if self._closed:
            raise StorageUnavailable(f"The database {self.path} is closed.")
        job = _Job(work)
        queue.put(job)
        return await job.future

    def _stop_threads(self) -> None:
        """Readers first, so that the writer is the last to close and leaves one tidy file."""
        for _ in self._readers:
            self._reads.put(None)
        for reader in self._readers:
            reader.join()
        self._changes.put(None)
        self._writer.join()


class _Counters:
    """The running numbers as SQL functions: read when first asked for in a transaction, written before its COMMIT.

    So another process may hand out numbers in between; a change taken back leaves a gap.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._values: dict[str, int] = {}
        self.error: Exception | None = None
        for name in ("version", "pk", "delivery", "audit"):
            connection.create_function(f"next_{name}", 0, lambda name=name: self._next(name))
        connection.create_function("next_incremental", 1, lambda space: self._next(f"incremental:{space}"))
        connection.create_function("start_numbers", 1, lambda space: self._start(f"incremental:{space}"))

    def begin(self) -> None:
        """Forget what an earlier transaction knew."""
        self._values.clear()
        self.error = None

    def flush(self) -> None:
        """Write back every number of this transaction."""
        self._connection.executemany(
            "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            self._values.items(),
        )

    def _next(self, name: str) -> int:
        self._values[name] = self._present(name) + 1
        return self._values[name]

    def _start(self, name: str) -> int:
        self._values[name] = self._present(name)
        return 0

    def _present(self, name: str) -> int:
        """The last number handed out. SQLite hides an error raised in here, so it is kept for the writer."""
        if name in self._values:
            return self._values[name]
        try:
            row = self._connection.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
        except sqlite3.Error as error:
            self.error = error
            raise
        return int(row[0]) if row else 0


class _Writer:
    """The one thread that writes. Nothing a change does can end it; a lost connection is opened anew."""

    def __init__(self, path: Path, changes: SimpleQueue[_Job | None]) -> None:
        self._path = path
        self._changes = changes
        self._stopping = False
        self._connection: sqlite3.Connection | None = None
        self._counters: _Counters | None = None

    def run(self) -> None:
        """Serve changes until told to stop."""
        while not self._stopping:
            group = [job for job in self._next_group() if not job.future.cancelled()]
            if group:
                self._write(group)
                _deliver(group)
        self._disconnect()

    def _next_group(self) -> list[_Job]:
        """Whatever waits, at least one change unless stopping, at most a group."""
        group: list[_Job] = []
        with suppress(Empty):
            while len(group) < GROUP_SIZE:
                job = self._changes.get(block=not group)
                if job is None:
                    self._stopping = True
                    break
                group.append(job)
        return group

    def _write(self, group: list[_Job]) -> None:
        """One transaction: each change as it went, or all of them StorageUnavailable."""
        try:
            connection, counters = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            counters.begin()
            for job in group:
                _apply(connection, counters, job)
            if all(job.error for job in group):
                connection.execute("ROLLBACK")
                return
            counters.flush()
            connection.execute("COMMIT")
        except Exception as error:
            for job in group:
                job.error = _unavailable(error, self._path)
            self._disconnect()

    def _connected(self) -> tuple[sqlite3.Connection, _Counters]:
        if self._connection is None or self._counters is None:
            self._connection = _connect(self._path)
            self._counters = _Counters(self._connection)
        return self._connection, self._counters

    def _disconnect(self) -> None:
        """Close, which rolls back what is open; the next group opens anew."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = self._counters = None


def _apply(connection: sqlite3.Connection, counters: _Counters, job: _Job) -> None:
    """Do one change within the group, or take it back; what concerns the whole group is raised."""
    connection.execute("SAVEPOINT change")
    try:
        job.result = [_execute(connection, write) for write in job.work]
    except Exception as error:
        cause = counters.error or error
        if _is_unavailable(cause) or not connection.in_transaction:
            raise cause from None
        job.error = _translated(cause)
        connection.execute("ROLLBACK TO change")
    connection.execute("RELEASE change")


def _execute(connection: sqlite3.Connection, write: Write) -> list[dict[str, Any]]:
    cursor = connection.execute(write.sql, write.params)
    rows: list[dict[str, Any]] = []
    touched = cursor.rowcount
    if cursor.description is not None:
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        touched = len(rows)
    if write.conflict is not None and touched < 1:
        raise write.conflict
    return rows


def _serve_reads(path: Path, reads: SimpleQueue[_Job | None]) -> None:
    """What a reader thread does until told to stop."""
    connection: sqlite3.Connection | None = None
    while (job := reads.get()) is not None:
        try:
            connection = connection or _connect(path, writes=False)
            job.result = job.work(connection)
        except Exception as error:
            job.error = _unavailable(error, path) if _is_unavailable(error) else error
            if connection is not None and _is_unavailable(error):
                with suppress(sqlite3.Error):
                    connection.close()
                connection = None
        _deliver([job])
    if connection is not None:
        connection.close()


def _fetch(connection: sqlite3.Connection, sql: str, params: Mapping[str, Any]) -> list[Row]:
    return connection.execute(sql, params).fetchall()


def _fetch_together(connection: sqlite3.Connection, queries: Sequence[Query]) -> list[list[Row]]:
    connection.execute("BEGIN DEFERRED")
    try:
        return [_fetch(connection, query.sql, query.params) for query in queries]
    finally:
        connection.execute("ROLLBACK")


def _connect(path: Path, *, writes: bool = True, create: bool = False) -> sqlite3.Connection:
    """A connection with our settings. No memory mapping: a failing disk would then kill the process, not a request."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={'rwc' if create else 'rw'}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        cached_statements=512,
        check_same_thread=False,
    )
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "cache_size = -8192", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    if writes:
        connection.execute("PRAGMA journal_size_limit = 67108864")
    else:
        connection.execute("PRAGMA query_only = ON")
    return connection


def _prepare(path: Path) -> Path:
    """Make the file if it is missing, and see that it keeps a write-ahead log; its absolute path."""
    path = path.absolute()
    connection = _connect(path, create=True)
    try:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    return path


def _deliver(jobs: list[_Job]) -> None:
    """Hand outcomes to their event loops, waking each once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = defaultdict(list)
    for job in jobs:
        by_loop[job.future.get_loop()].append(job)
    for loop, done in by_loop.items():
        with suppress(RuntimeError):  # that loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, done)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():  # the caller has gone
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


def _is_unavailable(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _UNAVAILABLE


def _unavailable(error: Exception, path: Path) -> StorageUnavailable:
    unavailable = StorageUnavailable(f"The database {path} cannot be used: {error}")
    unavailable.__cause__ = error
    return unavailable


def _translated(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.IntegrityError):
        return error
    broken = ConstraintBroken(str(error))
    broken.__cause__ = error
    return broken
