"""One request from socket to answer, in the order contract README 2 demands, as a bare ASGI application.

Address (404), credentials (401), `kbn-xsrf` (400), path, query and body (400, 413, 415), space (404), handler. An
unknown route is told before anybody is asked who they are: which routes exist is published anyway.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, Literal
from urllib.parse import quote_from_bytes

import msgspec

import casebridge
from casebridge.api.bodies import BodyReader, check_media_type, read_body
from casebridge.api.errors import NoSuchRoute, WrongVersion, render
from casebridge.api.openapi import describe
from casebridge.api.queries import QueryReader, split_query
from casebridge.api.routing import (
    LEGACY,
    SAFE_METHODS,
    Address,
    Answer,
    Call,
    Disconnected,
    Receive,
    Route,
    Router,
    Scope,
    Send,
)
from casebridge.api.tally import Tally
from casebridge.domain.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    Refused,
    StorageUnavailable,
    TooManyTries,
    Unauthenticated,
)
from casebridge.domain.user import Actor
from casebridge.security.authentication import Authenticator, read_credential
from casebridge.security.throttle import Allowance
from casebridge.services.attempts import note_denied, note_failed_sign_in
from casebridge.services.callers import Caller, Callers
from casebridge.services.ground import Asking, Ground

PUBLIC_VERSION = "2023-10-31"
FAILURES_NOTED_A_MINUTE = 60
"""Failed sign-ins of one address that reach the audit trail."""

_encoder = msgspec.json.Encoder()
_JSON = (b"content-type", b"application/json; charset=utf-8")
_PUBLIC = (b"elastic-api-version", PUBLIC_VERSION.encode())

RawHeaders = list[tuple[bytes, bytes]]


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may say about the HTTP side.

    `check_kbn_version` refuses clients that announce another version than ours; `require_internal_origin` refuses
    internal routes to clients without `x-elastic-internal-origin`. Without `security`
    nobody is asked who they are, and everybody may do everything. `hsts_s` is for how long browsers, once they came by
    TLS, are to come by TLS alone. `worker_level` tells how the worker of pushes is.
    `tally` counts requests; `metrics` is what GET /metrics answers, without which there is no such route.
    """

    server_name: str = "casebridge"
    base_path: str = ""
    body_limit_bytes: int = 1_048_576
    version: str = casebridge.__version__
    build_hash: str = "unknown"
    check_kbn_version: bool = False
    require_internal_origin: bool = False
    security: bool = True
    hsts_s: int = 0
    worker_level: Callable[[], Literal["available", "degraded", "unavailable"]] = lambda: "available"
    tally: Tally | None = None
    metrics: Callable[[], Awaitable[bytes]] | None = None


class Kernel:
    """What all requests share: settings, routes, and the document that describes them."""

    def __init__(self, ground: Ground, routes: Sequence[Route], settings: ApiSettings, door: Authenticator) -> None:
        self.ground = ground
        self.routes = tuple(routes)
        self.settings = settings
        self.callers = Callers(ground, door)
        self.noting = Allowance(FAILURES_NOTED_A_MINUTE)
        self.router = Router(self.routes, settings.base_path)
        self.served = [_Served(place, route, settings) for place, route in enumerate(self.routes)]
        self.headers = _fixed_headers(settings)
        self._openapi: bytes | None = None

    @property
    def openapi_json(self) -> bytes:
        """The OpenAPI document of every route, made when first asked for."""
        if self._openapi is None:
            self._openapi = _encoder.encode(describe(self.routes, self.settings.version, self.settings.base_path))
        return self._openapi


class _Served:
    """A route with everything made ready that its requests need."""

    __slots__ = ("body", "headers", "needs_xsrf", "place", "query", "route")

    def __init__(self, place: int, route: Route, settings: ApiSettings) -> None:
        self.place = place
        self.route = route
        self.body = None if route.body is None else BodyReader(route.body)
        self.query = None if route.query is None else QueryReader(route.query)
        self.needs_xsrf = route.method not in SAFE_METHODS
        self.headers = [*_fixed_headers(settings), *([_PUBLIC] if route.is_public else [])]


