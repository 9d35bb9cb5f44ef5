"""Shapes that many answers share: times, users, versions; and how request bodies name absent keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from casebridge.domain.user import User as DomainUser


def time_text(at: datetime) -> str:
    """An aware time as on the wire: UTC, milliseconds, `Z`.

    >>> time_text(datetime(2024, 5, 17, 8, 3, 59, 120000, UTC))
    '2024-05-17T08:03:59.120Z'
    """
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"


def time_or_null(at: datetime | None) -> str | None:
    """The same for a time that may be absent."""
    return None if at is None else time_text(at)


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request body or a part of one: unknown keys are refused at every depth."""


class Shape(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An answer or a part of one. `forbid_unknown_fields` makes the published schema strict."""


class User(Shape):
    """A user: three keys always, `profile_uid` only when known (contract README 7)."""

    username: str | None
    full_name: str | None
    email: str | None
    profile_uid: str | UnsetType = UNSET

    @classmethod
    def of(cls, user: DomainUser) -> User:
        """The shape of a recorded user."""
        return cls(
            username=user.username,
            full_name=user.full_name,
            email=user.email,
            profile_uid=user.profile_uid if user.profile_uid is not None else UNSET,
        )

    @classmethod
    def of_maybe(cls, user: DomainUser | None) -> User | None:
        """The same for a user that may be absent."""
        return None if user is None else cls.of(user)


class ErrorShape(Shape):
    """The body of every error (contract README 4); `attributes` only where a rule documents them."""

    statusCode: int
    error: str
    message: str
    attributes: dict[str, Any] | UnsetType = UNSET


JsonList = Annotated[list[str], Meta(extra={"query": "json"})]
"""In a query type: a JSON array in one parameter, or the parameter repeated; a single bare value is refused."""
