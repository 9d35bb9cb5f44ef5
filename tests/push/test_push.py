"""A push of a case: what arrives over there, and what the case says afterwards."""

from __future__ import annotations

import asyncio

import pytest

from casebridge.domain.errors import Conflict, NotFound, PushFailed
from casebridge.domain.query import Page
from casebridge.services import attachments, cases, connectors, deliveries, push, user_actions
from casebridge.services.push_success import Pushed
from tests.push.conftest import CONNECTOR, World


async def records(world: World, case_id: str) -> list[str]:
    found = await user_actions.list_all(world.ground, world.asking, case_id)
    return [each.type for each in found]


async def test_the_first_push_creates_one_issue_with_every_comment(world: World):
    case = await world.case("first", "second")

    pushed = await world.push(case.id)

    assert len(world.issues) == 1
    issue = world.issues[0]
    assert world.bodies() == ["first", "second"]
    assert issue["fields"]["summary"] == "Odd logons"
    assert issue["fields"]["description"] == "seen on two hosts\n\nAdded by Anna A.."
    assert set(issue["fields"]["labels"]) == {"vpn", "night-shift", f"casebridge-{case.id}"}
    service = pushed.case.external_service
    assert service is not None
    assert (service.external_id, service.external_title) == (issue["id"], issue["key"])
    assert service.external_url == f"{world.url}/browse/{issue['key']}"
    assert pushed.case.status == "open"
    assert all(each.pushed_at == service.pushed_at for each in pushed.attachments)
    assert pushed.case == await world.get(case.id)
    assert (await records(world, case.id))[-1] == "pushed"


async def test_a_second_push_updates_the_issue_and_sends_only_what_is_new(world: World):
    case = await world.case("first")
    await world.push(case.id)
    await world.comment(case.id, "second")

    await world.push(case.id)

    assert len(world.issues) == 1
    assert world.bodies() == ["first", "second"]
    assert [each.action for each in await world.deliveries(case.id)] == ["update", "create"]


async def test_an_edited_comment_is_edited_in_place(world: World):
    case = await world.case("frist", "second")
    (comment, _) = await attachments.list_all(world.ground, world.asking, case.id)
    await world.push(case.id)
    (comment, _) = await attachments.list_all(world.ground, world.asking, case.id)
    from casebridge.domain.version import version_text

    await attachments.edit(
        world.ground,
        world.asking,
        case.id,
        id_=comment.id,
        version=version_text(comment.version),
        payload={"type": "user", "owner": "cases", "comment": "first"},
    )
    await world.push(case.id)

    assert world.bodies() == ["first", "second"]


async def test_close_by_pushing_closes_the_case_and_says_so_before_the_push_record(world: World):
    await world.close_by_pushing()
    case = await world.case()

    pushed = await world.push(case.id)

    assert pushed.case.status == "closed"
    assert pushed.case.closed_by is not None
    assert (await records(world, case.id))[-2:] == ["status", "pushed"]
    with pytest.raises(Conflict, match="Odd logons"):
        await world.push(case.id)


async def test_a_refused_push_leaves_the_case_as_it_was(world: World):
    await world.close_by_pushing()
    case = await world.case("first")
    world.fault("create=status:400")

    with pytest.raises(PushFailed, match=r"Failed to push case.*Jira"):
        await world.push(case.id)

    assert await world.get(case.id) == case
    assert world.issues == []
    (delivery,) = await world.deliveries(case.id)
    assert delivery.state == "failed"
    assert delivery.error is not None
    assert delivery.error.code == "refused"


async def test_a_push_that_stops_at_a_comment_resumes_there(world: World):
    case = await world.case("one", "two", "three")
    world.fault("comment=status:400@1")

    with pytest.raises(PushFailed):
        await world.push(case.id)
    assert (await world.get(case.id)).external_service is None
    await world.push(case.id)

    assert len(world.issues) == 1
    assert world.bodies() == ["one", "two", "three"]
    states = [each.state for each in await world.deliveries(case.id)]
    assert states == ["delivered", "failed"]


