"""Request bodies: read up to a limit, refused when odd, decoded into a route's type (contract README 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from casebridge.api.complaints import complaint
from casebridge.api.errors import BodyTooLarge, WrongMediaType
from casebridge.api.routing import Disconnected, Receive
from casebridge.domain.errors import InvalidInput

MOST_DEPTH = 64

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|(?P<open>[\[{])|(?P<close>[\]}])', re.DOTALL)
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_INTEGER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{19,}(?![0-9.eE])")
_CHARSET = re.compile(rb';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)
_JSON = b"application/json"


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], limit_bytes: int) -> bytes:
    """The whole body; BodyTooLarge as soon as it is known to pass the limit, without reading on."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(first) > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        return first
    return await _read_on(receive, first, limit_bytes)


async def _read_on(receive: Receive, first: bytes, limit_bytes: int) -> bytes:
    body = bytearray(first)
    more = True
    while more:
        if len(body) > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if len(body) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    return bytes(body)


def check_media_type(headers: Mapping[bytes, bytes]) -> None:
    """WrongMediaType unless the body says that it is JSON in UTF-8, or says nothing."""
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"", b"identity"):
        raise WrongMediaType(f"A body packed as {encoding.decode('latin-1')} is not read; send it unpacked.")
    given = headers.get(b"content-type")
    if given is None or given == _JSON:
        return
    kind, _, _ = given.partition(b";")
    if kind.strip().lower() != _JSON:
        raise WrongMediaType(f"Expected content-type application/json, given {given[:80].decode('latin-1')}.")
    charset = _CHARSET.search(given)
    if charset and charset[1].lower() not in (b"utf-8", b"utf8"):
        raise WrongMediaType(f"Expected charset UTF-8, given {charset[1][:40].decode('latin-1')}.")


class BodyReader:
    """Decodes bodies of one type."""

    def __init__(self, type_: Any) -> None:
        self._type = type_
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(type_)
        self._is_open = _has_untyped(inspect.type_info(type_))

    def decode(self, raw: bytes) -> Any:
        """The typed value; InvalidInput saying what is wrong with the body."""
        if b"\\u0000" in raw and _NUL.search(raw):
            raise InvalidInput("", "A text in the body holds the character NUL.")
        if self._is_open:
            _check_untyped(raw)
        try:
            return self._decoder.decode(raw)
        except msgspec.ValidationError as error:
            return self._judge(raw, error)
        except msgspec.DecodeError as error:
            raise InvalidInput("", f"The body is not valid JSON: {error}.") from None
        except UnicodeDecodeError:
            raise InvalidInput("", "The body is not UTF-8 text.") from None
        except RecursionError:
            raise InvalidInput("", f"The body is nested deeper than {MOST_DEPTH}.") from None

    def _judge(self, raw: bytes, error: msgspec.ValidationError) -> Any:
        """Look again with repeated keys settled, the last one counting; else tell what is wrong."""
        try:
            sent = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as worse:
            raise InvalidInput("", f"The body is not valid JSON: {worse}.") from None
        try:
            return msgspec.convert(sent, self._type)
        except msgspec.ValidationError as again:
            error = again
        raise complaint(error, self._type, sent)


def _check_untyped(raw: bytes) -> None:
    """What the type cannot rule out where it says `Any`: deep nesting, and integers beyond 64 bits."""
    if raw.count(b"[") + raw.count(b"{") > MOST_DEPTH and _depth(raw) > MOST_DEPTH:
        raise InvalidInput("", f"The body is nested deeper than {MOST_DEPTH}.")
    if _LONG_NUMBER.search(raw):
        for found in _INTEGER.findall(_TEXT.sub(b'""', raw)):
            if len(found) > 20 or not -(2**63) <= int(found) < 2**64:
                raise InvalidInput("", f"The number {found[:24].decode('ascii')} is beyond 64 bits.")


def _depth(raw: bytes) -> int:
    depth = deepest = 0
    for token in _TOKEN.finditer(raw):
        if token["open"]:
            depth += 1
            deepest = max(deepest, depth)
        elif token["close"]:
            depth -= 1
    return deepest


def _has_untyped(type_: inspect.Type, seen: frozenset[type] = frozenset()) -> bool:
    """Whether a type says `Any` anywhere."""
    if isinstance(type_, inspect.AnyType | inspect.RawType):
        return True
    if isinstance(type_, inspect.Metadata):
        return _has_untyped(type_.type, seen)
    if isinstance(type_, inspect.UnionType):
        return any(_has_untyped(each, seen) for each in type_.types)
    if isinstance(type_, inspect.CollectionType | inspect.VarTupleType):
        return _has_untyped(type_.item_type, seen)
    if isinstance(type_, inspect.DictType):
        return _has_untyped(type_.value_type, seen)
    if isinstance(type_, inspect.StructType) and type_.cls not in seen:
        return any(_has_untyped(each.type, seen | {type_.cls}) for each in type_.fields)
    return False
