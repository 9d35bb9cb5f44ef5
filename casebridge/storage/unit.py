"""The unit of work of a change to cases: everything it writes, numbered and stamped, sent whole and once.

A case is written only at the version it was loaded with, and everything that hangs on it (comments, activity, counts,
the audit event, deliveries) travels in the same change: that is what keeps limits and numbers true under parallel
requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from casebridge.domain.attachment import USER, Attachment
from casebridge.domain.case import Case
from casebridge.domain.user import Actor, User
from casebridge.domain.user_action import Activity, UserAction
from casebridge.storage import alerts, attachments, audit, cases, counts, mentions, observables, parts, user_actions
from casebridge.storage.session import Database, Write


class Unit:
    """Collects one change and saves it. Every record gets the same time and author."""

    def __init__(
        self,
        database: Database,
        actor: Actor,
        space: str,
        at: datetime,
        new_id: Callable[[], str],
        *,
        by: User | None = None,
    ) -> None:
        """`by` is who the records name, if not the actor: a push finished by the worker names who asked for it."""
        self._database = database
        self._actor = actor
        self._space = space
        self._at = at
        self._by = by or actor.user
        self._new_id = new_id
        self._moves: list[tuple[Case | None, Case | None]] = []
        self._writes: list[Write] = []
        self._parts: list[Write] = []
        self._attached: list[parts.AttachmentMove] = []
        self._actions: list[UserAction] = []
        self._numbered: list[tuple[int, Case]] = []
        self._audited: list[tuple[str, str, list[str]]] = []

    def open(self, case: Case, activity: Sequence[Activity]) -> None:
        """Add a new case, which has no observables yet."""
        case = self._record(case, activity)
        self._numbered.append((len(self._writes), case))
        self._writes.extend(cases.insert_writes(case, self._database.dialect))
        self._moves.append((None, case))
        self._mention(case.id, mentions.DESCRIPTION, "", case.description)

    def update(self, old: Case, new: Case, activity: Sequence[Activity]) -> None:
        """Replace a case that must still be at the version of `old`; VersionConflict when saving otherwise."""
        new = self._record(new, activity)
        self._numbered.append((len(self._writes), new))
        self._writes.extend(cases.update_writes(old, new, self._database.dialect))
        self._parts.extend(observables.link_writes(old, new))
        self._moves.append((old, new))
        if old.description != new.description:
            self._mention(new.id, mentions.DESCRIPTION, old.description, new.description)

    def remove(self, case: Case) -> None:
        """Delete a case and all that hangs on it."""
        guard, *rest = cases.delete_writes(case, self._database.dialect)
        # What the index holds of the comments is told by the comments themselves.
        words = parts.unlink_writes(case) if self._database.dialect == "sqlite" else []
        self._writes.extend([guard, *words, *rest])
        self._parts.extend([*observables.unlink_writes(case), alerts.unlink_write(case)])
        self._moves.append((case, None))

    def attach(self, attachment: Attachment) -> None:
        """Add an attachment to a case that is updated in this change."""
        self._parts.append(attachments.insert_write(attachment, self._space, self._database.dialect))
        self._attached.append((None, attachment))
        self._mention(attachment.case_id, attachment.id, "", _said(attachment))

    def replace_attachment(self, old: Attachment, new: Attachment) -> None:
        """Replace an attachment at the version it was loaded with."""
        self._parts.append(attachments.update_write(old, new, self._database.dialect))
        self._attached.append((old, new))
        self._mention(new.case_id, new.id, _said(old), _said(new))

    def detach(self, attachment: Attachment) -> None:
        """Delete an attachment."""
        self._parts.append(attachments.delete_write(attachment))
        self._attached.append((attachment, None))
        self._mention(attachment.case_id, attachment.id, _said(attachment), "")

    def also(self, *writes: Write) -> None:
        """Add statements of other rooms of the store, such as a delivery's."""
        self._parts.extend(writes)

    def audit(self, action: str, kind: str, ids: Sequence[str]) -> None:
        """Tell the audit trail what this change does."""
        self._audited.append((action, kind, list(ids)))

    async def save(self) -> list[Case]:
        """Write everything or nothing; the cases opened and updated as they are stored now, in order."""
        writes = [*self._writes, *self._parts, *counts.writes(self._moves, self._database.dialect)]
        if self._database.dialect == "sqlite":
            writes.extend(parts.writes(self._moves, self._attached))
        if self._actions:
            writes.append(user_actions.insert_write(self._actions, self._database.dialect))
        writes.extend(
            audit.event_write(action, self._actor, self._space, kind, ids, self._at)
            for action, kind, ids in self._audited
        )
        rows = await self._database.commit(writes)
        return [_numbered(case, rows[place][0]) for place, case in self._numbered]

    def _mention(self, case_id: str, comment_id: str, old: str, new: str) -> None:
        """People whom a text names find it on their start page."""
        self._parts.extend(
            mentions.writes(
                self._space, case_id, comment_id, old, new,
                by=self._by.display_name, username=self._by.username, at=self._at,
            )
        )  # fmt: skip

    def _record(self, case: Case, activity: Sequence[Activity]) -> Case:
        first = case.counts.actions + 1
        for seq, each in enumerate(activity, first):
            self._actions.append(
                UserAction(
                    id=self._new_id(),
                    case_id=case.id,
                    seq=seq,
                    type=each.type,
                    action=each.action,
                    payload=each.payload,
                    owner=case.owner,
                    created_at=self._at,
                    created_by=self._by,
                    comment_id=each.comment_id,
                )
            )
        tally = msgspec.structs.replace(case.counts, actions=case.counts.actions + len(activity))
        return msgspec.structs.replace(case, counts=tally)


def _said(attachment: Attachment) -> str:
    """The words of a comment; other attachments have none of a person."""
    return str(attachment.payload["comment"]) if attachment.type == USER else ""


def _numbered(case: Case, row: dict[str, Any]) -> Case:
    return msgspec.structs.replace(case, **row)
