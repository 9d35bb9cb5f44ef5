"""The worker: looks for deliveries whose time has come or whose sender died, and has them sent; and updates of alerts.

Any number of workers may run at once, in this process and others: a delivery, and an update, belongs to who claims it
first.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import suppress

import structlog

from casebridge.domain.delivery import Delivery
from casebridge.domain.errors import CasebridgeError
from casebridge.services import alert_sync, push_take_up
from casebridge.services.ground import Ground
from casebridge.storage import outbox

_AT_ONCE = 16
_OF_ONE_CONNECTOR = 8
_BATCH = 64

log = structlog.get_logger(__name__)


class Worker:
    """Runs until it is stopped; a hint from the store wakes it, a poll stands behind the hint."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._wake = asyncio.Event()
        self._stopping = False
        self._running: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._seen: deque[Delivery] = deque()
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._asked: set[str] = set()

    async def run(self) -> None:
        """Work until `stop`; then finish what is under way, or give it back when cancelled."""
        forget = self._ground.database.on_hint(self._wake.set)
        try:
            await alert_sync.revive(self._ground)
            while not self._stopping:
                self._wake.clear()
                await self._look()
                await self._sleep()
        except asyncio.CancelledError:
            for each in (*self._running.values(), *self._telling.values()):
                each.cancel()
            raise
        finally:
            forget()
            await asyncio.gather(*self._running.values(), *self._telling.values(), return_exceptions=True)

    def stop(self) -> None:
        """Take up nothing new and end `run` once all that was taken up is settled."""
        self._stopping = True
        self._wake.set()

    async def _look(self) -> None:
        for space in self._ground.alert_sinks:
            self._asked.add(space)
            if space not in self._telling:
                self._telling[space] = asyncio.create_task(self._tell(space))
        if self._stopping or len(self._running) >= _AT_ONCE:
            # The next free place looks again.
            return
        # A system that hangs may take half of the places, never all.
        besides = [id_ for id_, number in self._busy.items() if number >= _OF_ONE_CONNECTOR]
        try:
            due = await outbox.due(self._ground.database, self._ground.now(), _BATCH, besides=besides)
        except CasebridgeError as fault:
            log.warning("outbox_unavailable", error=str(fault))
            return
        self._seen = deque(due)
        self._fill()

    def _fill(self) -> bool:
        """Take up what was seen while there is room; whether anything was.

        Whatever has moved since it was seen cannot be claimed, which does no harm.
        """
        crowded: deque[Delivery] = deque()
        before = len(self._running)
        while self._seen and len(self._running) < _AT_ONCE and not self._stopping:
            delivery = self._seen.popleft()
            if delivery.id in self._running:
                continue
            if self._busy[delivery.connector_id] >= _OF_ONE_CONNECTOR:
                crowded.append(delivery)
                continue
            self._busy[delivery.connector_id] += 1
            self._running[delivery.id] = asyncio.create_task(self._work(delivery))
        self._seen.extendleft(reversed(crowded))
        return len(self._running) > before

    async def _work(self, delivery: Delivery) -> None:
        try:
            await push_take_up.take_up(self._ground, delivery)
        except Exception:
            # The lease of a delivery we stumbled over runs out, and then it is taken up again.
            log.exception("delivery_stumbled", delivery=delivery.id)
        finally:
            del self._running[delivery.id]
            self._busy[delivery.connector_id] -= 1
            if not self._fill():
                self._wake.set()

    async def _tell(self, space: str) -> None:
        """Tell the alerts of a space whatever is due, batch by batch."""
        try:
            while not self._stopping and space in self._asked:
                self._asked.discard(space)
                if await alert_sync.take_up(self._ground, space):
                    self._asked.add(space)
        except CasebridgeError as fault:
            log.warning("alert_updates_unavailable", space=space, error=str(fault))
        except Exception:
            # As above: what we held is taken up again when its lease has run out.
            log.exception("alert_updates_stumbled", space=space)
        finally:
            del self._telling[space]

    async def _sleep(self) -> None:
        # Not `wait_for`: in Python 3.11 that one may swallow a cancellation.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._ground.push.worker_poll_s):
                await self._wake.wait()
