"""A case and a simulated ServiceNow, in both ways of writing: one record, every comment once, whatever goes wrong."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from starlette.requests import Request

from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.case import Case, CaseChanges
from casebridge.domain.connector import CaseConnector
from casebridge.domain.errors import PushFailed
from casebridge.domain.version import version_text
from casebridge.sandbox.server import serving
from casebridge.sandbox.servicenow import SANDBOX_PASSWORD, SANDBOX_USER, servicenow_app
from casebridge.security.vault import Vault
from casebridge.services import cases, connector_care, connectors
from casebridge.services.ground import Ground, PushSettings
from casebridge.storage.session import Database
from tests.push.conftest import Clock, World
from tests.push.test_crashes import Died, Fuse, MortalStore

CONNECTOR = "now-1"
FIELDS = {"severity": None, "urgency": "1", "impact": None, "category": "network", "subcategory": None}
KINDS = (
    "drop-before", "drop-after", "status:500", "status:503", "status:429", "rate-limit:0", "half-body", "html",
    "html-after", "no-id",
)  # fmt: skip


class Instance(World):
    """One server's rooms, wired to a simulated ServiceNow; `jira` is that sandbox."""

    by_table = True
    type_id = ".servicenow"

    def with_database(self, database: Database) -> Instance:
        seen = Instance(msgspec.structs.replace(self.ground, database=database), self.clock, self.jira, self.url)
        seen.by_table, seen.type_id = self.by_table, self.type_id
        return seen

    async def connector(self, id_: str = CONNECTOR) -> None:
        await connectors.create(
            self.ground,
            self.asking,
            id_=id_,
            name=f"ServiceNow {id_}",
            type_id=self.type_id,
            config={"apiUrl": self.url, "usesTableApi": self.by_table},
            secrets={"username": SANDBOX_USER, "password": SANDBOX_PASSWORD},
        )

    async def case(self, *comments: str, **given: Any) -> Case:
        connector = CaseConnector(CONNECTOR, "ServiceNow", self.type_id, FIELDS)
        return await super().case(*comments, **{"connector": connector, **given})

    async def push(self, case_id: str, connector_id: str = CONNECTOR, *, key: str | None = None) -> Any:
        return await super().push(case_id, connector_id, key=key)

    async def push_until_it_succeeds(self, case_id: str) -> None:
        with contextlib.suppress(PushFailed):
            await self.push(case_id)
            return
        await self.push(case_id)

    def strike(self, step: str, kind: str) -> None:
        """A fault of a write as the way of writing names it: `create`, `update` or `comment`, the first of its kind."""
        names = {"create": "create", "update": "update", "comment": "update"}
        if self.by_table:
            self.fault(f"{names[step]}={kind}")
        else:
            self.fault(f"import={kind}" + ("@1" if step == "comment" else ""))

    def records(self, case_id: str) -> list[dict[str, Any]]:
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "scheme": "http"}
        state = self.jira.state(Request({**scope, "server": ("127.0.0.1", 80)}))
        return [each for each in state["records"] if each["correlation_id"] == case_id]

    async def assert_whole(self, case_id: str, notes: list[str]) -> None:
        """One record that the case knows, and each comment once."""
        (record,) = self.records(case_id)
        assert sorted(each["value"].partition("\n\nAdded by")[0] for each in record["notes"]) == sorted(notes)
        service = (await self.get(case_id)).external_service
        assert service is not None
        assert (service.external_id, service.external_title) == (record["sys_id"], record["number"])
        states = {each.state for each in await self.deliveries(case_id)}
        assert "delivered" in states
        assert not states & {"sending", "uncertain", "queued", "waiting"}


@asynccontextmanager
async def wired(database: Database, by_table: bool, type_id: str = ".servicenow") -> AsyncIterator[Instance]:
    """An instance with one connector."""
    app = servicenow_app()
    async with serving(app) as url:
        hosts = AllowedHosts(["127.0.0.1"])
        outbound = Outbound(hosts, timeout_s=5.0)
        ground = Ground(
            database=database,
            vault=Vault({b"testkey1": b"k" * 32}),
            outbound=outbound,
            allowed_hosts=hosts,
            push=PushSettings(lease_s=6.0, call_timeout_s=5.0, lookup_lag_s=0.0, wait_s=20.0),
        )
        clock = Clock(ground.now)
        there = Instance(msgspec.structs.replace(ground, now=clock), clock, app.state.sandbox, url)
        there.by_table, there.type_id = by_table, type_id
        await there.connector()
        yield there
        await outbound.close()


@pytest.fixture(params=["table", "import"])
async def instance(database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Instance]:
    async with wired(database, request.param == "table") as there:
        yield there


async def test_a_first_push_makes_a_record_with_the_fields_and_the_comments(instance: Instance):
    case = await instance.case("one", "two")

    await instance.push(case.id)

    await instance.assert_whole(case.id, ["one", "two"])
    (record,) = instance.records(case.id)
    assert (record["short_description"], record["urgency"], record["category"]) == ("Odd logons", "1", "network")
    assert record["description"] == "seen on two hosts\n\nAdded by Anna A.."
    assert record["correlation_display"] == "Elastic Case"
    assert record["caller_id"]["value"] == SANDBOX_USER


async def test_a_later_push_updates_the_record_and_adds_only_what_is_new(instance: Instance):
    case = await instance.case("one")
    await instance.push(case.id)
    await instance.comment(case.id, "two")
    now = await instance.get(case.id)
    wanted = cases.WantedChange(case.id, version_text(now.version), CaseChanges(title="Renamed"))
    await cases.change(instance.ground, instance.asking, [wanted])

    await instance.push(case.id)
    await instance.push(case.id)

    await instance.assert_whole(case.id, ["one", "two"])
    assert instance.records(case.id)[0]["short_description"] == "Renamed"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["create", "comment"])
