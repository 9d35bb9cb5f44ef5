"""Activity of a case: reading its user actions, counting them, and who took part (contract activity.md)."""

from __future__ import annotations

from collections.abc import Sequence

from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case
from casebridge.domain.errors import NotFound
from casebridge.domain.participation import ASSIGNMENT_TYPES, CaseUsers, users_of
from casebridge.domain.query import Page
from casebridge.domain.user_action import ActivityTally, UserAction
from casebridge.security.privileges import require
from casebridge.services.ground import Asking, Ground
from casebridge.storage import attachments, cases, user_actions
from casebridge.storage.session import Query, Row


async def find(
    ground: Ground, asking: Asking, case_id: str, types: Sequence[str], page: Page, *, descending: bool
) -> tuple[list[UserAction], int]:
    """One page of the records of a case and their number."""
    queries = user_actions.page_queries(case_id, types, page, descending=descending)
    case, (rows, *totals) = await read_readable(ground, asking, case_id, *queries)
    total = totals[0][0][0] if totals else case.counts.actions
    return [user_actions.from_doc(row[0]) for row in rows], total


async def find_with_latest(
    ground: Ground, asking: Asking, case_id: str, types: Sequence[str], page: Page, *, descending: bool
) -> tuple[list[UserAction], int, list[Attachment]]:
    """The same and the attachments that the page's records name, each once and as it is now, unless deleted."""
    found, total = await find(ground, asking, case_id, types, page, descending=descending)
    named = list(dict.fromkeys(each.comment_id for each in found if each.comment_id is not None))
    latest = await attachments.get_many(ground.database, asking.space.id, named) if named else {}
    return found, total, [latest[id_] for id_ in named if id_ in latest]


async def list_all(ground: Ground, asking: Asking, case_id: str) -> list[UserAction]:
    """All records of a case, oldest first."""
    await read_readable(ground, asking, case_id)
    return await user_actions.list_all(ground.database, case_id)


async def count(ground: Ground, asking: Asking, case_id: str) -> ActivityTally:
    """How many records a case has of each sort."""
    _, (rows,) = await read_readable(ground, asking, case_id, user_actions.tally_query(case_id))
    return user_actions.tally_from_row(rows[0])


async def list_users(ground: Ground, asking: Asking, case_id: str) -> CaseUsers:
    """Who has to do with a case, as recorded."""
    case, (authors, assignments) = await read_readable(
        ground,
        asking,
        case_id,
        user_actions.participants_query(case_id),
        user_actions.list_query(case_id, ASSIGNMENT_TYPES),
    )
    return users_of(
        case,
        [user_actions.participant_from_row(row) for row in authors],
        [user_actions.from_doc(row[0]) for row in assignments],
    )


async def read_readable(ground: Ground, asking: Asking, case_id: str, *queries: Query) -> tuple[Case, list[list[Row]]]:
    """A case whose activity the caller may read, and the rows of each query as of the same moment."""
    case_rows, *others = await ground.database.read_together([cases.get_query(asking.space.id, case_id), *queries])
    if not case_rows:
        raise NotFound("cases", case_id)
    case = cases.from_row(case_rows[0])
    require(asking.actor, "getUserActions", case.owner, asking.space)
    return case, others
