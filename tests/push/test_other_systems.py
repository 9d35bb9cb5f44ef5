"""The same promises through the other systems: one record, every comment once, and a case that says the truth."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from casebridge.domain.case import Case, CaseChanges
from casebridge.domain.connector import CaseConnector
from casebridge.domain.errors import PushFailed
from casebridge.domain.version import version_text
from casebridge.sandbox.thehive import thehive_app
from casebridge.sandbox.webhook import connector_config, webhook_app
from casebridge.services import attachments, cases, connectors, deliveries, push
from casebridge.services.push_success import Pushed
from casebridge.storage.session import Database
from tests.push.conftest import World, wired
from tests.push.test_crashes import die_at

HIVE = "hive-1"
HOOK = "hook-1"
KINDS = (
    "drop-before", "drop-after", "status:500", "status:503", "status:429", "status:408", "rate-limit:0",
    "half-body", "html", "html-after", "no-id",
)  # fmt: skip


async def rename(world: World, case: Case, title: str) -> None:
    """Give the case another title."""
    present = await world.get(case.id)
    wanted = cases.WantedChange(case.id, version_text(present.version), CaseChanges(title=title))
    await cases.change(world.ground, world.asking, [wanted])


def bare(text: str) -> str:
    """A comment without the line that names its author."""
    return text.partition("\n\nAdded by")[0]


class HiveWorld(World):
    """A server with a connector to a simulated TheHive."""

    async def connector(self, id_: str = HIVE) -> None:
        await connectors.create(
            self.ground,
            self.asking,
            id_=id_,
            name="Hive",
            type_id=".thehive",
            config={"url": self.url, "organisation": "soc"},
            secrets={"apiKey": "sandbox-key"},
        )

    async def case(self, *comments: str, **given: Any) -> Case:
        connector = CaseConnector(HIVE, "Hive", ".thehive", {"tlp": "3"})
        return await super().case(*comments, **{"connector": connector, **given})

    async def push(self, case_id: str, connector_id: str = HIVE, *, key: str | None = None) -> Pushed:
        return await super().push(case_id, connector_id, key=key)

    @property
    def issues(self) -> list[dict[str, Any]]:
        return list(self.jira.state(None)["cases"])

    def issues_of(self, case_id: str) -> list[dict[str, Any]]:
        return [each for each in self.issues if f"casebridge:{case_id}" in each["tags"]]

    def bodies(self, issue: int = 0) -> list[str]:
        return [bare(each["message"]) for each in self.issues[issue]["comments"]]


@pytest.fixture
async def hive(database: Database) -> AsyncIterator[HiveWorld]:
    async with wired(HiveWorld, thehive_app(), database) as there:
        yield there


async def test_a_first_push_to_thehive_makes_a_case_there_with_all_that_is_ours(hive: HiveWorld):
    case = await hive.case("one", severity="high")
    pushed = await hive.push(case.id)
    (there,) = hive.issues
    assert (there["title"], there["severity"], there["tlp"]) == ("Odd logons", 3, 3)
    assert there["tags"] == ["vpn", "night shift", f"casebridge:{case.id}"]
    assert there["description"] == "seen on two hosts\n\nAdded by Anna A.."
    service = pushed.case.external_service
    assert service is not None
    assert (service.external_id, service.external_title) == (there["_id"], "Odd logons")
    assert service.external_url == f"{hive.url}/cases/{there['_id']}/details"


async def test_a_later_push_to_thehive_updates_the_case_and_sends_each_comment_once(hive: HiveWorld):
    case = await hive.case("one")
    await hive.push(case.id)
    await rename(hive, case, "Renamed")
    second = await hive.comment(case.id, "two")
    assert second
    await hive.push(case.id)
    await hive.push(case.id)
    (there,) = hive.issues
    assert there["title"] == "Renamed"
    assert f"casebridge:{case.id}" in there["tags"]
    assert hive.bodies() == ["one", "two"]
    assert [each.step for each in hive.jira.journal.entries].count("get") == 0


async def test_a_comment_edited_here_is_edited_in_thehive(hive: HiveWorld):
    case = await hive.case("one")
    await hive.push(case.id)
    (comment,) = await attachments.list_all(hive.ground, hive.asking, case.id)
    await attachments.edit(
        hive.ground,
        hive.asking,
        case.id,
        id_=comment.id,
        version=version_text(comment.version),
        payload={"type": "user", "owner": "cases", "comment": "one, edited"},
    )
    await hive.push(case.id)
    assert hive.bodies() == ["one, edited"]
    assert hive.issues[0]["comments"][0]["isEdited"] is True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["create", "comment"])
async def test_after_any_fault_of_a_first_push_to_thehive_the_next_makes_it_whole(
    hive: HiveWorld, step: str, kind: str
):
    await hive.close_by_pushing()
    case = await hive.case("one", "two")
    hive.fault(f"{step}={kind}")
    with pytest.raises(PushFailed):
        await hive.push(case.id)
    stored = await hive.get(case.id)
    assert (stored.external_service, stored.status, stored.version) == (None, "open", case.version)

    await hive.push(case.id)

    assert len(hive.issues) == 1
    assert hive.bodies() == ["one", "two"]
    assert (await hive.get(case.id)).status == "closed"
    assert all(each.state not in ("sending", "uncertain") for each in await hive.deliveries(case.id))


@pytest.mark.parametrize("kind", ["drop-before", "drop-after", "status:500", "status:503", "html-after"])
@pytest.mark.parametrize("step", ["update", "comment"])
async def test_after_any_fault_of_a_later_push_to_thehive_the_next_makes_it_whole(
    hive: HiveWorld, step: str, kind: str
):
    case = await hive.case("one")
    await hive.push(case.id)
    await hive.comment(case.id, "two")
    await hive.comment(case.id, "two")
    hive.fault(f"{step}={kind}")
    with contextlib.suppress(PushFailed):
        await hive.push(case.id)
    await hive.push(case.id)
    assert len(hive.issues) == 1
    assert hive.bodies() == ["one", "two", "two"]


async def test_a_failing_query_fails_the_push_to_thehive_and_sends_nothing(hive: HiveWorld):
    case = await hive.case("one")
    hive.fault("create=drop-after", "query=status:500")
    for _ in range(2):
        with pytest.raises(PushFailed):
            await hive.push(case.id)
    assert [each["comments"] for each in hive.issues] == [[]]
    await hive.push(case.id)
    assert hive.bodies() == ["one"]


@pytest.mark.parametrize("taken_up_by", ["worker", "push"])
async def test_wherever_the_process_dies_thehive_ends_with_one_case_and_each_comment_once(
    hive: HiveWorld, taken_up_by: str
):
    await hive.close_by_pushing()
    at = 0
    while True:
        case = await hive.case("one", "two")
        if not await die_at(hive, case.id, at):
            break
        hive.clock.advance(10)
        if taken_up_by == "worker":
            await hive.work()
        if (await hive.get(case.id)).status != "closed":
            await hive.push(case.id)
            await hive.work()
        (there,) = hive.issues_of(case.id)
        assert [bare(each["message"]) for each in there["comments"]] == ["one", "two"]
        assert (await hive.get(case.id)).status == "closed"
        at += 1
    assert at >= 10


# A webhook: nothing can be looked up, so after a lost answer only a person has it sent again (external/README.md 6)


class HookWorld(World):
    """A server with a connector to a simulated ticket system."""

    async def connector(self, id_: str = HOOK) -> None:
        await connectors.create(
            self.ground,
            self.asking,
            id_=id_,
            name="Tickets",
            type_id=".cases-webhook",
            config=connector_config(self.url),
            secrets={"user": "casebridge", "password": "sandbox-password"},
        )

    async def case(self, *comments: str, **given: Any) -> Case:
        return await super().case(*comments, **{"connector": CaseConnector(HOOK, "Tickets", ".cases-webhook"), **given})

    async def push(self, case_id: str, connector_id: str = HOOK, *, key: str | None = None) -> Pushed:
        return await super().push(case_id, connector_id, key=key)

    @property
    def issues(self) -> list[dict[str, Any]]:
        return list(self.jira.state(None)["tickets"])

    def issues_of(self, case_id: str) -> list[dict[str, Any]]:
        return [each for each in self.issues if each["caseId"] == case_id]

    def bodies(self, issue: int = 0) -> list[str]:
        return [bare(each["text"]) for each in self.issues[issue]["comments"]]

    def sent(self, step: str) -> list[tuple[str, Any]]:
        """Key and body of every request of a step."""
        entries = [each for each in self.jira.journal.entries if each.step == step]
        return [(each.headers["idempotency-key"], each.body) for each in entries]

    async def states(self, case_id: str) -> list[str]:
        """States of the case's deliveries, newest first."""
        return [each.state for each in await self.deliveries(case_id)]


