"""Attachments on the wire (contract attachments.md): what may be sent, and how they read."""

from __future__ import annotations

from typing import Any, Literal

from casebridge.domain.attachment import Attachment
from casebridge.domain.version import version_text
from casebridge.wire.base import Body, Shape, User, time_or_null, time_text


class NewUserComment(Body):
    """A user comment: 1 to 30,000 characters, stored untrimmed."""

    type: Literal["user"]
    owner: str
    comment: str


class ChangedUserComment(Body):
    """The full replacement of a user comment at the version the caller read."""

    id: str
    version: str
    type: Literal["user"]
    owner: str
    comment: str


class UserCommentShape(Shape):
    """A user comment as answered."""

    id: str
    version: str
    type: Literal["user"]
    owner: str
    comment: str
    created_at: str
    created_by: User
    updated_at: str | None
    updated_by: User | None
    pushed_at: str | None
    pushed_by: User | None


class CommentsQuery(Body):
    """Query of `comments/_find`."""

    page: int = 1
    perPage: int = 20
    sortOrder: Literal["asc", "desc"] = "asc"


class CommentsPage(Shape):
    """A page of user comments."""

    comments: list[UserCommentShape]
    page: int
    per_page: int
    total: int


def attachment_shape(attachment: Attachment) -> UserCommentShape:
    """An attachment as answered: its request fields and the bookkeeping."""
    fields: dict[str, Any] = {
        **attachment.payload,
        "id": attachment.id,
        "version": version_text(attachment.version),
        "created_at": time_text(attachment.created_at),
        "created_by": User.of(attachment.created_by),
        "updated_at": time_or_null(attachment.updated_at),
        "updated_by": User.of_maybe(attachment.updated_by),
        "pushed_at": time_or_null(attachment.pushed_at),
        "pushed_by": User.of_maybe(attachment.pushed_by),
    }
    return UserCommentShape(**fields)
