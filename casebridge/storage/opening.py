"""Which database a target names, and the way in."""

from __future__ import annotations

from pathlib import Path

from casebridge.domain.errors import StorageUnavailable
from casebridge.storage.session import Database


def is_postgresql(target: str | Path) -> bool:
    """Whether the target is the address of a PostgreSQL server; else it is a path."""
    return isinstance(target, str) and target.startswith(("postgresql://", "postgres://"))


async def open_database(target: str | Path, *, pool_size: int = 10) -> Database:
    """The database at a `postgresql://` address, or in a SQLite file.

    StorageUnavailable says in one line, without the password, why it cannot be opened. `pool_size` is the most
    connections this process holds to PostgreSQL.
    """
    if is_postgresql(target):
        from casebridge.storage.postgresql import PostgreSQLDatabase

        return await PostgreSQLDatabase.open(str(target), pool_size=pool_size)
    if "://" in str(target):
        scheme = str(target).partition("://")[0]
        raise StorageUnavailable(f"No database goes by {scheme}://; expected postgresql:// or the path of a file.")
    from casebridge.storage.sqlite import SQLiteDatabase

    return await SQLiteDatabase.open(target)
