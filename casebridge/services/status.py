"""How the server is: the store, the worker of pushes, and both together (extensions.md 4)."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from casebridge.domain.errors import StorageUnavailable
from casebridge.services.ground import Ground
from casebridge.storage import installation

Level = Literal["available", "degraded", "unavailable"]

PATIENCE_S = 3.0


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
    """Ask the store, with little patience; `worker` is how the worker of this process is."""
    try:
        uuid = await asyncio.wait_for(installation.get_uuid(ground.database), PATIENCE_S)
    except (StorageUnavailable, TimeoutError):
        return Health(None, "unavailable", worker)
    return Health(uuid, "available", worker)
