"""What holds for the cases of an owner: closing rule, connector, automatic push, and a look at the lists they have."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from casebridge.connectors import registry
from casebridge.domain.automation import TRIGGERS, Automation, AutoPush
from casebridge.domain.configuration import CLOSE_BY_PUSHING, CLOSE_BY_USER, Configuration, ConfigurationChanges
from casebridge.domain.connector import MAPPINGS, NO_CONNECTOR, CaseConnector, Connector
from casebridge.domain.errors import InvalidInput, Refused, VersionConflict
from casebridge.domain.observable import BUILT_IN_TYPES
from casebridge.domain.space import OWNERS
from casebridge.domain.version import version_text
from casebridge.security.privileges import allowed, permitted_owners, require
from casebridge.services import automation, configure, connectors
from casebridge.web import told
from casebridge.web.forms import SHOWN_AGAIN, label, status_of
from casebridge.web.routing import Page, Query, Visit, text, texts

PATH = "/app/configure"
OWNER_ORDER = tuple(reversed(OWNERS))
FIELD_TYPES = {"text": "Text", "toggle": "Yes or no", "number": "Whole number"}


def address(visit: Visit, owner: str, more: str = "", **query: str) -> str:
    """An address of these pages, for an owner."""
    return visit.url(PATH + more, Query([("owner", owner), *query.items()]).but())


def chosen_owner(visit: Visit, given: str) -> str:
    """The owner that was asked for, or the first one the visitor may see; InvalidInput for one that is unknown."""
    if given and given not in OWNERS:
        raise InvalidInput("owner", f"expected one of {', '.join(OWNERS)}, given {given[:80]!r}.")
    if given:
        require(visit.asking.actor, "findConfigurations", given, visit.asking.space)
        return given
    permitted = permitted_owners(visit.asking.actor, "findConfigurations", visit.asking.space)
    return next(each for each in OWNER_ORDER if each in permitted)


def may_change(visit: Visit, owner: str) -> bool:
    """Whether the visitor may set up this owner's cases."""
    actor, space = visit.asking.actor, visit.asking.space
    return all(allowed(actor, each, owner, space) for each in ("createConfiguration", "updateConfiguration"))


async def stored(visit: Visit, owner: str) -> Configuration | None:
    """The owner's configuration; None when none was ever saved."""
    found = await configure.list_configurations(visit.ground, visit.asking, (owner,))
    return found[0] if found else None


async def change(visit: Visit, owner: str, version: str, changes: ConfigurationChanges) -> Configuration:
    """Change parts of an owner's configuration, which is made if there is none. `version` '': there was none."""
    present = await stored(visit, owner)
    if present is not None:
        return await configure.change_by_id(visit.ground, visit.asking, present.id, version, changes)
    if version:
        raise VersionConflict("cases-configure", owner)
    given = {
        name: value
        for name in ("custom_fields", "templates", "observable_types")
        if (value := getattr(changes, name)) is not msgspec.UNSET
    }
    connector = NO_CONNECTOR if isinstance(changes.connector, msgspec.UnsetType) else changes.connector
    closure = CLOSE_BY_USER if isinstance(changes.closure_type, msgspec.UnsetType) else changes.closure_type
    return await configure.replace_configuration(
        visit.ground, visit.asking, owner=owner, connector=connector, closure_type=closure, **given
    )


async def _show(visit: Visit) -> Response:
    return await _page(visit, chosen_owner(visit, visit.query.one("owner")))


async def _page(visit: Visit, owner: str, *, fault: Refused | None = None, typed: Any = None) -> Response:
    configuration = await stored(visit, owner)
    may = may_change(visit, owner)
    auto = await automation.get(visit.ground, visit.asking, owner) if may else None
    known = await _usable(visit)
    connector = NO_CONNECTOR if configuration is None else configuration.connector
    closes = configuration is not None and configuration.closes_by_pushing
    auto_push = None if auto is None else auto.auto_push
    if typed is not None:
        connector, closes, auto_push = _typed(typed, known, connector, closes, auto_push)
    return visit.render(
        "configure.html",
        status=200 if fault is None else status_of(fault),
        owner=owner,
        owners=permitted_owners(visit.asking.actor, "findConfigurations", visit.asking.space),
        owner_order=OWNER_ORDER,
        configuration=configuration,
        version="" if configuration is None else version_text(configuration.version),
        auto=auto,
        auto_version=_version(auto),
        auto_push=auto_push,
        may_change=may,
        may_manage=allowed(visit.asking.actor, "manageConnectors", None, visit.asking.space),
        known=known,
        connector=connector,
        closes=closes,
        rows=MAPPINGS.get(connector.type, ()),
        told=_told(visit, connector, closes, auto_push),
        fault=fault,
        address=address,
        label=label,
        type_label=type_label,
        triggers={each: told.TRIGGER_WORDS[each] for each in TRIGGERS},
        field_types=FIELD_TYPES,
        built_in=BUILT_IN_TYPES,
    )


