"""What a delivery left uncertain is looked up before anything is sent again, whatever people do in between."""

from __future__ import annotations

import contextlib

import pytest

from casebridge.connectors.jira import Jira
from casebridge.domain.errors import PushFailed
from casebridge.domain.version import version_text
from casebridge.services import attachments, connector_care, connectors, deliveries
from tests.push.conftest import CONNECTOR, World


async def left_uncertain(world: World, case_id: str, fault: str) -> str:
    """The delivery of a push whose answer was lost."""
    world.fault(fault)
    with pytest.raises(PushFailed):
        await world.push(case_id)
    delivery = (await world.deliveries(case_id))[0]
    assert delivery.state == "uncertain"
    return delivery.id


async def edit(world: World, case_id: str, id_: str, text: str) -> None:
    stored = await attachments.get(world.ground, world.asking, case_id, id_)
    version = version_text(stored.version)
    await attachments.edit(
        world.ground,
        world.asking,
        case_id,
        id_=id_,
        version=version,
        payload={"type": "user", "owner": "cases", "comment": text},
    )


async def assert_settled(world: World, case_id: str, comments: list[str]) -> None:
    assert len(world.issues) == 1
    assert world.bodies() == comments
    found = await world.deliveries(case_id)
    assert {each.state for each in found} <= {"delivered", "cancelled"}
    assert all(each.step is None for each in found)


async def test_a_worker_whose_look_up_fails_still_looks_before_it_sends(world: World):
    case = await world.case("one")
    id_ = await left_uncertain(world, case.id, "create=drop-after")
    await deliveries.retry(world.ground, world.asking, id_)
    world.fault("search=status:503")
    await world.work()
    assert [each.state for each in await world.deliveries(case.id)] == ["uncertain"]

    world.clock.advance(4000)
    await world.work()

    await assert_settled(world, case.id, ["one"])


async def test_a_connector_that_was_away_does_not_make_the_lost_answer_forgotten(world: World):
    case = await world.case("one")
    id_ = await left_uncertain(world, case.id, "create=drop-after")
    await connectors.delete(world.ground, world.asking, CONNECTOR)
    await deliveries.retry(world.ground, world.asking, id_)
    await world.work()
    await world.connector()
    await deliveries.retry(world.ground, world.asking, id_)

    await world.work()

    await assert_settled(world, case.id, ["one"])


@pytest.mark.parametrize("fault", ["create=drop-after", "comment=drop-after"])
async def test_what_a_withdrawn_delivery_left_uncertain_is_looked_up_by_the_next_push(world: World, fault: str):
    case = await world.case("one")
    id_ = await left_uncertain(world, case.id, fault)
    await deliveries.cancel(world.ground, world.asking, id_)

    await world.push(case.id)

    await assert_settled(world, case.id, ["one"])


@pytest.mark.parametrize("fault", ["create=drop-after", "comment=drop-after"])
async def test_a_push_by_hand_looks_up_what_a_retried_delivery_has_not_looked_up_yet(world: World, fault: str):
    case = await world.case("one")
    id_ = await left_uncertain(world, case.id, fault)
    await deliveries.retry(world.ground, world.asking, id_)

    await world.push(case.id)
    await world.work()

    await assert_settled(world, case.id, ["one"])


async def test_a_delivery_on_which_every_sender_dies_is_left_to_a_person_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    async def fatal(self: Jira, external_id: str) -> None:
        raise MemoryError

    monkeypatch.setattr(Jira, "read", fatal)
    case = await world.case()
    with pytest.raises(MemoryError):
        await world.push(case.id)

    for _ in range(40):
        world.clock.advance(10)
        with contextlib.suppress(MemoryError):
            await world.work(1)

    (delivery,) = await world.deliveries(case.id)
    assert (delivery.state, delivery.next_attempt_at) == ("uncertain", None)
    assert delivery.attempt_count == world.ground.push.retry.attempts


async def test_an_unfinished_incident_of_another_connector_is_not_adopted(world: World):
    await world.connector("jira-2")
    case = await world.case("one")
    world.fault("comment=status:400")
    with pytest.raises(PushFailed):
        await world.push(case.id)
    world.fault("create=drop-before")
    with pytest.raises(PushFailed):
        await world.push(case.id, "jira-2")

    await world.push(case.id, "jira-2")
    await world.push(case.id)

    assert [world.bodies(0), world.bodies(1)] == [["one"], ["one"]]


async def test_a_comment_edited_back_to_its_first_text_is_not_taken_for_the_first_one(world: World):
    await connector_care.save_settings(world.ground, world.asking, CONNECTOR, {"edited_comments": "append"}, None)
    case = await world.case()
    id_ = await world.comment(case.id, "A")
    await world.push(case.id)
    await edit(world, case.id, id_, "B")
    await world.push(case.id)
    await edit(world, case.id, id_, "A")
    world.fault("comment=drop-before")
    with pytest.raises(PushFailed):
        await world.push(case.id)

    await world.push(case.id)

    assert world.bodies() == ["A", "B", "A"]


async def test_an_earlier_delivery_that_turns_out_to_be_there_names_the_record_and_its_comments(world: World):
    case = await world.case("one")
    id_ = await left_uncertain(world, case.id, "comment=drop-after")

    await world.push(case.id)

    earlier, _ = await deliveries.get(world.ground, world.asking, id_)
    (issue,) = world.issues
    assert (earlier.state, earlier.external_id) == ("delivered", issue["id"])
    assert earlier.external_url
    assert [(each.state, each.external_id) for each in earlier.comments] == [("accepted", issue["comments"][0]["id"])]
