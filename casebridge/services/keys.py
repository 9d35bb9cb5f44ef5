"""A new key for the secrets of connectors, while servers run on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from casebridge.security.vault import KeyFile, VaultError, add_key, changing, keep_newest, read_keys
from casebridge.services.connectors import about
from casebridge.storage import connectors
from casebridge.storage.session import Database


class Rotation(msgspec.Struct, frozen=True):
    """How a rotation ended. `unopened` names connectors whose secrets no key opens; if there are any, no key goes."""

    resealed: int
    dropped: int
    unopened: tuple[str, ...] = ()


async def rotate(database: Database, path: Path, *, settle_s: float) -> Rotation:
    """Add a key to the file, seal every secret with it, and drop the older keys.

    Servers take up the new key by themselves. One that sealed with the old key a moment ago may still be storing the
    envelope: so the keys go only after `settle_s` in which no such envelope turned up.
    """
    with changing(path):
        add_key(path)
        keys = KeyFile(path)
        resealed = 0
        while True:
            done, unopened = await _reseal(database, keys)
            resealed += done
            if unopened:
                return Rotation(resealed, 0, unopened)
            await asyncio.sleep(settle_s)
            if not await _old(database, keys):
                break
        dropped = len(read_keys(path)) - 1
        keep_newest(path)
    late, unopened = await _reseal(database, keys)
    return Rotation(resealed + late, dropped, unopened)


async def _old(database: Database, keys: KeyFile) -> list[tuple[str, str, bytes]]:
    """The envelopes that were not sealed with the newest key."""
    return [each for each in await connectors.list_sealed(database) if not keys.is_newest(each[2])]


async def _reseal(database: Database, keys: KeyFile) -> tuple[int, tuple[str, ...]]:
    """How many envelopes were sealed anew, and the connectors whose envelopes cannot be opened."""
    unopened = []
    old = await _old(database, keys)
    for space, id_, envelope in old:
        named = about(space, id_)
        try:
            fresh = keys.seal(keys.open(envelope, named), named)
        except VaultError:
            unopened.append(named)
            continue
        await database.commit([connectors.reseal_write(space, id_, envelope, fresh)])
    return len(old) - len(unopened), tuple(unopened)
