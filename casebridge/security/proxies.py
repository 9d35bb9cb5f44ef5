"""Where a request comes from, as far as proxies that are trusted tell.

Anybody can send `X-Forwarded-For`. It is believed from the addresses in the settings alone, and of what it lists only
the part that those addresses wrote.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

Headers = Iterable[tuple[bytes, bytes]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Origin(NamedTuple):
    """The address of a client and the scheme it used; None where the proxy does not tell."""

    address: str
    scheme: str | None


class Proxies:
    """The proxies in front of this server, by address or network."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """ValueError for what is neither an address nor a network."""
        self._networks = [ipaddress.ip_network(each, strict=False) for each in networks]

    def trusts(self, address: str) -> bool:
        """Whether this is one of them."""
        parsed = _parsed(address)
        return parsed is not None and any(parsed in each for each in self._networks)

    def origin(self, peer: str, headers: Headers) -> Origin:
        """Where a request from this peer comes from. From anybody but a proxy of ours headers tell nothing."""
        if not self.trusts(peer):
            return Origin(peer, None)
        return Origin(self._client(peer, _values(headers, b"x-forwarded-for")), _scheme(headers))

    def _client(self, peer: str, named: list[str]) -> str:
        """The first address, from the right, that is not one of ours: whatever is left of it may be made up."""
        found = peer
        for each in reversed(named):
            parsed = _parsed(each)
            if parsed is None:
                break
            found = str(parsed)
            if not self.trusts(found):
                break
        return found


def _scheme(headers: Headers) -> str | None:
    named = _values(headers, b"x-forwarded-proto")
    last = named[-1].lower() if named else ""
    return last if last in ("http", "https") else None


def _values(headers: Headers, wanted: bytes) -> list[str]:
    """The parts of a header that may be repeated, in order."""
    texts = [value.decode("latin-1") for name, value in headers if name == wanted]
    return [each.strip() for text in texts for each in text.split(",")]


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, with or without brackets and port; IPv4 within IPv6 as plain IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    inner = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return inner or parsed
