"""Cases in the store: finding, counting, and the statements that write one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from casebridge.domain import limits
from casebridge.domain.case import SEVERITIES, STATUSES, Case
from casebridge.domain.errors import VersionConflict
from casebridge.domain.query import NO_ASSIGNEE, CaseFilter, CaseQuery, StatusCounts
from casebridge.domain.search import Search
from casebridge.domain.user import User
from casebridge.storage import counts, custom_fields, pages, search_pages
from casebridge.storage.parts import has_same_values, value_vector
from casebridge.storage.search import condition
from casebridge.storage.session import Database, Query, Row, Write, to_ms
from casebridge.storage.tags import is_whole, tag_key
from casebridge.storage.where import Where
from casebridge.storage.words import CaseWords, texts, vector, words_of

Dialect = Literal["sqlite", "postgresql"]

_decoder = msgspec.json.Decoder(Case)
_encoder = msgspec.json.Encoder()
_SELECT = "SELECT c.pk, c.version, c.incremental_id, c.doc FROM cases c"


def get_query(space: str, id_: str) -> Query:
    """The read of one case, to be sent together with others; `from_row` understands its rows."""
    return Query(f"{_SELECT} WHERE c.id = :id AND c.space = :space", {"id": id_, "space": space})


def from_row(row: Row) -> Case:
    """The case of a row of `get_query`."""
    pk, version, number, doc = row
    return msgspec.structs.replace(_decoder.decode(doc), pk=pk, version=version, incremental_id=number)


async def get(database: Database, space: str, id_: str) -> Case | None:
    """One case of the space."""
    query = get_query(space, id_)
    rows = await database.read(query.sql, query.params)
    return from_row(rows[0]) if rows else None


async def get_many(database: Database, space: str, ids: Sequence[str]) -> dict[str, Case]:
    """The cases that exist among these ids, by id."""
    where = Where().also("c.space = :space", space=space).among("c.id", ids)
    rows = await database.read(f"{_SELECT} WHERE {where.text}", where.params)
    return {case.id: case for case in map(from_row, rows)}


def chosen_query(pks: Query) -> Query:
    """The read of the cases whose `case_pk`s another query chose, in order of creation; `from_row` reads its rows."""
    return Query(f"{_SELECT} JOIN ({pks.sql}) chosen ON chosen.case_pk = c.pk ORDER BY c.created_at, c.pk", pks.params)


async def find(database: Database, query: CaseQuery, tally: StatusCounts | None = None) -> list[Case]:
    """One page of cases, in order. Equal sort values: oldest first (find.md 1.4).

    `tally` are the matches per status of the query's filter, if the caller knows them already.
    """
    if query.page.size == 0:
        return []
    chosen = await _chosen(database, query, tally)
    if chosen is None:
        return []
    # The page is chosen by indexes alone; only its own rows are read whole.
    order = pages.order(query.sort, query.descending)
    sql = f"{_SELECT} JOIN ({chosen.sql}) page ON page.pk = c.pk ORDER BY {order}"
    return [from_row(row) for row in await database.read(sql, chosen.params)]


async def _chosen(database: Database, query: CaseQuery, tally: StatusCounts | None) -> Query | None:
    """The read that chooses the rows of a page, as rows `(pk,)`; None when nothing matches."""
    dialect = database.dialect
    if query.search is not None:
        return await search_pages.chosen(database, query, _where(query.filter, dialect))
    left = pages.remaining(query)
    if dialect == "sqlite" and query.sort == "created_at" and left.tags is not None and len(left.tags) == 1:
        without = msgspec.structs.replace(left, tags=None)
        if not _is_looked_at(without):
            return pages.walk_tag(query, tag_key(left.tags[0]))
    if _is_looked_at(left):
        matches = among_statuses(tally or await count(database, query.filter), query.filter.statuses)
        if not matches:
            return None
        everything = await counts.read(database, query.filter.space, query.filter.owners)
        if not pages.is_walk_shorter(query, matches, among_statuses(everything, query.filter.statuses)):
            return pages.gather(query, _where(query.filter, dialect), dialect)
    return pages.walk(query, lambda where: _look(where, left, dialect), dialect)


def among_statuses(tally: StatusCounts, statuses: Sequence[str] | None) -> int:
    """How many cases of a tally are in one of these statuses; None: in any."""
    numbers = dict(zip(STATUSES, (tally.open, tally.in_progress, tally.closed), strict=True))
    return sum(numbers[each] for each in (STATUSES if statuses is None else set(statuses)))


def _is_looked_at(left: CaseFilter) -> bool:
    """Whether rows of a walk have to be looked at, beyond space, owner and time of creation."""
    return left != CaseFilter(
        space=left.space, owners=left.owners, created_from=left.created_from, created_to=left.created_to
    )


def _look(where: Where, left: CaseFilter, dialect: Dialect) -> None:
    """Add what has to hold of each row of a walk. PostgreSQL is kept from ways of its own, such as all cases of a tag:
    it does not know how few or many there are."""
    inner = Where()
    inner.params = where.params
    _narrow(inner, msgspec.structs.replace(left, created_from=None, created_to=None), dialect, row_by_row=True)
    if inner.has_any:
        where.also(f"({inner.text}) IS TRUE" if dialect == "postgresql" else inner.text)
    pages.between(where, left)


async def walk(database: Database, wanted: CaseFilter, search: Search | None, after: int, most: int) -> list[Case]:
    """The next cases in order of creation after the one numbered `after`; a number never changes, nor comes again."""
    where = _where(wanted, database.dialect, row_by_row=True).also("c.pk > :after", after=after)
    if search is not None:
        where.also(condition(search, where, database.dialect))
    # SQLite keeps no statistics here, and would rather sort all matches anew for each step.
    by_number = " INDEXED BY cases_walk" if database.dialect == "sqlite" else ""
    rows = await database.read(
        f"{_SELECT} JOIN (SELECT c.pk FROM cases c{by_number} WHERE {where.text} ORDER BY c.pk LIMIT :most) step "
        f"ON step.pk = c.pk ORDER BY c.pk",
        {**where.params, "most": most},
    )
    return [from_row(row) for row in rows]


async def mean_duration(database: Database, wanted: CaseFilter) -> float | None:
    """Mean of the seconds from creation to closing, over matches that have them; None when there is none."""
    where = _where(wanted, database.dialect).also("c.duration IS NOT NULL")
    rows = await database.read(
        f"SELECT count(*), CAST(sum(c.duration) AS bigint) FROM cases c WHERE {where.text}", where.params
    )
    number, total_s = rows[0]
    return total_s / number if number else None


async def count(database: Database, wanted: CaseFilter) -> StatusCounts:
    """Matches per status; the filter's own statuses play no role (find.md 1.5)."""
    if _covered(wanted):
        key = tag_key(wanted.tags[0]) if wanted.tags else counts.ALL
        return await counts.read(database, wanted.space, wanted.owners, key)
    where = _where(msgspec.structs.replace(wanted, statuses=None), database.dialect)
    rows = await database.read(
        f"SELECT c.status, count(*) FROM cases c WHERE {where.text} GROUP BY c.status", where.params
    )
    found: dict[int, int] = {row[0]: row[1] for row in rows}
    return StatusCounts(*(found.get(place, 0) for place in range(len(STATUSES))))


