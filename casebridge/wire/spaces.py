"""Spaces on the wire (access.md 5)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from casebridge.domain.space import Space
from casebridge.wire.base import Body, Shape

SpaceId = Annotated[str, Meta(min_length=1, max_length=512, pattern="^[a-z0-9_-]+$")]
Name = Annotated[str, Meta(min_length=1, pattern=r"\S")]
Color = Annotated[str, Meta(pattern="^#[a-zA-Z0-9]{6}$")]
Initials = Annotated[str, Meta(max_length=2)]
ImageUrl = Annotated[str, Meta(pattern="^($|data:image)")]
Features = Annotated[list[str], Meta(max_length=100)]
Solution = Literal["es", "oblt", "security", "classic"]
Purpose = Literal["any", "copySavedObjectsIntoSpace", "shareSavedObjectsIntoSpace"]


class ReplaceSpace(Body):
    """Body of PUT. An `id` may be sent along, but the one in the path counts."""

    name: Name
    id: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    initials: Initials | UnsetType = UNSET
    color: Color | UnsetType = UNSET
    imageUrl: ImageUrl | UnsetType = UNSET
    disabledFeatures: Features = []
    solution: Solution | UnsetType = UNSET

    def to_domain(self, id_: str) -> Space:
        """The space of this id as asked for."""
        return Space(
            id=id_,
            name=self.name,
            description=_known(self.description),
            initials=_known(self.initials),
            color=_known(self.color),
            image_url=_known(self.imageUrl),
            disabled_features=tuple(self.disabledFeatures),
            solution=_known(self.solution),
        )


class CreateSpace(ReplaceSpace):
    """Body of POST."""

    id: SpaceId


class SpaceShape(Shape):
    """A space in an answer; what was not given is absent."""

    id: str
    name: str
    disabledFeatures: list[str]
    description: str | UnsetType = UNSET
    initials: str | UnsetType = UNSET
    color: str | UnsetType = UNSET
    imageUrl: str | UnsetType = UNSET
    solution: str | UnsetType = UNSET
    reserved: bool | UnsetType = msgspec.field(name="_reserved", default=UNSET)

    @classmethod
    def of(cls, space: Space) -> SpaceShape:
        """The shape of a space."""
        return cls(
            id=space.id,
            name=space.name,
            disabledFeatures=list(space.disabled_features),
            description=_given(space.description),
            initials=_given(space.initials),
            color=_given(space.color),
            imageUrl=_given(space.image_url),
            solution=_given(space.solution),
            reserved=True if space.reserved else UNSET,
        )


class SpacesQuery(Body):
    """Query of the list. Neither key changes the answer: whoever may use a space may use it for every purpose."""

    purpose: Purpose | None = None
    include_authorized_purposes: bool | None = None


def _known(value: str | UnsetType) -> str | None:
    return None if value is UNSET else value


def _given(value: str | None) -> str | UnsetType:
    return UNSET if value is None else value
