"""Custom fields: definitions in a configuration, values in a case, and the rules between them (cases.md 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from casebridge.domain import limits
from casebridge.domain.errors import InvalidInput
from casebridge.domain.text import check_count, check_key, check_length, repeated

FieldType = Literal["text", "toggle", "number"]
FieldValue = str | bool | int | None


class CustomFieldDefinition(msgspec.Struct, frozen=True):
    """A definition as stored: `default` is UNSET when none was sent, which differs from a sent null."""

    key: str
    label: str
    type: FieldType
    required: bool
    default: FieldValue | UnsetType = UNSET

    @property
    def has_default(self) -> bool:
        return self.default is not UNSET and self.default is not None


class CustomFieldValue(msgspec.Struct, frozen=True):
    """One value of a case; `value` fits `type` or is None."""

    key: str
    type: FieldType
    value: FieldValue


def check_definitions(definitions: Sequence[CustomFieldDefinition]) -> None:
    """InvalidInput for definitions that break configure.md 1.3."""
    check_count("customFields", definitions, limits.CUSTOM_FIELDS)
    for place, each in enumerate(definitions):
        at = f"customFields[{place}]"
        check_key(f"{at}.key", each.key, limits.CUSTOM_FIELD_KEY)
        check_length(f"{at}.label", each.label, limits.CUSTOM_FIELD_LABEL)
        if each.default is not UNSET:
            check_value(f"{at}.defaultValue", each.type, each.default)
    if again := repeated(each.key for each in definitions):
        raise InvalidInput("customFields", f"these keys occur more than once: {', '.join(again)}.")


def check_types_kept(stored: Sequence[CustomFieldDefinition], sent: Sequence[CustomFieldDefinition]) -> None:
    """InvalidInput when a key that is already defined would get another type."""
    types = {each.key: each.type for each in stored}
    changed = [each.key for each in sent if types.get(each.key, each.type) != each.type]
    if changed:
        raise InvalidInput("customFields", f"the type of an existing key cannot change: {', '.join(changed)}.")


def check_value(field: str, type_: str, value: FieldValue | UnsetType) -> None:
    """InvalidInput unless `value` is None or fits the type: text 1-160, boolean, or a whole number within ±(2^53-1)."""
    if value is None:
        return
    if type_ == "text":
        if not isinstance(value, str):
            raise InvalidInput(field, "expected a text or null.")
        check_length(field, value, limits.CUSTOM_FIELD_TEXT)
    elif type_ == "toggle":
        if not isinstance(value, bool):
            raise InvalidInput(field, "expected true, false or null.")
    elif isinstance(value, bool) or not isinstance(value, int) or abs(value) > limits.NUMBER:
        raise InvalidInput(field, f"expected a whole number within ±{limits.NUMBER} or null.")


def check_values(
    values: Sequence[CustomFieldValue],
    definitions: Sequence[CustomFieldDefinition],
    *,
    field: str = "customFields",
    enforce_required: bool = True,
) -> None:
    """InvalidInput for values that do not fit the definitions, in the order of cases.md 5."""
    if again := repeated(each.key for each in values):
        raise InvalidInput(field, f"these keys occur more than once: {', '.join(again)}.")
    known = {each.key: each for each in definitions}
    if unknown := [each.key for each in values if each.key not in known]:
        raise InvalidInput(field, f"these keys are not defined for the owner: {', '.join(unknown)}.")
    if enforce_required:
        _check_required(values, definitions, field)
    for each in values:
        if each.type != known[each.key].type:
            raise InvalidInput(field, f"{each.key} has the type {known[each.key].type}, not {each.type}.")


def _check_required(
    values: Sequence[CustomFieldValue], definitions: Sequence[CustomFieldDefinition], field: str
) -> None:
    sent = {each.key: each.value for each in values}
    required = [each for each in definitions if each.required]
    if missing := [each.key for each in required if each.key not in sent and not each.has_default]:
        raise InvalidInput(field, f"required and without a default value: {', '.join(missing)}.")
    if empty := [each.key for each in required if each.key in sent and sent[each.key] is None]:
        raise InvalidInput(field, f"required, so null is not allowed: {', '.join(empty)}.")


def check_toggles(keys: Sequence[str], definitions: Sequence[CustomFieldDefinition], owner: str) -> None:
    """InvalidInput unless each of these keys is a toggle of the owner: what cases may be filtered by (find.md 2)."""
    if not definitions:
        raise InvalidInput("customFields", f"the owner {owner} has no custom fields.")
    types = {each.key: each.type for each in definitions}
    if unknown := [key for key in keys if key not in types]:
        raise InvalidInput("customFields", f"these keys are not defined for the owner: {', '.join(unknown)}.")
    if others := [f"{key} ({types[key]})" for key in keys if types[key] != "toggle"]:
        raise InvalidInput("customFields", f"only toggles can be filtered by, given {', '.join(others)}.")


def fill(
    values: Sequence[CustomFieldValue], definitions: Sequence[CustomFieldDefinition]
) -> tuple[CustomFieldValue, ...]:
    """The sent values first, then one for every definition not sent: its default, else null if optional."""
    sent = {each.key for each in values}
    filled = list(values)
    for each in definitions:
        if each.key in sent:
            continue
        if each.has_default:
            assert not isinstance(each.default, UnsetType)
            filled.append(CustomFieldValue(each.key, each.type, each.default))
        elif not each.required:
            filled.append(CustomFieldValue(each.key, each.type, None))
    return tuple(filled)


def with_value(
    values: Sequence[CustomFieldValue], definitions: Sequence[CustomFieldDefinition], key: str, value: FieldValue
) -> tuple[CustomFieldValue, ...]:
    """The values with one of them set and moved to the front; nothing is filled in (cases.md 5.1).

    InvalidInput, in this order: the key is not defined, null for a required field, not a value of the field's type.
    """
    definition = next((each for each in definitions if each.key == key), None)
    if definition is None:
        raise InvalidInput("custom_field_id", f"this key is not defined for the owner: {key}.")
    if value is None and definition.required:
        raise InvalidInput("value", f"{key} is required, so null is not allowed.")
    check_value("value", definition.type, value)
    return (CustomFieldValue(key, definition.type, value), *(each for each in values if each.key != key))


def changed_values(old: Sequence[CustomFieldValue], new: Sequence[CustomFieldValue]) -> list[CustomFieldValue]:
    """The new values that leave an activity entry: changed ones, and new ones that are not null (activity.md 3)."""
    stored = {each.key: each.value for each in old}
    return [
        each
        for each in new
        if (each.key in stored and not same_value(stored[each.key], each.value))
        or (each.key not in stored and each.value is not None)
    ]


def same_value(one: FieldValue, other: FieldValue) -> bool:
    """Equal in kind too: 1 is not true."""
    return type(one) is type(other) and one == other
