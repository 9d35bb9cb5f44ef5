"""The simulated Resilient: what it takes, and what it turns down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from casebridge.sandbox.faults import BadFault
from casebridge.sandbox.resilient import resilient_app
from tests.sandbox.conftest import Clock

KEY = ("sandbox-key", "sandbox-secret")
ORG = "/rest/orgs/201"
AT_MS = 1772600767000
OBJECTS = {"text_content_output_format": "objects_convert"}


class Caller:
    """Calls a simulated Resilient."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def send(self, method: str, path: str, payload: Any = None, **more: Any) -> httpx2.Response:
        body = {} if payload is None else {"json": payload}
        return await self.http.request(method, f"{ORG}{path}", **body, **more)

    async def create(self, **fields: Any) -> httpx2.Response:
        return await self.send("POST", "/incidents", {"name": "Beacon", "discovered_date": AT_MS, **fields})

    async def change(self, name: str, old: Any, new: Any) -> httpx2.Response:
        change = {"field": {"name": name}, "old_value": old, "new_value": new}
        return await self.send("PATCH", "/incidents/2101", {"changes": [change]})

    async def find(self, *conditions: tuple[str, str, Any]) -> list[int]:
        rows = [{"field_name": name, "method": method, "value": value} for name, method, value in conditions]
        answer = await self.send("POST", "/incidents/query_paged", {"filters": [{"conditions": rows}]})
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()["data"]]


@pytest.fixture
async def caller(clock: Clock) -> AsyncIterator[Caller]:
    transport = httpx2.ASGITransport(app=resilient_app(now=clock))
    async with httpx2.AsyncClient(transport=transport, base_url="http://soar.test", auth=KEY) as http:
        yield Caller(http)


async def test_an_incident_is_kept_with_numbers_and_its_html_in_a_frame(caller: Caller):
    properties = {"case_ref": "c-1", "zone": {"id": 31}}
    made = await caller.create(
        description={"format": "html", "content": "a"},
        incident_type_ids=[{"id": 1001}, 1002],
        severity_code={"id": 6},
        properties=properties,
    )
    assert made.status_code == 200
    shown = (await caller.send("GET", "/incidents/2101", params=OBJECTS)).json()
    assert shown["description"] == {"format": "html", "content": '<div class="rte">a</div>'}
    assert (shown["incident_type_ids"], shown["severity_code"], shown["id"]) == ([1001, 1002], 6, 2101)
    assert (shown["properties"]["case_ref"], shown["properties"]["zone"]) == ("c-1", 31)
    plain = (await caller.send("GET", "/incidents/2101")).json()
    assert plain["description"] == '<div class="rte">a</div>'


@pytest.mark.parametrize(
    "fields",
    [
        {"name": None},
        {"name": "x" * 1_001},
        {"discovered_date": None},
        {"discovered_date": 1772600767},
        {"severity_code": {"id": 99}},
        {"incident_type_ids": 1001},
        {"case_ref": "at the wrong place"},
        {"properties": {"city": "at the wrong place"}},
        {"properties": {"odd": 1}},
        {"create_date": 1},
    ],
)
async def test_what_resilient_would_refuse_is_a_400_in_its_words(caller: Caller, fields: dict[str, Any]):
    refused = await caller.create(**fields)
    assert refused.status_code == 400
    assert refused.json().keys() == {"success", "title", "message", "hints", "error_code", "error_payload"}


async def test_a_change_needs_the_old_value_as_it_stands(caller: Caller):
    await caller.create(severity_code={"id": 4})
    refused = await caller.change("severity_code", {"id": 5}, {"id": 6})
    assert (refused.status_code, refused.json()["success"]) == (200, False)
    assert refused.json()["field_failures"] == [
        {"field": "severity_code", "your_original_value": 5, "actual_current_value": 4}
    ]
    assert (await caller.change("severity_code", {"id": 4}, {"id": 6})).json()["success"] is True
    assert (await caller.change("zone", {}, {"id": 31})).json()["success"] is True
    shown = (await caller.send("GET", "/incidents/2101")).json()
    assert (shown["severity_code"], shown["properties"]["zone"], shown["vers"]) == (6, 31, 3)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("name", {"textarea": "x"}, {"text": "y"}), ("odd", {}, {}), ("create_date", {}, {"date": 1}), ("name", "x", {})],
)
async def test_a_change_of_the_wrong_form_is_a_400(caller: Caller, name: str, old: Any, new: Any):
    await caller.create()
    assert (await caller.change(name, old, new)).status_code == 400


