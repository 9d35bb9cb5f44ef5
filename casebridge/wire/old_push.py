"""What clients of 7.10 send to push: keys side by side, in place of an incident (dialect-7.10.md 6.1 and 9)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from casebridge.domain.connector import MAPPINGS
from casebridge.domain.user import User
from casebridge.wire.base import time_text

OldTime = Annotated[datetime, Meta(tz=True)]


class OldAuthor(msgspec.Struct, rename="camel"):
    full_name: str | None
    username: str | None

    @property
    def shown(self) -> str:
        return User(self.username, self.full_name, None).display_name


class _Dated(msgspec.Struct, rename="camel", kw_only=True):
    created_at: OldTime
    created_by: OldAuthor
    updated_at: OldTime | None = None
    updated_by: OldAuthor | None = None

    def noted(self, text: str, doing: str) -> str:
        """The text with a note of when this was done, and by whom."""
        author = self.updated_by or self.created_by
        return f"{text} ({doing} at {time_text(self.updated_at or self.created_at)} by {author.shown})"


class OldComment(_Dated):
    comment_id: str
    comment: str


class OldPush(_Dated):
    """Params of the three types of that time have these in common; keys that are not known are ignored."""

    saved_object_id: str
    title: str
    description: str | None = None
    external_id: str | None = None
    comments: list[OldComment] | None = None

    def to_params(self, type_id: str) -> dict[str, Any]:
        """The params of today's `pushToService`."""
        targets = {row.source: row.target for row in MAPPINGS[type_id]}
        doing = "created" if self.external_id is None else "updated"
        incident = {
            targets[source]: self.noted(text, doing)
            for source, text in (("title", self.title), ("description", self.description))
            if text is not None
        }
        comments = [
            {"commentId": each.comment_id, "comment": each.noted(each.comment, "added")} for each in self.comments or ()
        ]
        return {"incident": {**incident, "externalId": self.external_id, **self.own_fields()}, "comments": comments}

    def own_fields(self) -> dict[str, Any]:
        """The fields that only this type has."""
        return {}


class OldServiceNowPush(OldPush):
    impact: str | None = None
    severity: str | None = None
    urgency: str | None = None

    def own_fields(self) -> dict[str, Any]:
        return {"impact": self.impact, "severity": self.severity, "urgency": self.urgency}


class OldJiraPush(OldPush):
    issue_type: str | None = None
    priority: str | None = None
    parent: str | None = None
    labels: list[str] | None = None

    def own_fields(self) -> dict[str, Any]:
        return {
            "issueType": self.issue_type,
            "priority": self.priority,
            "parent": self.parent,
            "labels": self.labels,
        }


class OldResilientPush(OldPush):
    incident_types: list[str | int] | None = None
    severity_code: str | int | None = None

    def own_fields(self) -> dict[str, Any]:
        return {"incidentTypes": self.incident_types, "severityCode": self.severity_code}


OLD_PUSHES: Mapping[str, type[OldPush]] = {
    ".servicenow": OldServiceNowPush,
    ".jira": OldJiraPush,
    ".resilient": OldResilientPush,
}
"""The types a client of that time can push to."""


def incident_params(type_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The params of a `pushToService` as of today, whichever release they are from; `incident` tells them apart.

    msgspec.ValidationError says what is wrong with those of 7.10.
    """
    shape = OLD_PUSHES.get(type_id)
    if shape is None or "incident" in params:
        return dict(params)
    return msgspec.convert(params, shape).to_params(type_id)