async def test_after_any_fault_of_a_first_push_the_next_push_makes_it_whole(instance: Instance, step: str, kind: str):
    case = await instance.case("one", "two", "two")
    instance.strike(step, kind)

    await instance.push_until_it_succeeds(case.id)

    await instance.assert_whole(case.id, ["one", "two", "two"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["update", "comment"])
async def test_after_any_fault_of_a_later_push_the_next_one_makes_it_whole(instance: Instance, step: str, kind: str):
    case = await instance.case("two")
    await instance.push(case.id)
    for text in ("two", "three"):
        await instance.comment(case.id, text)
    if step == "comment" and instance.by_table:
        instance.fault(f"update={kind}@2")
    else:
        instance.strike(step, kind)

    await instance.push_until_it_succeeds(case.id)

    await instance.assert_whole(case.id, ["two", "two", "three"])


@pytest.mark.parametrize("kind", ["drop-before", "drop-after"])
async def test_a_comment_like_one_that_was_accepted_before_is_not_taken_for_it(instance: Instance, kind: str):
    case = await instance.case("two")
    await instance.push(case.id)
    await instance.comment(case.id, "two")
    if instance.by_table:
        instance.fault(f"update={kind}@1")
    else:
        instance.fault(f"import={kind}@1")

    with pytest.raises(PushFailed):
        await instance.push(case.id)
    await instance.push(case.id)

    await instance.assert_whole(case.id, ["two", "two"])


async def test_a_failing_look_up_fails_the_push_and_sends_nothing(instance: Instance):
    case = await instance.case("one")
    instance.strike("create", "drop-after")
    instance.fault("find=status:500")

    for _ in range(2):
        with pytest.raises(PushFailed):
            await instance.push(case.id)
    assert len(instance.records(case.id)) == 1
    await instance.push(case.id)

    await instance.assert_whole(case.id, ["one"])


async def test_a_record_that_is_gone_is_never_replaced(instance: Instance):
    case = await instance.case()
    await instance.push(case.id)
    instance.jira.desk.book.rows.clear()

    for _ in range(2):
        with pytest.raises(PushFailed, match="No Record found"):
            await instance.push(case.id)

    assert instance.records(case.id) == []


async def test_without_its_application_an_import_fails_by_name_and_leaves_nothing(instance: Instance):
    if instance.by_table:
        pytest.skip("the Table API needs no application")
    case = await instance.case("one")
    instance.jira.desk.applications = frozenset()

    with pytest.raises(PushFailed, match="x_elas2_inc_int"):
        await instance.push(case.id)

    assert instance.records(case.id) == []


async def test_wherever_the_process_dies_the_push_ends_with_one_record_and_each_comment_once(instance: Instance):
    at, has_died = 0, True
    while has_died:
        case = await instance.case("one", "two", "two")
        fuse = Fuse(at)
        dying = instance.with_database(MortalStore(instance.ground.database, fuse))  # type: ignore[arg-type]
        try:
            await dying.push(case.id)
        except Died:
            instance.clock.advance(10)
            await instance.work()
            if (await instance.get(case.id)).external_service is None:
                await instance.push(case.id)
        else:
            has_died = False
        await instance.assert_whole(case.id, ["one", "two", "two"])
        at += 1
    assert at >= 10


@pytest.mark.parametrize("step", ["create", "comment"])
async def test_a_lost_answer_and_a_crash_together_still_leave_one_record(instance: Instance, step: str):
    for at in range(1, 14):
        case = await instance.case("one", "two")
        instance.jira.faults.clear()
        instance.strike(step, "drop-after")
        dying = instance.with_database(MortalStore(instance.ground.database, Fuse(at)))  # type: ignore[arg-type]
        with contextlib.suppress(PushFailed, Died):
            await dying.push(case.id)
        instance.clock.advance(10)
        await instance.work()
        if (await instance.get(case.id)).external_service is None:
            await instance.push(case.id)
        await instance.assert_whole(case.id, ["one", "two"])


@pytest.mark.parametrize("by_table", [True, False])
@pytest.mark.parametrize("step", ["create", "comment"])
async def test_a_security_incident_is_pushed_once_too(database: Database, by_table: bool, step: str):
    fields = {"category": None, "subcategory": "26", "priority": "2", "destIp": True, "sourceIp": None}
    connector = CaseConnector(
        CONNECTOR, "SecOps", ".servicenow-sir", {**fields, "malwareHash": None, "malwareUrl": None}
    )
    async with wired(database, by_table, ".servicenow-sir") as there:
        case = await there.case("one", "two", connector=connector)
        there.strike(step, "drop-after")

        await there.push_until_it_succeeds(case.id)

        await there.assert_whole(case.id, ["one", "two"])
        (record,) = there.records(case.id)
        assert (record["number"][:3], record["priority"], record["subcategory"]) == ("SIR", "2", "26")


async def test_what_is_sent_is_compared_with_what_is_there_before_a_push(instance: Instance):
    case = await instance.case("one")
    await instance.push(case.id)
    now = await instance.get(case.id)
    wanted = cases.WantedChange(case.id, version_text(now.version), CaseChanges(title="Renamed"))
    await cases.change(instance.ground, instance.asking, [wanted])

    seen = await connector_care.preview(instance.ground, instance.asking, case.id, CONNECTOR)

    prefix = "" if instance.by_table else "u_"
    assert seen.action == "update"
    assert [(each.field, each.external, each.ours) for each in seen.changes] == [
        (f"{prefix}short_description", "Odd logons", "Renamed")
    ]
    assert seen.comments == []
