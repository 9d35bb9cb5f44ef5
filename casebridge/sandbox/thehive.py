"""A simulated TheHive 5 over real HTTP: `thehive_app` builds it, `serve_thehive` runs it.

It knows version 1 of the API as far as a connector needs it, and refuses what TheHive would refuse.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from casebridge.sandbox import thehive_query, thehive_rules
from casebridge.sandbox.faults import Faults
from casebridge.sandbox.faulty import ENTRY, SEARCH_LAG
from casebridge.sandbox.journal import Entry, Journal, wall_clock
from casebridge.sandbox.pages import Notice, RecordPages, Remark, Sheet
from casebridge.sandbox.server import run, sandbox_app
from casebridge.sandbox.shelf import Shelf
from casebridge.sandbox.thehive_rules import Refusal, change, checked, refused, reply
from casebridge.sandbox.thehive_state import (
    PAPS,
    SEVERITIES,
    STAGES,
    TLPS,
    Alert,
    Book,
    Case,
    Comment,
    shown_case,
    shown_comment,
)

API = "/api/v1"
SANDBOX_KEY = "sandbox-key"
SANDBOX_ORGANISATION = "soc"
LOGIN = "casebridge@example.org"
TONES = {"New": "", "InProgress": "indeterminate", "Closed": "done"}


def thehive_app(
    api_key: str = SANDBOX_KEY,
    organisation: str = SANDBOX_ORGANISATION,
    *,
    faults: Sequence[str] = (),
    state_file: Path | str | None = None,
    search_lag_s: float = 0.0,
    page_size: int | None = None,
    now: Callable[[], datetime] = wall_clock,
) -> Starlette:
    """The ASGI app of a simulated TheHive; `app.state.sandbox` is the `TheHive` behind it.

    `faults` are texts such as `create=drop-after` (see `faults`). With `state_file` the cases outlive the process.
    `page_size` is the longest page of a query. Raises BadFault, and ValueError for a state file that is something else.
    """
    shelf = Shelf(Path(state_file) if state_file else None, Book, "TheHive")
    return sandbox_app(TheHive(api_key, organisation, shelf, faults, search_lag_s, page_size, now))


def serve_thehive(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str = SANDBOX_KEY,
    organisation: str = SANDBOX_ORGANISATION,
    faults: Sequence[str] = (),
    search_lag_s: float = 0.0,
    state_file: Path | str | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run a simulated TheHive until a signal asks to stop; `ready` is called with its base URL once it listens.

    Port 0 picks a free one. Raises what `thehive_app` raises, and OSError when the address cannot be had.
    """
    app = thehive_app(api_key, organisation, faults=faults, state_file=state_file, search_lag_s=search_lag_s)
    run(app, host, port, ready)


@dataclass(frozen=True)
class Call:
    """One request that was let in. `payload` is its decoded JSON body, None if it has none."""

    params: dict[str, str]
    payload: Any
    entry: Entry
    now: datetime
    lag_s: float


class Step(NamedTuple):
    """One call of the API; the path is relative to `/api/v1`."""

    name: str
    method: str
    path: str
    answer: Callable[[TheHive, Call], Response]


