"""`casebridge seed`: cases that the server cannot tell from its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casebridge.app import holding
from casebridge.cli import main
from casebridge.cli.seed_cases import Plan, batch_writes, histories
from casebridge.domain.case import STATUSES, Case, NewCase, open_case
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.query import CaseFilter, CaseQuery, Page, StatusCounts
from casebridge.domain.search import read_search
from casebridge.domain.space import OWNERS
from casebridge.domain.user import Actor, User
from casebridge.storage import attachments, cases, user_actions
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database, Write
from casebridge.storage.unit import Unit

NUMBER, COMMENTS = 60, 3
EVERYTHING = CaseFilter(space="default", owners=OWNERS)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("casebridge.app.start_logs", lambda loaded: None)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[str], str]:
    """Options that name a store, and its target."""
    data = ["--data", str(tmp_path / "data")]
    if request.param == "sqlite":
        return data, str(tmp_path / "data" / "casebridge.sqlite")
    url = request.getfixturevalue("postgresql_target")
    return [*data, "--database-url", url], url


def seeded(options: list[str], *more: str) -> int:
    return main(["seed", "--cases", str(NUMBER), "--comments", str(COMMENTS), *options, *more])


@asynccontextmanager
async def opened(target: str) -> AsyncIterator[Database]:
    database = await open_database(target)
    try:
        yield database
    finally:
        await database.close()


async def all_cases(database: Database) -> list[Case]:
    return await cases.find(database, CaseQuery(filter=EVERYTHING, page=Page(1, 10_000)))


def test_counts_tags_and_activity_agree_with_the_cases(store: tuple[list[str], str]):
    options, target = store
    assert seeded(options) == 0
    assert seeded(options, "--seed", "2") == 0

    async def check() -> None:
        async with opened(target) as database:
            found = await all_cases(database)
            statuses = Counter(case.status for case in found)
            assert len(found) == 2 * NUMBER
            assert await cases.count(database, EVERYTHING) == StatusCounts(*(statuses[each] for each in STATUSES))
            tags = Counter(tag for case in found for tag in case.tags)
            assert await cases.list_tags(database, "default", OWNERS) == sorted(tags)
            for tag, number in tags.items():
                wanted = CaseFilter(space="default", owners=OWNERS, tags=(tag,))
                tally = await cases.count(database, wanted)
                assert tally.open + tally.in_progress + tally.closed == number
                page = await cases.find(database, CaseQuery(filter=wanted, page=Page(1, 1_000)))
                assert {case.id for case in page} == {case.id for case in found if tag in case.tags}
            for case in found:
                actions = await user_actions.list_all(database, case.id)
                comments = await attachments.list_all(database, "default", case.id)
                assert case.counts.actions == len(actions)
                assert [each.seq for each in actions] == list(range(1, len(actions) + 1))
                assert case.counts.user_comments == len(comments) == COMMENTS
                assert [each.comment_id for each in actions if each.type == "comment"] == [each.id for each in comments]

    asyncio.run(check())


def test_cases_are_found_by_their_words_and_assignees(store: tuple[list[str], str]):
    options, target = store
    assert seeded(options) == 0

    async def check() -> None:
        async with opened(target) as database:
            found = await all_cases(database)
            for case in found[:10]:
                search = read_search(f'"{case.title.replace(chr(39), "")}"', "AND", ("title",))
                hits = await cases.find(database, CaseQuery(filter=EVERYTHING, search=search, page=Page(1, 1_000)))
                assert case.id in {each.id for each in hits}
                (first, *_) = await attachments.list_all(database, "default", case.id)
                said = read_search(f'"{first.payload["comment"]}"', "OR", ("comment",))
                assert said is not None
                said = msgspec.structs.replace(said, comment_owners=OWNERS)
                hits = await cases.find(database, CaseQuery(filter=EVERYTHING, search=said, page=Page(1, 1_000)))
                assert case.id in {each.id for each in hits}
            uid = next(uid for case in found for uid in case.assignees)
            wanted = CaseFilter(space="default", owners=OWNERS, assignees=(uid,))
            hits = await cases.find(database, CaseQuery(filter=wanted, page=Page(1, 1_000)))
            assert {each.id for each in hits} == {case.id for case in found if uid in case.assignees}

    asyncio.run(check())


def test_running_numbers_go_on_after_the_seeded_cases(store: tuple[list[str], str]):
    options, target = store
    assert seeded(options) == 0

    async def check() -> None:
        async with opened(target) as database:
            found = await all_cases(database)
            assert [case.incremental_id for case in found] == list(range(1, NUMBER + 1))
            assert [case.pk for case in found] == sorted({case.pk for case in found})
            now, dana = datetime.now(UTC), User("dana", None, None)
            new = NewCase(owner="cases", title="t", description="d", tags=(), connector=NO_CONNECTOR)
            work = Unit(database, Actor(dana, ()), "default", now, lambda: "x")
            change = open_case(new, (), id_="own", space="default", by=dana, at=now)
            work.open(change.case, change.activity)
            (case,) = await work.save()
            assert case.incremental_id == NUMBER + 1
            assert case.pk > found[-1].pk
            assert case.version > max(each.version for each in found)

    asyncio.run(check())


def test_one_audit_event_tells_of_all_cases_of_a_batch(store: tuple[list[str], str]):
    options, target = store
    assert seeded(options) == 0

    async def check() -> None:
        async with opened(target) as database:
            rows = await database.read("SELECT doc FROM audit_event")
            found = await all_cases(database)
            assert len(rows) == 1
            assert all(case.id in rows[0][0] for case in found)

    asyncio.run(check())


def test_no_time_lies_in_the_future_and_no_case_before_the_one_made_earlier():
    until = datetime(2026, 5, 17, 12, tzinfo=UTC)
    plan = Plan(cases=500, comments=2, seed=4, space="default", until=until)
    made = [each for number in range(plan.batches) for each in histories(plan, number)]

    assert len(made) == 500
    assert [each.case.created_at for each in made] == sorted(each.case.created_at for each in made)
    assert all(action.created_at <= until for each in made for action in each.actions)
    assert all(case.closed_at is None or case.closed_at >= case.created_at for case in (each.case for each in made))


def test_the_same_seed_makes_the_same_cases():
    until = datetime(2026, 5, 17, 12, tzinfo=UTC)
    plan = Plan(cases=5, comments=2, seed=4, space="default", until=until)
    other = Plan(cases=5, comments=2, seed=5, space="default", until=until)

    assert [each.case for each in histories(plan, 0)] == [each.case for each in histories(plan, 0)]
    assert [each.case for each in histories(plan, 0)] != [each.case for each in histories(other, 0)]


def test_a_store_that_is_served_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    options = ["--data", str(tmp_path / "data")]
    assert main(["migrate", *options]) == 0
    with holding(tmp_path / "data"):
        assert seeded(options) == 3

    assert "served by another process" in capsys.readouterr().err


def test_a_postgresql_database_in_use_is_refused(
    postgresql_target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async def seed_beside_a_server() -> Any:
        async with opened(postgresql_target) as database:
            await database.read("SELECT 1")
            options = ["--data", str(tmp_path / "data"), "--database-url", postgresql_target]
            return await asyncio.to_thread(seeded, options)

    assert asyncio.run(seed_beside_a_server()) == 3
    assert "stop the server" in capsys.readouterr().err


def test_a_newer_schema_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    data = tmp_path / "data"
    assert main(["migrate", "--data", str(data)]) == 0

    async def age() -> None:
        async with opened(str(data / "casebridge.sqlite")) as database:
            await database.commit([Write("UPDATE alembic_version SET version_num = '9999'", {})])

    asyncio.run(age())
    assert seeded(["--data", str(data)]) == 3
    assert "newer" in capsys.readouterr().err


def test_an_unknown_space_is_refused_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    options = ["--data", str(tmp_path / "data")]
    assert seeded(options, "--space", "nowhere") == 1

    assert "nowhere" in capsys.readouterr().err


@pytest.mark.slow
def test_many_cases_are_made_in_a_process_beside(tmp_path: Path):
    data = tmp_path / "data"
    assert main(["seed", "--cases", "2001", "--comments", "0", "--data", str(data)]) == 0

    async def check() -> None:
        async with opened(str(data / "casebridge.sqlite")) as database:
            tally = await cases.count(database, EVERYTHING)
            assert tally.open + tally.in_progress + tally.closed == 2001

    asyncio.run(check())


def test_a_batch_that_fails_leaves_nothing(tmp_path: Path):
    data = tmp_path / "data"
    assert main(["migrate", "--data", str(data)]) == 0
    plan = Plan(cases=5, comments=1, seed=1, space="default", until=datetime(2026, 5, 17, tzinfo=UTC))

    async def check() -> None:
        async with opened(str(data / "casebridge.sqlite")) as database:
            with pytest.raises(Exception, match="no such table"):
                await database.load([*batch_writes(plan, 0, "sqlite"), Write("INSERT INTO no_table VALUES (1)", {})])
            assert await all_cases(database) == []

    asyncio.run(check())
