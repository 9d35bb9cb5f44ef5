"""Searching cases in more places than `_find` does, and by their custom fields (contract find.md 2)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casebridge.domain.custom_field import check_toggles
from casebridge.domain.errors import InvalidInput
from casebridge.domain.query import CaseQuery
from casebridge.domain.space import OWNERS
from casebridge.security.privileges import allowed, permitted_owners
from casebridge.services import cases
from casebridge.services.cases import FoundCases
from casebridge.services.ground import Asking, Ground
from casebridge.storage import configurations


async def search(ground: Ground, asking: Asking, query: CaseQuery, owners: Sequence[str] | None) -> FoundCases:
    """One page of the cases the caller may read; comments and alerts help to find those alone whose may be read."""
    await _check_toggles(ground, asking, query, owners)
    if query.search is not None:
        readable = permitted_owners(asking.actor, "getCase", asking.space)
        told = tuple(owner for owner in readable if allowed(asking.actor, "getComment", owner, asking.space))
        query = msgspec.structs.replace(query, search=msgspec.structs.replace(query.search, comment_owners=told))
    return await cases.find(ground, asking, query, owners)


async def _check_toggles(ground: Ground, asking: Asking, query: CaseQuery, owners: Sequence[str] | None) -> None:
    """InvalidInput unless custom fields are filtered by as the one owner that is named defines them."""
    if not query.filter.toggles:
        return
    if owners is None or len(owners) != 1 or not owners[0]:
        raise InvalidInput("owner", f"a filter by customFields needs exactly one owner, given {len(owners or ())}.")
    (owner,) = owners
    if owner in OWNERS and owner not in permitted_owners(asking.actor, "getCase", asking.space):
        # Of an owner the caller may not read nothing is told, and nothing is found.
        return
    configuration = await configurations.of_owner(ground.database, asking.space.id, owner)
    check_toggles(
        [each.key for each in query.filter.toggles],
        () if configuration is None else configuration.custom_fields,
        owner,
    )
