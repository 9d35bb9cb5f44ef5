"""Cases through the unit of work: numbers, counts, guards and lists, on both databases."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case, Change, NewCase, open_case, with_status
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.errors import VersionConflict
from casebridge.domain.query import CaseFilter, CaseQuery, Page, StatusCounts
from casebridge.domain.user import Actor, User
from casebridge.domain.user_action import Activity
from casebridge.storage import attachments, cases, counts, user_actions
from casebridge.storage.session import Database
from casebridge.storage.unit import Unit

ANNA = User("anna", "Anna", None)
NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)


def unit(database: Database, at: datetime = NOON) -> Unit:
    return Unit(database, Actor(ANNA, ("superuser",)), "default", at, lambda: str(uuid.uuid4()))


def draft(at: datetime = NOON, by: User = ANNA, **given: Any) -> Change:
    new = NewCase(
        **{"owner": "cases", "title": "T", "description": "d", "tags": (), "connector": NO_CONNECTOR, **given}
    )
    return open_case(new, (), id_=str(uuid.uuid4()), space="default", by=by, at=at)


async def opened(database: Database, at: datetime = NOON, **given: Any) -> Case:
    change = draft(at, **given)
    work = unit(database, at)
    work.open(change.case, change.activity)
    return (await work.save())[0]


async def save(database: Database, old: Case, new: Case, *activity: Activity) -> Case:
    work = unit(database)
    work.update(old, new, activity)
    return (await work.save())[0]


async def test_a_new_case_reads_back_as_it_was_answered(database: Database):
    case = await opened(database, tags=("a", "b"), assignees=("u1",))

    assert await cases.get(database, "default", case.id) == case
    assert case.version > 0
    assert case.incremental_id == 1
    assert case.counts.actions == 1
    assert await cases.get(database, "other", case.id) is None


async def test_running_numbers_rise_in_order_of_creation(database: Database):
    made = [await opened(database) for _ in range(3)]

    assert [case.incremental_id for case in made] == [1, 2, 3]
    assert [case.pk for case in made] == sorted({case.pk for case in made})


async def test_the_second_of_two_writers_gets_a_conflict_and_writes_nothing(database: Database):
    case = await opened(database, tags=("a",))
    await save(
        database, case, msgspec.structs.replace(case, title="one"), Activity("title", "update", {"title": "one"})
    )

    with pytest.raises(VersionConflict) as refused:
        await save(database, case, msgspec.structs.replace(case, tags=("z",)), Activity("tags", "add", {"tags": ["z"]}))

    assert refused.value.ids == (case.id,)
    assert [each.type for each in await user_actions.list_all(database, case.id)] == ["create_case", "title"]
    assert await counts.list_tag_keys(database, "default", ("cases",), 10) == ["a"]


async def test_of_many_racing_writers_of_one_version_exactly_one_wins(database: Database):
    case = await opened(database)

    async def rename(number: int) -> bool:
        try:
            await save(database, case, msgspec.structs.replace(case, title=str(number)))
        except VersionConflict:
            return False
        return True

    assert sum(await asyncio.gather(*(rename(number) for number in range(20)))) == 1


async def test_counts_follow_every_change_of_status_and_tags(database: Database):
    first = await opened(database, tags=("a", "b", "a"))
    second = await opened(database, tags=("a",))
    closed = await save(database, first, with_status(first, "closed", by=ANNA, at=NOON))
    await save(database, closed, msgspec.structs.replace(closed, tags=("b",)))
    work = unit(database)
    work.remove(second)
    await work.save()

    everything = await counts.read(database, "default", ("cases",))
    assert everything == StatusCounts(open=0, in_progress=0, closed=1)
    assert await counts.list_tag_keys(database, "default", ("cases",), 10) == ["b"]
    wanted = CaseFilter(space="default", owners=("cases",), tags=("a",))
    assert await cases.count(database, wanted) == StatusCounts()


@pytest.mark.parametrize(
    ("given", "titles"),
    [
        ({"statuses": ("closed",)}, ["c"]),
        ({"severities": ("high", "low")}, ["a", "b", "c"]),
        ({"tags": ("x", "nothing")}, ["a", "b"]),
        ({"tags": ("",)}, []),
        ({"assignees": ("none",)}, ["b", "c"]),
        ({"assignees": ("u1", "none")}, ["a", "b", "c"]),
        ({"assignees": ("u1",)}, ["a"]),
        ({"reporters": ("bert",)}, ["c"]),
        ({"reporters": ("u-bert", "nobody")}, ["c"]),
        ({"categories": ("k",)}, ["b"]),
        ({"created_from": NOON + timedelta(seconds=1)}, ["b", "c"]),
        ({"created_to": NOON + timedelta(seconds=1)}, ["a", "b"]),
        ({"owners": ()}, []),
        ({"tags": ("x",), "severities": ("high",)}, ["b"]),
    ],
)
async def test_every_filter_selects_what_it_says(database: Database, given: dict[str, Any], titles: list[str]):
    await opened(database, NOON, title="a", tags=("x", "y"), assignees=("u1",))
    await opened(database, NOON + timedelta(seconds=1), title="b", tags=("x",), severity="high", category="k")
    third = draft(NOON + timedelta(seconds=2), User("bert", None, None, "u-bert"), title="c")
    work = unit(database)
    work.open(third.case, third.activity)
    (third_case,) = await work.save()
    await save(database, third_case, with_status(third_case, "closed", by=ANNA, at=NOON))

    wanted = CaseFilter(**{"space": "default", "owners": ("cases",), **given})
    found = await cases.find(database, CaseQuery(filter=wanted))

    assert [case.title for case in found] == titles
    tally = await cases.count(database, wanted)
    if "statuses" not in given:
        assert tally.open + tally.in_progress + tally.closed == len(titles)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", ["created_at", "updated_at", "closed_at", "title", "category", "status", "severity"])
async def test_lists_sort_with_missing_values_last_and_ties_oldest_first(
    database: Database, sort: str, descending: bool
):
    for number, (title, category, severity) in enumerate(
        [("b", None, "low"), ("B", "x", "high"), ("a", "X", "low"), ("b", "x", "critical"), ("é", None, "medium")]
    ):
        case = await opened(
            database, NOON + timedelta(seconds=number // 2), title=title, category=category, severity=severity
        )
        if number % 2:
            moved = with_status(case, "closed", by=ANNA, at=NOON + timedelta(seconds=9))
            await save(database, case, msgspec.structs.replace(moved, updated_at=NOON))
    everything = await cases.get_many(
        database, "default", [row[0] for row in await database.read("SELECT id FROM cases")]
    )

    query = CaseQuery(
        filter=CaseFilter(space="default", owners=("cases",)), sort=sort, descending=descending, page=Page(1, 10)
    )
    found = await cases.find(database, query)

    ranks = {"status": ["open", "in-progress", "closed"], "severity": ["low", "medium", "high", "critical"]}

    def key(case: Case) -> Any:
        value = getattr(case, sort)
        return ranks[sort].index(value) if sort in ranks else value

    present = sorted((case for case in everything.values() if key(case) is not None), key=lambda case: case.pk)
    missing = sorted((case for case in everything.values() if key(case) is None), key=lambda case: case.pk)
    if sort == "created_at":
        present.sort(key=lambda case: (case.created_at, case.pk), reverse=descending)
    else:
        present.sort(key=key, reverse=descending)
    if sort != "created_at" and descending:
        present = sorted(present, key=lambda case: case.pk)
        present.sort(key=key, reverse=True)
    assert [case.pk for case in found] == [case.pk for case in (*present, *missing)]


async def test_deleting_a_case_takes_its_comments_and_activity_along(database: Database):
    case = await opened(database)
    comment = Attachment(
        id="c1",
        case_id=case.id,
        seq=2,
        type="user",
        owner="cases",
        payload={"type": "user", "owner": "cases", "comment": "hi"},
        created_at=NOON,
        created_by=ANNA,
    )
    work = unit(database)
    work.update(case, case, [Activity("comment", "create", {"comment": comment.payload}, "c1")])
    work.attach(comment)
    (case,) = await work.save()
    assert [each.id for each in await attachments.list_all(database, "default", case.id)] == ["c1"]

    work = unit(database)
    work.remove(case)
    await work.save()

    assert await attachments.get(database, "default", "c1") is None
    assert await user_actions.list_all(database, case.id) == []


async def test_reporters_are_distinct_users_with_their_latest_data(database: Database):
    for user in (User("bert", None, None), ANNA, User("bert", "Bert B.", None), User(None, None, None)):
        change = draft(by=user)
        work = unit(database)
        work.open(change.case, change.activity)
        await work.save()

    found = await cases.list_reporters(database, "default", ("cases",))

    assert found == [ANNA, User("bert", "Bert B.", None)]


async def test_a_change_of_very_many_tags_and_records_is_counted(database: Database):
    opened_cases = [await opened(database, tags=tuple(f"t{n}-{m}" for m in range(200))) for n in range(60)]
    work = unit(database)
    for place, case in enumerate(opened_cases):
        tags = tuple(f"u{place}-{number}" for number in range(200))
        work.update(case, msgspec.structs.replace(case, tags=tags), [Activity("tags", "add", {"tags": list(tags)})])
    await work.save()

    tags_in_use = await counts.list_tag_keys(database, "default", ("cases",), 20_000)
    assert len(tags_in_use) == 12_000
    assert all(each.startswith("u") for each in tags_in_use)
    assert len(await user_actions.list_all(database, opened_cases[-1].id)) == 2
