"""Routes of roles (access.md 6)."""

from __future__ import annotations

from casebridge.api.routing import Call, Route
from casebridge.services import roles
from casebridge.wire.roles import PutRole, PutRoleQuery, RoleShape, RolesQuery


async def _put(call: Call) -> None:
    body: PutRole = call.body
    role = body.to_domain(call.path["name"])
    await roles.put(call.ground, call.asking, role, create_only=call.query.createOnly)


async def _get(call: Call) -> RoleShape:
    return RoleShape.of(await roles.get(call.ground, call.asking, call.path["name"]))


async def _list(call: Call) -> list[RoleShape]:
    return [RoleShape.of(role) for role in await roles.list_all(call.ground, call.asking)]


async def _delete(call: Call) -> None:
    await roles.delete(call.ground, call.asking, call.path["name"])


_TAG = "roles"
_ALL, _ONE = "/api/security/role", "/api/security/role/{name}"

ROUTES = (
    Route(
        "GET", _ALL, _list,
        name="listRoles", summary="Every role by name", tag=_TAG, query=RolesQuery,
        answer=list[RoleShape], errors=(403,),
    ),
    Route(
        "GET", _ONE, _get,
        name="getRole", summary="One role", tag=_TAG, query=RolesQuery, answer=RoleShape, errors=(403, 404),
    ),
    Route(
        "PUT", _ONE, _put,
        name="putRole", summary="Create or replace a role", tag=_TAG, query=PutRoleQuery,
        body=PutRole, status=204, errors=(403, 409),
    ),
    Route(
        "DELETE", _ONE, _delete,
        name="deleteRole", summary="Delete a role", tag=_TAG, status=204, errors=(403, 404),
    ),
)  # fmt: skip
