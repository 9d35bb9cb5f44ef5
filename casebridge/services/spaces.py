"""Spaces: making, listing, changing and deleting them (access.md 5)."""

from __future__ import annotations

import msgspec

from casebridge.domain.errors import Forbidden, InvalidInput, NotFound
from casebridge.domain.space import DEFAULT_SPACE_ID, Space, check_space
from casebridge.security.privileges import may_use, require
from casebridge.services.ground import Asking, Ground
from casebridge.storage import audit, spaces
from casebridge.storage.session import Write


async def create(ground: Ground, asking: Asking, space: Space) -> Space:
    """Make a space; Conflict when the id is taken."""
    require(asking.actor, "manageSpaces", None, asking.space)
    check_space(space)
    await spaces.create(ground.database, space, _event(ground, asking, "space_create", space.id))
    return space


async def list_usable(ground: Ground, asking: Asking) -> list[Space]:
    """The spaces in which the caller may do anything, by id; Forbidden when there is none."""
    usable = [space for space in await spaces.list_all(ground.database) if may_use(asking.actor, space)]
    if not usable:
        raise Forbidden("getSpaces", what="get spaces", is_owned=False)
    return usable


async def get(ground: Ground, asking: Asking, id_: str) -> Space:
    """One space; NotFound, or Forbidden where the caller may do nothing in it."""
    space = await _load(ground, id_)
    if not may_use(asking.actor, space):
        raise Forbidden("getSpaces", what="get spaces", is_owned=False)
    return space


async def replace(ground: Ground, asking: Asking, space: Space) -> Space:
    """Store a space in place of the one with its id, which stays reserved if it was."""
    present = await _load(ground, space.id)
    require(asking.actor, "manageSpaces", None, asking.space)
    space = check_space(msgspec.structs.replace(space, reserved=present.reserved))
    await spaces.replace(ground.database, space, _event(ground, asking, "space_update", space.id))
    return space


async def delete(ground: Ground, asking: Asking, id_: str) -> None:
    """Delete a space and everything in it; the default space stays: InvalidInput."""
    space = await _load(ground, id_)
    require(asking.actor, "manageSpaces", None, asking.space)
    if space.id == DEFAULT_SPACE_ID or space.reserved:
        raise InvalidInput("", f"The space [space/{id_}] is reserved and cannot be deleted.")
    await spaces.delete(ground.database, id_, _event(ground, asking, "space_delete", id_))


async def _load(ground: Ground, id_: str) -> Space:
    space = await spaces.get(ground.database, id_)
    if space is None:
        raise NotFound("space", id_)
    return space


def _event(ground: Ground, asking: Asking, action: str, id_: str) -> Write:
    return audit.event_write(action, asking.actor, id_, "space", [id_], ground.now(), category="iam")
