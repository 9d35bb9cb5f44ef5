"""Users of this server: listing, making, changing and removing them (extensions.md 3).

Whoever may do everything manages users; everybody may look at oneself, and change one's own password. One enabled
superuser remains, whatever is asked for at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from casebridge.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated, VersionConflict
from casebridge.domain.user import Account, check_account, check_password
from casebridge.security.authentication import Authenticator, Credentials, Passwords
from casebridge.security.features import MANAGE_SECURITY
from casebridge.security.privileges import allowed, require
from casebridge.services.ground import Asking, Ground
from casebridge.storage import accounts, api_keys, audit, roles
from casebridge.storage.session import Write

TRIES = 20


class WantedUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user as asked for: all of it but the password replaces what is stored. No password: the present one stays."""

    username: str
    roles: tuple[str, ...]
    password: str | None = None
    full_name: str | None = None
    email: str | None = None
    enabled: bool = True
    metadata: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        return f"WantedUser({self.username!r})"


async def list_all(ground: Ground, asking: Asking) -> list[Account]:
    """Every user, by name."""
    require(asking.actor, MANAGE_SECURITY, None, asking.space)
    return await accounts.list_all(ground.database)


async def get_many(ground: Ground, asking: Asking, usernames: Sequence[str]) -> list[Account]:
    """The users that exist among these; NotFound when there is none. Everybody may ask for oneself."""
    if set(usernames) != {asking.actor.user.username}:
        require(asking.actor, MANAGE_SECURITY, None, asking.space)
    found = [await accounts.get(ground.database, each) for each in dict.fromkeys(usernames)]
    if not any(found):
        raise NotFound("user", usernames)
    return [each.account for each in found if each is not None]


async def put(
    ground: Ground,
    asking: Asking,
    wanted: WantedUser,
    passwords: Passwords,
    *,
    create_only: bool = False,
    update_only: bool = False,
) -> bool:
    """Make or replace a user; whether it was made.

    Conflict for one that is there with `create_only`, NotFound for one that is not with `update_only`.
    """
    require(asking.actor, MANAGE_SECURITY, None, asking.space)
    if wanted.password is not None:
        check_password(wanted.password)
    fresh = check_account(
        Account(
            wanted.username,
            "",
            tuple(dict.fromkeys(wanted.roles)),
            wanted.full_name,
            wanted.email,
            wanted.enabled,
            wanted.metadata,
        )
    )
    password_hash = None if wanted.password is None else await passwords.hash(wanted.password)
    for _ in range(TRIES):
        stored = await accounts.get(ground.database, wanted.username)
        if stored is None and update_only:
            raise NotFound("user", wanted.username)
        if stored is not None and create_only:
            raise Conflict(f"There is a user {wanted.username} already.")
        if stored is not None:
            kept = password_hash or stored.account.password_hash
            changed = msgspec.structs.replace(
                fresh,
                password_hash=kept,
                id=stored.account.id,
                realm=stored.account.realm,
                subject=stored.account.subject,
            )
            if await _try(ground, asking, "user_update", stored, changed):
                return False
        elif password_hash is None:
            raise InvalidInput("password", "is required for a new user.")
        else:
            made = msgspec.structs.replace(fresh, password_hash=password_hash, id=ground.new_id())
            try:
                event = user_event(ground, asking, "user_create", wanted.username, roles=list(made.roles))
                await ground.database.commit([accounts.insert_write(made), event])
            except Conflict:
                continue
            return True
    raise _busy()


async def set_enabled(ground: Ground, asking: Asking, username: str, *, enabled: bool) -> None:
    """Let a user in, or keep the user out: from the next request on, keys included."""
    require(asking.actor, MANAGE_SECURITY, None, asking.space)
    action = "user_enable" if enabled else "user_disable"
    for _ in range(TRIES):
        stored = await _load(ground, username)
        if await _try(ground, asking, action, stored, msgspec.structs.replace(stored.account, enabled=enabled)):
            return
    raise _busy()


