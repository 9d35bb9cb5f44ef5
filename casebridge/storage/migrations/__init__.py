"""The schema's history, forward only, and the way to bring a database to its head.

The server never imports what migrates (SQLAlchemy, Alembic): it asks `schema_number` and, where needed, has
`migrate_apart` do the work in a process of its own.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from casebridge.domain.errors import StorageUnavailable
from casebridge.storage.session import Database

HEAD = "0015"


def migrate(target: str | Path) -> None:
    """Bring the database at this address or path to HEAD, making the file if there is none.

    Whole or not at all; two processes at once do it once. StorageUnavailable when it cannot be done.
    """
    from casebridge.storage.migrations.run import upgrade

    upgrade(target)


async def migrate_apart(target: str | Path) -> None:
    """The same in a process of its own, which gets the target on its standard input, where no one else can read it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "casebridge.storage.migrations", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(f"{target}\n".encode())
    if process.returncode != 0:
        lines = output.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
        raise StorageUnavailable(f"The database could not be migrated: {lines[-1]}")


async def schema_number(database: Database) -> str | None:
    """The schema a database has; None when it was never migrated."""
    exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    if database.dialect == "postgresql":
        exists = "SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL"
    if not await database.read(exists):
        return None
    rows = await database.read("SELECT version_num FROM alembic_version")
    return str(rows[0][0]) if rows else None
