"""`POST /api/cases/{case_id}/connector/{connector_id}/_push` (push.md, extensions.md 1)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from casebridge.domain.user import SUPERUSER, Account
from casebridge.services import push_take_up
from casebridge.services.ground import PushSettings
from casebridge.storage import accounts, outbox

TRACKER = {"id": "tracker", "name": "Tracker", "type": ".jira", "fields": None}
ASYNC = {"Prefer": "respond-async"}

on_one_database = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


@pytest.fixture
def ground(ground: Any) -> Any:
    """With little patience, so that tests need none."""
    times = PushSettings(lease_s=6.0, call_timeout_s=5.0, lookup_lag_s=0.0, wait_s=0.4)
    return msgspec.structs.replace(ground, push=times)


@pytest.fixture
async def tracker(client: Any, jira: Any) -> Any:
    """The simulated Jira, to which the connector `tracker` leads."""
    assert (await client.post("/api/actions/connector/tracker", json=jira.connector)).status_code == 200
    return jira


async def a_case(client: Any, *comments: str, space: str = "", **given: Any) -> str:
    """The id of a new case with these comments."""
    body = {
        "owner": "cases",
        "title": "Odd logons",
        "description": "seen on two hosts",
        "tags": ["vpn"],
        "connector": TRACKER,
        "settings": {"syncAlerts": True},
        **given,
    }
    id_ = (await client.post(f"{space}/api/cases", json=body)).json()["id"]
    for text in comments:
        comment = {"type": "user", "owner": "cases", "comment": text}
        assert (await client.post(f"{space}/api/cases/{id_}/comments", json=comment)).status_code == 200
    return str(id_)


async def close_by_pushing(client: Any, owner: str = "cases") -> None:
    none = {"id": "none", "name": "none", "type": ".none", "fields": None}
    body = {"owner": owner, "closure_type": "close-by-pushing", "connector": none}
    assert (await client.post("/api/cases/configure", json=body)).status_code == 200


async def pushed(client: Any, case_id: str, connector_id: str = "tracker", **more: Any) -> Any:
    return await client.post(f"/api/cases/{case_id}/connector/{connector_id}/_push", **more)


async def seen(client: Any, case_id: str) -> tuple[Any, Any, Any]:
    """All that people can see of a case: itself, its comments and its activity."""
    case = (await client.get(f"/api/cases/{case_id}")).json()
    comments = (await client.get(f"/api/cases/{case_id}/comments")).json()
    activity = (await client.get(f"/api/cases/{case_id}/user_actions/_find?perPage=100")).json()
    return case, comments, activity


async def actions(client: Any, case_id: str) -> list[str]:
    found = (await client.get(f"/api/cases/{case_id}/user_actions/_find?perPage=100")).json()["userActions"]
    return [f"{each['type']}/{each['action']}" for each in found]


async def work(ground: Any) -> None:
    """What a worker does with all that is due."""
    for delivery in await outbox.due(ground.database, ground.now(), 50):
        await push_take_up.take_up(ground, delivery)


# The answer


@pytest.mark.parametrize("sent", [{}, {"content": b"null"}, {"json": {}}])
async def test_the_answer_is_the_case_as_stored_with_its_comments(client: Any, tracker: Any, sent: dict[str, Any]):
    id_ = await a_case(client, "first", "second")

    response = await pushed(client, id_, **sent)

    assert response.status_code == 200, response.text
    answer = response.json()
    (issue,) = tracker.issues
    assert answer["external_service"] == {
        "connector_id": "tracker",
        "connector_name": "Tracker",
        "external_id": issue["id"],
        "external_title": issue["key"],
        "external_url": f"{tracker.url}/browse/{issue['key']}",
        "pushed_at": answer["updated_at"],
        "pushed_by": {"username": "admin", "full_name": "Ada Admin", "email": "ada@example.org"},
    }
    assert (answer["totalComment"], answer["totalAlerts"]) == (2, 0)
    assert [each["comment"] for each in answer["comments"]] == ["first", "second"]
    for each in answer["comments"]:
        assert (each["pushed_at"], each["pushed_by"]["username"]) == (answer["updated_at"], "admin")
    assert (answer["status"], answer["updated_by"]["username"]) == ("open", "admin")
    case, comments, _ = await seen(client, id_)
    assert {key for key in answer if case.get(key) != answer[key]} <= {"comments", "totalComment"}
    assert (case["version"], comments) == (answer["version"], answer["comments"])


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"5", b"false", b'{"version": "x"}', b"{"])
@on_one_database
async def test_any_other_body_is_400_and_sends_nothing(client: Any, tracker: Any, body: bytes):
    id_ = await a_case(client)

    assert (await pushed(client, id_, content=body)).status_code == 400
    assert tracker.calls == []


async def test_a_push_leaves_one_record(client: Any, tracker: Any):
    id_ = await a_case(client)

    answer = (await pushed(client, id_)).json()

    found = (await client.get(f"/api/cases/{id_}/user_actions/_find")).json()["userActions"]
    assert [f"{each['type']}/{each['action']}" for each in found] == ["create_case/create", "pushed/push_to_service"]
    assert found[-1]["payload"] == {"externalService": answer["external_service"]}
    assert found[-1]["created_at"] == answer["updated_at"]


async def test_a_push_is_done_even_with_nothing_new(client: Any, tracker: Any):
    id_ = await a_case(client, "first")
    first = (await pushed(client, id_)).json()

    second = (await pushed(client, id_)).json()

    assert second["version"] != first["version"]
    assert second["external_service"]["external_id"] == first["external_service"]["external_id"]
    assert tracker.calls.count("comment") == 1
    assert len(tracker.issues) == 1


async def test_the_connector_of_the_path_counts_and_that_of_the_case_stays(client: Any, tracker: Any):
    none = {"id": "none", "name": "none", "type": ".none", "fields": None}
    id_ = await a_case(client, connector=none)

    answer = (await pushed(client, id_)).json()

    assert answer["connector"] == none
    assert answer["external_service"]["connector_id"] == "tracker"


# Refusals


async def test_an_unknown_case_or_connector_is_404(client: Any, tracker: Any):
    await client.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})
    id_ = await a_case(client)
    there = await a_case(client, space="/s/fin")

    answers = {
        "[cases/nope]": await pushed(client, "nope"),
        f"[cases/{there}]": await pushed(client, there),
        "[action/nope]": await pushed(client, id_, "nope"),
        "[action/none]": await pushed(client, id_, "none"),
        "[action/tracker]": await client.post(f"/s/fin/api/cases/{there}/connector/tracker/_push"),
    }

    for words, response in answers.items():
        assert (response.status_code, words in response.json()["message"]) == (404, True)
    assert tracker.calls == []


@on_one_database
async def test_who_may_do_nothing_gets_403_once_case_and_connector_are_known(client: Any, nobody: Any, tracker: Any):
    id_ = await a_case(client)

    assert (await pushed(nobody, id_)).status_code == 403
    assert (await pushed(nobody, "nope")).status_code == 404
    assert (await pushed(nobody, id_, headers=ASYNC)).status_code == 403
    assert (await client.get("/api/casebridge/deliveries")).json()["total"] == 0
    assert tracker.calls == []


async def test_a_closed_case_is_409_by_its_title(client: Any, tracker: Any):
    id_ = await a_case(client)
    version = (await client.get(f"/api/cases/{id_}")).json()["version"]
    await client.patch("/api/cases", json={"cases": [{"id": id_, "version": version, "status": "closed"}]})
    before = await seen(client, id_)

    for headers in ({}, ASYNC):
        response = await pushed(client, id_, headers=headers)
        assert (response.status_code, "Odd logons" in response.json()["message"]) == (409, True)
    assert await seen(client, id_) == before
    assert tracker.calls == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("create=status:400", "400"),
        ("create=status:401", "401"),
        ("create=status:429", "429"),
        ("create=status:500", "500"),
        ("create=status:503", "503"),
        ("create=drop-before", ""),
        ("create=no-id", "id"),
        ("comment=status:503", "503"),
    ],
)
async def test_a_failed_push_is_424_and_changes_nothing_visible(client: Any, tracker: Any, fault: str, words: str):
    await close_by_pushing(client)
    id_ = await a_case(client, "first")
    before = await seen(client, id_)
    tracker.fault(fault)

    response = await pushed(client, id_)

    assert (response.status_code, response.json()["error"]) == (424, "Failed Dependency")
    message = response.json()["message"]
    assert message.startswith("Failed to push case: Error: [Action][Jira]: Unable to ")
    assert words in message
    assert not any(each in message for each in ("sandbox-token", "bot@example.org", "<html", "Traceback"))
    assert await seen(client, id_) == before
    assert (await pushed(client, id_)).status_code == 200
    assert len(tracker.issues) == 1
    assert [len(each["comments"]) for each in tracker.issues] == [1]


@pytest.mark.parametrize("wrong", [{"issueType": "no-such"}, {"otherFields": "no json"}])
@on_one_database
async def test_fields_that_cannot_be_sent_are_424_too(client: Any, tracker: Any, wrong: dict[str, Any]):
    fields = {"issueType": None, "priority": None, "parent": None, **wrong}
    id_ = await a_case(client, connector={**TRACKER, "fields": fields})

    response = await pushed(client, id_)

    assert response.status_code == 424
    assert response.json()["message"].startswith("Failed to push case: Error: [Action][Jira]: ")
    assert tracker.issues == []


# Closing by pushing


async def test_close_by_pushing_closes_the_case_with_the_push(client: Any, tracker: Any):
    await close_by_pushing(client)
    id_ = await a_case(client)

    answer = (await pushed(client, id_)).json()

    assert (answer["status"], answer["closed_by"]["username"]) == ("closed", "admin")
    assert answer["closed_at"] == answer["updated_at"] == answer["external_service"]["pushed_at"]
    assert (await actions(client, id_))[-2:] == ["status/update", "pushed/push_to_service"]
    assert (await client.get(f"/api/cases/{id_}")).json()["version"] == answer["version"]
    assert (await pushed(client, id_)).status_code == 409


@on_one_database
async def test_only_the_configuration_of_the_cases_owner_and_space_closes(client: Any, tracker: Any):
    await client.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})
    await close_by_pushing(client, "securitySolution")
    none = {"id": "none", "name": "none", "type": ".none", "fields": None}
    body = {"owner": "cases", "closure_type": "close-by-pushing", "connector": none}
    await client.post("/s/fin/api/cases/configure", json=body)
    id_ = await a_case(client)

    assert (await pushed(client, id_)).json()["status"] == "open"


# One at a time


async def test_parallel_pushes_make_one_issue(client: Any, tracker: Any):
    id_ = await a_case(client, "first")

    answers = await asyncio.gather(*(pushed(client, id_) for _ in range(6)))

    told = Counter(each.status_code for each in answers)
    assert set(told) <= {200, 409}
    assert told[200] >= 1
    assert [len(each["comments"]) for each in tracker.issues] == [1]


async def test_a_push_that_waits_too_long_for_its_turn_is_409(client: Any, tracker: Any):
    id_ = await a_case(client)
    tracker.fault("create=delay:1.5")

    first = asyncio.create_task(pushed(client, id_))
    await asyncio.sleep(0.3)
    second = await pushed(client, id_)

    assert (second.status_code, id_ in second.json()["message"]) == (409, True)
    assert (await first).status_code == 200
    assert len(tracker.issues) == 1


# Prefer: respond-async


async def test_a_push_may_be_left_to_the_worker(client: Any, tracker: Any, ground: Any):
    id_ = await a_case(client)
    before = await seen(client, id_)

    response = await pushed(client, id_, headers={"Prefer": "wait=5, Respond-Async; x=1"})

    assert (response.status_code, response.headers["preference-applied"]) == (202, "respond-async")
    answer = response.json()
    assert answer == {"delivery_id": answer["delivery_id"], "state": "queued"}
    assert await seen(client, id_) == before
    assert tracker.calls == []
    await work(ground)
    delivery = (await client.get(f"/api/casebridge/deliveries/{answer['delivery_id']}")).json()
    assert (delivery["state"], delivery["origin"]) == ("delivered", "manual")
    assert (await client.get(f"/api/cases/{id_}")).json()["external_service"]["external_id"] == delivery["external_id"]


@on_one_database
async def test_other_preferences_are_ignored(client: Any, tracker: Any):
    id_ = await a_case(client)

    response = await pushed(client, id_, headers={"Prefer": "return=minimal"})

    assert response.status_code == 200
    assert "preference-applied" not in response.headers


@pytest.mark.parametrize("body", [b"[]", b'{"a": 1}'])
@on_one_database
async def test_a_queued_push_is_checked_like_any_other(client: Any, tracker: Any, body: bytes):
    id_ = await a_case(client)

    assert (await pushed(client, id_, headers=ASYNC, content=body)).status_code == 400
    assert (await pushed(client, "nope", headers=ASYNC)).status_code == 404
    assert (await pushed(client, id_, "nope", headers=ASYNC)).status_code == 404
    assert (await client.get("/api/casebridge/deliveries")).json()["total"] == 0


# Idempotency-Key


@pytest.mark.parametrize("key", ["", "k" * 129, "two words", "schlüssel".encode(), "a\tb"])
@on_one_database
async def test_a_key_is_1_to_128_visible_ascii_characters(client: Any, tracker: Any, key: Any):
    id_ = await a_case(client)

    response = await pushed(client, id_, headers={"Idempotency-Key": key})

    assert (response.status_code, "Idempotency-Key" in response.json()["message"]) == (400, True)
    assert tracker.calls == []


async def test_a_repeat_with_the_key_answers_the_case_as_it_is_now_and_sends_nothing(client: Any, tracker: Any):
    id_ = await a_case(client)
    headers = {"Idempotency-Key": "!" + "k" * 127}
    first = await pushed(client, id_, headers=headers)
    sent = list(tracker.calls)
    comment = {"type": "user", "owner": "cases", "comment": "later"}
    await client.post(f"/api/cases/{id_}/comments", json=comment)

    repeat = await pushed(client, id_, headers=headers)

    assert (first.status_code, repeat.status_code) == (200, 200)
    assert [each["comment"] for each in repeat.json()["comments"]] == ["later"]
    assert (repeat.json()["totalComment"], repeat.json()["totalAlerts"]) == (1, 0)
    assert tracker.calls == sent
    assert (await client.get("/api/casebridge/deliveries")).json()["total"] == 1


async def test_a_repeat_is_answered_also_when_the_push_closed_the_case(client: Any, tracker: Any):
    await close_by_pushing(client)
    id_ = await a_case(client)
    headers = {"Idempotency-Key": "once"}
    first = await pushed(client, id_, headers=headers)

    repeat = await pushed(client, id_, headers=headers)

    assert (first.status_code, repeat.status_code) == (200, 200)
    assert repeat.json() == first.json()
    assert repeat.json()["status"] == "closed"


async def test_a_repeat_of_a_failed_push_is_the_same_424(client: Any, tracker: Any):
    id_ = await a_case(client)
    headers = {"Idempotency-Key": "once"}
    tracker.fault("create=status:400", "any=drop-after@1")
    first = await pushed(client, id_, headers=headers)
    sent = list(tracker.calls)

    repeat = await pushed(client, id_, headers=headers)

    assert (first.status_code, repeat.status_code) == (424, 424)
    assert repeat.json() == first.json()
    assert tracker.calls == sent


async def test_a_key_belongs_to_one_case_and_connector(client: Any, tracker: Any):
    await client.post("/api/actions/connector/other", json=tracker.connector)
    id_, other = await a_case(client), await a_case(client)
    headers = {"Idempotency-Key": "once"}
    await pushed(client, id_, headers=headers)

    answers = [await pushed(client, other, headers=headers), await pushed(client, id_, "other", headers=headers)]
    queued = await pushed(client, other, headers={**headers, **ASYNC})

    assert [each.status_code for each in (*answers, queued)] == [409, 409, 409]
    assert len(tracker.issues) == 1


async def test_a_key_belongs_to_one_user(
    client: Any, tracker: Any, database: Any, password_hash: str, app: Any, connect: Any
):
    await accounts.create(database, Account("omar", password_hash, (SUPERUSER,)))
    id_, other = await a_case(client), await a_case(client)
    headers = {"Idempotency-Key": "once"}
    await pushed(client, id_, headers=headers)

    async with connect(app, auth=("omar", "correct horse battery")) as omar:
        assert (await pushed(omar, other, headers=headers)).status_code == 200
    assert len(tracker.issues) == 2


async def test_parallel_repeats_are_one_push(client: Any, tracker: Any):
    id_ = await a_case(client, "first")
    headers = {"Idempotency-Key": "once"}

    answers = await asyncio.gather(*(pushed(client, id_, headers=headers) for _ in range(8)))

    assert set(Counter(each.status_code for each in answers)) <= {200, 409}
    assert (await client.get("/api/casebridge/deliveries")).json()["total"] == 1
    assert (await pushed(client, id_, headers=headers)).status_code == 200


async def test_a_repeat_while_the_first_is_queued_waits_and_is_then_409(client: Any, tracker: Any, ground: Any):
    id_ = await a_case(client)
    headers = {"Idempotency-Key": "once"}
    queued = await pushed(client, id_, headers={**headers, **ASYNC})

    again = await pushed(client, id_, headers={**headers, **ASYNC})
    waited = await pushed(client, id_, headers=headers)
    await work(ground)
    done = await pushed(client, id_, headers=headers)
    done_async = await pushed(client, id_, headers={**headers, **ASYNC})

    assert (again.status_code, again.json()) == (202, queued.json())
    assert (waited.status_code, done.status_code, done_async.status_code) == (409, 200, 200)
    assert done_async.json() == done.json()
    assert len(tracker.issues) == 1


async def test_a_repeat_of_a_queued_push_that_failed_is_424_either_way(client: Any, tracker: Any, ground: Any):
    id_ = await a_case(client)
    headers = {"Idempotency-Key": "once"}
    tracker.fault("create=status:400")
    await pushed(client, id_, headers={**headers, **ASYNC})
    await work(ground)

    answers = [await pushed(client, id_, headers=headers), await pushed(client, id_, headers={**headers, **ASYNC})]

    assert [each.status_code for each in answers] == [424, 424]
