"""Other cases that share an observable (contract find.md 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

IPV4, DOMAIN, HOST = "observable-type-ipv4", "observable-type-domain", "observable-type-hostname"


@pytest.fixture
def case_with(client: Any, open_case: Callable[..., Any]) -> Callable[..., Any]:
    """Opens a case with these (type key, value) pairs as observables."""

    async def make(*observables: tuple[str, str], prefix: str = "", **given: Any) -> dict[str, Any]:
        case = await open_case(prefix, **given)
        for type_key, value in observables:
            case = await observe(client, case, type_key, value, prefix)
        return case

    return make


async def observe(client: Any, case: dict[str, Any], type_key: str, value: str, prefix: str = "") -> dict[str, Any]:
    body = {"observable": {"typeKey": type_key, "value": value, "description": None}}
    answer = await client.post(f"{prefix}/internal/cases/{case['id']}/observables", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def similar(client: Any, case: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = await client.post(f"/internal/cases/{case['id']}/_similar", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(page: dict[str, Any]) -> list[str]:
    return [case["id"] for case in page["cases"]]


async def test_a_case_that_shares_an_observable_is_answered_whole(client: Any, case_with: Callable[..., Any]):
    asked = await case_with((HOST, "example.org"), (IPV4, "10.0.0.8"), (DOMAIN, "example.org"))
    other = await case_with((DOMAIN, "example.org"), (IPV4, "10.0.0.8"), (IPV4, "10.0.0.9"))
    await case_with((IPV4, "10.0.0.7"))

    page = await similar(client, asked)

    assert page["cases"] == [
        other
        | {
            "similarities": {
                "observables": [
                    {"typeKey": IPV4, "typeLabel": "IPv4", "value": "10.0.0.8"},
                    {"typeKey": DOMAIN, "typeLabel": "Domain", "value": "example.org"},
                ]
            }
        }
    ]
    assert (page["page"], page["per_page"], page["total"]) == (1, 20, 1)


async def test_type_and_value_must_both_be_equal(client: Any, case_with: Callable[..., Any]):
    asked = await case_with((DOMAIN, "example.org"))
    await case_with((HOST, "example.org"))
    await case_with((DOMAIN, "Example.org"))
    assert await similar(client, asked) == {"cases": [], "page": 1, "per_page": 20, "total": 0}


async def test_only_cases_of_the_same_owner_and_space_count(client: Any, case_with: Callable[..., Any]):
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    asked = await case_with((IPV4, "10.0.0.8"))
    await case_with((IPV4, "10.0.0.8"), owner="observability")
    await case_with((IPV4, "10.0.0.8"), prefix="/s/ops")
    assert (await similar(client, asked))["total"] == 0


async def test_pages_are_in_order_of_creation(client: Any, case_with: Callable[..., Any]):
    made = [await case_with((IPV4, "10.0.0.8"), (DOMAIN, "example.org")) for _ in range(5)]
    asked, others = made[2], [case["id"] for case in made if case is not made[2]]

    first = await similar(client, asked, perPage=3)
    second = await similar(client, asked, page=2, perPage=3)

    assert ids(first) + ids(second) == others
    assert [(page["page"], page["per_page"], page["total"]) for page in (first, second)] == [(1, 3, 4), (2, 3, 4)]
    assert (await similar(client, asked, page=9, perPage=3))["cases"] == []
    assert (await similar(client, asked, perPage=0))["total"] == 4


async def test_status_and_severity_play_no_role_and_changes_of_the_case_keep_it_similar(
    client: Any, case_with: Callable[..., Any]
):
    asked, other = await case_with((IPV4, "10.0.0.8")), await case_with((IPV4, "10.0.0.8"))
    entry = {"id": other["id"], "version": other["version"], "status": "closed", "severity": "critical", "tags": ["a"]}
    await client.patch("/api/cases", json={"cases": [entry]})
    assert ids(await similar(client, asked)) == [other["id"]]


async def test_edits_and_deletions_show_at_once(client: Any, case_with: Callable[..., Any]):
    asked, other = await case_with((IPV4, "10.0.0.8")), await case_with((IPV4, "10.0.0.9"))
    at = f"/internal/cases/{other['id']}/observables/{other['observables'][0]['id']}"

    await client.patch(at, json={"observable": {"value": "10.0.0.8", "description": None}})
    assert ids(await similar(client, asked)) == [other["id"]]
    await client.patch(at, json={"observable": {"value": "10.0.0.8", "description": "again"}})
    assert ids(await similar(client, asked)) == [other["id"]]
    await client.delete(at)
    assert ids(await similar(client, asked)) == []
    await observe(client, other, IPV4, "10.0.0.8")
    assert ids(await similar(client, asked)) == [other["id"]]
    await client.delete("/api/cases", params={"ids": f'["{other["id"]}"]'})
    assert await similar(client, asked) == {"cases": [], "page": 1, "per_page": 20, "total": 0}


async def test_types_no_longer_configured_do_not_count(
    client: Any, case_with: Callable[..., Any], configure: Callable[..., Any]
):
    await configure(observableTypes=[{"key": "bank-account", "label": "Bank account"}])
    asked = await case_with(("bank-account", "DE-1"), (IPV4, "10.0.0.8"))
    other = await case_with(("bank-account", "DE-1"), (IPV4, "10.0.0.8"))
    await case_with(("bank-account", "DE-1"))
    [found, _] = (await similar(client, asked))["cases"]
    labels = [each["typeLabel"] for each in found["similarities"]["observables"]]
    assert labels == ["Bank account", "IPv4"]

    await configure()

    page = await similar(client, asked)
    assert (ids(page), page["total"]) == ([other["id"]], 1)
    assert [each["typeKey"] for each in page["cases"][0]["similarities"]["observables"]] == [IPV4]


async def test_a_case_without_observables_has_a_page_of_its_own(client: Any, case_with: Callable[..., Any]):
    asked = await case_with()
    assert await similar(client, asked) == {"cases": [], "page": 1, "per_page": 0, "total": 0}
    assert await similar(client, asked, page=3, perPage=7) == {"cases": [], "page": 1, "per_page": 7, "total": 0}


async def test_an_unknown_case_is_404_and_a_forbidden_one_403(
    client: Any, case_with: Callable[..., Any], disable: Callable[..., Any]
):
    asked = await case_with((IPV4, "10.0.0.8"))
    assert (await client.post("/internal/cases/nope/_similar", json={})).status_code == 404
    await disable("generalCases")
    assert (await client.post(f"/internal/cases/{asked['id']}/_similar", json={})).status_code == 403


@pytest.mark.parametrize(
    "body", [{"perPage": 101}, {"page": 0}, {"page": "1"}, {"per_page": 1}, {"page": 101, "perPage": 100}, []]
)
async def test_another_body_is_400(client: Any, open_case: Callable[..., Any], body: Any):
    case = await open_case()
    assert (await client.post(f"/internal/cases/{case['id']}/_similar", json=body)).status_code == 400


async def test_deleting_a_space_leaves_no_link_behind(client: Any, database: Any, case_with: Callable[..., Any]):
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    await case_with((IPV4, "10.0.0.8"), prefix="/s/ops")
    await client.delete("/api/spaces/space/ops")
    assert await database.read("SELECT count(*) FROM observable_link") == [(0,)]
