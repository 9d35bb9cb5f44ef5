"""`/api/status` and `/healthz` (extensions.md 4)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import casebridge
from casebridge.api.table import ROUTES
from casebridge.domain.errors import StorageUnavailable
from casebridge.services import status
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


async def test_others_are_told_that_the_server_is_degraded_and_no_more(serve: Any, connect: Any):
    async with connect(serve(ROUTES, worker_level=lambda: "unavailable"), auth=None) as anonymous:
        answer = await anonymous.get("/api/status")
        assert (answer.status_code, answer.json()) == (200, {"status": {"overall": {"level": "degraded"}}})
        ready = await anonymous.get("/healthz/ready")
        assert (ready.status_code, ready.json()) == (200, {"level": "degraded"})
        assert (await anonymous.get("/healthz/live")).json() == {"level": "available"}


async def test_a_store_that_goes_away_under_a_request_is_told_in_detail_to_who_has_signed_in(
    client: Any, anonymous: Any, monkeypatch: pytest.MonkeyPatch
):
    async def away(database: Database) -> str:
        raise StorageUnavailable("The disk of secret-host is gone.")

    monkeypatch.setattr(status.installation, "get_uuid", away)

    answer = await client.get("/api/status")
    assert answer.status_code == 503
    assert answer.json()["uuid"] is None
    assert answer.json()["status"] == {
        "overall": {"level": "unavailable", "summary": "The store cannot be used."},
        "core": {"storage": {"level": "unavailable"}, "worker": {"level": "available"}},
    }
    brief = await anonymous.get("/api/status")
    assert (brief.status_code, brief.json()) == (503, {"status": {"overall": {"level": "unavailable"}}})
    ready = await anonymous.get("/healthz/ready")
    assert (ready.status_code, ready.json()) == (503, {"level": "unavailable"})
    assert "secret-host" not in answer.text + brief.text + ready.text


async def test_a_store_that_does_not_answer_in_time_is_unavailable(anonymous: Any, monkeypatch: pytest.MonkeyPatch):
    async def slow(database: Database) -> str:
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(status, "PATIENCE_S", 0.05)
    monkeypatch.setattr(status.installation, "get_uuid", slow)

    assert (await anonymous.get("/healthz/ready")).status_code == 503


async def test_health_is_told_to_head_requests_and_no_other_methods(anonymous: Any):
    for path in ("/healthz/live", "/healthz/ready", "/api/status"):
        head = await anonymous.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert (await anonymous.post(path)).status_code == 404


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
