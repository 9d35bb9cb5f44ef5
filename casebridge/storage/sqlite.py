"""SQLite: one writer thread that commits in groups, two reader threads, nothing but the standard library.

Many callers share one flush to the disk (sqlite_writer.py). This module does not know what the statements mean.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Literal, TypeVar

from casebridge.domain.errors import StorageUnavailable
from casebridge.storage import sqlite_connection
from casebridge.storage.session import Load, Query, Row, Write
from casebridge.storage.sqlite_connection import Job, deliver, is_unavailable, translated, unavailable
from casebridge.storage.sqlite_writer import Writer

T = TypeVar("T")

READERS = 2
MOST_PEEKS = 256

# A list, given for what is `text[]` on PostgreSQL, is JSON text here.
sqlite3.register_adapter(list, lambda values: json.dumps(values, ensure_ascii=False))


class SQLiteDatabase:
    """A database in one file, of which this process need not be the only user."""

    dialect: Literal["sqlite", "postgresql"] = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closed = False
        self._near: _Near | None = None
        self._gathered: list[Job] = []
        self._changes: SimpleQueue[list[Job] | None] = SimpleQueue()
        self._reads: SimpleQueue[Job | None] = SimpleQueue()
        self._callbacks: list[Callable[[], None]] = []
        self._handed = 0
        self._writing = Writer(path, self._changes)
        self._writer = Thread(target=self._writing.run, name="sqlite-writer", daemon=True)
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
            raise unavailable(error, Path(path)) from error

    async def read(self, sql: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        """Rows of one read."""
        return await self._ask(lambda connection: _fetch(connection, sql, params or {}))

    async def peek(self, sql: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        """Rows of a read by key from a small table, read where we stand: a change of threads costs many times more."""
        self._check_open()
        try:
            if self._near is None:
                self._near = _Near(self.path)
            return self._near.peek(sql, params or {})
        except sqlite3.Error as error:
            if is_unavailable(error):
                raise unavailable(error, self.path) from error
            raise translated(error) from error

    async def read_together(self, queries: Sequence[Query]) -> list[list[Row]]:
        """Rows of several reads that see the same moment."""
        queries = tuple(queries)
        return await self._ask(lambda connection: _fetch_together(connection, queries))

    async def commit(self, writes: Sequence[Write]) -> list[list[dict[str, Any]]]:
        """Write a change whole or not at all, durable on return; the RETURNING rows of each write."""
        self._check_open()
        job = Job(tuple(writes))
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._gathered.append(job)
        returned: list[list[dict[str, Any]]] = await job.future
        return returned

    async def load(self, writes: Sequence[Write]) -> None:
        """Write very many changes at once, whole or not at all."""
        await self.commit(writes)

    def present_load(self) -> Load:
        """Changes that are not written yet, and reads that no reader has taken up."""
        waiting = len(self._gathered) + self._handed - self._writing.settled
        return Load(writes_waiting=waiting, reads_waiting=self._reads.qsize())

    async def settle(self, tables: Sequence[str]) -> None:
        """Nothing: plans are ours, and need no statistics."""

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
        self._hand_over()
        if self._near is not None:
            self._near.close()
        await asyncio.to_thread(self._stop_threads)

    async def _ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._check_open()
        job = Job(work)
        self._reads.put(job)
        answer: T = await job.future
        return answer

    def _check_open(self) -> None:
        if self._closed:
            raise StorageUnavailable(f"The database {self.path} is closed.")

    def _hand_over(self) -> None:
        """All changes of one turn of the loop at once: woken for each, the writer would take Python's lock from us."""
        self._handed += len(self._gathered)
        self._changes.put(self._gathered)
        self._gathered = []

    def _stop_threads(self) -> None:
        """Readers first, so that the writer is the last to close and leaves one tidy file."""
        for _ in self._readers:
            self._reads.put(None)
        for reader in self._readers:
            reader.join()
        self._changes.put(None)
        self._writer.join()


class _Near:
    """A connection of the event loop's own thread, for reads by key that must not cost a change of threads.

    What it has read stays true until another connection, of this process or another, has committed: SQLite counts
    that, and we look once for all requests that the loop has at hand.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite_connection.connect(path)
        self._known: dict[tuple[Any, ...], list[Row]] = {}
        self._version = -1
        self._is_fresh = False

    def peek(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """Rows of one read."""
        if not self._is_fresh:
            self._look()
        key = (sql, *params.values())
        rows = self._known.get(key)
        if rows is None:
            if len(self._known) >= MOST_PEEKS:
                self._known.clear()
            rows = self._known[key] = _fetch(self._connection, sql, params)
        return rows

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _look(self) -> None:
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._known.clear()
            self._version = version
        self._is_fresh = True
        asyncio.get_running_loop().call_soon(self._grow_stale)

    def _grow_stale(self) -> None:
        self._is_fresh = False


def _serve_reads(path: Path, reads: SimpleQueue[Job | None]) -> None:
    """What a reader thread does until told to stop."""
    connection: sqlite3.Connection | None = None
    while (job := reads.get()) is not None:
        try:
            connection = connection or sqlite_connection.connect(path, writes=False)
            job.result = job.work(connection)
        except Exception as error:
            job.error = unavailable(error, path) if is_unavailable(error) else error
            if connection is not None and is_unavailable(error):
                with suppress(sqlite3.Error):
                    connection.close()
                connection = None
        deliver([job])
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


def _prepare(path: Path) -> Path:
    """Make the file if it is missing, and see that it keeps a write-ahead log; its absolute path."""
    path = path.absolute()
    connection = sqlite_connection.connect(path, create=True)
    try:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    return path
