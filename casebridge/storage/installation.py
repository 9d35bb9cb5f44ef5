"""What the store knows of this installation as a whole."""

from __future__ import annotations

from casebridge.storage.session import Database


async def get_uuid(database: Database) -> str:
    """The id this installation got with its first migration, whichever server process asks."""
    rows = await database.read("SELECT value FROM meta WHERE key = 'uuid'")
    return str(rows[0][0])
