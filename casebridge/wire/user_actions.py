"""User actions on the wire (contract activity.md)."""

from __future__ import annotations

from typing import Any, Literal

from casebridge.domain.user_action import UserAction
from casebridge.domain.version import version_text
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
