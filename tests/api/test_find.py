"""Finding, counting and listing cases (contract find.md 1 to 4, README 9 and 10), but what `search` finds.

Whether filters, sorting, paging and counts agree with each other for any query is the business of test_find_model.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from casebridge.domain.user import Account
from casebridge.services.ground import Ground
from casebridge.storage import accounts
from casebridge.storage.session import Database
from tests.api.calls import (
    ADMIN,
    CASES,
    JIRA,
    Clock,
    changed,
    commented,
    message_of,
    opened,
    patch,
    with_space,
)

FIND = f"{CASES}/_find"
ONE_DATABASE = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)
"""For what is decided before the store is asked."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ground(ground: Ground, clock: Clock) -> Ground:
    return msgspec.structs.replace(ground, now=clock)


async def titles(client: Any, query: str = "", space: str = "") -> list[str]:
    """Titles of the cases found, in order."""
    answer = await client.get(f"{space}{FIND}?{query}")
    assert answer.status_code == 200, answer.text
    return [each["title"] for each in answer.json()["cases"]]


async def counts(client: Any, query: str = "", route: str = FIND) -> tuple[int, int, int]:
    """How many are open, in progress and closed."""
    answer = (await client.get(f"{route}?{query}")).json()
    return answer["count_open_cases"], answer["count_in_progress_cases"], answer["count_closed_cases"]


class TestPage:
    async def test_an_empty_store_answers_exactly_these_keys(self, client: Any) -> None:
        assert (await client.get(FIND)).json() == {
            "cases": [],
            "page": 1,
            "per_page": 20,
            "total": 0,
            "count_open_cases": 0,
            "count_in_progress_cases": 0,
            "count_closed_cases": 0,
        }

    async def test_cases_come_whole_with_empty_comments_and_right_totals(self, client: Any) -> None:
        case = await commented(client, await opened(client, category="Cat", connector=JIRA))
        (found,) = (await client.get(FIND)).json()["cases"]
        assert found == case | {"comments": []}
        assert found["totalComment"] == 1

    async def test_pages_follow_each_other_without_gap(self, client: Any) -> None:
        for number in range(5):
            await opened(client, title=str(number))
        assert await titles(client, "perPage=2") == ["0", "1"]
        assert await titles(client, "perPage=2&page=2") == ["2", "3"]
        assert await titles(client, "perPage=2&page=3") == ["4"]
        assert await titles(client, "perPage=2&page=4") == []
        answer = (await client.get(f"{FIND}?perPage=2&page=4")).json()
        assert (answer["page"], answer["per_page"], answer["total"]) == (4, 2, 5)

    async def test_a_page_of_none_answers_totals_only(self, client: Any) -> None:
        await opened(client)
        answer = (await client.get(f"{FIND}?perPage=0")).json()
        assert (answer["cases"], answer["per_page"], answer["total"]) == ([], 0, 1)

    @pytest.mark.parametrize(
        "query", ["page=100&perPage=100", "page=10000&perPage=1", "page=10000&perPage=0", "page=500", "perPage=100"]
    )
    @ONE_DATABASE
    async def test_the_window_of_ten_thousand_is_open_to_its_edge(self, client: Any, query: str) -> None:
        assert (await client.get(f"{FIND}?{query}")).status_code == 200

    @pytest.mark.parametrize(
        "query",
        [
            "page=0",
            "page=-1",
            "page=",
            "page=one",
            "page=1.0",
            "page=1e1",
            "page=%201",
            "page=%2B1",
            "page=0x1",
            "page=%D9%A1",
            "page=null",
            "page=1&page=1",
            "perPage=101",
            "perPage=-1",
            "perPage=",
            "page=501",
            "page=101&perPage=100",
            "page=10001&perPage=1",
            "page=10001&perPage=0",
            "page=9223372036854775808",
            "page=99999999999999999999999",
        ],
    )
    @ONE_DATABASE
    async def test_pages_outside_the_window_and_what_is_no_number_are_refused(self, client: Any, query: str) -> None:
        assert "age" in message_of(await client.get(f"{FIND}?{query}"), 400)

    @pytest.mark.parametrize(
        "query",
        [
            "sortField=created_at",
            "sortField=CreatedAt",
            "sortField=",
            "sortField=id",
            "sortOrder=DESC",
            "sortOrder=",
            "status=",
            "status=Open",
            "status=open&status=all",
            "status=open,closed",
            "severity=urgent",
            "severity=low&severity=",
            "searchFields=titles",
            "searchFields=",
            "searchFields=title&searchFields=id",
            "searchFields=title,description",
            "defaultSearchOperator=or",
            "defaultSearchOperator=",
            "customFields=x",
            "nope=1",
            "tags%5B%5D=doors",
            "tags%5B0%5D=doors",
            "per_page=5",
            "fields=title",
            "Page=1",
            "from=2024&from=2025",
            "tags=%FF",
            "tags=%ED%A0%80",
            "tags=a%00b",
            "=x",
        ],
    )
    @ONE_DATABASE
    async def test_unknown_parameters_and_values_are_refused(self, client: Any, query: str) -> None:
        message_of(await client.get(f"{FIND}?{query}"), 400)

    @ONE_DATABASE
    async def test_two_parameters_are_always_ignored(self, client: Any) -> None:
        assert (await client.get(f"{FIND}?apiVersion=2023-10-31&elasticInternalOrigin=true")).status_code == 200

    @pytest.mark.parametrize("name", ["tags", "assignees", "reporters", "category"])
    async def test_a_hundred_values_of_a_filter_are_taken_and_no_more(self, client: Any, name: str) -> None:
        assert (await client.get(FIND, params={name: [f"v{n}" for n in range(100)]})).status_code == 200
        for values in ([f"v{n}" for n in range(101)], ["same"] * 101):
            message = message_of(await client.get(FIND, params={name: values}), 400)
            assert name in message
            assert "100" in message


