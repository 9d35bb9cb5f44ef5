"""`casebridge keys`: changing the key that seals secrets, while servers run on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from casebridge.cli.options import StoreOptions, read
from casebridge.settings import Settings

if TYPE_CHECKING:
    from casebridge.services.keys import Rotation


def rotate(
    options: StoreOptions = None,
    *,
    settle_s: Annotated[
        float, Parameter(help="Seconds in which no secret may turn up under an old key before the old keys go.")
    ] = 2.0,
) -> int:
    """Make a new key, seal every connector's secrets with it, and drop the older keys.

    Servers may go on running: they take up the new key by themselves. Servers on other machines need the changed key
    file too; see docs/running.md. Backups of the database made before stay sealed with the old keys: keep the old key
    file with them.
    """
    from casebridge.app import CannotStart, start_logs

    loaded = read(options)
    settings = loaded.settings
    start_logs(loaded)
    if not settings.key_file.exists():
        raise CannotStart(f"There is no key file {settings.key_file}; start the server once, or check --data.")
    rotation = asyncio.run(_rotate(settings, max(0.0, settle_s)))
    print(f"{rotation.resealed} secrets sealed with the new key, {rotation.dropped} older keys dropped.")
    for connector in rotation.unopened:
        print(f"The secrets of {connector} cannot be opened with any key: set them again, or restore the key file.")
    return 1 if rotation.unopened else 0


async def _rotate(settings: Settings, settle_s: float) -> Rotation:
    from casebridge.app import open_existing
    from casebridge.services.keys import rotate as rotate_keys

    database = await open_existing(settings)
    try:
        return await rotate_keys(database, settings.key_file, settle_s=settle_s)
    finally:
        await database.close()
