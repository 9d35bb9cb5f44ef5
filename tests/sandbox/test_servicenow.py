"""The simulated ServiceNow is as strict, and as treacherous, as the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from casebridge.sandbox.servicenow import servicenow_app
from casebridge.sandbox.servicenow_query import select
from tests.sandbox.conftest import Clock

AUTH = ("integration", "the-right-password")
IMPORT = "/api/now/import/x_elas2_inc_int_elastic_incident"
SIR_IMPORT = "/api/now/import/x_elas2_sir_int_elastic_si_incident"
ELASTIC = "/api/x_elas2_sir_int/elastic_api"


class Caller:
    """Calls a simulated ServiceNow; short names for what tests do most."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def send(self, method: str, path: str, payload: Any = None, **query: Any) -> httpx2.Response:
        body = {} if payload is None else {"json": payload}
        return await self.http.request(method, path, params=query, **body)

    async def create(self, table: str = "incident", **columns: Any) -> dict[str, Any]:
        answer = await self.send("POST", f"/api/now/v2/table/{table}", {"short_description": "Odd logons", **columns})
        assert answer.status_code == 201, answer.text
        return answer.json()["result"]

    async def update(self, sys_id: str, **columns: Any) -> httpx2.Response:
        return await self.send("PATCH", f"/api/now/v2/table/incident/{sys_id}", columns)

    async def found(self, query: str, **more: Any) -> list[str]:
        """The short descriptions of the incidents a query finds, in order."""
        answer = await self.send("GET", "/api/now/v2/table/incident", sysparm_query=query, **more)
        return [each["short_description"] for each in answer.json()["result"]]

    async def notes(self, sys_id: str) -> httpx2.Response:
        query = f"element_id={sys_id}^element=work_notes"
        return await self.send("GET", "/api/now/table/sys_journal_field", sysparm_query=query)

    async def imported(self, path: str = IMPORT, **columns: Any) -> dict[str, Any]:
        answer = await self.send("POST", path, columns)
        assert answer.status_code == 201
        (row,) = answer.json()["result"]
        return row

    async def state(self) -> dict[str, Any]:
        return (await self.http.get("/_sandbox/state")).json()


@pytest.fixture
async def a_now(clock: Clock) -> AsyncIterator[Any]:
    """Makes a caller of a new simulated ServiceNow in this process; takes what `servicenow_app` takes."""
    async with AsyncExitStack() as stack:

        async def make(auth: Any = AUTH, **settings: Any) -> Caller:
            app = servicenow_app(*AUTH, now=clock, **settings)
            transport = httpx2.ASGITransport(app=app)
            http = httpx2.AsyncClient(transport=transport, base_url="http://now.test", auth=auth)
            return Caller(await stack.enter_async_context(http))

        yield make


