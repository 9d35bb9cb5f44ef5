"""The activity of a case in words: one sentence for each record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from casebridge.domain.user_action import UserAction
from casebridge.web import words
from casebridge.web.people import People

COMMENT_TYPES = ("user",)
CHANGE_TYPES = (
    "create_case", "title", "description", "tags", "assignees", "status", "severity", "category", "settings",
    "connector", "customFields", "observables", "pushed",
)  # fmt: skip
_TEXT_MOST = 120


def sentence(action: UserAction, people: People, labels: Mapping[str, str]) -> str:
    """What happened, after the name of who did it. `labels` maps keys of custom fields to their labels."""
    payload = action.payload
    make = _SENTENCES.get(action.type)
    return make(action, payload, people, labels) if make else f"changed {action.type}"


def _quoted(value: Any) -> str:
    shown = str(value)
    return f"“{shown[:_TEXT_MOST]}{'…' if len(shown) > _TEXT_MOST else ''}”"


def _joined(values: Sequence[str]) -> str:
    return ", ".join(values) if len(values) < 2 else f"{', '.join(values[:-1])} and {values[-1]}"


def _tags(action: UserAction, payload: Mapping[str, Any], people: People, labels: Mapping[str, str]) -> str:
    verb = "removed" if action.action == "delete" else "added"
    tags = payload["tags"]
    return f"{verb} the {'tag' if len(tags) == 1 else 'tags'} {_joined(tags)}"


def _assignees(action: UserAction, payload: Mapping[str, Any], people: People, labels: Mapping[str, str]) -> str:
    names = _joined([people.name(each["uid"]) for each in payload["assignees"]])
    return f"unassigned {names}" if action.action == "delete" else f"assigned {names}"


def _fields(action: UserAction, payload: Mapping[str, Any], people: People, labels: Mapping[str, str]) -> str:
    told = []
    for each in payload["customFields"]:
        value = each["value"]
        shown = "nothing" if value is None else {True: "yes", False: "no"}.get(value, _quoted(value))
        told.append(f"{labels.get(each['key'], each['key'])} to {shown}")
    return f"set {_joined(told)}"


def _observables(action: UserAction, payload: Mapping[str, Any], people: People, labels: Mapping[str, str]) -> str:
    told = payload["observables"]
    verb = {"add": "added", "update": "changed", "delete": "removed"}[told["actionType"]]
    return f"{verb} {words.plural(told['count'], 'observable')}"


def _comment(action: UserAction, payload: Mapping[str, Any], people: People, labels: Mapping[str, str]) -> str:
    comment = payload.get("comment") or {}
    verb = {"create": "added", "update": "edited", "delete": "deleted"}[action.action]
    kind = comment.get("type", "user")
    if kind == "alert":
        ids = comment.get("alertId", [])
        return f"{verb} {words.plural(1 if isinstance(ids, str) else len(ids), 'alert')}"
    if comment.get("externalReferenceAttachmentTypeId") == ".files":
        entry = ((comment.get("externalReferenceMetadata") or {}).get("files") or [{}])[0]
        return f"{verb} the file {entry.get('name', '')}.{entry.get('extension', '')}"
    return f"{verb} {'a comment' if kind in ('user', 'actions') else 'an attachment'}"


def _connector(action: UserAction, payload: Mapping[str, Any], people: People, labels: Mapping[str, str]) -> str:
    connector = payload["connector"]
    return "removed the connector" if connector["id"] == "none" else f"chose the connector {connector['name']}"


def _pushed(action: UserAction, payload: Mapping[str, Any], people: People, labels: Mapping[str, str]) -> str:
    service = payload["externalService"]
    return f"pushed the case to {service['connector_name']} as {service['external_title']}"


_SENTENCES: Mapping[str, Any] = {
    "create_case": lambda action, payload, people, labels: "opened the case",
    "title": lambda action, payload, people, labels: f"changed the title to {_quoted(payload['title'])}",
    "description": lambda action, payload, people, labels: "edited the description",
    "status": lambda action, payload, people, labels: f"set the status to {words.STATUS[payload['status']]}",
    "severity": lambda action, payload, people, labels: f"set the severity to {words.SEVERITY[payload['severity']]}",
    "category": lambda action, payload, people, labels: (
        f"set the category to {_quoted(payload['category'])}" if payload["category"] else "removed the category"
    ),
    "settings": lambda action, payload, people, labels: "changed the syncing of alerts",
    "tags": _tags,
    "assignees": _assignees,
    "customFields": _fields,
    "observables": _observables,
    "comment": _comment,
    "connector": _connector,
    "pushed": _pushed,
}
