"""Routes of profiles (access.md 7)."""

from __future__ import annotations

import time

from msgspec import UNSET

from casebridge.api.routing import Call, Route
from casebridge.domain.errors import InvalidInput, Unauthenticated
from casebridge.security.authentication import Credentials
from casebridge.services import profiles
from casebridge.wire.profiles import (
    AVATAR,
    Activate,
    BulkGetProfiles,
    DataQuery,
    FailedProfiles,
    FoundProfile,
    FoundProfiles,
    FullProfile,
    FullProfiles,
    ProfileQuery,
    ProfileShape,
    SearchProfiles,
    SuggestProfiles,
    Total,
)


async def _suggest(call: Call) -> list[ProfileShape]:
    body: SuggestProfiles = call.body
    found = await profiles.suggest(call.ground, call.asking, body.name, body.owners, body.size, call.kernel.callers)
    return [ProfileShape.of(profile, AVATAR) for profile in found]


async def _bulk_get(call: Call) -> list[ProfileShape]:
    body: BulkGetProfiles = call.body
    path = None if body.dataPath is UNSET else body.dataPath
    return [ProfileShape.of(each, path) for each in await profiles.get_many(call.ground, call.asking, body.uids)]


async def _own(call: Call) -> ProfileShape:
    return ProfileShape.of(await profiles.own(call.ground, call.asking), call.query.dataPath)


async def _search(call: Call) -> FoundProfiles:
    body: SearchProfiles = call.body or SearchProfiles()
    began = time.monotonic()
    data = None if body.data is UNSET else body.data
    found, total = await profiles.search(call.ground, call.asking, body.name, body.size, body.hint.uids)
    return FoundProfiles(
        took=round((time.monotonic() - began) * 1000),
        total=Total(value=total),
        profiles=[FoundProfile.of(profile, data) for profile in found],
    )


async def _get(call: Call) -> FullProfiles:
    uids = list(dict.fromkeys(call.path["uids"].split(",")))
    found = await profiles.get_many(call.ground, call.asking, uids)
    known = {profile.uid for profile in found}
    unknown = {
        uid: {"type": "resource_not_found_exception", "reason": "There is no profile of this id."}
        for uid in uids
        if uid not in known
    }
    return FullProfiles(
        profiles=[FullProfile.of(profile, call.query.data) for profile in found],
        errors=FailedProfiles(count=len(unknown), details=unknown) if unknown else UNSET,
    )


async def _activate(call: Call) -> FullProfile:
    body: Activate = call.body
    if body.grant_type == "access_token":
        if body.access_token is UNSET:
            raise InvalidInput("access_token", "is required with this grant_type.")
        raise Unauthenticated
    if body.username is UNSET or body.password is UNSET:
        raise InvalidInput("username, password", "are required with this grant_type.")
    shown = Credentials(body.username, body.password)
    profile = await profiles.activate_by_password(call.ground, call.asking, shown, call.kernel.callers)
    return FullProfile.of(profile)


_TAG = "profiles"

ROUTES = (
    Route(
        "POST", "/internal/cases/_suggest_user_profiles", _suggest,
        name="suggestAssignees", summary="Users who may be assigned", tag=_TAG,
        body=SuggestProfiles, answer=list[ProfileShape], errors=(403,),
    ),
    Route(
        "POST", "/internal/security/user_profile/_bulk_get", _bulk_get,
        name="bulkGetProfiles", summary="Profiles by id", tag=_TAG,
        body=BulkGetProfiles, answer=list[ProfileShape], errors=(403,),
    ),
    Route(
        "GET", "/internal/security/user_profile", _own,
        name="getOwnProfile", summary="The caller's profile", tag=_TAG,
        query=ProfileQuery, answer=ProfileShape, errors=(404,),
    ),
    Route(
        "POST", "/_security/profile/_suggest", _search,
        name="searchProfiles", summary="Profiles by name", tag=_TAG, public=False,
        body=SearchProfiles, body_optional=True, answer=FoundProfiles, errors=(403,),
    ),
    Route(
        "GET", "/_security/profile/{uids}", _get,
        name="getProfiles", summary="Profiles by id, several separated by commas", tag=_TAG, public=False,
        query=DataQuery, answer=FullProfiles, errors=(403,),
    ),
    Route(
        "POST", "/_security/profile/_activate", _activate,
        name="activateProfile", summary="Make or refresh the profile of who signs in", tag=_TAG, public=False,
        body=Activate, answer=FullProfile, errors=(403,),
    ),
)  # fmt: skip
