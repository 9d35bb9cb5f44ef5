"""A simulated ServiceNow over real HTTP: `servicenow_app` builds it, `serve_servicenow` runs it.

It knows the Table API, the import sets of the two applications, and OAuth, as far as a connector needs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from casebridge.sandbox import servicenow_catalogue as catalogue
from casebridge.sandbox.faults import Faults
from casebridge.sandbox.faulty import ENTRY
from casebridge.sandbox.journal import Entry, Journal, wall_clock
from casebridge.sandbox.pages import Notice, RecordPages, Remark, Sheet
from casebridge.sandbox.server import run, sandbox_app
from casebridge.sandbox.servicenow_answers import NO_RESOURCE, Refusal, any_refusal, reply
from casebridge.sandbox.servicenow_calls import Call, Desk, Step, steps
from casebridge.sandbox.servicenow_gate import Gate, OAuthClient, check_content_type
from casebridge.sandbox.servicenow_state import Book, Row, shown, time_text
from casebridge.sandbox.shelf import Shelf

SANDBOX_USER = "casebridge"
SANDBOX_PASSWORD = "sandbox-password"  # noqa: S105 (opens nothing but the sandbox)
SCOPES = tuple(each.scope for each in catalogue.APPLICATIONS)
STATES = {"1": "New", "2": "In Progress", "3": "On Hold", "6": "Resolved", "7": "Closed", "8": "Canceled"}
SIR_STATES = {"3": "Closed", "7": "Cancelled", "10": "Analysis", "16": "Draft"}


def servicenow_app(
    username: str = SANDBOX_USER,
    password: str = SANDBOX_PASSWORD,
    *,
    applications: Sequence[str] = SCOPES,
    oauth: OAuthClient | None = None,
    token_life_s: float = 1_799,
    faults: Sequence[str] = (),
    state_file: Path | str | None = None,
    rate_limit_per_hour: int | None = None,
    strict_queries: bool = False,
    now: Callable[[], datetime] = wall_clock,
) -> Starlette:
    """The ASGI app of a simulated ServiceNow; `app.state.sandbox` is the `ServiceNow` behind it.

    `applications` are the scopes that are installed. `faults` are texts such as `create=drop-after` (see `faults`).
    `strict_queries`: a condition on an unknown field finds nothing instead of everything. Raises BadFault, and
    ValueError for an unknown application or a state file that is something else.
    """
    unknown = sorted(set(applications) - set(SCOPES))
    if unknown:
        raise ValueError(f"There is no application {', '.join(unknown)}. Expected some of {', '.join(SCOPES)}.")
    shelf = Shelf(Path(state_file) if state_file else None, Book, "ServiceNow")
    desk = Desk(username, frozenset(applications), shelf.load(), strict_queries)
    gate = Gate(username, password, oauth, token_life_s, rate_limit_per_hour)
    return sandbox_app(ServiceNow(desk, gate, shelf, faults, now))


def serve_servicenow(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    username: str = SANDBOX_USER,
    password: str = SANDBOX_PASSWORD,
    applications: Sequence[str] = SCOPES,
    oauth: OAuthClient | None = None,
    faults: Sequence[str] = (),
    rate_limit_per_hour: int | None = None,
    state_file: Path | str | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run a simulated ServiceNow until a signal asks to stop; `ready` is called with its base URL once it listens.

    Port 0 picks a free one. Raises what `servicenow_app` raises, and OSError when the address cannot be had.
    """
    app = servicenow_app(
        username,
        password,
        applications=applications,
        oauth=oauth,
        faults=faults,
        state_file=state_file,
        rate_limit_per_hour=rate_limit_per_hour,
    )
    run(app, host, port, ready)


