"""Routes as values, and which of them an address means.

The raw path is split at `/` before anything is decoded, so `%2F` inside an id does not split it; `//`, `.`, `..` and a
trailing slash are no route. This module knows neither bodies nor errors: what is not found is None.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote_to_bytes

import msgspec

from casebridge.domain.space import DEFAULT_SPACE_ID

if TYPE_CHECKING:
    from casebridge.api.dispatch import Kernel
    from casebridge.services.ground import Asking, Ground

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Dialect = Literal["today", "7.10"]
Handler = Callable[["Call"], Awaitable[Any]]

LEGACY = "7.10"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Disconnected(Exception):
    """The client went away in the middle of its request: there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is more than a body with the route's own status.

    `body` is encoded as JSON, except that None sends no body and bytes or an async iterator of bytes are sent as they
    are; those name their `content-type` in `headers`, whose keys are lower case.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path, all that is checked before its handler runs, and all that is published about it.

    `path` is written as `/api/cases/{case_id}`, without space and dialect. `body`, `query` and `answer` are msgspec
    types (a union for several possible answers). A route without `query` ignores the query string; a query type that
    does not forbid unknown fields ignores unknown keys. `errors` lists the statuses that the route's own rules add to
    those every route may answer, `also` further answers with their types. `upload` leaves the body unread, for the
    handler to take from `call.stream()`; `upload_type` is what is published of it. `credentials`: `optional` routes
    answer an anonymous caller too, who has no `call.asking`; for `none` no header is looked at.
    """

    method: str
    path: str
    handler: Handler
    _: KW_ONLY
    name: str
    summary: str
    tag: str
    body: Any = None
    body_optional: bool = False
    query: type[msgspec.Struct] | None = None
    answer: Any = None
    status: int = 200
    public: bool = True
    dialect: Literal["today", "7.10", "both"] = "today"
    errors: tuple[int, ...] = ()
    also: Mapping[int, Any] = field(default_factory=dict)
    credentials: Literal["required", "optional", "none"] = "required"
    upload: bool = False
    upload_type: str = "multipart/form-data"

    @property
    def is_public(self) -> bool:
        """Whether answers announce the version of the public API."""
        return self.public and not self.path.startswith("/internal/")

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """The dialects this route is part of."""
        if self.dialect == "both":
            return ("today", "7.10")
        return (self.dialect,)


class Call:
    """One request as a handler sees it: authenticated, decoded and validated."""

    __slots__ = (
        "body",
        "caller",
        "dialect",
        "ground",
        "kernel",
        "path",
        "query",
        "raw",
        "receive",
        "request_id",
        "route",
        "scope",
    )

    ground: Ground
    kernel: Kernel
    route: Route
    dialect: Dialect
    path: dict[str, str]
    """Path parameters, percent-decoded once."""
    query: Any
    """The route's query type, or None."""
    body: Any
    """The decoded body; None where an optional one is absent or `null`."""
    raw: bytes
    """The body as it was sent."""
    caller: Asking | None
    """Who asks; None only where a route serves callers without credentials."""
    request_id: str
    scope: Scope
    receive: Receive

    @property
    def asking(self) -> Asking:
        """Who asks, in which space."""
        assert self.caller is not None, "a route that takes anonymous callers must look at `caller`"
        return self.caller

    @property
    def headers(self) -> dict[str, str]:
        """Request headers by lower-case name; of a repeated one the last counts."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.scope["headers"]}

    async def stream(self) -> AsyncIterator[bytes]:
        """The unread body of an `upload` route, piece by piece; Disconnected when the client goes away."""
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            more = message.get("more_body", False)
            yield message.get("body", b"")


@dataclass(frozen=True, slots=True)
class Address:
    """What an address means.

    `is_clean` is false when a part of the path holds NUL or bytes that are not UTF-8; then the space is `default`.
    """

    place: int
    params: dict[str, str]
    space_id: str
    dialect: Dialect
    is_clean: bool = True


class Router:
    """Finds routes by method and raw path, under a base path, in any space and dialect."""

    def __init__(self, routes: Sequence[Route], base_path: str = "") -> None:
        """ValueError when two routes share method, path and dialect."""
        self._base = base_path.rstrip("/")
        self._exact: dict[tuple[str, str], int] = {}
        self._trees: dict[tuple[str, Dialect], _Node] = {}
        for place, route in enumerate(routes):
            for dialect in route.dialects:
                self._add(route, place, dialect)

    def find(self, method: str, path: str) -> Address | None:
        """The address of a raw path, ASCII and without query string; None when there is no such route."""
        if method == "HEAD":
            method = "GET"
        if self._base:
            if not path.startswith(self._base + "/"):
                return None
            path = path[len(self._base) :]
        place = self._exact.get((method, path))
        if place is not None:
            return Address(place, {}, DEFAULT_SPACE_ID, "today")
        segments = path.split("/")
        if segments[0] or "" in segments[1:]:
            return None
        del segments[0]
        is_clean = True
        if "%" in path:
            segments, is_clean = _decoded(segments)
        if "." in segments or ".." in segments:
            return None
        space_id, dialect, segments = _split_prefix(segments)
        if not segments:
            return None
        tree = self._trees.get((method, dialect))
        if tree is None:
            return None
        found: list[str] = []
        leaf = tree.walk(segments, 0, found)
        if leaf is None:
            return None
        place, names = leaf
        if not is_clean:
            space_id = DEFAULT_SPACE_ID
        return Address(place, dict(zip(names, found, strict=True)), space_id, dialect, is_clean)

    def _add(self, route: Route, place: int, dialect: Dialect) -> None:
        segments = route.path.split("/")[1:]
        names = tuple(each[1:-1] for each in segments if each.startswith("{"))
        node = self._trees.setdefault((route.method, dialect), _Node())
        for segment in segments:
            node = node.below(segment)
        if node.leaf is not None:
            raise ValueError(f"two routes for {route.method} {route.path} in dialect {dialect}")
        node.leaf = (place, names)
        if not names and dialect == "today":
            self._exact[route.method, route.path] = place


class _Node:
    """One segment of the tree of paths: literal segments below it, or a parameter; a literal is tried first."""

    __slots__ = ("leaf", "literals", "parameter")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.leaf: tuple[int, tuple[str, ...]] | None = None

    def below(self, segment: str) -> _Node:
        """The node of a segment below this one, made when missing."""
        if not segment.startswith("{"):
            return self.literals.setdefault(segment, _Node())
        if self.parameter is None:
            self.parameter = _Node()
        return self.parameter

    def walk(self, segments: Sequence[str], at: int, found: list[str]) -> tuple[int, tuple[str, ...]] | None:
        """The leaf at the end of these segments, or None; `found` takes the parameters in order."""
        if at == len(segments):
            return self.leaf
        literal = self.literals.get(segments[at])
        if literal is not None:
            leaf = literal.walk(segments, at + 1, found)
            if leaf is not None:
                return leaf
        if self.parameter is None:
            return None
        found.append(segments[at])
        leaf = self.parameter.walk(segments, at + 1, found)
        if leaf is None:
            found.pop()
        return leaf


def _split_prefix(segments: list[str]) -> tuple[str, Dialect, list[str]]:
    """Space, dialect and the rest; a space stands only before `api` and `internal`. No rest: there is no such route."""
    space_id: str | None = None
    dialect: Dialect = "today"
    while segments:
        if segments[0] == LEGACY and dialect == "today":
            dialect, segments = "7.10", segments[1:]
        elif segments[0] == "s" and space_id is None and len(segments) > 2:
            space_id, segments = segments[1], segments[2:]
        else:
            break
    is_prefixed = space_id is not None or dialect == LEGACY
    if is_prefixed and segments and segments[0] not in ("api", "internal"):
        segments = []
    return space_id or DEFAULT_SPACE_ID, dialect, segments


def _decoded(segments: Iterable[str]) -> tuple[list[str], bool]:
    """Each segment percent-decoded once, and whether all of it is text without NUL."""
    texts = [unquote_to_bytes(each).decode("utf-8", "surrogateescape") for each in segments]
    return texts, all("\0" not in each and is_utf8(each) for each in texts)


def is_utf8(text: str) -> bool:
    """Whether a text holds no half of a surrogate pair, and so can be sent and stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