class TestFilters:
    async def test_filters_are_and_ed_and_values_or_ed(self, client: Any) -> None:
        await opened(client, title="a", tags=["x", "y"], severity="high")
        await opened(client, title="b", tags=["y"], severity="low")
        await opened(client, title="c", tags=["z"], severity="high")
        assert await titles(client, "tags=x&tags=y") == ["a", "b"]
        assert await titles(client, "tags=y&tags=z&severity=high") == ["a", "c"]
        assert await titles(client, "severity=low&severity=high") == ["a", "b", "c"]
        assert await titles(client, "tags=x&severity=low") == []

    @pytest.mark.parametrize("text", ["*", "a*", "A:b", '"q"', "back\\slash", "a,b", "%", "_", "'", "{x}", "é", "a b"])
    async def test_comparisons_are_exact_and_every_sign_is_ordinary(self, client: Any, text: str) -> None:
        await opened(client, title="exact", tags=[text], category=text, assignees=[{"uid": text}])
        await opened(client, title="other", tags=[text + "x", "ab"], category=text + "x", assignees=[{"uid": "ab"}])
        for name in ("tags", "category", "assignees"):
            answer = (await client.get(FIND, params={name: text})).json()
            assert [each["title"] for each in answer["cases"]] == ["exact"]
            assert answer["total"] == answer["count_open_cases"] == 1

    async def test_case_counts_in_comparisons(self, client: Any) -> None:
        await opened(client, tags=["Doors"], category="Cat")
        for query in ("tags=doors", "category=cat", "reporters=Admin", "owner=Cases"):
            assert await titles(client, query) == []

    async def test_an_empty_text_matches_nothing(self, client: Any) -> None:
        await opened(client, title="bare", tags=[])
        await opened(client, title="full", category="Cat")
        for name in ("tags", "category", "assignees", "reporters", "owner"):
            answer = (await client.get(f"{FIND}?{name}=")).json()
            assert (answer["cases"], answer["total"], answer["count_open_cases"]) == ([], 0, 0)

    async def test_the_word_none_stands_for_cases_without_assignees(self, client: Any) -> None:
        await opened(client, title="nobody")
        await opened(client, title="a", assignees=[{"uid": "a"}])
        await opened(client, title="b", assignees=[{"uid": "b"}, {"uid": "c"}])
        assert await titles(client, "assignees=none") == ["nobody"]
        assert await titles(client, "assignees=none&assignees=c") == ["nobody", "b"]
        assert await titles(client, "assignees=a&assignees=b") == ["a", "b"]

    async def test_reporters_are_names_of_who_opened_the_case(
        self, client: Any, app: Any, connect: Any, database: Database, admin: Account
    ) -> None:
        await accounts.create(database, msgspec.structs.replace(admin, username="omar"))
        await opened(client, title="by admin")
        async with connect(app, auth=("omar", "correct horse battery")) as omar:
            case = await opened(omar, title="by omar")
        await changed(client, case, severity="high")
        assert await titles(client, "reporters=omar") == ["by omar"]
        assert await titles(client, "reporters=omar&reporters=admin") == ["by admin", "by omar"]
        assert await titles(client, "reporters=Ada%20Admin") == []

    async def test_owners_narrow_and_unknown_ones_are_dropped(self, client: Any) -> None:
        for owner in ("cases", "observability", "securitySolution"):
            await opened(client, title=owner, owner=owner)
        assert await titles(client, "owner=observability") == ["observability"]
        assert await titles(client, "owner=cases&owner=nobody&owner=securitySolution") == ["cases", "securitySolution"]
        answer = await client.get(f"{FIND}?owner=nobody")
        assert (answer.status_code, answer.json()["total"], answer.json()["count_open_cases"]) == (200, 0, 0)

    async def test_owners_switched_off_in_the_space_are_left_out(self, client: Any) -> None:
        space = await with_space(client, "ops")
        await opened(client, space, title="general")
        await opened(client, space, title="seen", owner="observability")
        await with_space(client, "ops", "generalCasesV3")
        assert await titles(client, space=space) == ["seen"]
        assert await titles(client, "owner=cases", space) == []
        await with_space(client, "ops", "generalCasesV3", "observabilityCases", "securitySolutionCasesV2")
        for path in ("_find", "_find?owner=cases", "status", "tags", "reporters"):
            message_of(await client.get(f"{space}{CASES}/{path}"), 403)

    async def test_spaces_do_not_see_each_other(self, client: Any) -> None:
        space = await with_space(client, "ops")
        await opened(client, title="here", tags=["here"])
        await opened(client, space, title="there", tags=["there"])
        assert await titles(client) == ["here"]
        assert await titles(client, space=space) == ["there"]
        assert (await client.get(f"{space}{CASES}/tags")).json() == ["there"]
        assert (await client.get(f"{space}{CASES}/status")).json()["count_open_cases"] == 1


