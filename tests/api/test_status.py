"""`/api/status` and `/healthz` (extensions.md 4)."""

from __future__ import annotations

from typing import Any

import casebridge
from casebridge.api.table import ROUTES
from casebridge.storage.session import Database


async def test_those_who_sign_in_see_everything(client: Any):
    response = await client.get("/api/status")
    assert response.status_code == 200
    told = response.json()
    assert len(told.pop("uuid")) == 36
    assert told == {
        "name": "casebridge",
        "version": {"number": casebridge.__version__, "build_hash": "unknown"},
        "status": {
            "overall": {"level": "available", "summary": "All is well."},
            "core": {"storage": {"level": "available"}, "worker": {"level": "available"}},
        },
    }


async def test_the_installation_keeps_its_uuid(client: Any):
    first, second = await client.get("/api/status"), await client.get("/api/status")
    assert first.json()["uuid"] == second.json()["uuid"]


async def test_others_see_the_level_alone(anonymous: Any, client: Any):
    brief = {"status": {"overall": {"level": "available"}}}
    assert (await anonymous.get("/api/status")).json() == brief
    for auth in (("admin", "wrong"), ("nobody", "x")):
        response = await client.get("/api/status", auth=auth)
        assert (response.status_code, response.json()) == (200, brief)
    assert (await anonymous.get("/api/status", headers={"authorization": "Negotiate x"})).json() == brief


async def test_a_worker_that_is_not_well_degrades_the_server(serve: Any, connect: Any):
    async with connect(serve(ROUTES, worker_level=lambda: "unavailable")) as client:
        response = await client.get("/api/status")
        assert response.status_code == 200
        assert response.json()["status"]["overall"]["level"] == "degraded"
        assert response.json()["status"]["core"]["worker"] == {"level": "unavailable"}
        assert (await client.get("/healthz/ready")).status_code == 200


async def test_without_its_store_the_server_lives_but_is_not_ready(client: Any, anonymous: Any, database: Database):
    await database.close()
    for each in (client, anonymous):
        response = await each.get("/api/status")
        assert (response.status_code, response.json()) == (503, {"status": {"overall": {"level": "unavailable"}}})
    assert (await anonymous.get("/healthz/ready")).status_code == 503
    assert (await anonymous.get("/healthz/live")).status_code == 200


async def test_health_needs_no_credentials_and_minds_none(anonymous: Any, client: Any):
    for path in ("/healthz/live", "/healthz/ready"):
        assert (await anonymous.get(path)).json() == {"level": "available"}
        assert (await client.get(path, auth=("admin", "wrong"))).status_code == 200


async def test_the_status_can_be_asked_for_in_a_space(client: Any):
    assert (await client.get("/s/default/api/status")).status_code == 200
