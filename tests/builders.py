"""Cases, configurations, deliveries and what hangs on them, ready made: a test names only what matters to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from msgspec import UNSET

from casebridge.domain.attachment import ACTIONS, ALERT, USER, Attachment
from casebridge.domain.case import CLOSED, Case, ExternalService, NewCase
from casebridge.domain.configuration import Configuration
from casebridge.domain.connector import NO_CONNECTOR, CaseConnector, Connector
from casebridge.domain.custom_field import CustomFieldDefinition, CustomFieldValue
from casebridge.domain.delivery import QUEUED, Delivery
from casebridge.domain.user import User
from casebridge.domain.user_action import UserAction

AT = datetime(2024, 5, 17, 8, 3, 59, 120_000, UTC)
"""When things are made unless a test says otherwise."""

DANA = User("dana", "Dana Lee", "dana@example.org")
OMAR = User("omar", "Omar Diaz", None, "u_omar_0")
JIRA = CaseConnector(
    "jira-1", "Tracker", ".jira", {"issueType": "10001", "priority": "High", "parent": None}
)  # fmt: skip


def later(seconds: float, since: datetime = AT) -> datetime:
    """So many seconds after `since`."""
    return since + timedelta(seconds=seconds)


def a_new_case(**given: Any) -> NewCase:
    """What somebody wants opened."""
    fields = {
        "owner": "cases",
        "title": "Badge reader offline",
        "description": "Door 4 stopped answering.",
        "tags": ("doors", "site-b"),
        "connector": NO_CONNECTOR,
    }
    return NewCase(**{**fields, **given})


def a_case(**given: Any) -> Case:
    """A stored case. `status="closed"` brings its closing data along: closed by Omar, a minute after it was opened."""
    fields = {
        "id": "case-1",
        "space": "default",
        "owner": "cases",
        "title": "Badge reader offline",
        "description": "Door 4 stopped answering.",
        "tags": ("doors", "site-b"),
        "created_at": AT,
        "created_by": DANA,
        "pk": 1,
        "version": 58,
        "incremental_id": 12,
    }
    closing = {
        "closed_at": later(60),
        "closed_by": OMAR,
        "duration_s": 60,
        "time_to_acknowledge_s": 60,
        "time_to_investigate_s": 0,
        "time_to_resolve_s": 60,
    }
    return Case(**{**fields, **(closing if given.get("status") == CLOSED else {}), **given})


def an_external_service(**given: Any) -> ExternalService:
    """What a case remembers of its last push."""
    fields = {
        "connector_id": "jira-1",
        "connector_name": "Tracker",
        "external_id": "10044",
        "external_title": "OPS-12",
        "external_url": "https://jira.example.org/browse/OPS-12",
        "pushed_at": later(30),
        "pushed_by": DANA,
    }
    return ExternalService(**{**fields, **given})


def a_definition(
    key: str = "region",
    type_: Literal["text", "toggle", "number"] = "text",
    *,
    required: bool = False,
    default: Any = UNSET,
    label: str | None = None,
) -> CustomFieldDefinition:
    """A custom field of a configuration; its label is the key with a capital unless given."""
    return CustomFieldDefinition(key, key.capitalize() if label is None else label, type_, required, default)


def a_value(
    key: str = "region", value: Any = "EMEA", type_: Literal["text", "toggle", "number"] | None = None
) -> CustomFieldValue:
    """A custom field of a case; its type is that of the value unless given."""
    kinds: dict[type, Literal["text", "toggle", "number"]] = {str: "text", bool: "toggle", int: "number"}
    return CustomFieldValue(key, kinds.get(type(value), "text") if type_ is None else type_, value)


def a_template(key: str = "phish", case_fields: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """A template as sent. `case_fields` are the keys of `caseFields`, which is null without any."""
    return {"key": key, "name": key.capitalize(), "caseFields": case_fields, **given}


def a_configuration(**given: Any) -> Configuration:
    """A stored configuration without a connector or lists."""
    fields = {
        "id": "configuration-1",
        "space": "default",
        "owner": "cases",
        "connector": NO_CONNECTOR,
        "closure_type": "close-by-user",
        "created_at": AT,
        "created_by": DANA,
        "version": 202,
    }
    return Configuration(**{**fields, **given})


def a_connector(**given: Any) -> Connector:
    """A stored connector to a Jira."""
    fields = {
        "id": "jira-1",
        "space": "default",
        "name": "Tracker",
        "type": ".jira",
        "config": {"apiUrl": "https://jira.example.org", "projectKey": "OPS"},
        "sealed": b"sealed",
        "version": 5,
    }
    return Connector(**{**fields, **given})


def a_user_comment(comment: str = "called the site", **given: Any) -> Attachment:
    """A user comment on `case-1`."""
    return _attachment("comment-1", USER, {"comment": comment}, given)


def an_alert(*alert_ids: str, **given: Any) -> Attachment:
    """An attachment of one or more alerts."""
    ids = list(alert_ids) or ["evt-81"]
    payload = {"alertId": ids, "index": ["detections-1"] * len(ids), "rule": {"id": None, "name": None}}
    return _attachment("alert-1", ALERT, payload, given)


def an_action(type_: str = "isolate", *hosts: str, comment: str = "contain first", **given: Any) -> Attachment:
    """An attachment that tells of an action on hosts."""
    targets = [{"hostname": host, "endpointId": f"ep-{host}"} for host in hosts]
    return _attachment("action-1", ACTIONS, {"comment": comment, "actions": {"type": type_, "targets": targets}}, given)


def _attachment(id_: str, type_: str, payload: dict[str, Any], given: dict[str, Any]) -> Attachment:
    owner = given.get("owner", "cases")
    fields = {
        "id": id_,
        "case_id": "case-1",
        "seq": 1,
        "type": type_,
        "owner": owner,
        "payload": {"type": type_, "owner": owner, **payload},
        "created_at": AT,
        "created_by": DANA,
        "version": 77,
    }
    return Attachment(**{**fields, **given})


def a_user_action(type_: str = "title", action: str = "update", **given: Any) -> UserAction:
    """A stored record of a change."""
    fields = {
        "id": "action-1",
        "case_id": "case-1",
        "seq": 2,
        "payload": {"title": "Better title"},
        "owner": "cases",
        "created_at": AT,
        "created_by": DANA,
    }
    return UserAction(type=type_, action=action, **{**fields, **given})


def a_delivery(state: str = QUEUED, **given: Any) -> Delivery:
    """A push of `case-1` through `jira-1`, asked for by hand."""
    fields = {
        "id": "delivery-1",
        "space": "default",
        "case_id": "case-1",
        "connector_id": "jira-1",
        "connector_type": ".jira",
        "owner": "cases",
        "origin": "manual",
        "created_at": AT,
        "created_by": DANA,
        "version": 91,
    }
    return Delivery(state=state, **{**fields, **given})
