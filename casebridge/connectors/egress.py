"""How connections leave: through a proxy or straight, and with which TLS to which host.

This is the operator's part, from the server's settings. What one connector wants for itself is in `tls`.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import httpcore2
import httpx2

from casebridge.connectors.hosts import tls_context
from casebridge.connectors.tls import TlsFault

DEFAULT_PORTS = {"http": 80, "https": 443}
NOT_CHECKED = ("certificate", "none")


@dataclass(frozen=True, repr=False, kw_only=True)
class HostTls:
    """TLS towards one host, or all hosts if it is empty: `mode` is `full`, `certificate` (any name) or `none`.

    A file of authorities is trusted in addition to what the system trusts.
    """

    host: str = ""
    port: int | None = None
    mode: str = "full"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    key_password: str | None = None

    def fits(self, host: str, port: int) -> bool:
        """Whether it is meant for this host and port."""
        return self.host == host and self.port in (None, port)

    def context(self) -> ssl.SSLContext:
        """The context that does as is said. Raises TlsFault, which names the file."""
        context = tls_context()
        if self.mode in NOT_CHECKED:
            context.check_hostname = False
        if self.mode == "none":
            context.verify_mode = ssl.CERT_NONE
        if self.ca_file is not None:
            try:
                context.load_verify_locations(cafile=self.ca_file)
            except (ssl.SSLError, OSError):
                raise TlsFault(f"{self.ca_file} holds no certificates in PEM form, or cannot be read") from None
        if self.cert_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password=self.key_password or "")
            except (ssl.SSLError, OSError):
                named = self.cert_file if self.key_file is None else f"{self.cert_file} and {self.key_file}"
                raise TlsFault(f"{named} cannot be used as a client certificate; check them and the password") from None
        return context


class Proxy:
    """A proxy, without showing who signs in there. `bypass` names hosts that are reached without it."""

    def __init__(self, url: str, bypass: Sequence[str] = ()) -> None:
        parsed = httpx2.URL(url)
        self.origin = parsed.copy_with(username="", password="", raw_path=b"/", fragment=None)
        self.name = f"{parsed.host}:{parsed.port or DEFAULT_PORTS[parsed.scheme]}"
        self.auth = None
        if parsed.userinfo:
            user, _, password = parsed.userinfo.decode("ascii").partition(":")
            self.auth = (unquote(user).encode(), unquote(password).encode())
        self._names = {each for each in bypass if "/" not in each}
        self._networks = [ipaddress.ip_network(each, strict=False) for each in bypass if "/" in each]

    def is_for(self, host: str) -> bool:
        """Whether calls to a host go through it."""
        address = _address(host)
        if address is not None:
            return str(address) not in self._names and not any(address in each for each in self._networks)
        parts = host.split(".")
        suffixes = {"." + ".".join(parts[place:]) for place in range(len(parts))}
        wild = {f"*{each}" for each in suffixes}
        return not ({host, "*"} | suffixes | wild) & self._names

    def wire(self, context: ssl.SSLContext) -> httpcore2.Proxy:
        """As the library wants it; `context` is for a proxy that is reached by TLS itself."""
        secure = context if self.origin.scheme == "https" else None
        return httpcore2.Proxy(str(self.origin), auth=self.auth, ssl_context=secure)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


@dataclass(frozen=True, repr=False)
class Egress:
    """Everything about leaving. The contexts are made once, here. Raises TlsFault."""

    proxy: Proxy | None = None
    everywhere: HostTls = HostTls()
    hosts: Sequence[HostTls] = ()
    _contexts: dict[int, ssl.SSLContext] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place, each in enumerate((self.everywhere, *self.hosts)):
            self._contexts[place] = each.context()

    def place(self, host: str, port: int) -> int:
        """Which TLS is for a host: 0 for everywhere, else the entry that names it, one with its port before others."""
        fitting = [place for place, each in enumerate(self.hosts, 1) if each.fits(host, port)]
        return min(fitting, key=lambda place: self.hosts[place - 1].port is None, default=0)

    def context(self, place: int) -> ssl.SSLContext:
        """The TLS context at a place."""
        return self._contexts[place]
