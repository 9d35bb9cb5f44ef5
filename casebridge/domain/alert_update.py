"""What a case tells the documents of its alerts: a workflow status and the ids of its cases (attachments.md 5.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

import msgspec

from casebridge.domain.attachment import Alert
from casebridge.domain.case import CLOSED, IN_PROGRESS, OPEN, Case

QUEUED, WAITING, MISSING, FAILED = "queued", "waiting", "missing", "failed"
STATES = (QUEUED, WAITING, MISSING, FAILED)
"""Of an update that has not arrived: to be sent, to be sent again, without a document, given up. One that has arrived
is forgotten."""

WORKFLOW_STATUS = {OPEN: "open", IN_PROGRESS: "acknowledged", CLOSED: "closed"}
NEW_STATUS, OLD_STATUS, CASE_IDS = "kibana.alert.workflow_status", "signal.status", "kibana.alert.case_ids"
FIELDS = (NEW_STATUS, OLD_STATUS, CASE_IDS)
"""All that is read and written of a document."""

_INDEX = re.compile(r"[^\s\\/*?\"<>|,#:A-Z+_-][^\s\\/*?\"<>|,#:A-Z]*")
_INDEX_BYTES = 255


class AlertUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What one document shall be told. `status` None: it keeps its own; `cases`: which ids it gains (true) or loses."""

    index: str
    alert_id: str
    status: str | None = None
    cases: dict[str, bool] = {}

    @property
    def digest(self) -> str:
        """The key of the document: index and id may be longer than a database's index takes."""
        return sha256(msgspec.json.encode((self.index, self.alert_id))).hexdigest()


class SinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The alert store of one space. `ca` is PEM; `indices` are the patterns of names that may be written."""

    url: str
    username: str | None = None
    password: str | None = None
    api_key: str | None = None
    ca: str | None = None
    indices: tuple[str, ...] = ("*",)

    def __repr__(self) -> str:
        return "SinkSettings()"


def synced_status(old: Case, new: Case) -> str | None:
    """The workflow status that every alert of a changed case takes; None when they keep theirs (cases.md 4.4)."""
    switched_on = new.sync_alerts and not old.sync_alerts
    moved = old.sync_alerts and new.status != old.status
    return WORKFLOW_STATUS[new.status] if switched_on or moved else None


def status_updates(alerts: Iterable[Alert], status: str) -> list[AlertUpdate]:
    """Every alert takes the status."""
    return [AlertUpdate(index=each.index, alert_id=each.id, status=status) for each in alerts]


def link_updates(case: Case, before: Iterable[Alert], after: Iterable[Alert]) -> list[AlertUpdate]:
    """What alerts hear that came to a case, with its status if it is synchronised, or left it."""
    old = {(each.index, each.id) for each in before}
    new = {(each.index, each.id) for each in after}
    status = WORKFLOW_STATUS[case.status] if case.sync_alerts else None
    came = [AlertUpdate(index=index, alert_id=id_, status=status, cases={case.id: True}) for index, id_ in new - old]
    left = [AlertUpdate(index=index, alert_id=id_, cases={case.id: False}) for index, id_ in old - new]
    return [*left, *came]


def merged(updates: Iterable[AlertUpdate]) -> list[AlertUpdate]:
    """One update for each document, in the order of their keys; of two that differ the later counts."""
    found: dict[str, AlertUpdate] = {}
    for each in updates:
        earlier = found.get(each.digest)
        if earlier is not None:
            status = each.status if each.status is not None else earlier.status
            each = msgspec.structs.replace(each, status=status, cases={**earlier.cases, **each.cases})
        found[each.digest] = each
    return [found[digest] for digest in sorted(found)]


def index_problem(index: str, patterns: Iterable[str]) -> str | None:
    """Why an index is not written to; None when it may be. Names that would mean several indices are refused."""
    if not _INDEX.fullmatch(index) or index in (".", "..") or len(index.encode()) > _INDEX_BYTES:
        return "this is not the name of one index"
    if not any(fnmatchcase(index, each) for each in patterns):
        return "the index is none of those the alert sink may write to"
    return None


def patch(source: Mapping[str, Any], update: AlertUpdate) -> dict[str, Any]:
    """The partial document that brings a document up to date; empty when it is already.

    `source` holds FIELDS as the document spells them, in dotted keys or nested objects; the answer keeps to that. The
    status goes to each of the two fields that is there, to the newer one if none is.
    """
    changes: dict[str, Any] = {}
    if update.status is not None:
        present = [field for field in (NEW_STATUS, OLD_STATUS) if _value(source, field) is not None]
        for field in present or [NEW_STATUS]:
            if _value(source, field) != update.status:
                _put(changes, source, field, update.status)
    if _value(source, OLD_STATUS) is not None and _value(source, NEW_STATUS) is None:
        # Documents of that age know nothing of cases.
        return changes
    held = _value(source, CASE_IDS) or []
    ids = [held] if isinstance(held, str) else list(held)
    kept = [id_ for id_ in ids if update.cases.get(id_, True)]
    kept += [id_ for id_, stays in update.cases.items() if stays and id_ not in kept]
    if kept != ids:
        _put(changes, source, CASE_IDS, kept)
    return changes


def _path(source: Mapping[str, Any], field: str) -> tuple[str, ...] | None:
    """The keys that lead to a field, each of which may span several of its names; None when it is not there."""
    for name, value in source.items():
        if name == field:
            return (name,)
        if isinstance(value, Mapping) and field.startswith(f"{name}."):
            below = _path(value, field[len(name) + 1 :])
            if below is not None:
                return (name, *below)
    return None


def _value(source: Mapping[str, Any], field: str) -> Any:
    path = _path(source, field)
    value: Any = source if path is not None else None
    for name in path or ():
        value = value[name]
    return value


def _put(changes: dict[str, Any], source: Mapping[str, Any], field: str, value: Any) -> None:
    """Set a field where the document has it; one it has not goes beside its sister, else under a dotted key."""
    path = _path(source, field)
    if path is None:
        sister = next((found for name in FIELDS if name != OLD_STATUS and (found := _path(source, name))), None)
        last = field.rpartition(".")[2]
        path = (*sister[:-1], last) if sister and len(sister) > 1 and sister[-1].count(".") == 0 else (field,)
    target = changes
    for name in path[:-1]:
        target = target.setdefault(name, {})
    target[path[-1]] = value
