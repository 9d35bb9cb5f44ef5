"""Attachments of a case, "comments" in paths: user comments, alerts and references (contract attachments.md)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from casebridge.domain import limits
from casebridge.domain.case import Counts
from casebridge.domain.errors import InvalidInput, LimitExceeded
from casebridge.domain.text import check_length
from casebridge.domain.user import User

USER, ALERT, ACTIONS = "user", "alert", "actions"
EXTERNAL_REFERENCE, PERSISTABLE_STATE = "externalReference", "persistableState"
FILES = ".files"

Payload = Mapping[str, Any]
"""The request's fields of an attachment, `type` and `owner` included, keys as on the wire."""


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


class AttachmentTypes(msgspec.Struct, frozen=True):
    """The registered type ids, without which references and states are refused (attachments.md 1)."""

    references: frozenset[str] = frozenset({FILES, "endpoint", "osquery", "indicator"})
    states: frozenset[str] = frozenset(
        {
            ".lens", "ml_anomaly_swimlane", "ml_anomaly_charts", "ml_single_metric_viewer", "aiopsChangePointChart",
            "aiopsPatternAnalysisEmbeddable", "aiopsLogRateAnalysisEmbeddable",
        }
    )  # fmt: skip

    def with_more(self, references: Iterable[str], states: Iterable[str]) -> AttachmentTypes:
        """These and others that an operator named."""
        return AttachmentTypes(self.references.union(references), self.states.union(states))

    def check(self, payload: Payload) -> None:
        """InvalidInput, naming the id, unless the payload's type id is registered."""
        if payload["type"] == EXTERNAL_REFERENCE:
            self._check("externalReferenceAttachmentTypeId", payload, self.references)
        elif payload["type"] == PERSISTABLE_STATE:
            self._check("persistableStateAttachmentTypeId", payload, self.states)

    def _check(self, field: str, payload: Payload, known: Collection[str]) -> None:
        if payload[field] not in known:
            raise InvalidInput(field, f"the attachment type {payload[field]!r} is not registered.")


# What a payload may hold


def check_payload(payload: Payload) -> None:
    """InvalidInput for a value that breaks a rule of attachments.md 1 which its types do not tell; uneven alert lists
    are `check_pairs`' business."""
    if payload["type"] in (USER, ACTIONS):
        check_comment(payload["comment"])
    elif is_file(payload):
        _check_file(payload)


def check_comment(text: str, field: str = "comment") -> None:
    """InvalidInput unless the trimmed text has 1 to 30,000 characters; it is stored untrimmed."""
    check_length(field, text, limits.COMMENT)


_FILE_KEYS = {"name", "extension", "mimeType", "created"}


def _check_file(payload: Payload) -> None:
    metadata = payload["externalReferenceMetadata"]
    files = metadata.get("files") if isinstance(metadata, dict) and set(metadata) == {"files"} else None
    if not isinstance(files, list) or len(files) != 1 or not _is_file_entry(files[0]):
        raise InvalidInput(
            "externalReferenceMetadata",
            "a file needs exactly files: [{name, extension, mimeType, created}], one entry of four texts.",
        )
    if dict(payload["externalReferenceStorage"]) != {"type": "savedObject", "soType": "file"}:
        raise InvalidInput("externalReferenceStorage", "a file needs the type savedObject and the soType file.")


def _is_file_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict) and set(entry) == _FILE_KEYS and all(isinstance(each, str) for each in entry.values())
    )


def check_pairs(payload: Payload) -> None:
    """InvalidInput, holding both lists, unless every alert id has its index."""
    if payload["type"] != ALERT:
        return
    ids, indices = _listed(payload["alertId"]), _listed(payload["index"])
    if len(ids) != len(indices):
        shown = f"alertId {_shown(ids)}, index {_shown(indices)}"
        raise InvalidInput("alertId", f"every alert id needs one index, given {shown}.")


def _shown(values: Sequence[str]) -> str:
    return msgspec.json.encode(values).decode()


