"""The audit trail of a real server: sealed within a second, copied, checked from a shell, whole after a kill."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.api.calls import a_body
from tests.blackbox.live import FAST, Live

pytestmark = pytest.mark.slow


def verify(folder: Path, target: str, *more: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of `casebridge audit verify`."""
    where = ["--database-url", target] if target.startswith("postgresql://") else []
    command = [sys.executable, "-m", "casebridge", "audit", "verify", "--data", str(folder / "data"), "--json"]
    done = subprocess.run(
        [*command, *where, *more],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest) -> str:
    """SQLite in the data folder, or a PostgreSQL database."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgresql_target"))


async def test_the_trail_of_a_running_server_is_sealed_within_a_second_and_whole_after_a_kill(
    tmp_path: Path, target: str
):
    file = tmp_path / "audit.jsonl"
    env = {**FAST, "CASEBRIDGE_AUDIT_FILE": str(file), "CASEBRIDGE_AUDIT_STDOUT": "true"}
    live = Live(tmp_path, target, workers=2 if target else 1, env=env)
    live.start()
    try:
        for _ in range(5):
            await live.call("POST", "/api/cases", a_body())
        began = time.monotonic()
        while not (await newest(live))["seal"]:
            await asyncio.sleep(0.02)
        # A machine under load may be late; a poll that does not come at all would never end.
        assert time.monotonic() - began < 5
        code, report = await asyncio.to_thread(verify, tmp_path, target)
        assert (code, report["whole"], report["unsealed"]["count"]) == (0, True, 0)

        writing = [asyncio.create_task(live.call("POST", "/api/cases", a_body())) for _ in range(30)]
        await asyncio.wait(writing, return_when=asyncio.FIRST_COMPLETED)
        live.kill()
        await asyncio.gather(*writing, return_exceptions=True)
        live.start()
        await live.call("POST", "/api/cases", a_body())
        # The sealer that was killed keeps its lease for a while.
        while not (await newest(live))["seal"]:
            await asyncio.sleep(0.05)
        assert await asyncio.to_thread(live.stop) == 0

        head = report["head"]
        code, report = await asyncio.to_thread(
            verify, tmp_path, target, "--expect", f"{head['place']}:{head['digest']}"
        )
        assert (code, report["fault"], report["unsealed"]["count"]) == (0, None, 0)
        places = [json.loads(line)["seal"]["place"] for line in file.read_text().splitlines()]
        assert places == list(range(1, report["head"]["place"] + 1))
        printed = [json.loads(line) for line in live.output.splitlines() if line.startswith('{"@timestamp"')]
        assert {each["seal"]["place"] for each in printed} == set(places)

        wrong = f"{head['place']}:{'0' * 64}"
        code, report = await asyncio.to_thread(verify, tmp_path, target, "--expect", wrong)
        assert (code, report["fault"]["place"]) == (1, head["place"])
    finally:
        await asyncio.to_thread(live.stop)


async def newest(live: Live) -> Any:
    return (await live.call("GET", "/api/casebridge/audit?limit=1"))["events"][0]
