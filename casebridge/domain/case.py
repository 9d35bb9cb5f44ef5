"""A case and its rules: opening, changing, closing (contract cases.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from casebridge.domain import limits
from casebridge.domain.connector import NO_CONNECTOR, CaseConnector
from casebridge.domain.custom_field import (
    CustomFieldDefinition,
    CustomFieldValue,
    changed_values,
    check_value,
    check_values,
    fill,
)
from casebridge.domain.errors import InvalidInput
from casebridge.domain.observable import Observable
from casebridge.domain.text import check_count, check_length, trimmed
from casebridge.domain.user import User
from casebridge.domain.user_action import Activity

OPEN, IN_PROGRESS, CLOSED = "open", "in-progress", "closed"
STATUSES = (OPEN, IN_PROGRESS, CLOSED)
SEVERITIES = ("low", "medium", "high", "critical")


class ExternalService(msgspec.Struct, frozen=True):
    """What the case remembers of its last push (push.md 4)."""

    connector_id: str
    connector_name: str
    external_id: str
    external_title: str
    external_url: str
    pushed_at: datetime
    pushed_by: User


class Counts(msgspec.Struct, frozen=True):
    """How much hangs on a case; kept with it, so that limits hold under parallel requests."""

    user_comments: int = 0
    attachments: int = 0
    alerts: int = 0
    references: int = 0
    files: int = 0
    actions: int = 0


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case as stored. `version` is the number inside the wire's version text; `pk` the order of creation."""

    id: str
    space: str
    owner: str
    title: str
    description: str
    tags: tuple[str, ...]
    created_at: datetime
    created_by: User
    pk: int = 0
    version: int = 0
    incremental_id: int | None = None
    severity: str = "low"
    status: str = OPEN
    category: str | None = None
    assignees: tuple[str, ...] = ()
    custom_fields: tuple[CustomFieldValue, ...] = ()
    sync_alerts: bool = True
    connector: CaseConnector = NO_CONNECTOR
    external_service: ExternalService | None = None
    observables: tuple[Observable, ...] = ()
    counts: Counts = Counts()
    updated_at: datetime | None = None
    updated_by: User | None = None
    closed_at: datetime | None = None
    closed_by: User | None = None
    duration_s: int | None = None
    in_progress_at: datetime | None = None
    time_to_acknowledge_s: int | None = None
    time_to_investigate_s: int | None = None
    time_to_resolve_s: int | None = None


