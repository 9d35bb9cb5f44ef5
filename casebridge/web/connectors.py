"""Connectors: how each is, adding, changing, trying and deleting them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from starlette.datastructures import FormData
from starlette.responses import Response

from casebridge.connectors import registry
from casebridge.connectors.base import ConnectorType
from casebridge.domain.circuit import ConnectorHealth
from casebridge.domain.connector import CASE_CONNECTOR_TYPES, Connector
from casebridge.domain.errors import Forbidden, InvalidInput, NotFound, Refused
from casebridge.domain.version import version_text
from casebridge.security.privileges import allowed
from casebridge.services import configure, connector_care, connectors
from casebridge.services.connector_care import Condition, Trial
from casebridge.web.configure import type_label
from casebridge.web.connector_fields import groups, read, typed
from casebridge.web.forms import SHOWN_AGAIN, status_of
from casebridge.web.routing import Page, Visit, text

PATH = "/app/connectors"
WELL = Condition("closed", ConnectorHealth(), {})


def may_manage(visit: Visit) -> bool:
    """Whether the visitor may add and change connectors."""
    return allowed(visit.asking.actor, "manageConnectors", None, visit.asking.space)


async def _list(visit: Visit) -> Response:
    found = await connectors.list_all(visit.ground, visit.asking)
    conditions = await connector_care.survey(visit.ground, visit.asking)
    return visit.render(
        "connectors.html",
        found=found,
        conditions=conditions,
        well=WELL,
        waiting=waiting,
        type_label=type_label,
        may_manage=may_manage(visit),
    )


def waiting(condition: Condition) -> int:
    """Deliveries that will be tried by themselves."""
    return sum(condition.counts.get(each, 0) for each in ("queued", "sending", "waiting"))


# Adding


def _types(visit: Visit) -> dict[str, tuple[type[ConnectorType], bool]]:
    known = connectors.list_types(visit.ground, "cases")
    return {each.type_id: (each, is_enabled) for each, is_enabled in known if each.type_id in CASE_CONNECTOR_TYPES}


def _require_manage(visit: Visit) -> None:
    if not may_manage(visit):
        raise Forbidden("manageConnectors", what="manage connectors")


async def _new(visit: Visit) -> Response:
    _require_manage(visit)
    wanted = visit.query.one("type")
    if not wanted:
        return visit.render("connector_types.html", types=_types(visit))
    return _new_form(visit, _type(visit, wanted), {"name": ""}, {})


def _type(visit: Visit, wanted: str) -> type[ConnectorType]:
    known = _types(visit).get(wanted)
    if known is None:
        raise NotFound("connector type", wanted[:80])
    return known[0]


def _new_form(
    visit: Visit,
    type_: type[ConnectorType],
    about: dict[str, str],
    config: dict[str, Any],
    fault: Refused | None = None,
) -> Response:
    return visit.render(
        "connector_new.html",
        status=200 if fault is None else status_of(fault),
        type=type_,
        about=about,
        config=groups("config", type_.config, config),
        secrets=groups("secrets", type_.secrets, {}),
        fault=fault,
    )


async def _create(visit: Visit) -> Response:
    form = await visit.form()
    _require_manage(visit)
    type_ = _type(visit, text(form, "type"))
    name = text(form, "name").strip()
    try:
        made = await connectors.create(
            visit.ground,
            visit.asking,
            name=name,
            type_id=type_.type_id,
            config=read("config", type_.config, form),
            secrets=read("secrets", type_.secrets, form),
        )
    except SHOWN_AGAIN as fault:
        return _new_form(visit, type_, {"name": name}, typed("config", type_.config, form), fault)
    return visit.redirect(_address(visit, made.id), "The connector was added. Test it before the first push.")


def _address(visit: Visit, id_: str, more: str = "") -> str:
    return visit.url(f"{PATH}/{quote(id_, safe='')}{more}")


# One connector


class Shown(msgspec.Struct, kw_only=True):
    """What the page of a connector shows beside what is stored."""

    form: FormData | None = None
    part: str = ""
    fault: Refused | None = None
    trial: Trial | None = None


async def _show(visit: Visit) -> Response:
    return await _page(visit, Shown())


async def _page(visit: Visit, shown: Shown) -> Response:
    connector = await connectors.get(visit.ground, visit.asking, visit.path["connector_id"])
    type_ = registry.types().get(connector.type)
    is_open = not connector.is_preconfigured or connector.expose_config
    name, config = connector.name, connector.config if is_open else {}
    if shown.form is not None and shown.part == "connector" and type_ is not None:
        name, config = text(shown.form, "name"), typed("config", type_.config, shown.form)
    own = None
    if type_ is not None and type_.settings:
        own = await connector_care.get_settings(visit.ground, visit.asking, connector.id)
    values = {} if own is None else own.values
    if shown.form is not None and shown.part == "settings" and type_ is not None:
        values = typed("settings", type_.settings, shown.form)
    return visit.render(
        "connector.html",
        status=200 if shown.fault is None else status_of(shown.fault),
        connector=connector,
        type=type_,
        type_label=type_label(connector.type),
        name=name,
        config=[] if type_ is None or not is_open else groups("config", type_.config, config),
        secrets=[] if type_ is None else groups("secrets", type_.secrets, {}),
        settings=[] if type_ is None or own is None else groups("settings", type_.settings, values),
        settings_version="" if own is None or own.version is None else version_text(own.version),
        condition=await connector_care.examine(visit.ground, visit.asking, connector.id),
        most_faults=visit.ground.push.circuit_faults,
        waiting=waiting,
        used=await _used_by(visit, connector),
        may_manage=may_manage(visit),
        may_change=may_manage(visit) and not connector.is_preconfigured and type_ is not None,
        fault=shown.fault,
        faulty=shown.part,
        trial=shown.trial,
        here=_address(visit, connector.id),
    )


async def _used_by(visit: Visit, connector: Connector) -> tuple[list[str], int]:
    """The owners whose default it is, as far as the visitor may see; and how many objects name it at all."""
    counted = await connectors.list_all(visit.ground, visit.asking)
    count = next((each.referenced_by_count for each in counted if each.id == connector.id), 0)
    try:
        found = await configure.list_configurations(visit.ground, visit.asking, None)
    except Forbidden:
        return [], count
    return [each.owner for each in found if each.connector.id == connector.id], count


async def _save(visit: Visit) -> Response:
    form = await visit.form()
    _require_manage(visit)
    id_ = visit.path["connector_id"]
    connector = await connectors.get(visit.ground, visit.asking, id_)
    type_ = registry.types().get(connector.type)
    try:
        if type_ is None:
            raise InvalidInput("connector", f"its type {connector.type} is not known to this server.")
        name = text(form, "name").strip()
        config = {**_unshown(connector, type_), **read("config", type_.config, form)}
        secrets = read("secrets", type_.secrets, form)
        if secrets or not type_.secrets:
            await connectors.replace(visit.ground, visit.asking, id_, name=name, config=config, secrets=secrets)
        else:
            await connectors.revise(visit.ground, visit.asking, id_, name=name, config=config)
    except SHOWN_AGAIN as fault:
        return await _page(visit, Shown(form=form, part="connector", fault=fault))
    told = "Saved, with new secrets." if secrets else "Saved. The secrets are the ones it had."
    return visit.redirect(_address(visit, id_), told)


def _unshown(connector: Connector, type_: type[ConnectorType]) -> dict[str, Any]:
    """What the config holds that has no place in a form: keys of old clients."""
    declared = {each.name for each in type_.config}
    return {name: value for name, value in connector.config.items() if name not in declared}


async def _save_settings(visit: Visit) -> Response:
    form = await visit.form()
    _require_manage(visit)
    id_ = visit.path["connector_id"]
    connector = await connectors.get(visit.ground, visit.asking, id_)
    type_ = registry.types().get(connector.type)
    try:
        values = {} if type_ is None else read("settings", type_.settings, form)
        version = text(form, "version") or None
        await connector_care.save_settings(visit.ground, visit.asking, id_, values, version)
    except SHOWN_AGAIN as fault:
        return await _page(visit, Shown(form=form, part="settings", fault=fault))
    return visit.redirect(_address(visit, id_), "Saved. It holds from the next push on.")


async def _try(visit: Visit) -> Response:
    await visit.form()
    trial = await connector_care.try_out(visit.ground, visit.asking, visit.path["connector_id"])
    return await _page(visit, Shown(trial=trial))


async def _delete(visit: Visit) -> Response:
    await visit.form()
    await connectors.delete(visit.ground, visit.asking, visit.path["connector_id"])
    return visit.redirect(visit.url(PATH), "The connector was deleted.")


PAGES = (
    Page("GET", PATH, _list, nav="Connectors", icon="plug", key="o", needs="useConnectors"),
    Page("GET", f"{PATH}/new", _new),
    Page("POST", f"{PATH}/new", _create),
    Page("GET", PATH + "/{connector_id}", _show),
    Page("POST", PATH + "/{connector_id}", _save),
    Page("POST", PATH + "/{connector_id}/settings", _save_settings),
    Page("POST", PATH + "/{connector_id}/test", _try),
    Page("POST", PATH + "/{connector_id}/delete", _delete),
)
