"""The outbox on SQLite with nothing to send to: deliveries claimed and closed a second, many at once."""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from bench.rig import Row
from casebridge.domain.delivery import DELIVERED, MANUAL, QUEUED, SENDING, Delivery
from casebridge.domain.errors import Conflict
from casebridge.domain.user import User
from casebridge.storage import outbox
from casebridge.storage.migrations import migrate
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database

_JOBS, _AT_ONCE, _GOAL = 9_000, 64, 3_000


def run() -> list[Row]:
    """One row; the limit is the goal itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outbox.sqlite"
        migrate(path)
        rate = asyncio.run(_measure(path))
    return [Row("outbox, claimed and closed, SQLite", f"{rate:,.0f}/s", f"{_GOAL:,}/s wanted", rate / _GOAL, ">= 1")]


async def _measure(path: Path) -> float:
    database = await open_database(path)
    try:
        for start in range(0, _JOBS, 500):
            await database.commit([outbox.insert_write(_job()) for _ in range(start, min(start + 500, _JOBS))])
        started = time.perf_counter()
        done = 0
        while due := await outbox.due(database, datetime.now(UTC), _AT_ONCE):
            await asyncio.gather(*(_handle(database, each) for each in due))
            done += len(due)
        return done / (time.perf_counter() - started)
    finally:
        await database.close()


async def _handle(database: Database, job: Delivery) -> None:
    until = datetime.now(UTC) + timedelta(seconds=60)
    claimed = msgspec.structs.replace(job, state=SENDING, lease_id="bench", lease_until=until, next_attempt_at=None)
    rows = await database.commit([outbox.claim_write(job, claimed, Conflict("taken"))])
    claimed = msgspec.structs.replace(claimed, version=rows[0][0]["version"])
    closed = msgspec.structs.replace(claimed, state=DELIVERED, lease_id=None, lease_until=None)
    await database.commit([outbox.move_write(claimed, closed, Conflict("lost"))])


def _job() -> Delivery:
    now = datetime.now(UTC)
    return Delivery(
        id=str(uuid.uuid4()),
        space="default",
        case_id=str(uuid.uuid4()),
        connector_id="jira-1",
        connector_type=".jira",
        owner="cases",
        origin=MANUAL,
        state=QUEUED,
        created_at=now,
        created_by=User("bench", None, None),
        retries=True,
        next_attempt_at=now,
    )
