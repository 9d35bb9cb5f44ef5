"""Documents of alerts follow their cases, over real HTTP, on both databases; whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.alert_update import SinkSettings
from casebridge.domain.case import Case, CaseChanges, ExternalService, NewCase
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.space import DEFAULT_SPACE
from casebridge.domain.user import Actor, User
from casebridge.domain.version import version_text
from casebridge.push.worker import Worker
from casebridge.sandbox.elasticsearch import elasticsearch_app
from casebridge.sandbox.server import serving
from casebridge.security.vault import Vault
from casebridge.services import alert_sync, attachments, cases
from casebridge.services.cases import WantedChange
from casebridge.services.ground import Asking, Ground, PushSettings
from casebridge.services.push_outcome import outcome
from casebridge.storage import alert_updates, spaces
from casebridge.storage.session import Database
from tests.push.conftest import Clock
from tests.push.test_crashes import Died, Fuse, MortalStore

ANNA = User("anna", "Anna A.", None)
INDEX = ".internal.alerts-security.alerts-default-000001"
STATUS, IDS = "kibana.alert.workflow_status", "kibana.alert.case_ids"
KEY = {"api_key": "Y2FzZWJyaWRnZTpzYW5kYm94LWtleQ=="}
PASSWORD = {"username": "casebridge", "password": "sandbox-password"}


class Sink:
    """A server's rooms, wired to a simulated Elasticsearch."""

    def __init__(self, ground: Ground, clock: Clock, store: Any) -> None:
        self.ground, self.clock, self.store = ground, clock, store
        self.asking = Asking(Actor(ANNA, ("superuser",)), DEFAULT_SPACE)

    def document(self, id_: str, source: dict[str, Any] | None = None, index: str = INDEX) -> None:
        """Put an alert in place, as if it had been there for long."""
        wanted = {STATUS: "open"} if source is None else source
        self.store.shelves.put(index, id_, wanted, self.store.now(), refresh=True)

    def source(self, id_: str, index: str = INDEX) -> dict[str, Any]:
        return self.store.shelves.get(index, id_).now.source

    def versions(self, id_: str) -> int:
        return self.store.shelves.get(INDEX, id_).now.number

    async def case(self, *alerts: str, index: str = INDEX, **given: Any) -> Case:
        """A case with these alerts."""
        new = NewCase(owner="cases", title="t", description="d", tags=(), connector=NO_CONNECTOR, **given)
        case = await cases.open_new(self.ground, self.asking, new)
        if alerts:
            await self.attach(case, *alerts, index=index)
        return await self.get(case.id)

    async def attach(self, case: Case, *alerts: str, index: str = INDEX) -> str:
        """The id of the new attachment."""
        payload = {
            "type": "alert",
            "owner": "cases",
            "alertId": list(alerts),
            "index": [index] * len(alerts),
            "rule": {"id": None, "name": None},
        }
        return (await attachments.add(self.ground, self.asking, case.id, payload)).attachments[-1].id

    async def get(self, case_id: str) -> Case:
        return await cases.get(self.ground, self.asking, case_id)

    async def change(self, case: Case, **changes: Any) -> Case:
        now = await self.get(case.id)
        wanted = WantedChange(case.id, version_text(now.version), CaseChanges(**changes))
        return (await cases.change(self.ground, self.asking, [wanted]))[0]

    async def work(self) -> None:
        """What workers do until nothing is due any more."""
        while await alert_sync.take_up(self.ground, "default"):
            pass

    async def left(self) -> list[tuple[str, str]]:
        """Alert id and state of the updates that have not arrived."""
        listed = await alert_updates.list_all(self.ground.database, "default")
        return [(each.update.alert_id, each.state) for each in listed]

    def with_sink(self, settings: SinkSettings | None) -> Sink:
        sinks = {} if settings is None else {"default": settings}
        return Sink(msgspec.structs.replace(self.ground, alert_sinks=sinks), self.clock, self.store)

    def with_database(self, database: Any) -> Sink:
        return Sink(msgspec.structs.replace(self.ground, database=database), self.clock, self.store)

    @property
    def calls(self) -> list[str]:
        return [each.step for each in self.store.journal.entries]


