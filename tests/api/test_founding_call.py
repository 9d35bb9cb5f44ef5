"""`PATCH /api/cases/configure` without an id: the documented call of 7.10 (dialect-7.10.md 3.4)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from casebridge.api.dispatch import api_app
from casebridge.api.table import ROUTES
from casebridge.domain.user import SUPERUSER, Account
from casebridge.storage import accounts
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database, Write

CONFIGURE = "/api/cases/configure"
AT_202, AT_203 = "WzIwMiwxXQ==", "WzIwMywxXQ=="
DESK = {"id": "6f0c9f7e-54a4-4d7d-8f0b-0e5b62a1d001", "name": "Issue desk", "type": ".jira", "fields": None}
FOUNDING = {"connector": DESK, "closure_type": "close-by-pushing", "version": AT_202}
ADDRESSES = [
    ("", CONFIGURE),
    ("", f"/7.10{CONFIGURE}"),
    ("", f"/s/default{CONFIGURE}"),
    ("/s/fin", f"/s/fin{CONFIGURE}"),
    ("/s/fin", f"/s/fin/7.10{CONFIGURE}"),
    ("/s/fin", f"/7.10/s/fin{CONFIGURE}"),
]

on_one_database = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


async def advance(database: Database, to: int) -> None:
    """Have the store hand out numbers up to this one."""
    number = 0
    while number < to:
        write = Write("UPDATE space SET version = next_version() WHERE id = 'default' RETURNING version", {})
        number = (await database.commit([write]))[0][0]["version"]
    assert number == to


@pytest.fixture
async def dana(client: Any, app: Any, database: Database, password_hash: str, connect: Any) -> AsyncIterator[Any]:
    """Another superuser, who makes configurations. The space `fin` exists, and the next number is 202."""
    dana = Account("dana", password_hash, (SUPERUSER,), full_name="Dana Lee", email="dana@example.org")
    await accounts.create(database, dana)
    await client.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})
    await advance(database, 201)
    async with connect(app, auth=("dana", "correct horse battery")) as opened:
        yield opened


async def configured(caller: Any, space: str = "") -> dict[str, Any]:
    """The configuration that the documented request is about, as answered."""
    body = {"connector": DESK, "closure_type": "close-by-user"}
    response = await caller.post(f"{space}/7.10{CONFIGURE}", json=body)
    assert response.json()["version"] == AT_202
    return dict(response.json())


@pytest.mark.parametrize(("space", "address"), ADDRESSES)
async def test_the_documented_request_gets_the_documented_answer(client: Any, dana: Any, space: str, address: str):
    before = await configured(dana, space)

    response = await client.patch(address, json=FOUNDING)

    assert response.status_code == 200
    answer = response.json()
    assert answer == {
        "connector": DESK,
        "closure_type": "close-by-pushing",
        "created_at": before["created_at"],
        "created_by": {"email": "dana@example.org", "full_name": "Dana Lee", "username": "dana"},
        "updated_at": answer["updated_at"],
        "updated_by": {"email": "ada@example.org", "full_name": "Ada Admin", "username": "admin"},
        "mappings": [
            {"source": "title", "target": "summary", "action_type": "overwrite"},
            {"source": "description", "target": "description", "action_type": "overwrite"},
            {"source": "comments", "target": "comments", "action_type": "append"},
        ],
        "error": None,
        "version": AT_203,
    }
    assert answer["updated_at"] >= before["created_at"]
    assert (await client.get(f"{space}/7.10{CONFIGURE}")).json() == answer


@pytest.mark.parametrize("address", [CONFIGURE, f"/7.10{CONFIGURE}"])
async def test_both_dialects_see_one_configuration(client: Any, address: str):
    body = {"owner": "securitySolution", "closure_type": "close-by-user", "connector": DESK}
    lists = {
        "customFields": [{"key": "a", "label": "A", "type": "text", "required": False}],
        "templates": [{"key": "t", "name": "T", "caseFields": {"customFields": [{"key": "a", "type": "text",
                                                                                  "value": "x"}]}}],
        "observableTypes": [{"key": "o", "label": "O"}],
    }  # fmt: skip
    stored = (await client.post(CONFIGURE, json={**body, **lists})).json()

    changed = await client.patch(address, json={**FOUNDING, "version": stored["version"]})

    (present,) = (await client.get(CONFIGURE)).json()
    assert present == {
        **stored,
        "closure_type": "close-by-pushing",
        "version": changed.json()["version"],
        "updated_at": changed.json()["updated_at"],
        "updated_by": present["updated_by"],
    }
    by_id = {"version": present["version"], "closure_type": "close-by-user"}
    assert (await client.patch(f"{CONFIGURE}/{stored['id']}", json=by_id)).status_code == 200


@pytest.mark.parametrize("address", [CONFIGURE, f"/7.10{CONFIGURE}"])
async def test_without_a_configuration_it_is_409_and_others_do_not_count(client: Any, address: str):
    await client.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})
    other_owner = {"owner": "cases", "closure_type": "close-by-user", "connector": DESK}
    here = (await client.post(CONFIGURE, json=other_owner)).json()
    other_space = {"connector": DESK, "closure_type": "close-by-user"}
    there = (await client.post(f"/s/fin/7.10{CONFIGURE}", json=other_space)).json()

    answers = [await client.patch(address, json={**FOUNDING, "version": each["version"]}) for each in (here, there)]

    assert [each.status_code for each in answers] == [409, 409]
    assert answers[0].json()["error"] == "Conflict"
    assert (await client.get(CONFIGURE)).json() == [here]
    assert (await client.get(f"/s/fin/7.10{CONFIGURE}")).json() == there


@pytest.mark.parametrize("version", ["", "garbage", "WzIwMSwxXQ==", AT_203])
async def test_a_stale_version_is_409_and_changes_nothing(client: Any, dana: Any, version: str):
    before = await configured(dana)

    refused = await client.patch(CONFIGURE, json={**FOUNDING, "version": version})

    assert refused.status_code == 409
    assert (await client.get(f"/7.10{CONFIGURE}")).json() == before
    assert (await client.patch(CONFIGURE, json=FOUNDING)).json()["version"] == AT_203


async def test_connector_and_closure_type_are_optional_and_nothing_need_change(client: Any, dana: Any):
    before = await configured(dana)

    only_version = (await client.patch(CONFIGURE, json={"version": AT_202})).json()
    again = {"version": only_version["version"], "closure_type": before["closure_type"]}
    unchanged = (await client.patch(CONFIGURE, json=again)).json()

    assert only_version["version"] == AT_203
    assert unchanged["version"] not in (AT_202, AT_203)
    for answer in (only_version, unchanged):
        assert {key for key in before if answer[key] != before[key]} == {"version", "updated_at", "updated_by"}


@pytest.mark.parametrize(
    "change",
    [
        {"version": None},
        {"version": 202},
        {"connector": None},
        {"connector": {"id": "a", "name": "b", "type": ".jira"}},
        {"connector": {"id": "a", "type": ".jira", "fields": None}},
        {"connector": {**DESK, "type": ".swimlane"}},
        {"connector": {**DESK, "nope": 1}},
        {"closure_type": None},
        {"closure_type": "close-by-robot"},
        {"owner": "securitySolution"},
        {"id": "x"},
        {"customFields": []},
        {"templates": []},
        {"observableTypes": []},
        {"nope": 1},
    ],
)
@on_one_database
async def test_the_shape_is_judged_before_anything_else(client: Any, change: dict[str, Any]):
    # There is no configuration, which would be 409.
    response = await client.patch(CONFIGURE, json={**FOUNDING, **change})

    assert response.status_code == 400
    assert next(iter(change)) in response.json()["message"]


@on_one_database
async def test_a_version_is_required(client: Any):
    response = await client.patch(CONFIGURE, json={"closure_type": "close-by-user"})

    assert (response.status_code, "version" in response.json()["message"]) == (400, True)


@on_one_database
async def test_it_needs_the_xsrf_header_credentials_and_the_privilege(client: Any, nobody: Any, app: Any, ask: Any):
    body = msgspec.json.encode(FOUNDING)

    assert (await ask(app, "PATCH", CONFIGURE, body, xsrf=False)).status == 400
    assert (await ask(app, "PATCH", CONFIGURE, body, auth=None, xsrf=False)).status == 401
    assert (await nobody.patch(CONFIGURE, json=FOUNDING)).status_code == 403
    assert (await client.patch(f"/s/nowhere{CONFIGURE}", json=FOUNDING)).status_code == 404


@pytest.mark.parametrize("count", [2, 20])
async def test_of_racing_requests_with_one_version_exactly_one_succeeds(
    client: Any, app: Any, dana: Any, ground: Any, database_target: str, connect: Any, count: int
):
    await configured(dana)
    second_store = await open_database(database_target)
    second = api_app(msgspec.structs.replace(ground, database=second_store), ROUTES)
    async with connect(second) as other:
        both = [client, other] * (count // 2)
        names = [f"desk {number}" for number in range(count)]
        bodies = [{**FOUNDING, "connector": {**DESK, "name": name}} for name in names]

        answers = await asyncio.gather(
            *(caller.patch(CONFIGURE, json=body) for caller, body in zip(both, bodies, strict=True))
        )

        assert Counter(each.status_code for each in answers) == {200: 1, 409: count - 1}
        winner = next(each.json() for each in answers if each.status_code == 200)
        assert (await client.get(f"/7.10{CONFIGURE}")).json() == winner
        assert (await other.get(f"/7.10{CONFIGURE}")).json() == winner
    await second_store.close()
    assert winner["version"] == AT_203


async def test_the_call_by_id_and_the_founding_call_race_for_one_version(client: Any):
    body = {"owner": "securitySolution", "closure_type": "close-by-user", "connector": DESK}
    stored = (await client.post(CONFIGURE, json=body)).json()
    sent = {"version": stored["version"], "closure_type": "close-by-pushing"}

    answers = await asyncio.gather(
        *(client.patch(CONFIGURE, json=sent) for _ in range(5)),
        *(client.patch(f"{CONFIGURE}/{stored['id']}", json=sent) for _ in range(5)),
    )

    assert Counter(each.status_code for each in answers) == {200: 1, 409: 9}
