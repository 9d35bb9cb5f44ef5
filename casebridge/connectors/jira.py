"""Jira, Cloud and Data Center, by version 2 of its REST API (contract external/jira.md)."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from casebridge.connectors.base import (
    AnyParams,
    CommentGone,
    ConnectorType,
    ExternalComment,
    NoParams,
    Record,
    SubAction,
)
from casebridge.connectors.fields import ChoiceField, SecretField, TextField, UrlField
from casebridge.connectors.http import Answer, Effect
from casebridge.connectors.jira_text import LABEL, SUMMARY, TEXT, cut, one_line, quoted, search_words, to_wiki
from casebridge.connectors.registry import register
from casebridge.domain.errors import ConnectorError

OTHER_FIELDS = 20
PAGE = 50
COMMENT_PAGE = 25
"""Comments are long: so many of them stay below the limit of an answer."""
PAGES = 400
DEPLOYMENT_TTL_S = 600.0
BUILT_IN = frozenset({"summary", "description", "externalId", "issueType", "priority", "parent", "labels"})
"""Names that `otherFields` may not repeat; nor the two below, which the connector sets itself."""
SET_BY_US = frozenset({"project", "issuetype"})


Query = dict[str, str | int]


class JiraIncident(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What is sent to Jira. `other_fields` may come as JSON text and is an object afterwards."""

    summary: str
    description: str | None = None
    issue_type: str | None = None
    priority: str | None = None
    parent: str | None = None
    labels: list[str] | None = None
    other_fields: dict[str, Any] | str | None = None

    def __post_init__(self) -> None:
        for label in self.labels or ():
            if re.search(r"\s", label):
                raise ValueError(f"labels: the label {label!r} must not contain white space.")
        if isinstance(self.other_fields, str):
            self.other_fields = _parsed(self.other_fields)
        names = set(self.other_fields or ())
        if len(names) > OTHER_FIELDS:
            raise ValueError(f"otherFields: at most {OTHER_FIELDS} keys are allowed, given {len(names)}.")
        if repeated := sorted(names & (BUILT_IN | SET_BY_US)):
            raise ValueError(f"otherFields: {', '.join(repeated)} must not be repeated here.")


def _parsed(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any] | None)
    except ValueError:
        raise ValueError("otherFields: expected an object, or the JSON text of one.") from None


class ById(msgspec.Struct, forbid_unknown_fields=True):
    """Params that name an issue or an issue type."""

    id: str


class ByTitle(msgspec.Struct, forbid_unknown_fields=True):
    """Params of the search for a parent."""

    title: str


