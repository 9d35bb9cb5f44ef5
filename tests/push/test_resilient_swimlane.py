"""Pushes to Resilient and Swimlane: one record a case, every comment once, whatever happens on the way."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request

from casebridge.connectors.html_text import to_text
from casebridge.domain.case import Case, CaseChanges
from casebridge.domain.connector import CaseConnector
from casebridge.domain.errors import PushFailed
from casebridge.domain.version import version_text
from casebridge.sandbox.resilient import resilient_app
from casebridge.sandbox.swimlane import FIELDS, swimlane_app
from casebridge.services import attachments, cases, connector_care, connectors, deliveries, push
from casebridge.services.push_success import Pushed
from casebridge.storage.session import Database
from tests.push.conftest import CONNECTOR, World, wired
from tests.push.test_crashes import die_at

KINDS = (
    "drop-before", "drop-after", "status:500", "status:503", "status:429", "status:408", "rate-limit:0",
    "half-body", "html", "html-after", "no-id",
)  # fmt: skip


MAPPABLE = {each["id"]: each for each in FIELDS}


class Desk(World):
    """A world with another system on the far side."""

    type_: str
    config: dict[str, Any]
    secrets: dict[str, str]

    async def connector(self, id_: str = CONNECTOR) -> None:
        await connectors.create(
            self.ground,
            self.asking,
            id_=id_,
            name=f"Desk {id_}",
            type_id=self.type_,
            config={"apiUrl": self.url, **self.config},
            secrets=self.secrets,
        )

    async def case(self, *comments: str, **given: Any) -> Case:
        given = {"connector": CaseConnector(CONNECTOR, "Desk", self.type_), **given}
        return await super().case(*comments, **given)

    async def rename(self, case_id: str, title: str) -> None:
        case = await self.get(case_id)
        wanted = cases.WantedChange(case.id, version_text(case.version), CaseChanges(title=title))
        await cases.change(self.ground, self.asking, [wanted])

    async def edit(self, case_id: str, comment_id: str, text: str) -> None:
        comment = await attachments.get(self.ground, self.asking, case_id, comment_id)
        await attachments.edit(
            self.ground,
            self.asking,
            case_id,
            id_=comment_id,
            version=version_text(comment.version),
            payload={"type": "user", "owner": "cases", "comment": text},
        )

    async def try_to_push(self, case_id: str) -> None:
        with contextlib.suppress(PushFailed):
            await self.push(case_id)

    def state(self) -> dict[str, Any]:
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "scheme": "http"}
        return self.jira.state(Request({**scope, "server": ("127.0.0.1", 80)}))

    def records(self) -> list[tuple[str, str, list[str]]]:
        """Every record over there: id, title, and the comments without their authors."""
        raise NotImplementedError

    def assert_one(self, title: str, comments: list[str]) -> None:
        assert [(found, notes) for _, found, notes in self.records()] == [(title, comments)]

    async def assert_whole(self, case_id: str, title: str, comments: list[str]) -> None:
        """One record of that title, its comments, and a case and deliveries that say so."""
        ((id_, notes),) = [(id_, notes) for id_, found, notes in self.records() if found == title]
        assert notes == comments
        case = await self.get(case_id)
        assert case.external_service is not None
        assert case.external_service.external_id == id_
        states = {each.state for each in await self.deliveries(case_id)}
        assert "delivered" in states
        assert not states & {"sending", "uncertain", "queued", "waiting"}


class ResilientDesk(Desk):
    type_ = ".resilient"
    config = {"orgId": "201"}
    secrets = {"apiKeyId": "sandbox-key", "apiKeySecret": "sandbox-secret"}

    def records(self) -> list[tuple[str, str, list[str]]]:
        return [
            (str(each["id"]), each["name"], [said(note["text"]["content"]) for note in each["comments"]])
            for each in self.state()["incidents"]
        ]


class SwimlaneDesk(Desk):
    """With the case id in a field of its own, so that a lost record can be found."""

    type_ = ".swimlane"
    config = {
        "appId": "aX3k",
        "connectorType": "cases",
        "mappings": {
            "caseIdConfig": MAPPABLE["a6ide"],
            "caseNameConfig": MAPPABLE["adnlas"],
            "descriptionConfig": MAPPABLE["a6fdf"],
            "commentsConfig": MAPPABLE["ahu7v"],
        },
    }
    secrets = {"apiToken": "sandbox-token"}

    def records(self) -> list[tuple[str, str, list[str]]]:
        return [
            (
                each["id"],
                each["values"]["adnlas"],
                [said(to_text(note["message"])) for note in each["comments"].get("ahu7v", [])],
            )
            for each in self.state()["records"]
        ]


class BlindSwimlaneDesk(SwimlaneDesk):
    """Without a case id over there."""

    config = {
        **SwimlaneDesk.config,
        "mappings": {**SwimlaneDesk.config["mappings"], "caseIdConfig": None},
    }


def said(text: str) -> str:
    return text.partition("\n\nAdded by")[0]


DESKS: dict[str, Any] = {"resilient": (resilient_app, ResilientDesk), "swimlane": (swimlane_app, SwimlaneDesk)}


@pytest.fixture(params=list(DESKS))
async def desk(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Desk]:
    app, kind = DESKS[request.param]
    async with wired(kind, app(), database) as there:
        yield there


@pytest.fixture
async def resilient(database: Database) -> AsyncIterator[ResilientDesk]:
    async with wired(ResilientDesk, resilient_app(), database) as there:
        yield there


@pytest.fixture
async def swimlane(database: Database) -> AsyncIterator[SwimlaneDesk]:
    async with wired(SwimlaneDesk, swimlane_app(), database) as there:
        yield there


@pytest.fixture
async def blind(database: Database) -> AsyncIterator[BlindSwimlaneDesk]:
    async with wired(BlindSwimlaneDesk, swimlane_app(), database) as there:
        yield there


# Without faults


async def test_a_first_push_creates_and_a_second_one_updates_the_same_record(desk: Desk):
    case = await desk.case("one", "two")
    await desk.push(case.id)
    await desk.rename(case.id, "Odd logons, confirmed")
    await desk.comment(case.id, "three")
    await desk.push(case.id)
    await desk.push(case.id)
    await desk.assert_whole(case.id, "Odd logons, confirmed", ["one", "two", "three"])
    assert len(desk.records()) == 1


async def test_every_word_is_readable_over_there_however_it_looks(desk: Desk):
    case = await desk.case("<b>one</b> & two\nthree", title="<i>Odd</i> & even")
    await desk.push(case.id)
    desk.assert_one("<i>Odd</i> & even", ["<b>one</b> & two\nthree"])


async def test_two_comments_with_the_same_text_are_two(desk: Desk):
    case = await desk.case("one", "one")
    desk.fault("comment=drop-after")
    await desk.try_to_push(case.id)
    await desk.push(case.id)
    desk.assert_one("Odd logons", ["one", "one"])


async def test_a_preview_right_after_a_push_finds_nothing_to_change(desk: Desk):
    case = await desk.case("one")
    before = await connector_care.preview(desk.ground, desk.asking, case.id, CONNECTOR)
    await desk.push(case.id)
    after = await connector_care.preview(desk.ground, desk.asking, case.id, CONNECTOR)
    assert (before.action, len(before.comments)) == ("create", 1)
    assert (after.action, after.changes, after.comments) == ("update", [], [])


async def test_a_connection_test_and_wrong_credentials_are_told_apart(desk: Desk):
    assert (await connector_care.try_out(desk.ground, desk.asking, CONNECTOR)).ok
    desk.secrets = dict.fromkeys(desk.secrets, "wrong-secret")
    await desk.connector("wrong")
    trial = await connector_care.try_out(desk.ground, desk.asking, "wrong")
    assert not trial.ok
    assert "accepted" in trial.detail
    assert "wrong-secret" not in trial.detail


# Faults


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["create", "get", "comment"])
async def test_after_any_fault_of_a_first_push_the_next_one_makes_it_whole(desk: Desk, step: str, kind: str):
    case = await desk.case("one", "two")
    desk.fault(f"{step}={kind}")
    try:
        await desk.push(case.id)
    except PushFailed:
        stored = await desk.get(case.id)
        assert (stored.external_service, stored.version) == (None, case.version)
        await desk.push(case.id)
    desk.assert_one("Odd logons", ["one", "two"])
    await desk.assert_whole(case.id, "Odd logons", ["one", "two"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["update", "get", "comment"])
async def test_after_any_fault_of_a_later_push_the_next_one_makes_it_whole(desk: Desk, step: str, kind: str):
    case = await desk.case("one")
    await desk.push(case.id)
    await desk.comment(case.id, "two")
    await desk.comment(case.id, "two")
    desk.fault(f"{step}={kind}")
    await desk.try_to_push(case.id)
    await desk.push(case.id)
    desk.assert_one("Odd logons", ["one", "two", "two"])


@pytest.mark.parametrize("kind", ["drop-after", "html-after", "half-body", "no-id"])
async def test_what_the_worker_left_uncertain_it_looks_up_before_it_sends_again(desk: Desk, kind: str):
    case = await desk.case("one", "two")
    desk.fault(f"create={kind}", f"comment={kind}")
    await push.queue(desk.ground, desk.asking, case.id, CONNECTOR)
    for _ in range(6):
        await desk.work(1)
        desk.clock.advance(3600)
    desk.assert_one("Odd logons", ["one", "two"])
    assert [each.state for each in await desk.deliveries(case.id)] == ["delivered"]


async def test_a_worker_whose_look_up_fails_looks_again_and_creates_nothing_meanwhile(desk: Desk):
    case = await desk.case("one")
    desk.fault("create=drop-after", "search=status:503*2")
    await push.queue(desk.ground, desk.asking, case.id, CONNECTOR)
    for _ in range(6):
        await desk.work(1)
        desk.clock.advance(3600)
    await desk.assert_whole(case.id, "Odd logons", ["one"])
    assert len(desk.records()) == 1


async def test_a_failing_look_up_fails_the_push_and_sends_nothing(desk: Desk):
    case = await desk.case("one")
    desk.fault("create=drop-after", "search=status:500")
    with pytest.raises(PushFailed, match="may exist; the next push looks for it"):
        await desk.push(case.id)
    with pytest.raises(PushFailed):
        await desk.push(case.id)
    desk.assert_one("Odd logons", [])
    await desk.push(case.id)
    desk.assert_one("Odd logons", ["one"])


async def test_a_case_renamed_after_a_lost_answer_is_adopted_and_brought_up_to_date(desk: Desk):
    case = await desk.case()
    desk.fault("create=drop-after")
    await desk.try_to_push(case.id)
    await desk.rename(case.id, "Renamed")
    await desk.push(case.id)
    desk.assert_one("Renamed", [])


async def test_two_cases_alike_that_both_lost_their_answers_end_with_a_record_each(desk: Desk):
    alike = [await desk.case(f"note {number}") for number in range(2)]
    desk.fault("create=drop-after*2")
    for case in alike:
        await desk.try_to_push(case.id)
    for case in reversed(alike):
        await desk.push(case.id)
    assert sorted(notes for _, _, notes in desk.records()) == [["note 0"], ["note 1"]]


# Crashes


@pytest.mark.parametrize("taken_up_by", ["worker", "push"])
async def test_wherever_the_process_dies_the_push_ends_with_one_record_and_each_comment_once(
    desk: Desk, taken_up_by: str
):
    at = 0
    while True:
        title = f"Odd logons {at}"
        case = await desk.case("one", "two", title=title)
        if not await die_at(desk, case.id, at):
            break
        desk.clock.advance(10)
        if taken_up_by == "worker":
            await desk.work()
        if (await desk.get(case.id)).external_service is None:
            await desk.push(case.id)
            await desk.work()
        await desk.assert_whole(case.id, title, ["one", "two"])
        at += 1
    assert at >= 10


@pytest.mark.parametrize("step", ["create", "comment"])
async def test_a_lost_answer_and_a_crash_together_still_leave_one_record(desk: Desk, step: str):
    for at in range(1, 12):
        title = f"Odd logons {at}"
        case = await desk.case("one", "two", title=title)
        desk.jira.faults.clear()
        desk.fault(f"{step}=drop-after")
        with contextlib.suppress(PushFailed):
            await die_at(desk, case.id, at)
        desk.clock.advance(10)
        await desk.work()
        if (await desk.get(case.id)).external_service is None:
            await desk.push(case.id)
        await desk.assert_whole(case.id, title, ["one", "two"])


# Resilient alone


async def test_types_severity_and_additional_fields_arrive_and_are_changed(resilient: ResilientDesk):
    def connector(severity: str, **more: Any) -> CaseConnector:
        fields = {"incidentTypes": ["1001"], "severityCode": severity, "additionalFields": json.dumps(more)}
        return CaseConnector(CONNECTOR, "Desk", ".resilient", fields)

    case = await resilient.case(connector=connector("6", zone="31", tools=[41, "42"], notes="n", hosts=3, city="Bonn"))
    await resilient.push(case.id)
    (incident,) = resilient.jira.incidents.values()
    assert (incident["incident_type_ids"], incident["severity_code"], incident["city"]) == ([1001], 6, "Bonn")
    assert incident["properties"].items() >= {"zone": 31, "tools": [41, 42], "hosts": 3}.items()

    changes = CaseChanges(connector=connector("4", zone=32, notes="m", confirmed=True))
    case = await resilient.get(case.id)
    wanted = cases.WantedChange(case.id, version_text(case.version), changes)
    await cases.change(resilient.ground, resilient.asking, [wanted])
    await resilient.push(case.id)
    assert incident["severity_code"] == 4
    assert incident["properties"].items() >= {"zone": 32, "tools": [41, 42], "confirmed": True}.items()
    assert incident["properties"]["notes"] == {"format": "text", "content": "m"}


async def test_an_incident_renamed_over_there_is_still_found(resilient: ResilientDesk):
    case = await resilient.case()
    resilient.fault("create=drop-after")
    await resilient.try_to_push(case.id)
    (incident,) = resilient.jira.incidents.values()
    incident["name"] = "Renamed over there"
    await resilient.push(case.id)
    resilient.assert_one("Odd logons", [])


@pytest.mark.parametrize("kind", ["drop-before", "status:500", "status:400"])
async def test_the_moment_of_discovery_is_the_same_in_every_repeat(resilient: ResilientDesk, kind: str):
    case = await resilient.case()
    resilient.fault(f"create={kind}*2")
    await resilient.try_to_push(case.id)
    await resilient.try_to_push(case.id)
    await resilient.push(case.id)
    creates = [each.body["discovered_date"] for each in resilient.jira.journal.entries if each.step == "create"]
    assert len(creates) == 3
    assert len(set(creates)) == 1


async def test_an_edited_comment_is_edited_in_place_or_added_again_when_it_is_gone(resilient: ResilientDesk):
    case = await resilient.case("one", "two")
    await resilient.push(case.id)
    for each in await attachments.list_all(resilient.ground, resilient.asking, case.id):
        await resilient.edit(case.id, each.id, f"edited {each.payload['comment']}")
    (notes,) = resilient.jira.comments.values()
    del notes[0]
    await resilient.push(case.id)
    resilient.assert_one("Odd logons", ["edited two", "edited one"])


async def test_somebody_quicker_makes_the_push_fail_and_the_next_one_succeed(resilient: ResilientDesk):
    case = await resilient.case()
    await resilient.push(case.id)
    resilient.fault('update=status:200:{"success":false,"message":"Somebody was quicker."}')
    with pytest.raises(PushFailed, match=r"changed nothing.*Somebody was quicker"):
        await resilient.push(case.id)
    await resilient.push(case.id)
    resilient.assert_one("Odd logons", [])


# Swimlane alone


async def test_a_record_carries_the_id_of_its_case_unless_the_case_names_another(swimlane: SwimlaneDesk):
    case = await swimlane.case()
    other = await swimlane.case(connector=CaseConnector(CONNECTOR, "Desk", ".swimlane", {"caseId": "SOC-7"}))
    await swimlane.push(case.id)
    await swimlane.push(other.id)
    assert [each["values"]["a6ide"] for each in swimlane.state()["records"]] == [case.id, "SOC-7"]


async def test_an_edited_comment_is_added_again(swimlane: SwimlaneDesk):
    case = await swimlane.case("one")
    await swimlane.push(case.id)
    (comment,) = await attachments.list_all(swimlane.ground, swimlane.asking, case.id)
    await swimlane.edit(case.id, comment.id, "edited")
    await swimlane.push(case.id)
    swimlane.assert_one("Odd logons", ["one", "edited"])


async def test_an_old_text_over_there_is_not_taken_for_a_new_comment_that_was_lost(swimlane: SwimlaneDesk):
    case = await swimlane.case("one")
    await swimlane.push(case.id)
    (comment,) = await attachments.list_all(swimlane.ground, swimlane.asking, case.id)
    await swimlane.edit(case.id, comment.id, "edited")
    await swimlane.push(case.id)
    swimlane.clock.advance(7200)
    await swimlane.comment(case.id, "one")
    swimlane.fault("comment=drop-before")
    await swimlane.try_to_push(case.id)
    await swimlane.push(case.id)
    swimlane.assert_one("Odd logons", ["one", "edited", "one"])


@pytest.mark.parametrize("kind", ["drop-after", "drop-before"])
async def test_a_comment_edited_back_to_its_first_text_is_not_taken_for_the_first_one(
    swimlane: SwimlaneDesk, kind: str
):
    case = await swimlane.case("one")
    await swimlane.push(case.id)
    (comment,) = await attachments.list_all(swimlane.ground, swimlane.asking, case.id)
    await swimlane.edit(case.id, comment.id, "edited")
    await swimlane.push(case.id)
    await swimlane.edit(case.id, comment.id, "one")
    swimlane.fault(f"comment={kind}")
    await swimlane.try_to_push(case.id)
    await swimlane.push(case.id)
    swimlane.assert_one("Odd logons", ["one", "edited", "one"])


@pytest.mark.parametrize("kind", ["drop-after", "drop-before"])
async def test_a_lost_create_that_cannot_be_looked_up_is_sent_again_only_when_a_person_says_so(
    blind: BlindSwimlaneDesk, kind: str
):
    case = await blind.case("one")
    blind.fault(f"create={kind}")
    with pytest.raises(PushFailed, match="may exist and cannot be looked up; a further push sends it again unchanged"):
        await blind.push(case.id)
    assert [each.state for each in await blind.deliveries(case.id)] == ["uncertain"]
    for _ in range(3):
        blind.clock.advance(3600)
        await blind.work()
    assert len(creates(blind)) == 1

    await blind.rename(case.id, "Renamed")
    await blind.push(case.id)

    first, second = creates(blind)
    assert first.body == second.body
    assert blind.records()[-1][1:] == ("Renamed", ["one"])
    assert {each.state for each in await blind.deliveries(case.id)} == {"delivered", "cancelled"}


async def test_a_worker_leaves_what_it_cannot_look_up_until_it_is_told_to_retry(blind: BlindSwimlaneDesk):
    case = await blind.case("one")
    blind.fault("create=drop-after")
    queued = await push.queue(blind.ground, blind.asking, case.id, CONNECTOR)
    assert not isinstance(queued, Pushed)
    for _ in range(5):
        await blind.work(1)
        blind.clock.advance(3600)
    (left,) = await blind.deliveries(case.id)
    assert (left.state, left.next_attempt_at, len(creates(blind))) == ("uncertain", None, 1)
    assert left.error is not None
    assert left.error.code == "connection"

    await deliveries.retry(blind.ground, blind.asking, queued.id)
    await blind.work(1)

    first, second = creates(blind)
    assert first.body == second.body
    assert [each.state for each in await blind.deliveries(case.id)] == ["delivered"]


async def test_a_crash_at_a_create_that_cannot_be_looked_up_leaves_it_uncertain(blind: BlindSwimlaneDesk):
    for at in range(12):
        case = await blind.case(title=f"Odd logons {at}")
        if not await die_at(blind, case.id, at):
            break
        blind.clock.advance(10)
        await blind.work()
        assert len([1 for _, title, _ in blind.records() if title == case.title]) <= 1
        states = {each.state for each in await blind.deliveries(case.id)}
        assert states <= {"delivered", "uncertain"}
    assert at >= 4


def creates(desk: Desk) -> list[Any]:
    return [each for each in desk.jira.journal.entries if each.step == "create"]
