"""Profiles and who may be assigned (access.md 7)."""

from __future__ import annotations

from typing import Any

import pytest

from casebridge.storage.session import Database
from tests.api.access import PASSWORD, USER, add_user, entry, put_role

SUGGEST = "/internal/cases/_suggest_user_profiles"
ACTIVATE = "/_security/profile/_activate"


async def activate(client: Any, name: str) -> dict[str, Any]:
    body = {"grant_type": "password", "username": name, "password": PASSWORD}
    response = await client.post(ACTIVATE, json=body)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
async def people(client: Any, database: Database, password_hash: str) -> dict[str, str]:
    """Profile ids by user: one who reads all, one of one owner, one of one space, one who is nobody."""
    await put_role(client, "reader", entry(base=["read"]))
    await put_role(client, "general", entry(generalCasesV3=["read"]))
    await put_role(client, "ops", entry("ops", base=["read"]))
    await add_user(database, password_hash, "aone", "reader", full_name="Analyst One", email="a1@example.org")
    await add_user(database, password_hash, "btwo", "general", full_name="Analyst Two")
    await add_user(database, password_hash, "cthree", "ops", email="three@example.org")
    await add_user(database, password_hash, "dfour")
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    return {name: (await activate(client, name))["uid"] for name in ("aone", "btwo", "cthree", "dfour")}


async def suggested(client: Any, at: str = "", **body: Any) -> list[str]:
    response = await client.post(f"{at}{SUGGEST}", json={"name": "", "owners": ["cases"], **body})
    assert response.status_code == 200, response.text
    return [each["user"]["username"] for each in response.json()]


async def test_a_profile_is_made_once_and_keeps_its_id(client: Any, people: dict[str, str]):
    again = await activate(client, "aone")
    assert again["uid"] == people["aone"]
    assert again["user"] == {
        "username": "aone", "roles": ["reader"], "realm_name": "native1", "full_name": "Analyst One",
        "email": "a1@example.org",
    }  # fmt: skip


async def test_who_may_read_all_owners_in_the_space_is_suggested(client: Any, people: dict[str, str]):
    assert await suggested(client) == ["aone", "btwo"]
    assert await suggested(client, owners=["cases", "observability"]) == ["aone"]
    assert await suggested(client, at="/s/ops") == ["aone", "btwo", "cthree"]
    assert await suggested(client, owners=[]) == []
    assert await suggested(client, owners=["lunch"]) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("analyst", ["aone", "btwo"]), ("ONE", ["aone"]), ("anal tw", ["btwo"]), ("nalyst", []), ("a1@exa", ["aone"]),
        ("example", ["aone"]), ("bt", ["btwo"]), ("x", []),
    ],
)  # fmt: skip
async def test_the_name_begins_a_word_of_name_or_mail(client: Any, people: dict[str, str], name: str, found: list[str]):
    assert await suggested(client, name=name) == found


async def test_a_suggestion_shows_the_user_and_an_avatar(client: Any, people: dict[str, str]):
    [shown] = (await client.post(SUGGEST, json={"name": "one", "owners": ["cases"]})).json()
    assert (shown["uid"], shown["enabled"]) == (people["aone"], True)
    assert shown["user"] == {"username": "aone", "full_name": "Analyst One", "email": "a1@example.org"}
    assert shown["data"]["avatar"]["initials"] == "AO"


async def test_the_size_bounds_and_is_bounded(client: Any, people: dict[str, str]):
    assert await suggested(client, size=1) == ["aone"]
    assert await suggested(client, size=0) == []
    assert await suggested(client, size=100) == ["aone", "btwo"]
    for size in (-1, 101):
        response = await client.post(SUGGEST, json={"name": "", "owners": ["cases"], "size": size})
        assert response.status_code == 400


async def test_disabled_and_deleted_users_are_not_suggested_but_keep_their_names(client: Any, people: dict[str, str]):
    await client.put(f"{USER}/aone/_disable")
    await client.delete(f"{USER}/btwo")
    assert await suggested(client) == []
    body = {"uids": [people["btwo"], "unknown", people["aone"]], "dataPath": "avatar"}
    shown = (await client.post("/internal/security/user_profile/_bulk_get", json=body)).json()
    assert [(each["user"]["username"], each["enabled"]) for each in shown] == [("btwo", False), ("aone", False)]


async def test_data_is_told_only_when_asked_for(client: Any, people: dict[str, str]):
    for path, keys in ((None, []), ("avatar", ["avatar"]), ("*", ["avatar"]), ("other", [])):
        body = {"uids": [people["aone"]], **({} if path is None else {"dataPath": path})}
        [shown] = (await client.post("/internal/security/user_profile/_bulk_get", json=body)).json()
        assert list(shown["data"]) == keys


async def test_one_sees_ones_own_profile(client: Any, people: dict[str, str]):
    own = await client.get("/internal/security/user_profile?dataPath=avatar", auth=("dfour", PASSWORD))
    assert (own.status_code, own.json()["uid"]) == (200, people["dfour"])
    assert (await client.get("/internal/security/user_profile")).status_code == 404
    assert (await client.get("/internal/security/me", auth=("aone", PASSWORD))).json()["profile_uid"] == people["aone"]


async def test_who_has_no_feature_sees_no_profiles(client: Any, people: dict[str, str]):
    auth = ("dfour", PASSWORD)
    for response in (
        await client.post(SUGGEST, json={"name": "", "owners": ["cases"]}, auth=auth),
        await client.post("/internal/security/user_profile/_bulk_get", json={"uids": [people["aone"]]}, auth=auth),
        await client.post("/_security/profile/_suggest", json={"name": ""}, auth=auth),
        await client.get(f"/_security/profile/{people['aone']}", auth=auth),
    ):
        assert response.status_code == 403
        assert "Analyst" not in response.text


async def test_profiles_are_found_as_elasticsearch_finds_them(client: Any, people: dict[str, str]):
    body = {"name": "analyst", "size": 1, "data": "*", "hint": {"uids": [people["btwo"]], "labels": {}}}
    found = (await client.post("/_security/profile/_suggest", json=body)).json()
    assert found["total"] == {"value": 2, "relation": "eq"}
    assert [each["uid"] for each in found["profiles"]] == [people["btwo"]]
    assert found["profiles"][0]["data"]["kibana"]["avatar"]["initials"] == "AT"
    both = (await client.get(f"/_security/profile/{people['aone']},nobody")).json()
    assert [each["uid"] for each in both["profiles"]] == [people["aone"]]
    assert both["errors"]["count"] == 1


async def test_a_profile_is_made_only_with_the_right_password_and_by_who_may(client: Any, people: dict[str, str]):
    body = {"grant_type": "password", "username": "aone", "password": "wrong"}
    assert (await client.post(ACTIVATE, json=body)).status_code == 401
    body["password"] = PASSWORD
    assert (await client.post(ACTIVATE, json=body, auth=("btwo", PASSWORD))).status_code == 403
    assert (await client.post(ACTIVATE, json=body, auth=("aone", PASSWORD))).status_code == 200
    assert (await client.post(ACTIVATE, json={"grant_type": "password"})).status_code == 400
    token = {"grant_type": "access_token", "access_token": "x"}
    assert (await client.post(ACTIVATE, json=token)).status_code == 401
