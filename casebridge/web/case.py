"""The page of a case: reading it, and changing its fields without ever writing over somebody else's change."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any

import msgspec
from starlette.datastructures import FormData
from starlette.responses import Response, StreamingResponse

from casebridge.domain.attachment import ALERT, USER, Attachment, is_file
from casebridge.domain.case import Case, CaseChanges
from casebridge.domain.configuration import Configuration, observable_labels
from casebridge.domain.custom_field import CustomFieldDefinition, FieldValue
from casebridge.domain.errors import CasebridgeError, Forbidden, InvalidInput, NothingChanged, VersionConflict
from casebridge.domain.query import Page as Window
from casebridge.domain.version import version_text
from casebridge.security.privileges import allowed
from casebridge.services import (
    cases,
    configure,
    custom_fields,
    deliveries,
    mentions,
    observables,
    push_states,
    user_actions,
)
from casebridge.web import history, people, words
from casebridge.web.routing import Page, Visit, text, texts
from casebridge.web.site import whole_page

TABS = ("activity", "alerts", "files", "observables", "similar")
_ACTIVITY_SIZE = 50
_LEDGER_SIZE = 5
_LOOK_EVERY_S = 2.0
_STREAM_S = 300.0
_FIELDS = {
    "title": "Title", "description": "Description", "status": "Status", "severity": "Severity", "category": "Category",
    "tags": "Tags", "assignees": "Assignees",
}  # fmt: skip
HERE = "/app/{app:app}/cases/{case_id}"


async def load(visit: Visit) -> Case:
    """The case of the address."""
    return await cases.get(visit.ground, visit.asking, visit.path["case_id"])


def back(visit: Visit, case: Case, notice: str = "", **query: str) -> Response:
    """To the page of the case, on the tab it was left."""
    tab = query.get("tab", "")
    return visit.redirect(visit.case_url(case.owner, case.id, query=f"tabId={tab}" if tab else ""), notice)


async def _show(visit: Visit) -> Response:
    case, attached = await cases.get_with_attachments(visit.ground, visit.asking, visit.path["case_id"])
    rightful = visit.case_url(case.owner, case.id)
    if visit.request.url.path.rstrip("/") != rightful:
        return visit.redirect(visit.case_url(case.owner, case.id, query=str(visit.query)))
    tab = visit.query.one("tabId", "activity")
    if tab not in TABS:
        tab = "activity"
    known = await people.load(visit, case.assignees)
    configuration = await configuration_of(visit, case.owner)
    await mentions.see(visit.ground, visit.asking, case)
    ledger, _ = await deliveries.find(visit.ground, visit.asking, Window(1, _LEDGER_SIZE), case_id=case.id)
    return visit.render(
        "case.html",
        case=case,
        version=version_text(case.version),
        tab=tab,
        people=known,
        own_uid=people.own_uid(visit.asking.actor.user),
        definitions=() if configuration is None else configuration.custom_fields,
        values={each.key: each.value for each in case.custom_fields},
        base=base_of,
        may=may(visit, case.owner),
        state=(await push_states.list_of(visit.ground, [case]))[case.id],
        ledger=ledger,
        push_key=secrets.token_urlsafe(12),
        attachments=attached,
        **await _tab(visit, case, attached, tab, known, configuration),
    )


async def configuration_of(visit: Visit, owner: str) -> Configuration | None:
    """The configuration of an owner, if the visitor may see it."""
    try:
        return next(iter(await configure.list_configurations(visit.ground, visit.asking, [owner])), None)
    except Forbidden:
        return None


def may(visit: Visit, owner: str) -> SimpleNamespace:
    """What the visitor may do with cases of an owner; what they may not is not shown."""
    asking = visit.asking
    operations = {
        "create": "createCase", "update": "updateCase", "comment": "createComment", "edit_comment": "updateComment",
        "delete_comment": "deleteComment", "assign": "assignCase", "reopen": "reopenCase", "delete": "deleteCase",
        "push": "pushCase",
    }  # fmt: skip
    # Not a mapping: in a template `may.update` would be a method of that.
    return SimpleNamespace(
        **{name: allowed(asking.actor, operation, owner, asking.space) for name, operation in operations.items()}
    )


async def _tab(
    visit: Visit,
    case: Case,
    attached: list[Attachment],
    tab: str,
    known: people.People,
    configuration: Configuration | None,
) -> dict[str, Any]:
    if tab == "activity":
        return await _activity(visit, case, attached, known, configuration)
    if tab == "similar":
        return {"similar": await observables.find_similar(visit.ground, visit.asking, case.id, Window(1, 50))}
    if tab == "observables":
        return {"types": observable_labels(configuration)}
    if tab == "files":
        return {"files": [each for each in attached if is_file(each.payload)]}
    return {"alerts": [each for each in attached if each.type == ALERT]}


async def _activity(
    visit: Visit,
    case: Case,
    attached: list[Attachment],
    known: people.People,
    configuration: Configuration | None,
) -> dict[str, Any]:
    show, order = visit.query.one("show", "all"), visit.query.one("order", "asc")
    types = {"comments": history.COMMENT_TYPES, "changes": history.CHANGE_TYPES}.get(show, ())
    number = visit.query.one("page", "1")
    page = Window(int(number) if number.isdecimal() and 0 < int(number) <= 200 else 1, _ACTIVITY_SIZE)
    found, total = await user_actions.find(visit.ground, visit.asking, case.id, types, page, descending=order == "desc")
    labels = {} if configuration is None else {each.key: each.label for each in configuration.custom_fields}
    comments = {each.id: each for each in attached if each.type == USER}
    return {
        "actions": found,
        "actions_total": total,
        "actions_page": page,
        "show": show,
        "order": order,
        "comments": comments,
        "sentence": lambda action: history.sentence(action, known, labels),
        "comment_version": lambda comment: version_text(comment.version),
        "page_address": lambda number: visit.case_url(case.owner, case.id, query=visit.query.but(page=str(number))),
    }


# Changing a field


def base_of(value: Any) -> str:
    """A short stand-in for the value a form was filled with, by which a change of others is noticed."""
    if isinstance(value, tuple):
        value = sorted(value)
    return blake2b(msgspec.json.encode(value), digest_size=9).hexdigest()


def read_field(form: FormData, name: str) -> Any:
    """The value of a field as a form sends it."""
    if name == "tags":
        return tuple(dict.fromkeys(each.strip() for each in text(form, "value").split(",") if each.strip()))
    if name == "assignees":
        return tuple(each for each in texts(form, "value") if each)
    if name == "category":
        return text(form, "value").strip() or None
    value = text(form, "value")
    if name in ("status", "severity") and value not in (words.STATUS if name == "status" else words.SEVERITY):
        raise InvalidInput(name, f"{value!r} is not known.")
    return value


async def _change(visit: Visit) -> Response:
    form = await visit.form()
    name = text(form, "field")
    if name not in _FIELDS:
        raise InvalidInput("field", f"expected one of {', '.join(_FIELDS)}.")
    value = read_field(form, name)
    while True:
        case = await load(visit)
        present = getattr(case, name)
        if base_of(value) == base_of(present):
            return back(visit, case)
        if text(form, "base") != base_of(present):
            return _both(visit, case, name, value)
        wanted = cases.WantedChange(case.id, version_text(case.version), CaseChanges(**{name: value}))
        try:
            changed = (await cases.change(visit.ground, visit.asking, [wanted]))[0]
        except NothingChanged:
            return back(visit, case)
        except VersionConflict:
            # Somebody wrote something else meanwhile, or the very field: the next round tells.
            continue
        except InvalidInput as fault:
            return _both(visit, case, name, value, fault=fault.reason)
        return back(visit, changed, f"{_FIELDS[name]} saved.")


def _both(visit: Visit, case: Case, name: str, value: Any, fault: str = "") -> Response:
    """What was to be written beside what is there now, for a person to choose; nothing was written."""
    response = visit.render(
        "case_conflict.html",
        status=400 if fault else 409,
        case=case,
        field=name,
        label=_FIELDS[name],
        mine=value,
        theirs=getattr(case, name),
        base=base_of(getattr(case, name)),
        fault=fault,
        is_text=name in ("title", "description"),
    )
    if visit.is_htmx:
        whole_page(response)
    return response


async def _set_custom_field(visit: Visit) -> Response:
    form = await visit.form()
    key = visit.path["key"]
    while True:
        case = await load(visit)
        configuration = await configuration_of(visit, case.owner)
        definition = (
            next((each for each in configuration.custom_fields if each.key == key), None) if configuration else None
        )
        if definition is None:
            raise InvalidInput("field", f"{key!r} is not defined for these cases.")
        value = read_value(definition, text(form, "value"))
        present = next((each.value for each in case.custom_fields if each.key == key), None)
        if text(form, "base") != base_of(present) and base_of(value) != base_of(present):
            return back(visit, case, f"!Somebody set {definition.label} meanwhile; look at it and choose again.")
        try:
            await custom_fields.set_value(
                visit.ground, visit.asking, case.id, key, value=value, version=version_text(case.version)
            )
        except VersionConflict:
            continue
        return back(visit, case, f"{definition.label} saved.")


def read_value(definition: CustomFieldDefinition, given: str) -> FieldValue:
    """The value of a custom field as a form sends it; empty is none."""
    given = given.strip()
    if not given:
        return None
    if definition.type == "toggle":
        return given == "yes"
    if definition.type == "number":
        try:
            return int(given)
        except ValueError:
            raise InvalidInput(definition.label, f"expected a whole number, given {given!r}.") from None
    return given


# Changes of others


async def _events(visit: Visit) -> Response:
    """Tells the page when the case was written."""
    case = await load(visit)
    return StreamingResponse(
        _versions(visit, case.version), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
    )


async def _versions(visit: Visit, seen: int) -> AsyncIterator[str]:
    stopping = visit.site.stopping
    yield f"retry: 3000\nevent: version\ndata: {version_text(seen)}\n\n"
    for _ in range(int(_STREAM_S / _LOOK_EVERY_S)):
        try:
            await asyncio.wait_for(stopping.wait(), _LOOK_EVERY_S)
            return
        except TimeoutError:
            pass
        try:
            version = (await load(visit)).version
        except CasebridgeError:
            yield "event: gone\ndata: gone\n\n"
            return
        # A comment line now and then shows a proxy, and us, that somebody still listens.
        yield ": \n\n" if version == seen else f"event: version\ndata: {version_text(version)}\n\n"
        seen = version


PAGES = (
    Page("GET", HERE, _show),
    Page("POST", HERE + "/change", _change),
    Page("POST", HERE + "/field/{key}", _set_custom_field),
    Page("GET", HERE + "/events", _events),
)
