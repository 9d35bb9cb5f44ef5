"""Connectors of a case as its activity tells of them, and whether each has to be pushed to (activity.md 2.6)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from casebridge.domain.errors import Forbidden, NotFound
from casebridge.domain.needs_push import HISTORY_TYPES, ConnectorUse, uses
from casebridge.services import connectors
from casebridge.services.ground import Asking, Ground
from casebridge.services.user_actions import read_readable
from casebridge.storage import outbox, user_actions


async def list_uses(ground: Ground, asking: Asking, case_id: str) -> list[ConnectorUse]:
    """Every connector ever set on a case, in order of appearance, under its present name where all are known."""
    _, (history, newest, records) = await read_readable(
        ground,
        asking,
        case_id,
        user_actions.list_query(case_id, HISTORY_TYPES),
        user_actions.newest_query(case_id),
        outbox.read_points_query(case_id),
    )
    found = uses(
        [user_actions.from_doc(row[0]) for row in history],
        dict(newest),
        outbox.read_points_from_rows(records),
    )
    names = await _present_names(ground, asking, found)
    return [_named(use, names.get(id_, use.connector.name)) for id_, use in found.items()]


async def _present_names(ground: Ground, asking: Asking, ids: Iterable[str]) -> dict[str, str]:
    """None at all when a single one is deleted, or not for the caller to see."""
    try:
        return {id_: (await connectors.get(ground, asking, id_)).name for id_ in ids}
    except (NotFound, Forbidden):
        return {}


def _named(use: ConnectorUse, name: str) -> ConnectorUse:
    return msgspec.structs.replace(use, connector=msgspec.structs.replace(use.connector, name=name))
