"""The fields that a case carries for its connector, as a form: made from the wire's own shapes, with choices asked for
from the external system where it can be asked."""

from __future__ import annotations

import re
from typing import Any, get_args

import msgspec
from starlette.datastructures import FormData

from casebridge.domain.connector import CaseConnector, Connector
from casebridge.domain.errors import CasebridgeError, InvalidInput
from casebridge.services import connectors
from casebridge.web.routing import Visit, text
from casebridge.wire.connectors import SentConnector

_NONE = ("", "–")
_SHAPES = {each.__struct_config__.tag: each for each in get_args(SentConnector)}


class Control(msgspec.Struct, frozen=True):
    """One field: `kind` is `text`, `list`, `toggle` or `choice`, the latter with its values and words."""

    name: str
    label: str
    kind: str
    value: str
    choices: list[tuple[str, str]] = []


async def controls(visit: Visit, connector: Connector, held: dict[str, Any]) -> tuple[list[Control], str]:
    """The controls of a connector's type, filled with what a case holds; and why choices are missing, if they are."""
    choices: dict[str, list[tuple[str, str]]] = {}
    trouble = ""
    try:
        if connector.type == ".jira":
            choices = await _jira_choices(visit, connector.id, held.get("issueType"))
        elif connector.type in (".servicenow", ".servicenow-sir"):
            choices = await _servicenow_choices(visit, connector)
        elif connector.type == ".resilient":
            rows = await _asked(visit, connector.id, "severity")
            choices = {"severityCode": [_NONE, *((str(each["id"]), each["name"]) for each in rows)]}
    except CasebridgeError as error:
        trouble = str(error)
    made = []
    for field in _fields(connector.type):
        kind = _kind(field)
        value = held.get(field.name)
        shown = ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
        if kind == "toggle":
            shown = "yes" if value else ""
        if field.name in choices:
            kind = "choice"
        made.append(Control(field.name, _label(field.name), kind, shown, choices.get(field.name, [])))
    return made, trouble


def read(connector: Connector, form: FormData) -> CaseConnector:
    """The connector of a case as the form says; InvalidInput for a value its type does not take."""
    values: dict[str, Any] = {}
    for field in _fields(connector.type):
        given, kind = text(form, field.name).strip(), _kind(field)
        if kind == "toggle":
            values[field.name] = given == "yes"
        elif kind == "list":
            values[field.name] = [each.strip() for each in given.split(",") if each.strip()] or None
        elif field.required or given:
            values[field.name] = given or None
    body = {"id": connector.id, "name": connector.name, "type": connector.type, "fields": values or None}
    try:
        sent: Any = msgspec.convert(body, SentConnector)
    except msgspec.ValidationError as fault:
        raise InvalidInput("connector", str(fault)) from None
    made: CaseConnector = sent.to_domain()
    return made


def _fields(type_id: str) -> list[msgspec.structs.FieldInfo]:
    shape = _SHAPES.get(type_id)
    if shape is None:
        return []
    declared = next(each.type for each in msgspec.structs.fields(shape) if each.name == "fields")
    struct = next(
        (each for each in get_args(declared) if isinstance(each, type) and issubclass(each, msgspec.Struct)), None
    )
    return [] if struct is None else list(msgspec.structs.fields(struct))


def _kind(field: msgspec.structs.FieldInfo) -> str:
    told = str(field.type)
    return "toggle" if "bool" in told else "list" if "list" in told else "text"


def _label(name: str) -> str:
    """
    >>> _label("issueType"), _label("destIp")
    ('Issue type', 'Dest ip')
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return spaced[:1].upper() + spaced[1:]


async def _asked(visit: Visit, id_: str, sub_action: str, **params: Any) -> list[dict[str, Any]]:
    """What the external system lists; InvalidInput, saying why, when it does not."""
    done = await connectors.execute(
        visit.ground, visit.asking, id_, {"subAction": sub_action, "subActionParams": params}
    )
    if not done.ok:
        raise InvalidInput("", done.service_message or done.message or "The choices could not be fetched.")
    return list(done.data or [])


async def _servicenow_choices(visit: Visit, connector: Connector) -> dict[str, list[tuple[str, str]]]:
    names = [each.name for each in _fields(connector.type) if _kind(each) == "text" and each.name != "additionalFields"]
    made: dict[str, list[tuple[str, str]]] = {}
    rows = await _asked(visit, connector.id, "getChoices", fields=names)
    parents = {row["value"]: row["label"] for row in rows if row["element"] == "category"}
    for row in rows:
        # A subcategory belongs to a category, which its word names.
        above = parents.get(row.get("dependent_value") or "")
        word = f"{above}: {row['label']}" if above and row["element"] == "subcategory" else row["label"]
        made.setdefault(row["element"], [_NONE]).append((row["value"], word))
    return made


async def _jira_choices(visit: Visit, id_: str, issue_type: str | None) -> dict[str, list[tuple[str, str]]]:
    types = await connectors.execute(
        visit.ground, visit.asking, id_, {"subAction": "issueTypes", "subActionParams": {}}
    )
    if not types.ok:
        raise InvalidInput("", types.service_message or types.message or "The issue types could not be fetched.")
    choices = {"issueType": [("", "–"), *((each["id"], each["name"]) for each in types.data)]}
    params = {
        "subAction": "fieldsByIssueType",
        "subActionParams": {"id": issue_type or (types.data or [{}])[0].get("id", "")},
    }
    fields = await connectors.execute(visit.ground, visit.asking, id_, params)
    priorities = (fields.data or {}).get("priority", {}).get("allowedValues", []) if fields.ok else []
    if priorities:
        choices["priority"] = [("", "–"), *((each["name"], each["name"]) for each in priorities)]
    return choices
