"""A connector that fails again and again is left alone by the worker, but for a probe now and then."""

from __future__ import annotations

import msgspec
import pytest

from casebridge.domain.errors import PushFailed
from casebridge.services import connector_care, push
from tests.push.conftest import CONNECTOR, World


def strict(world: World) -> None:
    """Two faults open the circuit; a probe a minute; retries at once."""
    rule = msgspec.structs.replace(world.ground.push.retry, first_s=0.0, most_s=0.0)
    settings = msgspec.structs.replace(world.ground.push, circuit_faults=2, circuit_probe_s=60.0, retry=rule)
    world.ground = msgspec.structs.replace(world.ground, push=settings)


async def state(world: World) -> str:
    return (await connector_care.examine(world.ground, world.asking, CONNECTOR)).state


async def test_after_enough_faults_deliveries_wait_and_one_probe_a_minute_is_let_through(world: World):
    strict(world)
    world.fault("create=status:429**")
    cases = [await world.case() for _ in range(3)]
    for case in cases:
        await push.queue(world.ground, world.asking, case.id, CONNECTOR)
    assert await state(world) == "closed"

    await world.work(3)
    calls = len(world.jira.journal.tail(1000).entries)
    assert await state(world) == "open"
    await world.work(3)
    assert len(world.jira.journal.tail(1000).entries) == calls

    world.clock.advance(61)
    assert await state(world) == "half-open"
    world.jira.faults.clear()
    for _ in range(4):
        await world.work(1)
        world.clock.advance(61)

    assert await state(world) == "closed"
    assert len(world.issues) == 3
    for case in cases:
        assert [each.state for each in await world.deliveries(case.id)] == ["delivered"]


async def test_a_push_by_hand_is_tried_although_the_circuit_is_open_and_its_success_closes_it(world: World):
    strict(world)
    world.fault("create=status:429*2")
    case = await world.case()
    for _ in range(2):
        with pytest.raises(PushFailed):
            await world.push(case.id)
    assert await state(world) == "open"

    await world.push(case.id)

    assert await state(world) == "closed"
    found = await connector_care.examine(world.ground, world.asking, CONNECTOR)
    assert found.health.faults == 0
    assert found.health.last_error is not None
    assert found.health.last_error.code == "unavailable"
    assert found.health.last_success_at is not None
    assert found.counts == {"failed": 0} or found.counts["delivered"] == 1


async def test_a_refusal_that_waiting_does_not_heal_neither_counts_nor_resets(world: World):
    strict(world)
    world.fault("create=status:429", "create=status:400", "create=status:429")
    case = await world.case()
    for _ in range(3):
        with pytest.raises(PushFailed):
            await world.push(case.id)

    assert await state(world) == "open"
