"""User actions on the wire (contract activity.md)."""

from __future__ import annotations

from typing import Any, Literal

from casebridge.domain.user_action import ActivityTally, UserAction
from casebridge.domain.version import version_text
from casebridge.wire.attachments import AttachmentShape
from casebridge.wire.base import Body, Shape, User, time_text

Type = Literal[
    "create_case", "title", "description", "tags", "assignees", "status", "severity", "category", "settings",
    "connector", "customFields", "observables", "pushed", "comment", "delete_case",
]  # fmt: skip
TypeFilter = Literal[
    "create_case", "title", "description", "tags", "assignees", "status", "severity", "category", "settings",
    "connector", "customFields", "observables", "pushed", "comment", "delete_case",
    "action", "user", "alert", "attachment",
]  # fmt: skip
Action = Literal["create", "add", "update", "delete", "push_to_service"]


class UserActionsQuery(Body):
    """Query of `user_actions/_find`."""

    types: list[TypeFilter] | None = None
    sortOrder: Literal["asc", "desc"] = "asc"
    page: int = 1
    perPage: int = 20


class UserActionShape(Shape):
    """A record of `_find`."""

    id: str
    version: str
    type: Type
    action: Action
    payload: dict[str, Any]
    created_at: str
    created_by: User
    owner: str
    comment_id: str | None

    @classmethod
    def of(cls, record: UserAction) -> UserActionShape:
        return cls(
            id=record.id,
            version=version_text(record.seq),
            type=record.type,  # type: ignore[arg-type]
            action=record.action,  # type: ignore[arg-type]
            payload=record.payload,
            created_at=time_text(record.created_at),
            created_by=User.of(record.created_by),
            owner=record.owner,
            comment_id=record.comment_id,
        )


class UserActionsPage(Shape):
    """A page of records; `perPage` is camelCase here, unlike in other lists."""

    userActions: list[UserActionShape]
    page: int
    perPage: int
    total: int


class LatestUserActionsPage(Shape):
    """The same with the attachments its records name, as they are now."""

    userActions: list[UserActionShape]
    page: int
    perPage: int
    total: int
    latestAttachments: list[AttachmentShape]


class UserActionStats(Shape):
    """How many records a case has of each sort (activity.md 2.4)."""

    total: int
    total_comments: int
    total_other_actions: int
    total_deletions: int
    total_comment_deletions: int
    total_comment_creations: int
    total_hidden_comment_updates: int
    total_other_action_deletions: int

    @classmethod
    def of(cls, tally: ActivityTally) -> UserActionStats:
        return cls(
            total=tally.total,
            total_comments=tally.comments,
            total_other_actions=tally.total - tally.comments,
            total_deletions=tally.deletions,
            total_comment_deletions=tally.comment_deletions,
            total_comment_creations=tally.comment_creations,
            total_hidden_comment_updates=tally.hidden_comment_updates,
            total_other_action_deletions=tally.deletions - tally.comment_deletions,
        )


class ListedUserAction(Shape):
    """A record of the deprecated full list: other ids, no version."""

    action_id: str
    case_id: str
    comment_id: str | None
    type: Type
    action: Action
    payload: dict[str, Any]
    created_at: str
    created_by: User
    owner: str

    @classmethod
    def of(cls, record: UserAction) -> ListedUserAction:
        return cls(
            action_id=record.id,
            case_id=record.case_id,
            comment_id=record.comment_id,
            type=record.type,  # type: ignore[arg-type]
            action=record.action,  # type: ignore[arg-type]
            payload=record.payload,
            created_at=time_text(record.created_at),
            created_by=User.of(record.created_by),
            owner=record.owner,
        )
