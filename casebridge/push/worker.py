"""The worker: looks for deliveries whose time has come or whose sender died, and has them sent.

Any number of workers may run at once, in this process and others: a delivery belongs to who claims it first.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from casebridge.domain.delivery import Delivery
from casebridge.domain.errors import CasebridgeError
from casebridge.services import push_take_up
from casebridge.services.ground import Ground
from casebridge.storage import outbox

_AT_ONCE = 8
_BATCH = 50

log = structlog.get_logger(__name__)


class Worker:
    """Runs until it is stopped; a hint from the store wakes it, a poll stands behind the hint."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._wake = asyncio.Event()
        self._stopping = False
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Work until `stop`; then finish what is under way, or give it back when cancelled."""
        forget = self._ground.database.on_hint(self._wake.set)
        try:
            while not self._stopping:
                self._wake.clear()
                await self._look()
                await self._sleep()
        except asyncio.CancelledError:
            for each in self._running.values():
                each.cancel()
            raise
        finally:
            forget()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def stop(self) -> None:
        """Take up nothing new and end `run` once all that was taken up is settled."""
        self._stopping = True
        self._wake.set()

    async def _look(self) -> None:
        try:
            due = await outbox.due(self._ground.database, self._ground.now(), _BATCH)
        except CasebridgeError as fault:
            log.warning("outbox_unavailable", error=str(fault))
            return
        for delivery in due:
            if self._stopping:
                return
            if len(self._running) >= _AT_ONCE:
                # The next free place looks again.
                return
            if delivery.id not in self._running:
                self._running[delivery.id] = asyncio.create_task(self._work(delivery))

    async def _work(self, delivery: Delivery) -> None:
        try:
            await push_take_up.take_up(self._ground, delivery)
        except Exception:
            # The lease of a delivery we stumbled over runs out, and then it is taken up again.
            log.exception("delivery_stumbled", delivery=delivery.id)
        finally:
            del self._running[delivery.id]
            self._wake.set()

    async def _sleep(self) -> None:
        # Not `wait_for`: in Python 3.11 that one may swallow a cancellation.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._ground.push.worker_poll_s):
                await self._wake.wait()
