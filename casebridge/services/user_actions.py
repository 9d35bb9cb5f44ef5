"""Activity of a case: reading its user actions (contract activity.md)."""

from __future__ import annotations

from collections.abc import Sequence

from casebridge.domain.errors import NotFound
from casebridge.domain.query import Page
from casebridge.domain.user_action import UserAction
from casebridge.security.privileges import require
from casebridge.services.ground import Asking, Ground
from casebridge.storage import cases, user_actions


async def find(
    ground: Ground, asking: Asking, case_id: str, types: Sequence[str], page: Page, *, descending: bool
) -> tuple[list[UserAction], int]:
    """One page of the records of a case and their number."""
    await _readable(ground, asking, case_id)
    return await user_actions.find(ground.database, case_id, types, page, descending=descending)


async def list_all(ground: Ground, asking: Asking, case_id: str) -> list[UserAction]:
    """All records of a case, oldest first."""
    await _readable(ground, asking, case_id)
    return await user_actions.list_all(ground.database, case_id)


async def _readable(ground: Ground, asking: Asking, case_id: str) -> None:
    case = await cases.get(ground.database, asking.space.id, case_id)
    if case is None:
        raise NotFound("cases", case_id)
    require(asking.actor, "getUserActions", case.owner, asking.space)
