"""Routes of users: Elasticsearch's, and the caller's own (extensions.md 3, access.md 7)."""

from __future__ import annotations

from msgspec import UNSET

from casebridge.api.routing import Call, Route
from casebridge.domain.user import Account
from casebridge.services import users
from casebridge.storage import accounts, profiles
from casebridge.wire.users import Created, Gone, MeShape, Nothing, PutUser, SetPassword, UserShape


def _by_name(found: list[Account]) -> dict[str, UserShape]:
    return {account.username: UserShape.of(account) for account in found}


async def _list(call: Call) -> dict[str, UserShape]:
    return _by_name(await users.list_all(call.ground, call.asking))


async def _get(call: Call) -> dict[str, UserShape]:
    return _by_name(await users.get_many(call.ground, call.asking, call.path["username"].split(",")))


async def _put(call: Call) -> Created:
    body: PutUser = call.body
    wanted = users.WantedUser(
        username=call.path["username"],
        roles=tuple(body.roles),
        password=None if body.password is UNSET else body.password,
        full_name=body.full_name,
        email=body.email,
        enabled=body.enabled,
        metadata=body.metadata or {},
    )
    made = await users.put(call.ground, call.asking, wanted, call.kernel.callers.door.passwords)
    return Created(created=made)


async def _delete(call: Call) -> Gone:
    await users.delete(call.ground, call.asking, call.path["username"])
    return Gone(found=True)


async def _set_password(call: Call) -> Nothing:
    body: SetPassword = call.body
    current = None if body.current_password is UNSET else body.current_password
    door = call.kernel.callers.door
    await users.set_password(call.ground, call.asking, call.path["username"], body.password, current, door)
    return Nothing()


async def _enable(call: Call) -> Nothing:
    await users.set_enabled(call.ground, call.asking, call.path["username"], enabled=True)
    return Nothing()


async def _disable(call: Call) -> Nothing:
    await users.set_enabled(call.ground, call.asking, call.path["username"], enabled=False)
    return Nothing()


async def _me(call: Call) -> MeShape:
    actor = call.asking.actor
    username = actor.user.username
    stored = None if username is None else await accounts.get(call.ground.database, username)
    profile = None if username is None else await profiles.of_user(call.ground.database, username)
    return MeShape(
        username=username,
        full_name=actor.user.full_name,
        email=actor.user.email,
        roles=list(actor.roles),
        metadata={} if stored is None else dict(stored.account.metadata),
        enabled=True,
        authentication_type="realm" if actor.key_id is None else "api_key",
        profile_uid=UNSET if profile is None else profile.uid,
    )


_TAG = "users"
_ALL, _ONE = "/_security/user", "/_security/user/{username}"

ROUTES = (
    Route(
        "GET", _ALL, _list,
        name="listUsers", summary="Every user", tag=_TAG, public=False, answer=dict[str, UserShape], errors=(403,),
    ),
    Route(
        "GET", _ONE, _get,
        name="getUsers", summary="Users by name, several separated by commas", tag=_TAG, public=False,
        answer=dict[str, UserShape], errors=(403, 404),
    ),
    *(
        Route(
            method, _ONE, _put,
            name=f"{verb}User", summary="Create or replace a user", tag=_TAG, public=False,
            body=PutUser, answer=Created, errors=(403, 409),
        )
        for method, verb in (("PUT", "put"), ("POST", "post"))
    ),
    Route(
        "DELETE", _ONE, _delete,
        name="deleteUser", summary="Delete a user and the user's keys", tag=_TAG, public=False,
        answer=Gone, errors=(403, 404, 409),
    ),
    Route(
        "PUT", f"{_ONE}/_password", _set_password,
        name="setPassword", summary="Set a password", tag=_TAG, public=False,
        body=SetPassword, answer=Nothing, errors=(403, 404),
    ),
    *(
        Route(
            "PUT", f"{_ONE}/_{word}", handler,
            name=f"{word}User", summary=summary, tag=_TAG, public=False,
            answer=Nothing, errors=(403, 404, 409),
        )
        for word, handler, summary in (
            ("enable", _enable, "Let a user in again"), ("disable", _disable, "Keep a user out"),
        )
    ),
    Route("GET", "/internal/security/me", _me, name="getMe", summary="The caller", tag=_TAG, answer=MeShape),
)  # fmt: skip
