"""A form out of the fields that a connector type declares, and their values out of a form.

A secret is only ever written: no form shows one, not even one that was typed a moment ago.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.datastructures import FormData

from casebridge.connectors.fields import BoolField, ChoiceField, Field, ObjectField, Unset, UrlField
from casebridge.connectors.webhook import HeadersField
from casebridge.domain.errors import InvalidInput
from casebridge.web.forms import label
from casebridge.web.routing import text


class Control(msgspec.Struct, frozen=True):
    """A field as a form shows it. `kind` is `text`, `url`, `secret`, `long`, `toggle` or `choice`."""

    name: str
    label: str
    kind: str
    value: str
    required: bool
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()


class Group(msgspec.Struct, frozen=True):
    """Controls under one heading, which may be empty."""

    heading: str
    controls: list[Control]


def groups(part: str, fields: Sequence[Field], held: Mapping[str, Any]) -> list[Group]:
    """The controls of `config`, `secrets` or `settings`; labels such as `Create: URL` fall under a heading."""
    made: list[Group] = []
    for field in fields:
        heading, _, own = field.label.rpartition(": ")
        named = own or label(field.name)
        control = _control(part, field, named[:1].upper() + named[1:], held)
        if not made or made[-1].heading != heading:
            made.append(Group(heading, []))
        made[-1].controls.append(control)
    return made


def _control(part: str, field: Field, named: str, held: Mapping[str, Any]) -> Control:
    kind, choices = _kind(field, part), ()
    if isinstance(field, ChoiceField):
        blank = () if field.required or not isinstance(field.default, Unset | None) else (("", "Not set"),)
        choices = (*blank, *((each, label(each.replace("-", " "))) for each in field.choices))
    given = held[field.name] if field.name in held else None if isinstance(field.default, Unset) else field.default
    value = "" if part == "secrets" else _shown(field, given)
    return Control(f"{part}.{field.name}", named, kind, value, field.required, _hint(field), choices)


def _kind(field: Field, part: str) -> str:
    if isinstance(field, BoolField):
        return "toggle"
    if isinstance(field, ChoiceField):
        return "choice"
    if isinstance(field, ObjectField) or field.is_long:
        return "long"
    if field.is_secret:
        return "secret"
    return "url" if isinstance(field, UrlField) else "text"


def _hint(field: Field) -> str:
    if isinstance(field, HeadersField):
        return "One a line, such as X-Team: soc."
    return "A JSON object." if isinstance(field, ObjectField) else ""


def _shown(field: Field, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(field, HeadersField) and isinstance(value, Mapping):
        return "\n".join(f"{name}: {each}" for name, each in value.items())
    if isinstance(value, str):
        return value
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def read(part: str, fields: Sequence[Field], form: FormData) -> dict[str, Any]:
    """The values of a part; what was left empty is left out. InvalidInput for what cannot be read."""
    values: dict[str, Any] = {}
    for field in fields:
        given = text(form, f"{part}.{field.name}")
        if isinstance(field, BoolField):
            values[field.name] = given == "yes"
        elif given.strip():
            values[field.name] = _value(f"{part}.{field.name}", field, given)
    return values


def typed(part: str, fields: Sequence[Field], form: FormData) -> dict[str, Any]:
    """What was typed, to be shown again as it is."""
    return {
        each.name: given == "yes" if isinstance(each, BoolField) else given
        for each in fields
        if (given := text(form, f"{part}.{each.name}")) or isinstance(each, BoolField)
    }


def _value(name: str, field: Field, given: str) -> Any:
    if isinstance(field, HeadersField):
        return _headers(name, given)
    if isinstance(field, ObjectField):
        try:
            return msgspec.json.decode(given)
        except msgspec.DecodeError:
            raise InvalidInput(name, "expected a JSON object.") from None
    return given if field.is_long or field.is_secret else given.strip()


def _headers(name: str, given: str) -> dict[str, str]:
    values = {}
    for line in filter(str.strip, given.split("\n")):
        header, colon, value = line.partition(":")
        if not colon:
            raise InvalidInput(name, "expected a name, a colon and a value on each line.")
        values[header.strip()] = value.strip()
    return values
