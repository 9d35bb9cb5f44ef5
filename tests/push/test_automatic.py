"""Pushes that changes ask for, as a worker sends them (extensions.md 2)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from casebridge.domain.automation import AutoPush
from casebridge.domain.case import Case, CaseChanges
from casebridge.domain.connector import CaseConnector
from casebridge.domain.errors import PushFailed
from casebridge.domain.space import DEFAULT_SPACE
from casebridge.domain.user import Actor, User
from casebridge.domain.version import version_text
from casebridge.services import attachments, automation, cases, deliveries
from casebridge.services.cases import WantedChange
from casebridge.services.ground import Asking
from tests.push.conftest import World
from tests.push.test_other_systems import HookWorld, hook  # noqa: F401

BERT = Asking(Actor(User("bert", "Bert B.", None), ("superuser",)), DEFAULT_SPACE)
QUIET_S = 2.5


async def switch_on(world: World, **given: Any) -> None:
    await automation.save(world.ground, world.asking, "cases", AutoPush(enabled=True, **given), None)


async def change(world: World, case_id: str, asking: Asking | None = None, **given: Any) -> Case:
    asking = asking or world.asking
    version = version_text((await world.get(case_id)).version)
    wanted = WantedChange(case_id, version, CaseChanges(**given))
    return (await cases.change(world.ground, asking, [wanted]))[0]


async def pass_quiet(world: World) -> None:
    world.clock.advance(QUIET_S)
    await world.work()


async def states(world: World, case_id: str) -> list[str]:
    return [each.state for each in await world.deliveries(case_id)]


async def test_a_new_case_appears_over_there_after_the_quiet_time_and_not_before(world: World):
    await switch_on(world)
    case = await world.case("one")
    await world.work()
    assert world.issues == []
    await pass_quiet(world)
    assert len(world.issues) == 1
    assert world.bodies() == ["one"]
    assert await states(world, case.id) == ["delivered"]
    service = (await world.get(case.id)).external_service
    assert service is not None
    assert (service.external_id, service.pushed_by.username) == (world.issues[0]["id"], "anna")


async def test_the_newest_user_of_changes_that_became_one_is_named(world: World):
    await switch_on(world)
    case = await world.case()
    await change(world, case.id, BERT, title="Renamed")
    await pass_quiet(world)
    pushed = await world.get(case.id)
    assert pushed.external_service is not None
    assert pushed.updated_by is not None
    assert (pushed.external_service.pushed_by.username, pushed.updated_by.username) == ("bert", "bert")
    assert [each["fields"]["summary"] for each in world.issues] == ["Renamed"]
    assert await states(world, case.id) == ["delivered"]


async def test_who_asked_needs_no_privilege_to_push(world: World):
    await switch_on(world)
    case = await world.case()
    (queued,) = await world.deliveries(case.id)
    assert queued.created_by.username == "anna"
    await pass_quiet(world)
    assert await states(world, case.id) == ["delivered"]


async def test_every_later_group_of_changes_is_a_delivery_of_its_own(world: World):
    await switch_on(world)
    case = await world.case()
    await pass_quiet(world)
    await change(world, case.id, title="Renamed")
    await world.comment(case.id, "two")
    await pass_quiet(world)
    assert await states(world, case.id) == ["delivered", "delivered"]
    assert (len(world.issues), world.issues[0]["fields"]["summary"]) == (1, "Renamed")
    assert world.bodies() == ["two"]


async def test_its_own_outcome_asks_for_no_other_push(world: World):
    await switch_on(world)
    await world.close_by_pushing()
    case = await world.case()
    await pass_quiet(world)
    for _ in range(3):
        await pass_quiet(world)
    assert await states(world, case.id) == ["delivered"]


async def test_it_never_closes_and_the_closing_by_a_person_asks_for_none(world: World):
    await switch_on(world)
    await world.close_by_pushing()
    case = await world.case()
    await pass_quiet(world)
    assert (await world.get(case.id)).status == "open"
    await world.push(case.id)
    assert (await world.get(case.id)).status == "closed"
    await pass_quiet(world)
    assert await states(world, case.id) == ["delivered", "delivered"]


async def test_a_closed_case_is_sent_too(world: World):
    await switch_on(world)
    case = await world.case()
    await pass_quiet(world)
    await change(world, case.id, status="closed", title="Done")
    await pass_quiet(world)
    assert await states(world, case.id) == ["delivered", "delivered"]
    assert world.issues[0]["fields"]["summary"] == "Done"


async def test_without_create_only_what_was_pushed_before_is_kept_in_step(world: World):
    await switch_on(world, create=False)
    case = await world.case()
    await change(world, case.id, title="Renamed")
    await pass_quiet(world)
    assert (await states(world, case.id), world.issues) == ([], [])
    await world.push(case.id)
    await change(world, case.id, title="Renamed again")
    await pass_quiet(world)
    assert world.issues[0]["fields"]["summary"] == "Renamed again"
    await change(world, case.id, connector=CaseConnector("another", "Another", ".jira"))
    assert await states(world, case.id) == ["delivered", "delivered"]


async def test_a_push_by_hand_contains_what_was_queued(world: World):
    await switch_on(world)
    case = await world.case("one")
    await world.push(case.id)
    await pass_quiet(world)
    assert await states(world, case.id) == ["delivered", "cancelled"]
    assert world.bodies() == ["one"]


async def test_a_change_during_a_push_by_hand_is_sent_by_the_delivery_that_gathers_it(world: World):
    await switch_on(world)
    case = await world.case("one")
    world.fault("create=delay:0.3")
    under_way = asyncio.create_task(world.push(case.id))
    while "create" not in [each.step for each in world.jira.journal.entries]:
        await asyncio.sleep(0.01)
    await world.comment(case.id, "while under way")
    await under_way
    assert world.bodies() == ["one"]
    assert await states(world, case.id) == ["delivered", "queued"]
    await pass_quiet(world)
    assert world.bodies() == ["one", "while under way"]
    assert await states(world, case.id) == ["delivered", "delivered"]


async def test_passing_faults_are_retried_and_later_changes_are_sent_once(world: World):
    await switch_on(world)
    case = await world.case("one")
    world.fault("create=status:500")
    await pass_quiet(world)
    assert await states(world, case.id) == ["waiting"]
    await world.comment(case.id, "two")
    world.clock.advance(7200)
    await world.work()
    world.clock.advance(7200)
    await world.work()
    assert set(await states(world, case.id)) <= {"delivered", "cancelled"}
    assert (len(world.issues), world.bodies()) == (1, ["one", "two"])


async def test_while_the_circuit_is_open_changes_gather_in_the_delivery_that_is_held(world: World):
    world.ground = msgspec.structs.replace(
        world.ground, push=msgspec.structs.replace(world.ground.push, circuit_faults=1)
    )
    await switch_on(world)
    broken, case = await world.case(), await world.case()
    world.fault("create=status:500")
    await pass_quiet(world)
    tried = (await world.deliveries(broken.id))[0].attempt_count
    held = case if tried else broken
    for number in range(3):
        await change(world, held.id, title=f"Renamed {number}")
    assert await states(world, held.id) == ["waiting"]
    for _ in range(3):
        world.clock.advance(3600)
        await world.work()
    assert await states(world, held.id) == ["delivered"]
    assert [each["fields"]["summary"] for each in world.issues_of(held.id)] == ["Renamed 2"]


async def test_behind_what_cannot_be_looked_up_it_waits_until_a_person_decides(hook: HookWorld):  # noqa: F811
    case = await hook.case("one")
    hook.fault("create=drop-after")
    with pytest.raises(PushFailed):
        await hook.push(case.id)
    await switch_on(hook)
    await change(hook, case.id, title="Renamed")
    for _ in range(20):
        hook.clock.advance(600)
        await hook.work(1)
    waiting, uncertain = await hook.deliveries(case.id)
    assert (waiting.state, waiting.attempt_count, uncertain.state) == ("waiting", 0, "uncertain")
    assert waiting.error is not None
    assert "until somebody" in waiting.error.message
    assert len(hook.sent("create")) == 1
    await hook.comment(case.id, "two")
    assert await hook.states(case.id) == ["waiting", "uncertain"]

    await deliveries.cancel(hook.ground, hook.asking, uncertain.id)
    hook.clock.advance(600)
    await hook.work()
    assert (await hook.states(case.id))[0] == "delivered"


async def test_a_retry_by_hand_of_the_uncertain_one_lets_the_waiting_one_go(hook: HookWorld):  # noqa: F811
    case = await hook.case("one")
    hook.fault("create=drop-after")
    with pytest.raises(PushFailed):
        await hook.push(case.id)
    await switch_on(hook)
    await change(hook, case.id, title="Renamed")
    hook.clock.advance(600)
    await hook.work(1)
    _, uncertain = await hook.deliveries(case.id)
    await deliveries.retry(hook.ground, hook.asking, uncertain.id)
    for _ in range(3):
        hook.clock.advance(600)
        await hook.work()
    (there,) = hook.issues
    assert there["summary"] == "Renamed"
    assert hook.sent("create")[0] == hook.sent("create")[1]
    assert set(await hook.states(case.id)) <= {"delivered", "cancelled"}


async def test_an_uncertain_one_that_can_be_looked_up_is_settled_by_the_next(world: World):
    case = await world.case("one")
    world.fault("create=drop-after")
    with pytest.raises(PushFailed):
        await world.push(case.id)
    await switch_on(world)
    await change(world, case.id, title="Renamed")
    await pass_quiet(world)
    assert (len(world.issues), world.issues[0]["fields"]["summary"]) == (1, "Renamed")
    assert "uncertain" not in await states(world, case.id)


async def test_a_deleted_comment_asks_for_nothing(world: World):
    case = await world.case()
    comment = await world.comment(case.id, "one")
    await switch_on(world)
    await attachments.delete(world.ground, world.asking, case.id, comment)
    assert await states(world, case.id) == []


async def test_a_connector_that_is_not_there_fails_in_the_ledger_alone(world: World):
    await switch_on(world)
    case = await world.case(connector=CaseConnector("gone", "Gone", ".jira"))
    await pass_quiet(world)
    (delivery,) = await world.deliveries(case.id)
    assert (delivery.state, delivery.connector_id) == ("failed", "gone")
    assert (await world.get(case.id)).status == "open"
