"""The only outbound door: allowed hosts, time limit, size cap, redirects, and what a failure means for a write.

It knows no external system: a refusal with a status is handed on as an `Answer`, and the connector type reads it.
Headers are never logged and never part of a message. TLS trust comes from the system and from `egress`.
"""

from __future__ import annotations

import asyncio
import copy
import enum
import logging
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

import httpcore2
import httpx2
import msgspec
import structlog

from casebridge.connectors.egress import Egress
from casebridge.connectors.hosts import AllowedHosts, HostRefused, NameUnknown, Resolve, resolve, without_password
from casebridge.connectors.transport import GuardedTransport, ProxyRefused
from casebridge.domain.delivery import Call
from casebridge.domain.errors import ConnectorError

__all__ = ["AllowedHosts", "Answer", "Call", "CallLog", "Effect", "Memory", "Outbound", "retry_after_s"]

ANSWER_BYTES = 1024 * 1024
TIMEOUT_S = 60.0
REDIRECTS = 5
TRUSTING = 50
"""Most TLS contexts of connectors' own that are kept at a time."""
LONGEST_WAIT_S = 7 * 24 * 3600.0
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpcore2.ConnectError, ProxyRefused)
_TIMED_OUT = (TimeoutError, httpx2.TimeoutException, httpcore2.TimeoutException)
_UNFORMED = (httpx2.LocalProtocolError, httpcore2.LocalProtocolError, httpx2.UnsupportedProtocol)
_BROKEN = (
    httpx2.TransportError, httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError, OSError,
)  # fmt: skip
_JSON = re.compile(r"(application|text)/([\w.+-]+\+)?json\s*(;|$)", re.IGNORECASE)
_log = structlog.get_logger(__name__)


class Effect(enum.Enum):
    """What a call does over there: this decides what a lost or useless answer means."""

    READS = "reads"
    OVERWRITES = "overwrites"
    ADDS = "adds"


class CallLog:
    """The calls of one attempt, in order."""

    def __init__(self) -> None:
        self.calls: list[Call] = []


@dataclass(frozen=True, repr=False)
class Answer:
    """What came back; `value` is the decoded JSON body, None where the body is something else."""

    status: int
    headers: httpx2.Headers
    body: bytes
    host: str

    def __repr__(self) -> str:
        return f"<Answer {self.status} of {self.host}>"

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @cached_property
    def value(self) -> Any:
        if not _JSON.match(self.headers.get("content-type", "")):
            return None
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


class Memory:
    """What one process remembers for a while of the systems it talks to. Shows nothing of it in logs or its repr."""

    MOST = 1_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[float, Any]] = {}

    def get(self, key: str) -> Any:
        """What was put there, or None when there is nothing or it is too old."""
        until, value = self._kept.get(key, (0.0, None))
        return value if self._clock() < until else None

    def put(self, key: str, value: Any, ttl_s: float) -> None:
        """Remember a value for so many seconds."""
        if len(self._kept) >= self.MOST:
            self._kept.clear()
        self._kept[key] = (self._clock() + ttl_s, value)

    def forget(self, key: str) -> None:
        """Drop a value that turned out to be wrong."""
        self._kept.pop(key, None)


@dataclass
class _Progress:
    """Whether anything of a request may have left."""

    sent: bool

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_headers.started") and not _is_connect(info):
            self.sent = True


def _is_connect(info: Mapping[str, Any]) -> bool:
    """Whether what leaves is only the wish for a way through the proxy."""
    return getattr(info.get("request"), "method", b"") == b"CONNECT"


