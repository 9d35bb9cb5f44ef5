"""What every thread on a SQLite file shares: connections, jobs with a caller who waits, and what an error means."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

from casebridge.domain.errors import StorageUnavailable
from casebridge.storage.parts import words_of_text
from casebridge.storage.session import ConstraintBroken

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


class Job:
    """What a thread shall do, how it went, and the caller who waits for it."""

    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: Any) -> None:
        self.work = work
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.result: Any = None
        self.error: Exception | None = None


def connect(path: Path, *, writes: bool = True, create: bool = False) -> sqlite3.Connection:
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
        connection.create_function("words_of_text", 1, words_of_text, deterministic=True)
        connection.execute("PRAGMA journal_size_limit = 67108864")
    else:
        connection.execute("PRAGMA query_only = ON")
    return connection


def deliver(jobs: list[Job]) -> None:
    """Hand outcomes to their event loops, waking each once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = defaultdict(list)
    for job in jobs:
        by_loop[job.future.get_loop()].append(job)
    for loop, done in by_loop.items():
        with suppress(RuntimeError):  # that loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, done)


def _settle(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future.done():  # the caller has gone
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


def is_unavailable(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _UNAVAILABLE


def unavailable(error: Exception, path: Path) -> StorageUnavailable:
    unavailable = StorageUnavailable(f"The database {path} cannot be used: {error}")
    unavailable.__cause__ = error
    return unavailable


def translated(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.IntegrityError):
        return error
    broken = ConstraintBroken(str(error))
    broken.__cause__ = error
    return broken
