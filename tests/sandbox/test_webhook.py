"""The simulated ticket system is strict, and tells a repeat by its key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from casebridge.sandbox.webhook import connector_config, webhook_app

Desks = Callable[..., Awaitable[httpx2.AsyncClient]]
TICKET = {"summary": "Beacon", "tags": ["c2"]}


@pytest.fixture
async def a_desk(clock) -> AsyncIterator[Desks]:
    """Makes a client of a new simulated ticket system in this process; takes what `webhook_app` takes."""
    async with AsyncExitStack() as stack:

        async def make(auth: Any = ("bot", "the-right-password"), **given: Any) -> httpx2.AsyncClient:
            app = webhook_app("bot", "the-right-password", now=clock, **given)
            transport = httpx2.ASGITransport(app=app)
            http = httpx2.AsyncClient(transport=transport, base_url="http://desk.test", auth=auth)
            return await stack.enter_async_context(http)

        yield make


async def counts(http: httpx2.AsyncClient) -> dict[str, int]:
    return (await http.get("/_sandbox/state")).json()["counts"]


async def test_a_ticket_is_made_read_changed_and_commented(a_desk):
    http = await a_desk()
    made = await http.post("/tickets", json=TICKET)
    assert (made.status_code, made.json()) == (201, {"data": {"id": "501", "key": "TKT-501"}})
    assert (await http.put("/tickets/501", json={"summary": "Beacon, confirmed"})).status_code == 204
    assert (await http.post("/tickets/501/comments", json={"text": "isolated"})).status_code == 201
    assert (await http.get("/tickets/501")).json()["data"]["summary"] == "Beacon, confirmed"
    assert await counts(http) == {"ticket": 1, "comment": 1}
    assert (await http.get("/tickets/9")).status_code == 404
    assert (await http.get("/nothing")).status_code == 404


@pytest.mark.parametrize("auth", [None, ("bot", "wrong")])
async def test_wrong_credentials_are_a_401(a_desk, auth):
    assert (await (await a_desk(auth)).post("/tickets", json=TICKET)).status_code == 401


@pytest.mark.parametrize(
    "payload", [{}, {"summary": " "}, {"summary": 1}, {**TICKET, "odd": 1}, {**TICKET, "tags": "c2"}, [], 3]
)
async def test_a_ticket_that_breaks_a_rule_is_a_422(a_desk, payload):
    http = await a_desk()
    assert (await http.post("/tickets", json=payload)).status_code == 422
    assert await counts(http) == {"ticket": 0, "comment": 0}


async def test_a_body_that_is_no_json_is_refused(a_desk):
    http = await a_desk()
    assert (await http.post("/tickets", content=b"{}")).status_code == 415
    headers = {"content-type": "application/json"}
    assert (await http.post("/tickets", content=b"{", headers=headers)).status_code == 400


async def test_a_repeat_with_the_same_key_is_answered_but_not_done_again(a_desk):
    http = await a_desk()
    key = {"idempotency-key": "k-1"}
    first, again = [await http.post("/tickets", json=TICKET, headers=key) for _ in range(2)]
    assert first.json() == again.json()
    assert (await http.post("/tickets", json={"summary": "other"}, headers=key)).status_code == 422
    assert (await http.post("/tickets", json=TICKET, headers={"idempotency-key": "k-2"})).status_code == 201
    assert await counts(http) == {"ticket": 2, "comment": 0}


async def test_a_refusal_is_not_kept_for_a_key(a_desk):
    http = await a_desk()
    key = {"idempotency-key": "k-1"}
    assert (await http.post("/tickets", json={}, headers=key)).status_code == 422
    assert (await http.post("/tickets", json=TICKET, headers=key)).status_code == 201


async def test_a_system_that_knows_no_keys_does_everything_again(a_desk):
    http = await a_desk(honours_keys=False)
    for _ in range(2):
        await http.post("/tickets", json=TICKET, headers={"idempotency-key": "k-1"})
    assert await counts(http) == {"ticket": 2, "comment": 0}


async def test_keys_survive_a_restart_with_a_state_file(a_desk, tmp_path):
    for _ in range(2):
        http = await a_desk(state_file=tmp_path / "desk.json")
        await http.post("/tickets", json=TICKET, headers={"idempotency-key": "k-1"})
    assert await counts(http) == {"ticket": 1, "comment": 0}


async def test_faults_lose_the_id_inside_data(a_desk):
    http = await a_desk(faults=["create=no-id"])
    assert (await http.post("/tickets", json=TICKET)).json() == {"data": {"key": "TKT-501"}}


async def test_the_pages_show_tickets_as_text_and_no_password(a_desk):
    http = await a_desk()
    await http.post("/tickets", json={"summary": "<b>Beacon</b>", "status": "closed", "tags": ["c2"]})
    front, page = (await http.get("/")).text, (await http.get("/view/501")).text
    for shown in ("TKT-501", "&lt;b&gt;Beacon&lt;/b&gt;", "closed", "c2"):
        assert shown in front
        assert shown in page
    assert "the-right-password" not in front + page


def test_the_example_of_the_docs_is_the_config_that_fits():
    from json import loads
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "sandbox-webhook.md").read_text("utf-8")
    example = loads(text.partition("```json\n")[2].partition("```")[0])
    assert example.items() <= connector_config("http://127.0.0.1:8092").items()
