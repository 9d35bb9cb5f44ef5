"""The only outbound door: allowed hosts, time limits, size caps, and what each failure means.

It knows nothing of any external system: a caller says what it wants to do and gets an answer or a `Fault`, which tells
whether a write may have been done all the same (external/README.md).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpcore2
import httpx2
import msgspec

from casebridge.domain.delivery import Call
from casebridge.domain.errors import InvalidInput

READS = frozenset({"GET", "HEAD"})
MOST_REDIRECTS = 5
ANSWER_LIMIT_BYTES = 1_048_576

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


class HostRefused(Exception):
    """A host or the address it resolves to may not be reached from here."""


class AllowedHosts:
    """Which hosts connectors may reach: `*` stands for public addresses, others must be named (connectors.md 7)."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._names = frozenset(each.strip().rstrip(".").lower() for each in hosts if each.strip())

    def check_url(self, field: str, url: str, *, schemes: Sequence[str] = ("http", "https")) -> None:
        """InvalidInput, with the URL in its text, unless its host may be reached as far as can be told by its name."""
        host = _host_of(url, schemes)
        if host is None or not self.admits_name(host):
            raise InvalidInput(field, f"the URL {_without_user(url)} is not in the allowed hosts.")

    def admits_name(self, host: str) -> bool:
        """Whether a host passes by its name; a literal address is judged at once, a name again when connecting."""
        host = host.rstrip(".").lower()
        if host in self._names:
            return True
        if "*" not in self._names:
            return False
        address = _literal(host)
        return address is None or is_public(address)

    def admits_address(self, host: str, address: str) -> bool:
        """Whether the address a host resolves to may be connected to."""
        return host.rstrip(".").lower() in self._names or ("*" in self._names and is_public(_literal(address)))


def is_public(address: Address | None) -> bool:
    """Whether an address belongs to the public network; addresses that wrap another one are judged by both."""
    if address is None:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None and not is_public(inner):
            return False
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        # Short and numeric forms of IPv4 addresses (127.1, 2130706433, 0x7f.1) reach the same place.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _host_of(url: str, schemes: Sequence[str]) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return host if parts.scheme.lower() in schemes and host else None


