"""What msgspec found wrong, told to the caller: which key, what was expected, what is allowed there.

msgspec stops at its first finding. Unknown keys are the exception here: all of them are named at once.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import inspect

from casebridge.domain.errors import InvalidInput

_PLACE = re.compile(r"^(?P<said>.*?)(?: - at (?:`key` in )?`(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)
_INVALID = re.compile(r"Invalid (?:enum )?value (?P<value>.*)", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_WORDS = {"str": "text", "int": "integer", "float": "number", "bool": "boolean", "array": "list"}
_MOST_UNKNOWN = 20
_LONGEST_KEY = 200


def complaint(error: msgspec.ValidationError, type_: Any, sent: Any) -> InvalidInput:
    """The refusal for a value that is not of a type; `sent` is the value as plain dicts and lists."""
    said, path = _parts(error)
    if _UNKNOWN.fullmatch(said):
        names = _unknown_keys(error, type_, sent)
        return InvalidInput(", ".join(names), "unknown key; this request does not take it.")
    missing = _MISSING.fullmatch(said)
    if missing:
        return InvalidInput(_key(path, missing["name"]), "is required, but missing.")
    invalid = _INVALID.fullmatch(said)
    if invalid:
        allowed = _allowed(inspect.type_info(type_), _steps(path))
        expected = f"; expected one of {', '.join(allowed)}" if allowed else ""
        return InvalidInput(_key(path), f"{invalid['value'][:80]} is not allowed here{expected}.")
    reason = re.sub(r"`(\w+)`", lambda found: _WORDS.get(found[1], found[1]), said)
    return InvalidInput(_key(path), f"{reason[:1].lower()}{reason[1:]}.")


def _parts(error: Exception) -> tuple[str, str]:
    found = _PLACE.match(str(error))
    assert found is not None
    return found["said"], found["path"] or "$"


def _key(path: str, name: str = "") -> str:
    """A path as a caller would write it: `connector.fields`, `cases[0].title`."""
    steps = path.removeprefix("$")
    return f"{steps}.{name}".strip(".") if name else steps.strip(".")


def _steps(path: str) -> list[str | int]:
    return [name or int(index) for name, index in _STEP.findall(path)]


def _unknown_keys(error: msgspec.ValidationError, type_: Any, sent: Any) -> list[str]:
    """Every unknown key, found by taking each out in turn. `sent` is used up."""
    names: list[str] = []
    while len(names) < _MOST_UNKNOWN:
        said, path = _parts(error)
        unknown = _UNKNOWN.fullmatch(said)
        if unknown is None:
            break
        names.append(_key(path, unknown["name"])[:_LONGEST_KEY])
        if not _take_out(sent, _steps(path), unknown["name"]):
            break
        try:
            msgspec.convert(sent, type_)
        except msgspec.ValidationError as next_error:
            error = next_error
        else:
            break
    return names


def _take_out(sent: Any, steps: list[str | int], name: str) -> bool:
    try:
        for step in steps:
            sent = sent[step]
        del sent[name]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _allowed(type_: inspect.Type, steps: list[str | int]) -> list[str]:
    """The closed list of words at the end of these steps, in alphabetical order, if there is one."""
    if isinstance(type_, inspect.Metadata):
        return _allowed(type_.type, steps)
    if isinstance(type_, inspect.UnionType):
        return [word for each in type_.types for word in _allowed(each, steps)]
    if not steps:
        return _words(type_)
    if isinstance(type_, inspect.StructType):
        if steps == [type_.tag_field]:
            return [str(type_.tag)]
        below = next((each.type for each in type_.fields if each.encode_name == steps[0]), None)
        return [] if below is None else _allowed(below, steps[1:])
    if isinstance(type_, inspect.CollectionType | inspect.VarTupleType):
        return _allowed(type_.item_type, steps[1:])
    return []


def _words(type_: inspect.Type) -> list[str]:
    if isinstance(type_, inspect.LiteralType):
        return [str(value) for value in type_.values]
    if isinstance(type_, inspect.EnumType):
        return [str(member.value) for member in type_.cls]
    return []
