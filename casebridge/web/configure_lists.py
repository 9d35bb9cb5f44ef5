"""The lists of an owner's configuration, edited one entry at a time: custom fields, templates, observable types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, cast

import msgspec
from msgspec import UNSET
from starlette.datastructures import FormData
from starlette.responses import Response

from casebridge.domain import limits
from casebridge.domain.configuration import Configuration, ConfigurationChanges, ObservableType
from casebridge.domain.custom_field import CustomFieldDefinition
from casebridge.domain.errors import Forbidden, InvalidInput, NotFound, Refused
from casebridge.domain.version import version_text
from casebridge.web.configure import FIELD_TYPES, PATH, address, change, chosen_owner, may_change, stored
from casebridge.web.forms import SHOWN_AGAIN, entries, key_for, status_of
from casebridge.web.routing import Page, Visit, text

Values = dict[str, str]


class Kind(msgspec.Struct, frozen=True):
    """One of the lists: how its entries are called, kept, shown in a form, and read from one."""

    path: str
    noun: str
    list: str
    template: str
    most_key: int
    shown: Callable[[Any], Values]
    read: Callable[[FormData, str, Configuration | None], Any]


def _held(configuration: Configuration | None, kind: Kind) -> tuple[Any, ...]:
    return () if configuration is None else cast("tuple[Any, ...]", getattr(configuration, kind.list))


def _key(entry: Any) -> str:
    return str(entry["key"] if isinstance(entry, Mapping) else entry.key)


def _named(entry: Any) -> str:
    return str(entry["name"] if isinstance(entry, Mapping) else entry.label)


def _find(entries_: Sequence[Any], key: str) -> Any:
    found = next((each for each in entries_ if _key(each) == key), None)
    if found is None:
        raise NotFound("cases-configure", key)
    return found


# Custom fields


def _show_field(field: CustomFieldDefinition | None) -> Values:
    if field is None:
        return {"label": "", "type": "text", "required": "", "default": ""}
    value = field.default if field.has_default else ""
    shown = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return {
        "label": field.label,
        "type": field.type,
        "required": "yes" if field.required else "",
        "default": shown,
    }


def _read_field(form: FormData, key: str, configuration: Configuration | None) -> CustomFieldDefinition:
    kind = text(form, "type")
    if kind not in FIELD_TYPES:
        raise InvalidInput("type", f"expected one of {', '.join(FIELD_TYPES)}.")
    typed = cast("Literal['text', 'toggle', 'number']", kind)
    default = value_of(typed, text(form, "default"))
    required = text(form, "required") == "yes"
    return CustomFieldDefinition(
        key, text(form, "label").strip(), typed, required, UNSET if default is None else default
    )


def value_of(kind: str, given: str) -> str | int | bool | None:
    """The value of a custom field as a form has it; None for an empty one. InvalidInput for what does not fit."""
    given = given.strip()
    if not given:
        return None
    if kind == "toggle":
        if given not in ("yes", "no"):
            raise InvalidInput("value", "expected yes or no.")
        return given == "yes"
    if kind == "number":
        try:
            return int(given)
        except ValueError:
            raise InvalidInput("value", f"expected a whole number, given {given[:40]!r}.") from None
    return given


# Templates


def _show_template(template: Mapping[str, Any] | None) -> Values:
    template = template or {"name": ""}
    fields = template.get("caseFields") or {}
    shown = {
        "name": template["name"],
        "description": template.get("description", ""),
        "tags": ", ".join(template.get("tags", ())),
        "case.title": fields.get("title", ""),
        "case.description": fields.get("description", ""),
        "case.severity": fields.get("severity", ""),
        "case.category": fields.get("category") or "",
        "case.tags": ", ".join(fields.get("tags", ())),
        "case.assignees": ", ".join(each["uid"] for each in fields.get("assignees", ())),
    }
    for each in fields.get("customFields", ()):
        value = each["value"]
        shown[f"custom.{each['key']}"] = (
            ("yes" if value else "no") if isinstance(value, bool) else "" if value is None else str(value)
        )
    return shown


def _read_template(form: FormData, key: str, configuration: Configuration | None) -> dict[str, Any]:
    held = () if configuration is None else configuration.templates
    old: Mapping[str, Any] = next((each for each in held if each["key"] == key), {})
    # What this form does not show, such as a connector, stays as it was.
    fields = dict(old.get("caseFields") or {})
    for name in ("title", "description", "severity", "category"):
        fields.pop(name, None)
        if given := text(form, f"case.{name}").strip():
            fields[name] = given
    if fields.get("severity", "low") not in ("low", "medium", "high", "critical"):
        raise InvalidInput("severity", "expected one of low, medium, high, critical.")
    fields["tags"] = entries(text(form, "case.tags"))
    fields["assignees"] = [{"uid": each} for each in entries(text(form, "case.assignees"))]
    definitions = () if configuration is None else configuration.custom_fields
    if definitions:
        fields["customFields"] = [
            {"key": each.key, "type": each.type, "value": value_of(each.type, text(form, f"custom.{each.key}"))}
            for each in definitions
        ]
    made = {"key": key, "name": text(form, "name").strip(), "caseFields": fields}
    if about := text(form, "description").strip():
        made["description"] = about
    if tags := entries(text(form, "tags")):
        made["tags"] = tags
    return made


# Observable types


def _show_type(type_: ObservableType | None) -> Values:
    return {"label": "" if type_ is None else type_.label}


def _read_type(form: FormData, key: str, configuration: Configuration | None) -> ObservableType:
    return ObservableType(key, text(form, "label").strip())


KINDS = (
    Kind(
        "/fields", "custom field", "custom_fields", "configure_field.html",
        limits.CUSTOM_FIELD_KEY, _show_field, _read_field,
    ),
    Kind(
        "/templates", "template", "templates", "configure_template.html",
        limits.TEMPLATE_KEY, _show_template, _read_template,
    ),
    Kind(
        "/types", "observable type", "observable_types", "configure_type.html",
        limits.OBSERVABLE_TYPE_KEY, _show_type, _read_type,
    ),
)  # fmt: skip


def _changes(kind: Kind, list_: Sequence[Any], configuration: Configuration | None) -> ConfigurationChanges:
    given: dict[str, Any] = {kind.list: tuple(list_)}
    if kind.list == "custom_fields" and configuration is not None and configuration.templates:
        # Templates follow the definitions: values of a field that is gone go too.
        given["templates"] = configuration.templates
    return ConfigurationChanges(**given)


def _form_page(
    visit: Visit,
    kind: Kind,
    owner: str,
    configuration: Configuration | None,
    key: str,
    shown: Values,
    version: str,
    fault: Refused | None = None,
) -> Response:
    entry = None if not key else next((each for each in _held(configuration, kind) if _key(each) == key), None)
    return visit.render(
        kind.template,
        status=200 if fault is None else status_of(fault),
        kind=kind,
        owner=owner,
        key=key,
        entry_name="" if entry is None else _named(entry),
        shown=shown,
        version=version,
        fault=fault,
        address=address,
        action=visit.url(PATH + kind.path),
        field_types=FIELD_TYPES,
        definitions=() if configuration is None else configuration.custom_fields,
        connector=None if not isinstance(entry, Mapping) else (entry["caseFields"] or {}).get("connector"),
    )


def _require(visit: Visit, owner: str) -> None:
    if not may_change(visit, owner):
        raise Forbidden("updateConfiguration", [owner], what="update configuration")


def _shower(kind: Kind) -> Callable[[Visit], Awaitable[Response]]:
    async def show(visit: Visit) -> Response:
        owner, key = chosen_owner(visit, visit.query.one("owner")), visit.query.one("key")
        _require(visit, owner)
        configuration = await stored(visit, owner)
        entry = _find(_held(configuration, kind), key) if key else None
        version = "" if configuration is None else version_text(configuration.version)
        return _form_page(visit, kind, owner, configuration, key, kind.shown(entry), version)

    return show


def _saver(kind: Kind) -> Callable[[Visit], Awaitable[Response]]:
    async def save(visit: Visit) -> Response:
        form = await visit.form()
        owner, key = chosen_owner(visit, text(form, "owner")), text(form, "key")
        _require(visit, owner)
        configuration = await stored(visit, owner)
        held = list(_held(configuration, kind))
        version = text(form, "version")
        try:
            if key:
                _find(held, key)
            if key and text(form, "delete"):
                wanted = [each for each in held if _key(each) != key]
            else:
                wanted = _with(kind, form, key, held, configuration, visit)
            await change(visit, owner, version, _changes(kind, wanted, configuration))
        except SHOWN_AGAIN as fault:
            typed = {name: value for name, value in form.items() if isinstance(value, str)}
            shown = {**dict.fromkeys(kind.shown(None), ""), **typed}
            return _form_page(visit, kind, owner, configuration, key, shown, version, fault)
        told = f"The {kind.noun} was {'deleted' if text(form, 'delete') else 'saved'}."
        return visit.redirect(address(visit, owner), told)

    return save


def _with(
    kind: Kind, form: FormData, key: str, held: list[Any], configuration: Configuration | None, visit: Visit
) -> list[Any]:
    """The list with one entry in the place it has, or a new one last."""
    if not key:
        name = text(form, "label") or text(form, "name")
        key = key_for(name, {_key(each) for each in held}, kind.most_key) or visit.ground.new_id()
    entry = kind.read(form, key, configuration)
    if any(_key(each) == key for each in held):
        return [entry if _key(each) == key else each for each in held]
    return [*held, entry]


PAGES = tuple(
    page
    for kind in KINDS
    for page in (
        Page("GET", PATH + kind.path, _shower(kind)),
        Page("POST", PATH + kind.path, _saver(kind)),
    )
)
