"""Several cases by their ids (contract cases.md 2.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PATH = "/internal/cases/_bulk_get"


async def test_cases_come_whole_and_in_the_order_asked(client: Any, open_case: Callable[..., Any]):
    made = [await open_case(title=f"Case {number}") for number in range(3)]
    comment = {"type": "user", "owner": "cases", "comment": "hello"}
    await client.post(f"/api/cases/{made[0]['id']}/comments", json=comment)

    answer = await client.post(PATH, json={"ids": [made[2]["id"], made[0]["id"]]})

    assert answer.status_code == 200
    assert answer.json()["errors"] == []
    last, first = answer.json()["cases"]
    assert last == made[2]
    assert (first["id"], first["comments"], first["totalComment"]) == (made[0]["id"], [], 1)


async def test_unknown_ids_are_told_in_the_body(client: Any, open_case: Callable[..., Any]):
    case = await open_case()

    answer = await client.post(PATH, json={"ids": ["nope", case["id"], ""]})

    assert answer.status_code == 200
    assert [each["id"] for each in answer.json()["cases"]] == [case["id"]]
    first, second = answer.json()["errors"]
    assert first == {"caseId": "nope", "error": "Not Found", "message": "[cases/nope] is unknown", "status": 404}
    assert second["caseId"] == ""


async def test_forbidden_cases_come_after_unknown_ones_and_tell_nothing(
    client: Any, open_case: Callable[..., Any], disable: Callable[..., Any]
):
    open_, closed = await open_case(), await open_case(owner="observability", title="Secret")
    await disable("observabilityCasesV2")

    answer = await client.post(PATH, json={"ids": [closed["id"], "nope", open_["id"]]})

    assert [each["id"] for each in answer.json()["cases"]] == [open_["id"]]
    unknown, forbidden = answer.json()["errors"]
    assert (unknown["caseId"], unknown["status"]) == ("nope", 404)
    assert (forbidden["caseId"], forbidden["status"], forbidden["error"]) == (closed["id"], 403, "Forbidden")
    assert "observability" in forbidden["message"]
    assert "Secret" not in answer.text


async def test_who_may_read_nothing_is_refused(client: Any, disable: Callable[..., Any]):
    await disable("generalCases", "observabilityCases", "securitySolutionCases")
    assert (await client.post(PATH, json={"ids": ["nope"]})).status_code == 403


async def test_a_repeated_id_is_answered_once(client: Any, open_case: Callable[..., Any]):
    case = await open_case()
    answer = await client.post(PATH, json={"ids": [case["id"], "nope", case["id"], "nope"]})
    assert (len(answer.json()["cases"]), len(answer.json()["errors"])) == (1, 1)


async def test_a_case_of_another_space_is_unknown(client: Any, open_case: Callable[..., Any]):
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    case = await open_case("/s/ops")
    assert (await client.post(PATH, json={"ids": [case["id"]]})).json()["errors"][0]["status"] == 404
    assert (await client.post(f"/s/ops{PATH}", json={"ids": [case["id"]]})).json()["errors"] == []


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": "a"}, {"ids": [1]}, {"ids": ["a"], "x": 1}, []])
async def test_another_body_is_400(client: Any, body: Any):
    assert (await client.post(PATH, json=body)).status_code == 400


async def test_a_thousand_ids_are_taken_and_one_more_is_not(client: Any):
    ids = [f"nope-{number}" for number in range(1_000)]
    answer = await client.post(PATH, json={"ids": ids})
    assert [each["caseId"] for each in answer.json()["errors"]] == ids
    assert (await client.post(PATH, json={"ids": [*ids, ids[0]]})).status_code == 400