class NewCase(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller gives to open a case. `custom_fields` None: not sent."""

    owner: str
    title: str
    description: str
    tags: tuple[str, ...]
    connector: CaseConnector
    sync_alerts: bool = True
    severity: str = "low"
    category: str | None = None
    assignees: tuple[str, ...] = ()
    custom_fields: tuple[CustomFieldValue, ...] | None = None


class CaseChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller wants changed; UNSET fields stay.

    `order` holds field names in the order in which the caller sent them: the activity follows it.
    """

    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    status: str | UnsetType = UNSET
    severity: str | UnsetType = UNSET
    category: str | UnsetType | None = UNSET
    assignees: tuple[str, ...] | UnsetType = UNSET
    connector: CaseConnector | UnsetType = UNSET
    custom_fields: tuple[CustomFieldValue, ...] | UnsetType = UNSET
    sync_alerts: bool | UnsetType = UNSET
    owner: str | UnsetType = UNSET
    order: tuple[str, ...] = ()

    def given(self) -> list[str]:
        """Names of the fields that were sent, in the order they were sent where it is known."""
        names = dict.fromkeys((*self.order, *self.__struct_fields__))
        return [name for name in names if name != "order" and getattr(self, name) is not UNSET]


class Change(msgspec.Struct, frozen=True):
    """A case as it shall be and the activity that leads there."""

    case: Case
    activity: tuple[Activity, ...] = ()


class Rules(msgspec.Struct, frozen=True):
    """What the texts of a case must keep to, which differs between the dialects.

    Lengths of texts that are stored as sent count as sent, without trimming, and may be 0.
    """

    title: int = limits.TITLE
    tag: int = limits.TAG
    trim: bool = True
    enforce_required: bool = True

    def check_text(self, field: str, text: str, most: int) -> None:
        """InvalidInput for a title or tag whose length these rules do not allow."""
        if self.trim:
            check_length(field, text, most)
        elif len(text) > most:
            raise InvalidInput(field, f"at most {most} characters are allowed, given {len(text)}.")


TODAY = Rules()
LEGACY = Rules(limits.LEGACY_TEXT, limits.LEGACY_TEXT, trim=False, enforce_required=False)
"""Those of the 7.10 dialect, which trimmed nothing and checked hardly anything (dialect-7.10.md 1)."""


def check_new_case(new: NewCase, rules: Rules = TODAY) -> None:
    """InvalidInput for the first value over a limit (cases.md 2.1)."""
    rules.check_text("title", new.title, rules.title)
    check_length("description", new.description, limits.DESCRIPTION)
    _check_tags(new.tags, rules)
    if new.category is not None:
        check_length("category", new.category, limits.CATEGORY)
    _check_keys(new.connector, new.assignees)
    _check_custom_fields(new.custom_fields or ())


def check_changes(changes: CaseChanges, at: str, rules: Rules = TODAY) -> None:
    """InvalidInput for the first value over a limit; `at` is the path of the entry, such as `cases[0].`."""
    if isinstance(changes.title, str):
        rules.check_text(f"{at}title", changes.title, rules.title)
    if isinstance(changes.description, str):
        check_length(f"{at}description", changes.description, limits.DESCRIPTION)
    if not isinstance(changes.tags, UnsetType):
        _check_tags(changes.tags, rules, at)
    if isinstance(changes.category, str):
        check_length(f"{at}category", changes.category, limits.CATEGORY)
    _check_keys(
        NO_CONNECTOR if isinstance(changes.connector, UnsetType) else changes.connector,
        () if isinstance(changes.assignees, UnsetType) else changes.assignees,
        at,
    )
    if not isinstance(changes.custom_fields, UnsetType):
        _check_custom_fields(changes.custom_fields, at)


def _check_tags(tags: Sequence[str], rules: Rules, at: str = "") -> None:
    check_count(f"{at}tags", tags, limits.TAGS)
    for place, tag in enumerate(tags):
        rules.check_text(f"{at}tags[{place}]", tag, rules.tag)


def _check_keys(connector: CaseConnector, assignees: Sequence[str], at: str = "") -> None:
    """Ids of things elsewhere have no limit upstream; ours keeps them short enough for an index of the store."""
    if len(connector.id) > limits.CASE_CONNECTOR_ID:
        raise InvalidInput(f"{at}connector.id", f"at most {limits.CASE_CONNECTOR_ID} characters are allowed.")
    if any(len(uid) > limits.ASSIGNEE_UID for uid in assignees):
        raise InvalidInput(f"{at}assignees", f"a uid may have {limits.ASSIGNEE_UID} characters at most.")


def _check_custom_fields(values: Sequence[CustomFieldValue], at: str = "") -> None:
    check_count(f"{at}customFields", values, limits.CUSTOM_FIELDS)
    for place, each in enumerate(values):
        check_value(f"{at}customFields[{place}].value", each.type, each.value)


def open_case(
    new: NewCase,
    definitions: Sequence[CustomFieldDefinition],
    *,
    id_: str,
    space: str,
    by: User,
    at: datetime,
    enforce_required: bool = True,
    trim: bool = True,
) -> Change:
    """The new case and its one activity entry. InvalidInput when custom fields do not fit the definitions.

    `enforce_required` and `trim` are off for clients of the 7.10 dialect, which know neither rule.
    """
    sent = new.custom_fields or ()
    check_values(sent, definitions, enforce_required=enforce_required)
    clean = trimmed if trim else _as_sent
    case = Case(
        id=id_,
        space=space,
        owner=new.owner,
        title=clean(new.title),
        description=clean(new.description),
        tags=tuple(clean(tag) for tag in new.tags),
        severity=new.severity,
        category=None if new.category is None else clean(new.category),
        assignees=distinct(new.assignees),
        custom_fields=fill(sent, definitions),
        sync_alerts=new.sync_alerts,
        connector=new.connector.normalised(),
        created_at=at,
        created_by=by,
    )
    return Change(case, (Activity("create_case", "create", creation_payload(case)),))


def creation_payload(case: Case) -> dict[str, Any]:
    """Payload of the `create_case` entry, keys as on the wire (activity.md 3.1)."""
    return {
        "title": case.title,
        "description": case.description,
        "tags": list(case.tags),
        "owner": case.owner,
        "status": case.status,
        "severity": case.severity,
        "assignees": [{"uid": uid} for uid in case.assignees],
        "settings": {"syncAlerts": case.sync_alerts},
        "category": case.category,
        "customFields": [msgspec.to_builtins(each) for each in case.custom_fields],
        "connector": msgspec.to_builtins(case.connector),
    }


def real_changes(case: Case, changes: CaseChanges) -> CaseChanges:
    """Only what differs from the stored case, compared before trimming; lists as sets (cases.md 3.1 step 6)."""
    kept: dict[str, Any] = {}
    for name in changes.given():
        new, old = getattr(changes, name), getattr(case, name)
        if name in ("tags", "assignees"):
            differs = set(new) != set(old)
        elif name == "custom_fields":
            differs = _as_set(new) != _as_set(old)
        elif name == "connector":
            differs = new.normalised() != old
        else:
            differs = new != old
        if differs:
            kept[name] = new
    return CaseChanges(order=tuple(kept), **kept)


def _as_set(values: Iterable[CustomFieldValue]) -> set[tuple[str, str, str, Any]]:
    return {(each.key, each.type, type(each.value).__name__, each.value) for each in values}


def change_case(
    case: Case,
    changes: CaseChanges,
    definitions: Sequence[CustomFieldDefinition],
    *,
    by: User,
    at: datetime,
    trim: bool = True,
) -> Change:
    """The changed case and one activity entry per changed field, `changes` being real ones (see `real_changes`).

    InvalidInput when the owner would change or custom fields do not fit the definitions.
    """
    if not isinstance(changes.owner, UnsetType):
        raise InvalidInput("owner", f"the owner of a case cannot change from {case.owner}.")
    values = {name: getattr(changes, name) for name in changes.given()}
    if not isinstance(changes.custom_fields, UnsetType):
        check_values(changes.custom_fields, definitions)
        values["custom_fields"] = fill(changes.custom_fields, definitions)
    if not isinstance(changes.assignees, UnsetType):
        values["assignees"] = distinct(changes.assignees)
    if not isinstance(changes.connector, UnsetType):
        values["connector"] = changes.connector.normalised()
    if trim:
        _trim(values)
    status = values.pop("status", case.status)
    changed = msgspec.structs.replace(case, updated_at=at, updated_by=by, **values)
    moved = with_status(changed, status, by=by, at=at)
    values["status"] = status
    return Change(moved, tuple(_activity(case, values, changes.given())))


def with_status(case: Case, status: str, *, by: User, at: datetime) -> Case:
    """The case in that status with its closing data and times (cases.md 4.1, 4.3); the same if it is there already."""
    if status == case.status:
        return case
    closing = status == CLOSED
    moved = msgspec.structs.replace(
        case,
        status=status,
        closed_at=at if closing else None,
        closed_by=by if closing else None,
        duration_s=_seconds(case.created_at, at) if closing and at >= case.created_at else None,
    )
    return _timed(moved, status, at)


def _timed(case: Case, status: str, at: datetime) -> Case:
    start = case.in_progress_at
    if at < case.created_at or (start is not None and not case.created_at <= start <= at):
        return case
    if status == IN_PROGRESS:
        return msgspec.structs.replace(
            case,
            in_progress_at=start or at,
            time_to_acknowledge_s=_seconds(case.created_at, at),
            time_to_investigate_s=None,
            time_to_resolve_s=None,
        )
    if status == CLOSED:
        return msgspec.structs.replace(
            case,
            time_to_acknowledge_s=_seconds(case.created_at, start or at),
            time_to_investigate_s=_seconds(start, at) if start else 0,
            time_to_resolve_s=_seconds(case.created_at, at),
        )
    return msgspec.structs.replace(case, time_to_acknowledge_s=None, time_to_investigate_s=None, time_to_resolve_s=None)


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds() // 1)


def _activity(old: Case, values: dict[str, Any], order: Iterable[str]) -> Iterable[Activity]:
    for name in order:
        yield from _field_activity(old, name, values[name])


def _field_activity(old: Case, name: str, new: Any) -> Iterable[Activity]:
    if name == "tags":
        yield from _difference("tags", old.tags, new, lambda tag: tag)
    elif name == "assignees":
        yield from _difference("assignees", old.assignees, new, lambda uid: {"uid": uid})
    elif name == "custom_fields":
        for each in changed_values(old.custom_fields, new):
            yield Activity("customFields", "update", {"customFields": [msgspec.to_builtins(each)]})
    elif name == "sync_alerts":
        yield Activity("settings", "update", {"settings": {"syncAlerts": new}})
    elif name == "connector":
        yield Activity("connector", "update", {"connector": msgspec.to_builtins(new)})
    else:
        yield Activity(name, "update", {name: new})


def _difference(name: str, old: Sequence[str], new: Sequence[str], shape: Any) -> Iterable[Activity]:
    added = [shape(each) for each in distinct(new) if each not in old]
    removed = [shape(each) for each in distinct(old) if each not in new]
    if added:
        yield Activity(name, "add", {name: added})
    if removed:
        yield Activity(name, "delete", {name: removed})


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """Each value once, the first one stays."""
    return tuple(dict.fromkeys(values))


def _trim(values: dict[str, Any]) -> None:
    for name in ("title", "description", "category"):
        if isinstance(values.get(name), str):
            values[name] = trimmed(values[name])
    if "tags" in values:
        values["tags"] = tuple(trimmed(tag) for tag in values["tags"])


def _as_sent(text: str) -> str:
    return text
