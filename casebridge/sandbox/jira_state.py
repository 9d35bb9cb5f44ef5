"""What the simulated Jira remembers: issues, comments, and what the search index knew when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from casebridge.sandbox.jira_catalogue import WORKFLOW
from casebridge.sandbox.journal import Journal

FIRST_ISSUE_ID = 10_000
FIRST_COMMENT_ID = 20_000


class Comment(msgspec.Struct):
    """A comment; its text is wiki markup, kept as it was sent."""

    id: str
    body: str
    created: datetime
    updated: datetime
    properties: dict[str, Any] = {}


class Revision(msgspec.Struct, frozen=True):
    """The searchable words of an issue as they were from `at` on."""

    at: datetime
    summary: str
    labels: list[str]


class Issue(msgspec.Struct):
    """One issue. `extra` holds due date and custom fields by field id; `type_id`, `status_id` as in the catalogue."""

    id: str
    number: int
    project: str
    type_id: str
    summary: str
    created: datetime
    updated: datetime
    description: str | None = None
    labels: list[str] = []
    priority: str | None = None
    parent: str | None = None
    status_id: str = WORKFLOW[0].id
    resolution: str | None = None
    resolved: datetime | None = None
    extra: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    remote_links: list[dict[str, Any]] = []
    comments: list[Comment] = []
    revisions: list[Revision] = []

    @property
    def key(self) -> str:
        """The name people use, such as OPS-7."""
        return f"{self.project}-{self.number}"

    def touch(self, at: datetime) -> None:
        """Something about the issue has changed: the index will learn of it."""
        self.updated = at
        self.revisions.append(Revision(at, self.summary, list(self.labels)))

    def indexed(self, at: datetime) -> Revision | None:
        """What the search index knew about the issue at a moment; None: nothing yet."""
        return next((known for known in reversed(self.revisions) if known.at <= at), None)

    def comment(self, comment_id: str) -> Comment | None:
        """One of its comments."""
        return next((comment for comment in self.comments if comment.id == comment_id), None)


class Book(msgspec.Struct):
    """Everything there is, oldest issue first, with the journal."""

    issues: dict[str, Issue] = {}
    journal: Journal = msgspec.field(default_factory=Journal)
    numbers: dict[str, int] = {}
    next_issue: int = FIRST_ISSUE_ID
    next_comment: int = FIRST_COMMENT_ID
    next_link: int = FIRST_ISSUE_ID

    def find(self, id_or_key: str) -> Issue | None:
        """An issue by id, or by key in any case."""
        found = self.issues.get(id_or_key)
        wanted = id_or_key.upper()
        return found or next((issue for issue in self.issues.values() if issue.key.upper() == wanted), None)

    def add_issue(self, project: str, type_id: str, changes: dict[str, Any], at: datetime) -> Issue:
        """A new issue with these fields; the next id, and the next number of its project."""
        number = self.numbers.get(project, 0) + 1
        issue = Issue(
            id=str(self.next_issue), number=number, project=project, type_id=type_id, summary="", created=at, updated=at
        )
        self.numbers[project] = number
        self.next_issue += 1
        self.issues[issue.id] = issue
        self.change(issue, changes, at)
        return issue

    def change(self, issue: Issue, changes: dict[str, Any], at: datetime) -> None:
        """Set fields, keyed as Jira names them, to values that have been checked."""
        for name, value in changes.items():
            if name == "issuetype":
                issue.type_id = value
            elif name in ("summary", "description", "labels", "priority", "parent"):
                setattr(issue, name, value)
            elif value is None:
                issue.extra.pop(name, None)
            else:
                issue.extra[name] = value
        issue.touch(at)

    def add_comment(self, issue: Issue, body: str, properties: dict[str, Any], at: datetime) -> Comment:
        """A new comment, last in the list of the issue."""
        comment = Comment(str(self.next_comment), body, at, at, properties)
        self.next_comment += 1
        issue.comments.append(comment)
        issue.touch(at)
        return comment

    def subtasks(self, issue: Issue) -> list[Issue]:
        """The issues that name this one as their parent."""
        return [other for other in self.issues.values() if other.parent == issue.key]

    def searchable(self, now: datetime, lag_s: float) -> Iterator[tuple[Issue, Revision]]:
        """The issues the search index knows when it is `lag_s` behind, with what it knows of each."""
        seen_until = now - timedelta(seconds=lag_s)
        for issue in self.issues.values():
            known = issue.indexed(seen_until)
            if known is not None:
                yield issue, known
