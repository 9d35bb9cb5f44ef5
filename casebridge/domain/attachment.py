"""Attachments of a case, "comments" in paths: user comments, alerts and references (contract attachments.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from casebridge.domain import limits
from casebridge.domain.text import check_length
from casebridge.domain.user import User

USER, ALERT, ACTIONS = "user", "alert", "actions"
EXTERNAL_REFERENCE, PERSISTABLE_STATE = "externalReference", "persistableState"


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """An attachment as stored. `payload` holds the request's fields, `type` and `owner` included, keys as on the wire.

    `seq` numbers the attachments of one case from 1 in the order they were added.
    """

    id: str
    case_id: str
    seq: int
    type: str
    owner: str
    payload: dict[str, Any]
    created_at: datetime
    created_by: User
    version: int = 0
    updated_at: datetime | None = None
    updated_by: User | None = None
    pushed_at: datetime | None = None
    pushed_by: User | None = None


def check_comment(text: str, field: str = "comment") -> None:
    """InvalidInput unless the trimmed text has 1 to 30,000 characters; it is stored untrimmed."""
    check_length(field, text, limits.COMMENT)