class Outbound:
    """One per server. `view` gives what one push or run uses: the same connections, its own log and hook."""

    def __init__(
        self,
        allowed: AllowedHosts,
        *,
        timeout_s: float = TIMEOUT_S,
        answer_bytes: int = ANSWER_BYTES,
        transport: httpx2.AsyncBaseTransport | None = None,
        resolve: Resolve = resolve,
        egress: Egress | None = None,
    ) -> None:
        """`transport` stands in for the network in tests; it then does without the check of addresses."""
        self.allowed = allowed
        self.timeout_s = timeout_s
        self.memory = Memory()
        self.tokens = Memory()
        self._answer_bytes = answer_bytes
        self._resolve = resolve
        self._egress = egress or Egress()
        self._transport = transport or GuardedTransport(allowed, resolve, self._egress)
        self._trusting: dict[str, GuardedTransport] = {}
        self._log: CallLog | None = None
        self._before_call: Callable[[], Awaitable[None]] | None = None
        for name in ("httpcore2", "httpx2"):  # at level DEBUG they would write headers
            logging.getLogger(name).setLevel(logging.WARNING)

    def view(self, log: CallLog | None = None, before_call: Callable[[], Awaitable[None]] | None = None) -> Outbound:
        """The same door for one piece of work. `before_call` is awaited before each request; raising stops it."""
        seen = copy.copy(self)
        seen._log = log
        seen._before_call = before_call
        return seen

    def recording(self, log: CallLog) -> Outbound:
        """A view that only notes its calls."""
        return self.view(log, self._before_call)

    def trusting(self, fingerprint: str, context: Callable[[], ssl.SSLContext]) -> Outbound:
        """The same door over connections with a TLS context of their own, made once for each `fingerprint`."""
        if not isinstance(self._transport, GuardedTransport):
            return self
        if fingerprint not in self._trusting:
            while len(self._trusting) >= TRUSTING:
                self._trusting.pop(next(iter(self._trusting)))
            self._trusting[fingerprint] = GuardedTransport(self.allowed, self._resolve, self._egress, context())
        seen = copy.copy(self)
        seen._transport = self._trusting[fingerprint]
        return seen

    async def reach(self, url: str) -> None:
        """Make a connection, with TLS where the URL has it, and let it go: nothing is sent. Raises ConnectorError."""
        target = httpx2.URL(url)
        await self._clear(target)
        if not isinstance(self._transport, GuardedTransport):
            return
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._transport.reach(target)
        except (*_TIMED_OUT, *_BROKEN) as fault:
            raise self._failure(fault, target, Effect.READS, _Progress(sent=False), None) from None

    async def close(self) -> None:
        """Let go of all connections."""
        for each in (self._transport, *self._trusting.values()):
            await each.aclose()

    async def call(
        self,
        method: str,
        url: str,
        *,
        effect: Effect | None = None,
        params: Mapping[str, str | int] | None = None,
        payload: Any = None,
        lines: Sequence[Any] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
        needs_body: bool = True,
    ) -> Answer:
        """Send one call and give the whole answer, whatever its status but a redirect.

        `credentials` are headers that never go to another host. `payload` is sent as JSON, `lines` as one JSON value a
        line, `form` as a form. A 2xx must bring JSON, unless nothing came and nothing is needed. Raises ConnectorError,
        which names host and cause.
        """
        effect = effect or (Effect.READS if method in ("GET", "HEAD") else Effect.ADDS)
        sent = {"accept": "application/json", **(headers or {})}
        left_s, kept = self.timeout_s, dict(credentials or {})
        target = httpx2.URL(url) if params is None else httpx2.URL(url).copy_merge_params(dict(params))
        for _ in range(REDIRECTS + 1):
            request = _request(method, target, {**sent, **kept}, payload, form, lines)
            await self._clear(target)
            started = time.monotonic()
            answer = await self._once(request, effect, left_s)
            left_s -= time.monotonic() - started
            location = _location(answer, target)
            if location is None:
                self._check_body(answer, effect, needs_body)
                return answer
            if method not in ("GET", "HEAD"):
                raise _redirected(answer, location, effect)
            kept = kept if _keeps_credentials(target, location) else {}
            target = location
        raise ConnectorError(f"{target.host} redirected more than {REDIRECTS} times", code="bad_answer", permanent=True)

    async def _clear(self, url: httpx2.URL) -> None:
        """Make sure that a request may leave, and that whoever asked for it still wants it."""
        refusal = self.allowed.refusal(bare(url))
        if refusal is not None:
            raise ConnectorError(refusal, code="configuration", permanent=True)
        if self._before_call is not None:
            await self._before_call()

    async def _once(self, request: httpx2.Request, effect: Effect, left_s: float) -> Answer:
        """One request and its answer, in `left_s` seconds."""
        progress = _Progress(sent=not isinstance(self._transport, GuardedTransport))
        request.extensions["trace"] = progress.trace
        started, status = time.monotonic(), None
        try:
            async with asyncio.timeout(left_s):
                response = await self._transport.handle_async_request(request)
                status = response.status_code
                body = await self._read(response, effect)
        except (*_TIMED_OUT, *_UNFORMED, *_BROKEN, httpx2.DecodingError) as fault:
            raise self._failure(fault, request.url, effect, progress, status) from None
        finally:
            self._record(request, status, started)
        return Answer(status, response.headers, body, request.url.host)

    async def _read(self, response: httpx2.Response, effect: Effect) -> bytes:
        """The whole body, unpacked, as long as it is not too large."""
        body = bytearray()
        try:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > self._answer_bytes:
                    raise ConnectorError(
                        f"the answer is larger than {self._answer_bytes} bytes",
                        code="bad_answer",
                        unknown=effect is not Effect.READS,
                        status=response.status_code,
                    )
        finally:
            await response.aclose()
        return bytes(body)

    def _record(self, request: httpx2.Request, status: int | None, started: float) -> None:
        url, duration_ms = bare(request.url), round((time.monotonic() - started) * 1000)
        _log.debug("outbound call", method=request.method, url=url, status=status, duration_ms=duration_ms)
        if self._log is not None:
            self._log.calls.append(Call(request.method, url, status, duration_ms))

    def _check_body(self, answer: Answer, effect: Effect, needs_body: bool) -> None:
        if not answer.is_success or answer.value is not None:
            return
        if not answer.body.strip() and not needs_body:
            return
        kind = answer.headers.get("content-type", "").partition(";")[0] or "no content type"
        what = f"{kind} that is no JSON" if answer.body.strip() else "an empty body"
        raise ConnectorError(
            f"{answer.host} answered {answer.status} with {what}",
            code="bad_answer",
            unknown=effect is Effect.ADDS,
            status=answer.status,
        )

    def _failure(
        self, fault: Exception, url: httpx2.URL, effect: Effect, progress: _Progress, status: int | None
    ) -> ConnectorError:
        """What a call that broke off means. The library's own text is not used: it may quote headers."""
        sent = progress.sent and not isinstance(fault, _NOT_SENT)
        unknown = sent and effect is not Effect.READS
        if isinstance(fault, HostRefused):
            return ConnectorError(str(fault), code="configuration", permanent=True)
        if isinstance(fault, ProxyRefused):
            return ConnectorError(str(fault), code="connection", permanent=fault.status in (403, 407))
        if isinstance(fault, _UNFORMED):
            text = f"the request to {url.host} could not be formed; check the connector's config and secrets"
            return ConnectorError(text, code="configuration", permanent=True, unknown=unknown)
        if isinstance(fault, _TIMED_OUT):
            text = f"the call to {url.host} timed out after {self.timeout_s:g} s"
            return ConnectorError(text, code="timeout", unknown=unknown, status=status)
        if isinstance(fault, httpx2.DecodingError):
            text = f"the answer of {url.host} could not be unpacked"
            return ConnectorError(text, code="bad_answer", unknown=unknown, status=status)
        text = f"the connection to {url.host} broke before the whole answer had come" if sent else self._why(fault, url)
        return ConnectorError(text, code="connection", unknown=unknown, status=status)

    def _why(self, fault: BaseException, url: httpx2.URL) -> str:
        """Why no connection was made, and through which proxy it would have been."""
        proxy = self._transport.proxy_for(url) if isinstance(self._transport, GuardedTransport) else None
        return _why_not(fault, url) + (f" (through the proxy {proxy.name})" if proxy else "")


