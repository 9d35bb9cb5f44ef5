"""Pages of cases in every order: which rows they hold, told by walking indexes; the rows are read afterwards.

A walk takes one segment for each owner, and for each status, severity or absent value where the order needs it. Each
is a stretch of one index in the very order asked for, read no further than the page reaches, so that the number of
cases plays no role. Where few cases match, it is less work to gather them all and sort them (`is_walk_shorter`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from casebridge.domain.case import CLOSED, SEVERITIES, STATUSES
from casebridge.domain.query import CaseFilter, CaseQuery
from casebridge.storage.session import Query, to_ms
from casebridge.storage.where import Where

Dialect = Literal["sqlite", "postgresql"]

_TITLE = "substr(c.title, 1, 300)"
"""The beginning of a title is what the index holds."""

_NULLABLE = {
    "updated_at": "cases_owner_updated",
    "closed_at": "cases_owner_closed",
    "category": "cases_owner_category",
}
_LARGE_TIES = frozenset({"title", "category"})
"""Many cases may share a value, so that those of one value must be read in order of creation, not sorted."""


class _Segment(msgspec.Struct, frozen=True):
    """A stretch of an index: values of its first columns, and the place it takes among the others.

    `key` None: the order within is that of creation. `presence`: a condition on the key. `follows`: the segment before
    it comes first as a whole.
    """

    index: str
    fixed: dict[str, Any]
    rank: int = 0
    key: str | None = None
    presence: str | None = None
    follows: bool = False


def order(sort: str, descending: bool) -> str:
    """The order of cases `c`. Equal values: oldest first (find.md 1.4)."""
    direction = "DESC" if descending else "ASC"
    if sort == "created_at":
        return f"c.created_at {direction}, c.pk {direction}"
    if sort == "title":
        return f"{_TITLE} {direction}, c.title {direction}, c.pk ASC"
    nulls = " NULLS LAST" if sort in _NULLABLE else ""
    return f"c.{sort} {direction}{nulls}, c.pk ASC"


def remaining(query: CaseQuery) -> CaseFilter:
    """What the segments of a walk leave to be looked at row by row, owners apart."""
    wanted = query.filter
    if query.sort == "status" or (query.sort == "created_at" and wanted.statuses):
        return msgspec.structs.replace(wanted, statuses=None)
    if query.sort == "severity":
        return msgspec.structs.replace(wanted, severities=None)
    return wanted


def is_walk_shorter(query: CaseQuery, matches: int, total: int) -> bool:
    """Whether the page is found sooner by walking over `total` cases, of which `matches` match, than by sorting them.

    Matches are taken to be spread evenly.
    """
    reach = query.page.offset + query.page.size
    return reach * total <= matches * matches


def gather(query: CaseQuery, where: Where, dialect: Dialect) -> Query:
    """The page as rows `(pk,)`, out of all matches; PostgreSQL may not wager on how soon a walk would meet them."""
    page = f"ORDER BY {order(query.sort, query.descending)} LIMIT {query.page.size} OFFSET {query.page.offset}"
    if dialect == "sqlite":
        return Query(f"SELECT c.pk FROM cases c WHERE {where.text} {page}", where.params)
    key = "" if query.sort == "created_at" else f", c.{query.sort}"
    hits = f"SELECT c.pk, c.created_at{key} FROM cases c WHERE {where.text}"
    return Query(f"WITH hits AS MATERIALIZED ({hits}) SELECT c.pk FROM hits c {page}", where.params)


def walk(query: CaseQuery, look: Callable[[Where], None], dialect: Dialect) -> Query:
    """The page as rows `(pk,)`, in no order. `look` adds what is to be looked at row by row to a condition."""
    where = Where().also("c.space = :space", space=query.filter.space)
    look(where)
    return _Walk(query, where, dialect).query()


def walk_tag(query: CaseQuery, key: str) -> Query:
    """The page as rows `(pk,)` of cases with one tag by creation: SQLite's wide table holds all it takes."""
    wanted, window = query.filter, f"LIMIT {query.page.size} OFFSET {query.page.offset}"
    direction = "DESC" if query.descending else "ASC"
    where = Where().also("w.space = :space AND w.tag = :tag", space=wanted.space, tag=key)
    between(where, wanted, "w")
    arms = []
    for owner_number, owner in enumerate(wanted.owners):
        where.params[f"owner_at_{owner_number}"] = owner
        for status in STATUSES if wanted.statuses is None else wanted.statuses:
            arms.append(
                f"SELECT w.created_at, w.case_pk AS pk FROM case_tag w WHERE {where.text} "
                f"AND w.owner = :owner_at_{owner_number} AND w.status = {STATUSES.index(status)}"
            )
    if not arms:
        return Query("SELECT c.pk FROM cases c WHERE 1 = 0")
    ordered = f"ORDER BY 1 {direction}, 2 {direction} {window}"
    return Query(f"SELECT pk FROM ({' UNION ALL '.join(arms)} {ordered}) chosen", where.params)


