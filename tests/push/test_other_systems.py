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
from casebridge.services import attachments, cases, connectors, push
from casebridge.storage.session import Database
from tests.push.conftest import World, wired
from tests.push.test_crashes import die_at

HIVE = "hive-1"
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

    async def push(self, case_id: str, connector_id: str = HIVE, *, key: str | None = None) -> push.Pushed:
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
    (comment,) = await attachments.list_comments(hive.ground, hive.asking, case.id)
    await attachments.edit_comment(
        hive.ground,
        hive.asking,
        case.id,
        id_=comment.id,
        version=version_text(comment.version),
        owner="cases",
        text="one, edited",
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