def _without_user(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class CallLog:
    """The calls made for one purpose, in order."""

    def __init__(self) -> None:
        self.calls: list[Call] = []


class Answer(msgspec.Struct, frozen=True):
    """What a system answered; `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def json(self) -> Any:
        """The decoded body, or None when it is no JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    @property
    def says_json(self) -> bool:
        """Whether the content type announces JSON."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind == "application/json" or kind.endswith("+json")

    @property
    def retry_after_s(self) -> float | None:
        """Seconds the system asks us to wait, from `Retry-After` as a number or a date."""
        text = self.headers.get("retry-after", "").strip()
        if not text:
            return None
        try:
            return max(0.0, float(text))
        except ValueError:
            pass
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(0.0, (until - datetime.now(UTC)).total_seconds())


class Fault(Exception):
    """A call without a usable answer. `unknown`: it may have been done all the same."""

    def __init__(self, message: str, *, code: str, unknown: bool, permanent: bool = False) -> None:
        self.message = message
        self.code = code
        self.unknown = unknown
        self.permanent = permanent
        super().__init__(message)


class Outbound:
    """The door itself: one pool of connections for the whole server."""

    def __init__(
        self,
        allowed: AllowedHosts,
        *,
        timeout_s: float = 60.0,
        answer_limit_bytes: int = ANSWER_LIMIT_BYTES,
        resolve: Resolver | None = None,
    ) -> None:
        self._allowed = allowed
        self._timeout_s = timeout_s
        self._answer_limit_bytes = answer_limit_bytes
        backend = _GuardedBackend(allowed, resolve or _resolve)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_tls(), max_connections=100, keepalive_expiry=5.0, network_backend=backend
        )

    def view(self, *, log: CallLog | None = None, before_call: Callable[[], Awaitable[None]] | None = None) -> Door:
        """The door for one purpose: calls are noted in `log`, and `before_call` may raise to hold one back."""
        return Door(self, log if log is not None else CallLog(), before_call)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._pool.aclose()

    async def send(self, request: httpx2.Request) -> Answer:
        """One request and its answer, whole, within the time limit; Fault otherwise. Follows no redirect."""
        write = request.method not in READS
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(request)
        except TimeoutError:
            text = f"timed out: no whole answer within {self._timeout_s:g} s"
            raise Fault(text, code="timeout", unknown=write) from None
        except HostRefused as fault:
            raise Fault(str(fault), code="configuration", unknown=False, permanent=True) from None
        except (httpcore2.ConnectError, OSError, ssl.SSLError) as fault:
            raise Fault(f"cannot connect: {_said(fault)}", code="connection", unknown=False) from None
        except httpcore2.UnsupportedProtocol as fault:
            raise Fault(_said(fault), code="configuration", unknown=False, permanent=True) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as fault:
            raise Fault(f"the connection broke: {_said(fault)}", code="connection", unknown=write) from None

    async def _exchange(self, request: httpx2.Request) -> Answer:
        sent = httpcore2.Request(
            request.method,
            httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.content,
        )
        response = await self._pool.handle_async_request(sent)
        try:
            body = await self._read(response, request.method not in READS)
        finally:
            await response.aclose()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Answer(response.status, headers, body)

    async def _read(self, response: httpcore2.Response, write: bool) -> bytes:
        pieces, size = [], 0
        async for piece in response.aiter_stream():
            size += len(piece)
            if size > self._answer_limit_bytes:
                text = f"the answer is larger than {self._answer_limit_bytes} bytes"
                raise Fault(text, code="bad_answer", unknown=write)
            pieces.append(piece)
        return b"".join(pieces)

    def check(self, url: str) -> None:
        """Fault unless the URL's host may be reached."""
        try:
            self._allowed.check_url("url", url)
        except InvalidInput as refused:
            raise Fault(refused.reason, code="configuration", unknown=False, permanent=True) from None


class Door:
    """What a connector calls through."""

    def __init__(self, outbound: Outbound, log: CallLog, before_call: Callable[[], Awaitable[None]] | None) -> None:
        self._outbound = outbound
        self._log = log
        self._before_call = before_call

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
    ) -> Answer:
        """The final answer; a read follows redirects, each target checked again. Fault when there is none."""
        sent = dict(headers or {})
        content = None
        if json is not None:
            content = msgspec.json.encode(json)
            sent["content-type"] = "application/json"
        sent.setdefault("accept", "application/json")
        target = str(httpx2.URL(url, params=dict(params))) if params else url
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._one(method, target, sent, content)
            location = answer.headers.get("location")
            if not 300 <= answer.status < 400 or location is None or method not in READS:
                return answer
            followed = urljoin(target, location)
            if urlsplit(followed)[:2] != urlsplit(target)[:2]:
                sent = {name: value for name, value in sent.items() if name.lower() != "authorization"}
            target = followed
        raise Fault(f"more than {MOST_REDIRECTS} redirects", code="bad_answer", unknown=False, permanent=True)

    async def _one(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> Answer:
        self._outbound.check(url)
        if self._before_call is not None:
            await self._before_call()
        started, status = time.monotonic(), None
        try:
            answer = await self._outbound.send(httpx2.Request(method, url, headers=dict(headers), content=content))
            status = answer.status
            return answer
        finally:
            duration_ms = round((time.monotonic() - started) * 1000)
            self._log.calls.append(Call(method, shown_url(url), status, duration_ms))


def shown_url(url: str) -> str:
    """The URL without user info, query and fragment, fit to be kept and shown."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _said(fault: Exception) -> str:
    return str(fault) or type(fault).__name__


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class _GuardedBackend(httpcore2.AnyIOBackend):
    """Resolves a name once, judges every address it stands for, and connects to a judged one: no second look-up
    can slip another address in."""

    def __init__(self, allowed: AllowedHosts, resolve: Resolver) -> None:
        self._allowed = allowed
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._resolve(host, port)
        if not addresses:
            raise httpcore2.ConnectError(f"{host} has no address")
        if refused := [each for each in addresses if not self._allowed.admits_address(host, each)]:
            raise HostRefused(f"{host} resolves to {refused[0]}, which is not in the allowed hosts")
        failed: Exception | None = None
        for address in addresses:
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore2.ConnectError as fault:
                failed = fault
        assert failed is not None
        raise failed