class TestDates:
    """Which moments an expression names is the business of the domain; here, that they arrive and are inclusive."""

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("from=2024-05-17T08:03:59.120Z", True),
            ("from=2024-05-17T08:03:59.121Z", False),
            ("to=2024-05-17T08:03:59.120Z", True),
            ("to=2024-05-17T08:03:59.119Z", False),
            ("from=2024-05-17&to=2024-05-17", True),
            ("from=2024-05-18", False),
            ("to=2024-05-16", False),
            ("from=2024-05&to=2024-06", True),
            ("from=2024&to=2025", True),
            ("from=2024-05-17T10:03:59.120%2B02:00", True),
            ("from=2024-05-17T08:03:59.120", True),
            ("from=1715933039120&to=1715933039120", True),
            ("from=1715933039121", False),
            ("from=now&to=now", True),
            ("from=now%2B1s", False),
            ("to=now-1s", False),
            ("from=now/d&to=now/d", True),
            ("from=now-1d/d&to=now-1d/d", False),
            ("from=2024-05-16||%2B1d&to=2024-05-16||%2B1d/d", True),
            ("from=2024-05-17T08:03:59.999Z||/s", True),
            ("from=2024-06-01&to=2024-05-01", False),
        ],
    )
    async def test_both_ends_are_inclusive(self, client: Any, query: str, found: bool) -> None:
        await opened(client)
        assert len(await titles(client, query)) == found
        assert await counts(client, query) == (int(found), 0, 0)
        assert await counts(client, query, f"{CASES}/status") == (int(found), 0, 0)

    @pytest.mark.parametrize(
        "text",
        ["", "<", "x", "now+1d", "now-", "now/x", "2024-13", "2024-02-30", "2024-5-1", "tomorrow",
         "2024-05-17T25:00", "99999999999999999999", "now-9999999y", "2024-05-17||%2B1", "%EF%BC%92024", " now"],
    )  # fmt: skip
    @pytest.mark.parametrize("name", ["from", "to"])
    @ONE_DATABASE
    async def test_what_names_no_moment_is_refused(self, client: Any, name: str, text: str) -> None:
        for route in (FIND, f"{CASES}/status"):
            assert name in message_of(await client.get(f"{route}?{name}={text}"), 400)


