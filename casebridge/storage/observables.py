"""Which cases share observables: links kept in each case's own change, and the pages read from them (find.md 6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import sha256

from casebridge.domain.case import Case
from casebridge.domain.observable import Observable
from casebridge.domain.query import Page
from casebridge.storage import cases
from casebridge.storage.session import Database, Query, Write, insert_rows, to_ms
from casebridge.storage.where import Where

_COLUMNS = ("space", "owner", "digest", "created_at", "case_pk")


def link_writes(old: Case, new: Case) -> list[Write]:
    """What an update of a case does to its links: a link that stays is not touched."""
    if old.observables == new.observables:
        return []
    before, after = _digests(old.observables), _digests(new.observables)
    return [*_deletes(old, before - after), *_inserts(new, after - before)]


def unlink_writes(case: Case) -> list[Write]:
    """What the deletion of a case does to its links."""
    return _deletes(case, _digests(case.observables))


def _inserts(case: Case, digests: Collection[bytes]) -> list[Write]:
    if not digests:
        return []
    rows = [(case.space, case.owner, digest, to_ms(case.created_at), case.pk) for digest in sorted(digests)]
    return [insert_rows("observable_link", _COLUMNS, rows)]


def _deletes(case: Case, digests: Collection[bytes]) -> list[Write]:
    if not digests:
        return []
    where = Where().also("space = :space AND owner = :owner", space=case.space, owner=case.owner)
    where.among("digest", sorted(digests))
    where.also("created_at = :created_at AND case_pk = :pk", created_at=to_ms(case.created_at), pk=case.pk)
    return [Write(f"DELETE FROM observable_link WHERE {where.text}", where.params)]


def _digests(observables: Iterable[Observable]) -> set[bytes]:
    """One per type and value; a type key never holds the separator, for no text holds NUL."""
    return {sha256(f"{each.type_key}\0{each.value}".encode()).digest() for each in observables}


async def find_similar(
    database: Database, case: Case, observables: Iterable[Observable], page: Page
) -> tuple[list[Case], int]:
    """One page of the other cases of the owner that have one of these observables, oldest first, and their number."""
    where = Where().also("l.space = :space AND l.owner = :owner", space=case.space, owner=case.owner)
    where.among("l.digest", sorted(_digests(observables)))
    where.also("l.case_pk <> :pk", pk=case.pk)
    matches = f"FROM observable_link l WHERE {where.text}"
    total = Query(f"SELECT count(DISTINCT l.case_pk) {matches}", where.params)
    chosen = Query(
        f"SELECT DISTINCT l.created_at, l.case_pk {matches} ORDER BY l.created_at, l.case_pk LIMIT :most OFFSET :skip",
        {**where.params, "most": page.size, "skip": page.offset},
    )
    counted, rows = await database.read_together([total, cases.chosen_query(chosen)])
    return [cases.from_row(row) for row in rows], counted[0][0]
