"""What a caller may do, worked out: rights per space, several layers of which all must agree.

A right is an operation and the owner it is for, None for what belongs to no owner. Which roles give which rights is
said elsewhere (`security/features.py`); here they are only added up and narrowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from casebridge.domain.space import OWNERS, Space, is_available

Right = tuple[str, str | None]
Rights = frozenset[Right]

EVERYWHERE = "*"
MOST_REMEMBERED = 512

_NONE: Rights = frozenset()


class Layer(msgspec.Struct, frozen=True):
    """Rights by space id, `*` for those that hold in every space in addition."""

    by_space: Mapping[str, Rights]

    @classmethod
    def of(cls, parts: Iterable[tuple[Sequence[str], Rights]]) -> Layer:
        """The sum of what is given: several roles add up."""
        sums: dict[str, Rights] = {}
        for spaces, rights in parts:
            for space in spaces:
                sums[space] = sums.get(space, _NONE) | rights
        return cls(sums)

    def rights(self, space_id: str) -> Rights:
        """Those that hold in a space."""
        everywhere = self.by_space.get(EVERYWHERE, _NONE)
        here = self.by_space.get(space_id)
        return everywhere if here is None else everywhere | here


class Grants:
    """What a caller may do: a right counts only where every layer holds it (a key is a layer over its owner's).

    What was worked out for a space is remembered, since the same few spaces are asked for again and again.
    """

    __slots__ = ("_known", "layers")

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers
        self._known: dict[tuple[str, tuple[str, ...]], Rights] = {}

    def granted(self, space_id: str) -> Rights:
        """Rights in a space, whatever features are disabled there."""
        if not self.layers:
            return _NONE
        first, *more = (layer.rights(space_id) for layer in self.layers)
        return first.intersection(*more)

    def rights(self, space: Space) -> Rights:
        """Rights in a space, without those for owners that are not available in it."""
        key = (space.id, space.disabled_features)
        known = self._known.get(key)
        if known is None:
            known = self.granted(space.id)
            if space.disabled_features:
                owners = {None, *(owner for owner in OWNERS if is_available(owner, space))}
                known = frozenset(right for right in known if right[1] in owners)
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = known
        return known


NO_GRANTS = Grants()
