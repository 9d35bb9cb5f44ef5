"""Routes of API keys (access.md 8)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from casebridge.api.routing import Call, Route
from casebridge.domain.api_key import read_duration
from casebridge.services import api_keys
from casebridge.wire.api_keys import (
    CreatedKey,
    CreateKey,
    CreateKeyInKibana,
    InvalidatedKeys,
    InvalidateKeys,
    KeyShape,
    KeysQuery,
    KeysShape,
)


async def _create(call: Call) -> CreatedKey:
    body: CreateKey = call.body
    return await _created(call, body, msgspec.to_builtins(body.role_descriptors))


async def _create_in_kibana(call: Call) -> CreatedKey:
    body: CreateKeyInKibana = call.body
    in_shape_of_roles = {
        name: api_keys.Descriptor(
            tuple(entry.to_domain() for entry in each.kibana), msgspec.to_builtins(each.elasticsearch)
        )
        for name, each in body.kibana_role_descriptors.items()
    }
    plain = api_keys.descriptors_of(in_shape_of_roles, "kibana_role_descriptors")
    return await _created(call, body, {**msgspec.to_builtins(body.role_descriptors), **plain})


async def _created(call: Call, body: CreateKey, descriptors: dict[str, Any]) -> CreatedKey:
    expires_in = None if body.expiration is UNSET else read_duration(body.expiration, "expiration")
    wanted = api_keys.WantedKey(
        name=body.name, expires_in=expires_in, metadata=body.metadata, role_descriptors=descriptors
    )
    made = await api_keys.create(call.ground, call.asking, wanted)
    return CreatedKey.of(made.key, made.secret)


async def _list(call: Call) -> KeysShape:
    query: KeysQuery = call.query
    wanted = api_keys.Selection(
        ids=None if query.id is None else [query.id], name=query.name, username=query.username, owner=query.owner
    )
    found = await api_keys.find(call.ground, call.asking, wanted)
    return KeysShape(api_keys=[KeyShape.of(key) for key in found])


async def _invalidate(call: Call) -> InvalidatedKeys:
    body: InvalidateKeys = call.body
    wanted = api_keys.Selection(
        ids=None if body.ids is UNSET else body.ids,
        name=None if body.name is UNSET else body.name,
        username=None if body.username is UNSET else body.username,
        owner=body.owner,
    )
    done = await api_keys.invalidate(call.ground, call.asking, wanted)
    return InvalidatedKeys(invalidated_api_keys=done.now, previously_invalidated_api_keys=done.before)


_TAG = "keys"
_ALL = "/_security/api_key"

ROUTES = (
    *(
        Route(
            method, _ALL, _create,
            name=f"{verb}ApiKey", summary="Create an API key", tag=_TAG, public=False,
            body=CreateKey, answer=CreatedKey, errors=(403, 404),
        )
        for method, verb in (("POST", "create"), ("PUT", "put"))
    ),
    Route(
        "GET", _ALL, _list,
        name="listApiKeys", summary="API keys", tag=_TAG, public=False,
        query=KeysQuery, answer=KeysShape, errors=(403,),
    ),
    Route(
        "DELETE", _ALL, _invalidate,
        name="invalidateApiKeys", summary="End API keys", tag=_TAG, public=False,
        body=InvalidateKeys, answer=InvalidatedKeys, errors=(403, 409),
    ),
    Route(
        "POST", "/internal/security/api_key", _create_in_kibana,
        name="createApiKeyInKibana", summary="Create an API key", tag=_TAG,
        body=CreateKeyInKibana, answer=CreatedKey, errors=(403, 404),
    ),
)  # fmt: skip
