"""`casebridge migrate`: the step that `serve` takes by itself, for those who want to take it apart."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

from casebridge.cli.options import StoreOptions, read
from casebridge.settings import Settings


def migrate(options: StoreOptions = None) -> int:
    """Bring the database to the schema of this version, making it if there is none.

    `serve` does the same when it starts. Stop the server first, and back up the database. A database with a newer
    schema is refused with exit code 3.
    """
    from casebridge.app import holding, make_data_folder, start_logs
    from casebridge.storage.migrations import HEAD

    loaded = read(options)
    settings = loaded.settings
    start_logs(loaded)
    make_data_folder(settings.data)
    with holding(settings.data) if settings.database_url is None else nullcontext():
        asyncio.run(_migrate(settings))
    print(f"The database has schema {HEAD}.")
    return 0


async def _migrate(settings: Settings) -> None:
    from casebridge.app import open_current

    database = await open_current(settings)
    await database.close()