@pytest.fixture
async def sink(database: Database) -> AsyncIterator[Sink]:
    app = elasticsearch_app()
    async with serving(app) as url:
        hosts = AllowedHosts(["127.0.0.1"])
        outbound = Outbound(hosts, timeout_s=2.0)
        ground = Ground(
            database=database,
            vault=Vault({b"testkey1": b"k" * 32}),
            outbound=outbound,
            allowed_hosts=hosts,
            push=PushSettings(lease_s=6.0, call_timeout_s=2.0, worker_poll_s=0.1),
            alert_sinks={"default": SinkSettings(url=url, **KEY)},
        )
        clock = Clock(ground.now)
        yield Sink(msgspec.structs.replace(ground, now=clock), clock, app.state.sandbox)
        await outbound.close()


async def test_attached_alerts_take_the_status_of_their_case_and_its_id(sink: Sink):
    sink.document("a")
    sink.document("b", {"kibana": {"alert": {"workflow_status": "open", "rule": {"name": "r"}}}})
    sink.document("c", {"signal": {"status": "open"}}, index=".siem-signals-default-000001")
    case = await sink.change(await sink.case(), status="in-progress")

    await sink.attach(case, "a", "b")
    await sink.attach(case, "c", index=".siem-signals-default-000001")
    await sink.work()

    assert sink.source("a") == {STATUS: "acknowledged", IDS: [case.id]}
    assert sink.source("b") == {
        "kibana": {"alert": {"workflow_status": "acknowledged", "rule": {"name": "r"}, "case_ids": [case.id]}}
    }
    assert sink.source("c", ".siem-signals-default-000001") == {"signal": {"status": "acknowledged"}}
    assert await sink.left() == []


async def test_alerts_of_a_case_without_synchronisation_are_told_its_id_alone(sink: Sink):
    sink.document("a")
    case = await sink.case("a", sync_alerts=False)
    await sink.change(case, status="closed")

    await sink.work()

    assert sink.source("a") == {STATUS: "open", IDS: [case.id]}


async def test_switching_synchronisation_on_tells_the_alerts_the_status(sink: Sink):
    sink.document("a")
    case = await sink.change(await sink.case("a", sync_alerts=False), status="in-progress")
    await sink.change(case, sync_alerts=True)

    await sink.work()

    assert sink.source("a")[STATUS] == "acknowledged"


async def test_several_changes_become_one_write_of_the_newest(sink: Sink):
    sink.document("a")
    case = await sink.case("a")
    for status in ("in-progress", "closed", "open", "closed"):
        await sink.change(case, status=status)

    await sink.work()

    assert sink.source("a")[STATUS] == "closed"
    assert sink.versions("a") == 2
    assert sink.calls == ["search", "bulk"]


async def test_closing_by_pushing_closes_the_alerts_in_the_same_change(sink: Sink):
    sink.document("a")
    case = await sink.case("a")
    service = ExternalService("c-1", "C", "1", "T-1", "http://x/1", sink.ground.now(), ANNA)
    work = await outcome(sink.ground, sink.asking.actor, case, service, (), closes=True)
    await work.save()

    await sink.work()

    assert sink.source("a")[STATUS] == "closed"


async def test_alerts_that_leave_a_case_lose_its_id_and_keep_their_status(sink: Sink):
    for id_ in ("a", "b"):
        sink.document(id_, {STATUS: "open", IDS: ["elsewhere"]})
    case = await sink.change(await sink.case("a"), status="in-progress")
    attached = await sink.attach(case, "b")
    await sink.work()

    await attachments.delete(sink.ground, sink.asking, case.id, attached)
    await sink.work()
    assert sink.source("b") == {STATUS: "acknowledged", IDS: ["elsewhere"]}
    assert sink.source("a")[IDS] == ["elsewhere", case.id]

    await cases.delete(sink.ground, sink.asking, [case.id])
    await sink.work()
    assert sink.source("a") == {STATUS: "acknowledged", IDS: ["elsewhere"]}


async def test_two_cases_with_one_alert_changed_at_once_are_one_update(sink: Sink):
    sink.document("a")
    first, second = await sink.case("a"), await sink.case("a")
    wanted = [
        WantedChange(each.id, version_text(each.version), CaseChanges(status=status))
        for each, status in ((first, "closed"), (second, "in-progress"))
    ]
    await cases.change(sink.ground, sink.asking, wanted)

    await sink.work()

    source = sink.source("a")
    assert (source[STATUS], set(source[IDS])) == ("acknowledged", {first.id, second.id})


