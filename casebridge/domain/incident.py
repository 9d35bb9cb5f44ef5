"""From a case to the incident a connector sends, and what came back (contract push.md 2)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from casebridge.domain.attachment import ACTIONS, ALERT, USER, Attachment
from casebridge.domain.case import Case
from casebridge.domain.connector import MAPPINGS
from casebridge.domain.space import case_url
from casebridge.domain.text import trimmed
from casebridge.domain.user import User

PUSHED_TYPES = (USER, ACTIONS)


class OutgoingComment(msgspec.Struct, frozen=True):
    """A comment to be sent: the attachment's id (or `{case_id}-total-alerts`), its revision and its text."""

    comment_id: str
    revision: int
    text: str


class AcceptedComment(msgspec.Struct, frozen=True):
    """What the ledger holds of a comment: the revision and text accepted last, the external id where one is known.

    `earlier_ids` are those of older revisions that stand there still, since each was added and none edited;
    `earlier_texts` the texts of those whose id was not told.
    """

    comment_id: str
    revision: int
    text: str
    external_id: str | None = None
    earlier_ids: tuple[str, ...] = ()
    earlier_texts: tuple[str, ...] = ()

    @property
    def external_ids(self) -> tuple[str, ...]:
        """Every external comment that is known to be this one."""
        return self.earlier_ids if self.external_id is None else (*self.earlier_ids, self.external_id)

    @property
    def unnamed_texts(self) -> tuple[str, ...]:
        """The text of every external comment that is this one, but whose id was not told."""
        return (*self.earlier_texts, self.text) if self.external_id is None else self.earlier_texts


class Incident(msgspec.Struct, frozen=True):
    """What a push sends. `fields` are those of the connector's `pushToService` (connectors.md 6.1), without
    `externalId`; `comments` are in the order of sending."""

    fields: dict[str, Any]
    comments: tuple[OutgoingComment, ...]
    external_id: str | None = None


Author = Callable[[User | None, User], User]


def describe(case: Case, author: User, public_base_url: str | None) -> str:
    """The description as sent: the case's own, who last updated it, and where its page is (push.md 2.1)."""
    lines = [case.description, "", f"Added by {author.display_name}."]
    if public_base_url:
        url = case_url(public_base_url, case.space, case.owner, case.id)
        lines += ["For more details, open this case in Casebridge.", f"Case URL: {url}"]
    return "\n".join(lines)


def incident_fields(case: Case, connector_type: str, author: User, public_base_url: str | None) -> dict[str, Any]:
    """Mapped title and description plus the extra fields of the connector's type (push.md 2.4, 2.5)."""
    mapped: dict[str, Any] = {}
    values = {"title": case.title, "description": describe(case, author, public_base_url)}
    for row in MAPPINGS[connector_type]:
        if row.source in values and row.target != "not_mapped":
            mapped[row.target] = values[row.source]
    return {**mapped, **_EXTRA_FIELDS[connector_type](case, case.connector.fields or {})}


def _jira(case: Case, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "priority": fields.get("priority"),
        "labels": [re.sub(r"\s+", "-", tag) for tag in case.tags],
        "issueType": fields.get("issueType"),
        "parent": fields.get("parent"),
        "otherFields": fields.get("otherFields"),
    }


def _servicenow(case: Case, fields: Mapping[str, Any]) -> dict[str, Any]:
    named = ("severity", "urgency", "impact", "category", "subcategory")
    return {**{name: fields.get(name) for name in named}, **_correlated(case, fields)}


