"""`/api/casebridge/deliveries`: the ledger of pushes (extensions.md 1)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from casebridge.services import push_take_up
from casebridge.services.ground import PushSettings
from casebridge.storage import outbox

DELIVERIES = "/api/casebridge/deliveries"
TRACKER = {"id": "tracker", "name": "Tracker", "type": ".jira", "fields": None}
ASYNC = {"Prefer": "respond-async"}
KEYS = {
    "id", "version", "case_id", "connector_id", "connector_type", "owner", "origin", "state", "action", "external_id",
    "external_url", "created_at", "created_by", "updated_at", "next_attempt_at", "attempt_count", "error", "comments",
}  # fmt: skip

on_one_database = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


@pytest.fixture
def ground(ground: Any) -> Any:
    """With little patience, so that tests need none."""
    times = PushSettings(lease_s=6.0, call_timeout_s=5.0, lookup_lag_s=0.0, wait_s=0.4)
    return msgspec.structs.replace(ground, push=times)


@pytest.fixture
async def tracker(client: Any, jira: Any) -> Any:
    """The simulated Jira, to which the connectors `tracker` and `other` lead. The space `fin` exists."""
    for id_ in ("tracker", "other"):
        assert (await client.post(f"/api/actions/connector/{id_}", json=jira.connector)).status_code == 200
    assert (await client.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})).status_code == 200
    return jira


async def a_case(client: Any, *comments: str, owner: str = "cases") -> str:
    """The id of a new case with these comments."""
    body = {
        "owner": owner,
        "title": "Odd logons",
        "description": "seen on two hosts",
        "tags": [],
        "connector": TRACKER,
        "settings": {"syncAlerts": True},
    }
    id_ = (await client.post("/api/cases", json=body)).json()["id"]
    for text in comments:
        await client.post(f"/api/cases/{id_}/comments", json={"type": "user", "owner": owner, "comment": text})
    return str(id_)


async def pushed(client: Any, case_id: str, connector_id: str = "tracker") -> int:
    """The status that a push gets."""
    return int((await client.post(f"/api/cases/{case_id}/connector/{connector_id}/_push")).status_code)


async def queued(client: Any, case_id: str, connector_id: str = "tracker") -> str:
    """The id of a delivery left to the worker."""
    path = f"/api/cases/{case_id}/connector/{connector_id}/_push"
    return str((await client.post(path, headers=ASYNC)).json()["delivery_id"])


async def found(client: Any, **query: Any) -> dict[str, Any]:
    response = await client.get(DELIVERIES, params=query)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def one(client: Any, id_: str) -> dict[str, Any]:
    return dict((await client.get(f"{DELIVERIES}/{id_}")).json())


async def work(ground: Any) -> None:
    """What a worker does with all that is due."""
    for delivery in await outbox.due(ground.database, ground.now(), 50):
        await push_take_up.take_up(ground, delivery)


# The list


async def test_without_pushes_the_list_is_empty(client: Any):
    assert await found(client) == {"deliveries": [], "page": 1, "per_page": 20, "total": 0}


async def test_a_delivery_tells_what_came_of_a_push(client: Any, tracker: Any):
    id_ = await a_case(client, "first")
    await pushed(client, id_)

    (delivery,) = (await found(client))["deliveries"]

    (issue,) = tracker.issues
    (comment,) = (await client.get(f"/api/cases/{id_}/comments")).json()
    assert set(delivery) == KEYS
    assert delivery == {
        **delivery,
        "case_id": id_,
        "connector_id": "tracker",
        "connector_type": ".jira",
        "owner": "cases",
        "origin": "manual",
        "state": "delivered",
        "action": "create",
        "external_id": issue["id"],
        "external_url": f"{tracker.url}/browse/{issue['key']}",
        "created_by": {"username": "admin", "full_name": "Ada Admin", "email": "ada@example.org"},
        "next_attempt_at": None,
        "attempt_count": 1,
        "error": None,
        "comments": [{"comment_id": comment["id"], "external_id": issue["comments"][0]["id"], "state": "accepted"}],
    }


async def test_the_list_is_newest_first_and_narrowed_by_every_filter(client: Any, tracker: Any):
    first, second = await a_case(client), await a_case(client, owner="observability")
    await pushed(client, first)
    await pushed(client, first, "other")
    await pushed(client, second)
    tracker.fault("any=status:400")
    await pushed(client, second, "other")

    async def pairs(**query: Any) -> list[str]:
        page = await found(client, **query)
        assert page["total"] == len(page["deliveries"])
        return [f"{[first, second].index(each['case_id'])} {each['connector_id']}" for each in page["deliveries"]]

    assert await pairs() == ["1 other", "1 tracker", "0 other", "0 tracker"]
    assert await pairs(caseId=first) == ["0 other", "0 tracker"]
    assert await pairs(connectorId="tracker") == ["1 tracker", "0 tracker"]
    assert await pairs(state="failed") == ["1 other"]
    assert await pairs(state=["failed", "delivered"], connectorId="other") == ["1 other", "0 other"]
    assert await pairs(owner="observability") == ["1 other", "1 tracker"]
    assert await pairs(owner=["observability", "cases"], caseId=first) == ["0 other", "0 tracker"]
    assert await pairs(owner="nobodys") == []
    assert await pairs(caseId="nope") == []
    assert await pairs(state="queued") == []
    assert (await client.get(f"/s/fin{DELIVERIES}")).json()["total"] == 0


@on_one_database
async def test_the_list_is_paged(client: Any, tracker: Any):
    id_ = await a_case(client)
    ids = [await queued(client, id_) for _ in range(5)]

    first = await found(client, perPage="2")
    last = await found(client, perPage="2", page="3")
    past = await found(client, perPage="2", page="4")
    totals = await found(client, perPage="0")

    assert [each["id"] for each in first["deliveries"]] == [ids[4], ids[3]]
    assert [each["id"] for each in last["deliveries"]] == [ids[0]]
    assert (first["page"], first["per_page"], first["total"]) == (1, 2, 5)
    assert (past["deliveries"], past["total"], totals["deliveries"], totals["total"]) == ([], 5, [], 5)
    assert (await found(client, perPage="100", page="100"))["deliveries"] == []


@pytest.mark.parametrize(
    "query",
    [
        "perPage=101",
        "perPage=-1",
        "perPage=ten",
        "page=0",
        "page=101&perPage=100",
        "page=10001&perPage=0",
        "state=lost",
        "state=Queued",
        "state=",
        "state=queued&state=lost",
        "caseId=a&caseId=b",
        "connectorId=a&connectorId=b",
        "case_id=a",
        "sortField=createdAt",
        "nope=1",
    ],
)
@on_one_database
async def test_unknown_keys_and_values_are_refused(client: Any, query: str):
    response = await client.get(f"{DELIVERIES}?{query}")

    assert response.status_code == 400


@on_one_database
async def test_who_may_do_nothing_gets_403(client: Any, nobody: Any, tracker: Any):
    id_ = await queued(client, await a_case(client))

    assert (await nobody.get(DELIVERIES)).status_code == 403
    assert (await nobody.get(f"{DELIVERIES}/{id_}")).status_code == 403
    assert (await nobody.post(f"{DELIVERIES}/{id_}/_retry")).status_code == 403
    assert (await nobody.post(f"{DELIVERIES}/{id_}/_cancel")).status_code == 403
    assert (await one(client, id_))["state"] == "queued"


# One delivery


async def test_one_delivery_comes_with_its_attempts(client: Any, tracker: Any):
    await pushed(client, await a_case(client, "first"))
    (listed,) = (await found(client))["deliveries"]

    delivery = await one(client, listed["id"])

    (attempt,) = delivery.pop("attempts")
    assert delivery == listed
    assert set(attempt) == {"started_at", "duration_ms", "calls", "outcome"}
    assert attempt["outcome"] == "delivered"
    for call in attempt["calls"]:
        assert set(call) == {"method", "url", "status", "duration_ms"}
        assert call["url"].startswith(f"{tracker.url}/rest/api/2/")
        assert "?" not in call["url"]
    assert ("POST", f"{tracker.url}/rest/api/2/issue", 201) in [
        (call["method"], call["url"], call["status"]) for call in attempt["calls"]
    ]


@pytest.mark.parametrize(
    ("fault", "outcome", "state", "code", "permanent"),
    [
        ("create=status:400", "permanent_fault", "failed", "refused", True),
        ("create=status:401", "permanent_fault", "failed", "refused", True),
        ("create=status:429", "passing_fault", "failed", "unavailable", False),
        ("create=drop-after", "unknown", "uncertain", "connection", False),
    ],
)
async def test_a_failed_push_is_told_with_its_cause(
    client: Any, tracker: Any, fault: str, outcome: str, state: str, code: str, permanent: bool
):
    tracker.fault(fault)
    id_ = await a_case(client, "first")
    assert await pushed(client, id_) == 424

    (listed,) = (await found(client))["deliveries"]
    delivery = await one(client, listed["id"])

    assert (delivery["state"], delivery["next_attempt_at"]) == (state, None)
    assert (delivery["error"]["code"], delivery["error"]["permanent"]) == (code, permanent)
    assert "Jira" in delivery["error"]["message"]
    assert [each["outcome"] for each in delivery["attempts"]] == [outcome]
    assert [each["state"] for each in delivery["comments"]] == ["pending"]
    assert delivery["external_id"] is None
    assert "sandbox-token" not in str(delivery)


async def test_a_delivery_unknown_in_this_space_is_404(client: Any, tracker: Any):
    id_ = await queued(client, await a_case(client))

    for path in (f"{DELIVERIES}/nope", f"/s/fin{DELIVERIES}/{id_}"):
        answers = [await client.get(path), await client.post(f"{path}/_retry"), await client.post(f"{path}/_cancel")]
        assert [each.status_code for each in answers] == [404, 404, 404]
        assert all(f"[deliveries/{path.rpartition('/')[2]}]" in each.json()["message"] for each in answers)


async def test_deliveries_outlive_their_case(client: Any, tracker: Any):
    case_id = await a_case(client)
    id_ = await queued(client, case_id)

    assert (await client.delete("/api/cases", params={"ids": f'["{case_id}"]'})).status_code == 204

    delivery = await one(client, id_)
    assert (delivery["state"], delivery["case_id"]) == ("cancelled", case_id)
    assert (await found(client, caseId=case_id))["total"] == 1


# Retry and cancel


@pytest.mark.parametrize("sent", [{}, {"content": b"null"}, {"json": {}}])
@on_one_database
async def test_retry_and_cancel_take_no_body_or_an_empty_one(client: Any, tracker: Any, sent: dict[str, Any]):
    id_ = await queued(client, await a_case(client))

    cancelled = await client.post(f"{DELIVERIES}/{id_}/_cancel", **sent)
    retried = await client.post(f"{DELIVERIES}/{id_}/_retry", **sent)

    assert [cancelled.json()["state"], retried.json()["state"]] == ["cancelled", "queued"]
    assert set(cancelled.json()) == KEYS
    assert len({cancelled.json()["version"], retried.json()["version"]}) == 2


@pytest.mark.parametrize("body", [b"[]", b"5", b'{"version": "x"}'])
@pytest.mark.parametrize("verb", ["_retry", "_cancel"])
@on_one_database
async def test_any_other_body_is_refused(client: Any, tracker: Any, verb: str, body: bytes):
    id_ = await queued(client, await a_case(client))

    assert (await client.post(f"{DELIVERIES}/{id_}/{verb}", content=body)).status_code == 400
    assert (await one(client, id_))["state"] == "queued"


async def test_a_cancelled_delivery_is_not_sent(client: Any, tracker: Any, ground: Any):
    id_ = await queued(client, await a_case(client))

    await client.post(f"{DELIVERIES}/{id_}/_cancel")
    await work(ground)

    assert tracker.calls == []
    assert (await one(client, id_))["next_attempt_at"] is None


async def test_a_failed_delivery_is_sent_again_after_a_retry(client: Any, tracker: Any, ground: Any):
    tracker.fault("create=status:400")
    await pushed(client, await a_case(client))
    (failed,) = (await found(client))["deliveries"]

    retried = await client.post(f"{DELIVERIES}/{failed['id']}/_retry")
    await work(ground)

    assert (retried.status_code, retried.json()["state"]) == (200, "queued")
    delivery = await one(client, failed["id"])
    assert (delivery["state"], delivery["attempt_count"], delivery["error"]) == ("delivered", 2, None)
    assert [each["outcome"] for each in delivery["attempts"]] == ["permanent_fault", "delivered"]
    assert len(tracker.issues) == 1


async def test_an_uncertain_delivery_is_looked_up_after_a_retry(client: Any, tracker: Any, ground: Any):
    tracker.fault("create=drop-after")
    await pushed(client, await a_case(client))
    (uncertain,) = (await found(client, state="uncertain"))["deliveries"]

    await client.post(f"{DELIVERIES}/{uncertain['id']}/_retry")
    await work(ground)

    assert (await one(client, uncertain["id"]))["state"] == "delivered"
    assert len(tracker.issues) == 1


async def in_state(client: Any, jira: Any, ground: Any, state: str) -> str:
    """The id of a delivery in this state."""
    case_id = await a_case(client)
    if state in ("failed", "uncertain"):
        jira.fault("create=status:400" if state == "failed" else "create=drop-after")
        await pushed(client, case_id)
        return str((await found(client, caseId=case_id))["deliveries"][0]["id"])
    id_ = await queued(client, case_id)
    if state == "cancelled":
        await client.post(f"{DELIVERIES}/{id_}/_cancel")
    if state in ("waiting", "delivered"):
        if state == "waiting":
            jira.fault("create=status:429")
        await work(ground)
    return id_


@pytest.mark.parametrize(
    ("state", "retry", "cancel"),
    [
        ("queued", 409, 200),
        ("waiting", 200, 200),
        ("uncertain", 200, 200),
        ("failed", 200, 409),
        ("cancelled", 200, 409),
        ("delivered", 409, 409),
    ],
)
async def test_retry_and_cancel_are_for_some_states_only(
    client: Any, tracker: Any, ground: Any, state: str, retry: int, cancel: int
):
    for verb, expected in (("_retry", retry), ("_cancel", cancel)):
        id_ = await in_state(client, tracker, ground, state)
        before = await one(client, id_)
        assert before["state"] == state

        response = await client.post(f"{DELIVERIES}/{id_}/{verb}")

        assert response.status_code == expected
        if expected == 409:
            assert id_ in response.json()["message"]
            assert await one(client, id_) == before
        await client.post(f"{DELIVERIES}/{id_}/_cancel")
