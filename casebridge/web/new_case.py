"""The form for a new case: a template to begin with, every field, and the connector the owner's cases begin with."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response

from casebridge.domain.case import Case, NewCase
from casebridge.domain.configuration import Configuration
from casebridge.domain.connector import NO_CONNECTOR, CaseConnector
from casebridge.domain.custom_field import CustomFieldValue
from casebridge.domain.errors import Forbidden, InvalidInput
from casebridge.domain.space import OWNERS
from casebridge.security.privileges import allowed
from casebridge.services import cases, connectors
from casebridge.web import people, words
from casebridge.web.case import configuration_of, may, read_value
from casebridge.web.routing import Page, Visit, text, texts


async def _show(visit: Visit) -> Response:
    owners = _owners(visit)
    owner = visit.query.one("owner", "securitySolution" if "securitySolution" in owners else owners[0])
    if owner not in owners:
        raise Forbidden("createCase", [owner], what="create case")
    configuration = await configuration_of(visit, owner)
    template = _template(configuration, visit.query.one("template"))
    given: dict[str, Any] = dict(template)
    given["tags"] = ", ".join(template.get("tags", []))
    given["assignees"] = [each["uid"] for each in template.get("assignees", [])]
    values = {each.key: None if not each.has_default else each.default for each in _definitions(configuration)}
    values |= {each["key"]: each["value"] for each in template.get("customFields", [])}
    connector = template.get("connector") or {}
    given["connector"] = connector.get("id") or (
        NO_CONNECTOR.id if configuration is None else configuration.connector.id
    )
    return await _form(visit, owner, configuration, given, values)


def _owners(visit: Visit) -> list[str]:
    asking = visit.asking
    found = [each for each in OWNERS if allowed(asking.actor, "createCase", each, asking.space)]
    if not found:
        raise Forbidden("createCase", what="create case")
    return found


def _definitions(configuration: Configuration | None) -> Any:
    return () if configuration is None else configuration.custom_fields


def _template(configuration: Configuration | None, key: str) -> dict[str, Any]:
    templates = () if configuration is None else configuration.templates
    found = next((each for each in templates if each["key"] == key), None)
    return dict((found or {}).get("caseFields") or {})


async def _form(
    visit: Visit,
    owner: str,
    configuration: Configuration | None,
    given: dict[str, Any],
    values: dict[str, Any],
    fault: InvalidInput | None = None,
) -> Response:
    try:
        usable = await connectors.list_for_cases(visit.ground, visit.asking)
    except Forbidden:
        usable = []
    return visit.render(
        "new_case.html",
        status=400 if fault else 200,
        owner=owner,
        owners=_owners(visit),
        configuration=configuration,
        definitions=_definitions(configuration),
        given=given,
        values=values,
        usable=usable,
        connector_choices=[(each.id, each.name) for each in usable],
        people=await people.load(visit),
        may=may(visit, owner),
        fault=fault,
        words=words,
    )


async def _open(visit: Visit) -> Response:
    form = await visit.form()
    owner = text(form, "owner")
    if owner not in OWNERS:
        raise InvalidInput("owner", f"expected one of {', '.join(OWNERS)}.")
    configuration = await configuration_of(visit, owner)
    typed = {each.key: text(form, f"field-{each.key}") for each in _definitions(configuration)}
    try:
        values = tuple(
            CustomFieldValue(each.key, each.type, read_value(each, typed[each.key]))
            for each in _definitions(configuration)
        )
        new = await _new(visit, form, owner, configuration, values)
        case: Case = await cases.open_new(visit.ground, visit.asking, new)
    except InvalidInput as fault:
        given = {key: text(form, key) for key in ("title", "description", "tags", "severity", "category", "connector")}
        return await _form(visit, owner, configuration, {**given, "assignees": texts(form, "assignees")}, typed, fault)
    notice = "The case was opened."
    if case.connector.id != NO_CONNECTOR.id and case.connector.fields is None:
        return visit.redirect(
            visit.case_url(owner, case.id, "/connector"), f"{notice} Now the fields of its connector."
        )
    return visit.redirect(visit.case_url(owner, case.id), notice)


async def _new(
    visit: Visit,
    form: FormData,
    owner: str,
    configuration: Configuration | None,
    values: tuple[CustomFieldValue, ...],
) -> NewCase:
    if text(form, "severity") not in words.SEVERITY:
        raise InvalidInput("severity", "expected low, medium, high or critical.")
    tags = dict.fromkeys(each.strip() for each in text(form, "tags").split(",") if each.strip())
    return NewCase(
        owner=owner,
        title=text(form, "title"),
        description=text(form, "description"),
        tags=tuple(tags),
        connector=await _connector(visit, text(form, "connector"), configuration),
        severity=text(form, "severity"),
        category=text(form, "category").strip() or None,
        assignees=tuple(texts(form, "assignees")),
        custom_fields=values or None,
    )


async def _connector(visit: Visit, id_: str, configuration: Configuration | None) -> CaseConnector:
    """The chosen connector; that of the configuration brings its fields along."""
    if id_ in ("", NO_CONNECTOR.id):
        return NO_CONNECTOR
    if configuration is not None and configuration.connector.id == id_:
        return configuration.connector
    found = await connectors.get(visit.ground, visit.asking, id_)
    return CaseConnector(found.id, found.name, found.type, None)


PAGES = (
    Page("GET", "/app/cases/new", _show),
    Page("POST", "/app/cases/new", _open),
)
