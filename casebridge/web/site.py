"""The pages as an ASGI application: who visits, which page that means, and what every answer carries.

What is no page is handed on to `otherwise`, the API. Rules live in the services; what is decided here is only whether a
request came from a page of ours.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from starlette.datastructures import FormData, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from casebridge.domain.errors import Forbidden, InvalidInput, NotFound, StorageUnavailable, Unauthenticated
from casebridge.domain.space import DEFAULT_SPACE
from casebridge.domain.user import Actor
from casebridge.security.authentication import Authenticator, SessionToken
from casebridge.security.oidc import OidcSettings
from casebridge.security.sessions import COOKIE, cookie, read_cookie, wants_secure
from casebridge.services import spaces
from casebridge.services.attempts import note_denied
from casebridge.services.callers import Caller, Callers
from casebridge.services.ground import Asking, Ground
from casebridge.web.assets import Asset, Assets
from casebridge.web.errors import UNFORESEEN, NoSuchPage, TooLarge, WrongMethod, trouble_of
from casebridge.web.rendering import Rendering
from casebridge.web.routing import Found, Page, Pages, Query, Visit, read_query

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]

_log = structlog.get_logger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_API_ROOTS = ("/api/", "/internal/", "/_security/", "/healthz/", "/metrics", "/v1/")
_FOREVER = "public, max-age=31536000, immutable"
_MOST_FILES = 10


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may say about pages."""

    base_path: str = ""
    public_base_url: str | None = None
    cookie_secure: bool = True
    hsts_s: int = 0
    oidc: OidcSettings | None = None
    body_limit_bytes: int = 1_048_576
    upload_limit_bytes: int = 106_954_752


class Site:
    """Everything pages share; an ASGI application."""

    def __init__(
        self,
        ground: Ground,
        pages: Sequence[Page],
        otherwise: Application,
        *,
        settings: WebSettings | None = None,
        callers: Callers | None = None,
    ) -> None:
        self.ground = ground
        self.settings = settings or WebSettings()
        self.base_path = self.settings.base_path
        self.callers = callers or Callers(ground, Authenticator())
        self.pages = tuple(pages)
        self.assets = Assets()
        self.stopping = asyncio.Event()
        self._otherwise = otherwise
        self._found = Pages(self.pages, self.base_path)
        self._rendering = Rendering(self)

    def close(self) -> None:
        """End answers that would go on for ever, so that the server can stop."""
        self.stopping.set()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve a page, or hand the request on."""
        if scope["type"] != "http":
            await self._otherwise(scope, receive, send)
            return
        path = _raw_path(scope)
        if path.startswith(f"{self.base_path}/static/"):
            await self._static(path)(scope, receive, send)
            return
        found = self._found.find(scope["method"], path)
        if found is None and not self._is_lost_person(scope, path):
            await self._otherwise(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request, found, path)
        except ClientDisconnect:
            return
        headers = MutableHeaders(raw=response.raw_headers)
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("cache-control", "private, no-store")
        if self.settings.hsts_s and self.scheme(request) == "https":
            headers["strict-transport-security"] = f"max-age={self.settings.hsts_s}"
        await response(scope, receive, _headless(send) if scope["method"] == "HEAD" else send)

    def _is_lost_person(self, scope: Scope, path: str) -> bool:
        """Whether a browser asks for a page that is not there; everybody else gets the API's answer."""
        accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
        inner = path.removeprefix(self.base_path)
        if inner.startswith("/s/"):
            inner = "/" + inner[3:].partition("/")[2]
        return b"text/html" in accept and scope["method"] in ("GET", "HEAD") and not inner.startswith(_API_ROOTS)

    async def _answer(self, request: Request, found: Found | None, path: str) -> Response:
        visit = Visit(self, request, found or Found(None, DEFAULT_SPACE.id, {}), Query(()))
        try:
            visit.query = read_query(request.scope["query_string"])
            space_is_known = await self._identify(visit)
            if found is None:
                raise NoSuchPage(path)
            if found.page is None:
                raise WrongMethod
            if found.page.access == "session" and visit.caller is None:
                return _to_sign_in(visit)
            if not space_is_known:
                raise NotFound("space", found.space_id)
            if found.page.method == "POST":
                self._check_origin(request)
            return await found.page.handler(visit)
        except ClientDisconnect:
            raise
        except Exception as error:
            if isinstance(error, Forbidden) and visit.caller is not None:
                await note_denied(self.ground, visit.caller, error, list(visit.path.values()))
            return self._error_page(visit, error, f"{request.method} {path}")

    def _error_page(self, visit: Visit, error: Exception, named: str) -> Response:
        trouble = trouble_of(error)
        message = str(error)
        request_id = secrets.token_hex(4)
        if trouble is UNFORESEEN:
            _log.error("page failed", request_id=request_id, request=named, exc_info=error)
            message = f"Request {request_id}"
        elif isinstance(error, StorageUnavailable):
            _log.warning("store unavailable", request_id=request_id, request=named, reason=message)
            message = ""
        try:
            response = visit.render("error.html", status=trouble.status, trouble=trouble, message=message)
        except Exception as again:
            _log.error("an error page failed", request_id=request_id, request=named, exc_info=again)
            return Response(f"{trouble.heading}. {message}", trouble.status, media_type="text/plain")
        if visit.is_htmx:
            whole_page(response)
        return response

    # Who visits

    async def _identify(self, visit: Visit) -> bool:
        """Set the caller if somebody is signed in; whether the space of the address exists."""
        token = read_cookie(visit.request.headers.get("cookie", "").encode("latin-1"), COOKIE)
        if token is None:
            return True
        try:
            caller = await self.callers.identify(SessionToken(token), visit.space_id)
        except Unauthenticated:
            return True
        visit.token = token
        visit.caller = Asking(self._actor(caller, visit.request), caller.space or DEFAULT_SPACE)
        if visit.request.method == "GET" and not visit.is_htmx:
            with suppress(Forbidden):
                visit.spaces = await spaces.list_usable(self.ground, visit.asking)
        return caller.space is not None

    def _actor(self, caller: Caller, request: Request) -> Actor:
        return Actor(
            caller.user,
            caller.roles,
            address=self.address(request),
            request_id=secrets.token_hex(6),
            grants=caller.grants,
        )

    def address(self, request: Request) -> str | None:
        """Where the browser is."""
        return None if request.client is None else request.client.host

    def scheme(self, request: Request) -> str:
        """`https` or `http`, as the browser sees it."""
        return request.url.scheme

    def cookie(self, visit: Visit, name: str, value: str, *, max_age_s: int | None = None, script: bool = False) -> str:
        """A `Set-Cookie` header for the whole server."""
        request = visit.request
        secure = wants_secure(
            self.scheme(request), request.headers.get("host", ""), setting=self.settings.cookie_secure
        )
        return cookie(name, value, path=self.base_path, secure=secure, max_age_s=max_age_s, script=script)

    def _check_origin(self, request: Request) -> None:
        """Forbidden for a form that another site sent, as far as the browser tells."""
        origin = request.headers.get("origin")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Forbidden("submit", what="submit a form from another site")
        if origin is None:
            return
        known = {request.headers.get("host", "").lower()}
        if self.settings.public_base_url:
            known.add(urlsplit(self.settings.public_base_url).netloc.lower())
        if urlsplit(origin).netloc.lower() not in known:
            raise Forbidden("submit", what="submit a form from another site")

    async def read_form(self, request: Request) -> FormData:
        """The fields of a form; TooLarge, or InvalidInput when it cannot be read."""
        is_upload = request.headers.get("content-type", "").startswith("multipart/form-data")
        limit = self.settings.upload_limit_bytes if is_upload else self.settings.body_limit_bytes
        length = request.headers.get("content-length", "" if "transfer-encoding" in request.headers else "0")
        if not length.isdecimal():
            raise InvalidInput("", "The form does not say how long it is.")
        if int(length) > limit:
            raise TooLarge(limit)
        try:
            return await request.form(
                max_files=_MOST_FILES, max_fields=2_000, max_part_size=self.settings.body_limit_bytes
            )
        except (MultiPartException, HTTPException) as fault:
            raise InvalidInput("", f"The form cannot be read: {getattr(fault, 'detail', fault)}") from None

    # What is answered

    def render(self, visit: Visit, template: str, *, status: int, **context: Any) -> Response:
        """A page of its template."""
        return self._rendering.page(visit, template, status=status, **context)

    def _static(self, path: str) -> Response:
        asset = self.assets.get(path.removeprefix(f"{self.base_path}/static/"))
        return Response("Not found.", 404, media_type="text/plain") if asset is None else _Static(asset)