class ByExternalId(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Params that name an incident."""

    external_id: str


@register
class Jira(ConnectorType):
    """A project of a Jira. The marker is a label; issues are found by it, comments by their text."""

    type_id = ".jira"
    label = "Jira"
    minimum_license_required = "gold"
    supported_feature_ids = ("alerting", "cases", "uptime", "siem")
    config = (UrlField("apiUrl", "URL"), TextField("projectKey", "Project key"))
    secrets = (TextField("email", "Email or user name"), SecretField("apiToken", "API token or password"))
    settings = (
        ChoiceField("auth", "Sign-in", required=False, default="basic", choices=("basic", "bearer")),
        ChoiceField("text", "Markdown", required=False, default="unchanged", choices=("unchanged", "converted")),
        ChoiceField("edited_comments", "Edited comments", required=False, default="edit", choices=("edit", "append")),
    )
    incident = JiraIncident
    can_find_incidents = True
    can_list_comments = True
    can_edit_comments = True

    # Where, and as whom

    @property
    def _base(self) -> str:
        return str(self._config["apiUrl"]).removesuffix("/")

    def _url(self, doing: str, *segments: str) -> str:
        return "/".join([f"{self._base}/rest/api/2", *(self.segment(doing, each) for each in segments)])

    def credentials(self) -> dict[str, str]:
        email, token = str(self._secrets["email"]), str(self._secrets["apiToken"])
        if self._settings["auth"] == "basic":
            return {"authorization": f"Basic {base64.b64encode(f'{email}:{token}'.encode()).decode()}"}
        if not re.fullmatch(r"[!-~]+", token):
            text = "the secret apiToken holds characters that a bearer token cannot have"
            raise self.trouble("sign in", text, code="configuration", permanent=True)
        return {"authorization": f"Bearer {token}"}

    # What an answer says

    def own_words(self, answer: Answer) -> str | None:
        body = answer.value
        if not isinstance(body, dict) or not body.keys() & {"errorMessages", "errors", "message"}:
            return None
        messages = body.get("errorMessages")
        if isinstance(messages, list) and messages:
            return ", ".join(str(each) for each in messages)
        errors = body.get("errors")
        if isinstance(errors, dict) and errors:
            return " ".join(str(each) for each in errors.values())
        return str(body.get("message") or "")

    def login_trouble(self, answer: Answer) -> str | None:
        if answer.headers.get("x-authentication-denied-reason", "").startswith("CAPTCHA_CHALLENGE"):
            return "after too many failed log-ins it wants this user to solve a CAPTCHA in the browser first"
        reason = answer.headers.get("x-seraph-loginreason", "")
        if answer.status == 401 or "AUTHENTICATED_FAILED" in reason or "AUTHENTICATION_DENIED" in reason:
            return "the credentials were not accepted"
        return None

    def wait_s(self, answer: Answer) -> float | None:
        asked = super().wait_s(answer)
        reset = _time(answer.headers.get("x-ratelimit-reset"))
        if asked is not None or reset is None or answer.status != 429:
            return asked
        return min(max((reset - datetime.now(reset.tzinfo)).total_seconds(), 0.0), 3600.0)

    # Single calls of a push

    async def prepare(self, fields: dict[str, Any], marks: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Without an issue type the first one of the project is taken."""
        if fields.get("issueType") is not None:
            return fields
        doing = "get issue types"
        kinds = await self._issue_type_rows()
        if not kinds:
            text = f"the project {self._config['projectKey']} offers no issue type to this user"
            raise self.trouble(doing, text, code="configuration", permanent=True)
        return {**fields, "issueType": str(self.key(doing, kinds[0], "id"))}

    async def create(self, fields: dict[str, Any], marker: str) -> str:
        doing, url = "create incident", self._url("create incident", "issue")
        sent = {"labels": [], **self._fields(fields, marker)}
        answer = await self.call(doing, "POST", url, effect=Effect.ADDS, payload={"fields": sent})
        return str(self.key(doing, answer.value, "id", Effect.ADDS))

    async def update(self, external_id: str, fields: dict[str, Any], marker: str) -> None:
        doing, url = "update incident", self._url("update incident", "issue", external_id)
        payload = {"fields": self._fields(fields, marker)}
        await self.call(doing, "PUT", url, effect=Effect.OVERWRITES, payload=payload, needs_body=False)

    def _fields(self, fields: dict[str, Any], marker: str) -> dict[str, Any]:
        """The fields of an issue as Jira names them; nulls are left out."""
        description, labels = fields.get("description"), fields.get("labels")
        named = {
            "project": {"key": self._config["projectKey"]},
            "summary": cut(one_line(fields["summary"]), SUMMARY, "…"),
            "description": None if description is None else self._text(description),
            "issuetype": _under("id", fields.get("issueType")),
            "labels": _labels(labels, marker),
            "priority": _under("name", fields.get("priority")),
            "parent": _under("key", fields.get("parent")),
        }
        return {
            **{name: value for name, value in named.items() if value is not None},
            **(fields.get("otherFields") or {}),
        }

    def _text(self, text: str) -> str:
        return cut(to_wiki(text) if self._settings["text"] == "converted" else text, TEXT)

    def outgoing(self, fields: dict[str, Any], marker: str) -> dict[str, Any]:
        return self._fields(fields, marker)

    def present(self, record: Record, names: Iterable[str]) -> dict[str, Any]:
        held = _fields_of(record.raw)
        return {name: _reduced(name, held.get(name)) for name in names}

    async def read(self, external_id: str) -> Record:
        doing, url = "get incident", self._url("get incident", "issue", external_id)
        answer = await self.call(doing, "GET", url, params={"fields": "*all,-comment"})
        return self._record(doing, answer.value)

    def _record(self, doing: str, issue: Any) -> Record:
        id_, key = str(self.key(doing, issue, "id")), str(self.key(doing, issue, "key"))
        fields = _fields_of(issue)
        changed_at = _time(fields.get("updated")) or _time(fields.get("created"))
        shown = re.sub(r"//[^/@]*@", "//", self._base)
        return Record(id_, key, f"{shown}/browse/{key}", issue, changed_at)

    async def add_comment(self, external_id: str, text: str) -> str | None:
        if not text.strip():
            return None
        doing, url = "create comment", self._url("create comment", "issue", external_id, "comment")
        payload = {"body": self.comment_as_sent(text)}
        answer = await self.call(doing, "POST", url, effect=Effect.ADDS, payload=payload)
        return str(self.key(doing, answer.value, "id", Effect.ADDS))

    async def edit_comment(self, external_id: str, comment_external_id: str, text: str) -> None:
        doing = "update comment"
        url = self._url(doing, "issue", external_id, "comment", comment_external_id)
        payload = {"body": self.comment_as_sent(text)}
        answer = await self.call(
            doing, "PUT", url, effect=Effect.OVERWRITES, payload=payload, needs_body=False, may_be_missing=True
        )
        if answer.status == 404:
            gone = self.refusal(doing, answer, Effect.OVERWRITES)
            raise CommentGone(gone.message, code=gone.code, permanent=True, status=404)

    def comment_as_sent(self, text: str) -> str:
        return self._text(text)

    async def list_comments(self, external_id: str) -> list[ExternalComment]:
        doing, url = "get comments", self._url("get comments", "issue", external_id, "comment")
        return [
            ExternalComment(str(self.key(doing, each, "id")), str(each.get("body") or ""))
            async for each in self._rows(doing, url, "comments", size=COMMENT_PAGE)
        ]

    async def find_incidents(self, marker: str, sent: Mapping[str, Any] | None = None) -> list[Record]:
        doing, project = "find incidents", quoted(self._config["projectKey"])
        jql = f"project = {project} AND labels = {quoted(marker)} ORDER BY created ASC"
        marked = await self._marked(doing, jql, marker)
        if not marked:
            # The index of labels may lag further behind than that of the rest, and an issue shows its present labels.
            recent = f'project = {project} AND reporter = currentUser() AND created >= "-15m" ORDER BY created ASC'
            marked = await self._marked(doing, recent, marker)
        return [self._record(doing, each) for each in marked]

    async def _marked(self, doing: str, jql: str, marker: str) -> list[dict[str, Any]]:
        found = [each async for each in self._search(doing, jql, "summary,labels,created,updated")]
        # A system that ignored the condition would hand us somebody else's issue.
        return [each for each in found if marker in self._list(doing, each, "fields.labels")]

    async def test(self) -> str:
        doing = "test the connection"
        info = (await self.call(doing, "GET", self._url(doing, "serverInfo"))).value
        named = f"Jira {self.key(doing, info, 'version')} ({info.get('deploymentType') or 'Server'})"
        await self.call(doing, "GET", self._url(doing, "myself"))
        kinds = await self._issue_type_rows(doing)
        project = self._config["projectKey"]
        return f"{named} accepted the credentials; project {project} offers {len(kinds)} issue types."

    # Sub-actions

    async def _issue_types(self, params: NoParams) -> list[dict[str, str]]:
        doing = "get issue types"
        kinds = await self._issue_type_rows()
        return [{"id": str(self.key(doing, each, "id")), "name": str(self.key(doing, each, "name"))} for each in kinds]

    async def _fields_by_issue_type(self, params: ById) -> dict[str, Any]:
        doing = "get fields"
        url = self._url(doing, "issue", "createmeta", self._config["projectKey"], "issuetypes", params.id)
        rows = [each async for each in self._rows(doing, url, "fields", "values")]
        return {
            str(self.key(doing, each, "fieldId")): {
                "required": bool(each.get("required")),
                "allowedValues": each.get("allowedValues") or [],
                "defaultValue": each.get("defaultValue") or {},
                "schema": each.get("schema") or {},
                "name": each.get("name") or "",
            }
            for each in rows
        }

    async def _common_fields(self, params: AnyParams) -> dict[str, Any]:
        """Fields that every issue type of the project has."""
        kinds = await self._issue_types(NoParams())
        screens = [await self._fields_by_issue_type(ById(each["id"])) for each in kinds]
        if not screens:
            return {}
        return {name: row for name, row in screens[0].items() if all(name in each for each in screens[1:])}

    async def _issues(self, params: ByTitle) -> list[dict[str, str]]:
        doing, project = "get issues", quoted(self._config["projectKey"])
        jql = f'project={project} and summary ~"{search_words(params.title)}"'
        found: list[dict[str, str]] = []
        async for each in self._search(doing, jql, "summary,key"):
            found.append(self._short(doing, each))
            if len(found) == PAGE:
                break
        return found

    async def _issue(self, params: ById) -> dict[str, str]:
        doing = "get issue"
        answer = await self.call(doing, "GET", self._url(doing, "issue", params.id), params={"fields": "summary"})
        return self._short(doing, answer.value)

    def _short(self, doing: str, issue: Any) -> dict[str, str]:
        names = {"id": "id", "key": "key", "title": "fields.summary"}
        return {name: str(self.key(doing, issue, path)) for name, path in names.items()}

    async def _incident(self, params: ByExternalId) -> dict[str, Any]:
        record = await self.read(params.external_id)
        return {"id": record.external_id, "key": record.title, **_fields_of(record.raw)}

    sub_actions = {
        "issueTypes": SubAction(NoParams, _issue_types),
        "fieldsByIssueType": SubAction(ById, _fields_by_issue_type),
        "getFields": SubAction(AnyParams, _common_fields),
        "issues": SubAction(ByTitle, _issues),
        "issue": SubAction(ById, _issue),
        "getIncident": SubAction(ByExternalId, _incident),
    }

    # Pages and searches

    async def _issue_type_rows(self, doing: str = "get issue types") -> list[dict[str, Any]]:
        url = self._url(doing, "issue", "createmeta", self._config["projectKey"], "issuetypes")
        return [each async for each in self._rows(doing, url, "issueTypes", "values")]

    async def _rows(
        self, doing: str, url: str, *names: str, params: Query | None = None, size: int = PAGE
    ) -> AsyncIterator[dict[str, Any]]:
        """The rows of all pages that follow one another by `startAt`. They stand under one of these names."""
        seen = 0
        for _ in range(PAGES):
            asked = {**(params or {}), "startAt": seen, "maxResults": size}
            page = (await self.call(doing, "GET", url, params=asked)).value
            name = next((each for each in names if isinstance(page, dict) and each in page), names[0])
            rows = self._list(doing, page, name)
            for row in rows:
                yield row
            seen += len(rows)
            if not rows or _is_last(page, seen, len(rows), size):
                return
        raise self._endless(doing)

    async def _search(self, doing: str, jql: str, fields: str) -> AsyncIterator[dict[str, Any]]:
        """The issues a query finds; Cloud and Data Center search in different places."""
        params: Query = {"jql": jql, "fields": fields}
        is_cloud = await self._is_cloud(doing)
        url = self._url(doing, "search", *(["jql"] if is_cloud else []))
        rows = self._token_rows(doing, url, params) if is_cloud else self._rows(doing, url, "issues", params=params)
        try:
            async for row in rows:
                yield row
        except ConnectorError as fault:
            if fault.status in (404, 410):  # another kind of Jira than we remember
                self._http.memory.forget(self._base)
            raise

    async def _token_rows(self, doing: str, url: str, params: Query) -> AsyncIterator[dict[str, Any]]:
        """The issues of all pages that follow one another by token."""
        asked = {**params, "maxResults": PAGE}
        for _ in range(PAGES):
            page = (await self.call(doing, "GET", url, params=asked)).value
            for row in self._list(doing, page, "issues"):
                yield row
            token = page.get("nextPageToken")
            if page.get("isLast") is True or not token:
                return
            asked["nextPageToken"] = str(token)
        raise self._endless(doing)

    def _list(self, doing: str, value: Any, path: str) -> list[Any]:
        """The list at a dotted path of an answer."""
        rows = self.key(doing, value, path)
        if not isinstance(rows, list):
            raise self.trouble(doing, f"the answer of {self.label} has no list at {path}", code="bad_answer")
        return rows

    def _endless(self, doing: str) -> ConnectorError:
        return self.trouble(doing, f"the answer has more than {PAGES} pages", code="bad_answer", permanent=True)

    async def _is_cloud(self, doing: str) -> bool:
        """Whether this is Jira Cloud, remembered for some minutes."""
        known = self._http.memory.get(self._base)
        if known is None:
            info = (await self.call(doing, "GET", self._url(doing, "serverInfo"))).value
            known = str((info if isinstance(info, dict) else {}).get("deploymentType") or "Server")
            self._http.memory.put(self._base, known, DEPLOYMENT_TTL_S)
        return bool(known == "Cloud")


def _is_last(page: dict[str, Any], seen: int, rows: int, size: int) -> bool:
    """Whether a page ends the list. `isLast` is believed first, then `total`, then a page that is not full."""
    if isinstance(page.get("isLast"), bool):
        return bool(page["isLast"])
    total, most = page.get("total"), page.get("maxResults")
    return seen >= total if isinstance(total, int) else rows < (most if isinstance(most, int) and most else size)


def _fields_of(issue: Mapping[str, Any]) -> dict[str, Any]:
    fields = issue.get("fields")
    return fields if isinstance(fields, dict) else {}


def _under(name: str, value: Any) -> dict[str, Any] | None:
    return None if value is None else {name: value}


def _labels(labels: list[str] | None, marker: str) -> list[str] | None:
    """The labels with the marker among them; None when there is nothing to say about labels."""
    if labels is None and not marker:
        return None
    kept = [cut(each, LABEL, "…") for each in labels or ()]
    return kept if not marker or marker in kept else [*kept, marker]


def _time(text: Any) -> datetime | None:
    """A time as Jira writes it (`2026-03-04T05:06:07.000+0000`), aware; None where there is none."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


def _reduced(name: str, value: Any) -> Any:
    """Of what Jira shows of a thing, the part it is named by when it is sent."""
    key = {"project": "key", "issuetype": "id", "priority": "name", "parent": "key"}.get(name)
    return {key: value.get(key)} if key and isinstance(value, dict) else value
