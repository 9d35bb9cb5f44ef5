"""Routes of spaces (access.md 5)."""

from __future__ import annotations

from casebridge.api.routing import Call, Route
from casebridge.services import spaces
from casebridge.wire.spaces import CreateSpace, ReplaceSpace, SpaceShape, SpacesQuery


async def _create(call: Call) -> SpaceShape:
    body: CreateSpace = call.body
    return SpaceShape.of(await spaces.create(call.ground, call.asking, body.to_domain(body.id)))


async def _list(call: Call) -> list[SpaceShape]:
    return [SpaceShape.of(space) for space in await spaces.list_usable(call.ground, call.asking)]


async def _get(call: Call) -> SpaceShape:
    return SpaceShape.of(await spaces.get(call.ground, call.asking, call.path["id"]))


async def _replace(call: Call) -> SpaceShape:
    body: ReplaceSpace = call.body
    return SpaceShape.of(await spaces.replace(call.ground, call.asking, body.to_domain(call.path["id"])))


async def _delete(call: Call) -> None:
    await spaces.delete(call.ground, call.asking, call.path["id"])


_ALL, _ONE = "/api/spaces/space", "/api/spaces/space/{id}"

ROUTES = (
    Route(
        "POST",
        _ALL,
        _create,
        name="createSpace",
        summary="Create a space",
        tag="spaces",
        body=CreateSpace,
        answer=SpaceShape,
        errors=(403, 409),
    ),
    Route(
        "GET",
        _ALL,
        _list,
        name="listSpaces",
        summary="List the spaces the caller may use",
        tag="spaces",
        query=SpacesQuery,
        answer=list[SpaceShape],
        errors=(403,),
    ),
    Route(
        "GET", _ONE, _get, name="getSpace", summary="Get a space", tag="spaces", answer=SpaceShape, errors=(403, 404)
    ),
    Route(
        "PUT",
        _ONE,
        _replace,
        name="replaceSpace",
        summary="Replace a space",
        tag="spaces",
        body=ReplaceSpace,
        answer=SpaceShape,
        errors=(403, 404),
    ),
    Route(
        "DELETE",
        _ONE,
        _delete,
        name="deleteSpace",
        summary="Delete a space and everything in it",
        tag="spaces",
        status=204,
        errors=(403, 404),
    ),
)
