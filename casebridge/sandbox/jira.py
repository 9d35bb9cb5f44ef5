"""A simulated Jira, Cloud or Data Center, over real HTTP: `jira_app` builds it, `serve_jira` runs it.

It knows version 2 of the REST API as far as a connector needs it, and refuses what Jira would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from casebridge.sandbox.faults import Faults
from casebridge.sandbox.faulty import ENTRY, SEARCH_LAG
from casebridge.sandbox.jira_answers import (
    NO_SUCH_ISSUE,
    Mode,
    Refusal,
    Wording,
    any_refusal,
    refused,
    reply,
)
from casebridge.sandbox.jira_call import Call, Desk, Step
from casebridge.sandbox.jira_gate import Gate, check_content_type
from casebridge.sandbox.jira_issues import STEPS
from casebridge.sandbox.jira_lookups import steps
from casebridge.sandbox.jira_pages import JiraPages
from casebridge.sandbox.jira_state import Book
from casebridge.sandbox.journal import Entry, Journal, wall_clock
from casebridge.sandbox.server import run, sandbox_app
from casebridge.sandbox.shelf import Shelf

API = "/rest/api/2"
SANDBOX_EMAIL = "bot@example.org"
SANDBOX_TOKEN = "sandbox-token"  # noqa: S105 (opens nothing but the sandbox)


def jira_app(
    mode: Mode = "cloud",
    project_keys: Sequence[str] = ("OPS",),
    email: str = SANDBOX_EMAIL,
    api_token: str = SANDBOX_TOKEN,
    *,
    faults: Sequence[str] = (),
    state_file: Path | str | None = None,
    search_lag_s: float = 0.0,
    rate_limit_per_minute: int | None = None,
    page_size: int = 50,
    resolution_required: bool = False,
    anonymous_on_bad_token: bool = False,
    captcha_after: int | None = None,
    now: Callable[[], datetime] = wall_clock,
) -> Starlette:
    """The ASGI app of a simulated Jira; `app.state.sandbox` is the `Jira` behind it.

    `faults` are texts such as `create=drop-after` (see `faults`). With `state_file` the issues outlive the
    process. On Data Center `api_token` is the password of `email`, or a personal access token sent as Bearer.
    Raises BadFault, and ValueError for an unknown mode, no project, or a state file that is something else.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"There is no mode {mode!r}. Expected one of {', '.join(get_args(Mode))}.")
    if not project_keys:
        raise ValueError("A simulated Jira needs at least one project key, such as OPS.")
    shelf = Shelf(Path(state_file) if state_file else None, Book, "Jira")
    desk = Desk(mode, tuple(project_keys), email, shelf.load(), page_size, search_lag_s, resolution_required)
    gate = Gate(mode, email, api_token, rate_limit_per_minute, anonymous_on_bad_token, captcha_after)
    return sandbox_app(Jira(desk, gate, shelf, faults, now))


def serve_jira(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    mode: Mode = "cloud",
    projects: Sequence[str] = ("OPS",),
    email: str = SANDBOX_EMAIL,
    api_token: str = SANDBOX_TOKEN,
    faults: Sequence[str] = (),
    rate_limit_per_minute: int | None = None,
    search_lag_s: float = 0.0,
    state_file: Path | str | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run a simulated Jira until a signal asks to stop; `ready` is called with its base URL once it listens.

    Port 0 picks a free one. Raises what `jira_app` raises, and OSError when the address cannot be had.
    """
    app = jira_app(
        mode,
        projects,
        email,
        api_token,
        faults=faults,
        state_file=state_file,
        search_lag_s=search_lag_s,
        rate_limit_per_minute=rate_limit_per_minute,
    )
    run(app, host, port, ready)


class Jira:
    """The simulated system, as `server.Sandbox` wants it."""

    def __init__(
        self, desk: Desk, gate: Gate, shelf: Shelf[Book], faults: Sequence[str], now: Callable[[], datetime]
    ) -> None:
        self.desk, self.gate, self.shelf, self._now = desk, gate, shelf, now
        self.steps = (*steps(desk.mode), *STEPS)
        self.faults = Faults(tuple(dict.fromkeys(step.name for step in self.steps)))
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
        return [
            Route(API + step.path, self._endpoint(step), methods=[step.method], name=step.name) for step in self.steps
        ]

    def pages(self) -> list[Route]:
        """The pages for people."""
        return JiraPages(self.desk, self.gate, self.faults).routes()

    def unknown(self, scope: Scope) -> Response:
        """Jira's answer to an address it does not have."""
        return refused(Refusal(404, [f"null for uri: {scope['path']}"], plain=True), self.desk.mode)

    def record_of(self, params: dict[str, Any]) -> str | None:
        """The key of the issue a request is about, however the request names it."""
        issue = self.desk.book.find(params.get("issue", ""))
        return issue.key if issue else None

    def refuse(self, status: int, headers: dict[str, str]) -> Response:
        """A refusal that a fault asked for."""
        refusal = any_refusal(self.desk.mode, status, self.now(), headers.get("Retry-After"))
        return refused(refusal, self.desk.mode)

    def state(self, request: Request) -> dict[str, Any]:
        """The issues with all that belongs to them, and how many issues and comments were ever made."""
        wording, book = self._wording(request), self.desk.book
        issues = [
            {
                **wording.issue(issue, book, ["*all", "-comment"]),
                "comments": [wording.comment(issue, comment, properties=True) for comment in issue.comments],
                "properties": issue.properties,
                "remoteLinks": issue.remote_links,
            }
            for issue in book.issues.values()
        ]
        counts = book.journal.counts(("issue", "comment"))
        return {"system": "jira", "mode": self.desk.mode, "issues": issues, "counts": counts}

    def reset(self) -> None:
        """An empty Jira; ids start over."""
        self.desk.book = Book()
        self.gate.reset()
        self.shelf.save(self.desk.book)

    def _endpoint(self, step: Step) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            return self._answer(step, request, await request.body())

        return answer

    def _answer(self, step: Step, request: Request, body: bytes) -> Response:
        """Gate, rules, and the state saved before the answer leaves. Runs without a pause, so nothing interleaves."""
        now, limits = self.now(), {}
        try:
            limits = self.gate.count(now)
            if step.name != "server_info" and not self.gate.known(request.headers):
                return seen_by_nobody(step)
            check_content_type(step.method, request.headers)
            response = step.answer(self.desk, self._call(request, body, now))
        except Refusal as refusal:
            response = refused(refusal, self.desk.mode)
        else:
            if step.method != "GET" and step.name != "search":
                self.shelf.save(self.desk.book)
        response.headers.update(limits)
        return response

    def _call(self, request: Request, body: bytes, now: datetime) -> Call:
        entry: Entry = request.scope[ENTRY]
        payload = decoded(body) if request.method in ("POST", "PUT") else None
        return Call(
            request.path_params,
            request.query_params,
            payload,
            entry,
            self._wording(request),
            now,
            request.scope[SEARCH_LAG],
        )

    def _wording(self, request: Request) -> Wording:
        base = f"{request.url.scheme}://{request.url.netloc}"
        return Wording(self.desk.mode, self.desk.email, base)


def seen_by_nobody(step: Step) -> Response:
    """What Cloud shows a caller whose token is wrong and who counts as anonymous."""
    headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
    if step.name == "search":
        return reply({"issues": [], "isLast": True}, headers=headers)
    return refused(Refusal(404, [NO_SUCH_ISSUE], headers=headers), "cloud")


def decoded(body: bytes) -> Any:
    """The JSON of a body. Raises Refusal."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Refusal(400, [f"The body is not valid JSON: {wrong}"]) from wrong
