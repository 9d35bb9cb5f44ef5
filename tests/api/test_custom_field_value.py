"""One custom field of a case (contract cases.md 5.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

DEFINITIONS = [
    {"key": "region", "label": "Region", "type": "text", "required": False},
    {"key": "vip", "label": "VIP", "type": "toggle", "required": True, "defaultValue": False},
    {"key": "hosts", "label": "Hosts", "type": "number", "required": False},
]


@pytest.fixture
async def case(open_case: Callable[..., Any], configure: Callable[..., Any]) -> dict[str, Any]:
    """A case with a value for each of the three definitions."""
    await configure(customFields=DEFINITIONS)
    return await open_case()


def path(case: dict[str, Any], key: str) -> str:
    return f"/internal/cases/{case['id']}/custom_fields/{key}"


async def put(client: Any, case: dict[str, Any], key: str, value: Any) -> Any:
    return await client.put(path(case, key), json={"value": value, "caseVersion": case["version"]})


async def stored(client: Any, case: dict[str, Any]) -> dict[str, Any]:
    return (await client.get(f"/api/cases/{case['id']}")).json()


async def activity(client: Any, case: dict[str, Any]) -> list[Any]:
    found = await client.get(f"/api/cases/{case['id']}/user_actions/_find", params={"types": "customFields"})
    return [(each["action"], each["payload"]) for each in found.json()["userActions"]]


async def test_the_answer_is_the_stored_value_alone(client: Any, case: dict[str, Any]):
    answer = await put(client, case, "region", " APAC ")
    assert answer.status_code == 200
    assert answer.json() == {"key": "region", "type": "text", "value": " APAC "}


async def test_the_field_moves_to_the_front_and_the_others_keep_their_order(client: Any, case: dict[str, Any]):
    await put(client, case, "hosts", 3)

    after = await stored(client, case)

    assert [(each["key"], each["value"]) for each in after["customFields"]] == [
        ("hosts", 3), ("region", None), ("vip", False),
    ]  # fmt: skip
    assert after["version"] != case["version"]
    assert after["updated_at"] is not None
    assert after["updated_by"]["username"] == "admin"
    assert await activity(client, case) == [
        ("update", {"customFields": [{"key": "hosts", "type": "number", "value": 3}]})
    ]


async def test_nothing_is_filled_in(client: Any, case: dict[str, Any], configure: Callable[..., Any]):
    new = {"key": "new", "label": "New", "type": "text", "required": False, "defaultValue": "x"}
    other = {"key": "other", "label": "Other", "type": "text", "required": False}
    await configure(customFields=[*DEFINITIONS, new, other])
    await put(client, case, "other", "y")
    assert [each["key"] for each in (await stored(client, case))["customFields"]] == ["other", "region", "vip", "hosts"]


async def test_values_of_deleted_definitions_stay(client: Any, case: dict[str, Any], configure: Callable[..., Any]):
    await configure(customFields=DEFINITIONS[:1])
    await put(client, case, "region", "EMEA")
    assert [each["key"] for each in (await stored(client, case))["customFields"]] == ["region", "vip", "hosts"]


async def test_null_empties_an_optional_field(client: Any, case: dict[str, Any]):
    await put(client, case, "region", "EMEA")
    case = await stored(client, case)
    assert (await put(client, case, "region", None)).json() == {"key": "region", "type": "text", "value": None}
    assert len(await activity(client, case)) == 2


async def test_a_value_that_stays_gives_a_new_version_but_no_activity(client: Any, case: dict[str, Any]):
    assert (await put(client, case, "vip", False)).status_code == 200
    after = await stored(client, case)
    assert after["version"] != case["version"]
    assert after["updated_at"] is not None
    assert await activity(client, case) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vip", True),
        ("hosts", 2**53 - 1),
        ("hosts", -(2**53 - 1)),
        ("hosts", 0),
        ("region", "x" * 160),
    ],
)
async def test_a_fitting_value_is_stored_as_sent(client: Any, case: dict[str, Any], key: str, value: Any):
    answer = (await put(client, case, key, value)).json()
    assert answer["value"] == value
    assert type(answer["value"]) is type(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("unknown", "x"),
        ("vip", None),
        ("vip", "true"),
        ("vip", 1),
        ("hosts", "1"),
        ("hosts", True),
        ("hosts", 1.5),
        ("hosts", 2**53),
        ("region", ""),
        ("region", "  "),
        ("region", "x" * 161),
        ("region", 1),
        ("region", ["x"]),
        ("region", {}),
    ],
)
async def test_another_value_is_400_and_changes_nothing(client: Any, case: dict[str, Any], key: str, value: Any):
    assert (await put(client, case, key, value)).status_code == 400
    assert (await stored(client, case))["version"] == case["version"]


@pytest.mark.parametrize(
    "body",
    [
        {"caseVersion": "x"},
        {"value": "x"},
        {"value": "x", "caseVersion": None},
        {"value": "x", "caseVersion": 1},
        {"value": "x", "caseVersion": "x", "key": "region"},
        {"value": 1.5, "caseVersion": "x"},
    ],
)
async def test_a_broken_body_is_400_even_for_an_unknown_case(client: Any, body: Any):
    assert (await client.put(path({"id": "nope"}, "region"), json=body)).status_code == 400


async def test_an_unknown_case_is_404_whatever_else_is_wrong(client: Any):
    answer = await client.put(path({"id": "nope"}, "unknown"), json={"value": "", "caseVersion": "x"})
    assert answer.status_code == 404
    assert "[cases/nope]" in answer.json()["message"]


async def test_a_stale_version_beats_a_missing_privilege_and_a_wrong_value(
    client: Any, case: dict[str, Any], disable: Callable[..., Any]
):
    assert (await put(client, case | {"version": "x"}, "unknown", "")).status_code == 409
    await disable("generalCases")
    assert (await put(client, case | {"version": "x"}, "region", "x")).status_code == 409
    assert (await put(client, case, "unknown", "")).status_code == 403


async def test_without_definitions_no_key_is_known(client: Any, open_case: Callable[..., Any]):
    assert (await put(client, await open_case(), "region", "x")).status_code == 400


async def test_of_two_writers_at_once_one_wins(client: Any, case: dict[str, Any]):
    answers = await asyncio.gather(*(put(client, case, "hosts", number) for number in (1, 2, 3, 4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
