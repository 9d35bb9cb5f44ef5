"""Users who sign in elsewhere: made at their first sign-in, and brought up to date at every later one."""

from __future__ import annotations

import msgspec

from casebridge.domain.errors import Conflict, Unauthenticated, VersionConflict
from casebridge.domain.space import DEFAULT_SPACE
from casebridge.domain.user import Account, Actor, check_account
from casebridge.services.ground import Asking, Ground
from casebridge.services.users import TRIES, change_write, user_event
from casebridge.storage import accounts, roles


class Outsider(msgspec.Struct, frozen=True, kw_only=True):
    """Who somebody is elsewhere: `subject` names the person in `realm` for ever, `username` may change there."""

    realm: str
    subject: str
    username: str
    roles: tuple[str, ...]
    full_name: str | None = None
    email: str | None = None


async def admit(ground: Ground, who: Outsider, address: str | None) -> Account:
    """The account of an outsider, with the present roles. Unauthenticated for a disabled one.

    Conflict when the name belongs to somebody else here: nobody becomes a user of ours by a name chosen elsewhere.
    """
    wanted = check_account(
        Account(who.username, "", who.roles, who.full_name, who.email, realm=who.realm, subject=who.subject)
    )
    asking = Asking(Actor(wanted.user, wanted.roles, address=address), DEFAULT_SPACE)
    for _ in range(TRIES):
        stored = await accounts.get(ground.database, who.username)
        try:
            if stored is None:
                made = msgspec.structs.replace(wanted, id=ground.new_id())
                event = user_event(ground, asking, "user_create", made.username, roles=list(made.roles))
                await ground.database.commit([accounts.insert_write(made), event])
                return made
            present = stored.account
            if (present.realm, present.subject) != (who.realm, who.subject):
                raise Taken(who.username)
            if not present.enabled:
                raise Unauthenticated
            changed = msgspec.structs.replace(
                present, roles=wanted.roles, full_name=wanted.full_name, email=wanted.email
            )
            if changed != present:
                await ground.database.commit(await change_write(ground, asking, "user_update", stored, changed))
            return changed
        except Taken:
            raise
        except (roles.TurnedMeanwhile, VersionConflict, Conflict) as again:
            last = again
    raise last


class Taken(Conflict):
    """A user name belongs to somebody else."""

    def __init__(self, username: str) -> None:
        super().__init__(f"The user name {username} belongs to another user of this server; ask an administrator.")
