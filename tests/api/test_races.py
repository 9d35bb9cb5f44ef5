"""Limits and deletions under requests that come at the same time, over every route that writes (attachments.md 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

from casebridge.storage.session import Database
from tests.api.calls import CASES, opened, patch, set_actions
from tests.api.conftest import Client
from tests.api.test_files import KIND, on_disk, upload

ENTRY = {"name": "a", "extension": "txt", "mimeType": "text/plain", "created": "2024-05-17T08:00:00.000Z"}
RULE = {"id": None, "name": None}


async def count_actions(database: Database, case_id: str) -> int:
    """How many records the case really has, whatever its counter says."""
    rows = await database.read("SELECT count(*) FROM user_action WHERE case_id = :id", {"id": case_id})
    return int(rows[0][0])


def a_comment(text: str = "racing") -> dict[str, Any]:
    return {"type": "user", "owner": "cases", "comment": text}


def an_alert(*ids: str) -> dict[str, Any]:
    return {"type": "alert", "owner": "cases", "alertId": ids, "index": ["i"] * len(ids), "rule": RULE}


def a_reference(type_: str, id_: str, metadata: Any = None, **storage: str) -> dict[str, Any]:
    return {
        "type": "externalReference",
        "owner": "cases",
        "externalReferenceAttachmentTypeId": type_,
        "externalReferenceId": id_,
        "externalReferenceMetadata": metadata,
        "externalReferenceStorage": {"type": "elasticSearchDoc", **storage},
    }


def a_file(id_: str) -> dict[str, Any]:
    return a_reference(".files", id_, {"files": [ENTRY]}, type="savedObject", soType="file")


class Desk:
    """One case, and the ways to put something on it."""

    def __init__(self, client: Client, case: dict[str, Any]) -> None:
        self.client, self.case = client, case
        self.path = f"{CASES}/{case['id']}"

    def post(self, body: dict[str, Any]) -> Awaitable[Any]:
        return self.client.post(f"{self.path}/comments", json=body)

    def post_many(self, *bodies: dict[str, Any]) -> Awaitable[Any]:
        return self.client.post(f"/internal/cases/{self.case['id']}/attachments/_bulk_create", json=bodies)

    def post_unified(self, type_: str, **parts: Any) -> Awaitable[Any]:
        return self.client.post(f"{self.path}/attachments", json={"type": type_, "owner": "cases", **parts})

    async def fill(self, bodies: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(bodies), 100):
            answer = await self.post_many(*bodies[start : start + 100])
            assert answer.status_code == 200, answer.text

    async def comments(self) -> list[dict[str, Any]]:
        return list((await self.client.get(f"{self.path}/comments")).json())


def statuses(answers: Sequence[Any]) -> list[int]:
    return sorted(each.status_code for each in answers)


async def test_the_thousand_alerts_hold_on_every_route(client: Client):
    desk = Desk(client, await opened(client))
    await desk.fill([an_alert(*[f"evt-{number}" for number in range(996)]), an_alert("edited")])
    edited = (await desk.comments())[1]
    change = {**an_alert("edited", "more-1", "more-2"), "id": edited["id"], "version": edited["version"]}

    answers = await asyncio.gather(
        *(desk.post(an_alert(f"one-{number}")) for number in range(3)),
        desk.post_many(an_alert("two-1"), an_alert("two-2")),
        desk.client.patch(f"{desk.path}/comments", json=change),
        *(desk.post_unified("stack.alert", attachmentId=f"u-{n}", metadata={"index": "i"}) for n in range(3)),
    )

    assert set(statuses(answers)) <= {200, 201, 400}
    assert 400 in statuses(answers)
    attached = [each["id"] for each in (await client.get(f"{desk.path}/alerts")).json()]
    assert len(attached) == len(set(attached)) == 1000
    assert (await client.get(desk.path)).json()["totalAlerts"] == 1000
    assert (await desk.post(an_alert("late"))).status_code == 400


async def test_the_hundred_files_hold_on_every_route(client: Client, tmp_path: Path):
    desk = Desk(client, await opened(client))
    await desk.fill([a_file(f"f-{number}") for number in range(97)])

    answers = await asyncio.gather(
        upload(client, desk.case["id"], "a.txt"),
        upload(client, desk.case["id"], "b.txt"),
        desk.post(a_file("one")),
        desk.post_many(a_file("two"), a_file("three")),
        desk.post_unified(".files", attachmentId="four", metadata={"files": [ENTRY]}),
    )

    assert set(statuses(answers)) <= {200, 201, 400}
    assert 400 in statuses(answers)
    ids = [each["externalReferenceId"] for each in await desk.comments()]
    assert 98 <= len(ids) == len(set(ids)) <= 100
    uploaded = [each for each in ids if not each.startswith("f-") and each not in ("one", "two", "three", "four")]
    assert on_disk(tmp_path) == sorted(uploaded)


async def test_the_hundred_references_hold_on_every_route(client: Client):
    desk = Desk(client, await opened(client))
    await desk.fill([a_reference("indicator", f"r-{number}") for number in range(98)])

    answers = await asyncio.gather(
        *(desk.post(a_reference("osquery", f"one-{number}")) for number in range(3)),
        *(desk.post_unified(".lens", data={"n": number}) for number in range(3)),
    )

    assert statuses(answers).count(400) == 4
    assert len(await desk.comments()) == 100


async def test_the_ten_thousand_records_hold_on_every_route(client: Client, database: Database):
    desk = Desk(client, await opened(client))
    await set_actions(database, desk.case, 9_994)

    answers = await asyncio.gather(
        *(desk.post(a_comment(str(number))) for number in range(3)),
        desk.post_many(*[a_comment("many")] * 4),
        desk.post_unified("comment", data={"content": "unified"}),
        upload(client, desk.case["id"]),
        *(desk.post_many(a_comment("two"), a_comment("two")) for _ in range(2)),
    )

    assert set(statuses(answers)) <= {200, 201, 400}
    assert 400 in statuses(answers)
    assert all("10000" in each.json()["message"] for each in answers if each.status_code == 400)
    written = await count_actions(database, desk.case["id"]) - 1
    assert written == len(await desk.comments()) <= 6
    while (await desk.post(a_comment("rest"))).status_code == 200:
        written += 1
    assert written == 6
    fresh = (await client.get(desk.path)).json()
    assert (await patch(client, fresh, title="one more")).status_code == 400


async def test_changes_of_the_case_and_comments_at_once_never_pass_the_records(client: Client, database: Database):
    desk = Desk(client, await opened(client))
    await set_actions(database, desk.case, 9_997)
    fresh = (await client.get(desk.path)).json()

    answers = await asyncio.gather(
        *(patch(client, fresh, title=f"New {number}", category=str(number)) for number in range(3)),
        *(desk.post(a_comment(str(number))) for number in range(4)),
    )

    assert set(statuses(answers)) <= {200, 400, 409}
    written = await count_actions(database, desk.case["id"]) - 1
    assert written <= 3
    assert sum(answer.status_code == 200 for answer in answers[:3]) <= 1


async def test_comments_at_once_over_three_routes_are_all_there_and_counted(client: Client):
    desk = Desk(client, await opened(client))

    answers = await asyncio.gather(
        *(desk.post(a_comment(f"one {number}")) for number in range(8)),
        *(desk.post_many(a_comment(f"many {number}"), a_comment(f"more {number}")) for number in range(4)),
        *(desk.post_unified("comment", data={"content": f"unified {number}"}) for number in range(8)),
    )

    assert set(statuses(answers)) == {200, 201}
    texts = [each["comment"] for each in await desk.comments()]
    assert len(texts) == len(set(texts)) == 24
    assert (await client.get(desk.path)).json()["totalComment"] == 24
    stats = (await client.get(f"/internal/cases/{desk.case['id']}/user_actions/_stats")).json()
    assert (stats["total"], stats["total_comment_creations"]) == (25, 24)


async def test_a_deletion_that_races_with_writes_leaves_nothing_of_the_case(
    client: Client, database: Database, tmp_path: Path
):
    for _ in range(4):
        desk = Desk(client, await opened(client))
        id_ = desk.case["id"]
        await desk.fill([a_comment(), an_alert("evt-1")])

        answers = await asyncio.gather(
            desk.post(a_comment()),
            upload(client, id_),
            desk.post_many(an_alert("evt-2"), a_comment()),
            desk.post_unified(".lens", data={}),
            client.delete(f'{CASES}?ids=["{id_}"]'),
            client.delete(f"{desk.path}/comments"),
            patch(client, desk.case, title="racing"),
            upload(client, id_, "late.txt"),
        )

        assert set(statuses(answers)) <= {200, 201, 204, 404, 409}
        assert answers[4].status_code == 204
        assert (await client.get(desk.path)).status_code == 404
        for table in ("attachment", "user_action", "file_link"):
            assert await database.read(f"SELECT 1 FROM {table} WHERE case_id = :id", {"id": id_}) == [], table
        assert await database.read("SELECT 1 FROM alert_link") == []
        assert (await client.post(f"{KIND}/list")).json()["total"] == 0
        assert on_disk(tmp_path) == []