async def test_a_thousand_alerts_are_told_in_few_calls(sink: Sink):
    ids = [f"alert-{number:04d}" for number in range(1000)]
    for each in ids:
        sink.document(each)
    case = await sink.case(*ids)
    await sink.change(case, status="closed")

    await sink.work()

    assert {sink.source(each)[STATUS] for each in ids} == {"closed"}
    assert len(sink.calls) == 10
    assert await sink.left() == []


async def test_without_a_sink_nothing_is_written_and_nothing_fails(sink: Sink):
    plain = sink.with_sink(None)
    case = await plain.case("a")
    await plain.change(case, status="closed")
    await cases.delete(plain.ground, plain.asking, [case.id])

    assert await sink.left() == []
    assert sink.calls == []


async def test_a_missing_document_or_index_holds_up_nothing(sink: Sink):
    sink.document("a")
    case = await sink.case("a", "gone")
    await sink.attach(case, "lost", index="no-such-index")
    await sink.attach(case, "hidden", index="*")

    await sink.work()

    assert sink.source("a")[STATUS] == "open"
    assert sink.source("a")[IDS] == [case.id]
    assert sorted(await sink.left()) == [("gone", "missing"), ("hidden", "failed"), ("lost", "missing")]

    sink.document("gone")
    await sink.change(case, status="closed")
    await sink.work()
    assert sink.source("gone")[STATUS] == "closed"


async def test_documents_behind_an_alias_are_found_and_written_where_they_are(sink: Sink):
    sink.document("a")
    sink.document("b", index=".internal.alerts-security.alerts-default-000002")
    for index in (INDEX, ".internal.alerts-security.alerts-default-000002"):
        sink.store.shelves.alias(index, ".alerts-security.alerts-default")
    case = await sink.case("a", "b", index=".alerts-security.alerts-default")
    await sink.change(case, status="closed")

    await sink.work()

    assert sink.source("a")[STATUS] == "closed"
    assert sink.source("b", ".internal.alerts-security.alerts-default-000002")[STATUS] == "closed"


@pytest.mark.parametrize("step", ["search", "bulk"])
@pytest.mark.parametrize(
    "fault", ["drop-before", "drop-after", "status:503", "status:429", "delay:3", "html-after", "half-body"]
)
async def test_whatever_goes_wrong_on_the_way_the_newest_status_arrives(sink: Sink, step: str, fault: str):
    sink.document("a")
    case = await sink.case("a")
    sink.store.faults.add(f"{step}={fault}")
    await sink.change(case, status="in-progress")
    await sink.work()
    assert await sink.left() == [("a", "waiting")]

    await sink.change(case, status="closed")
    await sink.work()

    assert sink.source("a") == {STATUS: "closed", IDS: [case.id]}
    assert await sink.left() == []


async def test_a_passing_fault_is_tried_again_by_the_worker_s_rule(sink: Sink):
    sink.document("a")
    await sink.case("a")
    sink.store.faults.add("bulk=status:503")
    await sink.work()
    await sink.work()
    assert len(sink.calls) == 2

    sink.clock.advance(31)
    await sink.work()

    assert await sink.left() == []


async def test_attempts_end_and_a_new_start_begins_them_anew(sink: Sink):
    sink.document("a")
    await sink.case("a")
    sink.store.faults.add("search=status:503*12")
    for _ in range(12):
        await sink.work()
        sink.clock.advance(3601)
    assert await sink.left() == [("a", "failed")]
    await sink.work()
    assert len(sink.calls) == 12

    await alert_sync.revive(sink.ground)
    await sink.work()

    assert sink.source("a")[STATUS] == "open"
    assert await sink.left() == []


async def test_wrong_credentials_are_not_tried_again_and_never_told(sink: Sink, capsys: pytest.CaptureFixture[str]):
    settings = sink.ground.alert_sinks["default"]
    wrong = sink.with_sink(msgspec.structs.replace(settings, api_key="d3Jvbmc6aHVudGVyMg=="))
    sink.document("a")
    await wrong.case("a")

    await wrong.work()

    (listed,) = await alert_updates.list_all(sink.ground.database, "default")
    assert (listed.state, listed.error) == (
        "failed",
        "127.0.0.1 answered 401: unable to authenticate with provided credentials",
    )
    assert "d3Jvbmc6aHVudGVyMg" not in "".join(capsys.readouterr())


async def test_a_user_and_a_password_open_the_store_too(sink: Sink):
    sink.document("a")
    url = sink.ground.alert_sinks["default"].url
    other = sink.with_sink(SinkSettings(url=url, **PASSWORD))
    await other.change(await other.case("a"), status="closed")

    await other.work()

    assert sink.source("a")[STATUS] == "closed"


