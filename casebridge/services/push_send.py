"""One try of a delivery: every write is noted before it leaves, its outcome as soon as it is known.

Whatever happens between two lines of this module, the store holds enough to go on: the step that was on its way,
the external id once it is known, and each comment that was accepted. The lease is renewed before every call, for
longer than that call may take; who cannot renew it sends nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from casebridge.connectors.base import CommentGone, ConnectorType, Record
from casebridge.domain.connector import Connector
from casebridge.domain.delivery import CANCELLED, MANUAL, CommentState, Delivery, DeliveryError, Step, marker
from casebridge.domain.errors import Conflict, ConnectorError
from casebridge.domain.incident import (
    AcceptedComment,
    OutgoingComment,
    alert_total,
    due_comments,
    incident_fields,
)
from casebridge.domain.user import User
from casebridge.services.ground import Ground, PushSettings
from casebridge.services.push_load import Loaded
from casebridge.storage import outbox
from casebridge.storage.outbox import ExternalRecord
from casebridge.storage.session import Write

_NAMED = 10
_CREATE, _UPDATE, _COMMENT, _EDIT = "create", "update", "comment", "edit"


class LeaseLost(Conflict):
    """Another process has taken the delivery up: whoever finds out sends and writes nothing more."""

    def __init__(self) -> None:
        super().__init__("This push took too long and was taken over; see the deliveries of the case.")


def lease_until(now: datetime, settings: PushSettings) -> datetime:
    """When a lease taken or renewed now runs out: never before the next call must have ended."""
    return now + timedelta(seconds=max(settings.lease_s, settings.call_timeout_s * 1.1 + 0.5))


class Sender:
    """Drives one connector through one delivery that is `sending` under our lease."""

    def __init__(
        self, ground: Ground, connector: Connector, delivery: Delivery, loaded: Loaded, *, by_hand: bool
    ) -> None:
        """`by_hand`: a person asked for this very try, and so decides that what cannot be looked up is repeated."""
        self._by_hand = by_hand
        self._worker: ConnectorType | None = None
        self._ground = ground
        self._connector = connector
        self._loaded = loaded
        self._marker = marker(loaded.case.id)
        self._accepted = dict(loaded.accepted)
        self._finished: list[Write] = []
        self.delivery = delivery
        self.record: ExternalRecord | None = None
        self.confirmed: set[str] = set()
        self.remark: DeliveryError | None = None

    @property
    def accepted(self) -> dict[str, AcceptedComment]:
        """The ledger of comments as it is now, by comment id."""
        return self._accepted

    @property
    def needs_person(self) -> bool:
        """Whether the write that is open may only be repeated by hand: it cannot be looked up."""
        step = self.delivery.step
        return self._worker is not None and step is not None and not can_settle(self._worker, step)

    def take_unsaved(self) -> list[Write]:
        """Ledger entries of the last call that are still to be written, with the outcome of the whole."""
        finished, self._finished = self._finished, []
        return finished

    async def send(self, worker: ConnectorType) -> ExternalRecord:
        """Bring the external record up to date, comments included; ConnectorError where it stops."""
        self._worker = worker
        external_id = await self._settle_earlier(worker, self._loaded.external_id)
        case = self._loaded.case
        author = case.updated_by or case.created_by
        fields = worker.check_fields(incident_fields(case, self._connector.type, author, self._ground.public_base_url))
        comments = self._due() if worker.takes_comments else []
        if external_id is None:
            external_id = await self._create(worker, fields)
        else:
            await self._update(worker, external_id, fields)
        seen = await worker.as_pushed(external_id, fields)
        self.record = self._known_as(seen)
        if comments and not self._loaded.pushed and not (self._loaded.record and self._loaded.record.url):
            # By its address a push through another connector tells that this record is taken.
            self._keep_record(external_id, seen)
        for comment in comments:
            await self._comment(worker, external_id, comment)
        await worker.finish(external_id, fields)
        return self.record

    async def _create(self, worker: ConnectorType, fields: dict[str, Any]) -> str:
        _, case_id, connector_id = self._pair()
        earlier = await outbox.first_marks(self._ground.database, case_id, connector_id) if worker.marks else None
        prepared = await worker.prepare(fields, earlier)
        key = f"{self.delivery.id}-create"
        step = Step(kind=_CREATE, sent_at=self._ground.now(), fields=prepared, key=key)
        return await self._send_create(worker, step)

    async def _send_create(self, worker: ConnectorType, step: Step) -> str:
        sent = step.fields or {}
        marks = {name: sent[name] for name in worker.marks if name in sent}
        await self._note(step, action="create", marks=marks or None)
        worker.idempotency_key = step.key
        external_id = await worker.create(sent, self._marker)
        self._keep_record(external_id)
        await self._note(None, external_id=external_id)
        return external_id

    async def _update(self, worker: ConnectorType, external_id: str, fields: dict[str, Any]) -> None:
        step = Step(kind=_UPDATE, sent_at=self._ground.now(), fields=fields, external_id=external_id)
        await self._note(step, action="update", external_id=external_id)
        await worker.update(external_id, fields, self._marker)
        await self._note(None)

    def _keep_record(self, external_id: str, seen: Record | None = None) -> None:
        known = ExternalRecord(external_id, seen.title, seen.url) if seen else ExternalRecord(external_id)
        self._finished.append(outbox.record_write(*self._pair(), known))

    def _pair(self) -> tuple[str, str, str]:
        return self._loaded.case.space, self._loaded.case.id, self._connector.id

    def _known_as(self, seen: Record) -> ExternalRecord:
        return ExternalRecord(seen.external_id, seen.title, seen.url, read_point=self._loaded.read_point)

    def _due(self) -> list[OutgoingComment]:
        case, loaded = self._loaded.case, self._loaded
        due, blank = due_comments(loaded.attachments, loaded.revisions, self._accepted, _last_author)
        for each in blank:
            self._accept(each, None)
        total = alert_total(case, loaded.attachments, self._ground.public_base_url)
        total_id = f"{case.id}-total-alerts"
        if total is not None and not self._total_is_there(total_id, total):
            due.append(OutgoingComment(total_id, loaded.read_point, total))
        self.delivery = msgspec.structs.replace(
            self.delivery, comments=tuple(CommentState(each.comment_id, "pending") for each in due)
        )
        return due

    def _total_is_there(self, total_id: str, text: str) -> bool:
        """Whether an unfinished push has sent the very same total: then it is not repeated (push.md 2.3)."""
        known = self._accepted.get(total_id)
        last_push = self._loaded.pushed[-1].seq if self._loaded.pushed else 0
        return known is not None and known.text == text and known.revision >= last_push

    async def _comment(self, worker: ConnectorType, external_id: str, comment: OutgoingComment) -> None:
        known = self._accepted.get(comment.comment_id)
        editable = worker.can_edit_comments and not comment.comment_id.endswith("-total-alerts")
        if editable and known is not None and known.external_id is not None:
            await self._note(self._comment_step(_EDIT, external_id, comment, known.external_id))
            try:
                await worker.edit_comment(external_id, known.external_id, comment.text)
            except CommentGone:
                pass
            else:
                self._accept(comment, known.external_id)
                return
        await self._send_comment(worker, self._comment_step(_COMMENT, external_id, comment, None))

    async def _send_comment(self, worker: ConnectorType, step: Step) -> None:
        assert step.comment_id is not None
        assert step.external_id is not None
        await self._note(step)
        worker.idempotency_key = step.key
        comment = OutgoingComment(step.comment_id, step.revision, step.text or "")
        self._accept(comment, await worker.add_comment(step.external_id, comment.text))

    def _comment_step(
        self, kind: str, external_id: str, comment: OutgoingComment, external_comment_id: str | None
    ) -> Step:
        return Step(
            kind=kind,
            sent_at=self._ground.now(),
            external_id=external_id,
            comment_id=comment.comment_id,
            revision=comment.revision,
            text=comment.text,
            external_comment_id=external_comment_id,
            key=f"{self.delivery.id}-{comment.comment_id}-{comment.revision}",
        )

    def _accept(self, comment: OutgoingComment, external_comment_id: str | None) -> None:
        known = self._accepted.get(comment.comment_id)
        earlier = () if known is None else tuple(id_ for id_ in known.external_ids if id_ != external_comment_id)
        texts = () if known is None else known.unnamed_texts
        entry = AcceptedComment(comment.comment_id, comment.revision, comment.text, external_comment_id, earlier, texts)
        self._accepted[comment.comment_id] = entry
        _, case_id, connector_id = self._pair()
        self._finished.append(outbox.accepted_write(case_id, connector_id, entry))
        states = [
            CommentState(each.comment_id, "accepted", external_comment_id)
            if each.comment_id == comment.comment_id
            else each
            for each in self.delivery.comments
        ]
        self.delivery = msgspec.structs.replace(self.delivery, comments=tuple(states))

    # Settling what earlier tries left open

    async def _settle_earlier(self, worker: ConnectorType, external_id: str | None) -> str | None:
        """Look up every write whose outcome is unknown; the record's id if there is one (push.md 1, step 5)."""
        others = [each for each in self._loaded.open if each.id != self.delivery.id]
        for each in [*others, self.delivery]:
            if each.step is None or (each.state == CANCELLED and not can_settle(worker, each.step)):
                # Where nobody can look, whoever withdrew the delivery has decided.
                continue
            there, external_id = await self._settle(worker, each.step, external_id)
            if there and all(comment.comment_id in self._accepted for comment in each.comments):
                self.confirmed.add(each.id)
            if self._finished:
                # At once, so that no comment is written twice in one change.
                await self._note(self.delivery.step, external_id=external_id)
        if self.delivery.step is not None:
            await self._note(None, external_id=external_id)
        return external_id

    async def _settle(self, worker: ConnectorType, step: Step, external_id: str | None) -> tuple[bool, str | None]:
        if step.kind == _CREATE:
            if external_id is not None:
                return True, external_id
            if not can_settle(worker, step):
                self._require_person(step)
                return True, await self._send_create(worker, step)
            found = await self._look_for_incident(worker, step)
            if found is None:
                return False, None
            self._keep_record(found.external_id, found)
            return True, found.external_id
        if step.kind == _COMMENT:
            return await self._look_for_comment(worker, step), external_id
        # An update or an edit in place overwrites, so it is simply sent again.
        return False, external_id

    async def _look_for_incident(self, worker: ConnectorType, step: Step) -> Record | None:
        while True:
            enough = self._is_old(step)
            found = await self._unlinked(await worker.find_incidents(self._marker, step.fields))
            if len(found) > 1:
                self.remark = _more_than_one(found)
            if found or enough:
                return found[0] if found else None
            await self._pause(step)

    async def _unlinked(self, found: Sequence[Record]) -> list[Record]:
        """Leave out what belongs to another case, or to this one through another connector."""
        if not found:
            return []
        _, case_id, connector_id = self._pair()
        ids = [each.external_id for each in found]
        taken = await outbox.linked_elsewhere(self._ground.database, case_id, connector_id, ids)
        # The same number may be another record in another installation: the address tells.
        return [
            each
            for each in found
            if not any(
                each.external_id == id_ and (same_connector or each.url == url) for id_, url, same_connector in taken
            )
        ]

    async def _look_for_comment(self, worker: ConnectorType, step: Step) -> bool:
        assert step.comment_id is not None
        assert step.external_id is not None
        known = self._accepted.get(step.comment_id)
        if known is not None and known.revision >= step.revision:
            return True
        if not can_settle(worker, step):
            self._require_person(step)
            await self._send_comment(worker, step)
            return True
        while True:
            enough = self._is_old(step)
            ours = {id_ for each in self._accepted.values() for id_ in each.external_ids}
            alike = [
                each
                for each in await worker.list_comments(step.external_id)
                if each.external_id not in ours and worker.same_text(each.text, step.text or "")
            ]
            others = self._unnamed_twins(worker, step)
            if len(alike) > others:
                comment = OutgoingComment(step.comment_id, step.revision, step.text or "")
                self._accept(comment, alike[others].external_id)
                return True
            if enough:
                return False
            await self._pause(step)

    def _unnamed_twins(self, worker: ConnectorType, step: Step) -> int:
        """How many comments with the text of this one were accepted before without an id of theirs being told."""
        return sum(
            worker.same_text(worker.comment_as_sent(text), step.text or "")
            for each in self._accepted.values()
            for text in each.unnamed_texts
        )

    def _require_person(self, step: Step) -> None:
        """What cannot be looked up is repeated, unchanged and with its key, only when a person asks for it (rule 6)."""
        if not self._by_hand:
            what = "incident" if step.kind == _CREATE else "comment"
            raise ConnectorError(
                f"The {what} may exist, and {self._connector.type} offers no way to look it up: nothing is sent again "
                "until somebody pushes the case, retries this delivery or cancels it.",
                code="bad_answer",
                permanent=self.delivery.origin == MANUAL,
            )

    def _is_old(self, step: Step) -> bool:
        """Whether an empty answer means "not there": a search index lags, and a slow system may still be at it."""
        return step.age_s(self._ground.now()) >= self._ground.push.lookup_lag_s

    async def _pause(self, step: Step) -> None:
        left_s = self._ground.push.lookup_lag_s - step.age_s(self._ground.now())
        await asyncio.sleep(max(0.02, min(1.0, left_s)))

    # Lease and notes

    async def renew(self) -> None:
        """Before every call: hold the lease for longer than the call may take, or raise LeaseLost."""
        needed = self._ground.now() + timedelta(seconds=self._ground.push.call_timeout_s + 0.25)
        if self.delivery.lease_until is None or self.delivery.lease_until < needed:
            await self._note(self.delivery.step)

    async def _note(self, step: Step | None, **changes: Any) -> None:
        """Write the next step down, together with what the last one brought."""
        now = self._ground.now()
        moved = msgspec.structs.replace(
            self.delivery, step=step, lease_until=lease_until(now, self._ground.push), updated_at=now, **changes
        )
        writes = [outbox.move_write(self.delivery, moved, LeaseLost()), *self._finished]
        rows = await self._ground.database.commit(writes)
        self._finished = []
        self.delivery = msgspec.structs.replace(moved, version=rows[0][0]["version"])


def can_settle(worker: ConnectorType, step: Step) -> bool:
    """Whether it can be found out what became of a write, or it does no harm to send it again."""
    if step.kind == _CREATE:
        return worker.can_look_for(step.fields or {})
    return worker.can_list_comments or step.kind != _COMMENT


def _more_than_one(found: Sequence[Record]) -> DeliveryError:
    others = ", ".join(each.title or each.external_id for each in found[1:_NAMED])
    more = "" if len(found) <= _NAMED else f" and {len(found) - _NAMED} more"
    text = (
        f"{len(found)} incidents carry the mark of this case; the oldest, {found[0].title or found[0].external_id}, "
        f"was taken, and {others}{more} left alone."
    )
    return DeliveryError("bad_answer", text, permanent=False)


def _last_author(updated_by: User | None, created_by: User) -> User:
    return updated_by or created_by
