"""The case configuration of one owner in one space (contract configure.md): connector, closure type, lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from casebridge.domain import limits
from casebridge.domain.connector import MAPPINGS, CaseConnector, MappingRow
from casebridge.domain.custom_field import (
    CustomFieldDefinition,
    CustomFieldValue,
    check_definitions,
    check_types_kept,
    check_value,
    check_values,
)
from casebridge.domain.errors import InvalidInput
from casebridge.domain.observable import BUILT_IN_TYPES
from casebridge.domain.text import check_count, check_key, check_length, repeated
from casebridge.domain.user import User

CLOSE_BY_USER, CLOSE_BY_PUSHING = "close-by-user", "close-by-pushing"


class ObservableType(msgspec.Struct, frozen=True):
    """An additional observable type of an owner."""

    key: str
    label: str


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration as stored. `templates` are kept as sent, keys as on the wire."""

    id: str
    space: str
    owner: str
    connector: CaseConnector
    closure_type: str
    created_at: datetime
    created_by: User
    version: int = 0
    custom_fields: tuple[CustomFieldDefinition, ...] = ()
    templates: tuple[dict[str, Any], ...] = ()
    observable_types: tuple[ObservableType, ...] = ()
    updated_at: datetime | None = None
    updated_by: User | None = None

    @property
    def mappings(self) -> tuple[MappingRow, ...]:
        """The fixed rows of the connector's type."""
        return MAPPINGS[self.connector.type]

    @property
    def closes_by_pushing(self) -> bool:
        return self.closure_type == CLOSE_BY_PUSHING


class ConfigurationChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a PATCH replaces; UNSET parts stay."""

    connector: CaseConnector | UnsetType = UNSET
    closure_type: str | UnsetType = UNSET
    custom_fields: tuple[CustomFieldDefinition, ...] | UnsetType = UNSET
    templates: tuple[dict[str, Any], ...] | UnsetType = UNSET
    observable_types: tuple[ObservableType, ...] | UnsetType = UNSET


def check_configuration(
    custom_fields: Sequence[CustomFieldDefinition],
    templates: Sequence[dict[str, Any]],
    observable_types: Sequence[ObservableType],
) -> None:
    """InvalidInput for a POST whose lists break configure.md 1.3 to 1.5, in the order of section 3."""
    check_template_shapes(templates)
    check_observable_type_shapes(observable_types)
    check_definitions(custom_fields)
    check_templates(templates, custom_fields)
    check_observable_types(observable_types)


def check_template_shapes(templates: Sequence[dict[str, Any]]) -> None:
    """InvalidInput for lengths and counts of templates, whatever the definitions are."""
    check_count("templates", templates, limits.TEMPLATES)
    for place, each in enumerate(templates):
        at = f"templates[{place}]"
        check_key(f"{at}.key", each["key"], limits.TEMPLATE_KEY)
        check_length(f"{at}.name", each["name"], limits.TEMPLATE_NAME)
        if "description" in each:
            check_length(f"{at}.description", each["description"], limits.TEMPLATE_DESCRIPTION, least=0)
        check_count(f"{at}.tags", each.get("tags", ()), limits.TEMPLATE_TAGS)
        for number, tag in enumerate(each.get("tags", ())):
            check_length(f"{at}.tags[{number}]", tag, limits.TEMPLATE_TAG)
        _check_case_fields(f"{at}.caseFields", each["caseFields"] or {})


def _check_case_fields(at: str, fields: dict[str, Any]) -> None:
    for name, most in (("title", limits.TITLE), ("description", limits.DESCRIPTION)):
        if name in fields:
            check_length(f"{at}.{name}", fields[name], most)
    if fields.get("category") is not None:
        check_length(f"{at}.category", fields["category"], limits.CATEGORY)
    check_count(f"{at}.tags", fields.get("tags", ()), limits.TAGS)
    for number, tag in enumerate(fields.get("tags", ())):
        check_length(f"{at}.tags[{number}]", tag, limits.TAG)
    check_count(f"{at}.assignees", fields.get("assignees", ()), limits.ASSIGNEES)
    check_count(f"{at}.customFields", fields.get("customFields", ()), limits.CUSTOM_FIELDS)
    for number, value in enumerate(fields.get("customFields", ())):
        check_value(f"{at}.customFields[{number}].value", value["type"], value["value"])


def check_templates(templates: Sequence[dict[str, Any]], definitions: Sequence[CustomFieldDefinition]) -> None:
    """InvalidInput when keys repeat or custom field values do not fit the definitions in force (configure.md 1.4)."""
    if again := repeated(each["key"] for each in templates):
        raise InvalidInput("templates", f"these keys occur more than once: {', '.join(again)}.")
    for place, each in enumerate(templates):
        field = f"templates[{place}].caseFields.customFields"
        values = _template_values(each)
        if values and not definitions:
            raise InvalidInput(field, "no custom fields are defined for the owner.")
        if definitions and not values:
            raise InvalidInput(field, "the owner has custom fields, so the template needs values for them.")
        check_values(values, definitions, field=field, enforce_required=False)


def _template_values(template: dict[str, Any]) -> list[CustomFieldValue]:
    values = (template["caseFields"] or {}).get("customFields", ())
    return [CustomFieldValue(each["key"], each["type"], each["value"]) for each in values]


def rewritten_template(template: dict[str, Any], definitions: Sequence[CustomFieldDefinition]) -> dict[str, Any]:
    """A sent template as PATCH stores it: values without a definition dropped, missing ones appended."""
    fields = dict(template["caseFields"] or {})
    known = {each.key for each in definitions}
    values = [each for each in fields.get("customFields", ()) if each["key"] in known]
    present = {each["key"] for each in values}
    for each in definitions:
        if each.key not in present:
            empty = False if each.type == "toggle" else None
            value = each.default if each.has_default else empty
            values.append({"key": each.key, "type": each.type, "value": value})
    return {**template, "caseFields": {**fields, "customFields": values}}


def check_observable_type_shapes(types: Sequence[ObservableType]) -> None:
    """InvalidInput for counts and lengths of additional observable types."""
    check_count("observableTypes", types, limits.OBSERVABLE_TYPES)
    for place, each in enumerate(types):
        check_key(f"observableTypes[{place}].key", each.key, limits.OBSERVABLE_TYPE_KEY)
        check_length(f"observableTypes[{place}].label", each.label, limits.OBSERVABLE_TYPE_LABEL)


def check_observable_types(types: Sequence[ObservableType]) -> None:
    """InvalidInput when a key or label repeats, or equals a built-in one, letter case aside (configure.md 1.5)."""
    for name, values, built_in in (
        ("key", [each.key for each in types], BUILT_IN_TYPES.keys()),
        ("label", [each.label for each in types], BUILT_IN_TYPES.values()),
    ):
        taken = {each.casefold() for each in built_in}
        folded = [each.casefold() for each in values]
        if again := [*repeated(folded), *(each for each in folded if each in taken)]:
            raise InvalidInput("observableTypes", f"this {name} is taken already: {', '.join(again)}.")


def observable_labels(configuration: Configuration | None) -> dict[str, str]:
    """`typeKey` -> label of every observable type an owner has: the built-in ones, then its own."""
    own = () if configuration is None else configuration.observable_types
    return BUILT_IN_TYPES | {each.key: each.label for each in own}


def change_configuration(
    stored: Configuration, changes: ConfigurationChanges, *, by: User, at: datetime
) -> Configuration:
    """The configuration after a PATCH; parts not sent stay. InvalidInput in the order of configure.md 4."""
    definitions = stored.custom_fields
    values: dict[str, Any] = {}
    if not isinstance(changes.custom_fields, UnsetType):
        check_types_kept(stored.custom_fields, changes.custom_fields)
        definitions = values["custom_fields"] = changes.custom_fields
    if not isinstance(changes.templates, UnsetType):
        rewritten = tuple(rewritten_template(each, definitions) for each in changes.templates)
        check_templates(rewritten, definitions)
        values["templates"] = rewritten
    if not isinstance(changes.connector, UnsetType):
        values["connector"] = changes.connector.normalised()
    for name in ("closure_type", "observable_types"):
        if getattr(changes, name) is not UNSET:
            values[name] = getattr(changes, name)
    return msgspec.structs.replace(stored, updated_at=at, updated_by=by, **values)
