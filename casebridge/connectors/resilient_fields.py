"""Fields of a Resilient incident: what is sent, and the forms their values take on the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

ADDITIONAL_FIELDS = 50
NAME = 1_000
BUILT_IN = {
    "name": "text",
    "description": "textarea",
    "incident_type_ids": "multiselect",
    "severity_code": "select",
}
"""The fields a push sets itself, with their input types."""
SET_BY_US = frozenset({*BUILT_IN, "discovered_date"})
_INNER_KEYS = {
    "text": "text",
    "textarea": "textarea",
    "select": "id",
    "multiselect": "ids",
    "datepicker": "date",
    "datetimepicker": "date",
    "boolean": "boolean",
    "number": "object",
}
"""Input type -> the key of its value in a change."""


class ResilientIncident(
    msgspec.Struct,
    forbid_unknown_fields=True,
    rename={"incident_types": "incidentTypes", "severity_code": "severityCode", "additional": "additionalFields"},
):
    """What is sent to Resilient. Ids are numbers afterwards, and `additionalFields` is an object, whatever it came as.

    A push from a case calls the last one `additional_fields`.
    """

    name: str
    description: str | None = None
    incident_types: list[int | str] | None = None
    severity_code: int | str | None = None
    additional: dict[str, Any] | str | None = None
    additional_fields: dict[str, Any] | str | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("name: must not be blank.")
        if self.incident_types is not None:
            self.incident_types = [_number("incidentTypes", each) for each in self.incident_types]
        if self.severity_code is not None:
            blank = isinstance(self.severity_code, str) and not self.severity_code.strip()
            self.severity_code = None if blank else _number("severityCode", self.severity_code)
        given = {**(_parsed(self.additional) or {}), **(_parsed(self.additional_fields) or {})}
        if len(given) > ADDITIONAL_FIELDS:
            raise ValueError(f"additionalFields: at most {ADDITIONAL_FIELDS} keys are allowed, given {len(given)}.")
        if repeated := sorted(given.keys() & SET_BY_US):
            raise ValueError(f"additionalFields: {', '.join(repeated)} must not be repeated here.")
        self.additional, self.additional_fields = given or None, None


def _number(name: str, given: int | str) -> int:
    if isinstance(given, str) and not re.fullmatch(r"\s*\d{1,15}\s*", given):
        raise ValueError(f"{name}: expected the number of a choice, given {given[:80]!r}.")
    return int(given)


def _parsed(given: dict[str, Any] | str | None) -> dict[str, Any] | None:
    if not isinstance(given, str):
        return given
    if not given.strip():
        return None
    try:
        return msgspec.json.decode(given, type=dict[str, Any] | None)
    except ValueError:
        raise ValueError("additionalFields: expected an object, or the JSON text of one.") from None


class BadField(ValueError):
    """An additional field cannot be sent; the text names it and says why."""


def checked_fields(given: Mapping[str, Any], metadata: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Additional fields with their values in the forms of their types, nulls left out. Raises BadField.

    `metadata` are the fields the organisation has, by name.
    """
    checked: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        field = metadata.get(name)
        if field is None:
            raise BadField(f"additionalFields: the incident has no field {name[:80]!r}")
        if field.get("read_only") is True:
            raise BadField(f"additionalFields: the field {name!r} can only be read")
        checked[name] = _checked(name, value, field)
    return checked


def _checked(name: str, value: Any, field: Mapping[str, Any]) -> Any:
    kind = field.get("input_type")
    if kind == "select":
        return _choice(name, value, field)
    if kind == "multiselect":
        return [_choice(name, each, field) for each in (value if isinstance(value, list) else [value])]
    if kind == "textarea" and isinstance(value, str):
        return {"format": "text", "content": value}
    return value


def _choice(name: str, value: Any, field: Mapping[str, Any]) -> Any:
    """The value of a select as the system has it; its number may come as text."""
    choices = [each.get("value") for each in field.get("values") or ()]
    plain = value.get("id") if isinstance(value, dict) else value
    for each in choices:
        if type(plain) in (int, str) and str(each) == str(plain):
            return each
    known = ", ".join(str(each) for each in choices[:20]) or "none"
    raise BadField(f"additionalFields: the field {name!r} has no choice {str(plain)[:80]!r}; expected one of {known}")


def held(record: Mapping[str, Any], name: str) -> Any:
    """What an incident holds in a field, wherever it keeps it."""
    properties = record.get("properties")
    if name in record or not isinstance(properties, dict):
        return record.get(name)
    return properties.get(name)


def change_of(name: str, input_type: str, old: Any, new: Any) -> dict[str, Any]:
    """One change of a PATCH: `old` must be what the incident holds now."""
    return {
        "field": {"name": name},
        "old_value": _wrapped(input_type, old),
        "new_value": _wrapped(input_type, new),
    }


def _wrapped(input_type: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    return {_INNER_KEYS.get(input_type, "object"): plain_ids(input_type, value)}


def plain_ids(input_type: str, value: Any) -> Any:
    """Selects by their numbers alone, as an incident shows them or as `{"id": …}`."""
    if input_type == "multiselect" and isinstance(value, list):
        return [each.get("id") if isinstance(each, dict) else each for each in value]
    if input_type == "select" and isinstance(value, dict):
        return value.get("id")
    return value