class ServiceNow:
    """The simulated system, as `server.Sandbox` wants it."""

    def __init__(
        self, desk: Desk, gate: Gate, shelf: Shelf[Book], faults: Sequence[str], now: Callable[[], datetime]
    ) -> None:
        self.desk, self.gate, self.shelf, self._now = desk, gate, shelf, now
        self.steps = steps()
        self.faults = Faults(("token", *dict.fromkeys(step.name for step in self.steps)))
        for spec in faults:
            self.faults.add(spec)

    @property
    def journal(self) -> Journal:
        """The journal, which is part of what is kept."""
        return self.desk.book.journal

    def now(self) -> datetime:
        """The time of day in the sandbox."""
        return self._now()

    def api(self) -> list[Route]:
        """A route per step."""
        token = Route("/oauth_token.do", self._token, methods=["POST"], name="token")
        return [
            token,
            *(Route(step.path, self._endpoint(step), methods=[step.method], name=step.name) for step in self.steps),
        ]

    def pages(self) -> list[Route]:
        """The pages for people; `nav_to.do` is the address that a connector stores."""
        notice = Notice(
            "ServiceNow",
            "record",
            "records",
            "/record/{id}",
            (
                ("URL", "{base}"),
                ("User name", self.desk.username),
                ("Password", "the one the sandbox was started with"),
            ),
        )
        known = RecordPages(notice, self._sheets, lambda: self.journal, self.faults)
        return [*known.routes(), Route("/nav_to.do", self._nav_to, methods=["GET"], name="nav_to")]

    def unknown(self, scope: Scope) -> Response:
        """ServiceNow's answer to an address it does not have."""
        return Refusal(400, NO_RESOURCE).answer

    def record_of(self, params: dict[str, Any]) -> str | None:
        """The number of the record a request is about."""
        row = self.desk.book.rows.get(params.get("sys_id", ""))
        return row.number if row else None

    def refuse(self, status: int, headers: dict[str, str]) -> Response:
        """A refusal that a fault asked for."""
        return any_refusal(status, self.now().timestamp(), headers.get("Retry-After")).answer

    def state(self, request: Request) -> dict[str, Any]:
        """The records with their notes and observables, and how many of each were ever made."""
        book, base = self.desk.book, _base(request)
        records = [
            {
                **shown(row, base, self.desk.username),
                "notes": [
                    {"sys_id": note.sys_id, "value": note.value, "sys_created_on": time_text(note.at)}
                    for note in book.notes_of(row.sys_id)
                ],
                "observables": row.observables,
            }
            for row in book.rows.values()
        ]
        counts = book.journal.counts(("incident", "note", "observable"))
        return {"system": "servicenow", "records": records, "counts": counts}

    def reset(self) -> None:
        """An empty ServiceNow; ids start over."""
        self.desk.book = Book()
        self.gate.reset()
        self.shelf.save(self.desk.book)

    async def _token(self, request: Request) -> Response:
        body, now = await request.body(), self.now()
        try:
            return reply(self.gate.token(body, request.headers, now))
        except Refusal as refusal:
            return refusal.answer

    def _endpoint(self, step: Step) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            return self._answer(step, request, await request.body())

        return answer

    def _answer(self, step: Step, request: Request, body: bytes) -> Response:
        """Gate, rules, and the state saved before the answer leaves. Runs without a pause, so nothing interleaves."""
        now = self.now()
        try:
            self.gate.count(now)
            self.gate.check(request.headers, now)
            check_content_type(step.method, request.headers)
            response = step.answer(self.desk, self._call(request, body, now))
        except Refusal as refusal:
            return refusal.answer
        if step.method != "GET":
            self.shelf.save(self.desk.book)
        return response

    def _call(self, request: Request, body: bytes, now: datetime) -> Call:
        entry: Entry = request.scope[ENTRY]
        payload = decoded(body) if request.method != "GET" and body else None
        path = request.scope["path"]
        return Call(request.path_params, request.query_params, payload, entry, _base(request), now, path)

    async def _nav_to(self, request: Request) -> Response:
        found = re.search(r"sys_id=(\w+)", request.query_params.get("uri", ""))
        row = self.desk.book.rows.get(found[1]) if found else None
        return RedirectResponse(f"/record/{row.number if row else 'unknown'}", 302)

    def _sheets(self) -> list[Sheet]:
        return [self._sheet(row) for row in self.desk.book.rows.values()]

    def _sheet(self, row: Row) -> Sheet:
        """A record for people."""
        state, values = row.values.get("state", ""), row.values
        names = STATES if row.table == "incident" else SIR_STATES
        tone = "done" if state in catalogue.TABLES[row.table].closed else "new" if state == "1" else "indeterminate"
        hidden = {"number", "short_description", "description", "state"}
        facts = [("sys_id", row.sys_id), ("Table", row.table)]
        facts += [(name, value) for name, value in values.items() if value and name not in hidden]
        facts += [(each["type"], each["value"]) for each in row.observables]
        notes = [Remark(note.value, note.at, note.at) for note in self.desk.book.notes_of(row.sys_id)]
        return Sheet(
            row.number,
            row.number,
            values["short_description"],
            names.get(state, state),
            tone,
            (),
            values.get("description", ""),
            facts,
            row.created,
            row.updated,
            notes,
        )


def decoded(body: bytes) -> Any:
    """The JSON of a body. Raises Refusal."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Refusal(400, "Exception while reading request", "The payload is not valid JSON") from wrong


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"
