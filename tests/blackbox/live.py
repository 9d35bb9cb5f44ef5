"""A real server in a process of its own, that can be killed and started again over the same data."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

PASSWORD = "correct horse battery"
FAST = {
    "CASEBRIDGE_ADMIN_PASSWORD": PASSWORD,
    "CASEBRIDGE_ALLOWED_HOSTS": "127.0.0.1",
    "CASEBRIDGE_LEASE_S": "1.6",
    "CASEBRIDGE_CONNECTOR_TIMEOUT_S": "1",
    "CASEBRIDGE_LOOKUP_LAG_S": "1.2",
    "CASEBRIDGE_WORKER_POLL_S": "0.1",
    "CASEBRIDGE_RETRY_FIRST_S": "0.2",
}
"""Settings under which a crash is over within seconds."""


class Live:
    """The server: `start`, `kill` (-9), `stop` (SIGTERM), and a client of it."""

    def __init__(
        self,
        folder: Path,
        database_target: str,
        *,
        workers: int = 1,
        env: Mapping[str, str] = FAST,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self._data = folder / "data"
        self._workers = workers
        self._env = env
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self._database: list[str] = []
        if database_target.startswith("postgresql://"):
            self._database = ["--database-url", database_target]

    def start(self) -> None:
        """Start and wait until it answers."""
        arguments = ["serve", "--port", str(self.port), "--data", str(self._data), "--workers", str(self._workers)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "casebridge", *arguments, *self._database],
                env={**os.environ, **self._env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(400):
            if self._process.poll() is not None:
                break
            try:
                if self._status() == 200:
                    return
            except httpx2.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.output}")

    def _status(self) -> int:
        if self._tls is None:
            return httpx2.get(f"http://127.0.0.1:{self.port}/api/status", timeout=2).status_code
        return httpx2.get(f"https://localhost:{self.port}/api/status", verify=self._tls, timeout=2).status_code

    @property
    def output(self) -> str:
        """All it has printed."""
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """Kill it and its worker processes at once, without a chance to clean up."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> int:
        """Ask it to end; the exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def client(self, timeout_s: float = 60.0) -> httpx2.AsyncClient:
        """An asynchronous client in the administrator's name."""
        return httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            auth=("admin", PASSWORD),
            headers={"kbn-xsrf": "true"},
            timeout=timeout_s,
        )

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of one call that must go well."""
        async with self.client() as client:
            answer = await client.request(method, path, json=body)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.content else None


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
