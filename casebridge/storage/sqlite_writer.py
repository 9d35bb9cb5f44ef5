"""SQLite's one writer: changes of many callers in one transaction, and the running numbers they take.

A group of changes is written without savepoints first. Only when one of them refuses is the group taken back and
written anew, a savepoint each, so that a change that must not happen takes only itself back: a savepoint makes the
text index write out what it has gathered, and would cost every change as much as all the rest of it.
"""

from __future__ import annotations

import re
import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from casebridge.storage import sqlite_connection
from casebridge.storage.session import Write
from casebridge.storage.sqlite_connection import Job, deliver, is_unavailable, translated, unavailable

GROUP_SIZE = 64

Rows = list[dict[str, Any]]


class Counters:
    """The running numbers: read when first asked for in a transaction, written before its COMMIT.

    So another process may hand out numbers in between; a change taken back leaves a gap. They are SQL functions, and
    parameters where a statement takes one of each only (`spelled_out`).
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._values: dict[str, int] = {}
        self.error: Exception | None = None
        for name in ("version", "pk", "delivery", "audit"):
            connection.create_function(f"next_{name}", 0, lambda name=name: self.next(name))
        connection.create_function("next_incremental", 1, lambda space: self.next(f"incremental:{space}"))
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

    def next(self, name: str) -> int:
        """The next number of this name."""
        self._values[name] = self.present(name) + 1
        return self._values[name]

    def present(self, name: str) -> int:
        """The last number handed out. SQLite hides an error raised in here, so it is kept for the writer."""
        if name in self._values:
            return self._values[name]
        try:
            row = self._connection.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
        except sqlite3.Error as error:
            self.error = error
            raise
        return int(row[0]) if row else 0

    def _start(self, name: str) -> int:
        self._values[name] = self.present(name)
        return 0


class Writer:
    """The one thread that writes. Nothing a change does can end it; a lost connection is opened anew."""

    def __init__(self, path: Path, changes: SimpleQueue[list[Job] | None]) -> None:
        self._path = path
        self._changes = changes
        self._waiting: deque[Job] = deque()
        self._stopping = False
        self._connection: sqlite3.Connection | None = None
        self._counters: Counters | None = None
        self.settled = 0
        """How many changes this has done with, whatever came of them."""

    def run(self) -> None:
        """Serve changes until told to stop."""
        while not self._stopping or self._waiting:
            taken = self._next_group()
            group = [job for job in taken if not job.future.cancelled()]
            if group:
                self._write(group)
                deliver(group)
            self.settled += len(taken)
        self._disconnect()

    def _next_group(self) -> list[Job]:
        """Whatever waits, at least one change unless stopping, at most a group."""
        with suppress(Empty):
            while len(self._waiting) < GROUP_SIZE and not self._stopping:
                handed = self._changes.get(block=not self._waiting)
                if handed is None:
                    self._stopping = True
                else:
                    self._waiting.extend(handed)
        return [self._waiting.popleft() for _ in range(min(GROUP_SIZE, len(self._waiting)))]

    def _write(self, group: list[Job]) -> None:
        """Each change as it went, or all of them StorageUnavailable."""
        try:
            change = _Change(*self._connected())
            if not change.write_together(group):
                change.write_each(group)
        except Exception as error:
            for job in group:
                job.error = unavailable(error, self._path)
            self._disconnect()

    def _connected(self) -> tuple[sqlite3.Connection, Counters]:
        if self._connection is None or self._counters is None:
            self._connection = sqlite_connection.connect(self._path)
            self._counters = Counters(self._connection)
        return self._connection, self._counters

    def _disconnect(self) -> None:
        """Close, which rolls back what is open; the next group opens anew."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = self._counters = None