async def count_found(database: Database, wanted: CaseFilter, search: Search) -> int:
    """Matches of a filter and a search."""
    where = _where(wanted, database.dialect)
    where.also(condition(search, where, database.dialect))
    rows = await database.read(f"SELECT count(*) FROM cases c WHERE {where.text}", where.params)
    return int(rows[0][0])


def _covered(wanted: CaseFilter) -> bool:
    others = (wanted.severities, wanted.reporters, wanted.assignees, wanted.categories)
    dates = (wanted.created_from, wanted.created_to)
    if wanted.toggles or any(each is not None for each in (*others, *dates)):
        return False
    return wanted.tags is None or len(wanted.tags) == 1


def _where(wanted: CaseFilter, dialect: Dialect, *, row_by_row: bool = False) -> Where:
    """The condition on a case `c`. `row_by_row`: for a read that stops early, so nothing may be gathered beforehand."""
    where = Where().also("c.space = :space", space=wanted.space).among("c.owner", wanted.owners)
    _narrow(where, wanted, dialect, row_by_row=row_by_row)
    pages.between(where, wanted)
    return where


def _narrow(where: Where, wanted: CaseFilter, dialect: Dialect, *, row_by_row: bool) -> None:
    """Add every filter but those of space, owner and time."""
    if wanted.statuses is not None:
        where.among("c.status", [STATUSES.index(each) for each in wanted.statuses])
    if wanted.severities is not None:
        where.among("c.severity", [SEVERITIES.index(each) for each in wanted.severities])
    if wanted.categories is not None:
        where.among("c.category", wanted.categories)
    if wanted.reporters is not None:
        (by_name,) = where.listed("c.created_by", wanted.reporters, "reporter")
        (by_uid,) = where.listed("c.created_by_uid", wanted.reporters, "reporter")
        where.also(f"({by_name} OR {by_uid})")
    if wanted.tags is not None:
        where.also(_any_tag(where, [tag_key(tag) for tag in wanted.tags], dialect, row_by_row))
    if wanted.assignees is not None:
        where.also(_any_assignee(where, wanted.assignees, dialect, row_by_row))
    for number, toggle in enumerate(wanted.toggles):
        where.also(custom_fields.condition(toggle, number, where, dialect))