@pytest.mark.parametrize("auth", [None, ("integration", "wrong"), ("other", "the-right-password")])
async def test_wrong_credentials_are_a_401_in_its_words(a_now, auth):
    answer = await (await a_now(auth)).send("GET", "/api/now/v2/table/incident")
    assert answer.status_code == 401
    words = {"message": "User Not Authenticated", "detail": "Required to provide Auth information"}
    assert answer.json() == {"error": words, "status": "failure"}


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/api/now/v2/table/incident/nothing", 404, "No Record found"),
        ("PATCH", "/api/now/v2/table/incident/nothing", 404, "No Record found"),
        ("GET", "/api/now/v2/table/nothing", 400, "Invalid table nothing"),
        ("POST", "/api/now/import/nothing", 400, "Invalid table nothing"),
        ("GET", "/api/nothing", 400, "Requested URI does not represent any resource"),
        ("GET", "/api/x_other/elastic_api/health", 400, "Requested URI does not represent any resource"),
    ],
)
async def test_what_is_not_there_is_refused_in_its_words(a_now, method, path, status, words):
    payload = None if method == "GET" else {"short_description": "x"}
    answer = await (await a_now()).send(method, path, payload)
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, words)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]"])
async def test_a_body_that_makes_no_sense_is_a_400_and_one_of_another_kind_a_415(a_now, body):
    now = await a_now()
    for kind, status in (("application/json", 400), ("text/plain", 415)):
        answer = await now.http.post("/api/now/v2/table/incident", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status


async def test_a_record_has_its_defaults_its_number_and_times_without_a_zone(a_now):
    now = await a_now()
    row = await now.create(caller_id="integration", nonsense="ignored", category="x" * 50)
    assert (row["number"], row["state"], row["urgency"]) == ("INC0010001", "1", "3")
    assert row["sys_created_on"] == "2026-03-04 05:06:07"
    assert row["caller_id"]["value"] == "integration"
    assert row["category"] == "x" * 40
    assert "nonsense" not in row
    assert len(row["sys_id"]) == 32


async def test_mandatory_columns_are_a_data_policy(a_now):
    now = await a_now()
    answer = await now.send("POST", "/api/now/v2/table/incident", {"description": "x"})
    assert (answer.status_code, "Short description" in answer.text) == (403, True)
    row = await now.create()
    answer = await now.update(row["sys_id"], state="7")
    assert (answer.status_code, "Data Policy Exception" in answer.text) == (403, True)
    assert (await now.update(row["sys_id"], state="7", close_code="x", close_notes="y")).status_code == 200


async def test_journal_fields_read_back_empty_and_the_same_text_twice_is_two_entries(a_now):
    now = await a_now()
    sys_id = (await now.create())["sys_id"]
    assert (await now.notes(sys_id)).status_code == 404
    for _ in range(2):
        assert (await now.update(sys_id, work_notes="isolated")).json()["result"]["work_notes"] == ""
    entries = (await now.notes(sys_id)).json()["result"]
    assert [each["value"] for each in entries] == ["isolated", "isolated"]


async def test_an_empty_search_is_a_404_in_version_1_and_an_empty_list_in_version_2(a_now):
    now = await a_now()
    assert (await now.send("GET", "/api/now/table/incident")).status_code == 404
    answer = await now.send("GET", "/api/now/v2/table/incident")
    assert (answer.status_code, answer.json(), answer.headers["X-Total-Count"]) == (200, {"result": []}, "0")


async def test_a_condition_on_an_unknown_field_finds_everything_unless_told_otherwise(a_now):
    for strict, expected in ((False, ["a", "b"]), (True, [])):
        now = await a_now(strict_queries=strict)
        for name in ("a", "b"):
            await now.create(short_description=name)
        assert await now.found("correlation_idd=6f1c") == expected


async def test_queries_combine_order_and_page(a_now):
    now = await a_now()
    for number, name in enumerate(("alpha", "beta", "gamma")):
        await now.create(short_description=name, correlation_id=str(number), urgency="1" if number else "2")
    assert await now.found("urgency=1^correlation_id=1^ORcorrelation_id=0") == ["beta"]
    assert await now.found("correlation_id=0^NQcorrelation_id=2") == ["alpha", "gamma"]
    assert await now.found("ORDERBYDESCshort_description", sysparm_limit=1, sysparm_offset=1) == ["beta"]
    answer = await now.send("GET", "/api/now/v2/table/incident", sysparm_fields="number,sys_id", sysparm_limit=1)
    assert answer.json()["result"][0].keys() == {"number", "sys_id"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("a>=2", ["2", "3"]),
        ("a>2", ["3"]),
        ("a<2", ["1"]),
        ("a<=1", ["1"]),
        ("a!=2", ["1", "3"]),
        ("aIN1,3", ["1", "3"]),
        ("bLIKEOO", ["1"]),
        ("bSTARTSWITHba", ["2"]),
        ("bISEMPTY", ["3"]),
        ("b=x^^y", []),
    ],
)
def test_operators_compare_as_the_platform_does(query, found):
    rows = [{"a": "1", "b": "foo"}, {"a": "2", "b": "bar"}, {"a": "3", "b": ""}]
    assert [row["a"] for row in select(rows, query, {"a", "b"})] == found


