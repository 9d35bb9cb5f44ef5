"""The simulated Elasticsearch: what it takes, and what it turns down."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from casebridge.sandbox.elasticsearch import SANDBOX_API_KEY, elasticsearch_app
from tests.sandbox.conftest import Clock

AUTH = ("casebridge", "sandbox-password")


class Caller:
    """Calls a simulated Elasticsearch."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def send(self, method: str, path: str, payload: Any = None, **more: Any) -> httpx2.Response:
        body = {} if payload is None else {"json": payload}
        return await self.http.request(method, path, **body, **more)

    async def put(self, id_: str, source: Any, index: str = "alerts") -> httpx2.Response:
        return await self.send("PUT", f"/{index}/_doc/{id_}", source)

    async def source(self, id_: str, index: str = "alerts") -> Any:
        return (await self.send("GET", f"/{index}/_doc/{id_}")).json()["_source"]

    async def bulk(self, *lines: Any, path: str = "/_bulk") -> Any:
        text = "".join(json.dumps(each) + "\n" for each in lines)
        headers = {"content-type": "application/x-ndjson"}
        return (await self.http.post(path, content=text, headers=headers)).json()

    async def search(self, *ids: str, index: str = "alerts", **more: Any) -> httpx2.Response:
        return await self.send("POST", f"/{index}/_search", {"query": {"ids": {"values": list(ids)}}, **more})


@pytest.fixture
async def caller(clock: Clock) -> AsyncIterator[Caller]:
    transport = httpx2.ASGITransport(app=elasticsearch_app(now=clock))
    async with httpx2.AsyncClient(transport=transport, base_url="http://es.test", auth=AUTH) as http:
        yield Caller(http)


async def test_the_banner_is_for_clients_and_the_page_for_people(caller: Caller):
    banner = await caller.send("GET", "/")
    assert banner.json()["tagline"] == "You Know, for Search"
    assert banner.headers["x-elastic-product"] == "Elasticsearch"
    await caller.put("a", {"kibana.alert.workflow_status": "closed"})

    page = await caller.send("GET", "/", headers={"accept": "text/html"})
    one = await caller.send("GET", "/_view/alerts:a", headers={"accept": "text/html"})

    assert "/_view/alerts%3Aa" in page.text
    assert "workflow_status" in one.text


async def test_documents_are_put_read_and_deleted(caller: Caller):
    made = await caller.put("a", {"n": 1})
    assert (made.status_code, made.json()["result"], made.json()["_version"]) == (201, "created", 1)
    again = await caller.put("a", {"n": 2})
    assert (again.status_code, again.json()["result"], again.json()["_seq_no"]) == (200, "updated", 1)
    assert await caller.source("a") == {"n": 2}
    assert (await caller.send("DELETE", "/alerts/_doc/a")).json()["result"] == "deleted"

    missing = await caller.send("GET", "/alerts/_doc/a")

    assert (missing.status_code, missing.json()["found"]) == (404, False)


@pytest.mark.parametrize("name", ["Alerts", "-alerts", "a,b"])
async def test_names_no_index_can_have_are_refused(caller: Caller, name: str):
    answer = await caller.put("a", {}, index=name)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_index_name_exception")


@pytest.mark.parametrize("given", [None, "Basic d3Jvbmc6d3Jvbmc=", "ApiKey wrong"])
async def test_a_stranger_gets_a_401_in_the_right_shape(caller: Caller, given: str | None):
    caller.http.auth = None
    headers = {} if given is None else {"authorization": given}

    answer = await caller.send("GET", "/", headers=headers)

    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "security_exception"
    assert "ApiKey" in answer.headers["www-authenticate"]


async def test_an_api_key_opens_too(caller: Caller):
    caller.http.auth = None

    assert (await caller.send("GET", "/", headers={"authorization": f"ApiKey {SANDBOX_API_KEY}"})).status_code == 200


async def test_a_bulk_request_does_what_it_can_and_tells_of_the_rest(caller: Caller):
    await caller.put("a", {"kibana": {"alert": {"status": "open", "kept": 1}}})

    answer = await caller.bulk(
        {"update": {"_index": "alerts", "_id": "a"}},
        {"doc": {"kibana": {"alert": {"status": "closed"}}}},
        {"update": {"_index": "alerts", "_id": "gone"}},
        {"doc": {"x": 1}},
        {"update": {"_index": "nowhere", "_id": "a"}},
        {"doc": {"x": 1}},
        {"index": {"_index": "alerts", "_id": "b"}},
        {"n": 1},
        {"create": {"_index": "alerts", "_id": "b"}},
        {"n": 2},
        {"delete": {"_index": "alerts", "_id": "b"}},
    )

    outcomes = [next(iter(each.values())) for each in answer["items"]]
    assert answer["errors"] is True
    assert [each["status"] for each in outcomes] == [200, 404, 404, 201, 409, 200]
    assert [each.get("error", {}).get("type") for each in outcomes] == [
        None,
        "document_missing_exception",
        "index_not_found_exception",
        None,
        "version_conflict_engine_exception",
        None,
    ]
    assert await caller.source("a") == {"kibana": {"alert": {"status": "closed", "kept": 1}}}