@pytest.fixture
async def hook(database: Database) -> AsyncIterator[HookWorld]:
    async with wired(HookWorld, webhook_app(), database) as there:
        yield there


UNKNOWN = ("drop-before", "drop-after", "status:503", "status:408", "half-body", "html-after")
NOT_DONE = ("status:400", "status:500", "rate-limit:0")


async def test_a_first_push_to_a_webhook_sends_the_case_without_footer_and_comments_with_keys_of_their_own(
    hook: HookWorld,
):
    case = await hook.case("one", "one", severity="high")
    pushed = await hook.push(case.id)
    (there,) = hook.issues
    assert (there["description"], there["severity"], there["status"]) == ("seen on two hosts", "high", "open")
    assert there["tags"] == ["vpn", "night shift"]
    assert there["comments"][0]["text"] == "one\n\nAdded by Anna A.."
    assert len({key for key, _ in [*hook.sent("create"), *hook.sent("comment")]}) == 3
    service = pushed.case.external_service
    assert service is not None
    assert (service.external_id, service.external_title) == ("501", "TKT-501")
    assert service.external_url == f"{hook.url}/view/501"


async def test_a_later_push_to_a_webhook_updates_the_ticket_and_sends_each_comment_once(hook: HookWorld):
    case = await hook.case("one")
    await hook.push(case.id)
    await rename(hook, case, "Renamed")
    await hook.comment(case.id, "two")
    await hook.push(case.id)
    await hook.push(case.id)
    (there,) = hook.issues
    assert there["summary"] == "Renamed"
    assert hook.bodies() == ["one", "two"]


