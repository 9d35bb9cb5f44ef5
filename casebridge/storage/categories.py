"""The categories in use, read by stepping through an index from each to the next, however many cases there are."""

from __future__ import annotations

from collections.abc import Sequence

from casebridge.storage.session import Database, Query

_STEPS = """
    WITH RECURSIVE step (category) AS (
        SELECT min(category) FROM cases WHERE space = :space AND owner = :owner
        UNION ALL
        SELECT (SELECT min(c.category) FROM cases c
                WHERE c.space = :space AND c.owner = :owner AND c.category > step.category)
        FROM step WHERE step.category IS NOT NULL
    )
    SELECT category FROM step WHERE category IS NOT NULL LIMIT :most
"""


async def list_categories(database: Database, space: str, owners: Sequence[str], most: int) -> list[str]:
    """Distinct categories of the cases of these owners, by code point."""
    queries = [Query(_STEPS, {"space": space, "owner": owner, "most": most}) for owner in owners]
    if not queries:
        return []
    tables = await database.read_together(queries)
    return sorted({category for rows in tables for (category,) in rows})[:most]
