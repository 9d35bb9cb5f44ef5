"""Connectors: making, reading, replacing, deleting, and running one directly (contract connectors.md)."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec

from casebridge.connectors import registry
from casebridge.connectors.base import ConnectorType, InvalidParams
from casebridge.connectors.fields import UrlField
from casebridge.connectors.http import CallLog
from casebridge.connectors.wording import Scrubber
from casebridge.domain import limits
from casebridge.domain.connector import CASE_CONNECTOR_TYPES, Connector
from casebridge.domain.errors import Conflict, ConnectorError, Forbidden, InvalidInput, NotFound
from casebridge.security.privileges import permitted_owners, require
from casebridge.security.vault import Vault, VaultError
from casebridge.services.ground import Asking, Ground
from casebridge.storage import audit, connector_care, connectors
from casebridge.storage.session import Database, Write
from casebridge.wire.old_push import incident_params

SYSTEM_TYPE = ".cases"
PUSH = "pushToService"
OLD_CONFIG = frozenset({"incidentConfiguration", "isCaseOwned"})
"""Keys of `config` that only a client of 7.10 can have brought (dialect-7.10.md 9)."""


class Execution(msgspec.Struct, frozen=True):
    """What a direct run gave: `data` when it went well, else a message, the cause, and whether to try again."""

    ok: bool
    data: Any = None
    message: str | None = None
    service_message: str | None = None
    retry: bool = False


def about(space_id: str, connector_id: str) -> str:
    """What a connector's secrets are sealed for."""
    return f"{space_id}/{connector_id}"


async def create(
    ground: Ground,
    asking: Asking,
    *,
    name: str,
    type_id: str,
    config: dict[str, Any],
    secrets: dict[str, Any],
    id_: str | None = None,
    legacy: bool = False,
) -> Connector:
    """A new connector; refusals in the order of connectors.md 1. `legacy`: config may hold the two old keys."""
    require(asking.actor, "manageConnectors", None, asking.space)
    _check_name(name)
    if id_ is not None and id_ in ground.preconfigured:
        raise InvalidInput("id", f"{id_} is the id of a preconfigured connector.")
    if id_ is not None and len(id_) > limits.CASE_CONNECTOR_ID:
        raise InvalidInput("id", f"at most {limits.CASE_CONNECTOR_ID} characters are allowed, given {len(id_)}.")
    type_ = _known_type(type_id)
    config, secrets = type_.validate(config, secrets, ground.allowed_hosts, legacy=legacy)
    _require_enabled(ground, type_id)
    wanted = id_ or ground.new_id()
    connector = Connector(
        id=wanted,
        space=asking.space.id,
        name=name,
        type=type_id,
        config=config,
        sealed=ground.vault.seal(secrets, about(asking.space.id, wanted)),
    )
    taken = Conflict(f"The connector id {wanted} is taken already; choose another one.")
    await _save(ground, asking, "connector_create", wanted, connectors.insert_write(connector, taken))
    return connector


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidInput("name", "must not be empty or only white space.")


def _known_type(type_id: str) -> type[ConnectorType]:
    if not type_id.strip():
        raise InvalidInput("connector_type_id", "must not be empty.")
    if type_id == SYSTEM_TYPE:
        raise InvalidInput("connector_type_id", f"{SYSTEM_TYPE} is a system connector type and cannot be used here.")
    type_ = registry.types().get(type_id)
    if type_ is None:
        known = ", ".join(sorted(registry.types()))
        raise InvalidInput("connector_type_id", f"{type_id} is no known connector type; expected one of {known}.")
    return type_


def _require_enabled(ground: Ground, type_id: str) -> None:
    if not _is_enabled(ground, type_id):
        raise Forbidden("executeConnectors", what=f"use the connector type {type_id}: it is disabled", is_owned=False)


def _is_enabled(ground: Ground, type_id: str) -> bool:
    return "*" in ground.enabled_connector_types or type_id in ground.enabled_connector_types


async def get(ground: Ground, asking: Asking, id_: str) -> Connector:
    """One connector of the space, or a preconfigured one."""
    require(asking.actor, "useConnectors", None, asking.space)
    return await find_usable(ground, asking.space.id, id_)


async def find_usable(ground: Ground, space_id: str, id_: str) -> Connector:
    """The connector of that id as the space sees it; NotFound when there is none. Asks for no privilege."""
    if id_ in ground.preconfigured:
        return ground.preconfigured[id_]
    connector = await connectors.get(ground.database, space_id, id_)
    if connector is None:
        raise NotFound("action", id_)
    return connector


