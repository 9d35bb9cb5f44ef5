"""Case configurations: reading, replacing and changing what holds for the cases of an owner (contract configure.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from casebridge.domain.configuration import (
    Configuration,
    ConfigurationChanges,
    ObservableType,
    change_configuration,
    check_configuration,
    check_observable_type_shapes,
    check_observable_types,
    check_template_shapes,
)
from casebridge.domain.connector import CaseConnector
from casebridge.domain.custom_field import CustomFieldDefinition, check_definitions
from casebridge.domain.errors import Conflict, NotFound, VersionConflict
from casebridge.domain.space import SECURITY
from casebridge.domain.version import version_text
from casebridge.security.privileges import permitted_owners, require
from casebridge.services.ground import Asking, Ground
from casebridge.storage import audit, configurations


async def list_configurations(ground: Ground, asking: Asking, owners: Sequence[str] | None) -> list[Configuration]:
    """Configurations of the owners asked for that the caller may read, oldest first."""
    readable = permitted_owners(asking.actor, "findConfigurations", asking.space, owners)
    return await configurations.list_all(ground.database, asking.space.id, readable)


async def replace_configuration(
    ground: Ground,
    asking: Asking,
    *,
    owner: str,
    connector: CaseConnector,
    closure_type: str,
    custom_fields: Sequence[CustomFieldDefinition] = (),
    templates: Sequence[dict[str, Any]] = (),
    observable_types: Sequence[ObservableType] = (),
    keep_lists: bool = False,
) -> Configuration:
    """A new configuration in place of the owner's present one, if any, of which nothing survives.

    `keep_lists`: the lists that a client of the 7.10 dialect cannot send survive all the same.
    """
    check_configuration(custom_fields, templates, observable_types)
    require(asking.actor, "createConfiguration", owner, asking.space)
    new = Configuration(
        id=ground.new_id(),
        space=asking.space.id,
        owner=owner,
        connector=connector.normalised(),
        closure_type=closure_type,
        custom_fields=tuple(custom_fields),
        templates=tuple(templates),
        observable_types=tuple(observable_types),
        created_at=ground.now(),
        created_by=asking.actor.user,
    )
    while True:
        stored = await configurations.of_owner(ground.database, asking.space.id, owner) if keep_lists else None
        if stored is None:
            write = configurations.put_write(new)
        else:
            new = msgspec.structs.replace(
                new,
                custom_fields=stored.custom_fields,
                templates=stored.templates,
                observable_types=stored.observable_types,
            )
            write = configurations.replace_write(stored, new, VersionConflict("cases-configure", stored.id))
        try:
            return await _save(ground, asking, "case_configuration_create", write, new)
        except VersionConflict:
            # Lists changed while we carried them over: take the newer ones.
            continue


async def change_by_id(
    ground: Ground, asking: Asking, id_: str, version: str, changes: ConfigurationChanges
) -> Configuration:
    """The configuration after a PATCH of today's API, refusals in the order of configure.md 4."""
    _check_shapes(changes)
    stored = await configurations.get(ground.database, asking.space.id, id_)
    if stored is None:
        raise NotFound("cases-configure", id_)
    changed = change_configuration(stored, changes, by=asking.actor.user, at=ground.now())
    require(asking.actor, "updateConfiguration", stored.owner, asking.space)
    return await _change(ground, asking, stored, version, changed)


async def change_without_id(
    ground: Ground, asking: Asking, version: str, changes: ConfigurationChanges
) -> Configuration:
    """The founding call: the configuration of `securitySolution` after a PATCH without an id (dialect-7.10.md 3.4)."""
    require(asking.actor, "updateConfiguration", SECURITY, asking.space)
    stored = await configurations.of_owner(ground.database, asking.space.id, SECURITY)
    if stored is None:
        raise Conflict("There is no configuration to update in this space; create it first with POST.")
    changed = change_configuration(stored, changes, by=asking.actor.user, at=ground.now())
    return await _change(ground, asking, stored, version, changed)


def _check_shapes(changes: ConfigurationChanges) -> None:
    if isinstance(changes.templates, tuple):
        check_template_shapes(changes.templates)
    if isinstance(changes.observable_types, tuple):
        check_observable_type_shapes(changes.observable_types)
    if isinstance(changes.custom_fields, tuple):
        check_definitions(changes.custom_fields)
    if isinstance(changes.observable_types, tuple):
        check_observable_types(changes.observable_types)


async def _change(
    ground: Ground, asking: Asking, stored: Configuration, version: str, changed: Configuration
) -> Configuration:
    stale = VersionConflict("cases-configure", stored.id)
    if version != version_text(stored.version):
        raise stale
    write = configurations.update_write(stored, changed, stale)
    return await _save(ground, asking, "case_configuration_update", write, changed)


async def _save(ground: Ground, asking: Asking, action: str, write: Any, configuration: Configuration) -> Configuration:
    event = audit.event_write(
        action, asking.actor, asking.space.id, "cases-configure", [configuration.id], ground.now()
    )
    rows = await ground.database.commit([write, event])
    return msgspec.structs.replace(configuration, version=rows[0][0]["version"])
