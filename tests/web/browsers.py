"""A real server, a simulated Jira and a real Chromium, for tests of what a script adds and of what a person sees."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import threading
from pathlib import Path

from casebridge.sandbox.jira import jira_app
from casebridge.sandbox.server import serving

SHOTS = Path(__file__).parent / "shots"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """Path of a Chromium: an installed one, else one that apt installs for root, else one of Playwright's own."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-qy", "--no-install-recommends", "chromium"],
        ):
            subprocess.run(
                command, check=False, stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            )
        found = shutil.which("chromium")
    if found is None:
        folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache" / "ms-playwright"))
        found = next((str(each) for each in sorted(folder.glob("chromium-*/chrome-linux*/chrome"))), None)
    return found


class Simulated:
    """A Jira that runs in a thread of its own; `faults` are told as in docs/sandbox-jira.md."""

    def __init__(self) -> None:
        self.app = jira_app(project_keys=("OPS",))
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._over: asyncio.Event
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    def start(self) -> None:
        """Serve, and know the address."""
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        self._loop.close()

    def fault(self, text: str) -> None:
        """Have it misbehave, such as `create=status:503`."""
        self.app.state.sandbox.faults.add(text)

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        async with serving(self.app) as url:
            self.url = url
            self._ready.set()
            await self._over.wait()