def _servicenow_sir(case: Case, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without a source of alert documents there are no observables to collect."""
    named = {name: fields.get(name) for name in ("category", "subcategory", "priority")}
    observables: dict[str, list[str]] = {name: [] for name in ("dest_ip", "source_ip", "malware_hash", "malware_url")}
    return {**named, **observables, **_correlated(case, fields)}


def _correlated(case: Case, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What both types of ServiceNow add; the case id is what finds the record again."""
    return {
        "additional_fields": fields.get("additionalFields"),
        "correlation_id": case.id,
        "correlation_display": "Elastic Case",
    }


_SEVERITIES = {"low": 1, "medium": 2, "high": 3, "critical": 4}


def _thehive(case: Case, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"tags": list(case.tags), "tlp": _number(fields.get("tlp")), "severity": _SEVERITIES.get(case.severity, 2)}


def _number(given: Any) -> int | float | None:
    """A number, also one given as text; None where it is none."""
    try:
        value = float(given)
    except (TypeError, ValueError):
        return None
    return int(value) if value.is_integer() else value if math.isfinite(value) else None


def _webhook(case: Case, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": case.title,
        "description": case.description,
        "tags": list(case.tags),
        "id": case.id,
        "severity": case.severity,
        "status": case.status,
    }


def _resilient(case: Case, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "incidentTypes": fields.get("incidentTypes"),
        "severityCode": fields.get("severityCode"),
        "additional_fields": fields.get("additionalFields"),
    }


def _swimlane(case: Case, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"caseId": fields.get("caseId", case.id)}


_EXTRA_FIELDS: dict[str, Callable[[Case, Mapping[str, Any]], dict[str, Any]]] = {
    ".jira": _jira,
    ".servicenow": _servicenow,
    ".servicenow-sir": _servicenow_sir,
    ".thehive": _thehive,
    ".resilient": _resilient,
    ".swimlane": _swimlane,
    ".cases-webhook": _webhook,
}


def comment_text(attachment: Attachment, author: User) -> str | None:
    """The text of a user comment or action as sent, or None when nothing is left to send (push.md 2.2)."""
    payload = attachment.payload
    if attachment.type == USER:
        text = str(payload["comment"])
    else:
        text = _action_text(payload)
    if not trimmed(text):
        return None
    return f"{text}\n\nAdded by {author.display_name}."


_ACTION_VERBS = {"isolate": "Isolated", "unisolate": "Released"}


def _action_text(payload: Mapping[str, Any]) -> str:
    actions = payload["actions"]
    verb = _ACTION_VERBS.get(actions["type"])
    if verb is None:
        return ""
    targets = actions["targets"]
    host = targets[0]["hostname"] if targets else "unknown"
    more = f" and {len(targets) - 1} more" if len(targets) > 1 else ""
    return f"{verb} host {host}{more} with comment: {payload['comment']}"


def due_comments(
    attachments: Sequence[Attachment],
    revisions: Mapping[str, int],
    accepted: Mapping[str, AcceptedComment],
    name: Author,
) -> tuple[list[OutgoingComment], list[OutgoingComment]]:
    """Comments to send, oldest first, and those that count as accepted because they are blank.

    `revisions` maps an attachment's id to the number of its newest `comment` record; `name` chooses between
    the updater and the creator of a comment.
    """
    due, blank = [], []
    for each in attachments:
        revision = revisions.get(each.id, 0)
        known = accepted.get(each.id)
        if each.type not in PUSHED_TYPES or (known is not None and known.revision >= revision):
            continue
        text = comment_text(each, name(each.updated_by, each.created_by))
        if text is None:
            blank.append(OutgoingComment(each.id, revision, ""))
        else:
            due.append(OutgoingComment(each.id, revision, text))
    return due, blank


def alert_total(case: Case, attachments: Sequence[Attachment], public_base_url: str | None) -> str | None:
    """The closing comment with the number of alerts, or None when every alert was pushed before (push.md 2.3)."""
    alerts = [each for each in attachments if each.type == ALERT]
    if all(each.pushed_at is not None for each in alerts):
        return None
    total = sum(_length(each.payload["alertId"]) for each in alerts)
    text = f"Elastic Alerts attached to the case: {total}"
    if not public_base_url:
        return text
    url = case_url(public_base_url, case.space, case.owner, case.id)
    return f"{text}\n\nFor more details, open the alerts in Casebridge.\nAlerts URL: {url}/?tabId=alerts"


def _length(ids: str | Sequence[str]) -> int:
    return 1 if isinstance(ids, str) else len(ids)


class PushedComment(msgspec.Struct, frozen=True):
    """A comment the external system accepted."""

    comment_id: str
    external_id: str | None
    pushed_at: datetime


class PushResult(msgspec.Struct, frozen=True):
    """What came back of a push: id, title and address of the external record."""

    external_id: str
    title: str
    url: str
    comments: tuple[PushedComment, ...] = ()
