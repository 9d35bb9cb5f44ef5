"""`/api/spaces/space` (access.md 5)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from casebridge.domain.user import Account
from casebridge.storage import accounts
from casebridge.storage.session import Database, Write

SPACES = "/api/spaces/space"
FINANCE = {
    "id": "fin-1_x",
    "name": "Finance",
    "description": "",
    "initials": "FI",
    "color": "#aB12ff",
    "imageUrl": "data:image/png;base64,AAAA",
    "disabledFeatures": ["generalCasesV3"],
    "solution": "security",
}
DEFAULT = {"id": "default", "name": "Default", "color": "#00bfb3", "disabledFeatures": [], "_reserved": True}


async def test_the_default_space_is_always_there(client: Any):
    assert (await client.get(f"{SPACES}/default")).json() == DEFAULT
    assert (await client.get(SPACES)).json() == [DEFAULT]


async def test_a_space_is_answered_as_it_was_made(client: Any):
    made = await client.post(SPACES, json=FINANCE)
    assert (made.status_code, made.json()) == (200, FINANCE)
    assert (await client.get(f"{SPACES}/fin-1_x")).json() == FINANCE
    assert (await client.get(SPACES)).json() == [DEFAULT, FINANCE]


async def test_what_was_not_given_is_absent(client: Any):
    made = await client.post(SPACES, json={"id": "a", "name": "A"})
    assert made.json() == {"id": "a", "name": "A", "disabledFeatures": []}


async def test_the_id_is_taken_once(client: Any):
    assert (await client.post(SPACES, json={"id": "a", "name": "A"})).status_code == 200
    again = await client.post(SPACES, json={"id": "a", "name": "Other"})
    assert again.status_code == 409
    assert "[space/a]" in again.json()["message"]
    assert (await client.post(SPACES, json={"id": "default", "name": "Mine"})).status_code == 409
    assert (await client.get(f"{SPACES}/a")).json()["name"] == "A"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"id": "Upper"}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "a\n"}, "id"),
        ({"id": ""}, "id"),
        ({"id": 5}, "id"),
        ({"id": "x" * 513}, "id"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": None}, "name"),
        ({"description": None}, "description"),
        ({"initials": "ABC"}, "initials"),
        ({"color": "red"}, "color"),
        ({"color": "#12345"}, "color"),
        ({"color": "#1234567"}, "color"),
        ({"color": "#12345-"}, "color"),
        ({"color": "#123456\n"}, "color"),
        ({"imageUrl": "https://example.org/x.png"}, "imageUrl"),
        ({"imageUrl": "\n"}, "imageUrl"),
        ({"disabledFeatures": "x"}, "disabledFeatures"),
        ({"disabledFeatures": ["x"] * 101}, "disabledFeatures"),
        ({"solution": "classics"}, "solution"),
        ({"_reserved": True}, "_reserved"),
        ({"nope": 1, "more": 2}, "nope, more"),
    ],
)
async def test_a_rule_that_is_broken_is_named(client: Any, change: dict[str, Any], key: str):
    response = await client.post(SPACES, json={"id": "a", "name": "A", **change})
    assert response.status_code == 400
    assert response.json()["message"].startswith(key)
    assert (await client.get(SPACES)).json() == [DEFAULT]


@pytest.mark.parametrize(
    "change",
    [{"imageUrl": ""}, {"initials": ""}, {"disabledFeatures": ["f"] * 100}, {"solution": "oblt"}, {"id": "_-0"}],
)
async def test_values_at_the_edge_are_taken(client: Any, change: dict[str, Any]):
    assert (await client.post(SPACES, json={"id": "a", "name": "A", **change})).status_code == 200


@pytest.mark.parametrize("missing", ["id", "name"])
async def test_id_and_name_are_required(client: Any, missing: str):
    body = {key: value for key, value in {"id": "a", "name": "A"}.items() if key != missing}
    response = await client.post(SPACES, json=body)
    assert (response.status_code, missing in response.json()["message"]) == (400, True)


async def test_put_replaces_all_but_the_id(client: Any):
    await client.post(SPACES, json=FINANCE)
    changed = await client.put(f"{SPACES}/fin-1_x", json={"id": "other", "name": "Money"})
    assert (changed.status_code, changed.json()) == (200, {"id": "fin-1_x", "name": "Money", "disabledFeatures": []})
    assert (await client.get(f"{SPACES}/fin-1_x")).json() == changed.json()
    assert (await client.get(f"{SPACES}/other")).status_code == 404


async def test_the_default_space_can_be_changed_and_stays_reserved(client: Any):
    changed = await client.put(f"{SPACES}/default", json={"name": "Main"})
    assert changed.json() == {"id": "default", "name": "Main", "disabledFeatures": [], "_reserved": True}


async def test_an_unknown_space_is_404(client: Any):
    for response in (
        await client.get(f"{SPACES}/x"),
        await client.put(f"{SPACES}/x", json={"name": "X"}),
        await client.delete(f"{SPACES}/x"),
        await client.get(f"/s/x{SPACES}"),
    ):
        assert response.status_code == 404
        assert "[space/x]" in response.json()["message"]


async def test_a_deleted_space_is_gone_and_may_be_made_again(client: Any):
    await client.post(SPACES, json=FINANCE)
    assert (await client.get(f"/s/fin-1_x{SPACES}")).status_code == 200
    assert (await client.delete(f"{SPACES}/fin-1_x")).status_code == 204
    assert (await client.delete(f"{SPACES}/fin-1_x")).status_code == 404
    assert (await client.get(f"/s/fin-1_x{SPACES}")).status_code == 404
    assert (await client.post(SPACES, json=FINANCE)).status_code == 200


async def test_the_default_space_stays(client: Any):
    response = await client.delete(f"{SPACES}/default")
    assert response.status_code == 400
    assert (await client.get(f"{SPACES}/default")).status_code == 200


@pytest.mark.parametrize("purpose", ["any", "copySavedObjectsIntoSpace", "shareSavedObjectsIntoSpace"])
async def test_every_purpose_lists_the_same(client: Any, purpose: str):
    query = {"purpose": purpose, "include_authorized_purposes": "true"}
    assert (await client.get(SPACES, params=query)).json() == [DEFAULT]


@pytest.mark.parametrize("query", ["purpose=none", "include_authorized_purposes=1", "nope=1"])
async def test_other_query_values_are_400(client: Any, query: str):
    assert (await client.get(f"{SPACES}?{query}")).status_code == 400


async def test_a_user_without_roles_is_known_but_may_nothing(
    client: Any, database: Database, admin: Account, password_hash: str
):
    await accounts.create(database, Account("guest", password_hash, ()))
    auth = ("guest", "correct horse battery")
    body = {"id": "a", "name": "A"}
    assert (await client.post(SPACES, json=body, auth=auth)).status_code == 403
    assert (await client.get(SPACES, auth=auth)).status_code == 403
    assert (await client.get(f"{SPACES}/default", auth=auth)).status_code == 403
    assert (await client.get(f"{SPACES}/x", auth=auth)).status_code == 404
    assert (await client.put(f"{SPACES}/default", json={"name": "X"}, auth=auth)).status_code == 403
    assert (await client.delete(f"{SPACES}/default", auth=auth)).status_code == 403


async def test_deleting_a_space_takes_everything_in_it_and_nothing_else(client: Any, database: Database):
    for id_ in ("a", "b"):
        await client.post(SPACES, json={"id": id_, "name": id_})
        await database.commit(everything_in(id_, database.dialect))
    before = await rows_by_table(database)
    assert (await client.delete(f"{SPACES}/a")).status_code == 204
    assert await rows_by_table(database) == {table: count // 2 for table, count in before.items()}
    left = await database.read(
        "SELECT space FROM cases UNION SELECT space FROM delivery UNION SELECT space FROM connector"
    )
    assert left == [("b",)]


def everything_in(space: str, dialect: str) -> list[Write]:
    """One row of each table that belongs to a space."""
    at = int(datetime(2026, 1, 2, tzinfo=UTC).timestamp() * 1000)
    texts: Any = [] if dialect == "postgresql" else "[]"
    shared = {
        "space": space,
        "id": f"id-{space}",
        "at": at,
        "texts": texts,
        "digest": b"d",
        "doc": msgspec.json.encode({}).decode(),
    }
    inserts = [
        "cases "
        "(pk, id, space, owner, version, title, status, severity, tags, assignees, created_at, connector_id, doc) "
        "VALUES (next_pk(), :id, :space, 'cases', next_version(), 't', 0, 0, :texts, :texts, :at, 'none', :doc)",
        "case_count (space, owner, tag, slot, open, in_progress, closed) VALUES (:space, 'cases', '', 0, 1, 0, 0)",
        "attachment (case_id, seq, id, space, type, version, doc) VALUES (:id, 1, :id, :space, 'user', 1, :doc)",
        "user_action (case_id, seq, type, action, doc) VALUES (:id, 1, 'title', 'update', :doc)",
        "configuration (id, space, owner, version, created_at, connector_id, doc) "
        "VALUES (:id, :space, 'cases', 1, :at, 'none', :doc)",
        "connector (space, id, version, doc) VALUES (:space, 'c', 1, :doc)",
        "delivery (seq, id, space, case_id, connector_id, owner, state, version, doc) "
        "VALUES (next_delivery(), :id, :space, :id, 'c', 'cases', 'queued', 1, :doc)",
        "attempt (delivery_id, number, doc) VALUES (:id, 1, :doc)",
        "alert_link (space, digest, owner, created_at, case_pk) VALUES (:space, :digest, 'cases', :at, 1)",
        "file (id, space, kind, number, version, doc) VALUES (:id, :space, 'casesFilesCases', 1, 1, :doc)",
        "file_link (case_id, file_id) VALUES (:id, :id)",
        "external_record (case_id, connector_id, space, external_id, doc) VALUES (:id, 'c', :space, 'x', :doc)",
        "pushed_comment (case_id, connector_id, comment_id, revision, doc) VALUES (:id, 'c', 'k', 1, :doc)",
        "idempotency (space, username, key, delivery_id, created_at) VALUES (:space, 'u', 'k', :id, :at)",
    ]
    if dialect == "sqlite":
        inserts += [
            "case_tag (space, tag, owner, status, created_at, case_pk) VALUES (:space, 't', 'cases', 0, :at, 1)",
            "case_assignee (space, uid, owner, status, created_at, case_pk) VALUES (:space, 'u', 'cases', 0, :at, 1)",
        ]
    return [Write(f"INSERT INTO {insert}", shared) for insert in inserts]


async def rows_by_table(database: Database) -> dict[str, int]:
    tables = [
        "cases", "case_count", "attachment", "user_action", "configuration", "connector", "delivery", "attempt",
        "external_record", "pushed_comment", "idempotency", "alert_link", "file", "file_link",
    ]  # fmt: skip
    if database.dialect == "sqlite":
        tables += ["case_tag", "case_assignee"]
    return {table: (await database.read(f"SELECT count(*) FROM {table}"))[0][0] for table in tables}
