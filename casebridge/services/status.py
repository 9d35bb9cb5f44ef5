"""How the server is: the store, the worker of pushes, and both together (extensions.md 4)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Literal

import msgspec

from casebridge.domain.errors import StorageUnavailable
from casebridge.services.ground import Ground
from casebridge.storage import installation, workers

Level = Literal["available", "degraded", "unavailable"]

PATIENCE_S = 3.0
SIGN_EVERY_S = 5.0
"""How often a worker gives a sign of life."""
ALIVE = timedelta(seconds=4 * SIGN_EVERY_S)
"""A worker whose last sign is older is taken for dead."""


class Health(msgspec.Struct, frozen=True):
    """How it is. `uuid` names the installation; None while the store is away."""

    uuid: str | None
    storage: Level
    worker: Level

    @property
    def overall(self) -> Level:
        """Without the store nothing works; without the worker pushes by hand still do."""
        if self.storage != "available":
            return self.storage
        return "available" if self.worker == "available" else "degraded"

    @property
    def summary(self) -> str:
        """The same for people."""
        if self.storage != "available":
            return "The store cannot be used."
        return "All is well." if self.worker == "available" else "The worker that repeats pushes is not running."


async def examine(ground: Ground, worker: Level) -> Health:
    """Ask the store, with little patience; `worker` is how the worker of this process is, if it has one.

    One of another process does as well: what is due is sent.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            uuid = await installation.get_uuid(ground.database)
            if worker != "available" and await list_alive(ground):
                worker = "available"
    except (StorageUnavailable, TimeoutError):
        return Health(None, "unavailable", worker)
    return Health(uuid, "available", worker)


async def list_alive(ground: Ground) -> list[workers.Sign]:
    """The workers of all processes that gave a sign lately."""
    now = ground.now()
    return [each for each in await workers.list_signs(ground.database) if now - each.seen_at <= ALIVE]
