"""API keys: making, listing and invalidating them (access.md 8). Everybody has the care of one's own."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from casebridge.domain.api_key import MOST_PER_USER, NAME_LENGTH, ApiKey, KeyLayer
from casebridge.domain.errors import InvalidInput, LimitExceeded, NotFound
from casebridge.domain.role import RoleEntry, check_entries
from casebridge.domain.user import SUPERUSER, Account
from casebridge.security.authentication import key_digest
from casebridge.security.features import FEATURES, KIBANA, MANAGE_SECURITY, application_of, entry_of
from casebridge.security.privileges import allowed, require
from casebridge.services.ground import Asking, Ground
from casebridge.storage import accounts, api_keys, audit, roles

ID_BYTES, SECRET_BYTES = 15, 24
TRIES = 20


class WantedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as asked for. `role_descriptors` are what it is narrowed to; empty: all that its owner may do."""

    name: str
    expires_in: timedelta | None = None
    metadata: Mapping[str, Any] = {}
    role_descriptors: Mapping[str, Any] = {}


class Descriptor(msgspec.Struct, frozen=True):
    """What a key is narrowed to, in the shape of a role."""

    entries: tuple[RoleEntry, ...]
    elasticsearch: Mapping[str, Any] = {}


class NewKey(msgspec.Struct, frozen=True):
    """A key, and its secret, which is told this once."""

    key: ApiKey
    secret: str

    def __repr__(self) -> str:
        return f"NewKey({self.key!r})"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which keys: each part that is given narrows. `owner`: the caller's own; a `name` may end in `*`."""

    ids: Sequence[str] | None = None
    name: str | None = None
    username: str | None = None
    owner: bool = False


class Invalidated(msgspec.Struct, frozen=True):
    """Ids of keys that are of no use from now on, and of those that were so before."""

    now: list[str]
    before: list[str]


async def create(ground: Ground, asking: Asking, wanted: WantedKey, *, username: str | None = None) -> NewKey:
    """A key of the caller, or of the user named, with the privileges that user has now.

    A key cannot make keys: one that leaks would outlive its end.
    """
    if username is not None:
        require(asking.actor, MANAGE_SECURITY, None, asking.space)
    if not wanted.name.strip() or len(wanted.name) > NAME_LENGTH:
        raise InvalidInput("name", f"expected 1 to {NAME_LENGTH} characters, given {len(wanted.name)}.")
    if asking.actor.key_id is not None:
        raise InvalidInput("", "A key cannot make keys; sign in with user name and password.")
    owner = await _owner(ground, username or asking.actor.user.username)
    now = ground.now()
    present = await api_keys.find(ground.database, username=owner.username)
    valid = sum(stored.key.is_valid(now) for stored in present)
    if valid >= MOST_PER_USER:
        raise LimitExceeded("name", MOST_PER_USER, valid + 1, f"valid keys of {owner.username}")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey(
        id=secrets.token_urlsafe(ID_BYTES),
        name=wanted.name,
        username=owner.username,
        digest=key_digest(secret),
        created_at=now,
        roles=owner.roles,
        layers=(await _snapshot(ground, owner), *_narrowed(wanted.role_descriptors)),
        account_id=owner.id,
        expires_at=None if wanted.expires_in is None else now + wanted.expires_in,
        metadata=wanted.metadata,
        role_descriptors=wanted.role_descriptors,
    )
    event = audit.event_write("api_key_create", asking.actor, None, "api_key", [key.id], now, category="iam")
    forgotten = [stored.key.id for stored in present if stored.key.is_forgotten(now)]
    removal = [api_keys.delete_write(forgotten)] if forgotten else []
    await ground.database.commit([api_keys.insert_write(key), *removal, event])
    return NewKey(key, secret)


async def _owner(ground: Ground, username: str | None) -> Account:
    stored = None if username is None else await accounts.get(ground.database, username)
    if stored is None:
        raise NotFound("user", username or "")
    return stored.account


async def _snapshot(ground: Ground, owner: Account) -> KeyLayer:
    found = await roles.get_many(ground.database, owner.roles)
    entries = tuple(entry for role in found.values() for entry in role.entries)
    return KeyLayer(entries, is_superuser=SUPERUSER in owner.roles)


def _narrowed(descriptors: Mapping[str, Any]) -> list[KeyLayer]:
    if not descriptors:
        return []
    applications = [each for descriptor in descriptors.values() for each in descriptor.get("applications", ())]
    entries = [
        entry_of(each["privileges"], each["resources"]) for each in applications if each["application"] == KIBANA
    ]
    return [KeyLayer(tuple(entry for entry in entries if entry is not None))]


def descriptors_of(given: Mapping[str, Descriptor], path: str) -> dict[str, Any]:
    """Role descriptors in the shape of roles, as plain ones; `path` is the key of all of them."""
    for name, each in given.items():
        check_entries(each.entries, FEATURES, f"{path}.{name}.kibana")
    return {
        name: {**each.elasticsearch, "applications": [application_of(entry) for entry in each.entries]}
        for name, each in given.items()
    }


async def find(ground: Ground, asking: Asking, wanted: Selection) -> list[ApiKey]:
    """Keys by age: one's own, or with the care of users everybody's. A key sees itself alone."""
    return [stored.key for stored in await _select(ground, asking, wanted)]


async def _select(ground: Ground, asking: Asking, wanted: Selection) -> list[api_keys.StoredKey]:
    actor = asking.actor
    username = wanted.username
    ids = wanted.ids
    if wanted.owner or not allowed(actor, MANAGE_SECURITY, None, asking.space):
        own = actor.user.username or ""
        if username not in (None, own):
            require(actor, MANAGE_SECURITY, None, asking.space)
        username = own
        if actor.key_id is not None:
            ids = [actor.key_id] if ids is None else [each for each in ids if each == actor.key_id]
    found = await api_keys.find(ground.database, ids=ids, username=username)
    return [stored for stored in found if wanted.name is None or _is_named(stored.key.name, wanted.name)]


def _is_named(name: str, wanted: str) -> bool:
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted


async def invalidate(ground: Ground, asking: Asking, wanted: Selection) -> Invalidated:
    """End keys at once, of those that the caller may see."""
    if wanted == Selection():
        raise InvalidInput("", "Expected ids, name, username or owner: true, to say which keys.")
    for _ in range(TRIES):
        found = await _select(ground, asking, wanted)
        fresh = [stored for stored in found if stored.key.invalidated_at is None]
        ids = [stored.key.id for stored in fresh]
        before = [stored.key.id for stored in found if stored.key.invalidated_at is not None]
        if not fresh:
            return Invalidated([], before)
        now = ground.now()
        writes = [
            api_keys.update_write(stored, msgspec.structs.replace(stored.key, invalidated_at=now)) for stored in fresh
        ]
        event = audit.event_write("api_key_invalidate", asking.actor, None, "api_key", ids, now, category="iam")
        try:
            await ground.database.commit([*writes, event])
        except api_keys.KeyMoved:
            continue
        return Invalidated(ids, before)
    raise api_keys.KeyMoved
