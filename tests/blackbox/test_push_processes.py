"""Real servers, really killed in the middle of a push: one issue, each comment once, a case that says the truth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from casebridge.sandbox.jira import jira_app
from casebridge.sandbox.server import serving
from tests.blackbox.live import FAST, Live

pytestmark = pytest.mark.slow


@pytest.fixture
async def jira_url() -> AsyncIterator[str]:
    async with serving(jira_app(project_keys=("OPS",))) as url:
        yield url


@pytest.fixture
async def live(tmp_path: Path, database_target: str) -> AsyncIterator[Live]:
    server = Live(tmp_path, database_target)
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


async def prepared(live: Live, jira_url: str, *comments: str, closes: bool = True) -> str:
    """A case with comments, a connector to the sandbox, and a configuration that closes what is pushed."""
    await live.call(
        "POST",
        "/api/actions/connector/jira-1",
        {
            "name": "Jira",
            "connector_type_id": ".jira",
            "config": {"apiUrl": jira_url, "projectKey": "OPS"},
            "secrets": {"email": "bot@example.org", "apiToken": "sandbox-token"},
        },
    )
    connector = {"id": "jira-1", "name": "Jira", "type": ".jira", "fields": None}
    closure = "close-by-pushing" if closes else "close-by-user"
    await live.call("POST", "/api/cases/configure", {"owner": "cases", "connector": connector, "closure_type": closure})
    case = await live.call(
        "POST",
        "/api/cases",
        {
            "owner": "cases",
            "title": "Odd logons",
            "description": "seen",
            "tags": ["vpn"],
            "connector": connector,
            "settings": {"syncAlerts": False},
        },
    )
    for text in comments:
        await live.call(
            "POST", f"/api/cases/{case['id']}/comments", {"type": "user", "owner": "cases", "comment": text}
        )
    return str(case["id"])


async def sandbox(url: str, method: str = "GET", path: str = "/_sandbox/state", body: Any = None) -> Any:
    async with httpx2.AsyncClient(base_url=url) as client:
        answer = await client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


async def until_closed(live: Live, case_id: str) -> dict[str, Any]:
    for _ in range(200):
        case: dict[str, Any] = await live.call("GET", f"/api/cases/{case_id}")
        if case["status"] == "closed":
            return case
        await asyncio.sleep(0.1)
    raise AssertionError(f"the push was never finished:\n{live.output[-3000:]}")


async def assert_whole(live: Live, jira_url: str, case: dict[str, Any], comments: list[str]) -> None:
    state = await sandbox(jira_url)
    assert state["counts"]["issue"] == 1
    (issue,) = state["issues"]
    assert [each["body"].partition("\n\nAdded by")[0] for each in issue["comments"]] == comments
    assert case["external_service"]["external_id"] == issue["id"]
    ledger = await live.call("GET", f"/api/casebridge/deliveries?caseId={case['id']}")
    assert "delivered" in {each["state"] for each in ledger["deliveries"]}
    assert not {each["state"] for each in ledger["deliveries"]} & {"sending", "uncertain", "queued", "waiting"}


@pytest.mark.parametrize("fault", ["delay:0.7", "slow-answer:0.7"])
@pytest.mark.parametrize("step", ["issue_types", "create", "get", "comment", "comment@1"])
async def test_a_server_killed_in_the_middle_of_a_push_leaves_one_issue(
    live: Live, jira_url: str, step: str, fault: str
):
    case_id = await prepared(live, jira_url, "one", "two")
    name, _, after = step.partition("@")
    await sandbox(jira_url, "POST", "/_sandbox/faults", f"{name}={fault}" + (f"@{after}" if after else ""))

    pushing = asyncio.create_task(live.call("POST", f"/api/cases/{case_id}/connector/jira-1/_push", {}))
    await until_struck(jira_url)
    await asyncio.sleep(0.25)
    live.kill()
    with pytest.raises(httpx2.TransportError):
        await pushing
    await asyncio.to_thread(live.start)

    case = await until_closed(live, case_id)
    await assert_whole(live, jira_url, case, ["one", "two"])


async def until_struck(jira_url: str) -> None:
    """Wait until the sandbox has begun to misbehave."""
    for _ in range(100):
        faults = (await sandbox(jira_url))["faults"]
        if not faults or any(each.get("fired") for each in faults):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the fault never struck")


async def test_a_time_out_and_a_push_again_leave_one_issue(live: Live, jira_url: str):
    case_id = await prepared(live, jira_url, "one")
    await sandbox(jira_url, "POST", "/_sandbox/faults", ["create=delay:1.5", "comment=delay:1.5"])
    path = f"/api/cases/{case_id}/connector/jira-1/_push"

    async with live.client() as client:
        answers = [await client.post(path, json={}) for _ in range(3)]

    assert [each.status_code for each in answers[:2]] == [424, 424], [each.text for each in answers]
    assert "timed out" in answers[0].json()["message"]
    assert answers[2].status_code == 200, answers[2].text
    await assert_whole(live, jira_url, answers[2].json(), ["one"])


async def test_fifty_pushes_of_one_case_over_four_processes_make_one_issue(
    tmp_path: Path, postgresql_target: str, jira_url: str
):
    # All fifty wait for one turn: with the usual patience the last ones would be told to come back.
    env = {**FAST, "CASEBRIDGE_PUSH_WAIT_S": "120"}
    first = Live(tmp_path, postgresql_target, workers=2, env=env)
    await asyncio.to_thread(first.start)
    key = {"CASEBRIDGE_ENCRYPTION_KEY_FILE": str(tmp_path / "data" / "encryption.key")}
    (tmp_path / "second").mkdir()
    second = Live(tmp_path / "second", postgresql_target, workers=2, env={**env, **key})
    await asyncio.to_thread(second.start)
    try:
        case_id = await prepared(first, jira_url, "one", "two", closes=False)
        path = f"/api/cases/{case_id}/connector/jira-1/_push"

        async def push(live: Live) -> httpx2.Response:
            # A connection each: so every process gets some of them.
            async with live.client(150) as client:
                return await client.post(path, json={})

        answers = await asyncio.gather(*(push(live) for _ in range(25) for live in (first, second)))
        assert [each.status_code for each in answers] == [200] * 50, {each.text for each in answers}
        case = await first.call("GET", f"/api/cases/{case_id}")
        await assert_whole(first, jira_url, case, ["one", "two"])
    finally:
        await asyncio.to_thread(first.stop)
        await asyncio.to_thread(second.stop)