async def test_a_host_that_is_not_allowed_is_not_called(sink: Sink):
    outbound = Outbound(AllowedHosts(["elsewhere.test"]), timeout_s=2.0)
    closed = Sink(msgspec.structs.replace(sink.ground, outbound=outbound), sink.clock, sink.store)
    sink.document("a")
    await closed.case("a")

    await closed.work()

    assert sink.calls == []
    assert await sink.left() == [("a", "failed")]


async def test_a_document_somebody_else_writes_meanwhile_is_read_anew(sink: Sink):
    sink.document("a", {STATUS: "open", IDS: []})
    case = await sink.case("a")
    # Kibana's own write, which our search does not see yet.
    sink.store.shelves.put(INDEX, "a", {STATUS: "open", IDS: ["theirs"]}, sink.store.now())
    sink.store.faults.add("search=search-lag:60")

    await sink.work()
    assert await sink.left() == [("a", "waiting")]
    assert sink.source("a")[IDS] == ["theirs"]

    sink.store.faults.clear()
    sink.clock.advance(1)
    await sink.work()

    assert sink.source("a")[IDS] == ["theirs", case.id]


async def test_a_change_while_its_alerts_are_being_told_is_told_next(sink: Sink):
    sink.document("a")
    case = await sink.change(await sink.case("a"), status="in-progress")
    sink.store.faults.add("bulk=slow-answer:0.5")
    sending = asyncio.create_task(sink.work())
    while "bulk" not in sink.calls:
        await asyncio.sleep(0.01)
    await sink.change(case, status="closed")

    assert await alert_sync.take_up(sink.ground, "default") == 0
    await sending

    assert sink.source("a")[STATUS] == "closed"
    assert await sink.left() == []


async def test_two_workers_never_send_one_update_at_once(sink: Sink):
    for number in range(20):
        sink.document(f"a{number}")
        await sink.case(f"a{number}")

    held = await asyncio.gather(*(alert_sync.take_up(sink.ground, "default") for _ in range(4)))

    assert sum(held) == 20


@pytest.mark.parametrize("at", range(14))
async def test_a_process_that_dies_at_any_moment_leaves_an_update_that_arrives(sink: Sink, at: int):
    sink.document("a")
    case = await sink.case()
    fuse = Fuse(at)
    dying = sink.with_database(MortalStore(sink.ground.database, fuse))
    await sink.attach(case, "a")
    try:
        await dying.change(case, status="closed")
        await dying.work()
    except Died:
        pass
    stored = await sink.get(case.id)

    sink.clock.advance(10)
    await sink.work()

    expected = {"closed": "closed", "open": "open"}[stored.status]
    assert sink.source("a") == {STATUS: expected, IDS: [case.id]}
    assert await sink.left() == []


async def test_a_worker_hears_of_changes_and_tells_the_alerts(sink: Sink):
    for id_ in ("a", "b"):
        sink.document(id_)
    worker = Worker(sink.ground)
    running = asyncio.create_task(worker.run())
    case = await sink.case("a")
    await until(lambda: IDS in sink.source("a"))
    await sink.change(case, status="closed")
    await until(lambda: sink.source("a")[STATUS] == "closed")
    worker.stop()
    await running

    assert await sink.left() == []


async def until(holds: Any) -> None:
    for _ in range(300):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never happened")


async def test_a_deleted_space_leaves_no_updates(sink: Sink):
    space = msgspec.structs.replace(DEFAULT_SPACE, id="ops")
    await spaces.create(sink.ground.database, space)
    sinks = {"ops": sink.ground.alert_sinks["default"]}
    there = Sink(msgspec.structs.replace(sink.ground, alert_sinks=sinks), sink.clock, sink.store)
    there.asking = Asking(sink.asking.actor, space)
    await there.case("a")
    assert len(await alert_updates.list_all(sink.ground.database, "ops")) == 1

    await spaces.delete(sink.ground.database, "ops")

    assert await alert_updates.list_all(sink.ground.database, "ops") == []


async def test_a_refused_change_tells_nobody(sink: Sink):
    sink.document("a")
    case = await sink.case("a")
    await sink.work()
    wanted = WantedChange(case.id, version_text(case.version - 1), CaseChanges(status="closed"))

    with pytest.raises(Exception, match="version"):
        await cases.change(sink.ground, sink.asking, [wanted])

    assert await sink.left() == []
