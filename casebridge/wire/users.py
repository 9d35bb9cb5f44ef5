"""Users on the wire (extensions.md 3, access.md 7)."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from casebridge.domain.user import Account
from casebridge.wire.base import Body, Shape

Text = Annotated[str, Meta(max_length=1_024)]


class PutUser(Body):
    """Body of PUT: all of it but the password replaces what is stored."""

    roles: Annotated[list[Text], Meta(max_length=100)]
    password: str | UnsetType = UNSET
    full_name: Text | None = None
    email: Text | None = None
    metadata: dict[str, Any] | None = None
    enabled: bool = True

    def __repr__(self) -> str:
        return "PutUser(...)"


class SetPassword(Body):
    """Body of a new password; `current_password` proves that it is one's own."""

    password: str
    current_password: str | UnsetType = UNSET

    def __repr__(self) -> str:
        return "SetPassword(...)"


class Created(Shape):
    """Whether a user was made, and not replaced."""

    created: bool


class Gone(Shape):
    """What was asked to be removed was there."""

    found: bool


class Nothing(Shape):
    """An empty answer."""


class UserShape(Shape):
    """A user in an answer; never with anything of the password."""

    username: str
    roles: list[str]
    full_name: str | None
    email: str | None
    metadata: dict[str, Any]
    enabled: bool

    @classmethod
    def of(cls, account: Account) -> UserShape:
        """The shape of an account."""
        return cls(
            username=account.username,
            roles=list(account.roles),
            full_name=account.full_name,
            email=account.email,
            metadata=dict(account.metadata),
            enabled=account.enabled,
        )


class MeShape(Shape):
    """The caller."""

    username: str | None
    full_name: str | None
    email: str | None
    roles: list[str]
    metadata: dict[str, Any]
    enabled: bool
    authentication_type: str
    profile_uid: str | UnsetType = UNSET