def between(where: Where, wanted: CaseFilter, table: str = "c") -> None:
    """Add the bounds on the time of creation."""
    if wanted.created_from is not None:
        where.also(f"{table}.created_at >= :created_from", created_from=to_ms(wanted.created_from))
    if wanted.created_to is not None:
        where.also(f"{table}.created_at <= :created_to", created_to=to_ms(wanted.created_to))


class _Walk:
    def __init__(self, query: CaseQuery, where: Where, dialect: Dialect) -> None:
        self._query = query
        self._where = where
        self._dialect = dialect
        self._direction = "DESC" if query.descending else "ASC"
        self._reach = query.page.offset + query.page.size
        self._window = f"LIMIT {query.page.size} OFFSET {query.page.offset}"
        self._heads: list[str] = []

    def query(self) -> Query:
        segments = list(_segments(self._query))
        if not segments:
            return Query("SELECT c.pk FROM cases c WHERE 1 = 0")
        if self._query.sort == "created_at":
            return Query(self._merged(segments), self._where.params)
        if len(segments) == 1 and self._query.sort not in _LARGE_TIES:
            sql = f"SELECT c.pk {self._rows(segments[0], 0)} {self._ordered(segments[0])} {self._window}"
            return Query(sql, self._where.params)
        arms = [arm for number, each in enumerate(segments) for arm in self._arms(each, number)]
        head = f"WITH {', '.join(self._heads)} " if self._heads else ""
        joined = " UNION ALL ".join(f"SELECT * FROM ({arm}) a{number}" for number, arm in enumerate(arms))
        return Query(
            f"{head}SELECT pk FROM ({joined} ORDER BY 1, 2 {self._direction}, 3 {self._window}) chosen",
            self._where.params,
        )

    def _merged(self, segments: Sequence[_Segment]) -> str:
        """Segments that are in one order throughout: both databases merge them as they read."""
        arms = [f"SELECT c.created_at, c.pk AS pk {self._rows(each, n)}" for n, each in enumerate(segments)]
        ordered = f"ORDER BY 1 {self._direction}, 2 {self._direction} {self._window}"
        return f"SELECT pk FROM ({' UNION ALL '.join(arms)} {ordered}) chosen"

    def _rows(self, segment: _Segment, number: int) -> str:
        """The FROM and WHERE of a segment."""
        conditions = [self._where.text]
        for column, value in segment.fixed.items():
            name = f"{column}_at_{number}"
            self._where.params[name] = value
            conditions.append(f"c.{column} = :{name}")
        if segment.presence:
            conditions.append(segment.presence)
        # Without statistics SQLite would not know which index is in order.
        hint = f" INDEXED BY {segment.index}" if self._dialect == "sqlite" else ""
        return f"FROM cases c{hint} WHERE {' AND '.join(conditions)}"

    def _ordered(self, segment: _Segment) -> str:
        keys = [] if segment.key is None else [f"{segment.key} {self._direction}"]
        return f"ORDER BY {', '.join([*keys, 'c.pk ASC'])}"

    def _arms(self, segment: _Segment, number: int) -> list[str]:
        """Selects of rank, key and `pk`, which together hold the segment's first cases as far as the page reaches."""
        if segment.key is None:
            columns = f"{segment.rank} AS rank, {self._no_key()} AS key, c.pk AS pk"
            rows = self._rows(segment, number)
            ordered = self._ordered(segment)
            if not segment.follows:
                return [f"SELECT {columns} {rows} {ordered} LIMIT {self._reach}"]
            # Cases without a value come last: none of them is looked at while those with one fill the page. SQLite
            # would test a condition on that for each of them, and PostgreSQL cannot plan for a limit it does not know.
            before = f"(SELECT count(*) FROM top_{number - 1})"
            if self._dialect == "sqlite":
                return [f"SELECT {columns} {rows} {ordered} LIMIT max(0, {self._reach} - {before})"]
            return [f"SELECT {columns} {rows} AND {before} < {self._reach} {ordered} LIMIT {self._reach}"]
        if self._query.sort in _LARGE_TIES:
            return self._arms_to_the_edge(segment, number)
        columns = f"{segment.rank} AS rank, {segment.key} AS key, c.pk AS pk"
        rows = f"SELECT {columns} {self._rows(segment, number)} {self._ordered(segment)} LIMIT {self._reach}"
        self._heads.append(f"top_{number} AS MATERIALIZED ({rows})")
        return [f"SELECT * FROM top_{number}"]

    def _no_key(self) -> str:
        return "CAST(NULL AS text)" if self._query.sort == "category" else "CAST(NULL AS bigint)"

    def _arms_to_the_edge(self, segment: _Segment, number: int) -> list[str]:
        """Whole groups of equal values up to the one in which the page ends, and that one in its own order.

        The index holds the cases of a value in order of creation, but is walked in the direction of the values.
        """
        rows, key = self._rows(segment, number), segment.key
        shown = "c.title" if self._query.sort == "title" else key
        past = "<" if self._direction == "ASC" else ">"
        last = "max" if self._direction == "ASC" else "min"
        self._heads += [
            f"top_{number} AS MATERIALIZED (SELECT {key} AS edge, {shown} AS key, c.pk AS pk {rows} "
            f"ORDER BY {key} {self._direction}, c.pk {self._direction} LIMIT {self._reach})",
            f"edge_{number} AS MATERIALIZED (SELECT {last}(edge) AS edge FROM top_{number})",
        ]
        edge = f"(SELECT edge FROM edge_{number})"
        arms = [
            f"SELECT {segment.rank} AS rank, key, pk FROM top_{number} WHERE edge {past} {edge}",
            f"SELECT {segment.rank} AS rank, {shown} AS key, c.pk AS pk {rows} AND {key} = {edge} "
            f"{'AND ' + _is_whole(edge) if self._query.sort == 'title' else ''} ORDER BY c.pk LIMIT {self._reach}",
        ]
        if self._query.sort == "title":
            # Titles that begin alike for longer than the index goes.
            arms.append(
                f"SELECT {segment.rank} AS rank, c.title AS key, c.pk AS pk {rows} AND {key} = {edge} "
                f"AND NOT {_is_whole(edge)} ORDER BY c.title {self._direction}, c.pk LIMIT {self._reach}"
            )
        return arms