def _any_tag(where: Where, keys: Sequence[str], dialect: Dialect, row_by_row: bool) -> str:
    if dialect == "postgresql":
        where.params["tags"] = list(keys)
        return "c.tags && CAST(:tags AS text[])"
    found = _in_wide("case_tag", *where.listed("w.tag", keys), row_by_row)
    return f"({_may_hold(where, keys)} AND {found})" if row_by_row else found


def _may_hold(where: Where, keys: Sequence[str]) -> str:
    """Whether the text of a case's tags has one of them in it, which is soon seen: most rows need no second look."""
    places = []
    for number, key in enumerate(keys):
        where.params[f"written_{number}"] = _encoder.encode(key).decode()
        places.append(f"instr(c.tags, :written_{number})")
    return f"({' OR '.join(places)})" if places else "1 = 0"


def _in_wide(table: str, listed: str, row_by_row: bool) -> str:
    if row_by_row:
        same = "w.owner = c.owner AND w.status = c.status AND w.created_at = c.created_at AND w.case_pk = c.pk"
        return f"EXISTS (SELECT 1 FROM {table} w WHERE w.space = :space AND {listed} AND {same})"
    return f"c.pk IN (SELECT w.case_pk FROM {table} w WHERE w.space = :space AND {listed})"


def _any_assignee(where: Where, assignees: Sequence[str], dialect: Dialect, row_by_row: bool) -> str:
    uids = [each for each in assignees if each != NO_ASSIGNEE]
    either = []
    if dialect == "postgresql":
        where.params["assignees"] = uids
        either.append("c.assignees && CAST(:assignees AS text[])")
        nobody = "c.assignees = CAST('{}' AS text[])"
    else:
        either.append(_in_wide("case_assignee", *where.listed("w.uid", uids), row_by_row))
        nobody = "c.assignees = '[]'"
    if NO_ASSIGNEE in assignees:
        either.append(nobody)
    return f"({' OR '.join(either)})"


async def list_tags(database: Database, space: str, owners: tuple[str, ...]) -> list[str]:
    """Tags in use among cases of these owners, by code point."""
    keys = await counts.list_tag_keys(database, space, owners, limits.LISTED_TAGS)
    tags = [key for key in keys if is_whole(key)]
    if len(tags) == len(keys):
        return tags
    rest = [key for key in keys if not is_whole(key)]
    found = await database.read_together([_example_query(space, owners, key, database.dialect) for key in rest])
    for key, rows in zip(rest, found, strict=True):
        tags += [tag for row in rows for tag in _decoder.decode(row[0]).tags if tag_key(tag) == key][:1]
    return sorted(tags)


