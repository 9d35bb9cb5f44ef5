"""The simulated Swimlane: what it takes, and what it turns down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from casebridge.sandbox.swimlane import swimlane_app
from tests.sandbox.conftest import Clock

TOKEN = {"Private-Token": "sandbox-token"}
APP = "/api/app/aX3k"


class Caller:
    """Calls a simulated Swimlane."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def send(self, method: str, path: str, payload: Any = None, **more: Any) -> httpx2.Response:
        body = {} if payload is None else {"json": payload}
        return await self.http.request(method, path, **body, **more)

    async def create(self, **values: Any) -> httpx2.Response:
        wanted = {"adnlas": "Beacon", **values}
        return await self.send("POST", f"{APP}/record", {"applicationId": "aX3k", "values": wanted})

    async def comment(self, record: str, **given: Any) -> httpx2.Response:
        usual = {"message": "a<br>b", "fieldId": "ahu7v", "createdDate": "2026-03-04T05:06:07.000Z", "isRichText": True}
        return await self.send("POST", f"{APP}/record/{record}/ahu7v/comment", usual | given)

    async def find(self, operator: str, value: Any, **more: Any) -> Any:
        filters = [{"fieldId": "a6ide", "filterType": operator, "value": value}]
        return await self.send("POST", "/api/search", {"applicationIds": ["aX3k"], "filters": filters, **more})


@pytest.fixture
async def caller(clock: Clock) -> AsyncIterator[Caller]:
    transport = httpx2.ASGITransport(app=swimlane_app(now=clock))
    async with httpx2.AsyncClient(transport=transport, base_url="http://lane.test", headers=TOKEN) as http:
        yield Caller(http)


async def test_a_record_is_created_read_and_changed(caller: Caller, clock: Clock):
    made = (await caller.create(a6ide="c-1")).json()
    assert (made["name"], made["createdDate"]) == ("ET-1", "2026-03-04T05:06:07.000Z")
    clock.forward(1)
    change = {"applicationId": "aX3k", "id": made["id"], "values": {"adnlas": "Renamed"}}
    assert (await caller.send("PATCH", f"{APP}/record/{made['id']}", change)).status_code == 200
    for path in (f"{APP}/record/{made['id']}", f"{APP}/record/tracking/ET-1"):
        shown = (await caller.send("GET", path)).json()
        assert shown["values"] == {"a6ide": "c-1", "adnlas": "Renamed"}
        assert shown["modifiedDate"] == "2026-03-04T05:06:08.000Z"
    other = await caller.send("PATCH", f"{APP}/record/{made['id']}", {**change, "id": "r9"})
    assert other.json() == {"ErrorCode": 3002, "Argument": "r9"}


@pytest.mark.parametrize(
    ("values", "code", "argument"),
    [
        ({"adnlas": None}, 5010, "adnlas"),
        ({"odd": "x"}, 3003, "odd"),
        ({"ahu7v": "x"}, 3003, "ahu7v"),
        ({"a6ide": 7}, 5013, "a6ide"),
        ({"aq9no": "7"}, 5013, "aq9no"),
    ],
)
async def test_what_swimlane_would_refuse_is_a_400_with_its_code(
    caller: Caller, values: dict[str, Any], code: int, argument: str
):
    refused = await caller.create(**values)
    assert (refused.status_code, refused.json()) == (400, {"ErrorCode": code, "Argument": argument})


async def test_comments_are_answered_with_nothing_and_kept_on_the_record(caller: Caller):
    id_ = (await caller.create()).json()["id"]
    answer = await caller.comment(id_)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await caller.comment(id_, fieldId="a6ide")).json()["ErrorCode"] == 3003
    assert (await caller.comment(id_, createdDate="yesterday")).json()["ErrorCode"] == 3001
    assert (await caller.comment(id_, message=" ")).json()["ErrorCode"] == 5010
    (note,) = (await caller.send("GET", f"{APP}/record/{id_}")).json()["comments"]["ahu7v"]
    assert note.keys() == {"message", "createdDate", "isRichText", "createdByUser"}


async def test_a_search_counts_pages_and_leaves_out_the_key_when_nothing_is_found(caller: Caller):
    ids = [(await caller.create(a6ide="c-1")).json()["id"] for _ in range(3)]
    page = (await caller.find("equals", "c-1", pageSize=2, offset=1)).json()
    assert (page["count"], [each["id"] for each in page["results"]["aX3k"]]) == (3, ids[2:])
    assert (await caller.find("equals", "c-2")).json()["results"] == {}
    assert (await caller.find("like", "c-2")).json()["ErrorCode"] == 4001


async def test_only_the_token_comes_in_and_only_to_its_application(caller: Caller):
    refused = await caller.send("GET", APP, headers={"Private-Token": "wrong"})
    assert (refused.status_code, refused.content) == (401, b"")
    assert (await caller.send("GET", "/api/app/other")).json()["ErrorCode"] == 2003
    assert (await caller.send("GET", f"{APP}/record/r9")).json() == {"ErrorCode": 3002, "Argument": "r9"}
    application = (await caller.send("GET", APP)).json()
    assert {"id": "a6ide", "key": "case-id", "name": "Case Id", "fieldType": "text"} in application["fields"]


async def test_the_pages_show_records_as_text_and_a_reset_forgets_them(caller: Caller):
    id_ = (await caller.create(adnlas="<b>Beacon</b>", a6fdf="seen & told")).json()["id"]
    await caller.comment(id_, message="isolated &amp; imaged")
    front, page = [(await caller.http.get(path)).text for path in ("/", f"/record/aX3k/{id_}")]
    for shown in ("ET-1", "&lt;b&gt;Beacon&lt;/b&gt;", "isolated &amp; imaged", "a6ide"):
        assert shown in front
    assert "seen &amp; told" in page
    assert "sandbox-token" not in front + page
    state = (await caller.http.get("/_sandbox/state")).json()
    assert (state["system"], state["counts"]) == ("swimlane", {"record": 1, "comment": 1})
    await caller.http.post("/_sandbox/reset")
    assert (await caller.http.get("/_sandbox/state")).json()["records"] == []
