"""Who acts: the user as cases remember one, and the actor behind a request."""

from __future__ import annotations

import msgspec


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


class Actor(msgspec.Struct, frozen=True):
    """Who asks, from where, and under which request id (for the audit trail)."""

    user: User
    roles: tuple[str, ...]
    address: str | None = None
    request_id: str | None = None

    @property
    def is_superuser(self) -> bool:
        return SUPERUSER in self.roles


SUPERUSER = "superuser"
