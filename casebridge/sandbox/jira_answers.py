"""How the simulated Jira words its answers, on Cloud and on Data Center."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal
from xml.sax.saxutils import escape

import msgspec
from starlette.responses import HTMLResponse, Response

from casebridge.sandbox import jira_catalogue as catalogue
from casebridge.sandbox.jira_state import Book, Comment, Issue

Mode = Literal["cloud", "datacenter"]

NO_SUCH_ISSUE = "Issue does not exist or you do not have permission to see it."


class Refusal(Exception):
    """A request that the rules turn down. `errors` is keyed by field; `plain` asks for the body without keys."""

    def __init__(
        self,
        status: int,
        messages: Sequence[str] = (),
        errors: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        plain: bool = False,
    ) -> None:
        super().__init__(status, messages, errors)
        self.status, self.messages, self.errors = status, list(messages), errors or {}
        self.headers, self.plain = headers or {}, plain


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json;charset=UTF-8")


def refused(refusal: Refusal, mode: Mode) -> Response:
    """The answer to a request that was turned down."""
    if not refusal.plain:
        body = {"errorMessages": refusal.messages, "errors": refusal.errors}
        return reply(body, refusal.status, refusal.headers)
    message = refusal.messages[0]
    if mode == "cloud":
        return reply({"message": message, "status-code": refusal.status}, refusal.status, refusal.headers)
    if refusal.status in (401, 403):
        page = (
            f"<html><head><title>{escape(message)} ({refusal.status})</title></head>"
            f"<body><h1>{escape(message)} ({refusal.status})</h1></body></html>"
        )
        return HTMLResponse(page, refusal.status, refusal.headers)
    document = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f"<status><status-code>{refusal.status}</status-code><message>{escape(message)}</message></status>"
    )
    return Response(document, refusal.status, refusal.headers, media_type="application/xml;charset=UTF-8")


def bad_credentials(mode: Mode) -> Refusal:
    """The refusal of a user or token that is not the right one."""
    headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
    if mode == "datacenter":
        return Refusal(
            401, ["Unauthorized"], headers={**headers, "WWW-Authenticate": 'OAuth realm="sandbox"'}, plain=True
        )
    return Refusal(401, ["Client must be authenticated to access this resource."], headers=headers, plain=True)


def too_many(mode: Mode, retry_after_s: int, limit: int, now: datetime) -> Refusal:
    """The refusal of a caller that asks too often."""
    if mode == "datacenter":
        headers = {
            "retry-after": str(retry_after_s),
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Interval-Seconds": "60",
            "X-RateLimit-FillRate": str(limit),
        }
        return Refusal(429, ["Rate limit exceeded."], headers=headers)
    headers = {
        "Retry-After": str(retry_after_s),
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": (now + timedelta(seconds=retry_after_s)).strftime("%Y-%m-%dT%H:%MZ"),
        "X-RateLimit-NearLimit": "true",
        "RateLimit-Reason": "jira-burst-based",
    }
    return Refusal(429, ["Rate limit exceeded."], headers=headers)


def any_refusal(mode: Mode, status: int, now: datetime, retry_after: str | None) -> Refusal:
    """A refusal with a status somebody asked for, worded as Jira would."""
    if status == 401:
        return bad_credentials(mode)
    if status == 404:
        return Refusal(404, [NO_SUCH_ISSUE])
    if status == 429:
        return too_many(mode, int(float(retry_after or "1")), 100, now)
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unnamed status"
    return Refusal(status, [f"{phrase} (simulated)."])


def time_text(at: datetime) -> str:
    """A moment as Jira writes it: milliseconds, and no colon in the zone."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"


def paged(rows: Sequence[Any], start: int, size: int, key: str) -> dict[str, Any]:
    """One page of rows under `key`, with `startAt`, `maxResults` and `total`."""
    return {"startAt": start, "maxResults": size, "total": len(rows), key: list(rows[start : start + size])}


