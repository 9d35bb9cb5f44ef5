"""The audit trail: sealing what was written, checking the chain, reading events.

Events are written by each change inside its own transaction; nobody waits for what is done here.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from casebridge.domain.audit_chain import START, Fault, Head, first_fault, seal
from casebridge.security.features import MANAGE_SECURITY
from casebridge.security.privileges import require
from casebridge.services.ground import Asking, Ground
from casebridge.storage import audit, audit_chain
from casebridge.storage.audit import Found, Wanted
from casebridge.storage.session import Database

BATCH = 256
LEASE = timedelta(seconds=3)


class Report(msgspec.Struct, frozen=True):
    """How far the chain holds, where it breaks first, and the events that are not part of it yet."""

    head: Head
    fault: Fault | None
    tail: audit_chain.Tail

    @property
    def is_whole(self) -> bool:
        """Whether nothing speaks of tampering."""
        return self.fault is None


async def seal_some(ground: Ground, sealer: str) -> int:
    """Seal the next events; how many were found. SealedMeanwhile when another process is at it."""
    database = ground.database
    chain = await audit_chain.get(database)
    if chain is None:
        # Somebody took the head away. A new one would hide that from `verify`.
        return 0
    events = await audit_chain.unsealed(database, chain, BATCH)
    if events:
        links = seal(chain.head, events)
        await database.commit(audit_chain.seal_writes(database, chain, links, sealer, ground.now(), LEASE))
    return len(events)


async def verify(database: Database, expected: Head | None = None) -> Report:
    """Follow the chain from its first event to its head, up to the first fault.

    `expected` is a head that was noted earlier: it must still be part of the chain, which proves that nobody rewrote
    the chain from before it.
    """
    chain = await audit_chain.get(database)
    if chain is None:
        gone = Fault(0, None, "the head of the chain was deleted")
        return Report(Head(0, START), gone, await audit_chain.tail(database))
    if expected is not None and expected.place > chain.head.place:
        reason = f"the chain ends at place {chain.head.place}, before the one that was expected"
        return Report(chain.head, Fault(expected.place, None, reason), await audit_chain.tail(database))
    head, fault = await _follow(database, chain.head.place, expected)
    return await _report(database, chain.head, head, fault)


async def _follow(database: Database, end: int, expected: Head | None) -> tuple[Head, Fault | None]:
    """How far the chain holds up to a place, and its first fault. What was sealed since is left to the next time."""
    head = Head(0, START)
    while head.place < end:
        links = [each for each in await audit_chain.links(database, head.place, BATCH) if each.place <= end]
        if not links:
            break
        before = head
        head, fault = first_fault(before, links)
        if expected is not None and before.place < expected.place <= head.place:
            met = links[expected.place - links[0].place]
            if met.digest != expected.digest:
                return before, Fault(met.place, met.event.seq, "it has another digest than the one that was expected")
        if fault is not None:
            return head, fault
    return head, None


async def _report(database: Database, stored: Head, head: Head, fault: Fault | None) -> Report:
    if fault is None and head.place < stored.place:
        reason = f"places {head.place + 1} to {stored.place} are missing: the newest events were deleted"
        fault = Fault(head.place + 1, None, reason)
    if fault is None and head != stored:
        fault = Fault(head.place, None, "the noted head has another digest: it was changed")
    tail = await audit_chain.tail(database)
    if fault is None and tail.strays:
        fault = Fault(0, None, f"{tail.strays} events call themselves sealed, but have no place in the chain")
    return Report(head, fault, tail)


async def find(ground: Ground, asking: Asking, wanted: Wanted, before: int | None, limit: int) -> Found:
    """The next events that are wanted, newest first, from before a running number on."""
    require(asking.actor, MANAGE_SECURITY, None, asking.space)
    return await audit.find(ground.database, wanted, before, limit)
