"""`/_security/user…` and `/internal/security/me` (extensions.md 3)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from casebridge.api.dispatch import ApiApp
from casebridge.storage import accounts
from casebridge.storage.session import Database
from tests.api.access import KEY, PASSWORD, USER, add_user, basic, entry, make_key, put_role

BOB = {"password": "pass-of-bob", "roles": ["superuser"], "full_name": "Bob", "email": "bob@example.org"}


async def test_a_user_is_made_listed_and_replaced(client: Any):
    made = await client.put(f"{USER}/bob", json={**BOB, "metadata": {"team": 1}})
    assert (made.status_code, made.json()) == (200, {"created": True})
    shown = {
        "username": "bob", "roles": ["superuser"], "full_name": "Bob", "email": "bob@example.org",
        "metadata": {"team": 1}, "enabled": True,
    }  # fmt: skip
    assert (await client.get(f"{USER}/bob")).json() == {"bob": shown}
    assert set((await client.get(USER)).json()) == {"admin", "bob"}
    assert set((await client.get(f"{USER}/bob,admin,nobody")).json()) == {"admin", "bob"}
    again = await client.post(f"{USER}/bob", json={"roles": ["r"]})
    assert again.json() == {"created": False}
    replaced = {**shown, "roles": ["r"], "full_name": None, "email": None, "metadata": {}}
    assert (await client.get(f"{USER}/bob")).json() == {"bob": replaced}
    assert (await client.get("/internal/security/me", auth=("bob", BOB["password"]))).json()["roles"] == ["r"]


async def test_nothing_of_a_password_is_ever_answered(client: Any):
    await client.put(f"{USER}/bob", json=BOB)
    for response in (await client.get(USER), await client.get(f"{USER}/bob")):
        assert "argon2" not in response.text
        assert "pass-of-bob" not in response.text
    refused = await client.put(f"{USER}/bob", json={"password": "four5", "roles": []})
    assert (refused.status_code, "four5" in refused.text) == (400, False)


@pytest.mark.parametrize("name", ["b:ob", "a,b", " bob", "bob ", "bоb", "b\tb", "x" * 508])
async def test_a_name_that_could_be_taken_for_another_is_refused(client: Any, name: str):
    response = await client.put(f"{USER}/{name.replace(chr(9), '%09')}", json=BOB)
    assert response.status_code == 400
    assert response.json()["message"].startswith("username: ")


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"roles": []}, "password"),
        ({"password": "pass-of-bob"}, "roles"),
        ({**BOB, "password": "short"}, "password"),
        ({**BOB, "password": "x" * 1025}, "password"),
        ({**BOB, "roles": ["r"] * 101}, "roles"),
        ({**BOB, "email": "x" * 1025}, "email"),
        ({**BOB, "password_hash": "x"}, "password_hash"),
    ],
)
async def test_what_breaks_a_rule_is_named_and_makes_nobody(client: Any, body: dict[str, Any], key: str):
    response = await client.put(f"{USER}/bob", json=body)
    assert (response.status_code, response.json()["message"].startswith(key)) == (400, True)
    assert (await client.get(f"{USER}/bob")).status_code == 404


async def test_who_is_no_superuser_manages_nobody_but_oneself(client: Any, database: Database, password_hash: str):
    await put_role(client, "boss", entry(base=["all"]))
    auth = await add_user(database, password_hash, "bob", "boss")
    for response in (
        await client.get(USER, auth=auth),
        await client.get(f"{USER}/admin", auth=auth),
        await client.get(f"{USER}/nobody", auth=auth),
        await client.get(f"{USER}/bob,admin", auth=auth),
        await client.put(f"{USER}/eve", json=BOB, auth=auth),
        await client.put(f"{USER}/bob", json=BOB, auth=auth),
        await client.delete(f"{USER}/admin", auth=auth),
        await client.put(f"{USER}/admin/_disable", auth=auth),
        await client.put(f"{USER}/admin/_password", json={"password": "new-password"}, auth=auth),
    ):
        assert response.status_code == 403
        assert response.json()["message"] == "Unauthorized to manage users, roles and keys"
    assert list((await client.get(f"{USER}/bob", auth=auth)).json()) == ["bob"]
    assert set((await client.get(USER)).json()) == {"admin", "bob"}


async def test_ones_own_password_is_changed_by_who_knows_it(client: Any, database: Database, password_hash: str):
    auth = await add_user(database, password_hash, "bob")
    path = f"{USER}/bob/_password"
    missing = await client.put(path, json={"password": "brand-new"}, auth=auth)
    assert (missing.status_code, "current_password" in missing.text) == (400, True)
    wrong = await client.put(path, json={"password": "brand-new", "current_password": "guess"}, auth=auth)
    assert (wrong.status_code, "guess" in wrong.text) == (403, False)
    right = await client.put(path, json={"password": "brand-new", "current_password": PASSWORD}, auth=auth)
    assert (right.status_code, right.json()) == (200, {})
    assert (await client.get("/internal/security/me", auth=auth)).status_code == 401
    assert (await client.get("/internal/security/me", auth=("bob", "brand-new"))).status_code == 200


async def test_a_superuser_sets_anybodys_password(client: Any, database: Database, password_hash: str):
    await add_user(database, password_hash, "bob")
    assert (await client.put(f"{USER}/bob/_password", json={"password": "brand-new"})).status_code == 200
    assert (await client.get("/internal/security/me", auth=("bob", "brand-new"))).status_code == 200
    assert (await client.put(f"{USER}/none/_password", json={"password": "brand-new"})).status_code == 404


async def test_a_disabled_user_is_out_at_once_with_every_key_and_may_be_let_in_again(
    client: Any, anonymous: Any, database: Database, password_hash: str
):
    auth = await add_user(database, password_hash, "bob")
    key = await make_key(client, auth)
    for path, method, status in (("_disable", "put", 401), ("_enable", "put", 200)):
        assert (await getattr(client, method)(f"{USER}/bob/{path}")).status_code == 200
        assert (await anonymous.get("/internal/security/me", headers=key)).status_code == status
        assert (await anonymous.get("/internal/security/me", auth=auth)).status_code == status
    assert (await client.put(f"{USER}/none/_disable")).status_code == 404


async def test_a_deleted_user_is_out_at_once_and_the_keys_never_come_back(
    client: Any, anonymous: Any, database: Database, password_hash: str
):
    await client.put(f"{USER}/bob", json=BOB)
    key = await make_key(client, ("bob", BOB["password"]))
    assert (await anonymous.get("/internal/security/me", headers=key)).status_code == 200
    gone = await client.delete(f"{USER}/bob")
    assert (gone.status_code, gone.json()) == (200, {"found": True})
    assert (await client.delete(f"{USER}/bob")).status_code == 404
    assert (await anonymous.get("/internal/security/me", headers=key)).status_code == 401
    await client.put(f"{USER}/bob", json=BOB)
    assert (await anonymous.get("/internal/security/me", headers=key)).status_code == 401
    assert (await client.get(KEY, params={"username": "bob"})).json() == {"api_keys": []}


async def test_a_key_of_an_earlier_user_of_the_name_is_worthless_even_if_it_is_still_stored(
    client: Any, anonymous: Any, database: Database, password_hash: str
):
    auth = await add_user(database, password_hash, "bob")
    key = await make_key(client, auth)
    stored = await accounts.get(database, "bob")
    await accounts.save(database, msgspec.structs.replace(stored.account, id="another"), stored.version)
    assert (await anonymous.get("/internal/security/me", headers=key)).status_code == 401


@pytest.mark.parametrize(
    "lose",
    [
        lambda client: client.delete(f"{USER}/admin"),
        lambda client: client.put(f"{USER}/admin/_disable"),
        lambda client: client.put(f"{USER}/admin", json={"roles": ["boss"]}),
        lambda client: client.put(f"{USER}/admin", json={"roles": ["superuser"], "enabled": False}),
    ],
)
async def test_the_last_enabled_superuser_stays(client: Any, lose: Callable[[Any], Any]):
    await client.put(f"{USER}/bob", json={**BOB, "enabled": False})
    refused = await lose(client)
    assert (refused.status_code, "admin is the last" in refused.json()["message"]) == (409, True)
    await client.put(f"{USER}/bob", json=BOB)
    assert (await lose(client)).status_code == 200


async def test_of_two_superusers_who_remove_each_other_one_stays(client: Any):
    for _ in range(5):
        await client.put(f"{USER}/bob", json=BOB)
        bob = ("bob", BOB["password"])
        first, second = await asyncio.gather(
            client.put(f"{USER}/admin/_disable", auth=bob), client.put(f"{USER}/bob/_disable")
        )
        assert sorted([first.status_code, second.status_code]) in ([200, 401], [200, 409]), (first.text, second.text)
        lost = "admin" if first.status_code == 200 else "bob"
        left = bob if lost == "admin" else ("admin", PASSWORD)
        assert (await client.put(f"{USER}/{lost}/_enable", auth=left)).status_code == 200


async def test_who_asks_is_told_about_oneself(client: Any, anonymous: Any, database: Database, password_hash: str):
    me = (await client.get("/internal/security/me")).json()
    assert me == {
        "username": "admin", "full_name": "Ada Admin", "email": "ada@example.org", "roles": ["superuser"],
        "metadata": {}, "enabled": True, "authentication_type": "realm",
    }  # fmt: skip
    key = await make_key(client)
    assert (await anonymous.get("/internal/security/me", headers=key)).json()["authentication_type"] == "api_key"


async def test_every_refusal_to_let_somebody_in_reads_the_same(
    client: Any, anonymous: Any, database: Database, password_hash: str
):
    await add_user(database, password_hash, "bob", enabled=False)
    texts = set()
    for headers in (
        {}, basic("nobody"), basic("admin", "wrong"), basic("bob"), {"authorization": "Basic !"},
        {"authorization": "Lunch x"}, {"authorization": "ApiKey eDp5"}, {"authorization": "apikey eA=="},
    ):  # fmt: skip
        response = await anonymous.get("/internal/security/me", headers=headers)
        assert response.status_code == 401
        texts.add(response.text)
    assert len(texts) == 1


async def test_changes_of_users_and_denied_attempts_are_in_the_audit_trail(
    client: Any, anonymous: Any, database: Database, password_hash: str
):
    auth = await add_user(database, password_hash, "bob")
    await client.put(f"{USER}/eve", json=BOB)
    await client.delete(f"{USER}/eve")
    await client.delete(f"{USER}/admin", auth=auth)
    await anonymous.get(USER, headers=basic("mallory", "guess-1234"))
    await anonymous.get(USER, headers={"authorization": "ApiKey eDp5"})
    docs = [row[0] for row in await database.read("SELECT doc FROM audit_event ORDER BY seq")]
    assert "guess-1234" not in "".join(docs)
    assert "pass-of-bob" not in "".join(docs)
    events = [json.loads(doc) for doc in docs]
    told = [
        (each["event"]["action"], each["event"]["outcome"], each["user"]["name"], each["casebridge"]["object"]["ids"])
        for each in events
    ]
    assert told == [
        ("user_create", "success", "admin", ["eve"]),
        ("user_delete", "success", "admin", ["eve"]),
        ("manageSecurity", "failure", "bob", ["admin"]),
        ("sign_in", "failure", "mallory", []),
        ("sign_in", "failure", None, ["x"]),
    ]


async def test_with_security_switched_off_everybody_may_do_everything_and_owners_must_still_be_known(
    serve: Callable[..., ApiApp], connect: Callable[..., Any]
):
    async with connect(serve(security=False), auth=None) as client:
        body = {
            "title": "t", "description": "d", "tags": [], "settings": {"syncAlerts": True}, "owner": "cases",
            "connector": {"id": "none", "name": "none", "type": ".none", "fields": None},
        }  # fmt: skip
        made = await client.post("/api/cases", json=body)
        assert made.status_code == 200
        assert made.json()["created_by"] == {"username": None, "full_name": None, "email": None}
        assert (await client.post("/api/cases", json={**body, "owner": "lunch"})).status_code == 403
        assert (await client.get(USER)).status_code == 200
        assert (await client.post(KEY, json={"name": "k"})).status_code == 404
