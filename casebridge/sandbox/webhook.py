"""A simulated ticket system for the webhook connector: `webhook_app` builds it, `serve_webhook` runs it.

It takes tickets with comments, is strict about what it takes, and tells a repeat by its `Idempotency-Key`.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from casebridge.sandbox.faults import Faults
from casebridge.sandbox.faulty import ENTRY
from casebridge.sandbox.journal import Entry, Journal, wall_clock
from casebridge.sandbox.pages import Notice, RecordPages, Remark, Sheet
from casebridge.sandbox.server import run, sandbox_app
from casebridge.sandbox.shelf import Shelf

SANDBOX_USER, SANDBOX_PASSWORD = "casebridge", "sandbox-password"
TONES = {"open": "", "in-progress": "indeterminate", "closed": "done"}


class Comment(msgspec.Struct):
    """A comment of a ticket."""

    id: str
    text: str
    created: datetime


class Ticket(msgspec.Struct):
    """A ticket; `fields` as they came: `summary`, `description`, `tags`, `caseId`, `severity`, `status`."""

    id: str
    fields: dict[str, Any]
    created: datetime
    updated: datetime
    comments: list[Comment] = []

    @property
    def key(self) -> str:
        """The name people use."""
        return f"TKT-{self.id}"

    def shown(self) -> dict[str, Any]:
        """The ticket as the API shows it."""
        return {"id": self.id, "key": self.key, **self.fields}


class Kept(msgspec.Struct, frozen=True):
    """What was answered to a key, and to which request."""

    request: str
    status: int
    body: Any


class Book(msgspec.Struct):
    """Everything there is, oldest ticket first, with the journal."""

    tickets: dict[str, Ticket] = {}
    keys: dict[str, Kept] = {}
    journal: Journal = msgspec.field(default_factory=Journal)
    next_ticket: int = 501
    next_comment: int = 9001


class Refusal(Exception):
    """A request that is turned down."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(status, error)
        self.status, self.error = status, error


@dataclass(frozen=True)
class Call:
    """One request that was let in."""

    params: dict[str, str]
    payload: Any
    entry: Entry
    now: datetime


class Step(NamedTuple):
    """One call of the API. `once`: a repeat with the same `Idempotency-Key` is answered, but not done again."""

    name: str
    methods: tuple[str, ...]
    path: str
    answer: Callable[[WebhookReceiver, Call], tuple[int, Any]]
    once: bool = False


def webhook_app(
    user: str = SANDBOX_USER,
    password: str = SANDBOX_PASSWORD,
    *,
    faults: Sequence[str] = (),
    state_file: Path | str | None = None,
    honours_keys: bool = True,
    now: Callable[[], datetime] = wall_clock,
) -> Starlette:
    """The ASGI app of a simulated ticket system; `app.state.sandbox` is the `WebhookReceiver` behind it.

    `honours_keys` False makes it ignore the header `Idempotency-Key`, as most systems do. Raises BadFault, and
    ValueError for a state file that is something else.
    """
    shelf = Shelf(Path(state_file) if state_file else None, Book, "ticket system")
    return sandbox_app(WebhookReceiver(user, password, shelf, faults, honours_keys, now))