class TheHive:
    """The simulated system, as `server.Sandbox` wants it."""

    def __init__(
        self,
        api_key: str,
        organisation: str,
        shelf: Shelf[Book],
        faults: Sequence[str],
        search_lag_s: float,
        page_size: int | None,
        now: Callable[[], datetime],
    ) -> None:
        self.api_key, self.organisation, self.shelf = api_key, organisation, shelf
        self.search_lag_s, self.page_size, self._now = search_lag_s, page_size, now
        self.book = shelf.load()
        self.faults = Faults(tuple(dict.fromkeys(step.name for step in STEPS)))
        for spec in faults:
            self.faults.add(spec)

    @property
    def journal(self) -> Journal:
        """The journal, which is part of what is kept."""
        return self.book.journal

    def now(self) -> datetime:
        """The time of day in the sandbox."""
        return self._now()

    def api(self) -> list[Route]:
        """A route per step."""
        return [Route(API + step.path, self._endpoint(step), methods=[step.method], name=step.name) for step in STEPS]

    def pages(self) -> list[Route]:
        """The pages for people."""
        connect = [
            ("URL", "{base}"),
            ("Organisation", f"{self.organisation}, or none"),
            ("API key", "the one the sandbox was started with"),
        ]
        notice = Notice("TheHive", "case", "cases", "/cases/{id}/details", connect)
        return RecordPages(notice, self.sheets, lambda: self.journal, self.faults).routes()

    def sheets(self) -> list[Sheet]:
        """The cases as the pages show them."""
        return [sheet_of(each) for each in self.book.cases.values()]

    def unknown(self, scope: Scope) -> Response:
        """TheHive's answer to an address it does not have."""
        return refused(Refusal(404, f"{scope['method']} {scope['path']} is not an address of this API"))

    def record_of(self, params: dict[str, Any]) -> str | None:
        """The id of the case a request is about, however the request names it."""
        case = self.book.find(params.get("case", "")) or self.book.case_of(params.get("comment", ""))
        return case.id if case else None

    def refuse(self, status: int, headers: dict[str, str]) -> Response:
        """A refusal that a fault asked for."""
        return refused(Refusal(status, "This fault was asked for", headers=headers))

    def state(self, request: Request) -> dict[str, Any]:
        """The cases with all that belongs to them, and how many of each kind were ever made."""
        cases = [
            {**shown_case(case, LOGIN), "comments": [shown_comment(each, LOGIN) for each in case.comments]}
            for case in self.book.cases.values()
        ]
        counts = self.journal.counts(("case", "comment", "alert"))
        alerts = [{"_id": alert.id, **alert.fields} for alert in self.book.alerts]
        return {"system": "thehive", "cases": cases, "alerts": alerts, "counts": counts}

    def reset(self) -> None:
        """An empty TheHive; ids start over."""
        self.book = Book()
        self.shelf.save(self.book)

    def case(self, call: Call) -> Case:
        """The case named in the path. Raises Refusal."""
        case = self.book.find(call.params["case"])
        if case is None:
            raise Refusal(404, f"Case {call.params['case']} not found")
        return case

    def comment(self, call: Call) -> tuple[Case, Comment]:
        """The comment named in the path, and its case. Raises Refusal."""
        comment_id = call.params["comment"]
        case = self.book.case_of(comment_id)
        found = case.comment(comment_id) if case else None
        if case is None or found is None:
            raise Refusal(404, f"Comment {comment_id} not found")
        return case, found

    def _endpoint(self, step: Step) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            return self._answer(step, request, await request.body())

        return answer

    def _answer(self, step: Step, request: Request, body: bytes) -> Response:
        """Gate, rules, and the state saved before the answer leaves. Runs without a pause, so nothing interleaves."""
        try:
            self._let_in(request.headers)
            payload = decoded(request.headers, body) if request.method in ("POST", "PATCH") else None
            lag_s = max(self.search_lag_s, request.scope[SEARCH_LAG])
            call = Call(request.path_params, payload, request.scope[ENTRY], self.now(), lag_s)
            response = step.answer(self, call)
        except Refusal as refusal:
            return refused(refusal)
        if step.method != "GET" and step.name != "query":
            self.shelf.save(self.book)
        return response

    def _let_in(self, headers: Headers) -> None:
        """Ask for the key, and for an organisation the account belongs to. Raises Refusal."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(key.strip().encode(), self.api_key.encode()):
            raise Refusal(401, "Authentication failure")
        asked = headers.get("x-organisation")
        if asked is not None and asked != self.organisation:
            raise Refusal(403, f"You are not a member of the organisation {asked!r}")


def decoded(headers: Headers, body: bytes) -> Any:
    """The JSON of a body that says it is JSON. Raises Refusal."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "Expecting text/json or application/json body")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refusal(400, "Invalid json") from None


def current_user(hive: TheHive, call: Call) -> Response:
    """Who the key belongs to."""
    return reply({"_id": "~4112", "login": LOGIN, "name": "Casebridge", "organisation": hive.organisation})


def create(hive: TheHive, call: Call) -> Response:
    """A new case."""
    fields = checked(call.payload, thehive_rules.CREATE, "title", "description")
    case = hive.book.add_case(call.now)
    change(case, fields)
    call.entry.record = case.id
    hive.journal.created("case", case.id, call.entry, call.now)
    return reply(shown_case(case, LOGIN), 201)


def get(hive: TheHive, call: Call) -> Response:
    """One case."""
    return reply(shown_case(hive.case(call), LOGIN))