async def list_all(ground: Ground, asking: Asking) -> list[Connector]:
    """Stored and preconfigured connectors by name, each with its number of references."""
    require(asking.actor, "useConnectors", None, asking.space)
    stored = await connectors.list_all(ground.database, asking.space.id, limits.LISTED_CONNECTORS)
    references = await connectors.count_references(ground.database)
    own = [each for each in ground.preconfigured.values() if each.type != SYSTEM_TYPE]
    known = [*(each for each in stored if each.id not in ground.preconfigured), *own]
    counted = [msgspec.structs.replace(each, referenced_by_count=references.get(each.id, 0)) for each in known]
    return sorted(counted, key=_by_name)


def _by_name(connector: Connector) -> tuple[str, str, str]:
    letters = unicodedata.normalize("NFKD", connector.name).casefold()
    bare = "".join(each for each in letters if not unicodedata.combining(each))
    return bare, connector.name.swapcase(), connector.id


async def list_for_cases(ground: Ground, asking: Asking) -> list[Connector]:
    """Connectors whose type can take cases, at most 1,000, ordered as in `list_all`."""
    permitted_owners(asking.actor, "getConnectorsConfigure", asking.space)
    found = await list_all(ground, asking)
    return [each for each in found if each.type in CASE_CONNECTOR_TYPES][: limits.CONFIGURE_CONNECTORS]


def list_types(ground: Ground, feature: str | None) -> list[tuple[type[ConnectorType], bool]]:
    """Connector types and whether each is enabled; only those for a feature if one is named."""
    return [
        (type_, _is_enabled(ground, type_id))
        for type_id, type_ in registry.types().items()
        if feature is None or feature in type_.supported_feature_ids
    ]


async def replace(
    ground: Ground,
    asking: Asking,
    id_: str,
    *,
    name: str,
    config: dict[str, Any],
    secrets: dict[str, Any],
    legacy: bool = False,
) -> Connector:
    """The connector with all of name, config and secrets replaced: what is not sent is not kept.

    `legacy`: config may hold the two old keys; it always may where it holds them already, so that it can be sent back.
    """
    require(asking.actor, "manageConnectors", None, asking.space)
    _check_name(name)
    stored = await _changeable(ground, asking, id_)
    type_ = _known_type(stored.type)
    legacy = legacy or not OLD_CONFIG.isdisjoint(stored.config)
    config, secrets = type_.validate(config, secrets, ground.allowed_hosts, legacy=legacy)
    _require_enabled(ground, stored.type)
    sealed = ground.vault.seal(secrets, about(asking.space.id, id_))
    connector = msgspec.structs.replace(stored, name=name, config=config, sealed=sealed, is_missing_secrets=False)
    await _save(ground, asking, "connector_update", id_, connectors.update_write(connector))
    return connector


async def revise(ground: Ground, asking: Asking, id_: str, *, name: str, config: dict[str, Any]) -> Connector:
    """The connector with another name and config and the secrets it has.

    InvalidInput when the config leads elsewhere: secrets go only where whoever knows them sends them.
    """
    require(asking.actor, "manageConnectors", None, asking.space)
    stored = await _changeable(ground, asking, id_)
    for each in _known_type(stored.type).config:
        if isinstance(each, UrlField) and config.get(each.name) != stored.config.get(each.name):
            raise InvalidInput(f"config.{each.name}", "with another address, the secrets have to be given anew.")
    return await replace(ground, asking, id_, name=name, config=config, secrets=secrets_of(ground, stored))


async def delete(ground: Ground, asking: Asking, id_: str) -> None:
    """Delete a connector, also while cases still name it."""
    require(asking.actor, "manageConnectors", None, asking.space)
    await _changeable(ground, asking, id_)
    gone = [connectors.delete_write(asking.space.id, id_), *connector_care.forget_writes(asking.space.id, id_)]
    await _save(ground, asking, "connector_delete", id_, *gone)


async def _changeable(ground: Ground, asking: Asking, id_: str) -> Connector:
    if id_ in ground.preconfigured:
        raise InvalidInput("id", f"{id_} is preconfigured by the server's settings and cannot be changed here.")
    return await find_usable(ground, asking.space.id, id_)


async def _save(ground: Ground, asking: Asking, action: str, id_: str, *writes: Write) -> None:
    event = audit.event_write(action, asking.actor, asking.space.id, "action", [id_], ground.now())
    await ground.database.commit([*writes, event])


