"""Signs of life of this process's worker, so that servers which have none can tell that there is one elsewhere."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from datetime import timedelta

import msgspec
import structlog

import casebridge
from casebridge.domain.errors import CasebridgeError
from casebridge.services.ground import Ground
from casebridge.services.status import SIGN_EVERY_S
from casebridge.storage import workers

_FORGET_AFTER = timedelta(hours=1)

log = structlog.get_logger(__name__)


class Heartbeat:
    """Gives a sign every few seconds for as long as the worker does its work, and takes it back at the end."""

    def __init__(self, ground: Ground, command: str, *, every_s: float = SIGN_EVERY_S) -> None:
        self._ground = ground
        self._every_s = every_s
        self._stopping = asyncio.Event()
        now = ground.now()
        self._sign = workers.Sign(
            id=ground.new_id(),
            command=command,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=casebridge.__version__,
            started_at=now,
            seen_at=now,
        )

    async def run(self) -> None:
        """Give signs until `stop`."""
        database = self._ground.database
        try:
            with suppress(CasebridgeError):
                await workers.forget_older(database, self._ground.now(), _FORGET_AFTER)
            while not self._stopping.is_set():
                await self._give()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._every_s)
        finally:
            with suppress(CasebridgeError):
                await database.commit([workers.forget_write(self._sign.id)])

    def stop(self) -> None:
        """Give no more signs."""
        self._stopping.set()

    async def _give(self) -> None:
        sign = msgspec.structs.replace(self._sign, seen_at=self._ground.now())
        try:
            await self._ground.database.commit([workers.sign_write(sign)])
        except CasebridgeError as fault:
            log.warning("the worker could give no sign of life", error=str(fault))
