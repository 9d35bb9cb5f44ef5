"""The sealer: chains the events of the audit trail, and copies them to where the settings say, within a second.

Every process has one. One of them seals at a time: who sealed last goes on until it has nothing to do for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from casebridge.domain.errors import CasebridgeError
from casebridge.services import audit_trail
from casebridge.services.ground import Ground
from casebridge.storage.audit_chain import SealedMeanwhile

EVERY_S = 0.5

log = structlog.get_logger(__name__)


class Copy(Protocol):
    """A place where sealed events are copied to."""

    async def catch_up(self) -> None:
        """Copy whatever was sealed and is not there yet."""
        ...


class Sealer:
    """Runs until it is stopped; then seals what is left, once."""

    def __init__(self, ground: Ground, copies: Sequence[Copy] = (), *, every_s: float = EVERY_S) -> None:
        self._ground = ground
        self._copies = copies
        self._every_s = every_s
        self._id = ground.new_id()
        self._stopping = asyncio.Event()
        self._is_away = False

    async def run(self) -> None:
        """Seal until `stop`."""
        while not self._stopping.is_set():
            await self._turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._stopping.wait()
        await self._turn()

    def stop(self) -> None:
        """End after one more turn."""
        self._stopping.set()

    async def _turn(self) -> None:
        try:
            with suppress(SealedMeanwhile):
                while await audit_trail.seal_some(self._ground, self._id) == audit_trail.BATCH:
                    if self._stopping.is_set():
                        break
            for copy in self._copies:
                with suppress(SealedMeanwhile):
                    await copy.catch_up()
        except (CasebridgeError, OSError) as fault:
            if not self._is_away:
                log.warning("the audit trail cannot be sealed or copied at present", reason=str(fault))
            self._is_away = True
        else:
            self._is_away = False
