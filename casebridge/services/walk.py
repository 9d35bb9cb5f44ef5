"""Walking over any number of cases in order of creation, step by step (extensions.md 5)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casebridge.domain import limits
from casebridge.domain.case import Case
from casebridge.domain.cursor import cursor_text, read_cursor
from casebridge.domain.errors import InvalidInput
from casebridge.domain.query import CaseFilter
from casebridge.domain.search import Search
from casebridge.security.privileges import permitted_owners
from casebridge.services.ground import Asking, Ground
from casebridge.storage import cases


class Step(msgspec.Struct, frozen=True):
    """The next cases of a walk, oldest first; `next_cursor` None: there are no more."""

    cases: list[Case]
    next_cursor: str | None


async def step(
    ground: Ground,
    asking: Asking,
    wanted: CaseFilter,
    owners: Sequence[str] | None,
    *,
    limit: int,
    cursor: str | None,
    search: Search | None = None,
) -> Step:
    """The next step of a walk over cases the caller may read; `owners` are those asked for, None: all."""
    if not 1 <= limit <= limits.WALK_SIZE:
        raise InvalidInput("limit", f"expected 1 to {limits.WALK_SIZE}, given {limit}.")
    after = 0 if cursor is None else read_cursor(cursor)
    readable = permitted_owners(asking.actor, "getCase", asking.space, owners)
    # One more than asked for tells whether there are more.
    wanted = msgspec.structs.replace(wanted, owners=readable)
    found = await cases.walk(ground.database, wanted, search, after, limit + 1)
    taken = found[:limit]
    return Step(taken, cursor_text(taken[-1].pk) if len(found) > limit else None)
