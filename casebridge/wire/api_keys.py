"""API keys on the wire (access.md 8)."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from casebridge.domain.api_key import ApiKey
from casebridge.wire.base import Body, Shape
from casebridge.wire.roles import ElasticsearchPart, Entry, Indices, Names

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Ids = Annotated[list[Annotated[str, Meta(max_length=256)]], Meta(min_length=1, max_length=1_000)]
Expiration = Annotated[str, Meta(min_length=2, max_length=20)]

REALM = "native1"


class Application(Body):
    """Privileges of an application on some of its resources."""

    application: Annotated[str, Meta(min_length=1, max_length=256)]
    privileges: Names
    resources: Names


class RoleDescriptor(Body):
    """What a key is narrowed to. Only the applications mean something here."""

    applications: Annotated[list[Application], Meta(max_length=1_000)] = []
    cluster: Names | UnsetType = UNSET
    index: list[Indices] | UnsetType = UNSET
    indices: list[Indices] | UnsetType = UNSET
    run_as: Names | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    transient_metadata: dict[str, Any] | UnsetType = UNSET
    description: str | UnsetType = UNSET
    remote_indices: list[dict[str, Any]] | UnsetType = UNSET
    remote_cluster: list[dict[str, Any]] | UnsetType = UNSET
    global_: dict[str, Any] | UnsetType = msgspec.field(name="global", default=UNSET)


Descriptors = Annotated[dict[str, RoleDescriptor], Meta(max_length=100)]


class KibanaDescriptor(Body):
    """What a key is narrowed to, in the shape of a role."""

    elasticsearch: ElasticsearchPart = msgspec.field(default_factory=ElasticsearchPart)
    kibana: Annotated[list[Entry], Meta(max_length=1_000)] = []
    metadata: dict[str, Any] | UnsetType = UNSET
    description: str | UnsetType = UNSET


class CreateKey(Body):
    """Body of a new key."""

    name: Name
    expiration: Expiration | UnsetType = UNSET
    metadata: dict[str, Any] = {}
    role_descriptors: Descriptors = {}


class CreateKeyInKibana(CreateKey):
    """The same where descriptors may have the shape of roles."""

    kibana_role_descriptors: Annotated[dict[str, KibanaDescriptor], Meta(max_length=100)] = {}


class CreatedKey(Shape):
    """A new key, its secret among it this once; `expiration` in milliseconds since 1970."""

    id: str
    name: str
    api_key: str
    encoded: str
    expiration: int | UnsetType = UNSET

    @classmethod
    def of(cls, key: ApiKey, secret: str) -> CreatedKey:
        """The shape of a key and its secret."""
        return cls(
            id=key.id,
            name=key.name,
            api_key=secret,
            encoded=b64encode(f"{key.id}:{secret}".encode()).decode(),
            expiration=_ms_or_unset(key.expires_at),
        )

    def __repr__(self) -> str:
        return f"CreatedKey({self.id!r})"


class KeyShape(Shape):
    """A key in an answer, without its secret; times in milliseconds since 1970."""

    id: str
    name: str
    type: str
    creation: int
    invalidated: bool
    username: str
    realm: str
    metadata: dict[str, Any]
    role_descriptors: dict[str, Any]
    expiration: int | UnsetType = UNSET
    invalidation: int | UnsetType = UNSET

    @classmethod
    def of(cls, key: ApiKey) -> KeyShape:
        """The shape of a key."""
        return cls(
            id=key.id,
            name=key.name,
            type="rest",
            creation=_ms(key.created_at),
            invalidated=key.invalidated_at is not None,
            username=key.username,
            realm=REALM,
            metadata=dict(key.metadata),
            role_descriptors=dict(key.role_descriptors),
            expiration=_ms_or_unset(key.expires_at),
            invalidation=_ms_or_unset(key.invalidated_at),
        )


class KeysShape(Shape):
    """Keys in an answer."""

    api_keys: list[KeyShape]


class KeysQuery(Body):
    """Which keys to tell."""

    id: str | None = None
    name: str | None = None
    username: str | None = None
    owner: bool = False


class InvalidateKeys(Body):
    """Which keys to end."""

    ids: Ids | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    username: Name | UnsetType = UNSET
    owner: bool = False


class InvalidatedKeys(Shape):
    """Which keys were ended now, and which had been before."""

    invalidated_api_keys: list[str]
    previously_invalidated_api_keys: list[str]
    error_count: int = 0


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _ms_or_unset(at: datetime | None) -> int | UnsetType:
    return UNSET if at is None else _ms(at)
