"""Observables of a case: what they are, the built-in types, and what each type takes as a value (cases.md 7)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from casebridge.domain import limits
from casebridge.domain.errors import InvalidInput, LimitExceeded, NotFound
from casebridge.domain.url import is_url
from casebridge.domain.user_action import Activity

BUILT_IN_TYPES = {
    "observable-type-ipv4": "IPv4",
    "observable-type-ipv6": "IPv6",
    "observable-type-url": "URL",
    "observable-type-hostname": "Hostname",
    "observable-type-file-hash": "File hash",
    "observable-type-file-path": "File path",
    "observable-type-email": "Email",
    "observable-type-domain": "Domain",
}
"""`typeKey` -> label of the types every owner has."""


class Observable(msgspec.Struct, frozen=True):
    """Something seen in a case, such as an address; at most one of a type and value per case."""

    id: str
    type_key: str
    value: str
    description: str | None
    created_at: datetime
    updated_at: datetime | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two observables the same: type and exact value."""
        return self.type_key, self.value


def added(observables: Sequence[Observable], new: Observable, known: Container[str]) -> tuple[Observable, ...]:
    """The observables with a new one, last. `known` are the type keys of the case's owner.

    InvalidInput for an unknown type, a value its type does not take, a repetition, and past 50.
    """
    if new.type_key not in known:
        raise InvalidInput("observable.typeKey", f"{new.type_key!r} is neither built in nor configured for the owner.")
    check_value(new.type_key, new.value)
    if len(observables) >= limits.OBSERVABLES:
        raise LimitExceeded("observable", limits.OBSERVABLES, len(observables) + 1, "observables per case")
    _refuse_repetition(observables, new)
    return (*observables, new)


def edited(
    observables: Sequence[Observable], id_: str, *, value: str, description: str | None, at: datetime
) -> tuple[Observable, ...]:
    """The observables with one of them changed in its place.

    NotFound for an unknown id, InvalidInput for a value its type does not take or another observable has.
    """
    old = _find(observables, id_)
    check_value(old.type_key, value)
    new = msgspec.structs.replace(old, value=value, description=description, updated_at=at)
    _refuse_repetition([each for each in observables if each is not old], new)
    return tuple(new if each is old else each for each in observables)


def removed(observables: Sequence[Observable], id_: str) -> tuple[Observable, ...]:
    """The observables without one of them; NotFound for an unknown id."""
    gone = _find(observables, id_)
    return tuple(each for each in observables if each is not gone)


def _find(observables: Iterable[Observable], id_: str) -> Observable:
    for each in observables:
        if each.id == id_:
            return each
    raise NotFound("observables", id_)


def _refuse_repetition(others: Iterable[Observable], new: Observable) -> None:
    if any(each.identity == new.identity for each in others):
        raise InvalidInput("observable.value", "the case has an observable of this type and value already.")


def observables_activity(kind: Literal["add", "update", "delete"], count: int = 1) -> Activity:
    """The entry a change of `count` observables leaves: never their values (activity.md 3)."""
    return Activity("observables", "create", {"observables": {"count": count, "actionType": kind}})


def usable(observables: Iterable[Observable], labels: Mapping[str, str]) -> list[Observable]:
    """Those whose type still is built in or configured; `labels` maps type keys to labels."""
    return [each for each in observables if each.type_key in labels]


def shared(wanted: Iterable[Observable], others: Iterable[Observable]) -> list[Observable]:
    """Those of `wanted` that `others` have too, in their order."""
    present = {each.identity for each in others}
    return [each for each in wanted if each.identity in present]


def check_value(type_key: str, value: str) -> None:
    """InvalidInput unless a value of this type may read like that; configured types take what hostnames take."""
    is_valid, expected = _CHECKS.get(type_key, _GENERIC)
    if not is_valid(value):
        raise InvalidInput("observable.value", f"expected {expected}.")


def is_generic(value: str) -> bool:
    """Only letters, digits and `. _ : / \\ -`, at least one.

    >>> is_generic("C:/tmp/a_b-1.txt"), is_generic("a b")
    (True, False)
    """
    return _GENERIC_TEXT.fullmatch(value) is not None


