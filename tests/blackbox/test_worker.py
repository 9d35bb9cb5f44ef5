"""The worker as a process of its own, beside servers that leave the work to it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from casebridge.sandbox.jira import jira_app
from casebridge.sandbox.server import serving
from tests.blackbox.live import FAST, Live

pytestmark = pytest.mark.slow

IDLE = {**FAST, "CASEBRIDGE_WORKER": "false"}


class Worker:
    """`casebridge worker` on the database and key of a server."""

    def __init__(self, folder: Path, target: str, **env: str) -> None:
        self.log = folder / "worker.log"
        self._data, self._target = folder / "data", target
        self._env = {**os.environ, **FAST, **env}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command(), env=self._env, stdout=log, stderr=log)
        for _ in range(400):
            if "working" in self.output:
                return
            assert self.process.poll() is None, self.output
            time.sleep(0.05)
        raise AssertionError(self.output)

    def _command(self, *more: str) -> list[str]:
        named = ["--data", str(self._data), "--database-url", self._target]
        return [sys.executable, "-m", "casebridge", "worker", *named, *more]

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self, with_signal: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        return self.process.wait(30)

    def check(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._command("--check"), env=self._env, capture_output=True, text=True, timeout=30)


@pytest.fixture
async def jira_url() -> AsyncIterator[str]:
    async with serving(jira_app(project_keys=("OPS",))) as url:
        yield url


@pytest.fixture
async def live(tmp_path: Path, postgresql_target: str) -> AsyncIterator[Live]:
    """A server that does not work."""
    server = Live(tmp_path, postgresql_target, env=IDLE)
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest.fixture
def worker(live: Live, tmp_path: Path, postgresql_target: str) -> Iterator[Worker]:
    """Not started yet."""
    made = Worker(tmp_path, postgresql_target)
    yield made
    if made.process is not None:
        made.stop(signal.SIGKILL)


async def prepare(live: Live, jira_url: str) -> None:
    """A connector to the sandbox."""
    body = {
        "name": "Jira",
        "connector_type_id": ".jira",
        "config": {"apiUrl": jira_url, "projectKey": "OPS"},
        "secrets": {"email": "bot@example.org", "apiToken": "sandbox-token"},
    }
    await live.call("POST", "/api/actions/connector/jira-1", body)


async def queue(live: Live, title: str = "Odd logons") -> dict[str, Any]:
    """A case that is to be pushed by a worker; the delivery."""
    connector = {"id": "jira-1", "name": "Jira", "type": ".jira", "fields": None}
    given = {"owner": "cases", "title": title, "description": "seen", "tags": [], "settings": {"syncAlerts": False}}
    case = await live.call("POST", "/api/cases", {**given, "connector": connector})
    async with live.client() as client:
        path = f"/api/cases/{case['id']}/connector/jira-1/_push"
        answer = await client.post(path, json={}, headers={"prefer": "respond-async"})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def until(live: Live, id_: str, *states: str) -> dict[str, Any]:
    for _ in range(300):
        delivery: dict[str, Any] = await live.call("GET", f"/api/casebridge/deliveries/{id_}")
        if delivery["state"] in states:
            return delivery
        await asyncio.sleep(0.05)
    raise AssertionError(delivery)


async def issues(jira_url: str) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient() as client:
        return list((await client.get(f"{jira_url}/_sandbox/state")).json()["issues"])


async def fault(jira_url: str, text: str) -> None:
    async with httpx2.AsyncClient() as client:
        assert (await client.post(f"{jira_url}/_sandbox/faults", json=text)).status_code == 201


async def until_sent(jira_url: str, step: str) -> None:
    """Wait until a request of this step has reached the sandbox."""
    async with httpx2.AsyncClient() as client:
        for _ in range(300):
            state = (await client.get(f"{jira_url}/_sandbox/state")).json()
            if any(each["step"] == step for each in state["requests"]):
                return
            await asyncio.sleep(0.02)
    raise AssertionError(f"no {step}")


async def level(live: Live) -> str:
    return str((await live.call("GET", "/api/status"))["status"]["core"]["worker"]["level"])


async def test_what_a_server_queues_is_sent_by_the_worker_as_soon_as_it_is_told(
    tmp_path: Path, postgresql_target: str, live: Live, jira_url: str
):
    await prepare(live, jira_url)
    first = await queue(live)
    await asyncio.sleep(0.5)
    assert (await live.call("GET", f"/api/casebridge/deliveries/{first['delivery_id']}"))["state"] == "queued"
    # Once a day it looks by itself: what is quick here is the hint.
    worker = Worker(tmp_path, postgresql_target, CASEBRIDGE_WORKER_POLL_S="86400")
    await asyncio.to_thread(worker.start)
    await until(live, first["delivery_id"], "delivered")
    asked = time.monotonic()
    second = await queue(live)
    await until(live, second["delivery_id"], "delivered")

    assert time.monotonic() - asked < 3
    assert await asyncio.to_thread(worker.stop) == 0
    assert len(await issues(jira_url)) == 2


async def test_the_status_tells_whether_a_worker_is_alive_anywhere(live: Live, worker: Worker):
    assert await level(live) == "unavailable"
    assert (await asyncio.to_thread(worker.check)).returncode == 1
    await asyncio.to_thread(worker.start)
    for _ in range(50):
        if await level(live) == "available":
            break
        await asyncio.sleep(0.1)
    assert await level(live) == "available"
    checked = await asyncio.to_thread(worker.check)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert worker.process is not None
    assert re.search(rf"^worker on \S+, process {worker.process.pid}, version ", checked.stdout)

    assert await asyncio.to_thread(worker.stop) == 0

    assert await level(live) == "unavailable"


async def test_workers_and_servers_at_once_send_everything_once(
    tmp_path: Path, postgresql_target: str, live: Live, jira_url: str
):
    await prepare(live, jira_url)
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "data").symlink_to(tmp_path / "data")
    (tmp_path / "b" / "data").symlink_to(tmp_path / "data")
    key = {"CASEBRIDGE_ENCRYPTION_KEY_FILE": str(tmp_path / "data" / "encryption.key")}
    other = Live(tmp_path / "c", postgresql_target, env={**FAST, **key})
    both = [Worker(tmp_path / "a", postgresql_target), Worker(tmp_path / "b", postgresql_target)]
    await asyncio.gather(*(asyncio.to_thread(each.start) for each in [*both, other]))
    queued = [await queue(live, f"Case {number}") for number in range(12)]

    for each in queued:
        await until(live, each["delivery_id"], "delivered")

    assert sorted(each["fields"]["summary"] for each in await issues(jira_url)) == sorted(
        f"Case {number}" for number in range(12)
    )
    assert [await asyncio.to_thread(each.stop) for each in [*both, other]] == [0, 0, 0]


async def test_a_stop_lets_the_worker_finish_what_it_is_sending(live: Live, worker: Worker, jira_url: str):
    await prepare(live, jira_url)
    await fault(jira_url, "create=delay:0.6")
    await asyncio.to_thread(worker.start)
    queued = await queue(live)
    await until_sent(jira_url, "create")

    assert await asyncio.to_thread(worker.stop) == 0

    delivery = await live.call("GET", f"/api/casebridge/deliveries/{queued['delivery_id']}")
    assert delivery["state"] == "delivered"
    assert len(delivery["attempts"]) == 1
    assert len(await issues(jira_url)) == 1


async def test_what_cannot_be_finished_in_time_is_given_back_at_once_and_finished_by_another(
    tmp_path: Path, postgresql_target: str, live: Live, jira_url: str
):
    await prepare(live, jira_url)
    await fault(jira_url, "create=slow-answer:20")
    slow = {"CASEBRIDGE_LEASE_S": "600", "CASEBRIDGE_CONNECTOR_TIMEOUT_S": "60", "CASEBRIDGE_DRAIN_S": "0"}
    worker = Worker(tmp_path, postgresql_target, **slow)
    await asyncio.to_thread(worker.start)
    queued = await queue(live)
    await until_sent(jira_url, "create")

    assert await asyncio.to_thread(worker.stop) == 0

    left = await live.call("GET", f"/api/casebridge/deliveries/{queued['delivery_id']}")
    assert (left["state"], left["error"]["code"]) == ("uncertain", "crashed")
    await asyncio.to_thread(worker.start)
    delivery = await until(live, queued["delivery_id"], "delivered")
    assert len(delivery["attempts"]) == 2
    assert len(await issues(jira_url)) == 1
    await asyncio.to_thread(worker.stop)


async def test_a_killed_worker_is_survived_by_the_next_one(live: Live, worker: Worker, jira_url: str):
    await prepare(live, jira_url)
    await fault(jira_url, "create=slow-answer:1")
    await asyncio.to_thread(worker.start)
    queued = await queue(live)
    await until_sent(jira_url, "create")
    await asyncio.to_thread(worker.stop, signal.SIGKILL)

    await asyncio.to_thread(worker.start)

    await until(live, queued["delivery_id"], "delivered")
    assert len(await issues(jira_url)) == 1


def test_without_the_key_of_the_server_no_worker_starts(tmp_path: Path, postgresql_target: str):
    worker = Worker(tmp_path, postgresql_target)

    done = subprocess.run(worker._command(), env=worker._env, capture_output=True, text=True, timeout=30)

    assert done.returncode == 1
    assert "key file" in done.stderr
    assert not (tmp_path / "data").exists()
