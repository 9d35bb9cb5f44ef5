"""Whether a text is an absolute URL, as a browser parses one (WHATWG URL, without normalising anything)."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import unquote

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_SPECIAL = frozenset({"http", "https", "ws", "wss", "ftp"})
_IGNORED = {ord(each): None for each in "\t\n\r"}
_EDGES = "".join(map(chr, range(0x21)))
_FORBIDDEN_IN_HOST = re.compile(r"[\x00\t\n\r #/:<>?@\[\\\]^|]")
_FORBIDDEN_IN_DOMAIN = re.compile(r"[\x00-\x20#%/:<>?@\[\\\]^|\x7f\ufffd]")
_NUMBER = re.compile(r"0[xX](?P<hex>[0-9A-Fa-f]*)|0(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*)")


def is_url(value: str) -> bool:
    """Whether it parses as an absolute URL of any scheme.

    >>> is_url("https://example.org/a b"), is_url("mailto:x"), is_url("example.org"), is_url("http://")
    (True, True, False, False)
    """
    found = _SCHEME.fullmatch(value.strip(_EDGES).translate(_IGNORED))
    if found is None:
        return False
    scheme, rest = found[1].lower(), found[2]
    if scheme in _SPECIAL:
        authority = re.split(r"[/\\?#]", rest.lstrip("/\\"), maxsplit=1)[0]
        return _is_authority(authority, special=True)
    if scheme == "file":
        return _is_file(rest)
    if not rest.startswith("//"):
        return True
    authority = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
    return authority == "" or _is_authority(authority, special=False)


def _is_file(rest: str) -> bool:
    if not re.match(r"[/\\]{2}", rest):
        return True
    host = re.split(r"[/\\?#]", rest[2:], maxsplit=1)[0]
    return host == "" or re.fullmatch(r"[A-Za-z][:|]", host) is not None or _is_host(host, special=True)


def _is_authority(text: str, *, special: bool) -> bool:
    """User, host and port; the host must be there."""
    place = text.rpartition("@")[2]
    end = place.find("]") + 1 if place.startswith("[") else place.find(":")
    if end < 0:
        return _is_host(place, special=special)
    host, port = place[:end], place[end:]
    return _is_host(host, special=special) and (not port or _is_port(port))


def _is_port(text: str) -> bool:
    digits = text[1:].lstrip("0")
    return re.fullmatch(r":[0-9]*", text) is not None and len(digits) <= 5 and int(digits or "0") <= 65535


def _is_host(host: str, *, special: bool) -> bool:
    if host.startswith("["):
        return host.endswith("]") and "%" not in host and _is_ipv6(host[1:-1])
    if not special:
        return host != "" and _FORBIDDEN_IN_HOST.search(host) is None
    domain = unicodedata.normalize("NFKC", unquote(host)).replace("\u3002", ".")
    if domain == "" or _FORBIDDEN_IN_DOMAIN.search(domain):
        return False
    parts = domain.removesuffix(".").split(".")
    if re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", parts[-1]):
        return _is_ipv4(parts)
    return True


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_ipv4(parts: list[str]) -> bool:
    """Up to four numbers, decimal, octal or hexadecimal; the last one fills what the others leave."""
    numbers = [_number(each) for each in parts]
    if len(numbers) > 4 or None in numbers:
        return False
    *first, last = (number for number in numbers if number is not None)
    return all(each <= 255 for each in first) and last < 256 ** (5 - len(numbers))


def _number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text)
    if found is None or len(text) > 64:
        return None
    if found["hex"] is not None:
        return int(found["hex"] or "0", 16)
    return int(found["decimal"]) if found["octal"] is None else int(found["octal"], 8)
