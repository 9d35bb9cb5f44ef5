"""The simulated TheHive refuses what the real one refuses, and shows what arrived."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from casebridge.sandbox.faults import BadFault
from casebridge.sandbox.thehive import thehive_app

KEY = {"authorization": "Bearer the-right-key"}
CASE = {"title": "Beacon", "description": "from web-01", "severity": 3, "tlp": 2, "tags": ["c2"]}
Hives = Callable[..., Awaitable[httpx2.AsyncClient]]


@pytest.fixture
async def a_hive(clock) -> AsyncIterator[Hives]:
    """Makes a client of a new simulated TheHive in this process; takes what `thehive_app` takes."""
    async with AsyncExitStack() as stack:

        async def make(headers: Any = KEY, **given: Any) -> httpx2.AsyncClient:
            app = thehive_app(**{"api_key": "the-right-key", "now": clock} | given)
            transport = httpx2.ASGITransport(app=app)
            http = httpx2.AsyncClient(transport=transport, base_url="http://hive.test", headers=headers)
            return await stack.enter_async_context(http)

        yield make


async def create(http: httpx2.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await http.post("/api/v1/case", json={**CASE, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def asked(http: httpx2.AsyncClient, *operations: Any) -> Any:
    return await http.post("/api/v1/query", json={"query": list(operations)})


async def found(http: httpx2.AsyncClient, condition: Any) -> list[str]:
    answer = await asked(http, {"_name": "listCase"}, {"_name": "filter", **condition})
    assert answer.status_code == 200, answer.text
    return [each["title"] for each in answer.json()]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic the-right-key"}])
async def test_who_has_not_the_key_is_not_let_in(a_hive, headers):
    answer = await (await a_hive(headers)).get("/api/v1/user/current")
    assert (answer.status_code, answer.json()["type"]) == (401, "AuthenticationError")


@pytest.mark.parametrize(("organisation", "status"), [("soc", 200), ("other", 403), ("", 403), ("null", 403)])
async def test_a_header_that_names_another_organisation_is_refused(a_hive, organisation: str, status: int):
    http = await a_hive({**KEY, "x-organisation": organisation})
    assert (await http.get("/api/v1/user/current")).status_code == status


async def test_a_new_case_is_shown_with_labels_and_without_absent_keys(a_hive):
    case = await create(await a_hive())
    assert (case["_id"][0], case["number"], case["status"], case["stage"]) == ("~", 1, "New", "New")
    assert (case["severityLabel"], case["tlpLabel"], case["papLabel"]) == ("HIGH", "AMBER", "AMBER")
    assert "_updatedAt" not in case
    assert case["_createdAt"] == 1772600767000


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": None}, {"title": ""}, {"title": "x" * 513}, {"severity": 5}, {"severity": "3"}, {"severity": None},
        {"tlp": 5}, {"tlp": None}, {"tags": "c2"}, {"tags": ["x" * 129]}, {"status": "Open"}, {"owner": "me"},
        {"caseId": 1},
    ],
)  # fmt: skip
async def test_a_value_that_may_not_stand_there_is_a_400(a_hive, wrong: dict[str, Any]):
    http = await a_hive()
    answer = await http.post("/api/v1/case", json={**CASE, **wrong})
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")
    assert (await http.get("/_sandbox/state")).json()["cases"] == []


@pytest.mark.parametrize("body", [b"{", b"[]", b"3", b"\xff", b"{}"])
async def test_a_body_that_makes_no_sense_is_a_400(a_hive, body: bytes):
    http = await a_hive({**KEY, "content-type": "application/json"})
    assert (await http.post("/api/v1/case", content=body)).status_code == 400
    assert (await http.post("/api/v1/query", content=body)).status_code == 400


async def test_a_body_that_is_not_called_json_is_a_415(a_hive):
    assert (await (await a_hive()).post("/api/v1/case", content=b"{}")).status_code == 415


async def test_a_change_replaces_the_tags_or_adds_and_takes_some_and_answers_nothing(a_hive):
    http = await a_hive()
    path = f"/api/v1/case/{(await create(http))['_id']}"
    answer = await http.patch(path, json={"tags": ["a", "b", "a"], "status": "TruePositive"})
    assert (answer.status_code, answer.content) == (204, b"")
    await http.patch(path, json={"addTags": ["c"], "removeTags": ["a"]})
    case = (await http.get(path)).json()
    assert (case["tags"], case["stage"]) == (["b", "c"], "Closed")
    assert "_updatedAt" in case
    assert (await http.patch("/api/v1/case/~9", json={"title": "x"})).status_code == 404


async def test_comments_are_added_edited_and_deleted(a_hive):
    http = await a_hive()
    case = f"/api/v1/case/{(await create(http))['_id']}"
    made = await http.post(f"{case}/comment", json={"message": "isolated"})
    assert (made.status_code, made.json()["isEdited"]) == (201, False)
    comment = f"/api/v1/comment/{made.json()['_id']}"
    assert (await http.patch(comment, json={"message": "imaged"})).status_code == 204
    rows = (await asked(http, {"_name": "getCase", "idOrName": case[13:]}, {"_name": "comments"})).json()
    assert [(each["message"], each["isEdited"]) for each in rows] == [("imaged", True)]
    assert (await http.delete(comment)).status_code == 204
    assert (await http.patch(comment, json={"message": "x"})).status_code == 404
    assert (await http.get("/_sandbox/state")).json()["counts"] == {"case": 1, "comment": 1, "alert": 0}


@pytest.mark.parametrize(
    ("condition", "titles"),
    [
        ({"_eq": {"_field": "tags", "_value": "m"}}, ["b"]),
        ({"_ne": {"_field": "title", "_value": "b"}}, ["a", "c"]),
        ({"_gt": {"_field": "severity", "_value": 2}}, ["b", "c"]),
        ({"_between": {"_field": "severity", "_from": 1, "_to": 3}}, ["a"]),
        ({"_in": {"_field": "title", "_values": ["a", "c"]}}, ["a", "c"]),
        ({"_like": {"_field": "description", "_value": "*WEB*"}}, ["a", "b", "c"]),
        ({"_startsWith": {"_field": "title", "_value": "c"}}, ["c"]),
        ({"_has": "_updatedAt"}, []),
        ({"_not": {"_has": "tags"}}, ["a"]),
        ({"_and": [{"_gte": {"_field": "severity", "_value": 3}}, {"_lte": {"_field": "number", "_value": 2}}]}, ["b"]),
        ({"_or": [{"_eq": {"_field": "title", "_value": "a"}}, {"_lt": {"_field": "number", "_value": 2}}]}, ["a"]),
    ],
)  # fmt: skip
async def test_queries_find_what_meets_their_condition(a_hive, condition: Any, titles: list[str]):
    http = await a_hive()
    for severity, title, tags in ((2, "a", []), (3, "b", ["m", "c2"]), (4, "c", ["c2"])):
        await create(http, title=title, severity=severity, tags=tags)
    assert await found(http, condition) == titles


@pytest.mark.parametrize(
    "operations",
    [
        [],
        [{"_name": "listTicket"}],
        [{"_name": "filter", "_eq": {"_field": "tags", "_value": "m"}}],
        [{"_name": "listCase"}, {"_name": "filter", "_eq": {"_field": "labels", "_value": "m"}}],
        [{"_name": "listCase"}, {"_name": "filter", "_is": {"_field": "tags", "_value": "m"}}],
        [{"_name": "listCase"}, {"_name": "filter"}],
        [{"_name": "listCase"}, {"_name": "page", "from": 3, "to": 2}],
        [{"_name": "listCase"}, {"_name": "sort", "_fields": [{"_createdAt": "up"}]}],
        [{"_name": "listCase"}, {"_name": "listCase"}],
    ],
)
async def test_a_query_that_makes_no_sense_is_a_400(a_hive, operations: Any):
    assert (await asked(await a_hive(), *operations)).status_code == 400


async def test_queries_sort_and_page(a_hive):
    http = await a_hive()
    for title in "abc":
        await create(http, title=title)
    sort, page = {"_name": "sort", "_fields": [{"number": "desc"}]}, {"_name": "page", "from": 1, "to": 3}
    assert [each["title"] for each in (await asked(http, {"_name": "listCase"}, sort, page)).json()] == ["b", "a"]
    assert len((await asked(http, {"_name": "listCaseStatus"})).json()) == 7


async def test_a_lagging_query_does_not_see_what_is_new(a_hive, clock):
    http = await a_hive(search_lag_s=5.0)
    await create(http, title="a")
    assert await found(http, {"_has": "title"}) == []
    clock.forward(6)
    assert await found(http, {"_has": "title"}) == ["a"]


async def test_cases_survive_a_restart_with_a_state_file(a_hive, tmp_path):
    await create(await a_hive(state_file=tmp_path / "hive.json"))
    again = await create(await a_hive(state_file=str(tmp_path / "hive.json")))
    assert again["number"] == 2
    (tmp_path / "hive.json").write_text("hello")
    with pytest.raises(ValueError, match="simulated TheHive"):
        thehive_app(state_file=tmp_path / "hive.json")


async def test_the_old_api_and_unknown_addresses_are_a_404(a_hive):
    http = await a_hive()
    for path in ("/api/case", "/api/v1/ticket"):
        answer = await http.post(path, json=CASE)
        assert (answer.status_code, answer.json()["type"]) == (404, "NotFoundError")


async def test_faults_name_the_steps_of_thehive_and_are_worded_like_it(a_hive):
    http = await a_hive(faults=["create=status:503", "create=no-id", "create=rate-limit:7"])
    first, second, third = [await http.post("/api/v1/case", json=CASE) for _ in range(3)]
    assert (first.status_code, first.json()["type"]) == (503, "InternalError")
    assert "_id" not in second.json()
    assert (third.status_code, third.headers["retry-after"]) == (429, "7")
    with pytest.raises(BadFault, match="there is no step 'transition'"):
        thehive_app(faults=["transition=hang"])


async def test_the_pages_show_cases_comments_and_requests_as_text(a_hive):
    http = await a_hive()
    assert "No case has been created yet" in (await http.get("/")).text
    case = await create(http, title="<b>Beacon</b>", status="InProgress")
    await http.post(f"/api/v1/case/{case['_id']}/comment", json={"message": "isolated & imaged"})
    front, page = (await http.get("/")).text, (await http.get(f"/cases/{case['_id']}/details")).text
    for shown in ("#1", "&lt;b&gt;Beacon&lt;/b&gt;", "InProgress", "c2", "isolated &amp; imaged"):
        assert shown in front
        assert shown in page
    assert f'href="/cases/{case["_id"]}/details"' in front
    assert "the-right-key" not in front + page + (await http.get("/_sandbox/state")).text
    assert (await http.get("/cases/~9/details")).status_code == 404
    await http.post("/_sandbox/reset")
    assert (await http.get("/_sandbox/state")).json()["cases"] == []
