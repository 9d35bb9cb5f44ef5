"""Query strings read into a route's query type (contract README 9): text in, typed values out, nothing coerced.

Numbers are integer text, booleans `true` and `false`, a list is a repeated key and an empty value the empty string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import inspect

from casebridge.api.complaints import complaint
from casebridge.domain.errors import InvalidInput
from casebridge.wire.base import JsonList

__all__ = ["IGNORED", "JsonList", "QueryReader", "query_kind", "split_query"]

IGNORED = frozenset({"apiVersion", "elasticInternalOrigin"})
"""Stripped before anything is checked, on every route."""

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_BOOLEANS = {"true": True, "false": False}
_strings = msgspec.json.Decoder(list[str])


class QueryReader:
    """Reads query strings into one Struct type.

    Keys it does not have are refused if the type forbids unknown fields, unless the caller is `lenient`.
    """

    def __init__(self, type_: type[msgspec.Struct]) -> None:
        self._type = type_
        self._is_strict = type_.__struct_config__.forbid_unknown_fields
        self._readers = {each.encode_name: _reader(each.encode_name, each.type) for each in _fields(type_)}

    def read(self, pairs: Iterable[tuple[str, str]], *, lenient: bool) -> Any:
        """The typed values of these pairs; InvalidInput naming the first key that breaks a rule."""
        given: dict[str, list[str]] = {}
        for key, value in pairs:
            given.setdefault(key, []).append(value)
        if self._is_strict and not lenient:
            self._refuse_unknown(given)
        values = {key: read(given[key]) for key, read in self._readers.items() if key in given}
        try:
            return msgspec.convert(values, self._type)
        except msgspec.ValidationError as error:
            raise complaint(error, self._type, values) from None

    def _refuse_unknown(self, given: Iterable[str]) -> None:
        unknown = [key for key in given if key not in self._readers]
        if unknown:
            known = ", ".join(sorted(self._readers)) or "none"
            raise InvalidInput(", ".join(unknown), f"unknown query parameter; this route knows {known}.")


def split_query(query_string: bytes) -> list[tuple[str, str]]:
    """Decoded pairs in order, without the ignored keys; InvalidInput for bytes that are not UTF-8, and for NUL."""
    pairs = []
    for piece in query_string.split(b"&"):
        if piece:
            key, _, value = piece.partition(b"=")
            name = _text(key)
            if name not in IGNORED:
                pairs.append((name, _text(value)))
    return pairs


def _text(part: bytes) -> str:
    try:
        text = unquote_to_bytes(part.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise InvalidInput("", "The query string is not UTF-8 text.") from None
    if "\0" in text:
        raise InvalidInput("", "The query string holds the character NUL.")
    return text


def query_kind(type_: inspect.Type) -> tuple[Literal["one", "list", "json"], inspect.Type]:
    """How a query field is spelled, and the type of one value, without null and absence."""
    if isinstance(type_, inspect.Metadata):
        if type_.extra and type_.extra.get("query") == "json":
            return "json", inspect.StrType()
        return query_kind(type_.type)
    if isinstance(type_, inspect.UnionType):
        rest = [each for each in type_.types if not isinstance(each, inspect.NoneType) and not _is_unset(each)]
        if len(rest) == 1:
            return query_kind(rest[0])
    if isinstance(type_, inspect.CollectionType):
        return "list", query_kind(type_.item_type)[1]
    if isinstance(type_, inspect.VarTupleType):
        return "list", query_kind(type_.item_type)[1]
    return "one", type_


def _is_unset(type_: inspect.Type) -> bool:
    return isinstance(type_, inspect.CustomType) and type_.cls is msgspec.UnsetType


def _fields(type_: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(type_)
    assert isinstance(info, inspect.StructType)
    return info.fields


def _reader(key: str, type_: inspect.Type) -> Callable[[list[str]], Any]:
    kind, item = query_kind(type_)
    parse = _parser(key, item)
    if kind == "json":
        return lambda texts: _json_list(key, texts)
    if kind == "list":
        return lambda texts: [parse(text) for text in texts]

    def one(texts: list[str]) -> Any:
        if len(texts) > 1:
            raise InvalidInput(key, f"expected one value, given {len(texts)}.")
        return parse(texts[0])

    return one


def _parser(key: str, type_: inspect.Type) -> Callable[[str], Any]:
    if isinstance(type_, inspect.IntType):
        return lambda text: _integer(key, text)
    if isinstance(type_, inspect.BoolType):
        return lambda text: _boolean(key, text)
    if isinstance(type_, inspect.StrType | inspect.LiteralType | inspect.EnumType):
        return lambda text: text
    raise TypeError(f"query parameter {key}: there is no rule to read {type_!r} from text")


def _integer(key: str, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise InvalidInput(key, f"expected an integer, given {text[:40]!r}.")
    return int(text)


def _boolean(key: str, text: str) -> bool:
    if text not in _BOOLEANS:
        raise InvalidInput(key, f"expected true or false, given {text[:40]!r}.")
    return _BOOLEANS[text]


def _json_list(key: str, texts: list[str]) -> list[str]:
    if len(texts) > 1:
        return texts
    try:
        values = _strings.decode(texts[0])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput(key, f'expected a JSON list of texts such as ["a","b"], given {texts[0][:80]!r}.') from None
    if any("\0" in value for value in values):
        raise InvalidInput(key, "a text holds the character NUL.")
    return values
