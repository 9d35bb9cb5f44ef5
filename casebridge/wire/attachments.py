"""Attachments on the wire (contract attachments.md): what may be sent, and how they read.

Each of the five types comes three times: as sent, as sent to replace one, and as answered.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Any, Literal

import msgspec

from casebridge.domain.attachment import Alert, Attachment, normalised
from casebridge.domain.case import Case
from casebridge.domain.version import version_text
from casebridge.wire.base import Body, Shape, User, time_or_null, time_text

# Parts


class Rule(Body):
    """The detection rule an alert came from."""

    id: str | None
    name: str | None


class Target(Body):
    """A host that was acted on."""

    hostname: str
    endpointId: str


class HostActions(Body):
    """What was done on hosts; `isolate` and `unisolate` have a meaning for pushes."""

    targets: list[Target]
    type: str


class DocumentStorage(Body, tag_field="type", tag="elasticSearchDoc"):
    """A reference to a document of the search engine."""


class ObjectStorage(Body, tag_field="type", tag="savedObject"):
    """A reference to a stored object of that kind."""

    soType: str


Storage = DocumentStorage | ObjectStorage


# As sent


class NewUserComment(Body, tag_field="type", tag="user"):
    """A user comment: 1 to 30,000 characters, stored untrimmed."""

    owner: str
    comment: str


class NewAlert(Body, tag_field="type", tag="alert"):
    """Alerts: ids and indices, position by position."""

    owner: str
    alertId: str | list[str]
    index: str | list[str]
    rule: Rule


class NewActions(Body, tag_field="type", tag="actions"):
    """Actions taken on hosts."""

    owner: str
    comment: str
    actions: HostActions


class NewExternalReference(Body, tag_field="type", tag="externalReference"):
    """A reference to something kept elsewhere; a file if its type id is `.files`."""

    owner: str
    externalReferenceAttachmentTypeId: str
    externalReferenceId: str
    externalReferenceMetadata: dict[str, Any] | None
    externalReferenceStorage: Storage


class NewPersistableState(Body, tag_field="type", tag="persistableState"):
    """The state of a chart or the like."""

    owner: str
    persistableStateAttachmentTypeId: str
    persistableStateAttachmentState: dict[str, Any]


NewAttachment = NewUserComment | NewAlert | NewActions | NewExternalReference | NewPersistableState


class ChangedUserComment(NewUserComment, tag_field="type", tag="user"):
    """The full replacement of a user comment at the version the caller read."""

    id: str
    version: str


class ChangedAlert(NewAlert, tag_field="type", tag="alert"):
    """The full replacement of alerts."""

    id: str
    version: str


class ChangedActions(NewActions, tag_field="type", tag="actions"):
    """The full replacement of actions on hosts."""

    id: str
    version: str


class ChangedExternalReference(NewExternalReference, tag_field="type", tag="externalReference"):
    """The full replacement of a reference."""

    id: str
    version: str


class ChangedPersistableState(NewPersistableState, tag_field="type", tag="persistableState"):
    """The full replacement of a state."""

    id: str
    version: str


ChangedAttachment = (
    ChangedUserComment | ChangedAlert | ChangedActions | ChangedExternalReference | ChangedPersistableState
)


def payload_of(sent: NewAttachment | ChangedAttachment) -> dict[str, Any]:
    """The fields of the attachment itself, `type` included, without id and version."""
    fields: dict[str, Any] = msgspec.to_builtins(sent)
    return {key: value for key, value in fields.items() if key not in ("id", "version")}


# As answered


class _Kept(Shape):
    """What the server adds to the fields of the request."""

    id: str
    version: str
    created_at: str
    created_by: User
    updated_at: str | None
    updated_by: User | None
    pushed_at: str | None
    pushed_by: User | None


class UserCommentShape(_Kept, tag_field="type", tag="user"):
    """A user comment as answered."""

    owner: str
    comment: str


class AlertShape(_Kept, tag_field="type", tag="alert"):
    """Alerts as answered: always lists."""

    owner: str
    alertId: list[str]
    index: list[str]
    rule: Rule


class ActionsShape(_Kept, tag_field="type", tag="actions"):
    """Actions on hosts as answered."""

    owner: str
    comment: str
    actions: HostActions


class ExternalReferenceShape(_Kept, tag_field="type", tag="externalReference"):
    """A reference as answered."""

    owner: str
    externalReferenceAttachmentTypeId: str
    externalReferenceId: str
    externalReferenceMetadata: dict[str, Any] | None
    externalReferenceStorage: Storage


class PersistableStateShape(_Kept, tag_field="type", tag="persistableState"):
    """A state as answered."""

    owner: str
    persistableStateAttachmentTypeId: str
    persistableStateAttachmentState: dict[str, Any]


AttachmentShape = UserCommentShape | AlertShape | ActionsShape | ExternalReferenceShape | PersistableStateShape

_SHAPES: dict[str, Any] = {
    "user": UserCommentShape,
    "alert": AlertShape,
    "actions": ActionsShape,
    "externalReference": ExternalReferenceShape,
    "persistableState": PersistableStateShape,
}


def attachment_shape(attachment: Attachment) -> AttachmentShape:
    """An attachment as answered: its request fields and the bookkeeping."""
    fields = normalised(attachment.payload)
    del fields["type"]
    shape: AttachmentShape = _SHAPES[attachment.type](
        **fields,
        id=attachment.id,
        version=version_text(attachment.version),
        created_at=time_text(attachment.created_at),
        created_by=User.of(attachment.created_by),
        updated_at=time_or_null(attachment.updated_at),
        updated_by=User.of_maybe(attachment.updated_by),
        pushed_at=time_or_null(attachment.pushed_at),
        pushed_by=User.of_maybe(attachment.pushed_by),
    )
    return shape


def user_comment_shape(attachment: Attachment) -> UserCommentShape:
    """The same of what is known to be a user comment."""
    shape = attachment_shape(attachment)
    assert isinstance(shape, UserCommentShape)
    return shape


# Lists


class CommentsQuery(Body):
    """Query of `comments/_find`."""

    page: int = 1
    perPage: int = 20
    sortOrder: Literal["asc", "desc"] = "asc"


class CommentsPage(Shape):
    """A page of user comments."""

    comments: list[UserCommentShape]
    page: int
    per_page: int
    total: int


class AttachedAlert(Shape):
    """One alert of a case."""

    id: str
    index: str
    attached_at: str

    @classmethod
    def of(cls, alert: Alert) -> AttachedAlert:
        """The shape of an attached alert."""
        return cls(id=alert.id, index=alert.index, attached_at=time_text(alert.attached_at))


class Totals(Shape):
    """How much hangs on a case."""

    alerts: int
    events: int
    userComments: int


class AlertCase(Shape):
    """A case that holds an alert, in short (find.md 5)."""

    id: str
    title: str
    description: str
    status: Literal["open", "in-progress", "closed"]
    createdAt: str
    totals: Totals

    @classmethod
    def of(cls, case: Case) -> AlertCase:
        """The short form of a case."""
        return cls(
            id=case.id,
            title=case.title,
            description=case.description,
            status=case.status,  # type: ignore[arg-type]
            createdAt=time_text(case.created_at),
            totals=Totals(alerts=case.counts.alerts, events=0, userComments=case.counts.user_comments),
        )


class AttachmentIds(Body):
    """Body of the bulk get of attachments."""

    ids: list[str]


class AttachmentProblem(Shape):
    """Why one attachment of a bulk get is not there; both names of its id are in use."""

    error: str
    message: str
    status: int
    attachmentId: str
    savedObjectId: str


class AttachmentsByIds(Shape):
    """Answer of the bulk get of attachments."""

    attachments: list[AttachmentShape]
    errors: list[AttachmentProblem]


def attachments_by_ids(
    asked: Sequence[str],
    found: Sequence[Attachment],
    *,
    unknown: Collection[str],
    foreign: Collection[str],
    forbidden: Collection[Attachment],
) -> AttachmentsByIds:
    """The answer of the bulk get; problems are in the order in which the ids were `asked`."""
    owners = {each.id: each.owner for each in forbidden}
    problems = []
    for id_ in asked:
        if id_ in unknown:
            problems.append(_problem(id_, 404, f"[cases-comments/{id_}] is unknown"))
        elif id_ in foreign:
            problems.append(_problem(id_, 400, f"[cases-comments/{id_}] belongs to another case"))
        elif id_ in owners:
            problems.append(_problem(id_, 403, f"owner {owners[id_]} not permitted"))
    return AttachmentsByIds(attachments=[attachment_shape(each) for each in found], errors=problems)


def _problem(id_: str, status: int, message: str) -> AttachmentProblem:
    reason = HTTPStatus(status).phrase
    return AttachmentProblem(error=reason, message=message, status=status, attachmentId=id_, savedObjectId=id_)
