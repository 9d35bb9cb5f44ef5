"""What the simulated TheHive remembers: cases with their comments, and alerts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from casebridge.sandbox.journal import Journal

FIRST_ID = 41_640_000
ID_STEP = 8
SEVERITIES = {1: "LOW", 2: "MEDIUM", 3: "HIGH", 4: "CRITICAL"}
TLPS = {0: "CLEAR", 1: "GREEN", 2: "AMBER", 3: "AMBER+STRICT", 4: "RED"}
PAPS = {0: "CLEAR", 1: "GREEN", 2: "AMBER", 3: "RED"}
STAGES = {
    "New": "New",
    "InProgress": "InProgress",
    **dict.fromkeys(("Indeterminate", "FalsePositive", "TruePositive", "Other", "Duplicated"), "Closed"),
}
"""The default statuses, each with its stage."""


class Comment(msgspec.Struct):
    """A comment; its text is Markdown, kept as it was sent."""

    id: str
    message: str
    created: datetime
    updated: datetime | None = None


class Case(msgspec.Struct):
    """One case. `updated` is None until it is changed for the first time."""

    id: str
    number: int
    created: datetime
    title: str = ""
    description: str = ""
    severity: int = 2
    tlp: int = 2
    pap: int = 2
    tags: list[str] = []
    flag: bool = False
    status: str = "New"
    summary: str | None = None
    impact: str | None = None
    updated: datetime | None = None
    comments: list[Comment] = []

    @property
    def stage(self) -> str:
        """The fixed part of the status."""
        return STAGES[self.status]

    def comment(self, comment_id: str) -> Comment | None:
        """One of its comments."""
        return next((each for each in self.comments if each.id == comment_id), None)


class Alert(msgspec.Struct):
    """One alert; there is only one of a type, source and sourceRef."""

    id: str
    created: datetime
    fields: dict[str, Any]

    @property
    def key(self) -> tuple[str, str, str]:
        """What may be there only once."""
        return self.fields["type"], self.fields["source"], self.fields["sourceRef"]


class Book(msgspec.Struct):
    """Everything there is, oldest case first, with the journal."""

    cases: dict[str, Case] = {}
    alerts: list[Alert] = []
    journal: Journal = msgspec.field(default_factory=Journal)
    next_number: int = 1
    next_id: int = FIRST_ID

    def new_id(self) -> str:
        """An id as TheHive makes them; the kinds share one row of numbers."""
        self.next_id += ID_STEP
        return f"~{self.next_id}"

    def add_case(self, at: datetime) -> Case:
        """A new, empty case."""
        case = Case(id=self.new_id(), number=self.next_number, created=at)
        self.next_number += 1
        self.cases[case.id] = case
        return case

    def find(self, id_or_number: str) -> Case | None:
        """A case by id or by number."""
        found = self.cases.get(id_or_number)
        return found or next((each for each in self.cases.values() if str(each.number) == id_or_number), None)

    def case_of(self, comment_id: str) -> Case | None:
        """The case that a comment belongs to."""
        return next((each for each in self.cases.values() if each.comment(comment_id)), None)

    def searchable(self, now: datetime, lag_s: float) -> Iterator[Case]:
        """The cases that a query sees when it is `lag_s` behind."""
        seen_until = now - timedelta(seconds=lag_s)
        return (each for each in self.cases.values() if each.created <= seen_until)


def shown_case(case: Case, login: str) -> dict[str, Any]:
    """A case as the API shows it. What is not set has no key."""
    shown = {
        "_id": case.id,
        "_type": "Case",
        "_createdBy": login,
        "_createdAt": ms(case.created),
        "_updatedBy": None if case.updated is None else login,
        "_updatedAt": None if case.updated is None else ms(case.updated),
        "number": case.number,
        "title": case.title,
        "description": case.description,
        "severity": case.severity,
        "severityLabel": SEVERITIES[case.severity],
        "startDate": ms(case.created),
        "tags": case.tags,
        "flag": case.flag,
        "tlp": case.tlp,
        "tlpLabel": TLPS[case.tlp],
        "pap": case.pap,
        "papLabel": PAPS[case.pap],
        "status": case.status,
        "stage": case.stage,
        "summary": case.summary,
        "impactStatus": case.impact,
        "assignee": login,
        "newDate": ms(case.created),
        "timeToDetect": 0,
        "extraData": {},
    }
    return {name: value for name, value in shown.items() if value is not None}


def shown_comment(comment: Comment, login: str) -> dict[str, Any]:
    """A comment as the API shows it."""
    shown: dict[str, Any] = {
        "_id": comment.id,
        "_type": "Comment",
        "createdBy": login,
        "createdAt": ms(comment.created),
        "message": comment.message,
        "isEdited": comment.updated is not None,
        "extraData": {},
    }
    return shown if comment.updated is None else {**shown, "updatedAt": ms(comment.updated), "updatedBy": login}


def ms(at: datetime) -> int:
    """A time in milliseconds."""
    return round(at.timestamp() * 1000)