class TestOrder:
    async def test_oldest_first_unless_asked_otherwise(self, client: Any, clock: Clock) -> None:
        for title in ("first", "second", "third"):
            await opened(client, title=title)
            clock.forward(1)
        assert await titles(client) == ["first", "second", "third"]
        assert await titles(client, "sortField=createdAt&sortOrder=asc") == ["first", "second", "third"]
        assert await titles(client, "sortOrder=desc") == ["third", "second", "first"]

    async def test_cases_of_one_millisecond_keep_the_order_of_their_creation(self, client: Any) -> None:
        for number in range(6):
            await opened(client, title=str(number))
        assert await titles(client, "perPage=3") == ["0", "1", "2"]
        assert await titles(client, "perPage=3&sortOrder=desc") == ["5", "4", "3"]
        assert await titles(client, "perPage=3&page=2&sortField=severity&sortOrder=desc") == ["3", "4", "5"]

    async def test_titles_and_categories_sort_by_code_point(self, client: Any) -> None:
        names = ["b", "a", "B", "A", "é", "Z", "\U0001f600", "\uffee", "_", "aa", "a b", "10", "9"]
        for name in names:
            await opened(client, title=name, category=name)
        for field in ("title", "category"):
            assert await titles(client, f"sortField={field}") == sorted(names)
            assert await titles(client, f"sortField={field}&sortOrder=desc") == sorted(names, reverse=True)

    async def test_status_and_severity_sort_by_rank(self, client: Any) -> None:
        for severity, status in (("critical", "closed"), ("low", "open"), ("high", "in-progress"), ("medium", "open")):
            case = await opened(client, title=severity, severity=severity)
            if status != "open":
                await changed(client, case, status=status)
        assert await titles(client, "sortField=severity") == ["low", "medium", "high", "critical"]
        assert await titles(client, "sortField=severity&sortOrder=desc") == ["critical", "high", "medium", "low"]
        assert await titles(client, "sortField=status") == ["low", "medium", "high", "critical"]
        assert await titles(client, "sortField=status&sortOrder=desc") == ["critical", "high", "low", "medium"]

    async def test_cases_without_the_value_come_last_in_both_directions(self, client: Any, clock: Clock) -> None:
        bare = [await opened(client, title=f"bare {number}") for number in range(2)]
        for title in ("first", "second"):
            case = await opened(client, title=title, category=title)
            clock.forward(1)
            await changed(client, case, status="closed")
        rest = [each["title"] for each in bare]
        for field in ("updatedAt", "closedAt", "category"):
            assert await titles(client, f"sortField={field}") == ["first", "second", *rest]
            assert await titles(client, f"sortField={field}&sortOrder=desc") == ["second", "first", *rest]

    async def test_a_comment_counts_as_an_update(self, client: Any, clock: Clock) -> None:
        first = await opened(client, title="first")
        second = await opened(client, title="second")
        await changed(client, second, severity="high")
        clock.forward(1)
        await commented(client, first)
        assert await titles(client, "sortField=updatedAt&sortOrder=desc") == ["first", "second"]