@pytest.mark.parametrize("kind", UNKNOWN)
@pytest.mark.parametrize("step", ["create", "comment"])
async def test_a_lost_answer_of_a_webhook_stays_uncertain_until_a_push_by_hand_repeats_it_unchanged(
    hook: HookWorld, step: str, kind: str
):
    case = await hook.case("one", "two")
    hook.fault(f"{step}={kind}")
    with pytest.raises(PushFailed, match="may exist and cannot be looked up"):
        await hook.push(case.id)
    assert await hook.states(case.id) == ["uncertain"]
    assert (await hook.get(case.id)).external_service is None
    hook.clock.advance(7200)
    await hook.work()
    assert len(hook.sent(step)) == 1
    await rename(hook, case, "Renamed")

    await hook.push(case.id)

    first, second = hook.sent(step)[:2]
    assert first == second
    (there,) = hook.issues
    assert there["summary"] == "Renamed"
    assert hook.bodies() == ["one", "two"]
    assert not {"sending", "uncertain"} & set(await hook.states(case.id))


@pytest.mark.parametrize("kind", NOT_DONE)
@pytest.mark.parametrize("step", ["create", "comment"])
async def test_what_a_webhook_refuses_is_not_done_and_sent_anew_by_the_next_push(hook: HookWorld, step: str, kind: str):
    case = await hook.case("one", "two")
    hook.fault(f"{step}={kind}")
    with pytest.raises(PushFailed):
        await hook.push(case.id)
    assert await hook.states(case.id) == ["failed"]
    await hook.push(case.id)
    assert len(hook.issues) == 1
    assert hook.bodies() == ["one", "two"]


async def test_a_queued_push_to_a_webhook_stops_as_uncertain_and_a_retry_by_hand_goes_on(hook: HookWorld):
    case = await hook.case("one")
    hook.fault("create=drop-after")
    await push.queue(hook.ground, hook.asking, case.id, HOOK)
    for _ in range(5):
        await hook.work(1)
        hook.clock.advance(7200)
    (delivery,) = await hook.deliveries(case.id)
    assert (delivery.state, delivery.next_attempt_at, len(hook.sent("create"))) == ("uncertain", None, 1)

    await deliveries.retry(hook.ground, hook.asking, delivery.id)
    await hook.work(1)

    assert await hook.states(case.id) == ["delivered"]
    assert hook.sent("create")[0] == hook.sent("create")[1]
    assert (len(hook.issues), hook.bodies()) == (1, ["one"])


@pytest.mark.parametrize("kind", ["status:400", "rate-limit:0", "status:500", "drop-before", "drop-after"])
async def test_a_repeat_that_fails_leaves_the_first_one_as_uncertain_as_it_was(hook: HookWorld, kind: str):
    case = await hook.case("one")
    hook.fault("create=drop-after", f"create={kind}")
    for _ in range(2):
        with pytest.raises(PushFailed, match="may exist"):
            await hook.push(case.id)
    assert set(await hook.states(case.id)) == {"uncertain"}
    await hook.push(case.id)
    assert len({key for key, _ in hook.sent("create")}) == 1
    assert (len(hook.issues), hook.bodies()) == (1, ["one"])


async def test_a_cancelled_delivery_is_not_repeated(hook: HookWorld):
    case = await hook.case()
    hook.fault("create=drop-before")
    with pytest.raises(PushFailed):
        await hook.push(case.id)
    (delivery,) = await hook.deliveries(case.id)
    await deliveries.cancel(hook.ground, hook.asking, delivery.id)
    await hook.push(case.id)
    assert len({key for key, _ in hook.sent("create")}) == 2
    assert len(hook.issues) == 1


async def test_wherever_the_process_dies_no_worker_repeats_and_a_push_by_hand_leaves_one_ticket(hook: HookWorld):
    await hook.close_by_pushing()
    at = 0
    while True:
        case = await hook.case("one", "two")
        if not await die_at(hook, case.id, at):
            break
        hook.clock.advance(10)
        await hook.work()
        if (await hook.get(case.id)).status != "closed":
            sent = len(hook.jira.journal.entries)
            hook.clock.advance(7200)
            await hook.work()
            assert len(hook.jira.journal.entries) == sent
            await hook.push(case.id)
        (there,) = hook.issues_of(case.id)
        assert [bare(each["text"]) for each in there["comments"]] == ["one", "two"]
        assert (await hook.get(case.id)).status == "closed"
        assert not {"sending", "uncertain", "waiting", "queued"} & set(await hook.states(case.id))
        at += 1
    assert at >= 10
