"""Pages of cases that a search finds, without touching all of its matches where there may be very many.

SQLite's word index is walked by row number, newest or oldest first. PostgreSQL's can only give all matches of a word:
they are taken up to a bound, and beyond it the cases are walked in order until enough of them match.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from casebridge.domain.query import CaseQuery
from casebridge.storage import pages
from casebridge.storage.search import condition, one_match, words_asked
from casebridge.storage.session import Database, Query
from casebridge.storage.where import Where

_BOUND = 2_000
_FEW_LEFT = 1_000
_KNOWN_FOR_S = 600.0

_common: WeakKeyDictionary[Database, tuple[float, frozenset[str]]] = WeakKeyDictionary()


async def chosen(database: Database, query: CaseQuery, where: Where) -> Query | None:
    """The read of a page's rows `(pk,)` among cases `c` that fulfil `where` and the query's search; None: no case."""
    assert query.search is not None
    if query.sort == "created_at" and database.dialect == "sqlite":
        match = one_match(query.search)
        if match is not None:
            return _by_row_number(query, where, match)
    found = condition(query.search, where, database.dialect)
    if query.sort == "created_at" and database.dialect == "postgresql":
        return await _probed(database, query, where, found)
    return pages.gather(query, where.also(found), database.dialect)


def _by_row_number(query: CaseQuery, where: Where, match: str) -> Query:
    """A walk down the word index, which is in order of creation as far as clocks were right.

    The first matches by number are the page, unless a number past them has a time that belongs among theirs. Such
    cases are looked for among all further matches where these are few, and else among the cases of those times.
    """
    where.params["match"] = match
    direction = "DESC" if query.descending else "ASC"
    reach = query.page.offset + query.page.size
    last, past, late = ("min", "<", ">=") if query.descending else ("max", ">", "<=")
    words = "SELECT rowid FROM case_words WHERE case_words MATCH :match"
    late_ones = f"edge.number = {reach} AND {where.text} AND c.created_at {late} edge.at"
    # How many are left stands in a loop around the cases, since SQLite would test a mere condition for each of them.
    return Query(
        f"WITH near AS MATERIALIZED (SELECT c.pk AS pk, c.created_at AS at FROM case_words w "
        f"CROSS JOIN cases c ON c.pk = w.rowid WHERE w.case_words MATCH :match AND {where.text} "
        f"ORDER BY w.rowid {direction} LIMIT {reach}), "
        f"edge AS MATERIALIZED (SELECT {last}(at) AS at, {last}(pk) AS pk, count(*) AS number FROM near), "
        f"far AS MATERIALIZED ({words} AND rowid {past} (SELECT pk FROM edge) LIMIT {_FEW_LEFT + 1}), "
        f"left_over AS MATERIALIZED (SELECT count(*) AS number FROM far) "
        f"SELECT pk FROM (SELECT at, pk FROM near UNION ALL "
        f"SELECT * FROM (SELECT c.created_at, c.pk FROM left_over CROSS JOIN edge CROSS JOIN far "
        f"CROSS JOIN cases c ON c.pk = far.rowid WHERE left_over.number <= {_FEW_LEFT} AND {late_ones}) UNION ALL "
        f"SELECT * FROM (SELECT c.created_at, c.pk FROM left_over CROSS JOIN edge "
        f"CROSS JOIN cases c INDEXED BY cases_created "
        f"WHERE left_over.number > {_FEW_LEFT} AND {late_ones} AND c.pk {past} edge.pk AND +c.pk IN ({words})) "
        f"ORDER BY 1 {direction}, 2 {direction} LIMIT {query.page.size} OFFSET {query.page.offset}) chosen",
        where.params,
    )


async def _probed(database: Database, query: CaseQuery, where: Where, found: str) -> Query:
    assert query.search is not None
    common = await _common_words(database)
    if not words_asked(query.search, common):
        bounded = f"SELECT c.pk FROM cases c WHERE {where.text} AND {found} LIMIT {_BOUND + 1}"
        rows = await database.read(bounded, where.params)
        if len(rows) <= _BOUND:
            few = Where().also("c.pk = ANY(CAST(:pks AS bigint[]))", pks=[row[0] for row in rows])
            return pages.gather(query, few, "postgresql")
    params: Mapping[str, Any] = where.params
    rest = f"({where.text} AND {found}) IS TRUE"
    direction = "DESC" if query.descending else "ASC"
    return Query(
        f"SELECT c.pk FROM cases c WHERE c.space = :space AND {rest} ORDER BY c.created_at {direction}, "
        f"c.pk {direction} LIMIT {query.page.size} OFFSET {query.page.offset}",
        params,
    )


async def _common_words(database: Database) -> frozenset[str]:
    """The most common words, as the planner's statistics have them; of little use to anyone else, so read seldom."""
    known = _common.get(database)
    if known is None or time.monotonic() > known[0]:
        rows = await database.read(
            "SELECT CAST(CAST(most_common_elems AS text) AS text[]) FROM pg_stats "
            "WHERE schemaname = ANY (current_schemas(false)) AND tablename = 'cases' AND attname = 'words'"
        )
        words = frozenset(rows[0][0] or ()) if rows else frozenset()
        known = (time.monotonic() + _KNOWN_FOR_S, words)
        _common[database] = known
    return known[1]
