"""Everything at once, on both databases: after it, one record a pair, each comment once, and a ledger that is true.

`CASEBRIDGE_SOAK_S` makes each run longer than its 22 seconds, `CASEBRIDGE_SOAK_SEED` repeats one.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.blackbox.live import FAST, Live
from tests.blackbox.soak import Soak
from tests.blackbox.test_worker import Worker

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("CASEBRIDGE_SOAK_S", "22"))
ENV = {
    **FAST,
    "CASEBRIDGE_LOOKUP_LAG_S": "2",
    "CASEBRIDGE_RETRY_MAX_S": "1",
    "CASEBRIDGE_CIRCUIT_FAULTS": "8",
    "CASEBRIDGE_CIRCUIT_PROBE_S": "0.5",
}


class MortalWorker(Worker):
    """A worker that is killed now and then."""

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


async def test_after_random_faults_edits_and_deaths_the_far_side_holds_exactly_what_the_ledger_says(
    tmp_path: Path, database_target: str
):
    seed = int(os.environ.get("CASEBRIDGE_SOAK_SEED") or random.SystemRandom().randrange(1_000_000))
    lives = [Live(tmp_path, database_target, env=ENV)]
    workers: list[MortalWorker] = []
    if database_target.startswith("postgresql://"):
        key = {"CASEBRIDGE_ENCRYPTION_KEY_FILE": str(tmp_path / "data" / "encryption.key")}
        (tmp_path / "second").mkdir()
        lives.append(Live(tmp_path / "second", database_target, env={**ENV, **key}))
        workers.append(MortalWorker(tmp_path, database_target, **ENV))
    soak = Soak(lives, workers, seed)
    try:
        for each in [*lives, *workers]:
            await asyncio.to_thread(each.start)
        async with AsyncExitStack() as held:
            await soak.prepare(held)
            await soak.run(SECONDS)
            told = await soak.compare()
            pushed = await soak.ledger()
    finally:
        for each in [*lives, *workers]:
            await asyncio.to_thread(each.stop)

    logs = [*(each.output for each in lives), *(each.output for each in workers)]
    said = [line for log in logs for line in log.splitlines() if "error" in line or "Traceback" in line]
    shown = "\n".join([*told, "", "What the servers said last:", *said[-20:]])
    assert not told, f"CASEBRIDGE_SOAK_SEED={seed}\n{shown}"
    assert soak.deaths >= SECONDS / 10, f"seed {seed}: only {soak.deaths} deaths"
    assert {each["connector_id"] for each in pushed if each["state"] == "delivered"}
