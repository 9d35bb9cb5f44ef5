"""Roles: named lists of privileges over spaces (access.md 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from casebridge.domain.errors import InvalidInput
from casebridge.domain.grants import EVERYWHERE
from casebridge.domain.space import SPACE_ID


class RoleEntry(msgspec.Struct, frozen=True):
    """What a role gives in some spaces: either a base privilege, or privileges per feature id."""

    spaces: tuple[str, ...] = (EVERYWHERE,)
    base: tuple[str, ...] = ()
    feature: Mapping[str, tuple[str, ...]] = {}


class Role(msgspec.Struct, frozen=True):
    """A stored role. `metadata` and `elasticsearch` mean nothing here and are given back as they came."""

    name: str
    entries: tuple[RoleEntry, ...] = ()
    description: str | None = None
    metadata: Mapping[str, Any] = {}
    elasticsearch: Mapping[str, Any] = {}


def check_entries(entries: tuple[RoleEntry, ...], known: Mapping[str, Mapping[str, object]], path: str) -> None:
    """InvalidInput for the first entry that breaks a rule of access.md 6.

    `known` maps feature ids to their privileges; `path` is the key of the list as the caller wrote it.
    """
    seen: set[str] = set()
    for place, entry in enumerate(entries):
        where = f"{path}[{place}]"
        _check_spaces(entry.spaces, f"{where}.spaces")
        if again := seen.intersection(entry.spaces):
            raise InvalidInput(f"{where}.spaces", f"{sorted(again)[0]!r} occurs in another entry already; merge them.")
        seen.update(entry.spaces)
        if unknown := [each for each in entry.base if each not in ("all", "read")]:
            raise InvalidInput(f"{where}.base", f"expected all or read, given {unknown[0]!r}.")
        if bool(entry.base) == bool(entry.feature):
            raise InvalidInput(where, "expected either base or feature, one of them non-empty.")
        for feature, privileges in entry.feature.items():
            if feature not in known:
                raise InvalidInput(f"{where}.feature", f"{feature!r} is no feature; known are {', '.join(known)}.")
            if unknown := [each for each in privileges if each not in known[feature]]:
                raise InvalidInput(
                    f"{where}.feature.{feature}",
                    f"{unknown[0]!r} is no privilege of it; known are {', '.join(known[feature])}.",
                )


def _check_spaces(spaces: tuple[str, ...], where: str) -> None:
    if spaces == (EVERYWHERE,):
        return
    if not spaces:
        raise InvalidInput(where, "expected at least one space id, or *.")
    if EVERYWHERE in spaces:
        raise InvalidInput(where, "* stands for every space and must be alone.")
    if wrong := [each for each in spaces if not SPACE_ID.fullmatch(each)]:
        raise InvalidInput(where, f"{wrong[0]!r} may hold only lower-case letters, digits, _ and -.")
