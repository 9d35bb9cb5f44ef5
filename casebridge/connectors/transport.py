"""Plain HTTP over pools of connections, each made to a checked address or through the proxy of the settings.

Behind a proxy it is the proxy that resolves names: an address this machine finds for a name is still checked first, so
that no inner host is asked for by a public-looking name; a name this machine does not know is left to the proxy.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import httpcore2
import httpx2

from casebridge.connectors.egress import DEFAULT_PORTS, Egress, Proxy
from casebridge.connectors.hosts import AllowedHosts, GuardedBackend, NameUnknown, Resolve

_HEAD_BYTES = 16_384
_RESOLVE_S = 2.0
_UNKNOWN_FOR_S = 300.0


class ProxyRefused(httpcore2.ProxyError):
    """The proxy made no connection: nothing reached the system behind it. `status` is what it answered."""

    def __init__(self, proxy: Proxy, status: int | None) -> None:
        said = "did not let us in; check user and password of proxy_url" if status == 407 else "makes no connection"
        super().__init__(f"the proxy {proxy.name} {said}" + (f" (it answered {status})" if status else ""))
        self.status = status


class GuardedTransport(httpx2.AsyncBaseTransport):
    """No cookies, no proxies but the one of the settings; TLS as the settings want it for each host.

    `own` is a TLS context that a connector brings along; it goes before the settings of hosts.
    """

    def __init__(
        self, allowed: AllowedHosts, resolve: Resolve, egress: Egress, own: ssl.SSLContext | None = None
    ) -> None:
        self._guard = GuardedBackend(allowed, resolve)
        self._plain = httpcore2.AnyIOBackend()
        self._egress = egress
        self._own = own
        self._unknown: dict[str, float] = {}
        self._pools: dict[tuple[int, bool], httpcore2.AsyncConnectionPool] = {}

    def proxy_for(self, url: httpx2.URL) -> Proxy | None:
        """The proxy that a call to this address takes; None for the straight way."""
        proxy = self._egress.proxy
        return proxy if proxy is not None and proxy.is_for(_host(url)) else None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        proxy = self.proxy_for(request.url)
        if proxy is not None:
            await self._check(request.url)
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore2.Request(
            method=request.method,
            url=url,
            headers=request.headers.raw,
            content=cast("httpx2.AsyncByteStream", request.stream),
            extensions=request.extensions,
        )
        try:
            answer = await self._pool(request.url).handle_async_request(sent)
        except httpcore2.ProxyError as fault:
            assert proxy is not None
            raise ProxyRefused(proxy, _status(str(fault))) from None
        if proxy is not None and answer.status == 407:
            await answer.aclose()
            raise ProxyRefused(proxy, 407)
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Body(answer.stream))

    async def reach(self, url: httpx2.URL) -> None:
        """Connect, with TLS where the URL has it, and hang up."""
        proxy, host, port = self.proxy_for(url), _host(url), _port(url)
        if proxy is None:
            stream = await self._guard.connect_tcp(host, port)
        else:
            await self._check(url)
            stream = await self._tunnel(proxy, host, port, is_secure=url.scheme == "https")
        try:
            if url.scheme == "https":
                stream = await stream.start_tls(self._context(url), server_hostname=host)
        finally:
            await stream.aclose()

    async def aclose(self) -> None:
        for each in self._pools.values():
            await each.aclose()

    def _context(self, url: httpx2.URL) -> ssl.SSLContext:
        return self._own or self._egress.context(self._egress.place(_host(url), _port(url)))

    def _pool(self, url: httpx2.URL) -> httpcore2.AsyncConnectionPool:
        """The connections of a host's TLS and way, made when they are needed first."""
        proxy = self.proxy_for(url)
        key = (-1 if self._own else self._egress.place(_host(url), _port(url)), proxy is not None)
        if key not in self._pools:
            self._pools[key] = httpcore2.AsyncConnectionPool(
                ssl_context=self._context(url),
                proxy=None if proxy is None else proxy.wire(self._proxy_context(proxy)),
                max_connections=100,
                max_keepalive_connections=20,
                keepalive_expiry=5.0,
                # The way to the proxy is the operator's choice, not that of a connector.
                network_backend=self._guard if proxy is None else self._plain,
            )
        return self._pools[key]

    def _proxy_context(self, proxy: Proxy) -> ssl.SSLContext:
        return self._egress.context(self._egress.place(_host(proxy.origin), _port(proxy.origin)))

    async def _check(self, url: httpx2.URL) -> None:
        host = _host(url)
        if time.monotonic() < self._unknown.get(host, 0.0):
            return
        try:
            async with asyncio.timeout(_RESOLVE_S):
                await self._guard.checked(host, _port(url))
        except (NameUnknown, TimeoutError):
            # Usual behind a proxy; asking again before each call would cost a wait each time.
            self._unknown[host] = time.monotonic() + _UNKNOWN_FOR_S

    async def _tunnel(self, proxy: Proxy, host: str, port: int, *, is_secure: bool) -> httpcore2.AsyncNetworkStream:
        """A connection to the proxy, and through it to the host if that will speak TLS."""
        stream = await self._plain.connect_tcp(_host(proxy.origin), _port(proxy.origin))
        try:
            if proxy.origin.scheme == "https":
                stream = await stream.start_tls(self._proxy_context(proxy), server_hostname=_host(proxy.origin))
            if is_secure:
                target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
                if proxy.auth is not None:
                    lines.append(f"Proxy-Authorization: Basic {base64.b64encode(b':'.join(proxy.auth)).decode()}")
                await stream.write("\r\n".join([*lines, "", ""]).encode())
                head = b""
                while b"\r\n\r\n" not in head and len(head) < _HEAD_BYTES and (more := await stream.read(1024)):
                    head += more
                status = _status(head.partition(b" ")[2].decode("ascii", "replace"))
                if status is None or not 200 <= status < 300:
                    raise ProxyRefused(proxy, status)
        except BaseException:
            await stream.aclose()
            raise
        return stream


def _host(url: httpx2.URL) -> str:
    return url.raw_host.decode("ascii")


def _port(url: httpx2.URL) -> int:
    return url.port or DEFAULT_PORTS[url.scheme]


def _status(text: str) -> int | None:
    """The status that a text begins with."""
    return int(text[:3]) if text[:3].isdecimal() else None


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
