"""Which cases hold an alert: links kept in each case's own change, found by a digest of the alert's id.

An id may be longer than an index takes. A case has one link per alert id, however many of its attachments hold it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256

from casebridge.domain.case import Case
from casebridge.storage import cases
from casebridge.storage.session import Database, Query, Write, insert_rows, to_ms
from casebridge.storage.where import Where

_COLUMNS = ("space", "digest", "owner", "created_at", "case_pk")


def link_writes(case: Case, before: Collection[str], after: Collection[str]) -> list[Write]:
    """What a change of a case's alert ids does to its links: one that stays is not touched."""
    old, new = {_digest(each) for each in before}, {_digest(each) for each in after}
    writes = []
    if new - old:
        fixed = (case.owner, to_ms(case.created_at), case.pk)
        writes.append(insert_rows("alert_link", _COLUMNS, [(case.space, each, *fixed) for each in sorted(new - old)]))
    if old - new:
        where = Where().also("case_pk = :pk", pk=case.pk).among("digest", sorted(old - new))
        writes.append(Write(f"DELETE FROM alert_link WHERE {where.text}", where.params))
    return writes


def unlink_write(case: Case) -> Write:
    """What the deletion of a case does to its links."""
    return Write("DELETE FROM alert_link WHERE case_pk = :pk", {"pk": case.pk})


def condition(alert_ids: Collection[str], where: Where) -> str:
    """A fragment that is true for cases `c` of the space `:space` that hold one of these alerts."""
    (listed,) = where.listed("l.digest", [_digest(each) for each in alert_ids], "alert")
    return f"c.pk IN (SELECT l.case_pk FROM alert_link l WHERE l.space = :space AND {listed})"


def _digest(alert_id: str) -> bytes:
    return sha256(alert_id.encode()).digest()


async def list_cases(database: Database, space: str, alert_id: str, owners: Sequence[str]) -> list[Case]:
    """The cases of these owners that hold the alert, oldest first."""
    where = Where().also("l.space = :space AND l.digest = :digest", space=space, digest=_digest(alert_id))
    where.among("l.owner", owners)
    query = cases.chosen_query(Query(f"SELECT l.case_pk FROM alert_link l WHERE {where.text}", where.params))
    return [cases.from_row(row) for row in await database.read(query.sql, query.params)]
