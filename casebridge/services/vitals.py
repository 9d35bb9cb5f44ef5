"""What of the store is worth watching: deliveries, updates of alerts, circuits, workers; numbers without names."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping

import msgspec
import structlog

from casebridge.domain import alert_update, delivery
from casebridge.domain.circuit import CircuitState
from casebridge.domain.errors import StorageUnavailable
from casebridge.services.ground import Ground
from casebridge.services.status import PATIENCE_S, list_alive
from casebridge.storage import alert_updates, connector_care, outbox

KEPT_S = 5.0
"""How long numbers are told again before the store is asked anew."""
WAITING = (delivery.QUEUED, delivery.WAITING, delivery.UNCERTAIN)
COMMANDS = ("serve", "worker")
_CIRCUITS: tuple[CircuitState, ...] = ("closed", "open", "half-open")

_log = structlog.get_logger(__name__)


class Vitals(msgspec.Struct, frozen=True):
    """The numbers, those of every state; `oldest_s` by state of waiting deliveries, 0 where none is in it.

    `workers` counts those that gave a sign of life lately by the command they were started with; None where workers
    give none.
    """

    deliveries: Mapping[str, int]
    oldest_s: Mapping[str, float]
    alert_updates: Mapping[str, int]
    circuits: Mapping[str, int]
    workers: Mapping[str, int] | None


class Watch:
    """Asks the store at most once in a while, however many want to know."""

    def __init__(self, ground: Ground, kept_s: float = KEPT_S) -> None:
        self._ground = ground
        self._kept_s = kept_s
        self._lock = asyncio.Lock()
        self._known: Vitals | None = None
        self._stale_at = 0.0

    async def look(self) -> Vitals | None:
        """The numbers as they were a moment ago at most; None while the store cannot be asked."""
        async with self._lock:
            if time.monotonic() >= self._stale_at:
                self._known = await self._ask()
                self._stale_at = time.monotonic() + self._kept_s
            return self._known

    async def _ask(self) -> Vitals | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await examine(self._ground)
        except (StorageUnavailable, TimeoutError) as fault:
            _log.warning("the store could not be asked for its metrics", error=str(fault) or "it took too long")
            return None


async def examine(ground: Ground) -> Vitals:
    """Ask the store now."""
    database, now = ground.database, ground.now()
    waiting = {each.state: (now - each.created_at).total_seconds() for each in await outbox.list_oldest(database)}
    return Vitals(
        deliveries=_each(delivery.STATES, await outbox.tally(database)),
        oldest_s={state: max(0.0, waiting.get(state, 0.0)) for state in WAITING},
        alert_updates=_each(alert_update.STATES, await alert_updates.tally(database)),
        circuits=await _circuits(ground),
        workers=None if database.dialect == "sqlite" else await _workers(ground),
    )


async def _circuits(ground: Ground) -> dict[str, int]:
    used = await connector_care.count_used(ground.database)
    faulty = await connector_care.list_faulty(ground.database)
    now = ground.now()
    states: Counter[str] = Counter(each.state(ground.push.circuit_faults, now) for each in faulty)
    states["closed"] += max(0, used - len(faulty))
    return _each(_CIRCUITS, states)


async def _workers(ground: Ground) -> dict[str, int]:
    return _each(COMMANDS, Counter(each.command for each in await list_alive(ground)))


def _each(names: tuple[str, ...], counts: Mapping[str, int]) -> dict[str, int]:
    """A count for every name: one that is missing today must not vanish from the figures."""
    return {name: counts.get(name, 0) for name in names}