class Wording:
    """Issues and their parts as JSON, for one mode and one account, as seen under `base`."""

    def __init__(self, mode: Mode, email: str, base: str) -> None:
        """`base` is the address of the sandbox without a trailing slash."""
        self.mode, self.email, self.base = mode, email, base
        self.rest = f"{base}/rest/api/2"

    def user(self) -> dict[str, Any]:
        """The one account there is."""
        name = self.email.partition("@")[0]
        shown = name.replace(".", " ").replace("-", " ").title()
        common = {"emailAddress": self.email, "displayName": shown, "active": True, "timeZone": "Etc/UTC"}
        if self.mode == "datacenter":
            return {"self": f"{self.rest}/user?username={name}", "name": name, "key": name, **common}
        account = "5b10a2844c20165700ede21g"
        return {
            "self": f"{self.rest}/user?accountId={account}",
            "accountId": account,
            "accountType": "atlassian",
            **common,
        }

    def project(self, key: str) -> dict[str, Any]:
        """A project, short."""
        return {"self": f"{self.rest}/project/{key}", "id": project_id(key), "key": key, "name": f"{key} (sandbox)"}

    def issue_type(self, kind: catalogue.IssueType) -> dict[str, Any]:
        """An issue type."""
        return {
            "self": f"{self.rest}/issuetype/{kind.id}",
            "id": kind.id,
            "name": kind.name,
            "description": kind.description,
            "subtask": kind.subtask,
        }

    def priority(self, name: str) -> dict[str, Any]:
        """A priority."""
        number = catalogue.PRIORITIES[name]
        return {"self": f"{self.rest}/priority/{number}", "id": number, "name": name}

    def status(self, status: catalogue.Status) -> dict[str, Any]:
        """A status with its category."""
        number, name, colour = catalogue.CATEGORIES[status.category]
        return {
            "self": f"{self.rest}/status/{status.id}",
            "id": status.id,
            "name": status.name,
            "statusCategory": {
                "self": f"{self.rest}/statuscategory/{number}",
                "id": number,
                "key": status.category,
                "name": name,
                "colorName": colour,
            },
        }

    def comment(self, issue: Issue, comment: Comment, properties: bool = False) -> dict[str, Any]:
        """A comment; with its properties if asked for."""
        shown: dict[str, Any] = {
            "self": f"{self.rest}/issue/{issue.id}/comment/{comment.id}",
            "id": comment.id,
            "author": self.user(),
            "body": comment.body,
            "updateAuthor": self.user(),
            "created": time_text(comment.created),
            "updated": time_text(comment.updated),
        }
        if properties:
            shown["properties"] = [{"key": key, "value": value} for key, value in comment.properties.items()]
        return shown

    def stub(self, issue: Issue) -> dict[str, Any]:
        """An issue as it stands inside another one: a parent or a sub-task."""
        fields = {"summary": issue.summary, "status": self.status(catalogue.status(issue.status_id))}
        return {"id": issue.id, "key": issue.key, "self": f"{self.rest}/issue/{issue.id}", "fields": fields}

    def fields(self, issue: Issue, book: Book) -> dict[str, Any]:
        """All fields of an issue, its comments among them."""
        kind = catalogue.issue_type(issue.type_id)
        assert kind is not None
        parent = book.find(issue.parent) if issue.parent else None
        names = (name for name in catalogue.screen(kind) if name.startswith("customfield_") or name == "duedate")
        comments = [self.comment(issue, comment) for comment in issue.comments]
        shown: dict[str, Any] = {
            "summary": issue.summary,
            "description": issue.description,
            "labels": issue.labels,
            "created": time_text(issue.created),
            "updated": time_text(issue.updated),
            "status": self.status(catalogue.status(issue.status_id)),
            "issuetype": self.issue_type(kind),
            "priority": self.priority(issue.priority) if issue.priority else None,
            "reporter": self.user(),
            "creator": self.user(),
            "assignee": None,
            "project": self.project(issue.project),
            "resolution": resolution(issue.resolution),
            "resolutiondate": time_text(issue.resolved) if issue.resolved else None,
            "subtasks": [self.stub(subtask) for subtask in book.subtasks(issue)],
            "comment": paged(comments, 0, max(len(comments), 1), "comments"),
            **{name: issue.extra.get(name) for name in names},
        }
        return shown | ({"parent": self.stub(parent)} if parent else {})

    def issue(self, issue: Issue, book: Book, wanted: Sequence[str] = ("*all",)) -> dict[str, Any]:
        """An issue with the fields asked for: names, `*all`, `*navigable`, or `-name` to leave one out."""
        everything = self.fields(issue, book)
        names = {name for name in wanted if not name.startswith(("*", "-"))}
        if "*all" in wanted:
            names |= set(everything)
        if "*navigable" in wanted or not names:
            names |= set(everything) - {"comment"}
        names -= {name[1:] for name in wanted if name.startswith("-")}
        return {
            "expand": "renderedFields,names,schema,operations,editmeta,changelog",
            "id": issue.id,
            "self": f"{self.rest}/issue/{issue.id}",
            "key": issue.key,
            "fields": {name: value for name, value in everything.items() if name in names},
        }


def resolution(name: str | None) -> dict[str, str] | None:
    """A resolution by name."""
    return None if name is None else {"id": catalogue.RESOLUTIONS[name], "name": name}


def project_id(key: str) -> str:
    """A number for a project that stays the same over restarts."""
    return str(10_000 + sum(ord(letter) * 31**place for place, letter in enumerate(key)) % 89_999)