class TestCounts:
    @pytest.fixture
    async def six(self, client: Any) -> None:
        """Three open, two in progress, one closed; every other one tagged `odd`."""
        for number, status in enumerate(("open", "open", "open", "in-progress", "in-progress", "closed")):
            case = await opened(client, title=str(number), tags=["all", "odd"] if number % 2 else ["all"])
            if status != "open":
                await changed(client, case, status=status)

    @pytest.mark.usefixtures("six")
    async def test_counts_ignore_status_and_paging_and_the_total_obeys_all(self, client: Any) -> None:
        for query, total in (
            ("", 6),
            ("status=closed", 1),
            ("status=open&status=closed", 4),
            ("status=open&status=open", 3),
            ("perPage=1&page=3", 6),
            ("perPage=0&status=in-progress", 2),
        ):
            assert (await client.get(f"{FIND}?{query}")).json()["total"] == total
            assert await counts(client, query) == (3, 2, 1)

    @pytest.mark.usefixtures("six")
    async def test_counts_respect_every_other_filter(self, client: Any) -> None:
        for query, expected in (
            ("tags=odd", (1, 1, 1)),
            ("tags=odd&tags=all", (3, 2, 1)),
            ("tags=odd&status=closed", (1, 1, 1)),
            ("tags=nothing", (0, 0, 0)),
            ("severity=low", (3, 2, 1)),
            ("severity=high", (0, 0, 0)),
            ("owner=observability", (0, 0, 0)),
            ("from=now%2B1d", (0, 0, 0)),
            ("assignees=none", (3, 2, 1)),
        ):
            assert await counts(client, query) == expected

    @pytest.mark.usefixtures("six")
    async def test_the_deprecated_counts_answer_exactly_these_keys(self, client: Any) -> None:
        assert (await client.get(f"{CASES}/status")).json() == {
            "count_open_cases": 3,
            "count_in_progress_cases": 2,
            "count_closed_cases": 1,
        }
        assert await counts(client, "owner=cases&owner=nobody", f"{CASES}/status") == (3, 2, 1)
        assert await counts(client, "owner=observability", f"{CASES}/status") == (0, 0, 0)
        for query in ("status=open", "page=1", "tags=odd", "nope=1"):
            message_of(await client.get(f"{CASES}/status?{query}"), 400)

    @pytest.mark.usefixtures("six")
    async def test_counts_follow_edits_and_deletions_at_once(self, client: Any) -> None:
        cases = (await client.get(FIND)).json()["cases"]
        await changed(client, cases[0], status="closed", tags=["odd", "odd"])
        await changed(client, cases[5], status="open")
        await client.delete(CASES, params={"ids": json.dumps([cases[1]["id"], cases[3]["id"]])})
        assert await counts(client) == (2, 1, 1)
        assert await counts(client, "tags=odd") == (1, 0, 1)
        assert await counts(client, "tags=all") == (2, 1, 0)
        assert await counts(client, "tags=all&severity=low") == (2, 1, 0)

    async def test_parallel_changes_leave_the_counts_true(self, client: Any) -> None:
        cases = await asyncio.gather(*(opened(client, tags=["t", str(n % 3)]) for n in range(18)))
        await asyncio.gather(*(patch(client, each, status="closed", tags=["t"]) for each in cases[:6]))
        await asyncio.gather(
            *(patch(client, each, tags=["t", "new"]) for each in cases[6:12]),
            *(client.delete(CASES, params={"ids": json.dumps([each["id"]])}) for each in cases[9:15]),
        )
        everything = (await client.get(f"{FIND}?perPage=100")).json()
        closed = sum(each["status"] == "closed" for each in everything["cases"])
        assert await counts(client) == (len(everything["cases"]) - closed, 0, closed)
        for tag in ("t", "new", "0", "1", "2"):
            with_tag = [each for each in everything["cases"] if tag in each["tags"]]
            assert sum(await counts(client, f"tags={tag}")) == len(with_tag)
            assert (await client.get(f"{FIND}?tags={tag}")).json()["total"] == len(with_tag)


