"""Who acts: the user as cases remember one, and the actor behind a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from casebridge.domain.grants import Grants


class User(msgspec.Struct, frozen=True):
    """A user as copied into an object at the moment of writing; never refreshed (contract README 7)."""

    username: str | None
    full_name: str | None
    email: str | None
    profile_uid: str | None = None

    @property
    def display_name(self) -> str:
        """Full name, else user name, else `Unknown`; empty texts count as absent (push.md 2.1)."""
        return self.full_name or self.username or "Unknown"


class Account(msgspec.Struct, frozen=True):
    """A stored user of this server. `password_hash` is an argon2 text."""

    username: str
    password_hash: str
    roles: tuple[str, ...]
    full_name: str | None = None
    email: str | None = None
    enabled: bool = True
    metadata: Mapping[str, Any] = {}

    @property
    def user(self) -> User:
        """How cases remember this user, without a profile."""
        return User(self.username, self.full_name, self.email)

    @property
    def is_superuser(self) -> bool:
        """Whether the role that grants everything is among the user's."""
        return SUPERUSER in self.roles


class Actor(msgspec.Struct, frozen=True):
    """Who asks, from where, and under which request id (for the audit trail).

    `grants` is what the roles, or the key that was used, come to. Without it only the role `superuser` counts: enough
    for who acts inside of this server. `key_id` names the API key that was used, if one was.
    """

    user: User
    roles: tuple[str, ...]
    address: str | None = None
    request_id: str | None = None
    grants: Grants | None = None
    key_id: str | None = None


SUPERUSER = "superuser"
