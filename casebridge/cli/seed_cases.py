"""Made-up cases and what became of them, told by the rules of the domain, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Literal
from uuid import UUID

import msgspec

from casebridge.cli.seed_texts import ANALYSTS, CaseTexts, case_texts, comment_text
from casebridge.domain.attachment import USER, Attachment, recounted
from casebridge.domain.case import OPEN, Case, CaseChanges, NewCase, change_case, open_case
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.user import SUPERUSER, Actor, User
from casebridge.domain.user_action import Activity, UserAction
from casebridge.storage import seeding
from casebridge.storage.session import Write

_SPAN = timedelta(days=730)
_BATCH_ROWS = 40_000
_BATCH_CASES = 5_000
_ACTOR = Actor(User("seed", "Casebridge seed", None), (SUPERUSER,))


class Plan(msgspec.Struct, frozen=True):
    """What shall be made; the same plan makes the same cases."""

    cases: int
    comments: int
    seed: int
    space: str
    until: datetime

    @property
    def batch(self) -> int:
        """Cases of one batch, of which each is one transaction."""
        return max(1, min(_BATCH_CASES, _BATCH_ROWS // (2 * self.comments + 8)))

    @property
    def batches(self) -> int:
        return -(-self.cases // self.batch)


def batch_writes(plan: Plan, number: int, dialect: Literal["sqlite", "postgresql"]) -> list[Write]:
    """What stores one batch."""
    return seeding.writes(histories(plan, number), plan.space, _ACTOR, plan.until, dialect)


def histories(plan: Plan, number: int) -> Iterator[seeding.History]:
    """The cases of one batch, oldest first."""
    dice = Random(f"{plan.seed}:{number}")
    step = _SPAN / plan.cases
    begin = plan.until - _SPAN
    for place in range(number * plan.batch, min(plan.cases, (number + 1) * plan.batch)):
        yield _history(plan, dice, _whole_ms(begin + step * (place + dice.random() * 0.9)))


def _whole_ms(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _history(plan: Plan, dice: Random, at: datetime) -> seeding.History:
    texts = case_texts(dice)
    story = _Story(dice, texts, plan.space, at)
    # A case is worked on for some days, but never beyond the present.
    pace = min(timedelta(hours=dice.randint(1, 200)), plan.until - at) / (plan.comments + 2)
    for moment in range(plan.comments):
        story.comment(at + pace * (moment + 1))
    story.finish(texts.status, at + pace * (plan.comments + 1))
    return seeding.History(story.case, story.attachments, story.actions)


class _Story:
    """What becomes of one case, told by the rules of the domain."""

    def __init__(self, dice: Random, texts: CaseTexts, space: str, at: datetime) -> None:
        self._dice = dice
        new = NewCase(
            owner=texts.owner,
            title=texts.title,
            description=texts.description,
            tags=texts.tags,
            connector=NO_CONNECTOR,
            severity=texts.severity,
            category=texts.category,
            assignees=texts.assignees,
        )
        opened = open_case(new, (), id_=self._id(at), space=space, by=texts.by, at=at)
        self.attachments: list[Attachment] = []
        self.actions: list[UserAction] = []
        self.case: Case = opened.case
        self._record(opened.case, opened.activity, texts.by, at)

    def comment(self, at: datetime) -> None:
        """Somebody writes a comment."""
        at, by = _whole_ms(at), self._dice.choice(ANALYSTS)
        payload = {"type": USER, "comment": comment_text(self._dice), "owner": self.case.owner}
        made = Attachment(
            id=self._id(at),
            case_id=self.case.id,
            seq=self.case.counts.actions + 1,
            type=USER,
            owner=self.case.owner,
            payload=payload,
            created_at=at,
            created_by=by,
        )
        self.attachments.append(made)
        counts = recounted(self.case.counts, (), [payload], self.case.counts.alerts)
        case = msgspec.structs.replace(self.case, updated_at=at, updated_by=by, counts=counts)
        self._record(case, [Activity("comment", "create", {"comment": payload}, made.id)], by, at)

    def finish(self, status: str, at: datetime) -> None:
        """The case gets to where it stands now."""
        if status != OPEN:
            at, by = _whole_ms(at), self._dice.choice(ANALYSTS)
            changed = change_case(self.case, CaseChanges(status=status), (), by=by, at=at)
            self._record(changed.case, changed.activity, by, at)

    def _record(self, case: Case, activity: Sequence[Activity], by: User, at: datetime) -> None:
        first = case.counts.actions + 1
        self.actions += [
            UserAction(
                id=self._id(at),
                case_id=case.id,
                seq=seq,
                type=each.type,
                action=each.action,
                payload=each.payload,
                owner=case.owner,
                created_at=at,
                created_by=by,
                comment_id=each.comment_id,
            )
            for seq, each in enumerate(activity, first)
        ]
        counts = msgspec.structs.replace(case.counts, actions=case.counts.actions + len(activity))
        self.case = msgspec.structs.replace(case, counts=counts)

    def _id(self, at: datetime) -> str:
        """A UUID that grows with time (version 7), so that millions of them fill an index from left to right."""
        ms = int(at.timestamp() * 1000)
        bits = ms << 80 | 7 << 76 | self._dice.getrandbits(12) << 64 | 2 << 62 | self._dice.getrandbits(62)
        return str(UUID(int=bits))
