"""A case, a connector and a simulated Jira over real HTTP, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.case import Case, NewCase
from casebridge.domain.connector import CaseConnector
from casebridge.domain.delivery import Delivery
from casebridge.domain.query import Page
from casebridge.domain.space import DEFAULT_SPACE
from casebridge.domain.user import Actor, User
from casebridge.sandbox.jira import jira_app
from casebridge.sandbox.server import serving
from casebridge.security.vault import Vault
from casebridge.services import attachments, cases, configure, connectors, deliveries, push, push_take_up
from casebridge.services.ground import Asking, Ground, PushSettings
from casebridge.services.push_success import Pushed
from casebridge.storage import outbox
from casebridge.storage.session import Database

Wired = TypeVar("Wired", bound="World")
ANNA = User("anna", "Anna A.", None)
CONNECTOR = "jira-1"


class Clock:
    """The present time, which a test may move on."""

    def __init__(self, real: Callable[[], datetime]) -> None:
        self._real = real
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return self._real() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


class World:
    """One server's rooms, wired to a sandbox."""

    def __init__(self, ground: Ground, clock: Clock, jira: Any, url: str) -> None:
        self.ground = ground
        self.clock = clock
        self.jira = jira
        self.url = url
        self.asking = Asking(Actor(ANNA, ("superuser",)), DEFAULT_SPACE)

    def with_database(self, database: Database) -> World:
        """The same world seen through another store."""
        return type(self)(msgspec.structs.replace(self.ground, database=database), self.clock, self.jira, self.url)

    async def connector(self, id_: str = CONNECTOR) -> None:
        """A connector to the sandbox."""
        await connectors.create(
            self.ground,
            self.asking,
            id_=id_,
            name=f"Jira {id_}",
            type_id=".jira",
            config={"apiUrl": self.url, "projectKey": "OPS"},
            secrets={"email": "bot@example.org", "apiToken": "sandbox-token"},
        )

    async def case(self, *comments: str, **given: Any) -> Case:
        """A case with these comments, oldest first."""
        case = await cases.open_new(
            self.ground,
            self.asking,
            NewCase(
                **{
                    "owner": "cases",
                    "title": "Odd logons",
                    "description": "seen on two hosts",
                    "tags": ("vpn", "night shift"),
                    "connector": CaseConnector(CONNECTOR, "Jira", ".jira"),
                    **given,
                }
            ),
        )
        for text in comments:
            await self.comment(case.id, text)
        return await cases.get(self.ground, self.asking, case.id)

    async def comment(self, case_id: str, text: str) -> str:
        """Add a comment; its id."""
        payload = {"type": "user", "owner": "cases", "comment": text}
        found = (await attachments.add(self.ground, self.asking, case_id, payload)).attachments
        return found[-1].id

    async def close_by_pushing(self) -> None:
        """Have pushes close the cases of owner `cases`."""
        await configure.replace_configuration(
            self.ground,
            self.asking,
            owner="cases",
            connector=CaseConnector("none", "none", ".none"),
            closure_type="close-by-pushing",
        )

    async def push(self, case_id: str, connector_id: str = CONNECTOR, *, key: str | None = None) -> Pushed:
        return await push.push(self.ground, self.asking, case_id, connector_id, key=key)

    async def get(self, case_id: str) -> Case:
        return await cases.get(self.ground, self.asking, case_id)

    async def deliveries(self, case_id: str) -> list[Delivery]:
        """The case's deliveries, newest first."""
        found, _ = await deliveries.find(self.ground, self.asking, Page(1, 100), case_id=case_id)
        return found

    async def work(self, rounds: int = 5) -> None:
        """What workers do until nothing is due any more."""
        for _ in range(rounds):
            due = await outbox.due(self.ground.database, self.clock(), 50)
            for delivery in due:
                await push_take_up.take_up(self.ground, delivery)

    def fault(self, *texts: str) -> None:
        """Have the sandbox misbehave, such as `create=drop-after`."""
        for text in texts:
            self.jira.faults.add(text)

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Issues in the sandbox, as its state route shows them."""
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "scheme": "http"}
        state: dict[str, Any] = self.jira.state(Request({**scope, "server": ("127.0.0.1", 80)}))
        return list(state["issues"])

    def issues_of(self, case_id: str) -> list[dict[str, Any]]:
        """Those that carry the marker of a case."""
        return [each for each in self.issues if f"casebridge-{case_id}" in each["fields"]["labels"]]

    def bodies(self, issue: int = 0) -> list[str]:
        """Comment texts of an issue without the line that names the author, oldest first."""
        return [each["body"].partition("\n\nAdded by")[0] for each in self.issues[issue]["comments"]]


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    app = jira_app(project_keys=("OPS",), api_token="sandbox-token")
    async with wired(World, app, database) as there:
        yield there


@asynccontextmanager
async def wired(kind: type[Wired], app: Starlette, database: Database) -> AsyncIterator[Wired]:
    """A world with a connector to the sandbox of this app."""
    async with serving(app) as url:
        hosts = AllowedHosts(["127.0.0.1"])
        outbound = Outbound(hosts, timeout_s=5.0)
        ground = Ground(
            database=database,
            vault=Vault({b"testkey1": b"k" * 32}),
            outbound=outbound,
            allowed_hosts=hosts,
            push=PushSettings(lease_s=6.0, call_timeout_s=5.0, lookup_lag_s=0.0, wait_s=20.0),
        )
        clock = Clock(ground.now)
        there = kind(msgspec.structs.replace(ground, now=clock), clock, app.state.sandbox, url)
        await there.connector()
        yield there
        await outbound.close()
