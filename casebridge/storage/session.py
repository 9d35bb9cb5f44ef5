"""A change as a value: the statements it writes, on which versions, sent to the database whole and once.

Load with plain reads, decide in `domain`, hand the list of writes to `Database.commit`. No transaction is open while
Python awaits. A write that must touch a row names what to raise when it does not (`conflict`): then nothing of the
change is written.

Statements are plain SQL with `:name` parameters that both databases understand; these functions exist on both:

- `next_version()`, `next_pk()`, `next_delivery()`, `next_audit()`: running numbers, gaps allowed;
- `next_incremental(:space)`: the running number of cases in a space; `SELECT start_numbers(:space)` begins it.

On SQLite alone there is `present_pk()`: the number of the case that this change has opened last.

Lists (`text[]` on PostgreSQL) are kept as JSON text on SQLite; a `doc` is read and returned as JSON text on both.
PostgreSQL runs all writes of a change on one snapshot: a row may be touched by one write of a change only, and no
write sees what another of the same change wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, Protocol

import msgspec

from casebridge.domain.errors import Refused

Row = tuple[Any, ...]


class ConstraintBroken(Exception):
    """A write broke a constraint of the schema; the driver's error is the cause. Nothing of the change was written.

    A mistake of this program, unless the caller provoked a known race (such as two claims of one delivery).
    """


class Write(msgspec.Struct, frozen=True):
    """One statement of a change. `conflict` is raised, and nothing written, when it touches no row.

    `late`, on SQLite alone: written after all that is not, in order; for the text index, which gathers words cheaply
    unless other statements come in between.
    """

    sql: str
    params: Mapping[str, Any]
    conflict: Refused | None = None
    late: bool = False


class Query(msgspec.Struct, frozen=True):
    """One plain read."""

    sql: str
    params: Mapping[str, Any] = {}


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How busy the way to a database is in this process; None: this kind of database has no such thing."""

    writes_waiting: int | None = None
    reads_waiting: int | None = None
    connections_busy: int | None = None
    connections_idle: int | None = None
    connections_most: int | None = None


class Database(Protocol):
    """What both drivers offer. Every method raises StorageUnavailable when the database is away, full or read-only."""

    dialect: Literal["sqlite", "postgresql"]

    async def read(self, sql: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        """Rows of one read."""
        ...

    async def peek(self, sql: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        """Rows of a read by key from a small table in constant use, at the least cost: on SQLite without changing
        threads, so it must never be one that could wait for the disk."""
        ...

    async def read_together(self, queries: Sequence[Query]) -> list[list[Row]]:
        """Rows of several reads that see the same moment."""
        ...

    async def commit(self, writes: Sequence[Write]) -> list[list[dict[str, Any]]]:
        """Write a change whole or not at all, durable on return; the RETURNING rows of each write.

        Raises the `conflict` of the first write that touched no row, and ConstraintBroken. StorageUnavailable says that
        nothing was written, save when the database went away in the very moment: then that is unknown.
        """
        ...

    async def load(self, writes: Sequence[Write]) -> None:
        """Write very many changes at once, whole or not at all: for filling a store that nobody else uses.

        Statements of one text run together, in the order in which each text comes first; conflicts are not looked for.
        """
        ...

    def present_load(self) -> Load:
        """How many wait for the database, or use it, at this moment."""
        ...

    async def settle(self, tables: Sequence[str]) -> None:
        """After very many writes to these tables: bring up to date what the database knows of them.

        On PostgreSQL, statistics and which pages may be read from an index alone; SQLite keeps nothing of the kind.
        """
        ...

    async def hint(self) -> None:
        """Tell every listener, on PostgreSQL in every process, that there may be work; may get lost, never raises."""
        ...

    def on_hint(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back in the event loop at each hint, until the returned function is called."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of every connection."""
        ...


FEW_ROWS = 50
"""So many rows are best spelled out by `insert_rows`; more are a matter for `insert_many`."""


def insert_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Write:
    """One INSERT of a few rows; a value given as `Sql` stands in the text itself."""
    listed = [tuple(row) for row in rows]
    pieces = tuple(tuple([value.text if type(value) is Sql else None for value in row]) for row in listed)
    sql, names = _insert_text(table, tuple(columns), pieces)
    values = [value for row in listed for value in row if type(value) is not Sql]
    return Write(sql, dict(zip(names, values, strict=True)))


def insert_many(
    table: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]], dialect: Literal["sqlite", "postgresql"]
) -> Write:
    """One INSERT of any number of rows, which travel as one JSON document: no count of parameters limits them.

    `columns` maps a name to its type, `text`, `bigint` or `jsonb`; the value of the latter is JSON text.
    """
    places = []
    for number, type_ in enumerate(columns.values()):
        value = f"given.value ->> {number}"
        places.append(value if dialect == "sqlite" and type_ == "jsonb" else f"CAST({value} AS {type_})")
    source = "json_each(:rows) given" if dialect == "sqlite" else "jsonb_array_elements(CAST(:rows AS jsonb)) given"
    return Write(
        # Without WHERE, SQLite would take an ON CONFLICT that follows for part of a join.
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(places)} FROM {source} WHERE true",
        {"rows": msgspec.json.encode([list(row) for row in rows]).decode()},
    )


@lru_cache(maxsize=256)
def _insert_text(
    table: str, columns: tuple[str, ...], pieces: tuple[tuple[str | None, ...], ...]
) -> tuple[str, tuple[str, ...]]:
    """The text of an INSERT and the names of its parameters, in order; None stands for a parameter."""
    names: list[str] = []
    groups = []
    for number, row in enumerate(pieces):
        places = []
        for column, piece in zip(columns, row, strict=True):
            if piece is None:
                names.append(f"{column}_{number}")
                places.append(f":{names[-1]}")
            else:
                places.append(piece)
        groups.append(f"({', '.join(places)})")
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join(groups)}", tuple(names)


class Sql(msgspec.Struct, frozen=True):
    """A piece of SQL in place of a value, such as `next_version()`; never anything a user wrote."""

    text: str


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 of an aware time."""
    return round(at.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    """The aware UTC time of milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC)
