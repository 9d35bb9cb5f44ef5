"""The categories in use (contract find.md 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PATH = "/internal/cases/categories"


async def test_categories_are_distinct_and_sorted_by_code_point(client: Any, open_case: Callable[..., Any]):
    for category in ("b", "a", "B", "ä", "b", "𝒶", "\uffee", None, " padded "):
        await open_case(category=category)
    answer = await client.get(PATH)
    assert answer.status_code == 200
    assert answer.json() == ["B", "a", "b", "padded", "ä", "\uffee", "𝒶"]


async def test_without_cases_the_list_is_empty(client: Any):
    assert (await client.get(PATH)).json() == []


async def test_edits_and_deletions_show_at_once(client: Any, open_case: Callable[..., Any]):
    first, second = await open_case(category="one"), await open_case(category="two")
    entry = {"id": first["id"], "version": first["version"], "category": "three", "status": "closed"}
    await client.patch("/api/cases", json={"cases": [entry]})
    assert (await client.get(PATH)).json() == ["three", "two"]
    await client.delete("/api/cases", params={"ids": f'["{second["id"]}"]'})
    assert (await client.get(PATH)).json() == ["three"]


async def test_owners_narrow_the_list_and_unreadable_ones_are_left_out(
    client: Any, open_case: Callable[..., Any], disable: Callable[..., Any]
):
    for owner in ("cases", "observability", "securitySolution"):
        await open_case(owner=owner, category=f"of {owner}")
        await open_case(owner=owner, category="shared")
    some = await client.get(PATH, params={"owner": ["cases", "observability", "unknown"]})
    assert some.json() == ["of cases", "of observability", "shared"]
    assert (await client.get(PATH, params={"owner": "unknown"})).json() == []

    await disable("observabilityCases")

    assert (await client.get(PATH)).json() == ["of cases", "of securitySolution", "shared"]
    assert (await client.get(PATH, params={"owner": "observability"})).json() == []


async def test_who_may_read_nothing_is_refused(client: Any, disable: Callable[..., Any]):
    await disable("generalCases", "observabilityCases", "securitySolutionCases")
    assert (await client.get(PATH)).status_code == 403


async def test_categories_of_other_spaces_are_not_seen(client: Any, open_case: Callable[..., Any]):
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    await open_case("/s/ops", category="elsewhere")
    assert (await client.get(PATH)).json() == []
    assert (await client.get(f"/s/ops{PATH}")).json() == ["elsewhere"]


async def test_another_parameter_is_400(client: Any):
    assert (await client.get(PATH, params={"page": "1"})).status_code == 400
