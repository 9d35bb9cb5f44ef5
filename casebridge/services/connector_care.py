"""Looking after connectors: our own settings of them, how they are, trying one out, and what a push would send."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from casebridge.connectors import registry
from casebridge.connectors.base import ConnectorType, Record
from casebridge.connectors.http import CallLog
from casebridge.domain.case import CLOSED
from casebridge.domain.circuit import CircuitState, ConnectorHealth
from casebridge.domain.connector import Connector
from casebridge.domain.delivery import marker
from casebridge.domain.errors import Conflict, ConnectorError, InvalidInput, NotFound, PushFailed, VersionConflict
from casebridge.domain.incident import OutgoingComment, due_comments, incident_fields
from casebridge.domain.version import version_text
from casebridge.security.privileges import require
from casebridge.services.connectors import find_usable, working
from casebridge.services.ground import Asking, Ground
from casebridge.services.push_load import Loaded, load
from casebridge.storage import audit, connector_care


class Settings(msgspec.Struct, frozen=True):
    """Our own settings of a connector, defaults filled in; no version: none were saved yet."""

    version: int | None
    values: dict[str, Any]


class Condition(msgspec.Struct, frozen=True):
    """How a connector is and what it still has to do."""

    state: CircuitState
    health: ConnectorHealth
    counts: dict[str, int]


class Trial(msgspec.Struct, frozen=True):
    """What trying a connector out showed; `latency_ms` in milliseconds."""

    ok: bool
    detail: str
    latency_ms: int


class FieldChange(msgspec.Struct, frozen=True):
    """A field by its external name: what it holds over there, and what a push would make of it."""

    field: str
    external: Any
    ours: Any


class Preview(msgspec.Struct, frozen=True):
    """What a push would send now."""

    action: str
    incident: dict[str, Any]
    comments: list[OutgoingComment]
    changes: list[FieldChange]


async def get_settings(ground: Ground, asking: Asking, id_: str) -> Settings:
    """Our own settings of a connector."""
    require(asking.actor, "useConnectors", None, asking.space)
    connector = await find_usable(ground, asking.space.id, id_)
    version, values = await connector_care.get_settings(ground.database, asking.space.id, id_)
    return Settings(version, _type_of(connector).check_settings(values))


async def save_settings(
    ground: Ground, asking: Asking, id_: str, values: dict[str, Any], version: str | None
) -> Settings:
    """Replace our own settings of a connector; keys that mean nothing to its type are refused.

    `version` None is for the first time; later the present one is needed.
    """
    require(asking.actor, "manageConnectors", None, asking.space)
    connector = await find_usable(ground, asking.space.id, id_)
    filled = _type_of(connector).check_settings(values)
    stored, _ = await connector_care.get_settings(ground.database, asking.space.id, id_)
    stale = VersionConflict("connector-settings", id_)
    if version is None and stored is not None:
        raise InvalidInput("version", "is required once settings were saved.")
    if version is not None and (stored is None or version != version_text(stored)):
        raise stale
    write = connector_care.settings_write(asking.space.id, id_, stored, filled, stale)
    event = audit.event_write("connector_settings_update", asking.actor, asking.space.id, "action", [id_], ground.now())
    rows = await ground.database.commit([write, event])
    return Settings(rows[0][0]["version"], filled)


def _type_of(connector: Connector) -> type[ConnectorType]:
    type_ = registry.types().get(connector.type)
    if type_ is None:
        raise InvalidInput("connector", f"its type {connector.type} is not known to this server.")
    return type_


async def examine(ground: Ground, asking: Asking, id_: str) -> Condition:
    """How a connector is."""
    require(asking.actor, "useConnectors", None, asking.space)
    await find_usable(ground, asking.space.id, id_)
    health = await connector_care.get_health(ground.database, asking.space.id, id_)
    counts = await connector_care.count_deliveries(ground.database, asking.space.id, id_)
    return Condition(health.state(ground.push.circuit_faults, ground.now()), health, counts)


async def survey(ground: Ground, asking: Asking) -> dict[str, Condition]:
    """How every connector of the space is that was ever used; of deliveries, those that are not settled are counted."""
    require(asking.actor, "useConnectors", None, asking.space)
    health = await connector_care.list_health(ground.database, asking.space.id)
    counts = await connector_care.count_unsettled(ground.database, asking.space.id)
    now, most = ground.now(), ground.push.circuit_faults
    return {
        id_: Condition(known.state(most, now), known, counts.get(id_, {}))
        for id_, known in ((each, health.get(each, ConnectorHealth())) for each in health.keys() | counts.keys())
    }


async def try_out(ground: Ground, asking: Asking, id_: str) -> Trial:
    """Try a connector's credentials and reachability without writing anything over there."""
    require(asking.actor, "manageConnectors", None, asking.space)
    connector = await find_usable(ground, asking.space.id, id_)
    started = time.monotonic()
    try:
        worker = await working(ground, asking.space.id, connector, log=CallLog(), before_call=None)
        detail, ok = await worker.test(), True
    except ConnectorError as fault:
        detail, ok = fault.message, False
    return Trial(ok, detail, round((time.monotonic() - started) * 1000))


async def preview(ground: Ground, asking: Asking, case_id: str, connector_id: str) -> Preview:
    """What a push of the case would send now, and how the external record differs; nothing is written anywhere."""
    loaded = await load(ground, asking.space.id, case_id, connector_id)
    if loaded is None:
        raise NotFound("cases", case_id)
    connector = await find_usable(ground, asking.space.id, connector_id)
    case = loaded.case
    # As for a push: what is shown is the case, its activity and what the connector reads over there.
    require(asking.actor, "useConnectors", None, asking.space)
    for operation in ("getCase", "getUserActions", "pushCase"):
        require(asking.actor, operation, case.owner, asking.space)
    if case.status == CLOSED:
        raise Conflict(f"The case {case.title!r} is closed; reopen it before pushing it.")
    try:
        worker = await working(ground, asking.space.id, connector, log=CallLog(), before_call=None)
        return await _previewed(ground, worker, connector, loaded)
    except ConnectorError as fault:
        raise PushFailed(f"Failed to preview the push: Error: {fault.message}") from fault


async def _previewed(ground: Ground, worker: ConnectorType, connector: Connector, loaded: Loaded) -> Preview:
    case = loaded.case
    author = case.updated_by or case.created_by
    fields = worker.check_fields(incident_fields(case, connector.type, author, ground.public_base_url))
    due, _ = due_comments(loaded.attachments, loaded.revisions, loaded.accepted, lambda by, made: by or made)
    comments = due if worker.takes_comments else []
    external_id = loaded.external_id
    if external_id is None:
        sent = worker.outgoing(await worker.prepare(fields), marker(case.id))
        return Preview("create", sent, comments, [FieldChange(name, None, ours) for name, ours in sent.items()])
    sent = worker.outgoing(fields, marker(case.id))
    record: Record = await worker.read(external_id)
    held = worker.present(record, sent)
    changes = [FieldChange(name, held[name], ours) for name, ours in sent.items() if held[name] != ours]
    return Preview("update", sent, comments, changes)