def secrets_of(ground: Ground, connector: Connector) -> dict[str, Any]:
    """The opened secrets of a connector; VaultError when they cannot be opened."""
    if connector.is_preconfigured:
        return dict(ground.preconfigured_secrets.get(connector.id, {}))
    if connector.sealed is None:
        return {}
    return ground.vault.open(connector.sealed, about(connector.space, connector.id))


async def working(ground: Ground, space_id: str, connector: Connector, **view: Any) -> ConnectorType:
    """The connector at work, its config checked again; ConnectorError when it does not hold (any more).

    `view` holds `log` and `before_call` of the outbound door.
    """
    type_ = registry.types().get(connector.type)
    if type_ is None:
        raise ConnectorError(
            f"The connector type {connector.type} is not known to this server.", code="configuration", permanent=True
        )
    try:
        secrets = secrets_of(ground, connector)
        config, secrets = type_.validate(connector.config, secrets, ground.allowed_hosts, legacy=True)
    except (InvalidInput, VaultError) as fault:
        raise ConnectorError(str(fault), code="configuration", permanent=True) from None
    _, settings = await connector_care.get_settings(ground.database, space_id, connector.id)
    return type_(config, secrets, ground.outbound.view(**view), settings)


async def execute(
    ground: Ground, asking: Asking, id_: str, params: dict[str, Any], *, legacy: bool = False
) -> Execution:
    """Run a sub-action of a connector directly; trouble of the external system is a result, not an error.

    `legacy`: a `pushToService` without `incident` has the flat params of 7.10.
    """
    require(asking.actor, "executeConnectors", None, asking.space)
    connector = await find_usable(ground, asking.space.id, id_)
    if connector.type == SYSTEM_TYPE:
        raise InvalidInput("id", f"{id_} is a system connector and cannot be run here.")
    _require_enabled(ground, connector.type)
    try:
        worker = await working(ground, asking.space.id, connector, log=CallLog(), before_call=None)
    except ConnectorError as fault:
        return Execution(ok=False, message=fault.message)
    try:
        sub_action, sub_params = _sub_action(params)
        if legacy and sub_action == PUSH:
            sub_params = _incident_params(connector.type, sub_params)
        data = await worker.execute(sub_action, sub_params)
    except InvalidParams as fault:
        return Execution(ok=False, message=str(fault))
    except ConnectorError as fault:
        message = "An error occurred while running the connector."
        return Execution(ok=False, message=message, service_message=fault.message, retry=True)
    if sub_action != PUSH:
        data = _without(Scrubber(secrets_of(ground, connector)), data)
    return Execution(ok=True, data=data)


def _incident_params(type_id: str, params: dict[str, Any]) -> dict[str, Any]:
    try:
        return incident_params(type_id, params)
    except msgspec.ValidationError as fault:
        raise InvalidParams("subActionParams", str(fault)) from None


def _without(scrub: Scrubber, data: Any) -> Any:
    """What a system told, without the secrets it may show, such as the user name of whoever asks."""
    if isinstance(data, str):
        return scrub(data)
    if isinstance(data, dict):
        return {key: _without(scrub, value) for key, value in data.items()}
    return [_without(scrub, each) for each in data] if isinstance(data, list) else data


def _sub_action(params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    sub_action, sub_params = params.get("subAction"), params.get("subActionParams", {})
    if unknown := set(params) - {"subAction", "subActionParams"}:
        raise InvalidParams("params", f"unknown keys: {', '.join(sorted(unknown))}.")
    if not isinstance(sub_action, str):
        raise InvalidParams("params.subAction", "expected a text.")
    if not isinstance(sub_params, dict):
        raise InvalidParams("params.subActionParams", "expected an object.")
    return sub_action, sub_params


async def reseal_all(database: Database, vault: Vault) -> int:
    """Seal the secrets of every connector with the newest key; how many there are.

    Goes round again until nothing is left under an older key: a server may be saving connectors meanwhile.
    """
    while True:
        sealed = await connectors.list_sealed(database)
        old = [each for each in sealed if not vault.is_newest(each[2])]
        if not old:
            return len(sealed)
        for space_id, id_, envelope in old:
            name = about(space_id, id_)
            new = vault.seal(vault.open(envelope, name), name)
            await database.commit([connectors.reseal_write(space_id, id_, envelope, new)])
