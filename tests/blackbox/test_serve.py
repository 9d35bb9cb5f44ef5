"""The real command as a process: first start, restart, stop, and every way it refuses to start."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import msgspec
import psutil
import pytest

from casebridge.security.vault import read_keys
from casebridge.storage.migrations import HEAD
from tests.blackbox.live import FAST, PASSWORD, Live, free_port
from tests.connectors.test_http import certificate

pytestmark = pytest.mark.slow

PLAIN = {"CASEBRIDGE_ALLOWED_HOSTS": "127.0.0.1"}
PRINTED = re.compile(r'The user "admin" was made, with the password\s+(\S+)\s')


class Server(Live):
    """A server one can look at from outside."""

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting."""
        os.kill(self.pid, signal.SIGTERM)


@pytest.fixture
def serves(tmp_path: Path) -> Iterator[Any]:
    """Makes servers of this test, which are stopped at its end."""
    made: list[Server] = []

    def make(target: str = "sqlite", folder: Path = tmp_path, **more: Any) -> Server:
        made.append(Server(folder, target, **more))
        return made[-1]

    yield make
    for each in made:
        if each.is_running:
            each.stop()


def run(*arguments: str, env: Mapping[str, str] = PLAIN) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "casebridge", *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def get(live: Live, path: str, password: str = PASSWORD) -> httpx2.Response:
    return httpx2.get(f"http://127.0.0.1:{live.port}{path}", auth=("admin", password), timeout=10)


def send(live: Live, method: str, path: str, body: Any) -> Any:
    answer = httpx2.request(
        method,
        f"http://127.0.0.1:{live.port}{path}",
        auth=("admin", PASSWORD),
        headers={"kbn-xsrf": "true"},
        json=body,
        timeout=60,
    )
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def a_connector(live: Live, name: str, api_url: str = "http://127.0.0.1:9") -> None:
    send(
        live,
        "POST",
        f"/api/actions/connector/{name}",
        {
            "name": name,
            "connector_type_id": ".jira",
            "config": {"apiUrl": api_url, "projectKey": "OPS"},
            "secrets": {"email": "bot@example.org", "apiToken": "hunter2"},
        },
    )


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_first_start_makes_everything_private_and_prints_the_password_once(serves: Any, tmp_path: Path):
    live = serves(env=PLAIN)
    live.start()
    (password,) = PRINTED.findall(live.output)

    assert get(live, "/api/spaces/space", password).status_code == 200
    assert get(live, "/api/spaces/space", "wrong").status_code == 401
    data = tmp_path / "data"
    assert (mode(data), mode(data / "files")) == (0o700, 0o700)
    assert {mode(data / name) for name in ("encryption.key", "casebridge.sqlite", "casebridge.sqlite-wal")} == {0o600}

    assert live.stop() == 0
    live.start()
    assert len(PRINTED.findall(live.output)) == 1
    assert get(live, "/api/spaces/space", password).status_code == 200


def test_the_first_password_may_be_given_and_is_not_printed(serves: Any, database_target: str):
    live = serves(database_target)
    live.start()

    assert get(live, "/api/spaces/space").status_code == 200
    assert PASSWORD not in live.output
    assert not PRINTED.search(live.output)


def test_a_restart_keeps_what_there_was(serves: Any, database_target: str):
    live = serves(database_target)
    live.start()
    send(live, "POST", "/api/spaces/space", {"id": "finance", "name": "Finance"})
    a_connector(live, "kept")

    live.kill()
    live.start()

    assert get(live, "/api/spaces/space/finance").json()["name"] == "Finance"
    assert get(live, "/api/actions/connector/kept").json()["name"] == "kept"


def test_several_processes_serve_one_postgresql_database(serves: Any, postgresql_target: str):
    live = serves(postgresql_target, workers=2)
    live.start()

    assert get(live, "/api/status").json()["status"]["overall"]["level"] == "available"
    assert live.stop() == 0


def test_processes_end_when_the_one_that_started_them_is_killed(serves: Any, postgresql_target: str):
    live = serves(postgresql_target, workers=2)
    live.start()

    os.kill(live.pid, signal.SIGKILL)

    until = time.monotonic() + 15
    while time.monotonic() < until:
        try:
            get(live, "/healthz/live")
        except httpx2.TransportError:
            return
        time.sleep(0.2)
    pytest.fail("a server process outlived its parent")


