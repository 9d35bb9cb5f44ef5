"""Observables of a case: adding, editing, removing (contract cases.md 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from casebridge.domain import limits

IPV4, DOMAIN = "observable-type-ipv4", "observable-type-domain"


def sent(value: str = "10.0.0.8", type_key: str = IPV4, description: str | None = "source") -> dict[str, Any]:
    return {"observable": {"typeKey": type_key, "value": value, "description": description}}


def path(case: dict[str, Any], observable_id: str = "") -> str:
    return f"/internal/cases/{case['id']}/observables" + (f"/{observable_id}" if observable_id else "")


async def stored(client: Any, case: dict[str, Any]) -> dict[str, Any]:
    return (await client.get(f"/api/cases/{case['id']}")).json()


async def activity(client: Any, case: dict[str, Any]) -> list[dict[str, Any]]:
    found = await client.get(f"/api/cases/{case['id']}/user_actions/_find", params={"types": "observables"})
    return found.json()["userActions"]


async def with_one(client: Any, case: dict[str, Any], **given: Any) -> dict[str, Any]:
    answer = await client.post(path(case), json=sent(**given))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_added_observable_is_in_the_answer_and_on_the_case(client: Any, open_case: Callable[..., Any]):
    case = await open_case()

    answer = await with_one(client, case)

    [observable] = answer["observables"]
    assert (observable["typeKey"], observable["value"], observable["description"]) == (IPV4, "10.0.0.8", "source")
    assert observable["updatedAt"] is None
    assert answer["total_observables"] == 1
    assert answer["comments"] == []
    del answer["comments"]
    assert await stored(client, case) == answer


async def test_adding_gives_a_new_version_and_leaves_updated_at_alone(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    answer = await with_one(client, case)
    assert answer["version"] != case["version"]
    assert (answer["updated_at"], answer["updated_by"]) == (None, None)


async def test_the_answers_have_the_right_totals(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    comment = {"type": "user", "owner": "cases", "comment": "hello"}
    await client.post(f"/api/cases/{case['id']}/comments", json=comment)

    answer = await with_one(client, case)
    assert answer["totalComment"] == 1
    body = {"observable": {"value": "10.0.0.9", "description": None}}
    edited = await client.patch(path(case, answer["observables"][0]["id"]), json=body)
    assert edited.json()["totalComment"] == 1


async def test_each_change_leaves_one_entry_that_tells_no_value(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    [observable] = (await with_one(client, case))["observables"]
    body = {"observable": {"value": "10.0.0.9", "description": None}}
    await client.patch(path(case, observable["id"]), json=body)
    await client.delete(path(case, observable["id"]))

    entries = await activity(client, case)

    assert [entry["action"] for entry in entries] == ["create"] * 3
    assert [entry["payload"] for entry in entries] == [
        {"observables": {"count": 1, "actionType": kind}} for kind in ("add", "update", "delete")
    ]
    assert entries[0]["created_at"] == observable["createdAt"]


async def test_an_edited_observable_keeps_its_place_and_gets_updated_at(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    await with_one(client, case)
    before = await with_one(client, case, value="example.org", type_key=DOMAIN)
    first = before["observables"][0]

    body = {"observable": {"value": "10.0.0.9", "description": ""}}
    answer = await client.patch(path(case, first["id"]), json=body)

    assert answer.status_code == 200
    changed, other = answer.json()["observables"]
    assert changed["updatedAt"] is not None
    assert changed == first | {"value": "10.0.0.9", "description": "", "updatedAt": changed["updatedAt"]}
    assert other == before["observables"][1]
    assert answer.json()["version"] != before["version"]
    assert answer.json()["updated_at"] is None


async def test_a_deleted_observable_is_gone(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    before = await with_one(client, case)

    answer = await client.delete(path(case, before["observables"][0]["id"]))

    assert (answer.status_code, answer.content) == (204, b"")
    after = await stored(client, case)
    assert (after["observables"], after["total_observables"], after["updated_at"]) == ([], 0, None)
    assert after["version"] != before["version"]


async def test_other_changes_of_the_case_keep_its_observables(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    before = await with_one(client, case)
    entry = {"id": case["id"], "version": before["version"], "status": "closed", "tags": ["x"]}
    [patched] = (await client.patch("/api/cases", json={"cases": [entry]})).json()
    comment = {"type": "user", "owner": "cases", "comment": "hello"}
    commented = (await client.post(f"/api/cases/{case['id']}/comments", json=comment)).json()
    assert patched["observables"] == commented["observables"] == before["observables"]
    [found] = (await client.get("/api/cases/_find")).json()["cases"]
    assert (found["observables"], found["total_observables"]) == (before["observables"], 1)


async def test_an_older_version_is_stale_after_adding(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    await with_one(client, case)
    entry = {"id": case["id"], "version": case["version"], "title": "New"}
    assert (await client.patch("/api/cases", json={"cases": [entry]})).status_code == 409


async def test_the_types_of_the_owner_may_be_used_and_those_of_others_not(
    client: Any, open_case: Callable[..., Any], configure: Callable[..., Any]
):
    await configure(observableTypes=[{"key": "bank-account", "label": "Bank account"}])
    case, foreign = await open_case(), await open_case(owner="observability")
    assert (await client.post(path(case), json=sent("DE-1", "bank-account"))).status_code == 200
    assert (await client.post(path(foreign), json=sent("DE-1", "bank-account"))).status_code == 400


async def test_an_observable_whose_type_is_gone_stays_and_may_be_edited(
    client: Any, open_case: Callable[..., Any], configure: Callable[..., Any]
):
    await configure(observableTypes=[{"key": "bank-account", "label": "Bank account"}])
    case = await open_case()
    [observable] = (await with_one(client, case, value="DE-1", type_key="bank-account"))["observables"]
    await configure()

    body = {"observable": {"value": "DE-2", "description": None}}
    answer = await client.patch(path(case, observable["id"]), json=body)

    assert answer.json()["observables"][0]["value"] == "DE-2"
    assert (await client.post(path(case), json=sent("DE-3", "bank-account"))).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"observable": None},
        {"observable": {"typeKey": IPV4, "value": "10.0.0.8"}},
        {"observable": {"typeKey": IPV4, "description": None}},
        {"observable": {"value": "10.0.0.8", "description": None}},
        {"observable": {"typeKey": IPV4, "value": None, "description": None}},
        {"observable": {"typeKey": IPV4, "value": "10.0.0.8", "description": None, "id": "x"}},
        {**sent(), "caseVersion": "x"},
        sent("10.0.0"),
        sent(""),
        sent("10.0.0.8", "Observable-type-ipv4"),
        sent("10.0.0.8", "unknown"),
        sent("10.0.0.8", "observable-type-ipv6"),
    ],
)
async def test_a_refused_addition_is_400_and_changes_nothing(client: Any, open_case: Callable[..., Any], body: Any):
    case = await open_case()
    answer = await client.post(path(case), json=body)
    assert answer.status_code == 400
    assert (await stored(client, case))["version"] == case["version"]
    assert await activity(client, case) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"observable": {"value": "10.0.0.9"}},
        {"observable": {"description": None}},
        sent("10.0.0.9"),
        {"observable": {"value": "example.org", "description": None}},
        {"observable": {"value": "10.0.0.7", "description": None}},
    ],
)
async def test_a_refused_edit_is_400_and_changes_nothing(client: Any, open_case: Callable[..., Any], body: Any):
    case = await open_case()
    await with_one(client, case, value="10.0.0.7")
    before = await with_one(client, case)
    answer = await client.patch(path(case, before["observables"][1]["id"]), json=body)
    assert answer.status_code == 400
    assert (await stored(client, case))["version"] == before["version"]


async def test_the_same_type_and_value_again_is_400(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    await with_one(client, case, value="example.org", type_key=DOMAIN)
    assert (await client.post(path(case), json=sent("example.org", DOMAIN, "other"))).status_code == 400
    assert (await client.post(path(case), json=sent("Example.org", DOMAIN))).status_code == 200
    assert (await client.post(path(case), json=sent("example.org", "observable-type-hostname"))).status_code == 200


async def test_what_is_unknown_is_400_here(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    nowhere = {"id": "nope"}
    body = {"observable": {"value": "10.0.0.9", "description": None}}
    for answer in (
        await client.post(path(nowhere), json=sent()),
        await client.patch(path(nowhere, "x"), json=body),
        await client.delete(path(nowhere, "x")),
    ):
        assert answer.status_code == 400
        assert "[cases/nope]" in answer.json()["message"]
    for answer in (await client.patch(path(case, "x"), json=body), await client.delete(path(case, "x"))):
        assert answer.status_code == 400


async def test_a_case_of_another_space_is_unknown(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    assert (await client.post(f"/s/ops{path(case)}", json=sent())).status_code == 400


async def test_a_missing_privilege_is_400_and_missing_credentials_401(
    client: Any, anonymous: Any, open_case: Callable[..., Any], disable: Callable[..., Any]
):
    case = await open_case()
    [observable] = (await with_one(client, case))["observables"]
    await disable("generalCases")
    body = {"observable": {"value": "10.0.0.9", "description": None}}
    assert (await client.post(path(case), json=sent("10.0.0.9"))).status_code == 400
    assert (await client.patch(path(case, observable["id"]), json=body)).status_code == 400
    assert (await client.delete(path(case, observable["id"]))).status_code == 400
    assert (await anonymous.post(path(case), json=sent())).status_code == 401


async def test_additions_at_once_never_pass_the_cap(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    for number in range(limits.OBSERVABLES - 4):
        await with_one(client, case, value=f"10.0.0.{number}")

    racing = [client.post(path(case), json=sent(f"10.0.1.{number}")) for number in range(10)]
    answers = [answer.status_code for answer in await asyncio.gather(*racing)]

    assert sorted(answers) == [200] * 4 + [400] * 6
    assert (await stored(client, case))["total_observables"] == limits.OBSERVABLES
    assert len(await activity(client, case)) == 20
    total = await client.get(f"/api/cases/{case['id']}/user_actions/_find", params={"types": "observables"})
    assert total.json()["total"] == limits.OBSERVABLES


async def test_the_same_observable_added_at_once_is_added_once(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    answers = await asyncio.gather(*(client.post(path(case), json=sent()) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert (await stored(client, case))["total_observables"] == 1


async def test_a_value_longer_than_an_index_takes_is_stored(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    value = "".join(f"{number:x}" for number in range(5_000))
    answer = await with_one(client, case, value=value, type_key="observable-type-file-path")
    assert answer["observables"][0]["value"] == value
