"""Puts a simulated system behind HTTP: its API with journal and faults, its pages, and the control API.

What the system does is the business of its own module; what it must bring along is `Sandbox`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from casebridge.sandbox.faults import BadFault, Faults
from casebridge.sandbox.faulty import CONNECTION, ENTRY, Faulty
from casebridge.sandbox.journal import Journal

STATIC = Path(__file__).with_name("static")
HANGING_S = 1
"""Seconds a stop waits for requests that are being answered."""


class Sandbox(Protocol):
    """A simulated system. The names of its API routes are the steps that faults refer to."""

    faults: Faults

    @property
    def journal(self) -> Journal: ...

    def api(self) -> list[Route]: ...

    def unknown(self, scope: Scope) -> Response:
        """The answer to a path the API does not have."""

    def record_of(self, params: dict[str, Any]) -> str | None:
        """What a request with these path parameters is about, as the journal is to name it."""

    def refuse(self, status: int, headers: dict[str, str]) -> Response:
        """A refusal of this status, worded as the system would."""

    def pages(self) -> list[Route]: ...

    def state(self, request: Request) -> dict[str, Any]:
        """Everything there is, but journal and faults."""

    def reset(self) -> None: ...

    def now(self) -> datetime: ...


def sandbox_app(sandbox: Sandbox) -> Starlette:
    """The ASGI app of a simulated system. `app.state.sandbox` is the system itself."""
    routes = sandbox.api()

    async def unknown(scope: Scope, receive: Receive, send: Send) -> None:
        await sandbox.unknown(scope)(scope, receive, send)

    api = Router(routes, redirect_slashes=False, default=unknown)
    control = Control(sandbox)
    app = Starlette(
        routes=[
            Mount("/_sandbox/static", StaticFiles(directory=STATIC)),
            Mount("/_sandbox", routes=control.routes()),
            *sandbox.pages(),
            Mount("/", Recorder(Faulty(api, sandbox.faults, sandbox.refuse), sandbox, routes)),
        ]
    )
    app.state.sandbox = sandbox
    return app


class Recorder:
    """Writes every request to the API into the journal, and with which status it was answered."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox, routes: Sequence[BaseRoute]) -> None:
        self.app, self.sandbox, self.routes = app, sandbox, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await whole_body(receive)
        step, params = step_of(scope, self.routes)
        entry = self.sandbox.journal.open(scope, body, step, self.sandbox.now())
        entry.record = self.sandbox.record_of(params)
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return unread.pop() if unread else await receive()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            await send(message)

        await self.app({**scope, ENTRY: entry}, again, noting)


class Control:
    """`/_sandbox/`: faults, state, reset. Open to everybody who reaches the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[Route]:
        """The routes, relative to `/_sandbox`."""
        return [
            Route("/faults", self.show_faults, methods=["GET"]),
            Route("/faults", self.set_faults, methods=["POST"]),
            Route("/faults", self.clear_faults, methods=["DELETE"]),
            Route("/faults/{fault_id:int}", self.clear_fault, methods=["DELETE"]),
            Route("/state", self.show_state, methods=["GET"]),
            Route("/reset", self.reset, methods=["POST"]),
        ]

    async def show_faults(self, request: Request) -> Response:
        return json_reply({"faults": self.sandbox.faults.all})

    async def set_faults(self, request: Request) -> Response:
        """One fault or a list of them, each a text or an object; either all are set or none."""
        faults = self.sandbox.faults
        before = list(faults.all)
        try:
            given: Any = msgspec.json.decode(await request.body())
            added = [faults.add_json(one) for one in (given if isinstance(given, list) else [given])]
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            return json_reply({"error": f"The body is not JSON: {wrong}"}, 400)
        except BadFault as wrong:
            faults.all = before
            return json_reply({"error": str(wrong)}, 400)
        return json_reply({"faults": added}, 201)

    async def clear_faults(self, request: Request) -> Response:
        self.sandbox.faults.clear()
        return Response(status_code=204)

    async def clear_fault(self, request: Request) -> Response:
        fault_id: int = request.path_params["fault_id"]
        if not self.sandbox.faults.remove(fault_id):
            return json_reply({"error": f"There is no fault {fault_id}."}, 404)
        return Response(status_code=204)

    async def show_state(self, request: Request) -> Response:
        journal = self.sandbox.journal
        shown = self.sandbox.state(request)
        shown |= {"created": journal.creations, "requests": journal.entries, "faults": self.sandbox.faults.all}
        return json_reply(shown)

    async def reset(self, request: Request) -> Response:
        """Start afresh: no data, an empty journal, no faults."""
        self.sandbox.faults.clear()
        self.sandbox.reset()
        return Response(status_code=204)


def json_reply(value: Any, status: int = 200) -> Response:
    """A JSON answer of the control API."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def step_of(scope: Scope, routes: Sequence[BaseRoute]) -> tuple[str | None, dict[str, Any]]:
    """The name of the API route that a request will take, and the parameters in its path."""
    for route in routes:
        match, child = route.matches(scope)
        if isinstance(route, Route) and match is Match.FULL:
            return route.name, child["path_params"]
    return None, {}


async def whole_body(receive: Receive) -> bytes:
    """The request body, read to its end."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


class Connection(H11Protocol):
    """uvicorn's HTTP connection; puts itself into the scope, so that a fault can close it or hold it open."""

    held: dict[str, Any]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.held = {"transport": transport}
        inner: Any = self.app

        async def with_connection(scope: Any, receive: Any, send: Any) -> None:
            extensions = {**scope.get("extensions", {}), CONNECTION: self.held}
            try:
                await inner({**scope, "extensions": extensions}, receive, send)
            except asyncio.CancelledError:  # the server stops, and the answer is not ready yet
                transport.abort()
                await asyncio.sleep(0)

        self.app = with_connection

    def shutdown(self) -> None:
        """The server stops: a request that is never to be answered is not waited for."""
        super().shutdown()
        if self.held.get("hangs"):
            self.transport.abort()


class Server(uvicorn.Server):
    """A uvicorn server that says when it listens, and leaves signals alone unless told otherwise."""

    def __init__(self, app: ASGIApp, ready: Callable[[], None], signals: bool) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="off",
                proxy_headers=False,
                log_config=None,
                timeout_graceful_shutdown=HANGING_S,
            )
        )
        self.ready, self.signals = ready, signals

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if not self.signals:
            yield
            return
        with super().capture_signals():
            yield


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A listening socket and the base URL to reach it from here; port 0 picks a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    # Accepted sockets inherit it; without, an answer in two pieces waits for the reader's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    near = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (asked for by name)
    name = f"[{near}]" if ":" in near else near
    return listener, f"http://{name}:{listener.getsockname()[1]}"


def run(app: ASGIApp, host: str = "127.0.0.1", port: int = 0, ready: Callable[[str], None] = lambda url: None) -> None:
    """Serve until a signal asks to stop. `ready` is called once with the base URL. Raises OSError."""
    listener, url = listen(host, port)
    with listener:
        Server(app, lambda: ready(url), signals=True).run(sockets=[listener])


@asynccontextmanager
async def serving(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve in this event loop for as long as the block lasts; gives the base URL.

    ```python
    async with serving(jira_app()) as base_url:
        ...
    ```
    """
    listener, url = listen(host, port)
    listening = asyncio.Event()
    server = Server(app, listening.set, signals=False)
    with listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await listening.wait()
            yield url
        finally:
            server.should_exit = True
            await task
