"""User actions: the immutable records of what changed on a case (contract activity.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from casebridge.domain.user import User

TYPES = (
    "create_case", "title", "description", "tags", "assignees", "status", "severity", "category", "settings",
    "connector", "customFields", "observables", "pushed", "comment", "delete_case",
)  # fmt: skip
PSEUDO_TYPES = ("action", "user", "alert", "attachment")

PUSH_RELEVANT = frozenset({"comment", "description", "tags", "title"})
"""Types of records that make a push necessary (activity.md 2.6)."""


class Activity(msgspec.Struct, frozen=True):
    """A record before it has a number, a time and an author; `payload` has the keys of the wire."""

    type: str
    action: str
    payload: dict[str, Any]
    comment_id: str | None = None


class UserAction(msgspec.Struct, frozen=True, kw_only=True):
    """A stored record. `seq` numbers the records of one case from 1, in the order they were written."""

    id: str
    case_id: str
    seq: int
    type: str
    action: str
    payload: dict[str, Any]
    owner: str
    created_at: datetime
    created_by: User
    comment_id: str | None = None


class ActivityTally(msgspec.Struct, frozen=True):
    """How many records a case has (activity.md 2.4); `comments` are those of user comments, whatever was done to them.

    `hidden_comment_updates` are edits of comments that were deleted since.
    """

    total: int
    comments: int
    deletions: int
    comment_deletions: int
    comment_creations: int
    hidden_comment_updates: int