def serve_webhook(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    user: str = SANDBOX_USER,
    password: str = SANDBOX_PASSWORD,
    faults: Sequence[str] = (),
    honours_keys: bool = True,
    state_file: Path | str | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run a simulated ticket system until a signal asks to stop; `ready` is called with its base URL.

    Port 0 picks a free one. Raises what `webhook_app` raises, and OSError when the address cannot be had.
    """
    app = webhook_app(user, password, faults=faults, state_file=state_file, honours_keys=honours_keys)
    run(app, host, port, ready)


def connector_config(base: str) -> dict[str, Any]:
    """The `config` of a connector that fits the sandbox at this address."""
    ticket = f"{base}/tickets/{{{{{{external.system.id}}}}}}"
    fields = (
        '{"summary": {{{case.title}}}, "description": {{{case.description}}}, "tags": {{{case.tags}}}, '
        '"caseId": {{{case.id}}}, "severity": {{{case.severity}}}, "status": {{{case.status}}}}'
    )
    return {
        "createIncidentUrl": f"{base}/tickets",
        "createIncidentMethod": "post",
        "createIncidentJson": fields,
        "createIncidentResponseKey": "data.id",
        "getIncidentUrl": ticket,
        "getIncidentResponseExternalTitleKey": "data.key",
        "viewIncidentUrl": f"{base}/view/{{{{{{external.system.id}}}}}}",
        "updateIncidentUrl": ticket,
        "updateIncidentMethod": "put",
        "updateIncidentJson": fields,
        "createCommentUrl": f"{ticket}/comments",
        "createCommentMethod": "post",
        "createCommentJson": '{"text": {{{case.comment}}}}',
    }


class WebhookReceiver:
    """The simulated system, as `server.Sandbox` wants it."""

    def __init__(
        self,
        user: str,
        password: str,
        shelf: Shelf[Book],
        faults: Sequence[str],
        honours_keys: bool,
        now: Callable[[], datetime],
    ) -> None:
        self.shelf, self.honours_keys, self._now = shelf, honours_keys, now
        self._basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.user, self.book = user, shelf.load()
        self.faults = Faults(tuple(step.name for step in STEPS))
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
        return [Route(step.path, self._endpoint(step), methods=list(step.methods), name=step.name) for step in STEPS]

    def pages(self) -> list[Route]:
        """The pages for people."""
        connect = [
            ("User", self.user),
            ("Password", "the one the sandbox was started with"),
            ("Create URL", "{base}/tickets"),
            ("Other keys of config", "as in docs/sandbox-webhook.md"),
        ]
        notice = Notice("Ticket system", "ticket", "tickets", "/view/{id}", connect)
        return RecordPages(notice, self.sheets, lambda: self.journal, self.faults).routes()

    def sheets(self) -> list[Sheet]:
        """The tickets as the pages show them."""
        return [sheet_of(each) for each in self.book.tickets.values()]

    def unknown(self, scope: Scope) -> Response:
        """The answer to an address that is not there."""
        return reply(404, {"error": f"there is nothing at {scope['path']}"})

    def record_of(self, params: dict[str, Any]) -> str | None:
        """The id of the ticket a request is about."""
        ticket = self.book.tickets.get(params.get("ticket", ""))
        return ticket.id if ticket else None

    def refuse(self, status: int, headers: dict[str, str]) -> Response:
        """A refusal that a fault asked for."""
        response = reply(status, {"error": "this fault was asked for"})
        response.headers.update(headers)
        return response

    def state(self, request: Request) -> dict[str, Any]:
        """The tickets with their comments, and how many of each were ever made."""
        tickets = [
            {**each.shown(), "comments": [{"id": one.id, "text": one.text} for one in each.comments]}
            for each in self.book.tickets.values()
        ]
        counts = self.journal.counts(("ticket", "comment"))
        return {"system": "webhook", "tickets": tickets, "counts": counts}

    def reset(self) -> None:
        """No tickets; ids start over."""
        self.book = Book()
        self.shelf.save(self.book)

    def ticket(self, call: Call) -> Ticket:
        """The ticket named in the path. Raises Refusal."""
        found = self.book.tickets.get(call.params["ticket"])
        if found is None:
            raise Refusal(404, f"there is no ticket {call.params['ticket']}")
        return found

    def _endpoint(self, step: Step) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            return self._answer(step, request, await request.body())

        return answer

    def _answer(self, step: Step, request: Request, body: bytes) -> Response:
        """Credentials, the key, the rules; the state is saved before the answer leaves. Runs without a pause."""
        try:
            if not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._basic.encode()):
                raise Refusal(401, "user and password were not accepted")
            payload = None if request.method == "GET" else decoded(request.headers, body)
            asked = f"{request.method} {request.url.path} {body.decode(errors='replace')}"
            key = request.headers.get("idempotency-key") if step.once and self.honours_keys else None
            entry: Entry = request.scope[ENTRY]
            if key is not None and (kept := self.book.keys.get(key)):
                if kept.request != asked:
                    raise Refusal(422, "this Idempotency-Key was used for another request")
                return reply(kept.status, kept.body)
            status, value = step.answer(self, Call(request.path_params, payload, entry, self.now()))
        except Refusal as refusal:
            return reply(refusal.status, {"error": refusal.error})
        if key is not None:
            self.book.keys[key] = Kept(asked, status, value)
        if request.method != "GET":
            self.shelf.save(self.book)
        return reply(status, value)


def reply(status: int, value: Any) -> Response:
    """A JSON answer; 204 has no body."""
    if status == 204:
        return Response(status_code=204)
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def decoded(headers: Headers, body: bytes) -> Any:
    """The JSON object of a body that says it is JSON. Raises Refusal."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "expected content-type application/json")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refusal(400, "the body is not JSON") from None
    if not isinstance(value, dict):
        raise Refusal(422, "the body is not an object")
    return value


TEXTS = ("summary", "description", "caseId", "severity", "status")


def checked(payload: dict[str, Any]) -> dict[str, Any]:
    """The fields of a ticket. Raises Refusal."""
    for name, value in payload.items():
        if name == "tags":
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise Refusal(422, "fields.tags is not a list of texts")
        elif name not in TEXTS:
            raise Refusal(422, f"fields.{name} is not known")
        elif not isinstance(value, str):
            raise Refusal(422, f"fields.{name} is not a text")
    if not str(payload.get("summary") or "").strip():
        raise Refusal(422, "fields.summary is required")
    return payload


def create(receiver: WebhookReceiver, call: Call) -> tuple[int, Any]:
    """A new ticket."""
    fields, book = checked(call.payload), receiver.book
    ticket = Ticket(str(book.next_ticket), fields, call.now, call.now)
    book.next_ticket += 1
    book.tickets[ticket.id] = ticket
    call.entry.record = ticket.id
    book.journal.created("ticket", ticket.id, call.entry, call.now)
    return 201, {"data": {"id": ticket.id, "key": ticket.key}}


def get(receiver: WebhookReceiver, call: Call) -> tuple[int, Any]:
    """One ticket."""
    return 200, {"data": receiver.ticket(call).shown()}


def update(receiver: WebhookReceiver, call: Call) -> tuple[int, Any]:
    """Other fields for a ticket."""
    ticket = receiver.ticket(call)
    ticket.fields, ticket.updated = checked(call.payload), call.now
    return 204, None


def comment(receiver: WebhookReceiver, call: Call) -> tuple[int, Any]:
    """A new comment."""
    ticket, text = receiver.ticket(call), call.payload.get("text")
    if set(call.payload) != {"text"} or not isinstance(text, str) or not text.strip():
        raise Refusal(422, "expected text alone")
    made = Comment(str(receiver.book.next_comment), text, call.now)
    receiver.book.next_comment += 1
    ticket.comments.append(made)
    receiver.journal.created("comment", made.id, call.entry, call.now)
    return 201, {"data": {"id": made.id}}


STEPS = (
    Step("create", ("POST", "PUT"), "/tickets", create, once=True),
    Step("get", ("GET",), "/tickets/{ticket}", get),
    Step("update", ("POST", "PUT", "PATCH"), "/tickets/{ticket}", update),
    Step("comment", ("POST", "PUT", "PATCH"), "/tickets/{ticket}/comments", comment, once=True),
)


def sheet_of(ticket: Ticket) -> Sheet:
    """A ticket as a page shows it."""
    fields = ticket.fields
    status = fields.get("status") or "open"
    facts = [(name, str(fields[name])) for name in ("caseId", "severity") if fields.get(name)]
    remarks = [Remark(each.text, each.created, each.created) for each in ticket.comments]
    updated = max([ticket.updated, *(each.created for each in ticket.comments)])
    return Sheet(
        ticket.id, ticket.key, fields["summary"], status, TONES.get(status, ""), fields.get("tags") or [],
        fields.get("description") or "", facts, ticket.created, updated, remarks,
    )  # fmt: skip