async def test_incidents_are_found_by_all_conditions_of_any_filter(caller: Caller, clock: Clock):
    await caller.create()
    clock.forward(60)
    await caller.create(discovered_date=AT_MS + 1)
    assert await caller.find(("name", "equals", "Beacon")) == [2101, 2102]
    assert await caller.find(("name", "equals", "Beacon"), ("create_date", "gte", AT_MS + 1)) == [2102]
    assert await caller.find(("discovered_date", "lte", AT_MS)) == [2101]
    odd = {"filters": [{"conditions": [{"field_name": "odd", "method": "equals", "value": 1}]}]}
    assert (await caller.send("POST", "/incidents/query_paged", odd)).status_code == 400


async def test_comments_are_added_listed_and_edited(caller: Caller):
    await caller.create()
    text = {"text": {"format": "text", "content": "a < b"}}
    assert (await caller.send("POST", "/incidents/2101/comments", text)).json()["id"] == 501
    edited = {"text": {"format": "text", "content": "edited"}}
    assert (await caller.send("PUT", "/incidents/2101/comments/501", edited)).status_code == 200
    assert (await caller.send("PUT", "/incidents/2101/comments/502", edited)).status_code == 404
    (listed,) = (await caller.send("GET", "/incidents/2101/comments")).json()
    assert (listed["text"], listed["children"]) == ("edited", [])
    assert (await caller.send("POST", "/incidents/2101/comments", {"text": ""})).status_code == 400


async def test_only_the_key_and_only_its_organization_come_in(caller: Caller):
    assert (await caller.http.get("/rest/session")).json()["orgs"][0]["id"] == 201
    assert (await caller.http.get("/rest/session", auth=("sandbox-key", "wrong"))).status_code == 401
    assert (await caller.http.get("/rest/orgs/202/incidents/1")).status_code == 403
    assert (await caller.send("GET", "/incidents/99")).json()["message"] == "Unable to find object with ID 99"
    assert (await caller.send("POST", "/incidents", content=b"{}")).status_code == 415
    assert (await caller.http.get("/nothing")).json()["success"] is False


async def test_the_fields_say_where_they_belong_and_what_they_take(caller: Caller):
    fields = {each["name"]: each for each in (await caller.send("GET", "/types/incident/fields")).json()}
    assert (fields["case_ref"]["prefix"], fields["name"]["required"]) == ("properties", "always")
    severity = (await caller.send("GET", "/types/incident/fields/severity_code")).json()
    assert [each["label"] for each in severity["values"]] == ["Low", "Medium", "High"]


async def test_the_pages_show_incidents_and_requests_as_text_and_a_reset_forgets_them(caller: Caller):
    assert "No incident has been created yet" in (await caller.http.get("/")).text
    await caller.create(name="<b>Beacon</b>", description="seen &amp; told")
    await caller.send("POST", "/incidents/2101/comments", {"text": "isolated"})
    front, page = [(await caller.http.get(path)).text for path in ("/", "/records/2101")]
    for shown in ("2101", "&lt;b&gt;Beacon&lt;/b&gt;", "isolated", "IBM Resilient", "201"):
        assert shown in front
    assert "seen &amp; told" in page
    assert "/incidents/2101/comments" in page
    assert "sandbox-secret" not in front + page
    assert (await caller.http.get("/records/9")).status_code == 404
    state = (await caller.http.get("/_sandbox/state")).json()
    assert (state["system"], state["counts"]) == ("resilient", {"incident": 1, "comment": 1})
    assert [each["record"] for each in state["created"]] == ["2101", "2101"]
    await caller.http.post("/_sandbox/reset")
    assert (await caller.http.get("/_sandbox/state")).json()["incidents"] == []


async def test_faults_strike_here_as_everywhere(caller: Caller):
    await caller.http.post("/_sandbox/faults", json=["create=status:503", "create=no-id"])
    assert (await caller.create()).json()["error_code"] == "generic"
    assert "id" not in (await caller.create()).json()
    assert (await caller.create()).json()["id"] == 2102
    with pytest.raises(BadFault, match="no step 'creat'"):
        resilient_app(faults=["creat=hang"])
