"""Our own routes that look after connectors: settings, health, a trial, the preview of a push."""

from __future__ import annotations

from typing import Any

import pytest

CARE = "/api/casebridge/connectors/j1"


@pytest.fixture
async def connector(client: Any, jira: Any) -> None:
    body = {"name": "Jira", "connector_type_id": ".jira", "config": jira.config, "secrets": jira.secrets}
    assert (await client.post("/api/actions/connector/j1", json=body)).status_code == 200


async def opened(client: Any, **given: Any) -> dict[str, Any]:
    body = {
        "owner": "cases",
        "title": "Odd logons",
        "description": "seen",
        "tags": ["vpn"],
        "settings": {"syncAlerts": False},
        "connector": {"id": "j1", "name": "Jira", "type": ".jira", "fields": None},
        **given,
    }
    answer = await client.post("/api/cases", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.usefixtures("connector")
async def test_settings_begin_with_defaults_and_are_replaced_by_version(client: Any):
    first = (await client.get(f"{CARE}/settings")).json()
    assert first == {"version": None, "auth": "basic", "text": "unchanged", "edited_comments": "edit"}

    saved = await client.put(f"{CARE}/settings", json={"text": "converted"})
    assert saved.status_code == 200
    assert saved.json()["text"] == "converted"
    version = saved.json()["version"]
    assert (await client.put(f"{CARE}/settings", json={"text": "unchanged"})).status_code == 400
    assert (await client.put(f"{CARE}/settings", json={"version": "nope"})).status_code == 409
    again = await client.put(f"{CARE}/settings", json={"version": version, "auth": "bearer"})
    assert again.json()["text"] == "unchanged"
    assert again.json()["auth"] == "bearer"
    assert (await client.get(f"{CARE}/settings")).json() == again.json()


@pytest.mark.usefixtures("connector")
@pytest.mark.parametrize("body", [{"auth": "digest"}, {"unknown": 1}, {"text": None}, []])
async def test_bad_settings_are_refused(client: Any, body: Any):
    assert (await client.put(f"{CARE}/settings", json=body)).status_code == 400


async def test_an_unknown_connector_is_not_found_anywhere(client: Any):
    path = "/api/casebridge/connectors/nope"
    assert (await client.get(f"{path}/settings")).status_code == 404
    assert (await client.put(f"{path}/settings", json={})).status_code == 404
    assert (await client.get(f"{path}/health")).status_code == 404
    assert (await client.post(f"{path}/_test")).status_code == 404


@pytest.mark.usefixtures("connector")
async def test_a_connector_that_was_never_used_is_well(client: Any):
    assert (await client.get(f"{CARE}/health")).json() == {
        "state": "closed",
        "consecutive_faults": 0,
        "queued": 0,
        "waiting": 0,
        "failed": 0,
        "last_success_at": None,
        "last_error": None,
    }


@pytest.mark.usefixtures("connector")
async def test_a_trial_tells_what_is_there_or_what_is_wrong(client: Any, jira: Any):
    good = (await client.post(f"{CARE}/_test", json={})).json()
    assert good["ok"] is True
    jira.fault("myself=status:401")
    bad = (await client.post(f"{CARE}/_test")).json()
    assert bad["ok"] is False
    assert "401" in bad["detail"]
    assert jira.secrets["apiToken"] not in str(bad)


@pytest.mark.usefixtures("connector")
async def test_a_preview_shows_what_a_push_would_send_and_writes_nothing(client: Any, jira: Any):
    case = await opened(client)
    await client.post(f"/api/cases/{case['id']}/comments", json={"type": "user", "owner": "cases", "comment": "hello"})
    path = f"/api/casebridge/cases/{case['id']}/connector/j1/_preview"

    first = (await client.post(path)).json()

    assert first["action"] == "create"
    assert first["incident"]["summary"] == "Odd logons"
    assert [each["comment"].partition("\n")[0] for each in first["comments"]] == ["hello"]
    assert {"field": "summary", "external": None, "ours": "Odd logons"} in first["changes"]
    assert jira.issues == []

    await client.post(f"/api/cases/{case['id']}/connector/j1/_push")
    assert (await client.post(path)).json()["changes"] == []
    now = (await client.get(f"/api/cases/{case['id']}")).json()
    change = {"id": case["id"], "version": now["version"], "title": "Renamed", "tags": []}
    assert (await client.patch("/api/cases", json={"cases": [change]})).status_code == 200

    later = (await client.post(path, json={})).json()
    assert later["action"] == "update"
    assert later["comments"] == []
    assert {"field": "summary", "external": "Odd logons", "ours": "Renamed"} in later["changes"]
    assert {each["field"] for each in later["changes"]} == {"summary", "labels"}


@pytest.mark.usefixtures("connector")
async def test_a_preview_of_a_closed_case_or_without_jira_says_so(client: Any, jira: Any):
    case = await opened(client)
    path = f"/api/casebridge/cases/{case['id']}/connector/j1/_preview"
    jira.fault("issue_types=status:503")
    assert (await client.post(path)).status_code == 424
    change = {"id": case["id"], "version": case["version"], "status": "closed"}
    await client.patch("/api/cases", json={"cases": [change]})
    assert (await client.post(path)).status_code == 409
    assert (await client.post("/api/casebridge/cases/nope/connector/j1/_preview")).status_code == 404
