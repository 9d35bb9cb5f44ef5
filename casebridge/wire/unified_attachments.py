"""Attachments in their unified form (contract attachments.md 8): one shape for all types, a reference or a value.

The same stored objects read in the classic shapes elsewhere. What the contract leaves open: host actions are a value
`{comment, actions}` of the type `actions`; where a reference is stored does not show, a new one is a document, a file a
stored object, and a replaced one stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from casebridge.domain.attachment import (
    ACTIONS,
    ALERT,
    EXTERNAL_REFERENCE,
    FILES,
    PERSISTABLE_STATE,
    USER,
    Attachment,
    AttachmentTypes,
    Payload,
    normalised,
)
from casebridge.domain.errors import InvalidInput
from casebridge.domain.version import version_text
from casebridge.wire.attachments import HostActions, Rule
from casebridge.wire.base import Body, Shape, User, time_or_null, time_text

COMMENT = "comment"
ALERTS_OF = {"securitySolution": "security.alert", "observability": "observability.alert", "cases": "stack.alert"}
"""Owner -> how its alerts are called."""


class UnifiedQuery(Body):
    """Query of the list; without `type` all attachments are meant."""

    type: list[str] | None = None
    page: int = 1
    perPage: int = 20
    sortOrder: Literal["asc", "desc"] = "asc"


class NewUnified(Body):
    """An attachment as sent: `attachmentId` makes it a reference, without it `data` is the value."""

    type: str
    owner: str
    attachmentId: str | list[str] | UnsetType = UNSET
    data: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class ChangedUnified(NewUnified, kw_only=True):
    """The full replacement of an attachment at the version the caller read."""

    version: str


class UnifiedShape(Shape):
    """An attachment as answered."""

    id: str
    version: str
    type: str
    owner: str
    created_at: str
    created_by: User
    updated_at: str | None
    updated_by: User | None
    pushed_at: str | None
    pushed_by: User | None
    attachmentId: str | list[str] | UnsetType = UNSET
    data: dict[str, Any] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET


class UnifiedPage(Shape):
    """A page of attachments."""

    data: list[UnifiedShape]
    page: int
    per_page: int
    total: int


# Names of types


def unified_type(payload: Payload) -> str:
    """How the unified form calls the type of an attachment."""
    if payload["type"] == ALERT:
        return ALERTS_OF[payload["owner"]]
    if payload["type"] == EXTERNAL_REFERENCE:
        return str(payload["externalReferenceAttachmentTypeId"])
    if payload["type"] == PERSISTABLE_STATE:
        return str(payload["persistableStateAttachmentTypeId"])
    return COMMENT if payload["type"] == USER else str(payload["type"])


def check_types(names: Iterable[str], known: AttachmentTypes) -> None:
    """InvalidInput, naming it, for a type that there is not."""
    for name in names:
        if name not in {COMMENT, ACTIONS, *ALERTS_OF.values(), *known.references, *known.states}:
            raise InvalidInput("type", f"the attachment type {name!r} is not registered.")


# From the unified form


class _Content(Body):
    content: str


class _ActionsData(Body):
    comment: str
    actions: HostActions


class _AlertMetadata(Body):
    index: str | list[str]
    rule: Rule = msgspec.field(default_factory=lambda: Rule(id=None, name=None))


def payload_of_unified(sent: NewUnified, known: AttachmentTypes, stored: Payload | None = None) -> dict[str, Any]:
    """The attachment in its classic form; `stored` is what it replaces. InvalidInput when the parts do not fit."""
    check_types([sent.type], known)
    if sent.type == COMMENT:
        return {"type": USER, "owner": sent.owner, "comment": _value(sent, _Content)["content"]}
    if sent.type == ACTIONS:
        return {"type": ACTIONS, "owner": sent.owner, **_value(sent, _ActionsData)}
    if sent.type in ALERTS_OF.values():
        return _alerts(sent)
    if sent.type in known.states and not (sent.type in known.references and sent.attachmentId is not UNSET):
        return {
            "type": PERSISTABLE_STATE,
            "owner": sent.owner,
            "persistableStateAttachmentTypeId": sent.type,
            "persistableStateAttachmentState": _value(sent, dict),
        }
    return _reference(sent, stored)


def _alerts(sent: NewUnified) -> dict[str, Any]:
    if sent.type != ALERTS_OF.get(sent.owner, sent.type):
        raise InvalidInput("type", f"alerts of {sent.owner} are of the type {ALERTS_OF[sent.owner]}, not {sent.type}.")
    ids = _reference_ids(sent)
    metadata = _part("metadata", sent.metadata, _AlertMetadata)
    return {"type": ALERT, "owner": sent.owner, "alertId": ids, "index": metadata["index"], "rule": metadata["rule"]}


def _reference(sent: NewUnified, stored: Payload | None) -> dict[str, Any]:
    ids = _reference_ids(sent)
    if not isinstance(ids, str) and len(ids) != 1:
        raise InvalidInput("attachmentId", f"a reference of the type {sent.type} has one id, given {len(ids)}.")
    storage: Mapping[str, Any] = {"type": "elasticSearchDoc"}
    if sent.type == FILES:
        storage = {"type": "savedObject", "soType": "file"}
    elif stored is not None:
        storage = stored.get("externalReferenceStorage", storage)
    return {
        "type": EXTERNAL_REFERENCE,
        "owner": sent.owner,
        "externalReferenceAttachmentTypeId": sent.type,
        "externalReferenceId": ids if isinstance(ids, str) else ids[0],
        "externalReferenceMetadata": sent.metadata,
        "externalReferenceStorage": storage,
    }


def _reference_ids(sent: NewUnified) -> str | list[str]:
    if isinstance(sent.attachmentId, UnsetType):
        raise InvalidInput("attachmentId", f"an attachment of the type {sent.type} is a reference and needs its id.")
    if sent.data is not None:
        raise InvalidInput("data", f"an attachment of the type {sent.type} is a reference; no data is kept of it.")
    return sent.attachmentId


def _value(sent: NewUnified, type_: type) -> dict[str, Any]:
    if sent.attachmentId is not UNSET:
        raise InvalidInput("attachmentId", f"an attachment of the type {sent.type} is a value and has no reference.")
    if sent.metadata is not None:
        raise InvalidInput("metadata", f"an attachment of the type {sent.type} is a value; no metadata is kept of it.")
    return _part("data", sent.data, type_)


def _part(field: str, given: dict[str, Any] | None, type_: type) -> dict[str, Any]:
    """A part of the request, which has to be of that shape."""
    if given is None:
        raise InvalidInput(field, "is required for this type of attachment.")
    try:
        checked: dict[str, Any] = msgspec.to_builtins(msgspec.convert(given, type_))
    except msgspec.ValidationError as error:
        raise InvalidInput(field, f"{error}.") from None
    return checked


# To the unified form


def unified_shape(attachment: Attachment) -> UnifiedShape:
    """An attachment as answered."""
    payload = normalised(attachment.payload)
    shape = UnifiedShape(
        id=attachment.id,
        version=version_text(attachment.version),
        type=unified_type(payload),
        owner=attachment.owner,
        created_at=time_text(attachment.created_at),
        created_by=User.of(attachment.created_by),
        updated_at=time_or_null(attachment.updated_at),
        updated_by=User.of_maybe(attachment.updated_by),
        pushed_at=time_or_null(attachment.pushed_at),
        pushed_by=User.of_maybe(attachment.pushed_by),
    )
    if attachment.type == ALERT:
        shape.attachmentId = payload["alertId"]
        shape.metadata = {"index": payload["index"], "rule": payload["rule"]}
    elif attachment.type == EXTERNAL_REFERENCE:
        shape.attachmentId = payload["externalReferenceId"]
        shape.metadata = payload["externalReferenceMetadata"]
    elif attachment.type == PERSISTABLE_STATE:
        shape.data = payload["persistableStateAttachmentState"]
    elif attachment.type == ACTIONS:
        shape.data = {"comment": payload["comment"], "actions": payload["actions"]}
    else:
        shape.data = {"content": payload["comment"]}
    return shape
