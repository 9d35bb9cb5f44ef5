"""Routes of the case configuration, today's and that of 7.10, the founding call among them."""

from __future__ import annotations

from casebridge.api.routing import Call, Route
from casebridge.domain.space import SECURITY
from casebridge.services import configure, connectors
from casebridge.wire.configurations import (
    ConfigurationShape,
    ConfigureQuery,
    CreateConfiguration,
    NoConfiguration,
    OldConfigurationShape,
    OldCreateConfiguration,
    OldUpdateConfiguration,
    UpdateConfiguration,
    configuration_shape,
    definitions,
    observable_types,
    old_configuration_shape,
    templates,
)
from casebridge.wire.connectors import ConfigureConnectorShape, OldConfigureConnectorShape


async def _list(call: Call) -> list[ConfigurationShape]:
    found = await configure.list_configurations(call.ground, call.asking, call.query.owner)
    return [configuration_shape(each) for each in found]


async def _create(call: Call) -> ConfigurationShape:
    body: CreateConfiguration = call.body
    stored = await configure.replace_configuration(
        call.ground,
        call.asking,
        owner=body.owner,
        connector=body.connector.to_domain(),
        closure_type=body.closure_type,
        custom_fields=definitions(body.customFields),
        templates=templates(body.templates),
        observable_types=observable_types(body.observableTypes),
    )
    return configuration_shape(stored)


async def _update(call: Call) -> ConfigurationShape:
    body: UpdateConfiguration = call.body
    stored = await configure.change_by_id(
        call.ground, call.asking, call.path["configuration_id"], body.version, body.to_domain()
    )
    return configuration_shape(stored)


async def _connectors(call: Call) -> list[ConfigureConnectorShape]:
    found = await connectors.list_for_cases(call.ground, call.asking)
    return [ConfigureConnectorShape.of(each, each.referenced_by_count) for each in found]


async def _old_get(call: Call) -> OldConfigurationShape | NoConfiguration:
    found = await configure.list_configurations(call.ground, call.asking, (SECURITY,))
    return old_configuration_shape(found[0]) if found else NoConfiguration()


async def _old_create(call: Call) -> OldConfigurationShape:
    body: OldCreateConfiguration = call.body
    stored = await configure.replace_configuration(
        call.ground,
        call.asking,
        owner=SECURITY,
        connector=body.connector.to_domain(),
        closure_type=body.closure_type,
        keep_lists=True,
    )
    return old_configuration_shape(stored)


async def _old_update(call: Call) -> OldConfigurationShape:
    body: OldUpdateConfiguration = call.body
    stored = await configure.change_without_id(call.ground, call.asking, body.version, body.to_domain())
    return old_configuration_shape(stored)


_OLD_TYPES = (".servicenow", ".jira", ".resilient")


async def _old_connectors(call: Call) -> list[OldConfigureConnectorShape]:
    found = await connectors.list_for_cases(call.ground, call.asking)
    return [OldConfigureConnectorShape.of(each, each.referenced_by_count) for each in found if each.type in _OLD_TYPES]


_TAG = "configuration"

ROUTES = (
    Route(
        "GET", "/api/cases/configure", _list,
        name="listConfigurations", summary="Configurations of the owners one may read", tag=_TAG,
        query=ConfigureQuery, answer=list[ConfigurationShape], errors=(403,),
    ),
    Route(
        "POST", "/api/cases/configure", _create,
        name="createConfiguration", summary="Set the configuration of an owner, replacing any present one", tag=_TAG,
        body=CreateConfiguration, answer=ConfigurationShape, errors=(403,),
    ),
    Route(
        "PATCH", "/api/cases/configure/{configuration_id}", _update,
        name="updateConfiguration", summary="Change parts of a configuration", tag=_TAG,
        body=UpdateConfiguration, answer=ConfigurationShape, errors=(403, 404, 409),
    ),
    Route(
        "GET", "/api/cases/configure/connectors/_find", _connectors,
        name="findConfigureConnectors", summary="Connectors usable for cases", tag=_TAG,
        answer=list[ConfigureConnectorShape], errors=(403,),
    ),
    Route(
        "PATCH", "/api/cases/configure", _old_update,
        name="updateConfigurationOf710", summary="Change the configuration of the security app: the 7.10 call",
        tag=_TAG, dialect="both", body=OldUpdateConfiguration, answer=OldConfigurationShape, errors=(403, 409),
    ),
    Route(
        "GET", "/api/cases/configure", _old_get,
        name="getConfigurationOf710", summary="The one configuration, or {}", tag=_TAG, dialect="7.10",
        answer=OldConfigurationShape | NoConfiguration, errors=(403,),
    ),
    Route(
        "POST", "/api/cases/configure", _old_create,
        name="createConfigurationOf710", summary="Set the one configuration, replacing any present one", tag=_TAG,
        dialect="7.10", body=OldCreateConfiguration, answer=OldConfigurationShape, errors=(403,),
    ),
    Route(
        "GET", "/api/cases/configure/connectors/_find", _old_connectors,
        name="findConfigureConnectorsOf710", summary="Connectors usable for cases, as 7.10 knew them", tag=_TAG,
        dialect="7.10", answer=list[OldConfigureConnectorShape], errors=(403,),
    ),
)  # fmt: skip
