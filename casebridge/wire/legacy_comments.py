"""Comments as 7.10 and 7.11 knew them (contract dialect-7.10.md 5): user comments and alerts; other attachments did
not exist."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from casebridge.domain.attachment import ALERT, USER, Attachment, check_comment
from casebridge.domain.errors import InvalidInput
from casebridge.domain.space import SECURITY
from casebridge.domain.version import version_text
from casebridge.wire.base import Body, Shape, time_or_null, time_text
from casebridge.wire.configurations import OldUser, old_user

OLD_TYPES = (USER, ALERT)
"""The types of attachments this dialect shows and counts."""


class OldRule(Body):
    """The detection rule of an alert, which came with 7.12."""

    id: str | None
    name: str | None


class _OldCommentBody(Body, kw_only=True):
    comment: str | UnsetType = UNSET
    alertId: str | UnsetType = UNSET
    index: str | UnsetType = UNSET
    rule: OldRule | UnsetType = UNSET

    def _payload(self, type_: str) -> dict[str, Any]:
        """The fields of the attachment as the store keeps them; InvalidInput unless they are those of its type."""
        needed, allowed = (("comment",), ("comment",)) if type_ == USER else (("alertId", "index"), _ALERT_KEYS)
        sent = [name for name in ("comment", *_ALERT_KEYS) if getattr(self, name) is not UNSET]
        for name in needed:
            if name not in sent:
                raise InvalidInput(name, f"is required with type {type_}, but missing.")
        if unknown := [name for name in sent if name not in allowed]:
            raise InvalidInput(", ".join(unknown), f"unknown key with type {type_}.")
        if isinstance(self.comment, str):
            check_comment(self.comment)
            return {"type": USER, "owner": SECURITY, "comment": self.comment}
        rule = {"id": None, "name": None} if isinstance(self.rule, UnsetType) else msgspec.to_builtins(self.rule)
        return {"type": ALERT, "owner": SECURITY, "alertId": self.alertId, "index": self.index, "rule": rule}


_ALERT_KEYS = ("alertId", "index", "rule")


class OldNewComment(_OldCommentBody, kw_only=True):
    """Body of `POST /7.10/api/cases/{case_id}/comments`; clients of 7.10 send no `type`."""

    type: Literal["user", "alert"] = "user"

    @property
    def payload(self) -> dict[str, Any]:
        """The new attachment's fields."""
        return self._payload(self.type)


class OldChangedComment(_OldCommentBody, kw_only=True):
    """Body of `PATCH /7.10/api/cases/{case_id}/comments`: the full replacement at the version the caller read."""

    id: str
    version: str
    type: Literal["user", "alert"]

    @property
    def payload(self) -> dict[str, Any]:
        """The attachment's new fields."""
        return self._payload(self.type)


class _Kept(Shape):
    id: str
    version: str
    created_at: str
    created_by: OldUser
    updated_at: str | None
    updated_by: OldUser | None
    pushed_at: str | None
    pushed_by: OldUser | None


class OldUserComment(_Kept, tag_field="type", tag="user"):
    """A user comment as answered."""

    comment: str


class OldAlert(_Kept, tag_field="type", tag="alert"):
    """An alert as answered; newer clients may have attached several at once."""

    alertId: str | list[str]
    index: str | list[str]


OldComment = OldUserComment | OldAlert


class OldCommentsQuery(msgspec.Struct, kw_only=True):
    """Query of `comments/_find`; unknown keys are ignored."""

    page: int = 1
    perPage: int = 20
    sortOrder: Literal["asc", "desc"] = "asc"
    search: str | None = None


class OldCommentsPage(Shape):
    """A page of comments."""

    comments: list[OldComment]
    page: int
    per_page: int
    total: int


def old_comments(attachments: Iterable[Attachment]) -> list[OldComment]:
    """Those of the attachments that this dialect knows."""
    return [old_comment_shape(each) for each in attachments if each.type in OLD_TYPES]


def old_comment_shape(attachment: Attachment) -> OldComment:
    """A user comment or an alert as answered."""
    kept: dict[str, Any] = {
        "id": attachment.id,
        "version": version_text(attachment.version),
        "created_at": time_text(attachment.created_at),
        "created_by": old_user(attachment.created_by),
        "updated_at": time_or_null(attachment.updated_at),
        "updated_by": None if attachment.updated_by is None else old_user(attachment.updated_by),
        "pushed_at": time_or_null(attachment.pushed_at),
        "pushed_by": None if attachment.pushed_by is None else old_user(attachment.pushed_by),
    }
    if attachment.type == USER:
        return OldUserComment(comment=attachment.payload["comment"], **kept)
    return OldAlert(**old_alert(attachment.payload), **kept)


def old_alert(payload: dict[str, Any]) -> dict[str, Any]:
    """What this dialect shows of an alert: one is a text, several are lists."""
    return {name: _single(payload[name]) for name in ("alertId", "index")}


def _single(value: str | list[str]) -> str | list[str]:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
