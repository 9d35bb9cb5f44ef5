"""Routes of the actions API: connectors under today's names and those of 7.x."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from casebridge.api.routing import Call, Route
from casebridge.domain.connector import Connector
from casebridge.services import connectors
from casebridge.services.connectors import Execution
from casebridge.wire.base import Body
from casebridge.wire.connectors import (
    ConnectorShape,
    ConnectorTypeShape,
    CreateConnector,
    Execute,
    ExecuteResult,
    LegacyConnectorShape,
    LegacyConnectorTypeShape,
    LegacyCreateConnector,
    LegacyExecuteResult,
    UpdateConnector,
)


class TypesQuery(Body):
    feature_id: str | None = None


async def _create(call: Call) -> ConnectorShape:
    body: CreateConnector = call.body
    created = await connectors.create(
        call.ground,
        call.asking,
        id_=call.path.get("id"),
        name=body.name,
        type_id=body.connector_type_id,
        config=body.config,
        secrets=body.secrets,
    )
    return ConnectorShape.of(created)


async def _get(call: Call) -> ConnectorShape:
    return ConnectorShape.of(await connectors.get(call.ground, call.asking, call.path["id"]))


async def _list(call: Call) -> list[ConnectorShape]:
    found = await connectors.list_all(call.ground, call.asking)
    return [ConnectorShape.of(each, each.referenced_by_count) for each in found]


async def _update(call: Call) -> ConnectorShape:
    return ConnectorShape.of(await _replaced(call, legacy=False))


async def _replaced(call: Call, *, legacy: bool) -> Connector:
    body: UpdateConnector = call.body
    return await connectors.replace(
        call.ground,
        call.asking,
        call.path["id"],
        name=body.name,
        config=body.config,
        secrets=body.secrets,
        legacy=legacy,
    )


async def _delete(call: Call) -> None:
    await connectors.delete(call.ground, call.asking, call.path["id"])


async def _types(call: Call) -> list[ConnectorTypeShape]:
    return [
        ConnectorTypeShape(
            id=type_.type_id,
            name=type_.label,
            enabled=enabled,
            enabled_in_config=enabled,
            enabled_in_license=True,
            minimum_license_required=type_.minimum_license_required,
            supported_feature_ids=list(type_.supported_feature_ids),
        )
        for type_, enabled in connectors.list_types(call.ground, call.query.feature_id)
    ]


async def _executed(call: Call, *, legacy: bool) -> Execution:
    body: Execute = call.body
    return await connectors.execute(call.ground, call.asking, call.path["id"], body.params, legacy=legacy)


async def _execute(call: Call) -> ExecuteResult:
    run = await _executed(call, legacy=False)
    return ExecuteResult(
        status="ok" if run.ok else "error",
        connector_id=call.path["id"],
        data=UNSET if run.data is None else run.data,
        message=_given(run.message),
        service_message=_given(run.service_message),
        retry=UNSET if run.ok else run.retry,
    )


def _given(text: str | None) -> str | UnsetType:
    return UNSET if text is None else text


async def _old_create(call: Call) -> LegacyConnectorShape:
    body: LegacyCreateConnector = call.body
    created = await connectors.create(
        call.ground,
        call.asking,
        name=body.name,
        type_id=body.actionTypeId,
        config=body.config,
        secrets=body.secrets,
        legacy=True,
    )
    return LegacyConnectorShape.of(created)


async def _old_get(call: Call) -> LegacyConnectorShape:
    return LegacyConnectorShape.of(await connectors.get(call.ground, call.asking, call.path["id"]))


async def _old_list(call: Call) -> list[LegacyConnectorShape]:
    found = await connectors.list_all(call.ground, call.asking)
    return [LegacyConnectorShape.of(each, each.referenced_by_count) for each in found]


async def _old_update(call: Call) -> LegacyConnectorShape:
    return LegacyConnectorShape.of(await _replaced(call, legacy=True))


async def _old_types(call: Call) -> list[LegacyConnectorTypeShape]:
    return [
        LegacyConnectorTypeShape(
            id=type_.type_id,
            name=type_.label,
            enabled=enabled,
            enabledInConfig=enabled,
            enabledInLicense=True,
            minimumLicenseRequired=type_.minimum_license_required,
            supportedFeatureIds=list(type_.supported_feature_ids),
        )
        for type_, enabled in connectors.list_types(call.ground, None)
    ]


async def _old_execute(call: Call) -> LegacyExecuteResult:
    run = await _executed(call, legacy=True)
    return LegacyExecuteResult(
        status="ok" if run.ok else "error",
        actionId=call.path["id"],
        data=UNSET if run.data is None else run.data,
        message=_given(run.message),
        serviceMessage=_given(run.service_message),
        retry=UNSET if run.ok else run.retry,
    )


_TAG = "connectors"
_ONE, _OLD_ONE = "/api/actions/connector/{id}", "/api/actions/action/{id}"

ROUTES = (
    Route(
        "POST", "/api/actions/connector", _create,
        name="createConnector", summary="Create a connector", tag=_TAG,
        body=CreateConnector, answer=ConnectorShape, errors=(403,),
    ),
    Route(
        "POST", _ONE, _create,
        name="createConnectorWithId", summary="Create a connector under an id of one's own", tag=_TAG,
        body=CreateConnector, answer=ConnectorShape, errors=(403, 409),
    ),
    Route(
        "GET", _ONE, _get,
        name="getConnector", summary="One connector", tag=_TAG, answer=ConnectorShape, errors=(403, 404),
    ),
    Route(
        "PUT", _ONE, _update,
        name="updateConnector", summary="Replace name, config and secrets of a connector", tag=_TAG,
        body=UpdateConnector, answer=ConnectorShape, errors=(403, 404),
    ),
    Route(
        "DELETE", _ONE, _delete,
        name="deleteConnector", summary="Delete a connector", tag=_TAG, status=204, errors=(403, 404),
    ),
    Route(
        "GET", "/api/actions/connectors", _list,
        name="listConnectors", summary="All connectors by name", tag=_TAG,
        answer=list[ConnectorShape], errors=(403,),
    ),
    Route(
        "GET", "/api/actions/connector_types", _types,
        name="listConnectorTypes", summary="Connector types", tag=_TAG,
        query=TypesQuery, answer=list[ConnectorTypeShape],
    ),
    Route(
        "POST", f"{_ONE}/_execute", _execute,
        name="executeConnector", summary="Run a sub-action of a connector", tag=_TAG,
        body=Execute, answer=ExecuteResult, errors=(403, 404),
    ),
    Route(
        "POST", "/api/actions/action", _old_create,
        name="createAction", summary="Create a connector (7.x name)", tag=_TAG, dialect="both",
        body=LegacyCreateConnector, answer=LegacyConnectorShape, errors=(403,),
    ),
    Route(
        "GET", _OLD_ONE, _old_get,
        name="getAction", summary="One connector (7.x name)", tag=_TAG, dialect="both",
        answer=LegacyConnectorShape, errors=(403, 404),
    ),
    Route(
        "PUT", _OLD_ONE, _old_update,
        name="updateAction", summary="Replace a connector (7.x name)", tag=_TAG, dialect="both",
        body=UpdateConnector, answer=LegacyConnectorShape, errors=(403, 404),
    ),
    Route(
        "DELETE", _OLD_ONE, _delete,
        name="deleteAction", summary="Delete a connector (7.x name)", tag=_TAG, dialect="both",
        status=204, errors=(403, 404),
    ),
    Route(
        "GET", "/api/actions", _old_list,
        name="listActions", summary="All connectors by name (7.x name)", tag=_TAG, dialect="both",
        answer=list[LegacyConnectorShape], errors=(403,),
    ),
    Route(
        "GET", "/api/actions/list_action_types", _old_types,
        name="listActionTypes", summary="Connector types (7.x name)", tag=_TAG, dialect="both",
        answer=list[LegacyConnectorTypeShape],
    ),
    Route(
        "POST", f"{_OLD_ONE}/_execute", _old_execute,
        name="executeAction", summary="Run a sub-action of a connector (7.x name)", tag=_TAG, dialect="both",
        body=Execute, answer=LegacyExecuteResult, errors=(403, 404),
    ),
)  # fmt: skip
