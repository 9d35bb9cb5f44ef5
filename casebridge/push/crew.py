"""The work that goes on beside requests: started together, restarted when it fails, stopped in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import structlog

RESTART_AFTER_S = 5.0

log = structlog.get_logger(__name__)


class Background(Protocol):
    """Work that goes on beside requests."""

    async def run(self) -> None:
        """Go on until `stop`, then finish what is under way; when cancelled, give it back."""
        ...

    def stop(self) -> None:
        """Take up nothing new."""
        ...


class Crew:
    """Runs all the background work of one process."""

    def __init__(self, background: Sequence[Background], drain_s: float) -> None:
        self._drain_s = drain_s
        self._stop_until = 0.0
        self._stopping = asyncio.Event()
        self._background = background
        self._failing: set[Background] = set()
        self._tasks = [asyncio.create_task(self._keep_going(each)) for each in background]

    @property
    def is_well(self) -> bool:
        """Whether there is work, and none of it has failed lately."""
        return bool(self._background) and not self._failing

    def stop(self) -> None:
        """Tell the background to take up nothing new; from now on `close` has `drain_s` seconds."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._stop_until = time.monotonic() + self._drain_s
            for each in self._background:
                each.stop()

    async def close(self) -> None:
        """Wait for what is under way, and have given back what takes too long."""
        self.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=max(0.0, self._stop_until - time.monotonic()))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _keep_going(self, work: Background) -> None:
        while not self._stopping.is_set():
            try:
                await work.run()
                return
            except Exception:
                self._failing.add(work)
                log.exception("background work failed and starts again", work=type(work).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), RESTART_AFTER_S)
            self._failing.discard(work)
