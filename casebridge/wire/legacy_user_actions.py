"""User actions as 7.10 and 7.11 knew them (contract dialect-7.10.md 7): old and new value as texts.

Records of today's form hold new values only: the old ones are what earlier records of the case said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from casebridge.domain.attachment import ALERT, USER
from casebridge.domain.connector import CaseConnector
from casebridge.domain.user_action import UserAction
from casebridge.wire.base import Shape, time_text
from casebridge.wire.configurations import OldUser, old_connector, old_user
from casebridge.wire.legacy_comments import OLD_TYPES, old_alert

_CREATED = ["description", "status", "tags", "title", "connector", "settings"]
_CREATION_BODY = ("title", "description", "tags")
_USER_KEYS = ("email", "full_name", "username")


class OldUserAction(Shape):
    """A record of the old form."""

    action_field: list[str]
    action: Literal["create", "add", "update", "delete", "push-to-service"]
    action_at: str
    action_by: OldUser
    new_value: str | None
    old_value: str | None
    action_id: str
    case_id: str
    comment_id: str | None


def old_user_actions(records: Iterable[UserAction]) -> list[OldUserAction]:
    """All records of a case that have an old form, oldest first; `records` must be all there are, oldest first."""
    teller = _Teller()
    return [told for each in records if (told := teller.tell(each)) is not None]


class _Teller:
    """Goes through the history of a case and remembers what each field and comment said last."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self._comments: dict[str, str] = {}

    def tell(self, record: UserAction) -> OldUserAction | None:
        """The old form of the next record; None when it has none."""
        payload = record.payload
        if record.type == "create_case":
            return self._creation(record)
        if record.type in ("title", "description", "status", "connector", "settings"):
            text = _field_text(record.type, payload)
            before, self._fields[record.type] = self._fields.get(record.type), text
            return _told(record, record.type, text, before)
        if record.type == "tags":
            return _told(record, "tags", ", ".join(payload["tags"]))
        if record.type == "comment":
            return self._comment(record, payload["comment"])
        if record.type == "pushed":
            return _told(record, "pushed", _json(_service(payload["externalService"])), action="push-to-service")
        return None

    def _creation(self, record: UserAction) -> OldUserAction:
        payload = record.payload
        for name in ("title", "description", "status", "connector", "settings"):
            self._fields[name] = _field_text(name, payload)
        body = {name: payload[name] for name in _CREATION_BODY}
        body["connector"] = _connector(payload["connector"])
        body["settings"] = _settings(payload["settings"])
        told = _told(record, "", _json(body))
        told.action_field = list(_CREATED)
        return told

    def _comment(self, record: UserAction, comment: Mapping[str, Any]) -> OldUserAction | None:
        if comment["type"] not in OLD_TYPES or record.comment_id is None:
            return None
        if record.action == "delete":
            self._comments.pop(record.comment_id, None)
            return _told(record, "comment", None)
        text = _comment_text(comment)
        before, self._comments[record.comment_id] = self._comments.get(record.comment_id), text
        return _told(record, "comment", text, before)


def _told(
    record: UserAction, field: str, new: str | None, old: str | None = None, action: str | None = None
) -> OldUserAction:
    return OldUserAction(
        action_field=[field],
        action=action or record.action,  # type: ignore[arg-type]
        action_at=time_text(record.created_at),
        action_by=old_user(record.created_by),
        new_value=new,
        old_value=old,
        action_id=record.id,
        case_id=record.case_id,
        comment_id=record.comment_id,
    )


def _field_text(name: str, payload: Mapping[str, Any]) -> str:
    if name == "connector":
        return _json(_connector(payload["connector"]))
    if name == "settings":
        return _json(_settings(payload["settings"]))
    return str(payload[name])


def _connector(stored: Mapping[str, Any]) -> Any:
    return msgspec.to_builtins(old_connector(msgspec.convert(stored, CaseConnector)))


def _settings(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {"syncAlerts": stored["syncAlerts"]}


def _service(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {**stored, "pushed_by": {name: stored["pushed_by"][name] for name in _USER_KEYS}}


def _comment_text(comment: Mapping[str, Any]) -> str:
    if comment["type"] == USER:
        return str(comment["comment"])
    return _json({"type": ALERT, **old_alert(dict(comment))})


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