def _is_whole(edge: str) -> str:
    """Whether the beginning of a title is all of it."""
    return f"(length({edge}) < 300)"


def _segments(query: CaseQuery) -> Iterator[_Segment]:
    wanted, sort = query.filter, query.sort
    sign = -1 if query.descending else 1
    for owner in wanted.owners:
        fixed = {"owner": owner}
        if sort == "created_at" and wanted.statuses:
            for status in wanted.statuses:
                yield _Segment("cases_owner_status", {**fixed, "status": STATUSES.index(status)})
        elif sort == "created_at":
            yield _Segment("cases_owner_created", fixed)
        elif sort == "status":
            for place in sorted(map(STATUSES.index, STATUSES if wanted.statuses is None else wanted.statuses)):
                yield _Segment("cases_owner_state", {**fixed, "status": place}, rank=sign * place)
        elif sort == "severity":
            for place in sorted(map(SEVERITIES.index, SEVERITIES if wanted.severities is None else wanted.severities)):
                yield _Segment("cases_owner_severity", {**fixed, "severity": place}, rank=sign * place)
        elif sort == "title":
            yield _Segment("cases_owner_title", fixed, key=_TITLE)
        else:
            key, index = f"c.{sort}", _NULLABLE[sort]
            # Closed cases are those that have a time of closing.
            has = sort != "closed_at" or wanted.statuses is None or CLOSED in wanted.statuses
            lacks = sort != "closed_at" or wanted.statuses is None or wanted.statuses != (CLOSED,)
            if has:
                yield _Segment(index, fixed, key=key, presence=f"{key} IS NOT NULL")
            if lacks:
                yield _Segment(index, fixed, rank=1, presence=f"{key} IS NULL", follows=has)