async def test_a_write_on_a_stale_sequence_number_is_refused(caller: Caller):
    seq_no = (await caller.put("a", {"n": 1})).json()["_seq_no"]
    guard = {"_index": "alerts", "_id": "a", "if_seq_no": seq_no, "if_primary_term": 1}

    first = await caller.bulk({"update": guard}, {"doc": {"n": 2}})
    second = await caller.bulk({"update": guard}, {"doc": {"n": 3}})

    assert first["errors"] is False
    assert second["items"][0]["update"]["error"]["type"] == "version_conflict_engine_exception"
    assert await caller.source("a") == {"n": 2}


async def test_an_update_that_changes_nothing_is_no_new_version(caller: Caller):
    await caller.put("a", {"n": 1})

    answer = await caller.bulk({"update": {"_id": "a"}}, {"doc": {"n": 1}}, path="/alerts/_bulk")

    assert answer["items"][0]["update"]["result"] == "noop"
    assert answer["items"][0]["update"]["_version"] == 1


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('{"update":{"_id":"a"}}\n{"doc":{}}', "illegal_argument_exception"),
        ('{"upsert":{"_id":"a"}}\n{"doc":{}}\n', "illegal_argument_exception"),
        ("", "parse_exception"),
        ("no json\n", "parse_exception"),
    ],
)
async def test_a_malformed_bulk_request_is_refused_whole(caller: Caller, content: str, kind: str):
    headers = {"content-type": "application/x-ndjson"}

    answer = await caller.http.post("/_bulk", content=content, headers=headers)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, kind)


async def test_another_content_type_is_refused(caller: Caller):
    answer = await caller.http.post("/_bulk", content="x\n", headers={"content-type": "text/plain"})

    assert answer.status_code == 406


async def test_documents_are_found_by_their_ids_with_the_fields_asked_for(caller: Caller):
    await caller.put("a", {"kibana.alert.workflow_status": "open", "other": 1})
    await caller.put("b", {"kibana": {"alert": {"workflow_status": "open", "rule": 1}}, "signal": {"status": "x"}})
    fields = ["kibana.alert.workflow_status", "signal.status"]

    answer = (await caller.search("a", "b", "c", _source=fields, seq_no_primary_term=True)).json()

    assert answer["hits"]["total"]["value"] == 2
    assert [each["_source"] for each in answer["hits"]["hits"]] == [
        {"kibana.alert.workflow_status": "open"},
        {"kibana": {"alert": {"workflow_status": "open"}}, "signal": {"status": "x"}},
    ]
    assert [each["_seq_no"] for each in answer["hits"]["hits"]] == [0, 1]


async def test_searches_go_through_aliases_patterns_and_missing_indices(caller: Caller):
    for number in (1, 2):
        await caller.put("a", {"n": number}, index=f"alerts-{number}")
        assert (await caller.send("PUT", f"/alerts-{number}/_alias/all-alerts")).json() == {"acknowledged": True}

    for expression in ("all-alerts", "alerts-*", "alerts-1,alerts-2"):
        hits = (await caller.search("a", index=expression)).json()["hits"]["hits"]
        assert [each["_index"] for each in hits] == ["alerts-1", "alerts-2"]
    assert (await caller.search("a", index="nowhere")).json()["error"]["type"] == "index_not_found_exception"
    written = await caller.bulk({"update": {"_index": "all-alerts", "_id": "a"}}, {"doc": {"n": 3}})
    assert written["items"][0]["update"]["status"] == 400


async def test_other_queries_are_refused(caller: Caller):
    answer = await caller.send("POST", "/_search", {"query": {"match_all": {}}})

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "parsing_exception")


async def test_a_search_lags_behind_writes_that_were_not_refreshed(caller: Caller, clock: Clock):
    await caller.put("a", {"n": 1})
    clock.forward(10)
    await caller.http.post("/_sandbox/faults", json="search=search-lag:5")
    await caller.put("a", {"n": 2})

    lagging = (await caller.search("a")).json()["hits"]["hits"]
    await caller.send("PUT", "/alerts/_doc/a?refresh=wait_for", {"n": 3})
    refreshed = (await caller.search("a")).json()["hits"]["hits"]

    assert [each["_source"] for each in (*lagging, *refreshed)] == [{"n": 1}, {"n": 3}]


async def test_state_shows_documents_and_reset_forgets_them(caller: Caller):
    await caller.put("a", {"n": 1})

    state = (await caller.send("GET", "/_sandbox/state")).json()
    assert state["documents"] == [{"index": "alerts", "id": "a", "version": 1, "source": {"n": 1}}]
    assert state["counts"] == {"document": 1}

    await caller.http.post("/_sandbox/reset")
    assert (await caller.send("GET", "/_sandbox/state")).json()["documents"] == []


async def test_a_fault_answers_in_the_words_of_the_system(caller: Caller):
    await caller.http.post("/_sandbox/faults", json="bulk=status:429")

    answer = await caller.bulk({"delete": {"_index": "alerts", "_id": "a"}})

    assert (answer["status"], answer["error"]["type"]) == (429, "circuit_breaking_exception")