class TestLists:
    async def test_tags_are_distinct_and_sorted_by_code_point(self, client: Any) -> None:
        await opened(client, tags=["b", "a", "b", "É", "B", "\U0001f600", "\uffee"])
        case = await opened(client, tags=["closed too", "a"])
        await changed(client, case, status="closed")
        expected = sorted({"b", "a", "É", "B", "\U0001f600", "\uffee", "closed too"})
        assert (await client.get(f"{CASES}/tags")).json() == expected

    async def test_tags_follow_edits_and_deletions_at_once(self, client: Any) -> None:
        first, second = await opened(client, tags=["a", "b"]), await opened(client, tags=["b", "c"])
        await changed(client, first, tags=["d"])
        assert (await client.get(f"{CASES}/tags")).json() == ["b", "c", "d"]
        await client.delete(CASES, params={"ids": json.dumps([second["id"]])})
        assert (await client.get(f"{CASES}/tags")).json() == ["d"]

    async def test_lists_are_narrowed_by_owner(self, client: Any) -> None:
        await opened(client, tags=["general"])
        await opened(client, tags=["observed"], owner="observability")
        assert (await client.get(f"{CASES}/tags?owner=observability&owner=nobody")).json() == ["observed"]
        assert (await client.get(f"{CASES}/tags?owner=securitySolution")).json() == []
        assert (await client.get(f"{CASES}/tags?owner=nobody")).json() == []
        assert (await client.get(f"{CASES}/reporters?owner=cases")).json() == [ADMIN]
        assert (await client.get(f"{CASES}/reporters?owner=securitySolution")).json() == []

    @pytest.mark.parametrize("query", ["nope=1", "page=1", "perPage=5", "owner%5B%5D=cases"])
    @ONE_DATABASE
    async def test_lists_know_no_other_parameter(self, client: Any, query: str) -> None:
        for path in ("tags", "reporters"):
            message_of(await client.get(f"{CASES}/{path}?{query}"), 400)

    async def test_a_reporter_is_named_as_in_the_latest_of_their_cases(
        self, client: Any, app: Any, connect: Any, database: Database, admin: Account
    ) -> None:
        omar = msgspec.structs.replace(admin, username="Omar", full_name="Old Name", email=None)
        await accounts.create(database, omar)
        async with connect(app, auth=("Omar", "correct horse battery")) as other:
            await opened(other)
            stored = await accounts.get(database, "Omar")
            assert stored is not None
            await accounts.save(database, msgspec.structs.replace(omar, full_name="New Name"), stored.version)
            latest = await opened(other)
        await opened(client)
        assert (await client.get(f"{CASES}/reporters")).json() == [
            {"username": "Omar", "full_name": "New Name", "email": None},
            ADMIN,
        ]
        await client.delete(CASES, params={"ids": json.dumps([latest["id"]])})
        assert (await client.get(f"{CASES}/reporters")).json()[0]["full_name"] == "Old Name"

    async def test_the_order_of_reporters_is_by_code_point(
        self, client: Any, app: Any, connect: Any, database: Database, admin: Account
    ) -> None:
        names = ["b", "Z", "é", "a"]
        for name in names:
            await accounts.create(database, msgspec.structs.replace(admin, username=name))
            async with connect(app, auth=(name, "correct horse battery")) as other:
                await opened(other)
        assert [each["username"] for each in (await client.get(f"{CASES}/reporters")).json()] == sorted(names)


async def test_a_read_sees_every_acknowledged_write(client: Any) -> None:
    for number in range(10):
        await opened(client, title=str(number), tags=[str(number)])
        assert (await titles(client))[-1] == str(number)
        assert str(number) in (await client.get(f"{CASES}/tags")).json()
        assert (await client.get(f"{CASES}/status")).json()["count_open_cases"] == number + 1


async def test_real_time_is_in_whole_milliseconds(client: Any, clock: Clock) -> None:
    clock.at = datetime(2024, 1, 1, 23, 59, 59, 999_000, UTC)
    assert (await opened(client))["created_at"] == "2024-01-01T23:59:59.999Z"
