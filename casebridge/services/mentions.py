"""Mentions of the caller that wait to be seen."""

from __future__ import annotations

import msgspec

from casebridge.domain.case import Case
from casebridge.services import cases
from casebridge.services.ground import Asking, Ground
from casebridge.storage import mentions

MOST = 50


class Mentioned(msgspec.Struct, frozen=True):
    """A mention with the case it is in."""

    mention: mentions.Mention
    case: Case


async def list_unseen(ground: Ground, asking: Asking) -> list[Mentioned]:
    """Where the caller was mentioned and has not looked yet, newest first, in cases the caller may read."""
    username = asking.actor.user.username
    if username is None:
        return []
    found = await mentions.list_of(ground.database, asking.space.id, username, MOST)
    if not found:
        return []
    readable = {
        case.id: case for case in (await cases.get_many(ground, asking, [each.case_id for each in found])).cases
    }
    return [Mentioned(each, readable[each.case_id]) for each in found if each.case_id in readable]


async def see(ground: Ground, asking: Asking, case: Case) -> None:
    """The caller has looked at a case, which the caller was given by a service."""
    username = asking.actor.user.username
    if username is not None and await mentions.is_waiting(ground.database, case.id, username):
        await ground.database.commit([mentions.seen_write(case.id, username)])
