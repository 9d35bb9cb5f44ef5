"""From a credential to a caller: who it is, and what the roles or the key come to.

Everything is read anew for every request, in one round trip: a changed password, role, user or key counts from the next
request on, in every process. What was worked out from roles is remembered for the turn it was read in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from casebridge.domain.api_key import ApiKey
from casebridge.domain.errors import Unauthenticated
from casebridge.domain.grants import Grants
from casebridge.domain.role import Role
from casebridge.domain.space import Space
from casebridge.domain.user import SUPERUSER, Account, User
from casebridge.security.authentication import (
    Authenticator,
    Credential,
    Credentials,
    KeyCredentials,
    SessionToken,
    check_key,
)
from casebridge.security.features import SUPERUSER_GRANTS, grants_of, layer_of
from casebridge.security.sessions import digest
from casebridge.services import sessions
from casebridge.services.ground import Ground
from casebridge.storage import api_keys, roles, sign_in

MOST_REMEMBERED = 4096


class Caller(msgspec.Struct, frozen=True):
    """Who shows a good credential; `space` is the one asked for, None if there is none such."""

    user: User
    roles: tuple[str, ...]
    grants: Grants
    space: Space | None
    key_id: str | None = None


class Callers:
    """Finds the caller behind a credential. A further kind of credential is one more entry of `ways`."""

    def __init__(self, ground: Ground, door: Authenticator) -> None:
        self._ground = ground
        self.door = door
        self.privileges = RoleBook(ground)
        self._keys: dict[str, tuple[str, ApiKey, Grants]] = {}
        self.ways: dict[type, Callable[[Any, str, str | None], Awaitable[Caller]]] = {
            Credentials: self._by_password,
            KeyCredentials: self._by_key,
            SessionToken: self._by_session,
        }

    async def identify(self, credential: Credential, space_id: str, address: str | None = None) -> Caller:
        """Who it is; Unauthenticated, always the same, for whoever may not come in.

        TooManyTries for a password that must not be tried from this address now.
        """
        return await self.ways[type(credential)](credential, space_id, address)

    async def everybody(self, space_id: str) -> Caller:
        """The caller where security is switched off: nobody in particular, who may do everything."""
        found = await sign_in.by_username(self._ground.database, None, space_id)
        return Caller(User(None, None, None), (SUPERUSER,), SUPERUSER_GRANTS, found.space)

    async def _by_password(self, shown: Credentials, space_id: str, address: str | None) -> Caller:
        found = await sign_in.by_username(self._ground.database, shown.username, space_id)
        account = await self.door.check(shown, found.account, address)
        return await self.as_user(account, found)

    async def as_user(self, account: Account, found: sign_in.Found, user: User | None = None) -> Caller:
        """The caller for an account that has proved who it is; `user` if cases shall remember it otherwise."""
        grants = await self.privileges.of(account.roles, found.turn)
        return Caller(user or account.user, account.roles, grants, found.space)

    async def _by_session(self, shown: SessionToken, space_id: str, _: str | None) -> Caller:
        found = await sign_in.by_session(self._ground.database, digest(shown.token), space_id)
        session, account = await sessions.check(self._ground, shown.token, found)
        user = msgspec.structs.replace(account.user, profile_uid=session.profile_uid)
        return await self.as_user(account, found, user)

    async def _by_key(self, shown: KeyCredentials, space_id: str, _: str | None) -> Caller:
        found = await sign_in.by_key(self._ground.database, shown.id, space_id)
        key, grants = (None, None) if found.key is None else self._key(shown.id, found.key)
        check_key(shown, None if key is None else key.digest)
        account = found.account
        if key is None or grants is None or account is None or not account.enabled:
            raise Unauthenticated
        if account.id != key.account_id or not key.is_valid(self._ground.now()):
            raise Unauthenticated
        return Caller(account.user, key.roles, grants, found.space, key.id)

    def _key(self, id_: str, doc: str) -> tuple[ApiKey, Grants]:
        """The key of a stored document, worked out once for as long as the document is the same."""
        known = self._keys.get(id_)
        if known is not None and known[0] == doc:
            return known[1], known[2]
        key = api_keys.from_doc(doc)
        grants = Grants(*(layer_of(each.entries, is_superuser=each.is_superuser) for each in key.layers))
        if len(self._keys) >= MOST_REMEMBERED:
            self._keys.clear()
        self._keys[id_] = (doc, key, grants)
        return key, grants


class RoleBook:
    """What roles come to, remembered for one turn."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._turn: str | None = None
        self._roles: dict[str, Role | None] = {}
        self._grants: dict[tuple[str, ...], Grants] = {}

    async def of(self, names: tuple[str, ...], turn: str) -> Grants:
        """What a user with these roles may do as of a turn; names of no role grant nothing."""
        if SUPERUSER in names:
            return SUPERUSER_GRANTS
        if turn != self._turn or len(self._grants) >= MOST_REMEMBERED:
            self._turn, self._roles, self._grants = turn, {}, {}
        known = self._grants.get(names)
        if known is not None:
            return known
        found = await self._find(names)
        grants = grants_of(names, [role for role in found.values() if role is not None])
        if turn == self._turn:
            self._grants[names] = grants
        return grants

    async def _find(self, names: tuple[str, ...]) -> Mapping[str, Role | None]:
        book = self._roles
        missing = [name for name in dict.fromkeys(names) if name not in book]
        if missing:
            # Read after the turn was: at least as new as it, and kept in the book of that turn only.
            found = await roles.get_many(self._ground.database, missing)
            book.update({name: found.get(name) for name in missing})
        return {name: book[name] for name in names}