def _example_query(space: str, owners: tuple[str, ...], key: str, dialect: Dialect) -> Query:
    """The read of one case that has the tag of that key."""
    where = Where().also("c.space = :space", space=space).among("c.owner", owners)
    where.also(_any_tag(where, (key,), dialect, row_by_row=False))
    return Query(f"SELECT c.doc FROM cases c WHERE {where.text} LIMIT 1", where.params)


async def list_reporters(database: Database, space: str, owners: tuple[str, ...]) -> list[User]:
    """One user per name who created a case, as recorded in the latest of them, by name (find.md 4)."""
    where = Where().also("space = :space AND created_by IS NOT NULL", space=space).among("owner", owners)
    rows = await database.read(
        f"SELECT c.doc FROM cases c JOIN (SELECT max(pk) AS pk FROM cases WHERE {where.text} GROUP BY created_by "
        f"ORDER BY created_by LIMIT :most) latest ON latest.pk = c.pk ORDER BY c.created_by",
        {**where.params, "most": limits.LISTED_TAGS},
    )
    return [_decoder.decode(row[0]).created_by for row in rows]


def insert_writes(case: Case, dialect: Dialect) -> list[Write]:
    """The statements that store a new case. The first gives back `pk`, `version` and `incremental_id`."""
    columns = _columns(case, dialect)
    names = ", ".join(columns)
    places = ", ".join(f":{name}" for name in columns)
    words = words_of(case)
    if dialect == "postgresql":
        columns["words"] = vector(words)
        names, places = f"{names}, words", f"{places}, {_VECTOR}"
        if (case.custom_fields or case.observables) and (values := value_vector(case)) is not None:
            columns["value_words"] = values
            names, places = f"{names}, value_words", f"{places}, {_VALUE_VECTOR}"
    # The version comes first of all numbers a change takes (contract README 8).
    insert = Write(
        f"INSERT INTO cases (version, pk, incremental_id, {names}) "
        f"VALUES (next_version(), next_pk(), next_incremental(:space), {places}) "
        f"RETURNING pk, version, incremental_id",
        columns,
    )
    if dialect == "postgresql":
        return [insert]
    index = Write(
        "INSERT INTO case_words (rowid, title, description, keywords) "
        "VALUES (present_pk(), :title, :description, :keywords)",
        _indexed(words),
        late=True,
    )
    return [insert, *_wide_inserts(case, is_new=True), index]


_VECTOR = "CAST(CAST(:words AS text) AS tsvector)"
_VALUE_VECTOR = "CAST(CAST(:value_words AS text) AS tsvector)"


def _indexed(words: CaseWords) -> dict[str, str]:
    title, description, keywords = texts(words)
    return {"title": title, "description": description, "keywords": keywords}


def update_writes(old: Case, new: Case, dialect: Dialect) -> list[Write]:
    """The statements that replace a case; nothing is written unless it is still at the version of `old`."""
    columns = _columns(new, dialect)
    for fixed in ("id", "space", "owner", "created_at", "created_by", "created_by_uid"):
        del columns[fixed]
    assignments = [f"{name} = :{name}" for name in columns]
    old_words, new_words = words_of(old), words_of(new)
    if dialect == "postgresql" and old_words != new_words:
        columns["words"] = vector(new_words)
        assignments.append(f"words = {_VECTOR}")
    if dialect == "postgresql" and not has_same_values(old, new):
        columns["value_words"] = value_vector(new)
        assignments.append(f"value_words = {_VALUE_VECTOR}")
    update = Write(
        f"UPDATE cases SET version = next_version(), {', '.join(assignments)} WHERE id = :id AND version = :at_version "
        f"RETURNING version",
        {**columns, "id": old.id, "at_version": old.version},
        conflict=VersionConflict("cases", old.id),
    )
    if dialect == "postgresql":
        return [update]
    writes = [update]
    if old_words != new_words:
        writes += [_unindex(old.pk, old_words), _reindex(old.pk, new_words)]
    if old.tags != new.tags or old.assignees != new.assignees or old.status != new.status:
        writes += [*_wide_deletes(old), *_wide_inserts(new, is_new=False)]
    return writes


