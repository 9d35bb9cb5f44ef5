"""Telling alert documents what became of their cases: writing it down with the change, and sending it.

The update of a document is written in the transaction of the change that asks for it, and only where the space has an
alert sink. A worker sends it; whatever happens there never touches the case.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

import structlog

from casebridge.connectors.alert_store import AlertStore, Document, Written
from casebridge.connectors.tls import TlsFault
from casebridge.domain.alert_update import (
    FAILED,
    MISSING,
    WAITING,
    AlertUpdate,
    SinkSettings,
    index_problem,
    link_updates,
    merged,
    patch,
    status_updates,
    synced_status,
)
from casebridge.domain.attachment import ALERT, Attachment, alerts_of
from casebridge.domain.case import Case
from casebridge.domain.delivery import next_attempt
from casebridge.domain.errors import ConnectorError
from casebridge.services.ground import Ground
from casebridge.services.push_send import lease_until
from casebridge.storage import alert_updates, attachments
from casebridge.storage.alert_updates import Claimed
from casebridge.storage.session import Write

_BATCH = 200
_AGAIN_S = 0.2
"""Wait after somebody else wrote a document between our search and our write."""

log = structlog.get_logger(__name__)


# Writing it down


async def of_changes(ground: Ground, changes: Iterable[tuple[Case, Case]]) -> list[Write]:
    """What changed cases have their alerts told; each pair is a case before and after."""
    updates: list[AlertUpdate] = []
    for old, new in changes:
        status = synced_status(old, new)
        if status is not None and old.counts.alerts and new.space in ground.alert_sinks:
            updates += status_updates(alerts_of(await _alerts(ground, new)), status)
    return _queue(ground, updates, new.space) if updates else []


def of_attachments(
    ground: Ground, case: Case, before: Sequence[Attachment], after: Sequence[Attachment]
) -> list[Write]:
    """What alerts are told that came to a case or left it; `before` and `after` hold all that bear alerts."""
    if case.space not in ground.alert_sinks:
        return []
    return _queue(ground, link_updates(case, alerts_of(before), alerts_of(after)), case.space)


async def of_deletions(ground: Ground, gone: Iterable[Case]) -> list[Write]:
    """What the alerts of deleted cases are told."""
    updates: list[AlertUpdate] = []
    for case in gone:
        if case.counts.alerts and case.space in ground.alert_sinks:
            updates += link_updates(case, alerts_of(await _alerts(ground, case)), ())
    return _queue(ground, updates, case.space) if updates else []


async def _alerts(ground: Ground, case: Case) -> list[Attachment]:
    """Read after the case: whoever attaches one in between makes the write of the case fail."""
    query = attachments.list_of_type_query(case.space, case.id, ALERT)
    return [attachments.from_row(row) for row in await ground.database.read(query.sql, query.params)]


def _queue(ground: Ground, updates: Sequence[AlertUpdate], space: str) -> list[Write]:
    if not updates:
        return []
    return [alert_updates.queue_write(ground.database, space, merged(updates), ground.now())]


async def announce(ground: Ground, writes: Collection[Write]) -> None:
    """Tell workers, once these are saved."""
    if writes:
        await ground.database.hint()


# Sending


async def take_up(ground: Ground, space: str) -> int:
    """Send one batch of what is due for the documents of a space; how many updates it held."""
    settings = ground.alert_sinks[space]
    now, lease_id = ground.now(), ground.new_id()
    until = lease_until(now, ground.push)
    claimed = await alert_updates.claim(ground.database, space, lease_id, now, until, _BATCH)
    if claimed:
        batch = _Batch(ground, space, settings, lease_id, claimed)
        await batch.work()
    return len(claimed)


class _LeaseLost(Exception):
    """Another process sends these updates now."""


class _Batch:
    """Updates of one index on their way, all under one lease."""

    def __init__(
        self, ground: Ground, space: str, settings: SinkSettings, lease_id: str, claimed: Sequence[Claimed]
    ) -> None:
        self._ground, self._space, self._settings, self._lease_id = ground, space, settings, lease_id
        self._claimed = {each.update.digest: each for each in claimed}
        self._writes: list[Write] = []

    async def work(self) -> None:
        """Send them, and note what became of each."""
        try:
            await self._send()
        except _LeaseLost:
            return
        except ConnectorError as fault:
            self._writes.clear()
            self._fault(list(self._claimed), fault)
        await self._ground.database.commit(self._writes)
        await self._ground.database.commit([alert_updates.release_write(self._space, self._lease_id)])

    async def _send(self) -> None:
        index = next(iter(self._claimed.values())).update.index
        problem = index_problem(index, self._settings.indices)
        if problem is not None:
            raise ConnectorError(problem, code="configuration", permanent=True)
        store = self._store()
        by_id = {each.update.alert_id: digest for digest, each in self._claimed.items()}
        found = await store.find(index, list(by_id))
        present = {each.id for each in found}
        self._missing([digest for id_, digest in by_id.items() if id_ not in present])
        changes = [(each, patch(each.source, self._claimed[by_id[each.id]].update)) for each in found]
        wanted = [(document, partial) for document, partial in changes if partial]
        written = await self._write(store, wanted)
        left = [each for each in present if each not in written]
        self._done([by_id[each] for each in left])
        self._settle({by_id[id_]: outcomes for id_, outcomes in written.items()})

    def _store(self) -> AlertStore:
        outbound = self._ground.outbound.view(before_call=self._renew)
        try:
            return AlertStore(self._settings, outbound)
        except TlsFault as fault:
            raise ConnectorError(str(fault), code="configuration", permanent=True) from None

    async def _renew(self) -> None:
        """Before every call: hold the lease for longer than the call may take."""
        until = lease_until(self._ground.now(), self._ground.push)
        if not await alert_updates.renew(self._ground.database, self._space, self._lease_id, until):
            raise _LeaseLost

    async def _write(
        self, store: AlertStore, wanted: Sequence[tuple[Document, dict[str, object]]]
    ) -> dict[str, list[Written]]:
        """What became of the documents, by alert id."""
        outcomes: dict[str, list[Written]] = defaultdict(list)
        if wanted:
            for (document, _), outcome in zip(wanted, await store.write(wanted), strict=True):
                outcomes[document.id].append(outcome)
        return outcomes

    def _settle(self, written: dict[str, list[Written]]) -> None:
        for digest, outcomes in written.items():
            bad = next((each for each in outcomes if each.error is not None and not each.is_missing), None)
            if bad is None:
                all_missing = all(each.is_missing for each in outcomes)
                (self._missing if all_missing else self._done)([digest])
            elif bad.is_conflict:
                self._fault([digest], _fault_of(bad), again_s=_AGAIN_S)
            else:
                self._fault([digest], _fault_of(bad))

    def _done(self, digests: Sequence[str]) -> None:
        if digests:
            self._writes.append(alert_updates.done_write(self._space, self._lease_id, digests))

    def _missing(self, digests: Sequence[str]) -> None:
        """A document that is not there blocks nothing: its update waits for the next change of the case."""
        if not digests:
            return
        updates = [self._claimed[each].update for each in digests]
        log.warning(
            "alerts have no document", space=self._space, index=updates[0].index, alerts=len(updates),
            first=updates[0].alert_id,
        )  # fmt: skip
        text = "there is no such document"
        self._writes.append(alert_updates.fault_write(self._space, self._lease_id, digests, MISSING, text, None))

    def _fault(self, digests: Sequence[str], fault: ConnectorError, *, again_s: float | None = None) -> None:
        """They are tried again by the worker's rule; after so many tries they are given up until something changes."""
        ground, now = self._ground, self._ground.now()
        by_tries: dict[int, list[str]] = defaultdict(list)
        for each in digests:
            by_tries[self._claimed[each].attempts].append(each)
        for attempts, group in by_tries.items():
            again = next_attempt(attempts, fault, now, ground.draw(), ground.push.retry)
            if again is not None and again_s is not None:
                again = now + timedelta(seconds=again_s * (1 + ground.draw()))
            state = FAILED if again is None else WAITING
            log.warning(
                "alerts could not be told of their case", space=self._space, reason=fault.message, alerts=len(group),
                state=state,
            )  # fmt: skip
            self._writes.append(
                alert_updates.fault_write(self._space, self._lease_id, group, state, fault.message, again)
            )


def _fault_of(outcome: Written) -> ConnectorError:
    return ConnectorError(
        outcome.error or "",
        code="unavailable" if outcome.is_passing else "refused",
        permanent=not (outcome.is_passing or outcome.is_conflict),
        status=outcome.status,
    )


async def revive(ground: Ground) -> None:
    """Have updates that were given up tried anew: the server was started, perhaps with other settings."""
    for space in ground.alert_sinks:
        await alert_updates.revive(ground.database, space, ground.now())