def _fixed_headers(settings: ApiSettings) -> RawHeaders:
    return [
        (b"kbn-name", settings.server_name.encode("latin-1", "replace")),
        (b"cache-control", b"private, no-cache, no-store, must-revalidate"),
        # No answer of ours is to be shown, run, framed or guessed at by a browser.
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"referrer-policy", b"no-referrer"),
    ]


class ApiApp:
    """The ASGI application."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._limit = kernel.settings.body_limit_bytes
        self._tally = kernel.settings.tally
        hsts_s = kernel.settings.hsts_s
        self._hsts = [(b"strict-transport-security", b"max-age=%d" % hsts_s)] if hsts_s else []
        run = os.urandom(4).hex()
        self._ids = (f"{run}-{number:x}" for number in itertools.count(1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; other kinds of connection are closed, and start and stop are nothing to us."""
        if scope["type"] != "http":
            await _not_http(scope, receive, send)
            return
        tally = self._tally
        began = 0.0 if tally is None else perf_counter()
        method = scope["method"]
        path = _raw_path(scope)
        headers = self.kernel.headers
        request_id = next(self._ids)
        served = None
        try:
            address = self.kernel.router.find(method, path)
            if address is None:
                raise NoSuchRoute(method, path)
            served = self.kernel.served[address.place]
            headers = served.headers
            answer = await self._answer(served, address, scope, receive, request_id)
            content = _content(answer.body)
        except Disconnected:
            return
        except Exception as error:
            answer = render(error, request_id, f"{method} {path}")
            content = _content(answer.body)
        if self._hsts and scope.get("scheme") == "https":
            headers = headers + self._hsts
        try:
            await _send(send, answer, content, headers, is_head=method == "HEAD")
        finally:
            if tally is not None:
                tally.note(-1 if served is None else served.place, answer.status, perf_counter() - began)

    async def _answer(
        self, served: _Served, address: Address, scope: Scope, receive: Receive, request_id: str
    ) -> Answer:
        """Every check in its order, then the handler; errors are raised."""
        route = served.route
        headers: dict[bytes, bytes] = dict(scope["headers"])
        call = Call()
        call.ground, call.kernel, call.route = self.kernel.ground, self.kernel, route
        call.dialect, call.path, call.request_id = address.dialect, address.params, request_id
        call.scope, call.receive = scope, receive
        is_space_known = await self._identify(call, address, headers)
        self._check_headers(served, headers, scope["query_string"])
        if not address.is_clean:
            raise InvalidInput("", "The path holds NUL, or bytes that are not UTF-8.")
        pairs = split_query(scope["query_string"]) if scope["query_string"] else ()
        call.query = None if served.query is None else served.query.read(pairs, lenient=address.dialect == LEGACY)
        await self._read_body(call, served, headers)
        if not is_space_known:
            raise NotFound("space", address.space_id)
        try:
            outcome = await route.handler(call)
        except Refused as refused:
            await self._note(call, refused)
            raise
        if type(outcome) is Answer:
            return outcome
        return Answer(None, 204) if outcome is None else Answer(outcome, route.status)

    async def _identify(self, call: Call, address: Address, headers: Mapping[bytes, bytes]) -> bool:
        """Set the caller; whether the space of the address exists (nobody learns that without credentials)."""
        call.caller = None
        wanted = call.route.credentials
        if wanted == "none":
            return True
        try:
            caller = await self._caller(call, address, headers)
        except (Unauthenticated, TooManyTries, StorageUnavailable):
            if wanted == "optional":
                return True
            raise
        if caller.space is None:
            return False
        call.caller = Asking(_actor(caller, call), caller.space)
        return True

    async def _caller(self, call: Call, address: Address, headers: Mapping[bytes, bytes]) -> Caller:
        callers = self.kernel.callers
        if not self.kernel.settings.security:
            return await callers.everybody(address.space_id)
        shown = read_credential(headers)
        client = call.scope.get("client")
        place = client[0] if client else None
        try:
            return await callers.identify(shown, address.space_id, place)
        except Unauthenticated:
            # Noting costs a write that nobody signed for: a flood must not fill the store.
            if self.kernel.noting.take(place):
                await note_failed_sign_in(self.kernel.ground, shown, address=place, request_id=call.request_id)
            raise

    async def _note(self, call: Call, refused: Refused) -> None:
        """A denied attempt goes to the audit trail, also where it is told as something else."""
        denied = refused if isinstance(refused, Forbidden) else refused.__cause__
        if isinstance(denied, Forbidden) and call.caller is not None:
            await note_denied(call.ground, call.caller, denied, list(call.path.values()))

    def _check_headers(self, served: _Served, headers: Mapping[bytes, bytes], query_string: bytes) -> None:
        settings = self.kernel.settings
        version = headers.get(b"kbn-version")
        if served.needs_xsrf and version is None and b"kbn-xsrf" not in headers:
            raise InvalidInput("kbn-xsrf", "this header is required with every method but GET, HEAD and OPTIONS.")
        if settings.check_kbn_version and version is not None and version.decode("latin-1") != settings.version:
            raise WrongVersion(settings.version, version.decode("latin-1"))
        is_named = b"x-elastic-internal-origin" in headers or b"elasticInternalOrigin=" in query_string
        if settings.require_internal_origin and not is_named and served.route.path.startswith("/internal/"):
            raise InvalidInput("x-elastic-internal-origin", "this header is required on internal routes.")

    async def _read_body(self, call: Call, served: _Served, headers: Mapping[bytes, bytes]) -> None:
        """Set `raw` and `body`. Bodies of routes that take none are not looked at."""
        call.raw, call.body = b"", None
        if served.body is None or served.route.upload:
            return
        length = headers.get(b"content-length")
        if length != b"0":
            if length is not None:
                check_media_type(headers)
            call.raw = await read_body(call.receive, headers, self._limit)
            if length is None and call.raw:
                check_media_type(headers)
        if not call.raw:
            if not served.route.body_optional:
                raise InvalidInput("", "A body is required, but there is none.")
        elif not served.route.body_optional or call.raw.strip() != b"null":
            call.body = served.body.decode(call.raw)


