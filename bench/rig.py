"""What the benchmarks share: servers as processes, load against them, and rows of a report."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

PASSWORD = secrets.token_urlsafe(12)
USER = f"admin:{PASSWORD}"

CASE = {
    "owner": "securitySolution",
    "title": "Odd logons on web-01 outside business hours",
    "description": "The account svc-backup logged on from three countries within an hour. " * 8,
    "tags": ["vpn", "identity", "night-shift", "site-b"],
    "severity": "high",
    "settings": {"syncAlerts": True},
    "connector": {
        "id": "jira-1",
        "name": "SOC Jira",
        "type": ".jira",
        "fields": {"issueType": "10001", "priority": "High", "parent": None},
    },
}
CASE_BODY = json.dumps(CASE)


class Row(NamedTuple):
    """One line of the report. `ratio` is ours to the limit's; `goal` is text such as `>= 1.5`.

    `cpu` is the same ratio in CPU time of the servers, which other work on the machine hardly moves.
    """

    what: str
    ours: str
    limit: str
    ratio: float
    goal: str
    cpu: float | None = None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    arguments: list[str], port: int, env: Mapping[str, str], probe: str = "/"
) -> Iterator[subprocess.Popen[bytes]]:
    """A server process that answers on its port."""
    started = subprocess.Popen(
        [sys.executable, *arguments], env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(started, port, probe)
        yield started
    finally:
        started.terminate()
        started.wait(30)


def _wait(started: subprocess.Popen[bytes], port: int, probe: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{probe}", timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            if started.poll() is not None:
                raise SystemExit(f"the server ended with {started.returncode}") from None
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the server does not answer")


@contextmanager
def casebridge(
    data: Path, database_url: str | None = None, *, workers: int = 1, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[int, int]]:
    """The real server; its port and process id. `settings` are further environment variables."""
    port = free_port()
    arguments = ["-m", "casebridge", "serve", "--port", str(port), "--data", str(data), "--workers", str(workers)]
    if database_url:
        arguments += ["--database-url", database_url]
    env = {"CASEBRIDGE_ADMIN_PASSWORD": PASSWORD, **(settings or {})}
    with process(arguments, port, env, "/api/status") as started:
        yield port, started.pid


def drive(
    port: int,
    method: str,
    path: str,
    body: str = "",
    *,
    connections: int = 32,
    seconds: float = 5.0,
    user: str | None = USER,
) -> dict[str, Any]:
    """Rate, percentiles and statuses of one load, sent from a process of its own."""
    order = {
        "port": port,
        "method": method,
        "path": path,
        "body": body,
        "connections": connections,
        "seconds": seconds,
        "user": user,
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"], input=json.dumps(order), capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    bad = {status: number for status, number in result["statuses"].items() if not status.startswith("2")}
    if bad:
        raise SystemExit(f"{method} {path} was answered with {bad}")
    return result


def cpu_s(pid: int) -> float:
    """Seconds of CPU a process has used, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def post(port: int, path: str, body: Any, method: str = "POST") -> Any:
    """One request in the administrator's name."""
    from base64 import b64encode

    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), method=method)
    request.add_header("kbn-xsrf", "true")
    request.add_header("content-type", "application/json")
    request.add_header("authorization", "Basic " + b64encode(USER.encode()).decode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")
