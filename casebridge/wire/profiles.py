"""Profiles on the wire (access.md 7)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from casebridge.domain.profile import Profile
from casebridge.wire.base import Body, Shape

Name = Annotated[str, Meta(max_length=256)]
Uids = Annotated[list[Annotated[str, Meta(max_length=256)]], Meta(max_length=1_000)]
Size = Annotated[int, Meta(ge=0, le=100)]

AVATAR = "avatar"
_PATHS_TO_AVATAR = ("*", "kibana", "kibana.*", "kibana.avatar")


class SuggestProfiles(Body):
    """Who may be assigned."""

    name: Name
    owners: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=10)]
    size: Size = 10


class BulkGetProfiles(Body):
    """Profiles by id; `dataPath` says which of their data is wanted."""

    uids: Uids
    dataPath: Name | UnsetType = UNSET


class ProfileQuery(Body):
    """Query of one's own profile."""

    dataPath: Name | None = None


class ProfileUser(Shape):
    """The user of a profile."""

    username: str
    full_name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET

    @classmethod
    def of(cls, profile: Profile) -> ProfileUser:
        """The shape of the user."""
        return cls(username=profile.username, full_name=profile.full_name or UNSET, email=profile.email or UNSET)


class ProfileShape(Shape):
    """A profile in an answer."""

    uid: str
    enabled: bool
    user: ProfileUser
    data: dict[str, Any]

    @classmethod
    def of(cls, profile: Profile, data_path: str | None) -> ProfileShape:
        """The shape of a profile with the data of a path: `avatar`, `*` for all, None for none."""
        data = _data(profile) if data_path in (AVATAR, "*") else {}
        return cls(uid=profile.uid, enabled=profile.enabled, user=ProfileUser.of(profile), data=data)


class Hint(Body):
    """Profiles to be told first."""

    uids: Uids = []
    labels: dict[str, Any] = {}


class SearchProfiles(Body):
    """Body of Elasticsearch's suggestion of profiles."""

    name: Name = ""
    size: Size = 10
    data: Name | UnsetType = UNSET
    hint: Hint = msgspec.field(default_factory=Hint)


class FullUser(Shape):
    """The user of a profile as Elasticsearch tells it."""

    username: str
    roles: list[str]
    realm_name: str
    full_name: str | None
    email: str | None

    @classmethod
    def of(cls, profile: Profile) -> FullUser:
        """The shape of the user."""
        return cls(
            username=profile.username,
            roles=list(profile.roles),
            realm_name=REALM,
            full_name=profile.full_name,
            email=profile.email,
        )


REALM = "native1"


class FoundProfile(Shape):
    """A profile that was suggested."""

    uid: str
    user: FullUser
    labels: dict[str, Any]
    data: dict[str, Any]

    @classmethod
    def of(cls, profile: Profile, data: str | None) -> FoundProfile:
        """The shape of a profile."""
        return cls(uid=profile.uid, user=FullUser.of(profile), labels={}, data=_named_data(profile, data))


class Total(Shape):
    """How many there are."""

    value: int
    relation: Literal["eq"] = "eq"


class FoundProfiles(Shape):
    """Answer of the suggestion; `took` in milliseconds."""

    took: int
    total: Total
    profiles: list[FoundProfile]


class FullProfile(Shape):
    """A profile as Elasticsearch tells it; `last_synchronized` in milliseconds since 1970."""

    uid: str
    enabled: bool
    last_synchronized: int
    user: FullUser
    labels: dict[str, Any]
    data: dict[str, Any]

    @classmethod
    def of(cls, profile: Profile, data: str | None = None) -> FullProfile:
        """The shape of a profile."""
        return cls(
            uid=profile.uid,
            enabled=profile.enabled,
            last_synchronized=round(profile.synchronized_at.timestamp() * 1000),
            user=FullUser.of(profile),
            labels={},
            data=_named_data(profile, data),
        )


class FailedProfiles(Shape):
    """Ids that are those of no profile, each with the reason."""

    count: int
    details: dict[str, dict[str, str]]


class FullProfiles(Shape):
    """Answer of profiles by id."""

    profiles: list[FullProfile]
    errors: FailedProfiles | UnsetType = UNSET


class DataQuery(Body):
    """Query of profiles by id."""

    data: Name | None = None


class Activate(Body):
    """Body of a sign-in that makes or refreshes a profile."""

    grant_type: Literal["password", "access_token"]
    username: Name | UnsetType = UNSET
    password: str | UnsetType = UNSET
    access_token: str | UnsetType = UNSET

    def __repr__(self) -> str:
        return "Activate(...)"


def _data(profile: Profile) -> dict[str, Any]:
    return {AVATAR: {"initials": profile.initials, "color": profile.color}}


def _named_data(profile: Profile, data: str | None) -> dict[str, Any]:
    """Elasticsearch keeps the data of each application under its name."""
    return (
        {"kibana": _data(profile)} if data is not None and data in ("*", "kibana", "kibana.*", "kibana.avatar") else {}
    )