async def test_an_import_tells_its_outcome_inside_a_201(a_now):
    now = await a_now()
    made = await now.imported(u_short_description="Odd", u_urgency="1", u_affected_host="web-01", urgency="2")
    assert (made["status"], made["display_value"]) == ("inserted", "INC0010001")
    changed = {"elastic_incident_id": made["sys_id"], "u_urgency": "3", "u_description": None}
    assert (await now.imported(**changed))["status"] == "updated"
    assert (await now.imported(**changed))["status"] == "ignored"
    for wrong in ({"u_urgency": "1"}, {"elastic_incident_id": "nothing", "u_urgency": "1"}):
        failed = await now.imported(**wrong)
        assert (failed["status"], bool(failed["error_message"]), "sys_id" in failed) == ("error", True, False)
    (record,) = (await now.state())["records"]
    assert (record["urgency"], record["u_affected_host"]) == ("3", "web-01")


async def test_the_same_correlation_id_twice_makes_two_records(a_now):
    now = await a_now()
    for _ in range(2):
        assert (await now.imported(u_short_description="Odd", u_correlation_id="6f1c"))["status"] == "inserted"
    assert (await now.state())["counts"]["incident"] == 2


async def test_without_an_application_there_is_no_health_and_no_import_set(a_now):
    now = await a_now(applications=["x_elas2_sir_int"])
    assert (await now.send("GET", f"{ELASTIC}/health")).json()["result"]["scope"] == "x_elas2_sir_int"
    assert (await now.send("GET", "/api/x_elas2_inc_int/elastic_api/health")).status_code == 400
    assert (await now.send("POST", IMPORT, {"u_short_description": "x"})).status_code == 400
    with pytest.raises(ValueError, match="no application x_other"):
        servicenow_app(applications=["x_other"])


async def test_observables_are_linked_once_and_must_be_a_bare_array_in_bulk(a_now):
    now = await a_now()
    sys_id = (await now.imported(SIR_IMPORT, u_short_description="Odd"))["sys_id"]
    path = f"{ELASTIC}/incident/{sys_id}/observables"
    one = {"value": "203.0.113.9", "type": "ipv4-addr"}
    first = (await now.send("POST", f"{path}/bulk", [one])).json()["result"]
    assert (await now.send("POST", path, one)).json()["result"] == first[0]
    for wrong in ({"observables": [one]}, [{"value": "x", "type": "ip"}], [{"value": "x"}]):
        assert (await now.send("POST", f"{path}/bulk", wrong)).status_code == 400
    state = await now.state()
    assert (state["records"][0]["observables"], state["counts"]["observable"]) == ([one], 1)


async def test_the_rate_limit_says_when_it_ends(a_now, clock):
    now = await a_now(rate_limit_per_hour=1)
    await now.create()
    answer = await now.send("GET", "/api/now/v2/table/incident")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "3601"
    assert int(answer.headers["X-RateLimit-Reset"]) > clock().timestamp()
    clock.forward(3_601)
    assert (await now.send("GET", "/api/now/v2/table/incident")).status_code == 200


async def test_the_pages_show_records_notes_and_requests_as_text(a_now):
    now = await a_now(faults=["find=hang"])
    row = await now.create(short_description="<b>Beacon</b>", description="<script>")
    await now.update(row["sys_id"], work_notes="isolated & imaged")
    front = await now.http.get("/")
    for shown in ("INC0010001", "&lt;b&gt;Beacon&lt;/b&gt;", "New", "isolated &amp; imaged", "hang", "http://now.test"):
        assert shown in front.text
    address = f"/nav_to.do?uri=incident.do?sys_id={row['sys_id']}"
    page = await now.http.get(address, follow_redirects=True)
    for shown in ("&lt;script&gt;", "isolated &amp; imaged", "/api/now/v2/table/incident"):
        assert shown in page.text
    assert "<script" not in front.text + page.text
    assert "the-right-password" not in front.text + page.text
    assert (await now.http.get("/nav_to.do?uri=x", follow_redirects=True)).status_code == 404


async def test_records_survive_a_restart_with_a_state_file_and_a_reset_forgets_them(a_now, tmp_path):
    first = await a_now(state_file=tmp_path / "now.json")
    row = await first.create()
    await first.update(row["sys_id"], work_notes="isolated")
    again = await a_now(state_file=tmp_path / "now.json")
    assert (await again.state())["records"][0]["notes"][0]["value"] == "isolated"
    assert (await again.http.post("/_sandbox/reset")).status_code == 204
    assert (await again.state())["records"] == []
