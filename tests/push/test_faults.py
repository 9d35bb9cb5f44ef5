"""Whatever goes wrong between us and Jira: in the end one issue, every comment once, and a case that says the truth."""

from __future__ import annotations

import pytest

from casebridge.domain.errors import PushFailed
from tests.push.conftest import World

KINDS = (
    "drop-before", "drop-after", "status:500", "status:503", "status:429", "status:408", "rate-limit:0",
    "half-body", "html", "html-after", "no-id",
)  # fmt: skip


def assert_the_truth(world: World, comments: list[str]) -> None:
    assert len(world.issues) == 1, [each["key"] for each in world.issues]
    assert world.bodies() == comments


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["issue_types", "create", "get", "comment"])
async def test_after_any_fault_of_a_first_push_the_next_push_makes_it_whole(world: World, step: str, kind: str):
    await world.close_by_pushing()
    case = await world.case("one", "two")
    world.fault(f"{step}={kind}")

    try:
        await world.push(case.id)
    except PushFailed:
        stored = await world.get(case.id)
        assert stored.external_service is None
        assert stored.status == "open"
        assert stored.version == case.version
        await world.push(case.id)

    assert_the_truth(world, ["one", "two"])
    stored = await world.get(case.id)
    assert stored.status == "closed"
    assert stored.external_service is not None
    assert stored.external_service.external_id == world.issues[0]["id"]
    assert all(each.state not in ("sending", "uncertain") for each in await world.deliveries(case.id))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["update", "get", "comment"])
async def test_after_any_fault_of_a_later_push_the_next_one_makes_it_whole(world: World, step: str, kind: str):
    case = await world.case("one")
    await world.push(case.id)
    await world.comment(case.id, "two")
    await world.comment(case.id, "two")
    world.fault(f"{step}={kind}")

    try:
        await world.push(case.id)
    except PushFailed:
        await world.push(case.id)

    assert_the_truth(world, ["one", "two", "two"])


@pytest.mark.parametrize("kind", ["drop-after", "html-after", "half-body", "no-id"])
async def test_what_the_worker_left_uncertain_it_looks_up_before_it_sends_again(world: World, kind: str):
    from casebridge.services import push
    from tests.push.conftest import CONNECTOR

    case = await world.case("one", "two")
    world.fault(f"create={kind}", f"comment={kind}")
    await push.queue(world.ground, world.asking, case.id, CONNECTOR)

    for _ in range(6):
        await world.work(1)
        world.clock.advance(3600)

    assert_the_truth(world, ["one", "two"])
    assert [each.state for each in await world.deliveries(case.id)] == ["delivered"]


async def test_a_lagging_search_is_asked_again_until_the_attempt_is_old_enough(world: World):
    import msgspec

    lag = msgspec.structs.replace(world.ground.push, lookup_lag_s=1.0)
    world.ground = msgspec.structs.replace(world.ground, push=lag)
    case = await world.case("one")
    world.fault("create=drop-after", "search=search-lag:0.5")

    with pytest.raises(PushFailed, match="may exist"):
        await world.push(case.id)
    await world.push(case.id)

    assert_the_truth(world, ["one"])


async def test_a_failing_look_up_fails_the_push_and_sends_nothing(world: World):
    case = await world.case("one")
    world.fault("create=drop-after", "search=status:500")

    with pytest.raises(PushFailed):
        await world.push(case.id)
    with pytest.raises(PushFailed):
        await world.push(case.id)
    assert len(world.issues) == 1
    assert world.issues[0]["comments"] == []
    await world.push(case.id)

    assert_the_truth(world, ["one"])


async def test_a_case_edited_after_a_lost_answer_is_adopted_and_brought_up_to_date(world: World):
    from casebridge.domain.case import CaseChanges
    from casebridge.domain.version import version_text
    from casebridge.services import cases

    case = await world.case()
    world.fault("create=drop-after")
    with pytest.raises(PushFailed):
        await world.push(case.id)
    wanted = cases.WantedChange(case.id, version_text(case.version), CaseChanges(title="Renamed"))
    await cases.change(world.ground, world.asking, [wanted])

    await world.push(case.id)

    assert len(world.issues) == 1
    assert world.issues[0]["fields"]["summary"] == "Renamed"


async def test_an_update_of_a_record_that_is_gone_fails_and_stays_a_failure(world: World):
    case = await world.case()
    await world.push(case.id)
    world.fault("update=status:404**")

    for _ in range(2):
        with pytest.raises(PushFailed):
            await world.push(case.id)

    assert len(world.issues) == 1


async def test_a_look_up_that_fails_in_the_worker_is_made_again_before_anything_is_sent(world: World):
    from casebridge.services import push
    from tests.push.conftest import CONNECTOR

    case = await world.case("one")
    world.fault("create=drop-after", "search=status:500*2", "comment=drop-after", "list_comments=status:401")
    await push.queue(world.ground, world.asking, case.id, CONNECTOR)

    for _ in range(8):
        await world.work(1)
        world.clock.advance(3600)

    assert_the_truth(world, ["one"])
    assert [each.state for each in await world.deliveries(case.id)] == ["delivered"]