def test_sigterm_lets_a_request_under_way_end(serves: Any):
    live = serves()
    live.start()
    with SlowServer() as slow:
        a_connector(live, "slow", slow.url)
        answers: list[httpx2.Response] = []

        def execute() -> None:
            answers.append(
                httpx2.post(
                    f"http://127.0.0.1:{live.port}/api/actions/connector/slow/_execute",
                    auth=("admin", PASSWORD),
                    headers={"kbn-xsrf": "true"},
                    json={"params": {"subAction": "issueTypes", "subActionParams": {}}},
                    timeout=30,
                )
            )

        asking = threading.Thread(target=execute)
        asking.start()
        assert slow.asked.wait(10)
        live.ask_to_stop()
        asking.join(30)

    assert [each.status_code for each in answers] == [200]
    assert live.stop() == 0


class SlowServer:
    """Takes a connection and keeps it waiting for half a second; then it closes it."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def __enter__(self) -> SlowServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.recv(100)
            self.asked.set()
            time.sleep(0.5)


def test_a_second_server_on_the_same_sqlite_file_is_refused(serves: Any, tmp_path: Path):
    live = serves()
    live.start()

    second = run("serve", "--port", str(free_port()), "--data", str(tmp_path / "data"))
    migration = run("migrate", "--data", str(tmp_path / "data"))

    for refused in (second, migration):
        assert refused.returncode == 3
        assert re.fullmatch(rf"casebridge: .*served by another process \(id {live.pid}\).*\n", refused.stderr)
    assert get(live, "/api/status").status_code == 200


def test_a_taken_port_is_told_before_anything_is_opened(serves: Any, tmp_path: Path):
    live = serves()
    live.start()

    refused = run("serve", "--port", str(live.port), "--data", str(tmp_path / "other"))

    assert refused.returncode == 1
    assert re.fullmatch(r"casebridge: Cannot listen on .*\n", refused.stderr)
    assert not (tmp_path / "other").exists()


async def test_a_newer_schema_is_refused_and_left_alone(serves: Any, database_target: str, tmp_path: Path):
    sqlite = tmp_path / "data" / "casebridge.sqlite"
    if database_target.startswith("postgresql://"):
        connection = await asyncpg.connect(database_target)
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
        await connection.close()
    else:
        sqlite.parent.mkdir()
        Path(database_target).rename(sqlite)
        with sqlite3.connect(sqlite) as file:
            file.execute("UPDATE alembic_version SET version_num = '9999'")
        file.close()
    target = ["--database-url", database_target] if database_target.startswith("postgresql://") else []

    for command in (["serve", "--port", "0"], ["migrate"]):
        refused = await asyncio.to_thread(run, *command, "--data", str(tmp_path / "data"), *target)
        assert refused.returncode == 3
        assert re.fullmatch(rf"casebridge: .*schema 9999, newer than the {HEAD} .*\n", refused.stderr)


def test_a_lost_key_file_is_not_replaced_while_there_are_secrets(serves: Any, tmp_path: Path):
    live = serves()
    live.start()
    a_connector(live, "sealed")
    live.stop()
    (tmp_path / "data" / "encryption.key").unlink()

    refused = run("serve", "--port", "0", "--data", str(tmp_path / "data"))

    assert refused.returncode == 3
    assert re.fullmatch(r"casebridge: The key file .* is missing.*\n", refused.stderr)
    assert not (tmp_path / "data" / "encryption.key").exists()


def test_a_key_file_that_others_can_read_is_warned_about(serves: Any, tmp_path: Path):
    live = serves()
    live.start()
    live.stop()
    (tmp_path / "data" / "encryption.key").chmod(0o644)

    live.start()

    assert "chmod 600" in live.output


def test_a_database_that_cannot_be_reached_is_one_line_without_the_password():
    refused = run("serve", "--port", "0", env={"CASEBRIDGE_DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/x"})

    assert refused.returncode == 1
    assert re.fullmatch(r"casebridge: .*\n", refused.stderr)
    assert "hunter2" not in refused.stderr


def test_a_wrong_setting_ends_with_2_before_anything_is_opened(tmp_path: Path):
    refused = run("serve", "--workers", "2", "--data", str(tmp_path / "data"))

    assert refused.returncode == 2
    assert re.fullmatch(r"casebridge: workers .*\n", refused.stderr)
    assert not (tmp_path / "data").exists()


@pytest.fixture
async def busy(serves: Any, database_target: str) -> Live:
    """A server with a few sealed connectors."""
    live = serves(database_target)
    await asyncio.to_thread(live.start)
    for number in range(5):
        await asyncio.to_thread(a_connector, live, f"c{number}")
    return live


async def test_keys_are_rotated_while_the_server_runs(busy: Live, database_target: str, tmp_path: Path):
    key_file = tmp_path / "data" / "encryption.key"
    (before,) = read_keys(key_file)
    target = ["--database-url", database_target] if database_target.startswith("postgresql://") else []
    rotation = asyncio.create_task(
        asyncio.to_thread(run, "keys", "rotate", "--settle-s", "0.5", "--data", str(tmp_path / "data"), *target)
    )
    made = 0
    while not rotation.done():
        await asyncio.to_thread(a_connector, busy, f"meanwhile-{made}")
        made += 1
    rotated = await rotation
    await asyncio.to_thread(a_connector, busy, "afterwards")

    assert rotated.returncode == 0, rotated.stderr
    (after,) = read_keys(key_file)
    assert after != before
    assert mode(key_file) == 0o600
    names = [*(f"c{number}" for number in range(5)), *(f"meanwhile-{number}" for number in range(made)), "afterwards"]
    await asyncio.to_thread(busy.stop)
    await asyncio.to_thread(busy.start)
    for name in names:
        told = await busy.call(
            "POST", f"/api/actions/connector/{name}/_execute", {"params": {"subAction": "issueTypes"}}
        )
        assert "open the secrets" not in str(told)
        assert "key" not in told.get("message", "")


def test_preconfigured_connectors_are_served_and_a_wrong_one_is_only_warned_about(serves: Any, tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "casebridge.toml").write_text(
        '[connectors.right]\nname = "Right"\ntype = ".jira"\nexpose_config = true\n'
        'config = { apiUrl = "http://127.0.0.1:9", projectKey = "OPS" }\n'
        'secrets = { email = "bot@example.org", apiToken = "hunter2" }\n'
        '[connectors.wrong]\ntype = ".jira"\nconfig = { url = "x" }\n'
    )
    live = serves()
    live.start()

    listed = {each["id"]: each for each in get(live, "/api/actions/connectors").json()}

    assert listed["right"]["is_preconfigured"] is True
    assert listed["right"]["config"]["projectKey"] == "OPS"
    assert "hunter2" not in live.output
    assert "wrong" in live.output
    told = send(live, "POST", "/api/actions/connector/wrong/_execute", {"params": {"subAction": "issueTypes"}})
    assert told["status"] == "error"


def test_json_logs_are_one_object_a_line(serves: Any):
    live = serves(env={**FAST, "CASEBRIDGE_LOG_FORMAT": "json"})
    live.start()
    live.stop()

    events = [msgspec.json.decode(line) for line in live.output.splitlines()]
    assert {"listening", "stopping", "stopped"} <= {each["event"] for each in events}


def test_an_idle_server_is_small_and_starts_quickly(serves: Any):
    live = serves()
    live.start()
    live.stop()
    started = time.monotonic()
    live.start()
    took_s = time.monotonic() - started

    assert psutil.Process(live.pid).memory_info().rss <= 90e6
    assert took_s <= 3, "a second on a quiet machine"


@pytest.mark.parametrize("begin", [b"GET /api/status?a=", b"GET /api/status HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_head_that_does_not_end_is_refused_before_it_fills_the_memory(serves: Any, begin: bytes):
    live = serves()
    live.start()
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as client:
        client.sendall(begin)
        with pytest.raises(OSError):
            client.sendall(b"a" * 50_000_000)
    assert psutil.Process(live.pid).memory_info().rss <= 90e6
    assert get(live, "/api/status").status_code == 200


def test_https_is_served_and_a_slow_client_is_let_go(serves: Any, tmp_path: Path):
    cert, key = certificate("localhost", tmp_path)
    secure = {
        "CASEBRIDGE_HTTPS_CERT_FILE": str(cert),
        "CASEBRIDGE_HTTPS_KEY_FILE": str(key),
        "CASEBRIDGE_SLOW_CLIENT_S": "0.5",
    }
    live = serves(env={**FAST, **secure}, tls=ssl.create_default_context(cafile=str(cert)))
    live.start()
    answer = httpx2.get(
        f"https://localhost:{live.port}/api/status", verify=ssl.create_default_context(cafile=str(cert))
    )
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as client:
        plain = client.recv(1) if client.sendall(b"GET / HTTP/1.1\r\n\r\n") is None else b""

    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert f"https://127.0.0.1:{live.port}" in live.output
    assert not plain.startswith(b"H")


def test_a_certificate_that_cannot_be_used_ends_with_2_before_anything_is_opened(tmp_path: Path):
    data = tmp_path / "data"
    done = run("serve", "--data", str(data), "--https-cert-file", str(tmp_path / "none.pem"))
    assert done.returncode == 2
    assert "https_cert_file" in done.stderr
    assert not data.exists()
