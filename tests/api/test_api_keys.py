"""API keys (access.md 8)."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from casebridge.api.dispatch import ApiApp, api_app
from casebridge.api.table import ROUTES
from casebridge.domain.user import Account
from casebridge.services.ground import Ground
from casebridge.storage.session import Database
from tests.api.access import KEY, USER, add_user, entry, make_key, put_role

ME, FIND = "/internal/security/me", "/api/cases/_find"
CASES_OF_OPS = {
    "cases": {
        "applications": [
            {
                "application": "kibana-.kibana",
                "privileges": ["feature_generalCasesV3.all"],
                "resources": ["space:ops"],
            }
        ]
    }
}


async def spaces(client: Any) -> None:
    for id_ in ("ops", "fin"):
        await client.post("/api/spaces/space", json={"id": id_, "name": id_})


@pytest.mark.parametrize(("method", "path"), [("post", KEY), ("put", KEY), ("post", "/internal/security/api_key")])
async def test_a_key_is_made_and_lets_its_owner_in(client: Any, anonymous: Any, method: str, path: str):
    made = await getattr(client, method)(path, json={"name": "soar", "metadata": {"app": 1}})
    assert made.status_code == 200
    body = made.json()
    assert set(body) == {"id", "name", "api_key", "encoded"}
    assert b64decode(body["encoded"]).decode() == f"{body['id']}:{body['api_key']}"
    for scheme in ("ApiKey", "apikey", "APIKEY"):
        me = await anonymous.get(ME, headers={"authorization": f"{scheme} {body['encoded']}"})
        assert me.json()["username"] == "admin"


async def test_a_list_shows_all_of_a_key_but_its_secret(client: Any, database: Database):
    body = {"name": "soar", "expiration": "30d", "metadata": {"app": "soar"}, "role_descriptors": CASES_OF_OPS}
    made = (await client.post(KEY, json=body)).json()
    [shown] = (await client.get(KEY, params={"id": made["id"]})).json()["api_keys"]
    assert made["expiration"] == shown["expiration"] == shown["creation"] + 30 * 86_400_000
    assert {key: shown[key] for key in ("id", "name", "type", "invalidated", "username", "metadata")} == {
        "id": made["id"], "name": "soar", "type": "rest", "invalidated": False, "username": "admin",
        "metadata": {"app": "soar"},
    }  # fmt: skip
    assert shown["role_descriptors"] == CASES_OF_OPS
    stored = await database.read("SELECT doc FROM api_key UNION ALL SELECT doc FROM audit_event")
    assert made["api_key"] not in str(stored) + (await client.get(KEY)).text


async def test_lists_are_narrowed_by_id_name_owner_and_user(client: Any, database: Database, password_hash: str):
    auth = await add_user(database, password_hash, "bob")
    for name, who in (("soar-1", None), ("soar-2", None), ("other", auth)):
        await make_key(client, who, name=name)

    async def names(**query: str) -> list[str]:
        return [key["name"] for key in (await client.get(KEY, params=query)).json()["api_keys"]]

    assert await names() == ["soar-1", "soar-2", "other"]
    assert await names(name="soar-*") == ["soar-1", "soar-2"]
    assert await names(name="soar-2") == ["soar-2"]
    assert await names(username="bob") == ["other"]
    assert await names(owner="true") == ["soar-1", "soar-2"]
    assert await names(id="unknown") == []
    own = await client.get(KEY, auth=auth)
    assert [key["name"] for key in own.json()["api_keys"]] == ["other"]
    assert (await client.get(KEY, params={"username": "admin"}, auth=auth)).status_code == 403
    assert (await client.get(KEY, params={"nope": "1"})).status_code == 400


async def test_an_invalidated_key_stops_at_once_and_is_told_once(client: Any, anonymous: Any):
    headers = await make_key(client)
    id_ = (await client.get(KEY)).json()["api_keys"][0]["id"]
    assert (await anonymous.get(ME, headers=headers)).status_code == 200
    ended = await client.request("DELETE", KEY, json={"ids": [id_, "unknown"]})
    assert ended.json() == {
        "invalidated_api_keys": [id_], "previously_invalidated_api_keys": [], "error_count": 0,
    }  # fmt: skip
    assert (await anonymous.get(ME, headers=headers)).status_code == 401
    again = await client.request("DELETE", KEY, json={"owner": True})
    assert again.json()["previously_invalidated_api_keys"] == [id_]
    assert (await client.get(KEY)).json()["api_keys"][0]["invalidated"] is True


@pytest.mark.parametrize(
    ("selection", "left"),
    [({"name": "a"}, ["b", "c"]), ({"username": "bob"}, ["a", "b"]), ({"owner": True}, ["c"])],
)
async def test_keys_are_ended_by_name_user_or_owner(
    client: Any, database: Database, password_hash: str, selection: dict[str, Any], left: list[str]
):
    auth = await add_user(database, password_hash, "bob")
    for name, who in (("a", None), ("b", None), ("c", auth)):
        await make_key(client, who, name=name)
    assert (await client.request("DELETE", KEY, json=selection)).status_code == 200
    keys = (await client.get(KEY)).json()["api_keys"]
    assert [key["name"] for key in keys if not key["invalidated"]] == left


async def test_nobody_ends_the_keys_of_others_without_the_care_of_users(
    client: Any, anonymous: Any, database: Database, password_hash: str
):
    auth = await add_user(database, password_hash, "bob")
    key = await make_key(client)
    id_ = (await client.get(KEY)).json()["api_keys"][0]["id"]
    assert (await client.request("DELETE", KEY, json={"ids": [id_]}, auth=auth)).json()["invalidated_api_keys"] == []
    assert (await client.request("DELETE", KEY, json={"username": "admin"}, auth=auth)).status_code == 403
    assert (await anonymous.get(ME, headers=key)).status_code == 200


async def test_a_key_of_a_plain_user_sees_and_ends_itself_alone(
    client: Any, anonymous: Any, database: Database, password_hash: str
):
    auth = await add_user(database, password_hash, "bob")
    first = await make_key(client, auth, name="first")
    await make_key(client, auth, name="second")
    seen = (await anonymous.get(KEY, headers=first)).json()["api_keys"]
    assert [key["name"] for key in seen] == ["first"]
    ended = await anonymous.request("DELETE", KEY, json={"owner": True}, headers=first)
    assert ended.json()["invalidated_api_keys"] == [seen[0]["id"]]


async def test_a_key_makes_no_keys(client: Any, anonymous: Any):
    key = await make_key(client)
    refused = await anonymous.post(KEY, json={"name": "child"}, headers=key)
    assert (refused.status_code, "cannot make keys" in refused.json()["message"]) == (400, True)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"name": "k", "expiration": "soon"}, "expiration"),
        ({"name": "k", "expiration": "0d"}, "expiration"),
        ({"name": "k", "expiration": "-1d"}, "expiration"),
        ({"name": "k", "expiration": "99999999d"}, "expiration"),
        ({"name": "k", "role_descriptors": {"r": {"nope": 1}}}, "role_descriptors"),
        ({"name": "k", "role_descriptors": {"r": {"applications": [{}]}}}, "role_descriptors"),
        ({"name": "k", "kibana_role_descriptors": {"r": {"kibana": [{}]}}}, "kibana_role_descriptors.r.kibana[0]"),
        ({"name": "k", "nope": 1}, "nope"),
    ],
)
async def test_what_breaks_a_rule_is_named_and_makes_no_key(client: Any, body: dict[str, Any], key: str):
    response = await client.post("/internal/security/api_key", json=body)
    assert (response.status_code, response.json()["message"].startswith(key)) == (400, True)
    assert (await client.get(KEY)).json() == {"api_keys": []}


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"owner": False}])
async def test_which_keys_to_end_must_be_said(client: Any, body: dict[str, Any]):
    assert (await client.request("DELETE", KEY, json=body)).status_code == 400


async def test_an_expired_key_lets_nobody_in(client: Any, ground: Ground, admin: Account, connect: Callable[..., Any]):
    headers = await make_key(client, expiration="1h")
    for hours, status in ((0.99, 200), (1.01, 401)):
        later = msgspec.structs.replace(ground, now=lambda hours=hours: ground.now() + timedelta(hours=hours))
        async with connect(api_app(later, ROUTES), auth=None) as there:
            assert (await there.get(ME, headers=headers)).status_code == status


async def test_a_key_is_narrowed_to_what_was_asked_for(client: Any, anonymous: Any):
    await spaces(client)
    key = await make_key(client, role_descriptors=CASES_OF_OPS)
    assert (await anonymous.get(f"/s/ops{FIND}", headers=key)).status_code == 200
    assert (await anonymous.get(f"/s/fin{FIND}", headers=key)).status_code == 403
    assert (await anonymous.get(f"/s/ops{FIND}?owner=observability", headers=key)).json()["cases"] == []
    assert (await anonymous.get("/s/ops/api/actions/connectors", headers=key)).status_code == 403
    assert (await anonymous.get(USER, headers=key)).status_code == 403


async def test_a_key_never_exceeds_what_its_owner_could_do_when_it_was_made(
    client: Any, anonymous: Any, database: Database, password_hash: str
):
    await spaces(client)
    await put_role(client, "reader", entry("ops", generalCasesV3=["read"]))
    auth = await add_user(database, password_hash, "bob", "reader")
    wide = {"all": {"applications": [{"application": "kibana-.kibana", "privileges": ["all"], "resources": ["*"]}]}}
    keys = [await make_key(client, auth), await make_key(client, auth, role_descriptors=wide)]
    await put_role(client, "reader", entry(base=["all"]))
    for key in keys:
        assert (await anonymous.get(f"/s/ops{FIND}", headers=key)).status_code == 200
        assert (await anonymous.get(f"/s/fin{FIND}", headers=key)).status_code == 403
        assert (await anonymous.get("/s/ops/api/actions/connectors", headers=key)).status_code == 403
    assert (await client.get(f"/s/fin{FIND}", auth=auth)).status_code == 200


@pytest.mark.parametrize(
    ("privileges", "resources", "found", "connectors", "spaces_made"),
    [
        (["all"], ["*"], 200, 200, 200),
        (["read"], ["*"], 200, 200, 403),
        (["space_all"], ["space:default"], 200, 200, 403),
        (["space_read"], ["*"], 200, 200, 403),
        (["feature_generalCases.read"], ["*"], 200, 403, 403),
        (["feature_generalCasesV3.cases_delete"], ["*"], 403, 403, 403),
        (["feature_actions.read"], ["*"], 403, 200, 403),
        (["feature_dashboard.all", "nonsense"], ["*"], 403, 403, 403),
        (["all"], ["space:ops"], 403, 403, 403),
        (["all"], ["lunch"], 403, 403, 403),
    ],
)
async def test_the_privileges_of_an_application_mean_what_they_say(
    client: Any,
    anonymous: Any,
    privileges: list[str],
    resources: list[str],
    found: int,
    connectors: int,
    spaces_made: int,
):
    application = {"application": "kibana-.kibana", "privileges": privileges, "resources": resources}
    key = await make_key(client, role_descriptors={"r": {"applications": [application]}})
    assert (await anonymous.get(FIND, headers=key)).status_code == found
    assert (await anonymous.get("/api/actions/connectors", headers=key)).status_code == connectors
    made = await anonymous.post("/api/spaces/space", json={"id": "x", "name": "x"}, headers=key)
    assert made.status_code == spaces_made


async def test_another_application_and_elasticsearchs_own_privileges_grant_nothing(client: Any, anonymous: Any):
    application = {"application": "fleet", "privileges": ["all"], "resources": ["*"]}
    descriptor = {"cluster": ["all"], "applications": [application]}
    key = await make_key(client, role_descriptors={"r": descriptor})
    assert (await anonymous.get(FIND, headers=key)).status_code == 403


async def test_descriptors_in_the_shape_of_roles_narrow_as_well(client: Any, anonymous: Any):
    await spaces(client)
    descriptor = {"elasticsearch": {}, "kibana": [{"spaces": ["ops"], "feature": {"generalCases": ["read"]}}]}
    body = {"name": "k", "kibana_role_descriptors": {"r": descriptor}}
    made = (await client.post("/internal/security/api_key", json=body)).json()
    headers = {"authorization": f"ApiKey {made['encoded']}"}
    assert (await anonymous.get(f"/s/ops{FIND}", headers=headers)).status_code == 200
    assert (await anonymous.get(f"/s/fin{FIND}", headers=headers)).status_code == 403
    [shown] = (await client.get(KEY)).json()["api_keys"]
    assert shown["role_descriptors"]["r"]["applications"] == [
        {"application": "kibana-.kibana", "privileges": ["feature_generalCases.read"], "resources": ["space:ops"]}
    ]


async def test_what_a_key_writes_is_its_owners(client: Any, anonymous: Any, open_case: Callable[..., Any]):
    key = await make_key(client)
    body = {
        "title": "t", "description": "d", "tags": [], "settings": {"syncAlerts": True}, "owner": "cases",
        "connector": {"id": "none", "name": "none", "type": ".none", "fields": None},
    }  # fmt: skip
    case = (await anonymous.post("/api/cases", json=body, headers=key)).json()
    assert case["created_by"]["username"] == "admin"


async def test_keys_of_one_user_are_bounded(client: Any, app: ApiApp, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("casebridge.services.api_keys.MOST_PER_USER", 2)
    for _ in range(2):
        await make_key(client)
    assert (await client.post(KEY, json={"name": "third"})).status_code == 400
    await client.request("DELETE", KEY, json={"owner": True})
    await make_key(client)