class _Static(Response):
    """A static file, packed for who can unpack it."""

    def __init__(self, asset: Asset) -> None:
        super().__init__(asset.content, headers={"content-type": asset.type, "cache-control": _FOREVER})
        self.headers["x-content-type-options"] = "nosniff"
        self.headers["vary"] = "accept-encoding"
        self._packed = asset.packed

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer with the packed content where that is welcome."""
        accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
        if self._packed is not None and b"gzip" in accepted:
            self.body = self._packed
            self.headers["content-encoding"] = "gzip"
            self.headers["content-length"] = str(len(self._packed))
        await super().__call__(scope, receive, _headless(send) if scope["method"] == "HEAD" else send)


def whole_page(response: Response) -> None:
    """Have a script of ours put all of the page in place of the present one, whatever part it asked for."""
    response.headers.update({"hx-retarget": "#main", "hx-reselect": "#main", "hx-reswap": "outerHTML show:top"})


def _to_sign_in(visit: Visit) -> Response:
    """To the form for signing in, and back here afterwards."""
    here = visit.request.url.path + (f"?{visit.query}" if visit.query.pairs else "")
    if visit.is_htmx:
        # A script would put the form into a part of the page; the browser has to go there itself.
        return Response(status_code=401, headers={"hx-refresh": "true"})
    is_form = visit.request.method == "POST"
    return RedirectResponse(visit.url("/login", "" if is_form else Query([("next", here)]).but(), space="default"), 303)


def _headless(send: Any) -> Any:
    async def without_body(message: MutableMapping[str, Any]) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return without_body


def _raw_path(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    return str(scope["path"]) if raw is None else raw.decode("latin-1").partition("?")[0]
