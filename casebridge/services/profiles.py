"""Profiles: made when a user signs in interactively, and found by those who assign cases (access.md 7)."""

from __future__ import annotations

from collections.abc import Sequence

from casebridge.domain.errors import InvalidInput, NotFound, Unauthenticated
from casebridge.domain.profile import Profile, matches
from casebridge.domain.space import OWNERS
from casebridge.domain.user import Actor
from casebridge.security.authentication import Credentials
from casebridge.security.features import MANAGE_SECURITY
from casebridge.security.privileges import allowed, permitted_owners, require
from casebridge.services.activation import activate
from casebridge.services.attempts import note_failed_sign_in
from casebridge.services.callers import Callers
from casebridge.services.ground import Asking, Ground
from casebridge.storage import accounts, audit, profiles, roles

MOST_SUGGESTED = 100
MOST_UIDS = 1_000


async def activate_by_password(ground: Ground, asking: Asking, shown: Credentials, callers: Callers) -> Profile:
    """The same for who is named with a password: oneself, or anybody for who manages users."""
    if shown.username != asking.actor.user.username:
        require(asking.actor, MANAGE_SECURITY, None, asking.space)
    stored = await accounts.get(ground.database, shown.username)
    try:
        account = await callers.door.check(shown, None if stored is None else stored.account, asking.actor.address)
    except Unauthenticated:
        actor = asking.actor
        await note_failed_sign_in(ground, shown, address=actor.address, request_id=actor.request_id)
        raise
    profile = await activate(ground, account)
    event = audit.event_write(
        "profile_activate", asking.actor, None, "profile", [profile.uid], ground.now(), category="iam"
    )
    await ground.database.commit([event])
    return profile


async def own(ground: Ground, asking: Asking) -> Profile:
    """The caller's profile; NotFound without one."""
    username = asking.actor.user.username
    found = None if username is None else await profiles.of_user(ground.database, username)
    if found is None:
        raise NotFound("profile", username or "")
    return found


async def get_many(ground: Ground, asking: Asking, uids: Sequence[str]) -> list[Profile]:
    """The profiles among these ids, in the order asked."""
    permitted_owners(asking.actor, "bulkGetUserProfiles", asking.space)
    if len(uids) > MOST_UIDS:
        raise InvalidInput("uids", f"at most {MOST_UIDS} are allowed, given {len(uids)}.")
    return await profiles.get_many(ground.database, list(dict.fromkeys(uids)))


async def suggest(
    ground: Ground, asking: Asking, name: str, owners: Sequence[str], size: int, callers: Callers
) -> list[Profile]:
    """Enabled users of a profile whom `name` fits and who may read the cases of all these owners in the space."""
    permitted_owners(asking.actor, "suggestUserProfiles", asking.space)
    if not 0 <= size <= MOST_SUGGESTED:
        raise InvalidInput("size", f"expected 0 to {MOST_SUGGESTED}, given {size}.")
    if not owners or size == 0 or not set(owners) <= set(OWNERS):
        return []
    turn = await roles.get_turn(ground.database)
    found: list[Profile] = []
    for profile in await profiles.list_all(ground.database):
        if not profile.enabled or not matches(profile, name):
            continue
        reader = Actor(asking.actor.user, profile.roles, grants=await callers.privileges.of(profile.roles, turn))
        if all(allowed(reader, "getCase", owner, asking.space) for owner in owners):
            found.append(profile)
            if len(found) == size:
                break
    return found


async def search(
    ground: Ground, asking: Asking, name: str, size: int, hint: Sequence[str] = ()
) -> tuple[list[Profile], int]:
    """Enabled users of a profile whom `name` fits, those of `hint` first; and how many there are."""
    permitted_owners(asking.actor, "suggestUserProfiles", asking.space)
    found = [each for each in await profiles.list_all(ground.database) if each.enabled and matches(each, name)]
    found.sort(key=lambda each: each.uid not in hint)
    return found[:size], len(found)
