"""Roles: listing, storing and removing them (access.md 6). Every change counts from the next request on."""

from __future__ import annotations

from casebridge.domain.errors import InvalidInput, NotFound
from casebridge.domain.role import Role, RoleEntry, check_entries
from casebridge.domain.user import SUPERUSER
from casebridge.security.features import FEATURES, MANAGE_SECURITY
from casebridge.security.privileges import require
from casebridge.services.ground import Asking, Ground
from casebridge.storage import audit, roles
from casebridge.storage.session import Write

TRIES = 20

RESERVED = {
    SUPERUSER: Role(
        SUPERUSER,
        (RoleEntry(base=("all",)),),
        "Everything in every space, and the care of users, roles and keys.",
        {"_reserved": True},
        {"cluster": [], "indices": [], "run_as": []},
    )
}
"""Roles that are always there, and never changed."""


async def list_all(ground: Ground, asking: Asking) -> list[Role]:
    """Every role, by name."""
    require(asking.actor, MANAGE_SECURITY, None, asking.space)
    return sorted([*await roles.list_all(ground.database), *RESERVED.values()], key=lambda role: role.name)


async def get(ground: Ground, asking: Asking, name: str) -> Role:
    """One role."""
    require(asking.actor, MANAGE_SECURITY, None, asking.space)
    found = RESERVED.get(name) or await roles.get(ground.database, name)
    if found is None:
        raise NotFound("role", name)
    return found


async def put(ground: Ground, asking: Asking, role: Role, *, create_only: bool = False) -> None:
    """Store a role in place of the one of its name; Conflict for one that is there with `create_only`."""
    require(asking.actor, MANAGE_SECURITY, None, asking.space)
    if not 1 <= len(role.name) <= 1024:
        raise InvalidInput("name", f"expected 1 to 1024 characters, given {len(role.name)}.")
    _refuse_reserved(role.name)
    check_entries(role.entries, FEATURES, "kibana")
    await _save(ground, asking, "role_put", role.name, roles.put_write(role, create_only=create_only))


async def delete(ground: Ground, asking: Asking, name: str) -> None:
    """Remove a role; who has it keeps its name, which grants nothing any more."""
    require(asking.actor, MANAGE_SECURITY, None, asking.space)
    _refuse_reserved(name)
    await _save(ground, asking, "role_delete", name, roles.delete_write(name))


def _refuse_reserved(name: str) -> None:
    if name in RESERVED:
        raise InvalidInput("name", f"The role {name} is reserved and can be neither changed nor deleted.")


async def _save(ground: Ground, asking: Asking, action: str, name: str, write: Write) -> None:
    for _ in range(TRIES):
        turn = roles.turn_write(await roles.get_turn(ground.database))
        event = audit.event_write(action, asking.actor, None, "role", [name], ground.now(), category="iam")
        try:
            await ground.database.commit([turn, write, event])
        except roles.TurnedMeanwhile:
            continue
        return
    raise roles.TurnedMeanwhile