def type_label(type_id: str) -> str:
    """What a connector type is called."""
    known = registry.types().get(type_id)
    return type_id if known is None else known.label


def _version(auto: Automation | None) -> str:
    return "" if auto is None or auto.version is None else version_text(auto.version)


async def _usable(visit: Visit) -> list[Connector]:
    if not allowed(visit.asking.actor, "useConnectors", None, visit.asking.space):
        return []
    return await connectors.list_for_cases(visit.ground, visit.asking)


def _told(visit: Visit, connector: CaseConnector, closes: bool, auto: AutoPush | None) -> list[Any]:
    is_none = connector.type == NO_CONNECTOR.type
    plan = told.Plan(
        connector="" if is_none else connector.name,
        type="" if is_none else connector.type,
        closes=closes,
        auto=auto,
        quiet_s=visit.ground.push.auto_push_quiet_s,
    )
    return told.sentences(plan)


def _typed(
    given: Any, known: list[Connector], connector: CaseConnector, closes: bool, auto: AutoPush | None
) -> tuple[CaseConnector, bool, AutoPush | None]:
    """What the forms of the page say, for those of them that were sent."""
    parts = texts(given, "part")
    if "closure" in parts:
        closes = text(given, "closure") == CLOSE_BY_PUSHING
        connector = _connector(text(given, "connector"), known, connector)
    if "automation" in parts and auto is not None:
        auto = _auto_push(given)
    return connector, closes, auto


def _connector(id_: str, known: list[Connector], present: CaseConnector) -> CaseConnector:
    if id_ == present.id:
        return present
    found = next((each for each in known if each.id == id_), None)
    return NO_CONNECTOR if found is None else CaseConnector(found.id, found.name, found.type)


def _auto_push(form: Any) -> AutoPush:
    return AutoPush(
        enabled=text(form, "enabled") == "yes",
        on=tuple(texts(form, "on")),
        create=text(form, "create") == "yes",
    )


async def _save(visit: Visit) -> Response:
    form = await visit.form()
    owner = chosen_owner(visit, text(form, "owner"))
    closure = text(form, "closure")
    try:
        if closure not in (CLOSE_BY_USER, CLOSE_BY_PUSHING):
            raise InvalidInput("closure_type", f"expected {CLOSE_BY_USER} or {CLOSE_BY_PUSHING}.")
        present = await stored(visit, owner)
        held = NO_CONNECTOR if present is None else present.connector
        wanted = text(form, "connector")
        connector = _connector(wanted, await _usable(visit), held)
        if connector.id != (wanted or NO_CONNECTOR.id):
            raise InvalidInput("connector", "there is no such connector any more; choose another one.")
        changes = ConfigurationChanges(connector=connector, closure_type=closure)
        await change(visit, owner, text(form, "version"), changes)
    except SHOWN_AGAIN as fault:
        return await _page(visit, owner, fault=fault, typed=form)
    return visit.redirect(address(visit, owner), "Saved. It holds for new cases and for every push from now on.")


async def _save_automation(visit: Visit) -> Response:
    form = await visit.form()
    owner = chosen_owner(visit, text(form, "owner"))
    try:
        version = text(form, "version") or None
        await automation.save(visit.ground, visit.asking, owner, _auto_push(form), version)
    except SHOWN_AGAIN as fault:
        return await _page(visit, owner, fault=fault, typed=form)
    return visit.redirect(address(visit, owner), "Saved. It holds for every change from now on.")


class _Asked:
    """A query as the readers of forms take it."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def get(self, name: str) -> str:
        """The last value of a field."""
        return self._query.one(name)

    def getlist(self, name: str) -> list[str]:
        """All values of a field."""
        return self._query.every(name)


async def _tell(visit: Visit) -> Response:
    """The sentences for what is chosen but not saved yet."""
    owner = chosen_owner(visit, visit.query.one("owner"))
    configuration = await stored(visit, owner)
    connector = NO_CONNECTOR if configuration is None else configuration.connector
    auto = AutoPush() if may_change(visit, owner) else None
    given = _Asked(visit.query)
    connector, closes, auto = _typed(given, await _usable(visit), connector, False, auto)
    return visit.render("configure_told.html", told=_told(visit, connector, closes, auto))


PAGES = (
    Page("GET", PATH, _show, nav="Configure", icon="gear", key="s"),
    Page("POST", PATH, _save),
    Page("POST", f"{PATH}/automation", _save_automation),
    Page("GET", f"{PATH}/told", _tell),
)
