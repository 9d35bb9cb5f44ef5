"""`/api/security/role` (access.md 6), and roles at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from casebridge.api.dispatch import ApiApp
from casebridge.api.table import ROUTES
from casebridge.domain.user import Account
from casebridge.services.ground import Ground
from casebridge.storage.session import Database
from tests.api.access import ROLE, USER, add_user, entry, put_role

WORKERS = {
    "description": "case workers",
    "metadata": {"team": "blue"},
    "elasticsearch": {"cluster": ["monitor"], "indices": [{"names": ["x"], "privileges": ["read"]}], "run_as": []},
    "kibana": [
        {
            "spaces": ["ops"],
            "feature": {"securitySolutionCasesV3": ["minimal_all", "create_comment"], "actions": ["read"]},
        },
        {"spaces": ["*"], "base": ["read"]},
    ],
}


async def test_a_role_is_given_back_as_it_was_stored_with_every_part(client: Any):
    made = await client.put(f"{ROLE}/workers", json=WORKERS)
    assert (made.status_code, made.content) == (204, b"")
    shown = (await client.get(f"{ROLE}/workers")).json()
    assert shown == {
        "name": "workers",
        **WORKERS,
        "kibana": [
            {"base": [], "feature": WORKERS["kibana"][0]["feature"], "spaces": ["ops"]},
            {"base": ["read"], "feature": {}, "spaces": ["*"]},
        ],
        "transient_metadata": {"enabled": True},
        "_transform_error": [],
        "_unrecognized_applications": [],
    }
    await client.put(f"{ROLE}/a", json={"elasticsearch": {}})
    assert [role["name"] for role in (await client.get(ROLE)).json()] == ["a", "superuser", "workers"]
    bare = (await client.get(f"{ROLE}/a")).json()
    assert (bare["kibana"], bare["metadata"], "description" in bare) == ([], {}, False)


async def test_a_put_replaces_the_whole_role_unless_it_is_to_be_made_only(client: Any):
    await client.put(f"{ROLE}/workers", json=WORKERS)
    refused = await client.put(f"{ROLE}/workers?createOnly=true", json={"elasticsearch": {}})
    assert refused.status_code == 409
    assert (await client.put(f"{ROLE}/workers", json={"elasticsearch": {}})).status_code == 204
    assert (await client.get(f"{ROLE}/workers")).json()["kibana"] == []
    assert (await client.put(f"{ROLE}/others?createOnly=true", json=WORKERS)).status_code == 204


async def test_a_deleted_role_is_gone(client: Any):
    await client.put(f"{ROLE}/workers", json=WORKERS)
    assert (await client.delete(f"{ROLE}/workers")).status_code == 204
    assert (await client.delete(f"{ROLE}/workers")).status_code == 404
    assert (await client.get(f"{ROLE}/workers")).status_code == 404


async def test_the_reserved_role_stays_as_it_is(client: Any):
    assert (await client.put(f"{ROLE}/superuser", json=WORKERS)).status_code == 400
    assert (await client.delete(f"{ROLE}/superuser")).status_code == 400
    assert (await client.get(f"{ROLE}/superuser")).json()["metadata"] == {"_reserved": True}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"elasticsearch": None}, "elasticsearch"),
        ({"elasticsearch": {"indices": [{"names": [], "privileges": ["read"]}]}}, "elasticsearch.indices[0].names"),
        ({"elasticsearch": {"nope": 1}}, "elasticsearch.nope"),
        ({"description": "x" * 2049}, "description"),
        ({"metadata": []}, "metadata"),
        ({"kibana": [{}]}, "kibana[0]"),
        ({"kibana": [{"base": ["all"], "feature": {"actions": ["read"]}}]}, "kibana[0]"),
        ({"kibana": [{"base": ["write"]}]}, "kibana[0].base"),
        ({"kibana": [{"base": ["all"], "spaces": ["Ops"]}]}, "kibana[0].spaces"),
        ({"kibana": [{"base": ["all"], "spaces": ["*", "ops"]}]}, "kibana[0].spaces"),
        ({"kibana": [{"base": ["all"]}, {"base": ["read"]}]}, "kibana[1].spaces"),
        ({"kibana": [{"feature": {"lunch": ["all"]}}]}, "kibana[0].feature"),
        ({"kibana": [{"feature": {"generalCases": ["case_reopen"]}}]}, "kibana[0].feature.generalCases"),
        ({"kibana": [{"feature": {"a b": ["all"]}}]}, "kibana[0].feature"),
        ({"nope": 1}, "nope"),
    ],
)
async def test_what_breaks_a_rule_is_named_and_stores_nothing(client: Any, change: dict[str, Any], key: str):
    response = await client.put(f"{ROLE}/workers", json={**WORKERS, **change})
    assert response.status_code == 400
    assert response.json()["message"].startswith(key)
    assert (await client.get(f"{ROLE}/workers")).status_code == 404


async def test_a_name_has_a_limit(client: Any):
    assert (await client.put(f"{ROLE}/{'x' * 1025}", json=WORKERS)).status_code == 400
    assert (await client.put(f"{ROLE}/{'x' * 1024}", json=WORKERS)).status_code == 204


async def test_only_a_superuser_manages_roles(client: Any, database: Database, password_hash: str):
    await put_role(client, "boss", entry(base=["all"]))
    auth = await add_user(database, password_hash, "bob", "boss")
    for response in (
        await client.get(ROLE, auth=auth),
        await client.get(f"{ROLE}/boss", auth=auth),
        await client.get(f"{ROLE}/unknown", auth=auth),
        await client.put(f"{ROLE}/boss", json=WORKERS, auth=auth),
        await client.delete(f"{ROLE}/boss", auth=auth),
    ):
        assert response.status_code == 403


async def test_a_changed_role_counts_from_the_next_request_on_in_every_process(
    client: Any, app: ApiApp, ground: Ground, database: Database, password_hash: str, connect: Callable[..., Any]
):
    from casebridge.api.dispatch import api_app

    auth = await add_user(database, password_hash, "bob", "workers")
    async with connect(app, auth=auth) as here, connect(api_app(ground, ROUTES), auth=auth) as elsewhere:
        for body, status in (
            (None, 403),
            ([entry(generalCasesV3=["read"])], 200),
            ([entry("ops", generalCasesV3=["read"])], 403),
            ([entry(base=["all"])], 200),
            (None, 403),
        ):
            if body is None:
                await client.delete(f"{ROLE}/workers")
            else:
                await put_role(client, "workers", *body)
            for process in (here, elsewhere):
                assert (await process.get("/api/cases/_find")).status_code == status
        await put_role(client, "workers", entry(base=["read"]))
        for roles, status in (([], 403), (["workers", "unknown"], 200), (["unknown"], 403)):
            assert (await client.put(f"{USER}/bob", json={"roles": roles})).status_code == 200
            for process in (here, elsewhere):
                assert (await process.get("/api/cases/_find")).status_code == status


async def test_a_space_is_shown_to_who_was_granted_anything_in_it(
    client: Any, database: Database, password_hash: str, admin: Account
):
    for id_ in ("ops", "fin"):
        await client.post("/api/spaces/space", json={"id": id_, "name": id_})
    await put_role(client, "ops", entry("ops", generalCasesV3=["cases_delete"]))
    auth = await add_user(database, password_hash, "bob", "ops")
    assert [space["id"] for space in (await client.get("/api/spaces/space", auth=auth)).json()] == ["ops"]
    for id_, status in (("ops", 200), ("fin", 403), ("none", 404)):
        assert (await client.get(f"/api/spaces/space/{id_}", auth=auth)).status_code == status
    await put_role(client, "ops", entry("ops", base=["all"]))
    assert (await client.post("/api/spaces/space", json={"id": "x", "name": "x"}, auth=auth)).status_code == 403
    await put_role(client, "ops", entry(base=["all"]))
    assert (await client.post("/api/spaces/space", json={"id": "x", "name": "x"}, auth=auth)).status_code == 200