_GENERIC_TEXT = re.compile(r"[A-Za-z0-9._:/\\-]+")


def is_ipv4(value: str) -> bool:
    """A dotted quad, without leading zeros: whether those are octal is anyone's guess.

    >>> is_ipv4("10.0.0.8"), is_ipv4("10.8")
    (True, False)
    """
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True


def is_ipv6(value: str) -> bool:
    """An IPv6 address, shortened or not, with a zone of letters and digits if any.

    >>> is_ipv6("fe80::1%eth0"), is_ipv6("10.0.0.8")
    (True, False)
    """
    address, sign, zone = value.partition("%")
    if sign and not re.fullmatch(r"[A-Za-z0-9]+", zone):
        return False
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True


def is_domain(value: str) -> bool:
    """Two or more parts with dots between, the last of letters only; no two hyphens in a row.

    >>> is_domain("mail.example.org."), is_domain("example"), is_domain("xn--bcher-kva.example")
    (True, False, False)
    """
    if len(value) > 253 or "--" in value:
        return False
    *parts, top = value.removesuffix(".").split(".")
    return bool(parts) and _TOP_PART.fullmatch(top) is not None and all(map(_PART.fullmatch, parts))


_TOP_PART = re.compile(r"[A-Za-z]{2,63}")
_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def is_mail(value: str) -> bool:
    """One or more mail addresses with commas between, names and groups as RFC 5322 allows them.

    >>> is_mail("Dana Lee <dana@example.org>, omar@example.org"), is_mail("dana at example.org")
    (True, False)
    """
    kinds = _mail_kinds(value)
    return kinds is not None and "@" in kinds and _MAIL_LIST.fullmatch(kinds) is not None


def _mail_kinds(value: str) -> str | None:
    """One sign per token: `a` an atom, `q` a quoted text, `l` an address in brackets, else itself; None: no tokens.

    White space and comments, which nest, count for nothing.
    """
    kinds: list[str] = []
    place = depth = 0
    while place < len(value):
        token = (_COMMENT_TOKEN if depth or value[place] == "(" else _MAIL_TOKEN).match(value, place)
        if token is None:
            return None
        place = token.end()
        if token.lastgroup == "open":
            depth += 1
        elif token.lastgroup == "close":
            depth -= 1
        elif token.lastgroup == "sign":
            kinds.append(token[0])
        elif token.lastgroup is not None:
            kinds.append(token.lastgroup)
    return None if depth else "".join(kinds)


_COMMENT_TOKEN = re.compile(r"(?P<open>\()|(?P<close>\))|[^()\\]+|\\.", re.DOTALL)
_MAIL_TOKEN = re.compile(
    r"[ \t\r\n]+"
    r'|(?P<q>"(?:[^"\\\r\n]|\\[^\r\n])*+")'
    r"|(?P<l>\[[^\[\]\\\r\n]*+\])"
    r'|(?P<a>[^\x00-\x20\x7f()<>\[\]:;@\\,."]++)'
    r"|(?P<sign>[<>:;@,.])"
)
_SPEC = r"[aq](?:\.[aq])*+@(?:a(?:\.a)*+|l)"
_MAILBOX = rf"(?:{_SPEC}|(?:[aq][aq.]*+)?<{_SPEC}>)"
_ADDRESS = rf"(?:{_MAILBOX}|[aq][aq.]*+:(?:{_MAILBOX}(?:,{_MAILBOX})*+)?;)"
_MAIL_LIST = re.compile(rf"{_ADDRESS}(?:,{_ADDRESS})*+")

_GENERIC = (is_generic, "letters, digits and . _ : / \\ - only")
_CHECKS: dict[str, tuple[Callable[[str], bool], str]] = {
    "observable-type-ipv4": (is_ipv4, "an IPv4 address such as 192.0.2.1"),
    "observable-type-ipv6": (is_ipv6, "an IPv6 address such as 2001:db8::1"),
    "observable-type-url": (is_url, "an absolute URL such as https://example.org/a"),
    "observable-type-email": (is_mail, "one or more mail addresses such as dana@example.org"),
    "observable-type-domain": (is_domain, "a domain such as example.org"),
}
