"""Roles on the wire (access.md 6). What a feature or privilege is called is checked where roles are stored."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from casebridge.domain.role import Role, RoleEntry
from casebridge.wire.base import Body, Shape

Names = Annotated[list[str], Meta(max_length=1_000)]
Some = Annotated[list[str], Meta(min_length=1, max_length=1_000)]
Description = Annotated[str, Meta(max_length=2_048)]
Id = Annotated[str, Meta(min_length=1, max_length=1_024, pattern=r"^[a-zA-Z0-9_-]+$")]


class Indices(Body):
    """Index privileges: kept and given back."""

    names: Some
    privileges: Some
    query: str | UnsetType = UNSET
    field_security: dict[str, Any] | UnsetType = UNSET
    allow_restricted_indices: bool | UnsetType = UNSET


class ElasticsearchPart(Body):
    """The part of a role that means nothing here: kept and given back."""

    cluster: Names | UnsetType = UNSET
    indices: Annotated[list[Indices], Meta(max_length=1_000)] | UnsetType = UNSET
    run_as: Names | UnsetType = UNSET
    remote_indices: list[dict[str, Any]] | UnsetType = UNSET
    remote_cluster: list[dict[str, Any]] | UnsetType = UNSET


class Entry(Body):
    """Privileges in some spaces."""

    spaces: Names = msgspec.field(default_factory=lambda: ["*"])
    base: Names = []
    feature: dict[Id, Annotated[list[Id], Meta(max_length=100)]] = {}

    def to_domain(self) -> RoleEntry:
        """The entry."""
        feature = {id_: tuple(privileges) for id_, privileges in self.feature.items()}
        return RoleEntry(tuple(self.spaces), tuple(self.base), feature)


class PutRole(Body):
    """Body of PUT: the whole role."""

    elasticsearch: ElasticsearchPart
    description: Description | UnsetType = UNSET
    metadata: dict[str, Any] = {}
    kibana: Annotated[list[Entry], Meta(max_length=1_000)] = []

    def to_domain(self, name: str) -> Role:
        """The role of this name."""
        return Role(
            name,
            tuple(entry.to_domain() for entry in self.kibana),
            None if self.description is UNSET else self.description,
            self.metadata,
            msgspec.to_builtins(self.elasticsearch),
        )


class PutRoleQuery(Body):
    """Query of PUT."""

    createOnly: bool = False


class RolesQuery(Body):
    """Query of the two reads. Privileges that were replaced by newer ones are given as they were stored."""

    replaceDeprecatedPrivileges: bool = False


class EntryShape(Shape):
    """Privileges in some spaces, every part there."""

    base: list[str]
    feature: dict[str, list[str]]
    spaces: list[str]


class RoleShape(Shape):
    """A role in an answer."""

    name: str
    metadata: dict[str, Any]
    transient_metadata: dict[str, Any]
    elasticsearch: dict[str, Any]
    kibana: list[EntryShape]
    transform_error: list[str] = msgspec.field(name="_transform_error", default=[])
    unrecognized: list[str] = msgspec.field(name="_unrecognized_applications", default=[])
    description: str | UnsetType = UNSET

    @classmethod
    def of(cls, role: Role) -> RoleShape:
        """The shape of a role."""
        return cls(
            name=role.name,
            metadata=dict(role.metadata),
            transient_metadata={"enabled": True},
            elasticsearch={"cluster": [], "indices": [], "run_as": [], **role.elasticsearch},
            kibana=[
                EntryShape(
                    base=list(entry.base),
                    feature={id_: list(privileges) for id_, privileges in entry.feature.items()},
                    spaces=list(entry.spaces),
                )
                for entry in role.entries
            ],
            description=UNSET if role.description is None else role.description,
        )
