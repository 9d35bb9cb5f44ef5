"""`_find` against a model in memory: whatever is asked of one pool of cases, both answer the same (find.md 1)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from casebridge.storage.session import Write
from casebridge.wire.base import time_text
from tests.api.calls import CASES, START, Clock, a_body, changed, commented
from tests.api.living import NAMES, Living, living

POOL_SIZE = 120
TAGS = ("a", "A", "b", "a b", "é", "\U0001f600", "%", "*")
UIDS = ("u_1", "u_2", "none-such", "u_3")
CATEGORIES = ("Cat", "cat", "dog", "É", "\uffee", "\U0001f600")
TITLES = ("alpha", "Alpha", "beta", "10", "9", "é", "\uffee", "\U0001f600", "a b", "a-b")
OWNERS = ("cases", "observability", "securitySolution")
STATUSES = ("open", "in-progress", "closed")
SEVERITIES = ("low", "medium", "high", "critical")
PROFILES = {"omar": "u_omar_0", "Zoe": "u_zoe_0"}
Case = dict[str, Any]


@pytest.fixture
def pool(
    database_target: str, password_hash: str, connect: Callable[..., Any]
) -> Iterator[tuple[Living, Any, list[Case]]]:
    """A server, a client, and the cases it holds in the order of their creation."""
    clock = Clock()
    with living(database_target, password_hash, now=clock) as server:
        clients = {name: connect(server.app, auth=(name, "correct horse battery")) for name in NAMES}
        cases = server.run(filled(server, clients, clock, random.Random(7)))
        clock.at = START
        yield server, clients["admin"], cases


async def filled(server: Living, clients: dict[str, Any], clock: Clock, dice: random.Random) -> list[Case]:
    """Cases of every kind; the clock sometimes stands still and sometimes goes back."""
    ids = []
    for _ in range(POOL_SIZE):
        name = dice.choice(NAMES)
        body = a_body(
            title=dice.choice(TITLES),
            tags=dice.sample(TAGS, dice.randrange(4)),
            severity=dice.choice(SEVERITIES),
            category=dice.choice((*CATEGORIES, None)),
            assignees=[{"uid": uid} for uid in dice.sample(UIDS, dice.randrange(3))],
            owner=dice.choice(OWNERS),
        )
        case = (await clients[name].post(CASES, json=body)).json()
        ids.append(case["id"])
        clock.forward(dice.choice((0, 0, 0.001, 1, 3600, 86_400, -7200)))
        if dice.random() < 0.6:
            case = await changed(clients["admin"], case, status=dice.choice(STATUSES), description=f"{dice.random()}")
        if dice.random() < 0.2:
            await commented(clients["admin"], case)
    for id_ in dice.sample(ids, 30):
        await give_profile(server, id_)
    return [(await clients["admin"].get(f"{CASES}/{id_}?includeComments=false")).json() for id_ in ids]


async def give_profile(server: Living, id_: str) -> None:
    """Let a case have been opened by a user with a profile: the API has no way to make one yet."""
    ((doc,),) = await server.database.read("SELECT doc FROM cases WHERE id = :id", {"id": id_})
    stored = json.loads(doc)
    uid = PROFILES.get(stored["created_by"]["username"])
    stored["created_by"]["profile_uid"] = uid
    params = {"id": id_, "doc": json.dumps(stored), "uid": uid}
    await server.database.commit([Write("UPDATE cases SET doc = :doc, created_by_uid = :uid WHERE id = :id", params)])


def some(*values: str, most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most)


MOMENTS = st.one_of(
    st.integers(-10, 40).map(lambda days: START + timedelta(days=days)),
    st.integers(-5_000, 5_000).map(lambda ms: START + timedelta(milliseconds=ms)),
)
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "status": some(*STATUSES),
        "severity": some(*SEVERITIES),
        "tags": some(*TAGS, "", "unknown"),
        "reporters": some(*NAMES, *PROFILES.values(), "", "Admin"),
        "assignees": some(*UIDS, "none", "", "unknown"),
        "category": some(*CATEGORIES, "", "unknown"),
        "owner": some(*OWNERS, "", "unknown"),
        "from": MOMENTS.map(time_text),
        "to": MOMENTS.map(time_text),
        "sortField": st.sampled_from(["createdAt", "updatedAt", "closedAt", "title", "category", "status", "severity"]),
        "sortOrder": st.sampled_from(["asc", "desc"]),
        "page": st.integers(1, 8),
        "perPage": st.sampled_from([0, 1, 7, 20, 100]),
    },
)


def matches(case: Case, query: dict[str, Any]) -> bool:
    """Whether a case passes every filter but that of the status."""
    reporter = case["created_by"]
    uids = [each["uid"] for each in case["assignees"]] or ["none"]
    has = {
        "severity": [case["severity"]],
        "tags": case["tags"],
        "reporters": [reporter["username"], reporter.get("profile_uid")],
        "assignees": uids,
        "category": [case["category"]],
        "owner": [case["owner"]],
    }
    return (
        all(set(values) & set(query[name]) for name, values in has.items() if name in query)
        and query.get("from", "") <= case["created_at"]
        and case["created_at"] <= query.get("to", "9")
    )


def in_order(cases: list[Case], query: dict[str, Any]) -> list[Case]:
    """The cases, given oldest first, in the order asked for."""
    ranks = {"status": STATUSES.index, "severity": SEVERITIES.index}
    columns = {"createdAt": "created_at", "updatedAt": "updated_at", "closedAt": "closed_at"}
    column = columns.get(query.get("sortField", "createdAt"), query.get("sortField", "created_at"))
    rank = ranks.get(column, lambda value: value)
    descending = query.get("sortOrder") == "desc"
    if column == "created_at" and descending:
        cases = cases[::-1]
    present = [case for case in cases if case[column] is not None]
    absent = [case for case in cases if case[column] is None]
    if descending:
        # Python keeps the order of equals when it sorts in reverse.
        return sorted(present, key=lambda case: rank(case[column]), reverse=True) + absent
    return sorted(present, key=lambda case: rank(case[column])) + absent


def expected(cases: list[Case], query: dict[str, Any]) -> dict[str, Any]:
    """The answer as the contract wants it."""
    counted = [case for case in cases if matches(case, query)]
    found = [case for case in counted if case["status"] in query.get("status", STATUSES)]
    page, size = query.get("page", 1), query.get("perPage", 20)
    return {
        "cases": in_order(found, query)[(page - 1) * size : page * size],
        "page": page,
        "per_page": size,
        "total": len(found),
        "count_open_cases": sum(case["status"] == "open" for case in counted),
        "count_in_progress_cases": sum(case["status"] == "in-progress" for case in counted),
        "count_closed_cases": sum(case["status"] == "closed" for case in counted),
    }


def test_every_query_is_answered_as_the_model_answers_it(pool: tuple[Living, Any, list[Case]]) -> None:
    server, client, cases = pool

    @settings(max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(QUERIES)
    @example({"tags": ["a"]})
    @example({"tags": ["a", "a"], "status": ["closed"]})
    @example({"sortField": "category", "sortOrder": "desc", "perPage": 100, "page": 2})
    def ask(query: dict[str, Any]) -> None:
        answer = server.run(client.get(f"{CASES}/_find", params=query))
        assert answer.status_code == 200, answer.text
        wanted = expected(cases, query)
        event("finds something" if wanted["total"] else "finds nothing")
        assert answer.json() == wanted

    ask()


def test_lists_and_counts_agree_with_the_model(pool: tuple[Living, Any, list[Case]]) -> None:
    server, client, cases = pool

    for owners in ([], ["cases"], ["observability", "unknown"], ["unknown"], list(OWNERS)):
        mine = [case for case in cases if not owners or case["owner"] in owners]
        params = {"owner": owners}
        tags = server.run(client.get(f"{CASES}/tags", params=params)).json()
        reporters = server.run(client.get(f"{CASES}/reporters", params=params)).json()
        counts = server.run(client.get(f"{CASES}/status", params=params)).json()
        latest = {case["created_by"]["username"]: case["created_by"] for case in mine}
        assert tags == sorted({tag for case in mine for tag in case["tags"]})
        assert reporters == [latest[name] for name in sorted(latest)]
        assert list(counts.values()) == [sum(case["status"] == status for case in mine) for status in STATUSES]
