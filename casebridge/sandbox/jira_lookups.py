"""The calls of the simulated Jira that look things up: what it is, what a form may offer, which issues match."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from casebridge.sandbox import jira_catalogue as catalogue
from casebridge.sandbox import jql
from casebridge.sandbox.jira_answers import Mode, Refusal, paged, project_id, reply, time_text
from casebridge.sandbox.jira_call import Call, Desk, Step, page_size, whole
from casebridge.sandbox.jira_state import Issue

VERSIONS = {"cloud": ("1001.0.0-SNAPSHOT", [1001, 0, 0], "Cloud"), "datacenter": ("9.12.0", [9, 12, 0], "Server")}


def server_info(desk: Desk, call: Call) -> Response:
    version, numbers, deployment = VERSIONS[desk.mode]
    shown = {
        "baseUrl": call.wording.base,
        "version": version,
        "versionNumbers": numbers,
        "deploymentType": deployment,
        "buildNumber": 100_000,
        "serverTime": time_text(call.now),
        "serverTitle": "Jira (sandbox)",
    }
    return reply(shown)


def myself(desk: Desk, call: Call) -> Response:
    return reply(call.wording.user())


def priorities(desk: Desk, call: Call) -> Response:
    return reply([call.wording.priority(name) for name in catalogue.PRIORITIES])


def project(desk: Desk, call: Call) -> Response:
    shown = call.wording.project(project_of(desk, call))
    lead = call.wording.user()
    kinds = [call.wording.issue_type(kind) for kind in catalogue.ISSUE_TYPES]
    return reply({**shown, "lead": lead, "issueTypes": kinds, "projectTypeKey": "software"})


def issue_types(desk: Desk, call: Call) -> Response:
    project_of(desk, call)
    rows = [call.wording.issue_type(kind) for kind in catalogue.ISSUE_TYPES]
    return meta_page(desk, call, rows, "issueTypes")


def fields(desk: Desk, call: Call) -> Response:
    key = project_of(desk, call)
    kind = catalogue.issue_type(call.params["type"])
    if kind is None:
        raise Refusal(404, [f"The issue type with id '{call.params['type']}' does not exist."])
    rows = [field_row(known, kind, key, call) for known in catalogue.screen(kind).values()]
    return meta_page(desk, call, rows, "fields")


def search_by_token(desk: Desk, call: Call) -> Response:
    """Cloud: pages follow one another by token, without a total."""
    asked = asked_for(call)
    query = jql.parse(str(asked.get("jql") or ""), surroundings(desk, call))
    if query.test is None:
        raise Refusal(
            400, ["Unbounded JQL queries are not allowed here. Please add a search restriction to your query."]
        )
    found = matches(desk, call, query)
    start, size = offset_of(asked.get("nextPageToken")), page_size(asked.get("maxResults"), desk)
    rows = [shown(issue, asked["fields"], desk, call) for issue in found[start : start + size]]
    if start + size >= len(found):
        return reply({"issues": rows, "isLast": True})
    return reply({"issues": rows, "nextPageToken": token_of(start + size), "isLast": False})


def search_by_offset(desk: Desk, call: Call) -> Response:
    """Data Center: pages by `startAt`, with a total."""
    asked = asked_for(call)
    found = matches(desk, call, jql.parse(str(asked.get("jql") or ""), surroundings(desk, call)))
    start, size = whole(asked.get("startAt"), 0), page_size(asked.get("maxResults"), desk)
    rows = [shown(issue, asked["fields"] or ["*navigable"], desk, call) for issue in found]
    return reply({"expand": "schema,names", **paged(rows, start, size, "issues")})


def search_removed(desk: Desk, call: Call) -> Response:
    raise Refusal(410, ["The requested API has been removed. Please use /rest/api/2/search/jql instead."])


def asked_for(call: Call) -> dict[str, Any]:
    """The query of a search, from the URL or from the body; `fields` is a list in both cases."""
    if call.entry.method == "POST":
        asked = dict(call.object())
        given = asked.get("fields") or []
        asked["fields"] = [str(name) for name in given] if isinstance(given, list) else [str(given)]
        return asked
    names = [name.strip() for given in call.query.getlist("fields") for name in given.split(",") if name.strip()]
    return {**call.query, "fields": names}


def surroundings(desk: Desk, call: Call) -> jql.Surroundings:
    """What a query may refer to."""
    user = call.wording.user()
    me = [user[name] for name in ("accountId", "name", "emailAddress") if name in user]
    return jql.Surroundings(call.now, desk.projects, me, desk.book.find)


def matches(desk: Desk, call: Call, query: jql.Query) -> list[Issue]:
    """The issues that match, as far as the search index knows them, in order."""
    lag_s = max(desk.search_lag_s, call.search_lag_s)
    known = desk.book.searchable(call.now, lag_s)
    return query.sorted([issue for issue, words in known if query.test is None or query.test(issue, words)])


def shown(issue: Issue, wanted: Sequence[str], desk: Desk, call: Call) -> dict[str, Any]:
    """A row of a search; nothing but the id when no fields were asked for."""
    return call.wording.issue(issue, desk.book, wanted) if wanted else {"id": issue.id}


def token_of(offset: int) -> str:
    """Where the next page starts, in a form nobody should look into."""
    return base64.urlsafe_b64encode(f"from:{offset}".encode()).decode()


def offset_of(token: Any) -> int:
    """The other way round. Raises Refusal."""
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(str(token)).decode().removeprefix("from:"))
    except (binascii.Error, ValueError) as wrong:
        raise Refusal(400, ["The provided next page token is invalid or expired."]) from wrong


def project_of(desk: Desk, call: Call) -> str:
    """The key of the project named in the path, by key or id. Raises Refusal."""
    given = call.params["project"]
    for key in desk.projects:
        if given.upper() == key.upper() or given == project_id(key):
            return key
    raise Refusal(404, [f"No project could be found with key '{given}'."])


def meta_page(desk: Desk, call: Call, rows: list[dict[str, Any]], cloud_key: str) -> Response:
    """A page of what a form may offer; the rows stand under another key on Data Center."""
    start, size = call.page(desk)
    if desk.mode == "cloud":
        return reply(paged(rows, start, size, cloud_key))
    return reply({**paged(rows, start, size, "values"), "isLast": start + size >= len(rows)})


def field_row(known: catalogue.FieldKind, kind: catalogue.IssueType, project: str, call: Call) -> dict[str, Any]:
    """A field of an issue type, as a form needs it."""
    allowed: list[dict[str, Any]] = [dict(value) for value in known.allowed]
    if known.id == "issuetype":
        allowed = [call.wording.issue_type(kind)]
    elif known.id == "project":
        allowed = [call.wording.project(project)]
    row: dict[str, Any] = {
        "required": known.required or (known.id == "parent" and kind.subtask),
        "schema": known.schema,
        "name": known.name,
        "key": known.id,
        "fieldId": known.id,
        "hasDefaultValue": known.default is not None,
        "operations": ["add", "set", "remove"] if known.id == "labels" else ["set"],
    }
    if allowed:
        row["allowedValues"] = allowed
    if known.default is not None:
        row["defaultValue"] = known.default
    return row


def steps(mode: Mode) -> tuple[Step, ...]:
    """The calls there are; the two kinds of Jira search at different addresses."""
    common = (
        Step("server_info", "GET", "/serverInfo", server_info),
        Step("myself", "GET", "/myself", myself),
        Step("priorities", "GET", "/priority", priorities),
        Step("project", "GET", "/project/{project}", project),
        Step("issue_types", "GET", "/issue/createmeta/{project}/issuetypes", issue_types),
        Step("fields", "GET", "/issue/createmeta/{project}/issuetypes/{type}", fields),
    )
    by_token = tuple(Step("search", method, "/search/jql", search_by_token) for method in ("GET", "POST"))
    removed = tuple(Step("search", method, "/search", search_removed) for method in ("GET", "POST"))
    by_offset = tuple(Step("search", method, "/search", search_by_offset) for method in ("GET", "POST"))
    return common + (by_token + removed if mode == "cloud" else by_offset)