class _Change:
    """One transaction. What concerns the whole of it, such as a full disk, is raised."""

    def __init__(self, connection: sqlite3.Connection, counters: Counters) -> None:
        self._connection = connection
        self._counters = counters
        self._late: list[tuple[str, Mapping[str, Any]]] = []

    def write_together(self, group: Sequence[Job]) -> bool:
        """The quick way; False, and nothing is written, when one of several changes refuses."""
        self._begin()
        try:
            results = [self._execute_all(job.work) for job in group]
            self._execute_late()
        except Exception as error:
            cause = self._cause(error)
            self._connection.execute("ROLLBACK")
            if len(group) > 1:
                return False
            group[0].error = translated(cause)
            return True
        self._commit()
        for job, result in zip(group, results, strict=True):
            job.result = result
        return True

    def write_each(self, group: Sequence[Job]) -> None:
        """The careful way: a savepoint for every change."""
        self._begin()
        for job in group:
            self._apply(job)
        if all(job.error for job in group):
            self._connection.execute("ROLLBACK")
        else:
            self._commit()

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._counters.begin()
        self._late.clear()

    def _commit(self) -> None:
        self._counters.flush()
        self._connection.execute("COMMIT")

    def _apply(self, job: Job) -> None:
        self._connection.execute("SAVEPOINT change")
        try:
            job.result = self._execute_all(job.work)
            self._execute_late()
        except Exception as error:
            job.error = translated(self._cause(error))
            self._connection.execute("ROLLBACK TO change")
            self._late.clear()
        self._connection.execute("RELEASE change")

    def _cause(self, error: Exception) -> Exception:
        """What went wrong, if that is one change's affair."""
        cause = self._counters.error or error
        if is_unavailable(cause) or not self._connection.in_transaction:
            raise cause from None
        return cause

    def _execute_all(self, writes: Sequence[Write]) -> list[Rows]:
        return [self._execute(write) for write in writes]

    def _execute(self, write: Write) -> Rows:
        statement = spelled_out(write.sql)
        params = write.params
        if statement.takes:
            params = {**params, **{name: take(self._counters, params) for name, take in statement.takes}}
        if write.late:
            self._late.append((statement.sql, params))
            return []
        cursor = self._connection.execute(statement.sql, params)
        if statement.returned:
            return [{column: params[name] for column, name in statement.returned}]
        rows: Rows = []
        touched = cursor.rowcount
        if cursor.description is not None:
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            touched = len(rows)
        if write.conflict is not None and touched < 1:
            raise write.conflict
        return rows

    def _execute_late(self) -> None:
        for sql, params in self._late:
            self._connection.execute(sql, params)
        self._late.clear()


Take = Callable[[Counters, Mapping[str, Any]], int]

_NUMBER = re.compile(r"\bnext_(version|pk|delivery|audit)\(\)|\bnext_incremental\(:(\w+)\)")
_PRESENT_PK = "present_pk()"


_RETURNING = re.compile(r"INSERT INTO \w+ \(([\w, ]+)\) VALUES \(([\w:, ]+)\) RETURNING ([\w, ]+)")


class _Statement(NamedTuple):
    """A statement as it is run: `takes` are numbers it takes by parameter, `returned` parameters by column."""

    sql: str
    takes: tuple[tuple[str, Take], ...]
    returned: tuple[tuple[str, str], ...]


@lru_cache(maxsize=512)
def spelled_out(sql: str) -> _Statement:
    """A statement with parameters in place of its numbers, which then need not come back by RETURNING.

    For an INSERT of listed values, which takes every number once; others call the functions, a row at a time. A
    function costs as much as three columns, since SQLite has to wait for Python's lock to call it.
    """
    takes: list[tuple[str, Take]] = []
    if sql.startswith("INSERT INTO ") and "SELECT" not in sql:

        def spell(found: re.Match[str]) -> str:
            takes.append((f"taken_{len(takes)}", _take(found[1], found[2])))
            return f":{takes[-1][0]}"

        sql = _NUMBER.sub(spell, sql)
    if _PRESENT_PK in sql:
        sql = sql.replace(_PRESENT_PK, ":present_pk")
        takes.append(("present_pk", lambda counters, _: counters.present("pk")))
    returned = _returned(sql, {name for name, _ in takes})
    return _Statement(sql.partition(" RETURNING ")[0] if returned else sql, tuple(takes), returned)


def _returned(sql: str, taken: Collection[str]) -> tuple[tuple[str, str], ...]:
    """What a plain INSERT of one row returns, if all of it are numbers it was given."""
    found = _RETURNING.fullmatch(sql)
    if found is None:
        return ()
    names = dict(zip(found[1].split(", "), found[2].replace(":", "").split(", "), strict=True))
    columns = found[3].split(", ")
    return tuple((column, names[column]) for column in columns) if all(names[each] in taken for each in columns) else ()


def _take(name: str | None, space: str | None) -> Take:
    if space is None:
        return lambda counters, _: counters.next(str(name))
    return lambda counters, params: counters.next(f"incremental:{params[space]}")
