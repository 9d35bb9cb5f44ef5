"""The fields of the simulated Resilient, the values they take, and the conditions of its queries."""

from __future__ import annotations

from typing import Any


class BadValue(ValueError):
    """A value or condition that the rules turn down."""


def _field(name: str, input_type: str, **more: Any) -> dict[str, Any]:
    usual = {"text": name.replace("_", " ").capitalize(), "prefix": None, "read_only": False, "required": None}
    return {"name": name, "input_type": input_type, **usual, "values": [], **more}


def _values(**labels: str) -> list[dict[str, Any]]:
    rows = [(int(number.lstrip("_")), label) for number, label in labels.items()]
    return [
        {"value": number, "label": label, "enabled": True, "hidden": False, "default": False} for number, label in rows
    ]


FIELDS: tuple[dict[str, Any], ...] = (
    _field("name", "text", required="always"),
    _field("description", "textarea"),
    _field("discovered_date", "datetimepicker", required="always"),
    _field(
        "incident_type_ids",
        "multiselect",
        values=_values(_1001="Phishing", _1002="Malware", _1003="System intrusion", _1004="Lost or stolen device"),
    ),
    _field("severity_code", "select", values=_values(_4="Low", _5="Medium", _6="High")),
    _field("city", "text"),
    _field("create_date", "datetimepicker", read_only=True),
    _field("inc_last_modified_date", "datetimepicker", read_only=True),
    _field("resolution_id", "select", required="close", values=_values(_9="Unresolved", _10="Resolved")),
    _field("case_ref", "text", prefix="properties"),
    _field("zone", "select", prefix="properties", values=_values(_31="DMZ", _32="Office")),
    _field("tools", "multiselect", prefix="properties", values=_values(_41="EDR", _42="SIEM")),
    _field("hosts", "number", prefix="properties"),
    _field("confirmed", "boolean", prefix="properties"),
    _field("seen_on", "datepicker", prefix="properties"),
    _field("notes", "textarea", prefix="properties"),
)
BUILT_IN = tuple(each["name"] for each in FIELDS if each["prefix"] is None)
_INNER_KEYS = {
    "text": "text", "textarea": "textarea", "select": "id", "multiselect": "ids", "datepicker": "date",
    "datetimepicker": "date", "boolean": "boolean", "number": "object",
}  # fmt: skip


def column(name: str) -> dict[str, Any] | None:
    """A field by its name."""
    return next((each for each in FIELDS if each["name"] == name), None)


def plain(field: dict[str, Any], value: Any) -> Any:
    """A value as it is kept: selects by number, texts with their format, HTML in a frame. Raises BadValue."""
    kind, name = field["input_type"], field["name"]
    if value is None:
        return None
    if kind == "multiselect":
        if not isinstance(value, list):
            raise BadValue(f"The field {name} takes a list.")
        return [_choice(field, each) for each in value]
    if kind == "select":
        return _choice(field, value)
    if kind == "textarea":
        return _framed(name, value)
    types: dict[str, Any] = {
        "text": str, "number": int | float, "boolean": bool, "datepicker": int, "datetimepicker": int,
    }  # fmt: skip
    wrong = not isinstance(value, types[kind]) or (kind != "boolean" and isinstance(value, bool))
    if wrong or (kind == "text" and len(value) > 1_000) or (kind.startswith("date") and value < 10**11):
        raise BadValue(f"The value of {name} is not valid.")
    return value


def _choice(field: dict[str, Any], value: Any) -> int:
    number: Any = value.get("id") if isinstance(value, dict) else value
    if isinstance(number, bool) or not any(each["value"] == number for each in field["values"]):
        raise BadValue(f"The field {field['name']} has no value {number!r}.")
    return int(number)


def _framed(name: str, value: Any) -> dict[str, Any]:
    """A text with its format; HTML is put into a frame, as the server does."""
    given = {"format": "html", "content": value} if isinstance(value, str) else value
    if not isinstance(given, dict) or not isinstance(given.get("content"), str):
        raise BadValue(f"The field {name} takes a text.")
    content, form = given["content"], given.get("format") or "html"
    if form == "html" and not content.startswith('<div class="rte">'):
        content = f'<div class="rte">{content}</div>'
    return {"format": form, "content": content}


def to_plain(field: dict[str, Any], wrapped: Any) -> Any:
    """The value in one side of a change, such as `{"id": 4}`; nothing in it is no value. Raises BadValue."""
    if not isinstance(wrapped, dict):
        raise BadValue("expected an object")
    key = _INNER_KEYS[field["input_type"]]
    if odd := sorted(wrapped.keys() - {key}):
        raise BadValue(f"{', '.join(odd)} does not go with a field of type {field['input_type']}")
    return plain(field, wrapped.get(key))


def matches(incident: dict[str, Any], condition: dict[str, Any]) -> bool:
    """Whether an incident meets one condition of a query. Raises BadValue."""
    name, method, value = condition.get("field_name"), condition.get("method"), condition.get("value")
    short = str(name).removeprefix("properties.")
    field = column(short)
    if field is None and short != "id":
        raise BadValue(f"There is no field {name!r} to search by.")
    held = incident["properties"].get(short) if field and field["prefix"] else incident.get(short)
    test = _METHODS.get(str(method))
    if test is None:
        raise BadValue(f"There is no method {method!r}.")
    return bool(test(held, value))


_METHODS: dict[str, Any] = {
    "equals": lambda held, value: held == value,
    "not_equals": lambda held, value: held != value,
    "contains": lambda held, value: str(value).lower() in str(held or "").lower(),
    "in": lambda held, value: held in value,
    "gte": lambda held, value: held is not None and held >= value,
    "gt": lambda held, value: held is not None and held > value,
    "lte": lambda held, value: held is not None and held <= value,
    "lt": lambda held, value: held is not None and held < value,
    "has_a_value": lambda held, value: held is not None,
    "does_not_have_a_value": lambda held, value: held is None,
}