def _unindex(pk: int, words: CaseWords) -> Write:
    """A contentless index must be handed the very words it was given."""
    return Write(
        "INSERT INTO case_words (case_words, rowid, title, description, keywords) "
        "VALUES ('delete', :pk, :title, :description, :keywords)",
        {"pk": pk, **_indexed(words)},
        late=True,
    )


def _reindex(pk: int, words: CaseWords) -> Write:
    return Write(
        "INSERT INTO case_words (rowid, title, description, keywords) VALUES (:pk, :title, :description, :keywords)",
        {"pk": pk, **_indexed(words)},
        late=True,
    )


def delete_writes(case: Case, dialect: Dialect) -> list[Write]:
    """The statements that remove a case and all that hangs on it; its deliveries stay readable."""
    delete = Write(
        "DELETE FROM cases WHERE id = :id AND version = :at_version RETURNING id",
        {"id": case.id, "at_version": case.version},
        conflict=VersionConflict("cases", case.id),
    )
    parts = [
        Write(f"DELETE FROM {table} WHERE case_id = :id", {"id": case.id})
        for table in ("attachment", "user_action", "external_record", "pushed_comment", "mention")
    ]
    if dialect == "postgresql":
        return [delete, *parts]
    return [delete, *parts, _unindex(case.pk, words_of(case)), *_wide_deletes(case)]


def _columns(case: Case, dialect: Dialect) -> dict[str, Any]:
    as_texts: Any = list if dialect == "postgresql" else _as_json
    return {
        "id": case.id,
        "space": case.space,
        "owner": case.owner,
        "title": case.title,
        "status": STATUSES.index(case.status),
        "severity": SEVERITIES.index(case.severity),
        "category": case.category,
        "tags": as_texts([tag_key(tag) for tag in case.tags]),
        "assignees": as_texts(case.assignees),
        "created_at": to_ms(case.created_at),
        "created_by": case.created_by.username,
        "created_by_uid": case.created_by.profile_uid,
        "updated_at": None if case.updated_at is None else to_ms(case.updated_at),
        "closed_at": None if case.closed_at is None else to_ms(case.closed_at),
        "duration": case.duration_s,
        "connector_id": case.connector.id,
        "doc": _encoder.encode(case).decode(),
    }


def _as_json(values: Sequence[str]) -> str:
    return _encoder.encode(values).decode()


def _wide_inserts(case: Case, *, is_new: bool) -> list[Write]:
    """The rows of what a case has several of; one statement a table, since each costs a change of threads."""
    pk = "present_pk()" if is_new else ":pk"
    fixed = {
        "space": case.space,
        "owner": case.owner,
        "status": STATUSES.index(case.status),
        "created_at": to_ms(case.created_at),
        "pk": case.pk,
    }
    return [
        Write(
            f"INSERT INTO {table} (space, {column}, owner, status, created_at, case_pk) "
            f"SELECT :space, value, :owner, :status, :created_at, {pk} FROM json_each(:listed)",
            {**fixed, "listed": _as_json(list(dict.fromkeys(values)))},
        )
        for table, column, values in _wide(case)
        if values
    ]


def _wide_deletes(case: Case) -> list[Write]:
    fixed = {
        "space": case.space,
        "owner": case.owner,
        "status": STATUSES.index(case.status),
        "created_at": to_ms(case.created_at),
        "pk": case.pk,
    }
    return [
        Write(
            f"DELETE FROM {table} WHERE space = :space AND {column} = :value AND owner = :owner "
            f"AND status = :status AND created_at = :created_at AND case_pk = :pk",
            {**fixed, "value": value},
        )
        for table, column, values in _wide(case)
        for value in dict.fromkeys(values)
    ]


def _wide(case: Case) -> tuple[tuple[str, str, Sequence[str]], ...]:
    """Tables, columns and values of what a case has several of."""
    keys = [tag_key(tag) for tag in case.tags]
    return ("case_tag", "tag", keys), ("case_assignee", "uid", case.assignees)
