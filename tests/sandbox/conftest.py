"""A simulated Jira to talk to, in process or over a socket, with a clock that stands still unless moved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from casebridge.sandbox.jira import jira_app
from casebridge.sandbox.server import serving

EMAIL, TOKEN = "bot@example.org", "the-right-token"


class Clock:
    """The time of day, moved by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class JiraCaller:
    """Calls a simulated Jira with the right credentials; short names for what tests do most."""

    def __init__(self, http: httpx2.AsyncClient, clock: Clock) -> None:
        self.http, self.clock = http, clock

    async def send(self, method: str, path: str, payload: Any = None, **more: Any) -> httpx2.Response:
        body = {} if payload is None else {"json": payload}
        return await self.http.request(method, f"/rest/api/2{path}", **body, **more)

    async def try_create(self, **fields: Any) -> httpx2.Response:
        """Create an issue; a field given as None is left out."""
        usual = {"project": {"key": "OPS"}, "summary": "Odd logons", "issuetype": {"id": "10001"}}
        wanted = {name: value for name, value in (usual | fields).items() if value is not None}
        return await self.send("POST", "/issue", {"fields": wanted})

    async def create(self, **fields: Any) -> dict[str, Any]:
        answer = await self.try_create(**fields)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def errors(self, **fields: Any) -> dict[str, str]:
        """The errors of a create that is refused."""
        answer = await self.try_create(**fields)
        assert answer.status_code == 400
        return answer.json()["errors"]

    async def issue(self, key: str) -> dict[str, Any]:
        return (await self.send("GET", f"/issue/{key}")).json()

    async def comment(self, key: str, text: Any = "blocked at the gateway") -> httpx2.Response:
        return await self.send("POST", f"/issue/{key}/comment", {"body": text})

    async def search(self, jql: str, **more: Any) -> httpx2.Response:
        return await self.send("GET", "/search/jql", params={"jql": jql, **more})

    async def found(self, jql: str) -> list[str]:
        """The keys of the issues a query finds, in order."""
        answer = await self.search(jql, fields="key")
        assert answer.status_code == 200, answer.text
        return [issue["key"] for issue in answer.json()["issues"]]

    async def state(self) -> dict[str, Any]:
        return (await self.http.get("/_sandbox/state")).json()

    async def fault(self, given: Any) -> httpx2.Response:
        return await self.http.post("/_sandbox/faults", json=given)


Jiras = Callable[..., Awaitable[JiraCaller]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def a_jira(clock: Clock) -> AsyncIterator[Jiras]:
    """Makes a caller of a new simulated Jira in this process; takes what `jira_app` takes."""
    async with AsyncExitStack() as stack:

        async def make(auth: Any = (EMAIL, TOKEN), **settings: Any) -> JiraCaller:
            app = jira_app(**{"email": EMAIL, "api_token": TOKEN, "now": clock} | settings)
            transport = httpx2.ASGITransport(app=app)
            http = httpx2.AsyncClient(transport=transport, base_url="http://jira.test", auth=auth)
            return JiraCaller(await stack.enter_async_context(http), clock)

        yield make


@pytest.fixture
async def a_served_jira(clock: Clock) -> AsyncIterator[Jiras]:
    """The same over a real socket."""
    async with AsyncExitStack() as stack:

        async def make(**settings: Any) -> JiraCaller:
            app = jira_app(**{"email": EMAIL, "api_token": TOKEN, "now": clock} | settings)
            url = await stack.enter_async_context(serving(app))
            http = httpx2.AsyncClient(base_url=url, auth=(EMAIL, TOKEN), timeout=5, trust_env=False)
            return JiraCaller(await stack.enter_async_context(http), clock)

        yield make
