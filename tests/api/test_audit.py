"""`GET /api/casebridge/audit`: who may read the audit trail, what is in it, how it is narrowed down and walked."""

from __future__ import annotations

from typing import Any

import pytest

from casebridge.services import audit_trail
from casebridge.services.ground import Ground
from casebridge.storage import audit
from casebridge.storage.session import Database
from tests.api.access import add_user, basic
from tests.api.calls import a_body

AUDIT = "/api/casebridge/audit"


async def told(client: Any, query: str = "") -> list[tuple[str, str | None]]:
    """Action and first object of the events that are answered."""
    response = await client.get(f"{AUDIT}?{query}")
    assert response.status_code == 200, response.text
    objects = [each["casebridge"]["object"]["ids"] for each in response.json()["events"]]
    actions = [each["event"]["action"] for each in response.json()["events"]]
    return [(action, ids[0] if ids else None) for action, ids in zip(actions, objects, strict=True)]


async def opened(client: Any, prefix: str = "") -> str:
    response = await client.post(f"{prefix}/api/cases", json=a_body())
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


async def test_events_are_answered_newest_first_with_their_seal(client: Any, ground: Ground):
    first = await opened(client)
    await audit_trail.seal_some(ground, "me")
    second = await opened(client)

    answer = (await client.get(AUDIT)).json()

    assert answer["next_cursor"] is None
    newer, older = answer["events"]
    assert newer["casebridge"]["object"] == {"type": "cases", "ids": [second]}
    assert newer["seal"] is None
    assert older["casebridge"] == {"space": "default", "object": {"type": "cases", "ids": [first]}}
    assert older["event"] == {"action": "case_create", "outcome": "success", "category": ["database"]}
    assert older["user"] == {"name": "admin", "roles": ["superuser"]}
    assert older["http"]["request"]["id"]
    assert older["seal"]["place"] == 1
    assert len(older["seal"]["digest"]) == 64


async def test_deleting_a_case_leaves_its_last_line(client: Any):
    case = await opened(client)
    await client.delete(f'/api/cases?ids=["{case}"]')
    assert await told(client, f"objectType=cases&objectId={case}") == [("case_delete", case), ("case_create", case)]


async def test_only_superusers_read_it_and_who_tries_is_in_it(client: Any, database: Database, password_hash: str):
    await add_user(database, password_hash, "bob")
    response = await client.get(AUDIT, auth=("bob", "correct horse battery"))
    assert response.status_code == 403
    assert await told(client, "outcome=failure&user=bob") == [("manageSecurity", None)]


async def test_credentials_that_let_nobody_in_are_in_it_without_the_password(client: Any, anonymous: Any):
    for path in ("/api/cases/tags", "/internal/security/me"):
        assert (await anonymous.get(path, headers=basic("mallory", "pa55-planted"))).status_code == 401
    body = {"grant_type": "password", "username": "admin", "password": "pa55-planted"}
    assert (await client.post("/_security/profile/_activate", json=body)).status_code == 401

    answer = (await client.get(f"{AUDIT}?action=sign_in")).json()

    assert [each["user"]["name"] for each in answer["events"]] == ["admin", "mallory", "mallory"]
    assert {each["event"]["outcome"] for each in answer["events"]} == {"failure"}
    assert "pa55-planted" not in (await client.get(AUDIT)).text


async def test_every_filter_narrows_down(client: Any):
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    here, there = await opened(client), await opened(client, "/s/ops")

    assert await told(client, "space=ops&action=case_create") == [("case_create", there)]
    assert await told(client, "action=space_create") == [("space_create", "ops")]
    assert await told(client, f"objectId={here}") == [("case_create", here)]
    assert await told(client, "objectType=space") == [("space_create", "ops")]
    assert await told(client, "user=nobody") == []
    assert await told(client, "outcome=failure") == []
    assert len(await told(client, "from=now-1h&to=now&user=admin&outcome=success")) == 3
    assert await told(client, "to=now-1h") == []
    assert await told(client, "from=now%2B1h") == []


@pytest.mark.parametrize("window", [2, 3, 100])
async def test_a_walk_meets_every_event_once_however_little_is_looked_through_at_a_time(
    client: Any, monkeypatch: pytest.MonkeyPatch, window: int
):
    monkeypatch.setattr(audit, "WINDOW", window)
    cases = [await opened(client) for _ in range(3)]
    for case in cases:
        await client.delete(f'/api/cases?ids=["{case}"]')

    found, cursor, steps = [], "", 0
    while True:
        answer = (await client.get(f"{AUDIT}?action=case_create&limit=2{cursor}")).json()
        assert len(answer["events"]) <= 2
        found += [each["casebridge"]["object"]["ids"][0] for each in answer["events"]]
        steps += 1
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"

    assert found == cases[::-1]
    assert steps >= 2


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "cursor=x", "from=yesterday", "outcome=maybe", "colour=red", "user=" + "u" * 1025],
)
async def test_what_makes_no_sense_is_refused_by_name(client: Any, query: str):
    response = await client.get(f"{AUDIT}?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["message"]
