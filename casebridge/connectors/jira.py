"""Jira, Cloud and Data Center, through version 2 of its REST API (external/jira.md)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec

from casebridge.connectors.base import (
    CommentGone,
    ConnectorType,
    ExternalComment,
    InvalidParams,
    Record,
    SubAction,
    basic,
    own_keys,
    text_at,
)
from casebridge.connectors.fields import Field, SecretField, TextField, UrlField
from casebridge.connectors.http import Answer
from casebridge.connectors.registry import register
from casebridge.domain.errors import ConnectorError

SUMMARY_LIMIT = 255
TEXT_LIMIT = 32_767
OTHER_FIELDS_LIMIT = 20
_PAGE = 50
_NAMED_FIELDS = ("summary", "description", "issuetype", "issueType", "priority", "parent", "labels", "project")
_DEPLOYMENT_LIFE_S = 600.0

_deployments: dict[str, tuple[float, bool]] = {}
"""Base URL -> when we asked, and whether it is Cloud."""


class Incident(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `pushToService` takes (connectors.md 6.1)."""

    summary: str
    description: str | None = None
    issueType: str | None = None  # noqa: N815
    priority: str | None = None
    parent: str | None = None
    labels: list[str] | None = None
    otherFields: dict[str, Any] | str | None = None  # noqa: N815


