"""Finding and counting cases as 7.10 and 7.11 did (dialect-7.10.md 4.6 to 4.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from casebridge.storage.session import Database
from tests.api.calls import message_of, opened
from tests.api.legacy import ADMIN, CASE_KEYS, OLD, attach, old_case, old_changed, old_comment

ONE_DATABASE = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)
FIND = f"{OLD}/_find"


async def find(client: Any, **params: Any) -> dict[str, Any]:
    answer = await client.get(FIND, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def titles(page: Mapping[str, Any]) -> list[str]:
    return [case["title"] for case in page["cases"]]


async def three(client: Any) -> list[dict[str, Any]]:
    """Cases A (open, x and y), B (closed, x), C (in progress, z), in that order; one of another owner."""
    a = await old_case(client, title="A", tags=["x", "y"], description="alpha beta")
    b = await old_case(client, title="B", tags=["x"], description="beta")
    c = await old_case(client, title="C", tags=["z"], description="gamma")
    await opened(client, owner="cases", title="D", tags=["x"])
    c = await old_changed(client, c, status="in-progress")
    b = await old_changed(client, b, status="closed")
    return [a, b, c]


async def test_a_page_has_the_cases_of_the_security_app_and_counts(client: Any):
    a, _, _ = await three(client)

    page = await find(client)

    assert titles(page) == ["A", "B", "C"]
    assert {key: value for key, value in page.items() if key != "cases"} == {
        "page": 1,
        "per_page": 20,
        "total": 3,
        "count_open_cases": 1,
        "count_closed_cases": 1,
        "count_in_progress_cases": 1,
    }
    assert set(page["cases"][0]) == CASE_KEYS
    assert page["cases"][0] == a


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"status": "closed"}, "B"),
        ({"tags": "x"}, "AB"),
        ({"tags": ["y", "z"]}, "AC"),
        ({"tags": "x*"}, ""),
        ({"tags": "x", "status": "open"}, "A"),
        ({"reporters": "admin"}, "ABC"),
        ({"reporters": ["nemo", "admin"], "tags": "z"}, "C"),
        ({"reporters": "nemo"}, ""),
        ({"search": "beta"}, "AB"),
        ({"search": "alpha gamma"}, "AC"),
        ({"search": "alpha beta", "defaultSearchOperator": "AND"}, "A"),
        ({"search": "beta", "searchFields": "title"}, ""),
        ({"search": "beta", "searchFields": ["title", "description"]}, "AB"),
        ({"search": "x", "searchFields": "tags"}, "AB"),
        ({"search": "y z", "searchFields": ["tags", "title"]}, "AC"),
        ({"search": "beta", "searchFields": "nope"}, ""),
        ({"search": "-beta", "searchFields": "nope"}, ""),
        ({"search": "beta", "searchFields": ["nope", "description"]}, "AB"),
        ({"sortOrder": "desc"}, "CBA"),
        ({"sortField": "closedAt"}, "BAC"),
        ({"sortField": "closed_at"}, "BAC"),
        ({"sortField": "status"}, "ACB"),
        ({"sortField": "created_at", "sortOrder": "desc"}, "CBA"),
        ({"sortField": "title", "sortOrder": "desc"}, "CBA"),
        ({"sortField": "nope"}, "ABC"),
        ({"owner": "cases", "fields": ["title"], "severity": "high", "from": "x", "nope": "1"}, "ABC"),
        ({"perPage": "2", "page": "2"}, "C"),
        ({"perPage": "10000"}, "ABC"),
        ({"perPage": "0"}, ""),
    ],
)  # fmt: skip
@ONE_DATABASE
async def test_a_page_is_filtered_and_sorted(client: Any, params: dict[str, Any], expected: str):
    await three(client)

    page = await find(client, **params)

    assert titles(page) == list(expected)


@pytest.mark.parametrize("name", ["updatedAt", "updated_at"])
async def test_a_page_is_sorted_by_the_last_change(client: Any, name: str):
    await old_case(client, title="never changed")
    case = await old_case(client, title="changed")
    await old_changed(client, case, tags=[])

    assert titles(await find(client, sortField=name)) == ["changed", "never changed"]
    assert titles(await find(client, sortField=name, sortOrder="desc")) == ["changed", "never changed"]


@ONE_DATABASE
@pytest.mark.parametrize(
    "query",
    [
        "status=nope", "status=open&status=closed", "sortOrder=up", "page=0", "page=x", "perPage=10001",
        "page=101&perPage=100", "defaultSearchOperator=XOR",
    ],
)  # fmt: skip
async def test_values_outside_a_closed_list_or_the_window_are_refused(client: Any, query: str):
    message_of(await client.get(f"{FIND}?{query}"), 400)


async def test_counts_respect_tags_and_reporters_only(client: Any):
    await three(client)

    page = await find(client, tags="x", status="closed", search="nothing", perPage=1)

    assert (page["total"], page["count_open_cases"], page["count_closed_cases"]) == (0, 1, 1)
    assert page["count_in_progress_cases"] == 0
    nobody = await find(client, reporters="nemo")
    assert (nobody["count_open_cases"], nobody["count_closed_cases"]) == (0, 0)


async def test_a_listed_case_has_the_number_of_its_comments_and_alerts(client: Any, database: Database):
    plain = await old_comment(client, await old_case(client, title="plain"))
    mixed = await old_comment(client, await old_case(client, title="mixed"))
    alert = {"type": "alert", "alertId": ["a1"], "index": ["i1"], "rule": {"id": None, "name": None}}
    await attach(database, mixed, alert, "alert-1")
    await attach(database, mixed, {"type": "persistableState"}, "state-1")

    page = await find(client)

    assert [(each["title"], each["totalComment"], each["comments"]) for each in page["cases"]] == [
        ("plain", 1, []),
        ("mixed", 2, []),
    ]
    assert plain["totalComment"] == 1


async def test_cases_are_counted_by_status(client: Any):
    await three(client)

    answer = await client.get(f"{OLD}/status?owner=cases&nope=1")

    assert answer.json() == {"count_open_cases": 1, "count_closed_cases": 1, "count_in_progress_cases": 1}


async def test_tags_and_reporters_are_those_of_the_security_app(client: Any):
    await three(client)
    await opened(client, owner="cases", tags=["elsewhere"])

    assert (await client.get(f"{OLD}/tags?owner=cases")).json() == ["x", "y", "z"]
    assert (await client.get(f"{OLD}/reporters?nope=1")).json() == [ADMIN]
