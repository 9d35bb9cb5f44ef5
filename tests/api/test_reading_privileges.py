"""Activity, metrics and walks show only what the caller may read (access.md 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from casebridge.api.dispatch import ApiApp
from casebridge.domain.user import Account
from casebridge.storage import accounts
from casebridge.storage.session import Database
from tests.api.building import get, open_case

OF_ONE_CASE = (
    "/internal/cases/{id}/user_actions/_find",
    "/internal/cases/{id}/user_actions/_stats",
    "/internal/cases/{id}/_users",
    "/internal/cases/{id}/_connectors",
    "/internal/cases/metrics/{id}?features=lifespan&features=alerts.count",
    "/api/cases/metrics/{id}?features=actions.isolateHost",
)
OF_ALL_CASES = (
    "/internal/cases/metrics?features=mttr",
    "/api/cases/metrics?features=status&owner=cases",
    "/api/casebridge/cases",
)


@pytest.mark.parametrize("path", [*OF_ONE_CASE, *OF_ALL_CASES])
async def test_who_may_read_nothing_is_refused_and_told_nothing(
    client: Any, app: ApiApp, database: Database, password_hash: str, connect: Callable[..., Any], path: str
):
    case = await open_case(client, title="Very secret")
    await accounts.create(database, Account("guest", password_hash, roles=()))
    async with connect(app, auth=("guest", "correct horse battery")) as guest:
        response = await guest.get(path.format(id=case["id"]))
        assert response.status_code == 403
        assert "secret" not in response.text
        unknown = await guest.get(path.format(id="unknown"))
        assert unknown.status_code == (404 if "{id}" in path else 403)


@pytest.mark.parametrize("path", OF_ONE_CASE)
async def test_a_case_of_a_disabled_feature_is_refused(client: Any, path: str):
    space = {"id": "ops", "name": "Ops", "disabledFeatures": ["generalCasesV2"]}
    assert (await client.post("/api/spaces/space", json={**space, "disabledFeatures": []})).status_code == 200
    case = await open_case(client, at="/s/ops")
    assert (await client.put("/api/spaces/space/ops", json=space)).status_code == 200
    response = await client.get("/s/ops" + path.format(id=case["id"]))
    assert response.status_code == 403
    assert '"cases"' in response.json()["message"]


async def test_owners_one_may_not_read_are_left_out(client: Any):
    space = {"id": "ops", "name": "Ops", "disabledFeatures": []}
    assert (await client.post("/api/spaces/space", json=space)).status_code == 200
    await open_case(client, at="/s/ops")
    shown = await open_case(client, at="/s/ops", owner="observability")
    changed = {**space, "disabledFeatures": ["generalCasesV3"]}
    assert (await client.put("/api/spaces/space/ops", json=changed)).status_code == 200

    counts = (await get(client, "/s/ops/internal/cases/metrics", features="status"))["status"]
    assert counts == {"open": 1, "inProgress": 0, "closed": 0}
    walked = await get(client, "/s/ops/api/casebridge/cases")
    assert [case["id"] for case in walked["cases"]] == [shown["id"]]
    assert (await get(client, "/s/ops/api/casebridge/cases", owner="cases"))["cases"] == []