def api_app(
    ground: Ground,
    routes: Sequence[Route],
    *,
    settings: ApiSettings | None = None,
    authenticator: Authenticator | None = None,
) -> ApiApp:
    """The ASGI application that serves these routes."""
    return ApiApp(Kernel(ground, routes, settings or ApiSettings(), authenticator or Authenticator()))


def _actor(caller: Caller, call: Call) -> Actor:
    client = call.scope.get("client")
    return Actor(
        caller.user,
        caller.roles,
        address=client[0] if client else None,
        request_id=call.request_id,
        grants=caller.grants,
        key_id=caller.key_id,
    )


def _raw_path(scope: Scope) -> str:
    """The path as it was sent, in ASCII; a server that does not hand it on leaves only the decoded one."""
    raw: bytes = scope.get("raw_path") or quote_from_bytes(scope["path"].encode(), safe="/").encode()
    return raw.decode() if raw.isascii() else quote_from_bytes(raw, safe="/%")


def _content(body: Any) -> bytes | AsyncIterator[bytes]:
    if body is None:
        return b""
    if isinstance(body, bytes | AsyncIterator):
        return body
    return _encoder.encode(body)


async def _send(
    send: Send, answer: Answer, content: bytes | AsyncIterator[bytes], fixed: RawHeaders, *, is_head: bool
) -> None:
    headers = fixed.copy()
    if isinstance(content, bytes):
        if answer.body is not None and content is not answer.body:
            headers.append(_JSON)
        if answer.status != 204:
            headers.append((b"content-length", b"%d" % len(content)))
    if answer.headers:
        own = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        replaced = {name for name, _ in own}
        headers = [*(each for each in headers if each[0] not in replaced), *own]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if isinstance(content, bytes):
        await send({"type": "http.response.body", "body": b"" if is_head else content})
        return
    if not is_head:
        async for piece in content:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _not_http(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "lifespan":
        await send({"type": "websocket.close", "code": 1000})
        return
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
