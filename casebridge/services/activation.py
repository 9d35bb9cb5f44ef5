"""The profile of who signs in interactively: made the first time, and brought up to date later (access.md 7)."""

from __future__ import annotations

import msgspec

from casebridge.domain.profile import Profile
from casebridge.domain.user import Account
from casebridge.services.ground import Ground
from casebridge.storage import profiles


async def activate(ground: Ground, account: Account) -> Profile:
    """The profile of a user who has just signed in interactively, made the first time and brought up to date later."""
    present = await profiles.of_user(ground.database, account.username)
    uid = present.uid if present is not None else f"u_{ground.new_id().replace('-', '')}"
    fresh = Profile(
        uid,
        account.username,
        ground.now(),
        account.roles,
        account.full_name,
        account.email,
        account.enabled,
    )
    if present is None:
        rows = await ground.database.commit([profiles.put_write(fresh)])
        # Somebody may have been quicker: the id that is stored counts.
        return msgspec.structs.replace(fresh, uid=rows[0][0]["uid"])
    await ground.database.commit([profiles.update_write(fresh)])
    return fresh