async def set_password(
    ground: Ground, asking: Asking, username: str, password: str, current: str | None, door: Authenticator
) -> None:
    """Change a password: another's by who manages users, one's own by who knows the `current` one."""
    if not allowed(asking.actor, MANAGE_SECURITY, None, asking.space):
        if username != asking.actor.user.username:
            require(asking.actor, MANAGE_SECURITY, None, asking.space)
        if current is None:
            raise InvalidInput("current_password", "is required to change one's own password.")
        stored = await _load(ground, username)
        try:
            await door.check(Credentials(username, current), stored.account, asking.actor.address)
        except Unauthenticated:
            text = "set the password: the current one is another"
            raise Forbidden("setPassword", what=text, is_owned=False) from None
    await replace_password(ground, asking, username, password, door.passwords)


async def check_own_password(ground: Ground, asking: Asking, given: str, door: Authenticator) -> None:
    """InvalidInput unless this is the caller's own password; TooManyTries when it must not be tried now."""
    stored = await _load(ground, asking.actor.user.username or "")
    try:
        await door.check(Credentials(stored.account.username, given), stored.account, asking.actor.address)
    except Unauthenticated:
        raise InvalidInput("current_password", "the present password is another one.") from None


async def replace_password(ground: Ground, asking: Asking, username: str, password: str, passwords: Passwords) -> None:
    """Set a user's password, with no question asked; NotFound for an unknown user."""
    check_password(password)
    password_hash = await passwords.hash(password)
    for _ in range(TRIES):
        stored = await _load(ground, username)
        changed = msgspec.structs.replace(stored.account, password_hash=password_hash)
        if await _try(ground, asking, "user_password", stored, changed):
            return
    raise _busy()


async def delete(ground: Ground, asking: Asking, username: str) -> None:
    """Remove a user together with the user's keys."""
    require(asking.actor, MANAGE_SECURITY, None, asking.space)
    for _ in range(TRIES):
        stored = await _load(ground, username)
        guard = await _guard(ground, stored.account, None)
        event = user_event(ground, asking, "user_delete", username)
        writes = [*guard, accounts.delete_write(username), api_keys.delete_of_user_write(username), event]
        try:
            await ground.database.commit(writes)
        except roles.TurnedMeanwhile:
            continue
        return
    raise _busy()


async def _load(ground: Ground, username: str) -> accounts.StoredAccount:
    stored = await accounts.get(ground.database, username)
    if stored is None:
        raise NotFound("user", username)
    return stored


async def _try(ground: Ground, asking: Asking, action: str, stored: accounts.StoredAccount, changed: Account) -> bool:
    """Whether the account could be replaced; False when it, or who else may do everything, changed meanwhile."""
    try:
        await ground.database.commit(await change_write(ground, asking, action, stored, changed))
    except (roles.TurnedMeanwhile, VersionConflict):
        return False
    return True


async def change_write(
    ground: Ground, asking: Asking, action: str, stored: accounts.StoredAccount, changed: Account
) -> list[Write]:
    """What replaces an account; Conflict when that takes the last enabled superuser away."""
    guard = await _guard(ground, stored.account, changed)
    event = user_event(ground, asking, action, changed.username, roles=list(changed.roles), enabled=changed.enabled)
    return [*guard, accounts.update_write(changed, stored.version), event]


async def _guard(ground: Ground, old: Account, new: Account | None) -> list[Write]:
    """What a change needs that takes an enabled superuser away; Conflict when it is the last one."""
    if not _rules(old) or (new is not None and _rules(new)):
        return []
    turn = await roles.get_turn(ground.database)
    if not any(_rules(each) for each in await accounts.list_all(ground.database) if each.username != old.username):
        raise Conflict(f"{old.username} is the last enabled superuser; make another one first.")
    return [roles.turn_write(turn)]


def _rules(account: Account) -> bool:
    return account.enabled and account.is_superuser


def user_event(ground: Ground, asking: Asking, action: str, username: str, **more: Any) -> Write:
    """What the audit trail notes of a change of a user."""
    return audit.event_write(action, asking.actor, None, "user", [username], ground.now(), category="iam", **more)


def _busy() -> Conflict:
    return Conflict("Users were changed again and again meanwhile; repeat the request.")