def update(hive: TheHive, call: Call) -> Response:
    """Other values for some fields of a case; `tags` replaces the list."""
    case, fields = hive.case(call), checked(call.payload, thehive_rules.UPDATE)
    change(case, fields)
    case.updated = call.now
    return Response(status_code=204)


def delete(hive: TheHive, call: Call) -> Response:
    """Take a case away, with its comments."""
    del hive.book.cases[hive.case(call).id]
    return Response(status_code=204)


def add_comment(hive: TheHive, call: Call) -> Response:
    """A new comment; the case does not count as changed."""
    case, fields = hive.case(call), checked(call.payload, thehive_rules.COMMENT, "message")
    comment = Comment(hive.book.new_id(), fields["message"], call.now)
    case.comments.append(comment)
    hive.journal.created("comment", comment.id, call.entry, call.now)
    return reply(shown_comment(comment, LOGIN), 201)


def edit_comment(hive: TheHive, call: Call) -> Response:
    """Another text for a comment."""
    _, comment = hive.comment(call)
    comment.message = checked(call.payload, thehive_rules.COMMENT, "message")["message"]
    comment.updated = call.now
    return Response(status_code=204)


def delete_comment(hive: TheHive, call: Call) -> Response:
    """Take a comment away."""
    case, comment = hive.comment(call)
    case.comments.remove(comment)
    return Response(status_code=204)


def create_alert(hive: TheHive, call: Call) -> Response:
    """A new alert, unless it is there already."""
    needed = ("title", "description", "type", "source", "sourceRef")
    alert = Alert("", call.now, dict(checked(call.payload, thehive_rules.ALERT, *needed)))
    if any(each.key == alert.key for each in hive.book.alerts):
        raise Refusal(400, "Alert already exists", "CreateError")
    alert.id = hive.book.new_id()
    hive.book.alerts.append(alert)
    hive.journal.created("alert", alert.id, call.entry, call.now)
    return reply({"_id": alert.id, "_type": "Alert", **alert.fields}, 201)


def query(hive: TheHive, call: Call) -> Response:
    """A search."""
    payload = call.payload
    if not isinstance(payload, dict) or "query" not in payload:
        raise Refusal(400, "query: attribute is missing")

    def cases(operation: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        return "Case", [shown_case(each, LOGIN) for each in hive.book.searchable(call.now, call.lag_s)]

    def one(operation: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        case = hive.book.find(str(operation.get("idOrName")))
        if case is None:
            raise Refusal(404, f"Case {operation.get('idOrName')} not found")
        call.entry.record = case.id
        return "Case", [shown_case(case, LOGIN)]

    def comments(row: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        seen_until = call.now - timedelta(seconds=call.lag_s)
        known = [each for each in hive.book.cases[row["_id"]].comments if each.created <= seen_until]
        return "Comment", [shown_comment(each, LOGIN) for each in known]

    def statuses(operation: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        return "CaseStatus", [{"_type": "CaseStatus", "value": name, "stage": stage} for name, stage in STAGES.items()]

    sources = {"listCase": cases, "getCase": one, "comments": comments, "listCaseStatus": statuses}
    return reply(thehive_query.answer(payload["query"], sources, hive.page_size))


STEPS = (
    Step("current_user", "GET", "/user/current", current_user),
    Step("create", "POST", "/case", create),
    Step("get", "GET", "/case/{case}", get),
    Step("update", "PATCH", "/case/{case}", update),
    Step("delete", "DELETE", "/case/{case}", delete),
    Step("comment", "POST", "/case/{case}/comment", add_comment),
    Step("edit_comment", "PATCH", "/comment/{comment}", edit_comment),
    Step("delete_comment", "DELETE", "/comment/{comment}", delete_comment),
    Step("create_alert", "POST", "/alert", create_alert),
    Step("query", "POST", "/query", query),
)


def sheet_of(case: Case) -> Sheet:
    """A case as a page shows it."""
    updated = max([case.updated or case.created, *(each.updated or each.created for each in case.comments)])
    facts = [("Severity", SEVERITIES[case.severity]), ("TLP", TLPS[case.tlp]), ("PAP", PAPS[case.pap])]
    remarks = [Remark(each.message, each.created, each.updated or each.created) for each in case.comments]
    return Sheet(
        case.id, f"#{case.number}", case.title, case.status, TONES[case.stage], case.tags, case.description, facts,
        case.created, updated, remarks,
    )  # fmt: skip
