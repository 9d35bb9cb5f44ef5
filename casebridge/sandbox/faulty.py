"""Carries out faults around the ASGI app of a simulated system: late, broken, wrong or missing answers.

A dropped connection is a closed TCP socket. The server (see `server`) puts the connection into the ASGI
scope; without a server, in process, `ConnectionDropped` reaches the caller instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from casebridge.sandbox.faults import Fault, Faults
from casebridge.sandbox.journal import Entry

CONNECTION = "casebridge.connection"
"""Key in the scope's `extensions`: `{"transport": asyncio.Transport}` of this request. A fault sets `hangs` in it."""
ENTRY = "casebridge.entry"
SEARCH_LAG = "casebridge.search_lag_s"

LOGIN_PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>Log in</title></head>
<body><h1>Log in</h1><form method="post" action="/login">
<input name="username"><input name="password" type="password"><button>Log in</button>
</form></body></html>
"""

Refuse = Callable[[int, dict[str, str]], Response]
"""How a simulated system words a refusal: status and extra headers in, its own answer out."""


class ConnectionDropped(ConnectionError):
    """The connection would have been closed here; raised only where there is none, in process."""


@dataclass
class Answer:
    """What the system answered, kept back for a while."""

    start: Message = field(default_factory=dict)
    body: bytes = b""

    async def take(self, message: Message) -> None:
        """Stand in for the ASGI `send`."""
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")

    async def give(self, send: Send, body: bytes | None = None) -> None:
        """Send it, with another body if one is given."""
        body = self.body if body is None else body
        kept = [(name, value) for name, value in self.start["headers"] if name.lower() != b"content-length"]
        if self.start["status"] != 204:
            kept.append((b"content-length", str(len(body)).encode()))
        await send({**self.start, "headers": kept})
        await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True)
class Call:
    """One request on its way through the faults."""

    app: ASGIApp
    refuse: Refuse
    scope: Scope
    receive: Receive
    send: Send
    entry: Entry
    fault: Fault

    async def work(self) -> Answer:
        """Let the system do it; its answer is kept back."""
        answer = Answer()
        await perform(self.app, self.scope, self.receive, answer.take, self.entry)
        return answer

    async def answer(self, response: Response) -> None:
        """Send an answer the system did not give."""
        await response(self.scope, self.receive, self.send)

    async def hang_up(self, *, flush: bool = False) -> None:
        """Close the connection now, or as soon as what was sent has left."""
        connection = self.scope.get("extensions", {}).get(CONNECTION)
        if connection is None:
            raise ConnectionDropped(f"The sandbox dropped {self.entry.method} {self.entry.path} on demand.")
        transport: asyncio.Transport = connection["transport"]
        transport.close() if flush else transport.abort()
        await self.gone()

    async def gone(self) -> None:
        """Wait until the caller is no longer there."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


class Faulty:
    """An ASGI app around another one, with faults in between."""

    def __init__(self, app: ASGIApp, faults: Faults, refuse: Refuse) -> None:
        """`refuse` words the statuses of `status:…` and `rate-limit:…` as the system would."""
        self.app, self.faults, self.refuse = app, faults, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        entry: Entry = scope[ENTRY]
        fault, scope[SEARCH_LAG] = self.faults.strike(entry.step, scope["method"], scope["path"])
        if fault is None:
            await perform(self.app, scope, receive, send, entry)
            return
        entry.fault = fault.name
        await ACTS[fault.kind](Call(self.app, self.refuse, scope, receive, send, entry, fault))


async def perform(app: ASGIApp, scope: Scope, receive: Receive, send: Send, entry: Entry) -> None:
    """Run the system and note in the journal what it answered."""

    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            entry.done = message["status"]
        await send(message)

    await app(scope, receive, noting)


async def _status(call: Call) -> None:
    status, body = int(call.fault.value), call.fault.body
    if body is None:
        await call.answer(call.refuse(status, {}))
    elif isinstance(body, str) and not body.lstrip().startswith(("{", "[")):
        await call.answer(Response(body, status, media_type="text/plain"))
    else:
        content = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
        await call.answer(Response(content, status, media_type="application/json"))


async def _rate_limit(call: Call) -> None:
    await call.answer(call.refuse(429, {"Retry-After": call.fault.value}))


async def _delay(call: Call) -> None:
    await asyncio.sleep(call.fault.seconds)
    await (await call.work()).give(call.send)


async def _slow_answer(call: Call) -> None:
    answer = await call.work()
    await asyncio.sleep(call.fault.seconds)
    await answer.give(call.send)


async def _drop_before(call: Call) -> None:
    await call.hang_up()


async def _drop_after(call: Call) -> None:
    await call.work()
    await call.hang_up()


async def _half_body(call: Call) -> None:
    answer = await call.work()
    if answer.body:
        await call.send(answer.start)
        half = answer.body[: len(answer.body) // 2]
        await call.send({"type": "http.response.body", "body": half, "more_body": True})
    await call.hang_up(flush=True)


async def _html(call: Call) -> None:
    await call.answer(HTMLResponse(LOGIN_PAGE))


async def _html_after(call: Call) -> None:
    await call.work()
    await call.answer(HTMLResponse(LOGIN_PAGE))


async def _no_id(call: Call) -> None:
    answer = await call.work()
    await answer.give(call.send, without_id(answer.body))


async def _hang(call: Call) -> None:
    call.scope.get("extensions", {}).get(CONNECTION, {})["hangs"] = True
    await call.gone()


def without_id(body: bytes) -> bytes:
    """A JSON object without its `id` or `_id`, also where it is wrapped into `data`; any other body as it is."""
    try:
        value: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body
    if not isinstance(value, dict):
        return body
    kept = {key: part for key, part in value.items() if key not in ("id", "_id")}
    if isinstance(kept.get("data"), dict):
        kept["data"] = {key: part for key, part in kept["data"].items() if key not in ("id", "_id")}
    return msgspec.json.encode(kept)


ACTS: dict[str, Callable[[Call], Awaitable[None]]] = {
    "status": _status,
    "rate-limit": _rate_limit,
    "delay": _delay,
    "slow-answer": _slow_answer,
    "drop-before": _drop_before,
    "drop-after": _drop_after,
    "half-body": _half_body,
    "html": _html,
    "html-after": _html_after,
    "no-id": _no_id,
    "hang": _hang,
}
