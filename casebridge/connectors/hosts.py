"""Which hosts may be called, and connections that cannot be led to another one.

A name is resolved once per connection, every address it stands for is checked, and the connection goes to the checked
address: a name that resolves to something else a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache

import httpcore2
import httpx2

ANY = "*"
NEXT_ADDRESS_AFTER_S = 5.0
"""How long one of several addresses of a name may take to answer before the next one is tried."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HOST = re.compile(r"[a-z0-9._-]+")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_INNER = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "::/96", "64:ff9b:1::/48", "fec0::/10")))
"""Not of the internet either, whatever the standard library says: protocol, translated and site-local addresses."""


class HostRefused(httpcore2.ConnectError):
    """A name stands for an address that may not be called."""


class NameUnknown(httpcore2.ConnectError):
    """A name cannot be resolved."""


class AllowedHosts:
    """The list of hosts that may be called. `*` stands for every public address (contract connectors.md 7).

    A loopback, private or link-local address passes only when its host is named.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        given = [each.strip() for each in hosts]
        self._any = ANY in given
        self._named = frozenset(_comparable(each) for each in given if each and each != ANY)

    def refusal(self, url: str) -> str | None:
        """Why a URL may not be called, naming it; None when it may, as far as can be said without resolving."""
        shown = without_password(url)
        try:
            parsed = httpx2.URL(url)
        except (httpx2.InvalidURL, TypeError, ValueError):
            return f"the URL {shown} cannot be read, so it is not in the allowed hosts; expected http(s)://host/path."
        host = parsed.raw_host.decode("ascii")
        if parsed.port is not None and not 0 < parsed.port < 65_536:
            return f"the URL {shown} has no port to call, so it is not in the allowed hosts; expected 1 to 65535."
        if parsed.scheme not in ("http", "https") or not (_HOST.fullmatch(host) or _address(host)):
            return (
                f"the URL {shown} has no host to call, so it is not in the allowed hosts; expected http(s)://host/path."
            )
        if self.names(host):
            return None
        if not self._any:
            return f"the URL {shown} is not in the allowed hosts; add {host} to them if it may be called."
        if self.admits(host, _literal(host)):
            return None
        return f"the URL {shown} is not in the allowed hosts: * stands for public addresses, so {host} has to be named."

    def names(self, host: str) -> bool:
        """Whether the list holds this very host."""
        return _comparable(host) in self._named

    def admits(self, host: str, address: Address | None) -> bool:
        """Whether a host may be called at this address; None stands for one that is not known yet."""
        if self.names(host):
            return True
        return self._any and (address is None or is_public(address))


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, also when it is wrapped into another kind."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not any(address in each for each in _INNER)


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    return re.sub(r"//([^/@:]*):[^/]*@", r"//\1:[redacted]@", url)


# A few hosts are asked for with every call.
@lru_cache(maxsize=1024)
def _comparable(host: str) -> str:
    """A host name in the one form in which names are compared: lower case, IDNA, addresses in short form."""
    bare = host.strip("[]")
    literal = _address(bare)
    if literal is not None:
        return str(literal)
    try:
        return httpx2.URL(f"https://{bare}").raw_host.decode("ascii")
    except (httpx2.InvalidURL, ValueError):
        return bare.lower()


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _literal(host: str) -> Address | None:
    """The address a host is written as, in any spelling the system's resolver takes (`127.1`, `0x7f000001`)."""
    address = _address(host)
    if address is None and re.fullmatch(r"[0-9a-fx.]+", host):
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return address


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system gives them; OSError when there are none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to checked addresses only."""

    def __init__(
        self, allowed: AllowedHosts, resolve: Resolve, inner: httpcore2.AsyncNetworkBackend | None = None
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._inner = inner or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the base class has it)
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        *others, last = await self.checked(host, port)
        for address in others:
            try:
                return await self._inner.connect_tcp(address, port, NEXT_ADDRESS_AFTER_S, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(last, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def checked(self, host: str, port: int) -> list[str]:
        """The addresses of a host. All of them have to be allowed: one bad one spoils the name."""
        if _address(host) is not None:
            found: Sequence[str] = [host]
        else:
            try:
                found = await self._resolve(host, port)
            except (OSError, UnicodeError) as fault:
                raise NameUnknown(f"the name {host} could not be resolved") from fault
        if not found:
            raise NameUnknown(f"the name {host} has no address")
        for each in found:
            address = _address(each)
            if address is None or not self._allowed.admits(host, address):
                raise HostRefused(
                    f"{host} is not in the allowed hosts: it stands for {each}, which may be called only when "
                    "the host is named"
                )
        return list(found)


def tls_context() -> ssl.SSLContext:
    """What the system trusts, from TLS 1.2 upwards."""
    context = httpcore2.default_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