def _listed(values: str | Sequence[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)


def normalised(payload: Payload) -> dict[str, Any]:
    """The payload as it is stored: alert ids and indices are lists."""
    if payload["type"] != ALERT:
        return dict(payload)
    return {**payload, "alertId": _listed(payload["alertId"]), "index": _listed(payload["index"])}


# Alerts


class Alert(msgspec.Struct, frozen=True):
    """An attached alert: its id, the index that holds its document, and since when."""

    id: str
    index: str
    attached_at: datetime


def alerts_of(attachments: Iterable[Attachment]) -> list[Alert]:
    """The alerts of these attachments in order; uneven lists, as old imports may hold, are left out."""
    found = []
    for each in attachments:
        if each.type == ALERT:
            ids, indices = _listed(each.payload["alertId"]), _listed(each.payload["index"])
            if len(ids) == len(indices):
                found += [Alert(*pair, each.created_at) for pair in zip(ids, indices, strict=True)]
    return found


def alert_ids(payloads: Iterable[Payload]) -> list[str]:
    """Every alert id of these payloads, in order, repeated as they are."""
    return [id_ for each in payloads if each["type"] == ALERT for id_ in _listed(each["alertId"])]


def without_repeats(payloads: Sequence[Payload], known: Collection[str]) -> list[dict[str, Any] | None]:
    """Each payload as it shall be stored: alerts that are known, or came earlier in the list, are taken out with their
    index. None: all its alerts were repeats, so it is not attached (attachments.md 5.1)."""
    seen = set(known)
    kept: list[dict[str, Any] | None] = []
    for each in map(normalised, payloads):
        if each["type"] == ALERT:
            pairs = []
            for id_, index in zip(each["alertId"], each["index"], strict=True):
                if id_ not in seen:
                    seen.add(id_)
                    pairs.append((id_, index))
            each = {**each, "alertId": [id_ for id_, _ in pairs], "index": [index for _, index in pairs]}
        kept.append(None if each["type"] == ALERT and not each["alertId"] else each)
    return kept


# Counting


def is_file(payload: Payload) -> bool:
    """Whether this is a file's attachment."""
    return bool(payload["type"] == EXTERNAL_REFERENCE and payload["externalReferenceAttachmentTypeId"] == FILES)


def is_reference(payload: Payload) -> bool:
    """Whether this counts among external references and persistable states; files do not."""
    return payload["type"] in (EXTERNAL_REFERENCE, PERSISTABLE_STATE) and not is_file(payload)


def file_ids(payloads: Iterable[Payload]) -> set[str]:
    """Ids of the files these payloads refer to."""
    return {each["externalReferenceId"] for each in payloads if is_file(each)}


def recounted(counts: Counts, gone: Sequence[Payload], new: Sequence[Payload], alerts: int) -> Counts:
    """The counts of a case when some attachments go and others come; `alerts` are its distinct alert ids then."""

    def moved(before: int, counts_it: Callable[[Payload], bool]) -> int:
        return before + sum(map(counts_it, new)) - sum(map(counts_it, gone))

    return msgspec.structs.replace(
        counts,
        attachments=counts.attachments + len(new) - len(gone),
        user_comments=moved(counts.user_comments, lambda each: bool(each["type"] == USER)),
        references=moved(counts.references, is_reference),
        files=moved(counts.files, is_file),
        alerts=alerts,
    )


def check_limits(counts: Counts, payloads: Sequence[Payload], known_files: Collection[str] = ()) -> None:
    """LimitExceeded when a request would put more on a case than it holds, counted before repeats are taken out.

    `known_files` are ids of the case's files, attached or in the file store. A limit that the request holds nothing of
    plays no role (attachments.md 7).
    """
    alerts = len(alert_ids(payloads))
    if alerts and alerts + counts.alerts > limits.ALERTS:
        raise LimitExceeded("alertId", limits.ALERTS, alerts + counts.alerts, "alerts")
    files = file_ids(payloads)
    if files and len(files.union(known_files)) > limits.FILES:
        raise LimitExceeded("externalReferenceId", limits.FILES, len(files.union(known_files)), "files")
    references = sum(map(is_reference, payloads))
    if references and references + counts.references > limits.REFERENCES:
        noun = "persistable state and external reference attachments"
        raise LimitExceeded("type", limits.REFERENCES, references + counts.references, noun)