async def test_an_unknown_case_or_connector_is_not_found(world: World):
    case = await world.case()

    for case_id, connector_id, kind in ((case.id, "nope", "action"), ("nope", CONNECTOR, "cases")):
        with pytest.raises(NotFound) as refused:
            await world.push(case_id, connector_id)
        assert refused.value.kind == kind
    assert await world.deliveries(case.id) == []


async def test_every_connector_keeps_its_own_record_of_a_case(world: World):
    await world.connector("jira-2")
    case = await world.case("hello")

    await world.push(case.id)
    await world.push(case.id, "jira-2")
    await world.push(case.id)

    assert len(world.issues) == 2
    assert world.bodies(0) == world.bodies(1) == ["hello"]


async def test_twenty_parallel_pushes_make_one_issue(world: World):
    case = await world.case("one", "two")

    results = await asyncio.gather(*(world.push(case.id) for _ in range(20)))

    assert len(results) == 20
    assert len(world.issues) == 1
    assert world.bodies() == ["one", "two"]
    states = {each.state for each in await world.deliveries(case.id)}
    assert states == {"delivered"}


async def test_of_parallel_pushes_that_close_the_case_one_does_and_the_others_are_told(world: World):
    await world.close_by_pushing()
    case = await world.case("one")

    results = await asyncio.gather(*(world.push(case.id) for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(each, Pushed) for each in results) == 1
    assert sum(isinstance(each, Conflict) for each in results) == 19
    assert len(world.issues) == 1
    assert [each.state for each in await world.deliveries(case.id)] == ["delivered"]


async def test_a_comment_added_while_a_push_is_under_way_belongs_to_the_next_one(world: World):
    case = await world.case("early")
    world.fault("create=delay:0.3")

    under_way = asyncio.create_task(world.push(case.id))
    await asyncio.sleep(0.15)
    late = await world.comment(case.id, "late")
    pushed = await under_way

    assert world.bodies() == ["early"]
    assert {each.id: each.pushed_at is None for each in pushed.attachments}[late] is True
    await world.push(case.id)
    assert world.bodies() == ["early", "late"]


async def test_a_change_made_while_a_push_is_under_way_stays(world: World):
    from casebridge.domain.case import CaseChanges
    from casebridge.domain.version import version_text

    case = await world.case()
    world.fault("create=delay:0.3")

    under_way = asyncio.create_task(world.push(case.id))
    await asyncio.sleep(0.15)
    wanted = cases.WantedChange(case.id, version_text(case.version), CaseChanges(title="Renamed"))
    await cases.change(world.ground, world.asking, [wanted])
    pushed = await under_way

    assert pushed.case.title == "Renamed"
    assert pushed.case.external_service is not None


async def test_a_case_deleted_while_it_is_pushed_is_not_found_and_the_delivery_keeps_the_issue(world: World):
    case = await world.case()
    world.fault("create=delay:0.3")

    under_way = asyncio.create_task(world.push(case.id))
    await asyncio.sleep(0.15)
    await cases.delete(world.ground, world.asking, [case.id])
    with pytest.raises(NotFound):
        await under_way

    (delivery,) = await world.deliveries(case.id)
    assert delivery.external_id == world.issues[0]["id"]
    assert delivery.state == "failed"


async def test_a_repeat_with_the_same_key_answers_the_first_push(world: World):
    case = await world.case("one")

    await world.push(case.id, key="k1")
    await world.push(case.id, key="k1")

    assert len(await world.deliveries(case.id)) == 1
    other = await world.case()
    with pytest.raises(Conflict):
        await world.push(other.id, key="k1")


async def test_a_repeat_of_a_failed_push_with_the_same_key_fails_alike_and_sends_nothing(world: World):
    case = await world.case()
    world.fault("create=status:400")

    with pytest.raises(PushFailed) as first:
        await world.push(case.id, key="k1")
    with pytest.raises(PushFailed) as second:
        await world.push(case.id, key="k1")

    assert str(second.value) == str(first.value)
    assert world.issues == []


async def test_a_queued_push_is_done_by_the_worker_with_retries(world: World):
    case = await world.case("one")
    world.fault("create=status:503*2")

    queued = await push.queue(world.ground, world.asking, case.id, CONNECTOR)
    assert queued.state == "queued"
    await world.work(1)
    assert [each.state for each in await world.deliveries(case.id)] == ["uncertain"]
    for _ in range(3):
        world.clock.advance(3600)
        await world.work(1)

    assert [each.state for each in await world.deliveries(case.id)] == ["delivered"]
    assert len(world.issues) == 1
    assert world.bodies() == ["one"]


async def test_a_push_by_hand_overtakes_what_was_queued(world: World):
    case = await world.case("one")
    queued = await push.queue(world.ground, world.asking, case.id, CONNECTOR)

    await world.push(case.id)

    delivery, _ = await deliveries.get(world.ground, world.asking, queued.id)
    assert delivery.state == "cancelled"
    await world.work()
    assert world.bodies() == ["one"]


async def test_a_failed_delivery_can_be_retried_and_a_waiting_one_cancelled(world: World):
    case = await world.case("one")
    world.fault("create=status:400")
    with pytest.raises(PushFailed):
        await world.push(case.id)
    (failed,) = await world.deliveries(case.id)

    with pytest.raises(Conflict):
        await deliveries.cancel(world.ground, world.asking, failed.id)
    queued = await deliveries.retry(world.ground, world.asking, failed.id)
    assert queued.state == "queued"
    cancelled = await deliveries.cancel(world.ground, world.asking, failed.id)
    assert cancelled.state == "cancelled"
    await deliveries.retry(world.ground, world.asking, failed.id)
    await world.work()

    delivery, tries = await deliveries.get(world.ground, world.asking, failed.id)
    assert delivery.state == "delivered"
    assert [each.outcome for each in tries] == ["permanent_fault", "delivered"]
    assert all("?" not in call.url and "@" not in call.url for each in tries for call in each.calls)


async def test_deleting_a_case_cancels_what_is_still_to_be_sent(world: World):
    case = await world.case()
    await push.queue(world.ground, world.asking, case.id, CONNECTOR)

    await cases.delete(world.ground, world.asking, [case.id])
    await world.work()

    assert [each.state for each in await world.deliveries(case.id)] == ["cancelled"]
    assert world.issues == []


async def test_a_connector_with_wrong_credentials_says_so_without_showing_them(world: World):
    await connectors.replace(
        world.ground,
        world.asking,
        CONNECTOR,
        name="Jira",
        config={"apiUrl": world.url, "projectKey": "OPS"},
        secrets={"email": "bot@example.org", "apiToken": "wr0ng-secret"},
    )
    case = await world.case()

    with pytest.raises(PushFailed) as refused:
        await world.push(case.id)

    assert "wr0ng" not in str(refused.value)
    assert "401" in str(refused.value)
    found, total = await deliveries.find(world.ground, world.asking, Page())
    assert total == 1
    assert found[0].error is not None
    assert found[0].error.permanent


async def test_a_push_marks_alerts_and_references_pushed_and_tells_the_number_of_alerts_once(world: World):
    case = await world.case("first")
    alert = {"type": "alert", "owner": "cases", "alertId": ["a", "b"], "index": ["i", "i"], "rule": NO_RULE}
    for payload in (alert, REFERENCE):
        await attachments.add(world.ground, world.asking, case.id, payload)

    await world.push(case.id)
    await world.push(case.id)

    stored = await attachments.list_all(world.ground, world.asking, case.id)
    assert [each.type for each in stored if each.pushed_at is not None] == ["user", "alert", "externalReference"]
    assert world.bodies() == ["first", "Elastic Alerts attached to the case: 2"]


NO_RULE = {"id": None, "name": None}
REFERENCE = {
    "type": "externalReference",
    "owner": "cases",
    "externalReferenceAttachmentTypeId": "indicator",
    "externalReferenceId": "ioc-4",
    "externalReferenceMetadata": None,
    "externalReferenceStorage": {"type": "elasticSearchDoc"},
}
