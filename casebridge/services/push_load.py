"""All that a push has to know of a case and a connector, read as of one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case
from casebridge.domain.delivery import Delivery
from casebridge.domain.incident import AcceptedComment
from casebridge.domain.user_action import UserAction
from casebridge.services.ground import Ground
from casebridge.storage import attachments, cases, outbox, user_actions
from casebridge.storage.outbox import ExternalRecord


class Loaded(msgspec.Struct, frozen=True):
    """A case and what is known of it over there.

    `revisions` maps an attachment's id to its newest `comment` record; `pushed` are the `pushed` records of this
    connector, oldest first; `accepted` is the ledger by comment id; `open` are the pair's deliveries that are not
    ended, and the withdrawn ones that left a write of unknown outcome, oldest first.
    """

    case: Case
    attachments: Sequence[Attachment]
    revisions: Mapping[str, int]
    pushed: Sequence[UserAction]
    record: ExternalRecord | None
    accepted: Mapping[str, AcceptedComment]
    open: Sequence[Delivery]

    @property
    def read_point(self) -> int:
        """The newest user action of the case as loaded."""
        return self.case.counts.actions

    @property
    def external_id(self) -> str | None:
        """The record's id over there: of the newest push through this connector, else of an unfinished one."""
        if self.pushed:
            return str(self.pushed[-1].payload["externalService"]["external_id"])
        return None if self.record is None else self.record.external_id


async def load(ground: Ground, space_id: str, case_id: str, connector_id: str) -> Loaded | None:
    """What a push of the pair has to know; None when there is no such case in the space."""
    case_rows, parts, revisions, pushes, records, accepted, open_rows = await ground.database.read_together(
        [
            cases.get_query(space_id, case_id),
            attachments.list_query(space_id, case_id),
            user_actions.comment_revisions_query(case_id),
            user_actions.pushes_query(case_id),
            outbox.record_query(case_id, connector_id),
            outbox.accepted_query(case_id, connector_id),
            outbox.unsettled_query(case_id, connector_id),
        ]
    )
    if not case_rows:
        return None
    records_of_pushes = [user_actions.from_doc(row[0]) for row in pushes]
    pushed = [each for each in records_of_pushes if each.payload["externalService"]["connector_id"] == connector_id]
    record = outbox.record_from_row(records[0]) if records else None
    ledger = [outbox.accepted_from_row(row) for row in accepted]
    by_id = {each.comment_id: each for each in ledger}
    known_revisions = {row[0]: row[1] for row in revisions}
    if pushed and record is None:
        by_id = _accepted_before(pushed[-1].seq, known_revisions) | by_id
    return Loaded(
        case=cases.from_row(case_rows[0]),
        attachments=[attachments.from_row(row) for row in parts],
        revisions=known_revisions,
        pushed=pushed,
        record=record,
        accepted=by_id,
        open=[outbox.from_row(row) for row in open_rows],
    )


def _accepted_before(push: int, revisions: Mapping[str, int]) -> dict[str, AcceptedComment]:
    """A push without a ledger (told by a client of 7.10, or imported) counts as having sent all that came before it."""
    return {
        comment_id: AcceptedComment(comment_id, revision, "")
        for comment_id, revision in revisions.items()
        if revision < push
    }
