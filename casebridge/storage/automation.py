"""Automation of owners in the store, and the configuration beside it where both are wanted at once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casebridge.domain.automation import Automation, AutoPush
from casebridge.domain.configuration import Configuration
from casebridge.domain.errors import Refused
from casebridge.storage import configurations
from casebridge.storage.session import Database, Write
from casebridge.storage.where import Where

_decoder = msgspec.json.Decoder(AutoPush)
_encoder = msgspec.json.Encoder()


async def get(database: Database, space: str, owner: str) -> Automation:
    """The automation of an owner; the defaults when none was saved."""
    rows = await database.read(
        "SELECT version, doc FROM automation WHERE space = :space AND owner = :owner",
        {"space": space, "owner": owner},
    )
    return Automation(owner, rows[0][0], _decoder.decode(rows[0][1])) if rows else Automation(owner)


async def of_owners(database: Database, space: str, owners: Sequence[str]) -> dict[str, AutoPush]:
    """By owner, for those that saved any."""
    where = Where().also("space = :space", space=space).among("owner", owners)
    rows = await database.peek(f"SELECT owner, doc FROM automation WHERE {where.text}", where.params)
    return {owner: _decoder.decode(doc) for owner, doc in rows}


async def beside_configuration(
    database: Database, space: str, owner: str
) -> tuple[Configuration | None, dict[str, AutoPush]]:
    """Configuration and automation of one owner in a single read: a new case wants both, and cases are opened fast."""
    rows = await database.peek(
        "SELECT c.version, c.doc, a.doc FROM (SELECT 1 AS one) ours "
        "LEFT JOIN configuration c ON c.space = :space AND c.owner = :owner "
        "LEFT JOIN automation a ON a.space = :space AND a.owner = :owner",
        {"space": space, "owner": owner},
    )
    version, configuration, automation = rows[0]
    return (
        None if version is None else configurations.from_row(version, configuration),
        {} if automation is None else {owner: _decoder.decode(automation)},
    )


def save_write(space: str, old: Automation, new: AutoPush, conflict: Refused) -> Write:
    """Saves what is still at the version of `old`, else `conflict`; gives back the new `version`."""
    params = {"space": space, "owner": old.owner, "doc": _encoder.encode(new).decode()}
    if old.version is None:
        insert = (
            "INSERT INTO automation (version, space, owner, doc) VALUES (next_version(), :space, :owner, :doc) "
            "ON CONFLICT (space, owner) DO NOTHING RETURNING version"
        )
        return Write(insert, params, conflict)
    update = (
        "UPDATE automation SET version = next_version(), doc = :doc "
        "WHERE space = :space AND owner = :owner AND version = :at_version RETURNING version"
    )
    return Write(update, {**params, "at_version": old.version}, conflict)
