"""The fault matrix: whatever request of a push goes wrong, however it does, one incident and each comment once.

A clean push is counted first. Then, for every request of it and every way to go wrong, a new case is pushed into that
fault, and recovered: by pushing again, by a retry of the delivery, or by a worker after a crash. Everything that went
wrong along the way is told together.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from casebridge.connectors.transport import GuardedTransport
from casebridge.domain.case import Case
from casebridge.domain.connector import CaseConnector
from casebridge.domain.errors import PushFailed
from casebridge.services import connectors, deliveries
from casebridge.storage import outbox
from casebridge.storage.session import Database
from tests.push.conftest import World, wired
from tests.push.systems import LINKS, Far, Link, app_of, definitions_of, state_of
from tests.push.test_crashes import Died, Fuse, MortalStore

OPEN = {"sending", "uncertain", "queued", "waiting"}
NOTES = ("one", "two", "two")
SENT = ("drop-before", "drop-after", "status:429", "status:500", "status:503", "html", "html-after", "half-body")
"""What a system or something in between does to a request; a dropped connection is a reset."""


class Bay(World):
    """A world with any connector; `requests` counts what left, `refuse_at` is the one that finds a closed port."""

    link: Link
    requests = 0
    refuse_at: int | None = None

    def with_database(self, database: Database) -> Bay:
        seen = super().with_database(database)
        assert isinstance(seen, Bay)
        return seen

    async def connector(self, id_: str = "") -> None:
        defined = self.link.defined(definitions_of(self.link.member, self.url))
        await connectors.create(
            self.ground, self.asking, id_=defined.id, name=defined.name, type_id=defined.connector_type_id,
            config=defined.config, secrets=defined.secrets,
        )  # fmt: skip
        self.type_id = defined.connector_type_id

    async def opened(self, title: str) -> Case:
        connector = CaseConnector(self.link.name, self.link.name, self.type_id, self.link.fields)
        return await self.case(*NOTES, title=title, connector=connector)

    async def try_to_push(self, case_id: str) -> bool:
        """Whether the push succeeded."""
        with contextlib.suppress(PushFailed):
            await self.push(case_id, self.link.name)
            return True
        return False

    def far(self, title: str) -> list[Far]:
        return [each for each in self.link.read(state_of(self.jira)) if each.title == title]

    def sent(self) -> int:
        return len(self.jira.journal.entries)

    async def wrong(self, case: Case) -> str | None:
        """What is not as it must be after a recovery; None when all is."""
        found = self.far(case.title)
        if len(found) != 1:
            return f"{len(found)} records"
        if sorted(found[0].comments) != sorted(NOTES):
            return f"comments {found[0].comments}"
        service = (await self.get(case.id)).external_service
        if service is None or service.external_id != found[0].id:
            return f"the case knows {service and service.external_id}, the system {found[0].id}"
        ledger = await self.deliveries(case.id)
        states = [each.state for each in ledger]
        if "delivered" not in states or OPEN & set(states):
            return f"deliveries {states}"
        if {each.external_id for each in ledger if each.state == "delivered"} != {found[0].id}:
            return "a delivery names another record"
        query = outbox.accepted_query(case.id, self.link.name)
        accepted = await self.ground.database.read(query.sql, query.params)
        return None if len(accepted) == len(NOTES) else f"{len(accepted)} comments accepted"


class Refusing(GuardedTransport):
    """The real network, but one request goes to a port where nobody listens."""

    bay: Bay
    closed_port: int

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        bay, place = self.bay, self.bay.requests
        bay.requests += 1
        if place == bay.refuse_at:
            request.url = request.url.copy_with(port=self.closed_port)
        return await super().handle_async_request(request)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=list(LINKS))
async def bay(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Bay]:
    link = LINKS[request.param]
    kind = type("Bay", (Bay,), {"link": link})
    async with wired(kind, app_of(link.member), database) as there:
        transport = there.ground.outbound._transport
        transport.__class__ = Refusing
        transport.bay, transport.closed_port = there, closed_port()  # type: ignore[attr-defined]
        yield there


async def count(bay: Bay) -> int:
    """How many requests a clean first push takes, with all that is fetched but once fetched already."""
    for title in ("first", "second"):
        bay.requests = 0
        case = await bay.opened(title)
        assert await bay.try_to_push(case.id)
        assert await bay.wrong(case) is None
    return bay.requests


async def recover(bay: Bay, case: Case, *, by_retry: bool) -> None:
    """What a person does after a push that failed: nothing is repeated before that, whatever time goes by."""
    before = bay.sent()
    bay.clock.advance(7200)
    await bay.work()
    assert bay.sent() == before, "something was sent without being asked for"
    newest = (await bay.deliveries(case.id))[0]
    if by_retry and newest.state != "delivered":
        await deliveries.retry(bay.ground, bay.asking, newest.id)
        await bay.work()
    else:
        await bay.try_to_push(case.id)


async def matrix(bay: Bay, kinds: tuple[str, ...], cast: Callable[[str, int], Any]) -> None:
    """Every request of a push with every kind of fault; each push recovered, and all that is wrong told at the end."""
    places = await count(bay)
    assert places >= len(NOTES) + 1
    told, struck = [], 0
    for place in range(places):
        for turn, kind in enumerate(kinds):
            title = f"{kind} at request {place}"
            case = await bay.opened(title)
            bay.jira.faults.clear()
            bay.requests, bay.refuse_at = 0, None
            cast(kind, place)
            went_well = await bay.try_to_push(case.id)
            bay.jira.faults.clear()
            bay.refuse_at = None
            if not went_well:
                struck += 1
                await recover(bay, case, by_retry=(place + turn) % 2 == 0)
            if wrong := await bay.wrong(case):
                told.append(f"{title}: {wrong}")
    assert not told, "\n".join(told)
    assert struck >= places * len(kinds) * 0.6


async def test_whichever_request_of_a_push_is_answered_badly_or_cut_off_one_record_comes_of_it(bay: Bay):
    await matrix(bay, SENT, lambda kind, place: bay.fault(f"any={kind}@{place}"))


async def test_whichever_request_of_a_push_finds_nobody_listening_one_record_comes_of_it(bay: Bay):
    def cast(kind: str, place: int) -> None:
        bay.refuse_at = place

    await matrix(bay, ("connection refused",), cast)


async def test_whichever_request_of_a_push_times_out_before_or_after_the_work_one_record_comes_of_it(bay: Bay):
    bay.ground.outbound.timeout_s = 0.25

    await matrix(bay, ("hang", "slow-answer:0.4"), lambda kind, place: bay.fault(f"any={kind}@{place}"))


@pytest.mark.parametrize("fault", [None, "drop-after"])
async def test_between_whichever_two_steps_a_process_dies_one_record_comes_of_it(bay: Bay, fault: str | None):
    at, has_died, told = 0, True, []
    while has_died:
        case = await bay.opened(f"death {at} {fault}")
        bay.jira.faults.clear()
        if fault is not None:
            bay.fault(f"any={fault}@{at // 2}")
        dying = bay.with_database(MortalStore(bay.ground.database, Fuse(at)))  # type: ignore[arg-type]
        try:
            with contextlib.suppress(PushFailed):
                await dying.push(case.id, bay.link.name)
            has_died = False
        except Died:
            bay.clock.advance(10)
            await bay.work()
        bay.jira.faults.clear()
        newest = next(iter(await bay.deliveries(case.id)), None)
        if newest is not None and newest.state == "uncertain" and newest.next_attempt_at is None:
            await deliveries.retry(bay.ground, bay.asking, newest.id)
            await bay.work()
        elif newest is None or newest.state != "delivered":
            # Nothing had been written down yet, or the fault has failed the delivery.
            for _ in range(2):
                await bay.try_to_push(case.id)
        if wrong := await bay.wrong(case):
            told.append(f"death {at}: {wrong}")
        at += 1
        assert at < 60
    assert not told, "\n".join(told)
    assert at >= 10


async def test_a_comment_added_while_a_push_is_under_way_is_sent_by_the_next_and_not_marked_before(bay: Bay):
    case = await bay.opened("meanwhile")
    added: list[str] = []

    async def meddle() -> None:
        if not added:
            added.append(await bay.comment(case.id, "added meanwhile"))

    transport: Any = bay.ground.outbound._transport
    real = transport.handle_async_request

    async def handle(request: httpx2.Request) -> httpx2.Response:
        answer: httpx2.Response = await real(request)
        if bay.far("meanwhile"):
            await meddle()
        return answer

    transport.handle_async_request = handle
    pushed = await bay.push(case.id, bay.link.name)
    first = {each.id: each.pushed_at for each in pushed.attachments}
    (there,) = bay.far("meanwhile")

    assert added
    assert sorted(there.comments) == sorted(NOTES)
    assert first[added[0]] is None
    assert all(at is not None for id_, at in first.items() if id_ != added[0])

    again = await bay.push(case.id, bay.link.name)

    (there,) = bay.far("meanwhile")
    assert sorted(there.comments) == sorted([*NOTES, "added meanwhile"])
    assert all(each.pushed_at is not None for each in again.attachments)