class ById(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str


class ByTitle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str


class ByExternalId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    externalId: str  # noqa: N815


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Ignored(msgspec.Struct, frozen=True):
    """Parameters whose content plays no role."""


@register
class Jira(ConnectorType):
    """A project in one Jira."""

    type_id = ".jira"
    label = "Jira"
    minimum_license_required = "gold"
    supported_feature_ids = ("alerting", "cases", "uptime", "siem")
    config: ClassVar[tuple[Field, ...]] = (UrlField("apiUrl", "URL"), TextField("projectKey", "Project key"))
    secrets: ClassVar[tuple[Field, ...]] = (SecretField("email", "Email"), SecretField("apiToken", "API token"))
    incident = Incident
    can_find_incidents = True
    can_list_comments = True
    can_edit_comments = True

    @property
    def _base(self) -> str:
        return str(self._config["apiUrl"]).removesuffix("/")

    @property
    def _project(self) -> str:
        return str(self._config["projectKey"])

    def _url(self, path: str) -> str:
        return f"{self._base}/rest/api/2{path}"

    def headers(self) -> dict[str, str]:
        email, token = self._secrets["email"], self._secrets["apiToken"]
        bearer = self._settings.get("auth") == "bearer"
        return {"authorization": f"Bearer {token}" if bearer else basic(email, token)}

    def reason(self, answer: Answer) -> str:
        """Jira's own words, or what its headers tell when its body does not."""
        if answer.headers.get("x-authentication-denied-reason", "").startswith("CAPTCHA_CHALLENGE"):
            return "Jira wants a CAPTCHA solved after repeated failed logins; log in by browser once."
        if answer.headers.get("x-seraph-loginreason", "").upper() == "AUTHENTICATED_FAILED":
            return "the credentials were refused (AUTHENTICATED_FAILED)"
        body = answer.json
        if not isinstance(body, dict):
            return ""
        messages = body.get("errorMessages")
        if isinstance(messages, list) and messages:
            return ", ".join(str(each) for each in messages)
        errors = body.get("errors")
        if isinstance(errors, dict) and errors:
            return " ".join(str(each) for each in errors.values())
        return super().reason(answer)

    def refined(self, incident: dict[str, Any]) -> dict[str, Any]:
        labels = incident["labels"]
        if labels and (spaced := [each for each in labels if re.search(r"\s", each)]):
            raise InvalidParams("incident.labels", f"a label must not contain white space: {spaced[0]!r}.")
        if not incident["summary"].strip():
            raise InvalidParams("incident.summary", "must not be empty.")
        other = own_keys("otherFields", incident["otherFields"], OTHER_FIELDS_LIMIT, _NAMED_FIELDS)
        return {**incident, "otherFields": other}

    # A push, one call at a time

    async def prepare(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Without an issue type, the project's first one is taken."""
        if fields.get("issueType") is not None:
            return fields
        types = await self._issue_types(Nothing())
        if not types:
            raise self.missing("create incident", "issue type", writes=False)
        return {**fields, "issueType": types[0]["id"]}

    async def create(self, fields: dict[str, Any], marker: str | None) -> str:
        doing = "create incident"
        answer = await self.call(doing, "POST", self._url("/issue"), json={"fields": self._fields(fields, marker)})
        external_id = text_at(answer.json, "id")
        if external_id is None:
            raise self.missing(doing, "id", writes=True)
        return external_id

    async def update(self, external_id: str, fields: dict[str, Any], marker: str | None) -> None:
        url = self._url(f"/issue/{_segment(external_id)}")
        body = {"fields": self._fields(fields, marker)}
        await self.call(f"update incident {external_id}", "PUT", url, json=body, want_json=False)

    async def read(self, external_id: str) -> Record:
        doing = f"get incident {external_id}"
        issue = (await self.call(doing, "GET", self._url(f"/issue/{_segment(external_id)}"))).json
        return self._record(doing, issue)

    async def add_comment(self, external_id: str, text: str) -> str | None:
        doing = f"create comment at incident {external_id}"
        url = self._url(f"/issue/{_segment(external_id)}/comment")
        answer = await self.call(doing, "POST", url, json={"body": _cut(text, TEXT_LIMIT)})
        comment_id = text_at(answer.json, "id")
        if comment_id is None:
            raise self.missing(doing, "id", writes=True)
        return comment_id

    async def edit_comment(self, external_id: str, comment_id: str, text: str) -> None:
        url = self._url(f"/issue/{_segment(external_id)}/comment/{_segment(comment_id)}")
        doing = f"update comment {comment_id} at incident {external_id}"
        try:
            await self.call(doing, "PUT", url, json={"body": _cut(text, TEXT_LIMIT)})
        except ConnectorError as fault:
            if fault.status == 404:
                raise CommentGone(fault.message, code=fault.code, permanent=True, status=404) from None
            raise

    async def find_incidents(self, marker: str) -> list[Record]:
        jql = f'project = "{_quoted(self._project)}" AND labels = "{_quoted(marker)}" ORDER BY created ASC'
        doing = "look for an earlier incident"
        found = [self._record(doing, row) for row in await self._search(doing, jql)]
        return sorted(found, key=lambda each: (len(each.external_id), each.external_id))

    async def list_comments(self, external_id: str) -> list[ExternalComment]:
        doing = f"list comments of incident {external_id}"
        url = self._url(f"/issue/{_segment(external_id)}/comment")
        rows = await self._pages(doing, url, ("comments",))
        return [ExternalComment(str(row.get("id")), str(row.get("body") or "")) for row in rows]

    def same_text(self, there: str, sent: str) -> bool:
        return super().same_text(there, _cut(sent, TEXT_LIMIT))

    async def test(self) -> str:
        me = (await self.call("read the account", "GET", self._url("/myself"))).json
        url = self._url(f"/project/{_segment(self._project)}")
        project = (await self.call(f"read the project {self._project}", "GET", url)).json
        name = text_at(me, "displayName") or text_at(me, "name") or "the account"
        return f"{name} can see the project {text_at(project, 'name') or self._project}."

    def _fields(self, incident: Mapping[str, Any], marker: str | None) -> dict[str, Any]:
        """The `fields` object of a create or update; values that are null are left out."""
        labels = [_cut(each, SUMMARY_LIMIT, "") for each in incident.get("labels") or ()]
        if marker is not None and marker not in labels:
            labels.append(marker)
        issue_type, priority, parent = (incident.get(name) for name in ("issueType", "priority", "parent"))
        description = incident.get("description")
        fields: dict[str, Any] = {
            "project": {"key": self._project},
            "summary": _summary(incident["summary"]),
            "description": None if description is None else _cut(description, TEXT_LIMIT),
            "issuetype": {"id": issue_type} if issue_type else None,
            "priority": {"name": priority} if priority else None,
            "parent": {"key": parent} if parent else None,
            "labels": labels,
        }
        fields.update(incident.get("otherFields") or {})
        return {name: value for name, value in fields.items() if value is not None}

    def _record(self, doing: str, issue: Any) -> Record:
        external_id, key = text_at(issue, "id"), text_at(issue, "key")
        if external_id is None or key is None:
            raise self.missing(doing, "id" if external_id is None else "key", writes=False)
        return Record(external_id, key, f"{self._base}/browse/{key}", issue)

    # Searching: Cloud and Data Center differ

    async def _search(self, doing: str, jql: str) -> list[dict[str, Any]]:
        if await self._is_cloud():
            return await self._search_cloud(doing, jql)
        return await self._pages(doing, self._url("/search"), ("issues",), jql=jql, fields="summary,key")

    async def _search_cloud(self, doing: str, jql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        params: dict[str, str | int] = {"jql": jql, "fields": "summary,key", "maxResults": _PAGE}
        while True:
            body = (await self.call(doing, "GET", self._url("/search/jql"), params=params)).json
            rows += _rows(body, "issues")
            token = body.get("nextPageToken") if isinstance(body, dict) else None
            if not token or body.get("isLast"):
                return rows
            params["nextPageToken"] = token

    async def _is_cloud(self) -> bool:
        known = _deployments.get(self._base)
        if known is not None and time.monotonic() - known[0] < _DEPLOYMENT_LIFE_S:
            return known[1]
        info = (await self.call("read the server's kind", "GET", self._url("/serverInfo"))).json
        is_cloud = text_at(info, "deploymentType") == "Cloud"
        _deployments[self._base] = (time.monotonic(), is_cloud)
        return is_cloud

    async def _pages(self, doing: str, url: str, keys: Sequence[str], **params: str | int) -> list[dict[str, Any]]:
        """All rows of a list that is paged by `startAt`, found under the first of `keys` that is there."""
        rows: list[dict[str, Any]] = []
        while True:
            sent = {**params, "startAt": len(rows), "maxResults": _PAGE}
            body = (await self.call(doing, "GET", url, params=sent)).json
            page = next((_rows(body, key) for key in keys if isinstance(body, dict) and key in body), [])
            rows += page
            total = body.get("total") if isinstance(body, dict) else None
            last = body.get("isLast") if isinstance(body, dict) else None
            if not page or last is True or (isinstance(total, int) and len(rows) >= total):
                return rows
            if total is None and last is None and len(page) < _PAGE:
                return rows

    # Choices for forms

    async def _issue_types(self, params: Nothing) -> list[dict[str, str]]:
        url = self._url(f"/issue/createmeta/{_segment(self._project)}/issuetypes")
        rows = await self._pages("get issue types", url, ("issueTypes", "values"))
        return [{"id": str(row.get("id")), "name": str(row.get("name"))} for row in rows]

    async def _fields_by_issue_type(self, params: ById) -> dict[str, Any]:
        path = f"/issue/createmeta/{_segment(self._project)}/issuetypes/{_segment(params.id)}"
        rows = await self._pages("get fields", self._url(path), ("fields", "values"))
        return {
            str(row["fieldId"]): {
                "required": bool(row.get("required")),
                "allowedValues": row.get("allowedValues") or [],
                "defaultValue": row.get("defaultValue") or {},
                "schema": row.get("schema") or {},
                "name": str(row.get("name", "")),
            }
            for row in rows
            if "fieldId" in row
        }

    async def _common_fields(self, params: Ignored) -> dict[str, Any]:
        per_type = [await self._fields_by_issue_type(ById(each["id"])) for each in await self._issue_types(Nothing())]
        if not per_type:
            return {}
        common = set.intersection(*(set(fields) for fields in per_type))
        return {name: field for name, field in per_type[0].items() if name in common}

    async def _issues(self, params: ByTitle) -> list[dict[str, Any]]:
        jql = f'project = "{_quoted(self._project)}" and summary ~"{_searched(params.title)}"'
        rows = await self._search("search issues", jql)
        return [_short(row) for row in rows]

    async def _issue(self, params: ById) -> dict[str, Any]:
        return _short((await self.read(params.id)).raw)

    async def _get_incident(self, params: ByExternalId) -> dict[str, Any]:
        issue = (await self.read(params.externalId)).raw
        fields = issue.get("fields") if isinstance(issue.get("fields"), dict) else {}
        return {**fields, "id": issue["id"], "key": issue["key"]}

    sub_actions: ClassVar[Mapping[str, tuple[type[msgspec.Struct], SubAction]]] = {
        "issueTypes": (Nothing, _issue_types),
        "fieldsByIssueType": (ById, _fields_by_issue_type),
        "getFields": (Ignored, _common_fields),
        "issues": (ByTitle, _issues),
        "issue": (ById, _issue),
        "getIncident": (ByExternalId, _get_incident),
    }


def _rows(body: Any, key: str) -> list[dict[str, Any]]:
    rows = body.get(key) if isinstance(body, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _short(issue: Mapping[str, Any]) -> dict[str, Any]:
    fields = issue.get("fields")
    title = fields.get("summary") if isinstance(fields, dict) else None
    return {"id": issue.get("id"), "key": issue.get("key"), "title": title}


def _summary(title: str) -> str:
    """One line: pieces between line breaks trimmed and joined by a comma, cut to what Jira takes."""
    pieces = [piece.strip() for piece in re.split(r"[\r\n]+", title)]
    return _cut(", ".join(piece for piece in pieces if piece), SUMMARY_LIMIT)


def _cut(text: str, most: int, sign: str = " […]") -> str:
    """The text, its end replaced by a sign of the cut when it is longer than `most` UTF-16 units, as Jira counts."""
    if len(text.encode("utf-16-le")) // 2 <= most:
        return text
    room = (most - len(sign)) * 2
    return text.encode("utf-16-le")[:room].decode("utf-16-le", "ignore") + sign


def _segment(text: str) -> str:
    """An id or key as one segment of a path."""
    return quote(text, safe="")


def _quoted(text: str) -> str:
    """A text between the quotation marks of JQL."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


_SPECIAL = re.compile(r"[-!^+&*()\[\]/{}|:?~]")


def _searched(title: str) -> str:
    """A text inside a JQL text search, its operators taken literally (external/jira.md)."""
    bare = title.replace('"', "").replace("\\", "\\\\").replace("'", "\\\\")
    return _SPECIAL.sub(lambda sign: "\\\\" + sign.group(), bare)
