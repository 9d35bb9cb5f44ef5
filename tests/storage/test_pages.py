"""Pages are chosen by walking indexes, or by gathering few matches, and both choose the same."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casebridge.domain.case import SEVERITIES, STATUSES, Case, CaseChanges, NewCase, change_case, open_case
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.query import SORT_FIELDS, CaseFilter, CaseQuery, Page
from casebridge.domain.search import read_search
from casebridge.domain.user import Actor, User
from casebridge.storage import cases, pages, search_pages, seeding
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database, Query

NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)
DANA = User("dana", None, None)
EVERYONE = ("cases", "observability", "securitySolution")
SORTS = tuple(SORT_FIELDS.values())
LONG = "x" * 310
TITLES = ("alpha", "Alpha", "beta", "beta", "é", "\U0001f600", LONG, LONG + "b", LONG + "a")


def a_case(dice: Random, at: datetime) -> Case:
    new = NewCase(
        owner=dice.choice(EVERYONE),
        title=dice.choice(TITLES),
        description=dice.choice(("logon from abroad", "logon at night", "nothing")),
        tags=tuple(dice.sample(("a", "b", 'c"d', ","), dice.randrange(4))),
        connector=NO_CONNECTOR,
        severity=dice.choice(SEVERITIES),
        category=dice.choice(("Cat", "cat", "É", None)),
        assignees=tuple(dice.sample(("u_1", "u_2"), dice.randrange(3))),
    )
    case = open_case(new, (), id_=str(uuid.UUID(int=dice.getrandbits(128))), space="default", by=DANA, at=at).case
    if dice.random() < 0.6:
        later = at + timedelta(seconds=dice.choice((0, 60, 60, 3600)))
        changes = CaseChanges(status=dice.choice(STATUSES))
        case = change_case(case, changes, (), by=DANA, at=later).case
    return case


@pytest.fixture
async def pool(database: Database) -> list[Case]:
    """Cases in the order of their creation; the clock stands still at times, and goes back at others."""
    dice = Random(11)
    at, made = NOON, []
    for _ in range(150):
        made.append(a_case(dice, at))
        at += timedelta(seconds=dice.choice((0, 0, 1, 600, -1800)))
    told = [seeding.History(each, (), ()) for each in made]
    await database.load(seeding.writes(told, "default", Actor(DANA, ()), NOON, database.dialect))
    return made


def ordered(found: list[Case], sort: str, descending: bool) -> list[Case]:
    """Cases, given in the order of their creation, in the order asked for (find.md 1.4)."""
    ranks: dict[str, Callable[[Any], Any]] = {"status": STATUSES.index, "severity": SEVERITIES.index}
    rank = ranks.get(sort, lambda value: value)
    if sort == "created_at" and descending:
        found = found[::-1]
    present = [each for each in found if getattr(each, sort) is not None]
    absent = [each for each in found if getattr(each, sort) is None]
    return sorted(present, key=lambda each: rank(getattr(each, sort)), reverse=descending) + absent


def matches(case: Case, wanted: CaseFilter) -> bool:
    return (
        case.owner in wanted.owners
        and (wanted.statuses is None or case.status in wanted.statuses)
        and (wanted.severities is None or case.severity in wanted.severities)
        and (wanted.categories is None or case.category in wanted.categories)
        and (wanted.tags is None or bool(set(wanted.tags) & set(case.tags)))
        and (wanted.assignees is None or bool(set(wanted.assignees) & set(case.assignees or ("none",))))
        and (wanted.created_from is None or case.created_at >= wanted.created_from)
    )


def some(*values: str) -> st.SearchStrategy[tuple[str, ...] | None]:
    return st.none() | st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(tuple)


FILTERS = st.builds(
    CaseFilter,
    space=st.just("default"),
    owners=st.lists(st.sampled_from(EVERYONE), max_size=3, unique=True).map(tuple),
    statuses=some(*STATUSES),
    severities=some(*SEVERITIES),
    categories=some("Cat", "É", "unknown"),
    tags=some("a", "b", 'c"d', ",", "unknown"),
    assignees=some("u_1", "none"),
    created_from=st.none() | st.integers(-3_000, 9_000).map(lambda seconds: NOON + timedelta(seconds=seconds)),
)
QUERIES = st.builds(
    CaseQuery,
    filter=FILTERS,
    sort=st.sampled_from(SORTS),
    descending=st.booleans(),
    page=st.builds(Page, st.integers(1, 6), st.sampled_from((1, 7, 20, 100))),
)


async def test_walks_and_gathered_matches_are_the_same_page(
    database: Database, pool: list[Case], monkeypatch: pytest.MonkeyPatch
):
    loop = asyncio.get_running_loop()

    async def check(query: CaseQuery, walked: bool) -> None:
        monkeypatch.setattr(pages, "is_walk_shorter", lambda *_: walked)
        found = [each.id for each in await cases.find(database, query)]
        wanted = ordered([each for each in pool if matches(each, query.filter)], query.sort, query.descending)
        offset = query.page.offset
        assert found == [each.id for each in wanted[offset : offset + query.page.size]]

    @settings(max_examples=250, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(QUERIES, st.booleans())
    def ask(query: CaseQuery, walked: bool) -> None:
        asyncio.run_coroutine_threadsafe(check(query, walked), loop).result(60)

    await asyncio.to_thread(ask)


@pytest.mark.parametrize(("sort", "descending"), product(SORTS, (False, True)))
async def test_pages_of_several_owners_in_every_order_follow_one_another(
    database: Database, pool: list[Case], sort: str, descending: bool
):
    wanted = CaseFilter(space="default", owners=EVERYONE)
    turned = []
    for number in range(1, 24):
        query = CaseQuery(filter=wanted, sort=sort, descending=descending, page=Page(number, 7))
        turned += await cases.find(database, query)

    assert [each.id for each in turned] == [each.id for each in ordered(pool, sort, descending)]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("text", ["logon", "abroad", "alpha", "logon abroad", "nothing + beta", "zzz", "logon -night"])
@pytest.mark.parametrize("bound", [2_000, 5])
async def test_pages_of_a_search_are_in_order_whatever_the_clock_said(
    database: Database, pool: list[Case], descending: bool, text: str, bound: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(search_pages, "_BOUND", bound)
    monkeypatch.setattr(search_pages, "_FEW_LEFT", bound)
    search = read_search(text)
    wanted = CaseFilter(space="default", owners=EVERYONE, statuses=("open", "closed"))
    whole = CaseQuery(filter=wanted, search=search, sort="title", page=Page(1, 1_000))
    found = {each.id for each in await cases.find(database, whole)}
    turned = []
    for number in range(1, 30):
        query = CaseQuery(filter=wanted, search=search, descending=descending, page=Page(number, 6))
        turned += await cases.find(database, query)

    kept = [each for each in pool if each.id in found]
    assert [each.id for each in turned] == [each.id for each in ordered(kept, "created_at", descending)]
    assert bool(found) == (text != "zzz")


async def explained(database: Database, query: Query) -> str:
    return "\n".join(str(row[-1]) for row in await database.read(f"EXPLAIN QUERY PLAN {query.sql}", query.params))


@pytest.mark.parametrize(("sort", "descending"), product(SORTS, (False, True)))
async def test_sqlite_walks_an_index_for_every_order_and_owner(sqlite_target: Path, sort: str, descending: bool):
    database = await open_database(str(sqlite_target))
    wanted = CaseFilter(space="default", owners=EVERYONE, statuses=("open",), tags=("a", "b"))
    query = CaseQuery(filter=wanted, sort=sort, descending=descending)
    plan = await explained(database, pages.walk(query, lambda where: None, "sqlite"))
    await database.close()

    walks = [line for line in plan.splitlines() if line.startswith("SEARCH c USING")]
    assert len(walks) >= len(EVERYONE)
    assert all("INDEX cases_owner_" in line and "space=? AND owner=?" in line for line in walks), plan
    assert "SCAN c" not in plan.splitlines()


async def test_sqlite_reads_a_page_of_one_tag_from_the_wide_table_alone(sqlite_target: Path):
    database = await open_database(str(sqlite_target))
    wanted = CaseFilter(space="default", owners=EVERYONE, tags=("a",))
    plan = await explained(database, pages.walk_tag(CaseQuery(filter=wanted, descending=True), "a"))
    await database.close()

    assert plan.count("PRIMARY KEY (space=? AND tag=? AND owner=? AND status=?)") == 9, plan
    assert "TEMP B-TREE" not in plan


async def test_sqlite_merges_owners_newest_first_without_sorting(sqlite_target: Path):
    database = await open_database(str(sqlite_target))
    wanted = CaseFilter(space="default", owners=EVERYONE, statuses=("open", "closed"))
    query = CaseQuery(filter=wanted, descending=True)
    plan = await explained(database, pages.walk(query, lambda where: None, "sqlite"))
    await database.close()

    assert "MERGE (UNION ALL)" in plan
    assert "TEMP B-TREE" not in plan


def test_a_walk_is_chosen_where_many_match_and_matches_are_gathered_where_few_do():
    query = CaseQuery(filter=CaseFilter(space="default", owners=EVERYONE))

    assert pages.is_walk_shorter(query, 50_000, 1_000_000)
    assert not pages.is_walk_shorter(query, 400, 1_000_000)
    deep = msgspec.structs.replace(query, page=Page(500, 20))
    assert not pages.is_walk_shorter(deep, 50_000, 1_000_000)


@pytest.mark.parametrize(("statuses", "conditions"), [(("closed",), ["NOT NULL"]), (("open",), ["NULL"])])
def test_only_closed_cases_are_looked_for_among_those_with_a_time_of_closing(
    statuses: tuple[str, ...], conditions: list[str]
):
    wanted = CaseFilter(space="default", owners=("cases",), statuses=statuses)
    sql = pages.walk(CaseQuery(filter=wanted, sort="closed_at"), lambda where: None, "postgresql").sql

    assert [part.partition(" ORDER")[0] for part in sql.split("c.closed_at IS ")[1:]] == conditions
