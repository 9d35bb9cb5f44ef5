"""Pushes from the change that asks for them to the answer: how many a second, how soon, and beside a dead system.

The system pushed to lives in this process and answers at once, so that all that is measured is ours; each of its calls
renews the lease first, as a call over the network does.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from bench.postgresql_create import a_database
from bench.rig import CASE, CASE_BODY, Row, casebridge, drive
from casebridge.connectors import registry
from casebridge.connectors.http import AllowedHosts, Answer, Outbound
from casebridge.connectors.jira import Jira
from casebridge.domain.case import NewCase
from casebridge.domain.connector import CaseConnector
from casebridge.domain.delivery import Delivery
from casebridge.domain.errors import ConnectorError
from casebridge.domain.query import Page
from casebridge.domain.space import DEFAULT_SPACE
from casebridge.domain.user import SUPERUSER, Actor, User
from casebridge.push.worker import Worker
from casebridge.security.vault import Vault
from casebridge.services import cases, connectors, deliveries, push
from casebridge.services.ground import Asking, Ground
from casebridge.storage.migrations import migrate
from casebridge.storage.opening import open_database

_PUSHES, _AT_ONCE, _LONE, _STUCK = 1_500, 32, 200, 500
_LIVE, _DEAD = "memory", "dead"
_ASKING = Asking(Actor(User("bench", None, None), (SUPERUSER,)), DEFAULT_SPACE)


class _Memory(Jira):
    """Jira without a Jira: every call is answered here, or refused for the connector that is dead."""

    _numbers = itertools.count(1)

    async def call(self, doing: str, method: str, url: str, **_: Any) -> Answer:  # type: ignore[override]
        if self._http._before_call is not None:
            await self._http._before_call()
        if self._config["projectKey"] == "DEAD":
            raise ConnectorError("no answer", code="connection", permanent=False)
        number = str(next(self._numbers)) if method == "POST" else url.rpartition("/")[2]
        body = {
            "id": number,
            "key": f"OPS-{number}",
            "fields": {"summary": "x", "updated": "2026-05-17T12:00:00.000+0000"},
        }
        return Answer(200, httpx2.Headers({"content-type": "application/json"}), msgspec.json.encode(body), "memory")


def run() -> list[Row]:
    """Rows for both databases, where there is a PostgreSQL."""
    registry._TYPES[Jira.type_id] = _Memory
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "one.sqlite", Path(folder) / "two.sqlite"
        for path in paths:
            migrate(path)
        with casebridge(Path(folder) / "data", settings={"CASEBRIDGE_WORKER": "false"}) as (port, _):
            drive(port, "POST", "/api/cases", CASE_BODY, seconds=1)
            rows = asyncio.run(_measure(*paths, "SQLite", port))
    with a_database("deliveries") as one, a_database("stuck") as two:
        for dsn in (one, two):
            migrate(dsn)
        return [*rows, *asyncio.run(_measure(one, two, "PostgreSQL", None))]


async def _measure(target: Path | str, stuck_target: Path | str, name: str, port: int | None) -> list[Row]:
    """The rows of one database; `port` is that of a server whose creates are the limit."""
    rates: list[float] = []
    beside: list[float] = []
    creates: list[float] = []
    async with _ground(target) as ground, _ground(stuck_target) as stuck:
        await _stick(stuck)
        # Rounds take turns, because the machine's speed drifts.
        for _ in range(3):
            rates.append(await _whole(ground))
            beside.append(await _whole(stuck))
            if port is not None:
                creates.append(
                    (await asyncio.to_thread(drive, port, "POST", "/api/cases", CASE_BODY, seconds=2))["rate"]
                )
        soon_ms = await _soon(ground)
    rate, slowed = sorted(rates)[1], sorted(beside)[1]
    rows = [
        Row(f"enqueue to attempt, p95, {name}", f"{soon_ms:.0f} ms", "200 ms wanted", soon_ms / 200, "<= 1"),
        Row(
            f"pushes beside {_STUCK} to a dead system, {name}",
            f"{slowed:,.0f}/s",
            f"{rate:,.0f}/s",
            slowed / rate,
            ">= 0.9",
        ),
    ]
    if not creates:
        return rows
    limit = sorted(creates)[1]
    return [
        Row(f"whole deliveries, {name}", f"{rate:,.0f}/s", f"{limit:,.0f}/s creates", rate / limit, ">= 0.5"),
        *rows,
    ]


@asynccontextmanager
async def _ground(target: Path | str) -> AsyncIterator[Ground]:
    database = await open_database(target)
    hosts = AllowedHosts(["memory"])
    outbound = Outbound(hosts)
    vault = Vault({b"benchkey": b"k" * 32})
    ground = Ground(database=database, vault=vault, outbound=outbound, allowed_hosts=hosts)
    try:
        for id_, project in ((_LIVE, "OPS"), (_DEAD, "DEAD")):
            await connectors.create(
                ground,
                _ASKING,
                id_=id_,
                name=id_,
                type_id=Jira.type_id,
                config={"apiUrl": "https://memory", "projectKey": project},
                secrets={"email": "a@example.org", "apiToken": "t"},
            )
        yield ground
    finally:
        await outbound.close()
        await database.close()


async def _case(ground: Ground, connector: str) -> str:
    new = NewCase(
        owner=CASE["owner"],
        title=CASE["title"],
        description=CASE["description"],
        tags=tuple(CASE["tags"]),
        connector=CaseConnector(
            connector, connector, Jira.type_id, {"issueType": "10001", "priority": None, "parent": None}
        ),
    )
    return (await cases.open_new(ground, _ASKING, new, cases.TODAY)).id


async def _queue(ground: Ground, connector: str, number: int) -> list[str]:
    """Cases with a push that waits for a worker, written many at a time; their ids."""
    ids: list[str] = []
    for start in range(0, number, _AT_ONCE):
        made = await asyncio.gather(*(_case(ground, connector) for _ in range(min(_AT_ONCE, number - start))))
        await asyncio.gather(*(push.queue(ground, _ASKING, each, connector) for each in made))
        ids += made
    return ids


async def _whole(ground: Ground) -> float:
    """Deliveries a second, one worker."""
    await _queue(ground, _LIVE, _PUSHES)
    async with _working(ground):
        started = time.perf_counter()
        while await _open(ground, _LIVE):
            await asyncio.sleep(0.02)
        return _PUSHES / (time.perf_counter() - started)


async def _open(ground: Ground, connector: str) -> int:
    states = ("queued", "sending")
    _, number = await deliveries.find(ground, _ASKING, Page(1, 0), connector_id=connector, states=states)
    return number


async def _soon(ground: Ground) -> float:
    """Milliseconds from queueing a push to its first attempt, p95, one at a time."""
    waits_ms = []
    async with _working(ground):
        for _ in range(_LONE):
            case_id = await _case(ground, _LIVE)
            queued = await push.queue(ground, _ASKING, case_id, _LIVE)
            assert isinstance(queued, Delivery)
            at = ground.now()
            while await _open(ground, _LIVE):
                await asyncio.sleep(0.002)
            _, attempts = await deliveries.get(ground, _ASKING, queued.id)
            waits_ms.append((attempts[0].started_at - at).total_seconds() * 1000)
    return sorted(waits_ms)[_LONE * 95 // 100]


async def _stick(ground: Ground) -> None:
    """Cases whose pushes all wait for a system that is away."""
    await _queue(ground, _DEAD, _STUCK)
    async with _working(ground):
        while await _open(ground, _DEAD):
            await asyncio.sleep(0.05)


@asynccontextmanager
async def _working(ground: Ground) -> AsyncIterator[None]:
    worker = Worker(ground)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await task
