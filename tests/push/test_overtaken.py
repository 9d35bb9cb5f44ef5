"""What became of pushes that others overtook, of cases that went away, and of incidents found twice."""

from __future__ import annotations

import msgspec
import pytest

from casebridge.domain.case import CaseChanges
from casebridge.domain.connector import CaseConnector
from casebridge.domain.delivery import Delivery
from casebridge.domain.errors import NotFound, PushFailed
from casebridge.domain.version import version_text
from casebridge.services import cases, connector_care, deliveries, push, push_take_up
from casebridge.services.case_connectors import list_uses
from casebridge.services.cases import WantedChange
from casebridge.services.connectors import find_usable
from casebridge.services.push_success import Pushed
from casebridge.services.push_try import attempt
from casebridge.services.push_turn import take_turn
from tests.push.conftest import CONNECTOR, World


async def queue(world: World, case_id: str, key: str) -> Delivery:
    queued = await push.queue(world.ground, world.asking, case_id, CONNECTOR, key=key)
    assert isinstance(queued, Delivery)
    return queued


async def test_the_key_of_an_overtaken_push_answers_what_the_overtaking_one_did(world: World):
    case = await world.case("one")
    queued = await queue(world, case.id, "k1")
    await world.push(case.id)
    assert [each.state for each in await world.deliveries(case.id)] == ["delivered", "cancelled"]

    for repeat in (push.push, push.queue):
        again = await repeat(world.ground, world.asking, case.id, CONNECTOR, key="k1")
        assert isinstance(again, Pushed)
        assert again.case.external_service is not None
    assert queued.id in [each.id for each in await world.deliveries(case.id)]
    assert len(await world.deliveries(case.id)) == 2


async def test_the_key_of_a_withdrawn_push_answers_that_it_failed(world: World):
    case = await world.case()
    queued = await queue(world, case.id, "k1")
    await deliveries.cancel(world.ground, world.asking, queued.id)
    with pytest.raises(PushFailed):
        await world.push(case.id, key="k1")


async def test_a_delivery_whose_case_went_away_after_the_claim_is_cancelled_and_stays_readable(world: World):
    case = await world.case()
    connector = await find_usable(world.ground, "default", CONNECTOR)
    delivery = await take_turn(world.ground, world.asking, case.id, connector, None)
    await cases.delete(world.ground, world.asking, [case.id])
    with pytest.raises(NotFound):
        await attempt(world.ground, world.asking.actor, delivery, connector, by_hand=True)
    (left,) = await world.deliveries(case.id)
    assert (left.state, left.error is not None and left.error.message) == ("cancelled", "The case was deleted.")
    assert world.issues == []


async def test_a_worker_cancels_what_it_queued_for_a_case_that_is_gone(world: World):
    case = await world.case()
    queued = await queue(world, case.id, "k1")
    await cases.delete(world.ground, world.asking, [case.id])
    again = await deliveries.retry(world.ground, world.asking, queued.id)
    await push_take_up.take_up(world.ground, again)
    assert [each.state for each in await world.deliveries(case.id)] == ["cancelled"]


async def test_of_several_marked_incidents_the_oldest_is_taken_and_the_delivery_says_so(world: World):
    case = await world.case("one")
    world.fault("create=drop-after")
    with pytest.raises(PushFailed):
        await world.push(case.id)
    book = world.jira.desk.book
    first = next(iter(book.issues.values()))
    twin = book.add_issue("OPS", first.type_id, {"summary": "twin", "labels": list(first.labels)}, world.clock())
    await world.push(case.id)
    delivery, _ = await world.deliveries(case.id)
    assert (delivery.state, delivery.external_id) == ("delivered", first.id)
    assert delivery.error is not None
    assert all(key in delivery.error.message for key in ("2 incidents", first.key, twin.key))
    assert twin.summary == "twin"


async def test_a_permanent_refusal_of_the_probe_leaves_the_circuit_open_until_the_next_probe(world: World):
    settings = msgspec.structs.replace(world.ground.push, circuit_faults=1, circuit_probe_s=60.0)
    world.ground = msgspec.structs.replace(world.ground, push=settings)
    first, second = await world.case(), await world.case()
    world.fault("create=status:500", "create=status:400")
    with pytest.raises(PushFailed):
        await world.push(first.id)
    await queue(world, first.id, "k1")
    await queue(world, second.id, "k2")
    world.clock.advance(61)
    await world.work(2)
    assert (await world.deliveries(first.id))[0].state == "failed"
    assert (await world.deliveries(second.id))[0].state in ("queued", "waiting")
    assert (await connector_care.examine(world.ground, world.asking, CONNECTOR)).state == "open"
    world.clock.advance(61)
    await world.work(2)
    assert (await world.deliveries(second.id))[0].state == "delivered"
    assert (await connector_care.examine(world.ground, world.asking, CONNECTOR)).state == "closed"


async def test_several_connectors_of_a_case_keep_records_comments_and_states_of_their_own(world: World):
    await world.connector("jira-2")
    case = await world.case("one")
    await world.push(case.id)
    await world.comment(case.id, "two")
    await world.push(case.id, "jira-2")
    assert [world.bodies(number) for number in (0, 1)] == [["one"], ["one", "two"]]
    await move_to(world, case.id, "jira-2")
    needs = {each.connector.id: each.needs_push for each in await list_uses(world.ground, world.asking, case.id)}
    assert needs["jira-1"] is True

    await world.push(case.id)
    await world.push(case.id, "jira-2")

    assert [world.bodies(number) for number in (0, 1)] == [["one", "two"], ["one", "two"]]
    assert len(world.issues) == 2
    found = await world.deliveries(case.id)
    ids = {each.connector_id: each.external_id for each in found}
    assert [each.state for each in found] == ["delivered"] * 4
    assert ids == {"jira-1": world.issues[0]["id"], "jira-2": world.issues[1]["id"]}
    needs = {each.connector.id: each.needs_push for each in await list_uses(world.ground, world.asking, case.id)}
    assert needs == {"jira-1": False, "jira-2": False}


async def test_a_failing_connector_of_a_case_leaves_its_others_alone(world: World):
    await world.connector("jira-2")
    case = await world.case("one")
    world.fault("comment=drop-after")
    with pytest.raises(PushFailed):
        await world.push(case.id)
    await world.push(case.id, "jira-2")
    assert sorted((each.connector_id, each.state) for each in await world.deliveries(case.id)) == [
        ("jira-1", "uncertain"),
        ("jira-2", "delivered"),
    ]
    await world.push(case.id)
    assert [world.bodies(number) for number in (0, 1)] == [["one"], ["one"]]
    assert len(world.issues) == 2


async def move_to(world: World, case_id: str, connector_id: str) -> None:
    version = version_text((await world.get(case_id)).version)
    changes = CaseChanges(connector=CaseConnector(connector_id, f"Jira {connector_id}", ".jira"))
    await cases.change(world.ground, world.asking, [WantedChange(case_id, version, changes)])