def _request(
    method: str,
    url: httpx2.URL,
    headers: Mapping[str, str],
    payload: Any,
    form: Mapping[str, str] | None,
    lines: Sequence[Any] | None,
) -> httpx2.Request:
    """A request without the user info of its URL."""
    plain = url.copy_with(username="", password="", fragment=None)
    if form is not None:
        return httpx2.Request(method, plain, headers=headers, data=dict(form))
    if lines is not None:
        text = b"".join(msgspec.json.encode(each) + b"\n" for each in lines)
        return httpx2.Request(method, plain, headers={"content-type": "application/x-ndjson", **headers}, content=text)
    if payload is None:
        return httpx2.Request(method, plain, headers=headers)
    content = msgspec.json.encode(payload)
    return httpx2.Request(method, plain, headers={"content-type": "application/json", **headers}, content=content)


def bare(url: httpx2.URL) -> str:
    """A URL without user info, query and fragment."""
    return str(url.copy_with(username="", password="", query=None, fragment=None))


def _location(answer: Answer, url: httpx2.URL) -> httpx2.URL | None:
    """Where an answer redirects to; None when it does not."""
    if answer.status not in (301, 302, 303, 307, 308) or "location" not in answer.headers:
        return None
    try:
        return url.join(answer.headers["location"])
    except (httpx2.InvalidURL, ValueError):
        text = f"{answer.host} redirected to an address that cannot be read"
        raise ConnectorError(text, code="bad_answer", permanent=True, status=answer.status) from None


def _redirected(answer: Answer, location: httpx2.URL, effect: Effect) -> ConnectorError:
    """A write is not sent again elsewhere. After 302 and 303 it may have been done: forms are answered like that."""
    return ConnectorError(
        f"{answer.host} answered {answer.status} and pointed to {without_password(bare(location))}; "
        "a write is not redirected, so check the connector's URL",
        code="bad_answer",
        permanent=True,
        unknown=effect is not Effect.READS and answer.status in (302, 303),
        status=answer.status,
    )


def _keeps_credentials(old: httpx2.URL, new: httpx2.URL) -> bool:
    """Credentials stay with their host; not over a port change either, unless it only moves up to https."""
    if old.raw_host != new.raw_host:
        return False
    upgraded = (old.scheme, new.scheme) == ("http", "https") and old.port is None and new.port is None
    return upgraded or (old.scheme, old.port) == (new.scheme, new.port)


def _why_not(fault: BaseException, url: httpx2.URL) -> str:
    """Why no connection was made."""
    if isinstance(fault, NameUnknown):
        return str(fault)
    seen: BaseException | None = fault
    reason = ""
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            why = getattr(seen, "verify_message", "") or seen.reason or "handshake failed"
            return f"no TLS connection to {url.host} could be made: {why}"
        if isinstance(seen, OSError) and seen.errno is not None and seen.strerror:
            reason = f": {seen.strerror}"
        seen = seen.__cause__ or seen.__context__
    return f"no connection to {url.host} could be made{reason}"


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The wait a system asks for in `Retry-After`, given in seconds or as an HTTP date; None without a usable one."""
    given = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,18}(\.\d+)?", given):
        return min(float(given), LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(given)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max((until - (now or datetime.now(UTC))).total_seconds(), 0.0), LONGEST_WAIT_S)
