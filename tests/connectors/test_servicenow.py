"""ServiceNow ITSM: the contract of all types in both ways of writing, recorded answers, and the simulated one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import msgspec
import pytest

from casebridge.connectors.base import ConnectorType, InvalidParams
from casebridge.connectors.http import AllowedHosts, CallLog, Outbound
from casebridge.connectors.servicenow import ServiceNow
from casebridge.connectors.servicenow_shapes import as_note
from casebridge.domain.errors import ConnectorError, InvalidInput
from casebridge.sandbox.server import serving
from casebridge.sandbox.servicenow import servicenow_app
from tests.connectors.contract import ANYWHERE, MARKER, ConnectorContract, Handler, Kit, Operation, fault_of, writes

SECRETS = {"username": "integration", "password": "planted-passw0rd"}
INCIDENT = {"short_description": "Odd logons", "description": "seen on two hosts", "urgency": "1"}
URL = "https://acme.example.org"
TABLE = f"{URL}/api/now/v2/table/incident"
HEALTHY = {"result": {"name": "Elastic", "scope": "x_elas2_inc_int", "version": "1.0.0"}}


class ImportKit(Kit):
    """A connector that writes by the import set; the application behind it is in good health."""

    def at_work(self, handler: Handler, log: CallLog | None = None, **secrets: str) -> ConnectorType:
        def healthy(request: httpx2.Request) -> httpx2.Response:
            if request.url.path.endswith("/elastic_api/health"):
                return httpx2.Response(200, json=HEALTHY)
            return handler(request)

        return super().at_work(healthy, log, **secrets)


def kit_of(by_table: bool, type_: type[ConnectorType] = ServiceNow) -> Kit:
    return (Kit if by_table else ImportKit)(
        type_=type_,
        config={"apiUrl": f"{URL}/", "usesTableApi": by_table},
        secrets=SECRETS,
        url_key="apiUrl",
        incident={"short_description": "Odd logons", "description": "seen on two hosts"},
        refusal={"error": {"message": "Operation Failed", "detail": "ACL Exception"}, "status": "failure"},
        words="ACL Exception",
    )


class ImportContract(ConnectorContract):
    """The same, but that a health check comes before each write."""

    @writes
    async def test_a_write_is_one_call(self, kit: Kit, operation: Operation):
        log = CallLog()
        await fault_of(kit, operation, kit.answering(503, None, log))
        assert [call.method for call in log.calls] == ["GET", "POST"]

    @writes
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_write_is_never_sent_on_to_another_address(self, kit: Kit, operation: Operation, status: int):
        log = CallLog()
        worker = kit.answering(status, {}, log, location="https://elsewhere.example.org/?secret=1")
        fault = await fault_of(kit, operation, worker)
        assert [call.method for call in log.calls] == ["GET", "POST"]
        assert fault.unknown == (status in (302, 303))


class TestContractByTable(ConnectorContract):
    @pytest.fixture
    def kit(self) -> Kit:
        return kit_of(by_table=True)


class TestContractByImport(ImportContract):
    @pytest.fixture
    def kit(self) -> Kit:
        return kit_of(by_table=False)


class Recorder:
    """Stands in for ServiceNow: notes every request and gives the recorded answers in turn, the last one for ever."""

    def __init__(self, *answers: tuple[int, Any], **headers: str) -> None:
        self.requests: list[httpx2.Request] = []
        self.answers, self.headers = list(answers), headers

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx2.Response(status, headers=self.headers, json=body)

    @property
    def sent(self) -> list[Any]:
        return [msgspec.json.decode(each.content) for each in self.requests if each.content]

    @property
    def calls(self) -> list[tuple[str, str]]:
        return [(each.method, str(each.url).partition("?")[0]) for each in self.requests]

    def worker(self, by_table: bool = True, type_: type[ConnectorType] = ServiceNow, url: str = URL) -> Any:
        outbound = Outbound(AllowedHosts(["*"]), transport=httpx2.MockTransport(self))
        return type_({"apiUrl": url, "usesTableApi": by_table}, SECRETS, outbound)


ROW = {"sys_id": "9d38", "number": "INC0010004", "sys_updated_on": "2026-03-04 05:06:07", "correlation_id": "5d1f"}
CREATED = (201, {"result": ROW})
IMPORTED = (201, {"import_set": "ISET0010001", "result": [{"status": "inserted", "sys_id": "9d38"}]})


async def sent_columns(incident: dict[str, Any], marker: str = MARKER) -> dict[str, Any]:
    """The columns of the create that an incident becomes."""
    recorder = Recorder(CREATED)
    worker = recorder.worker()
    await worker.create(worker.check_fields(incident), marker)
    return recorder.sent[0]


# What may be saved


OAUTH = {"isOAuth": True, "clientId": "abc", "userIdentifierValue": "integration", "jwtKeyId": "k1"}
KEYS = {"clientSecret": "shh-secret", "privateKey": "pem"}


@pytest.mark.parametrize(
    ("config", "secrets", "part", "path"),
    [
        ({}, {}, "connector type secrets", "secrets"),
        ({}, {"username": "u"}, "connector type secrets", "secrets.password"),
        ({}, {"password": "p"}, "connector type secrets", "secrets.username"),
        ({}, {"clientSecret": "s"}, "connector type secrets", "secrets.privateKey"),
        ({}, {"privateKeyPassword": "s"}, "connector type secrets", "secrets"),
        ({"isOAuth": True}, KEYS, "connector type config", "config.userIdentifierValue"),
        ({**OAUTH, "jwtKeyId": None}, KEYS, "connector type config", "config.jwtKeyId"),
        (OAUTH, SECRETS, "action type connector", "secrets.clientSecret"),
        (OAUTH, {**SECRETS, **KEYS}, "action type connector", "secrets.username"),
        ({}, KEYS, "action type connector", "secrets.username"),
        ({"clientId": "abc"}, SECRETS, "action type connector", "config.clientId"),
        ({}, {**SECRETS, "privateKey": "pem"}, "action type connector", "secrets.privateKey"),
    ],
)
def test_a_mix_of_sign_ins_is_refused_by_part_and_key(config: Any, secrets: Any, part: str, path: str):
    with pytest.raises(InvalidInput, match=rf"{path}: the {part}") as refused:
        ServiceNow.validate({"apiUrl": URL, **config}, secrets, ANYWHERE)
    assert "shh-secret" not in str(refused.value)


def test_both_sign_ins_may_be_saved_and_what_was_left_out_is_filled_in():
    config, secrets = ServiceNow.validate({"apiUrl": URL}, SECRETS, ANYWHERE)
    assert config["usesTableApi"] is True
    assert config["isOAuth"] is False
    assert config["clientId"] is None
    assert secrets["privateKeyPassword"] is None
    config, _ = ServiceNow.validate({"apiUrl": URL, "usesTableApi": False, **OAUTH}, KEYS, ANYWHERE)
    assert config["usesTableApi"] is False


# What is sent


async def test_a_create_is_one_post_of_bare_columns_with_the_case_id_and_the_caller():
    recorder = Recorder(CREATED)
    worker = recorder.worker(url=f"{URL}/")
    assert (
        await worker.create(worker.check_fields({**INCIDENT, "correlation_display": "Elastic Case"}), MARKER) == "9d38"
    )
    assert recorder.calls == [("POST", TABLE)]
    assert recorder.requests[0].headers["authorization"] == "Basic aW50ZWdyYXRpb246cGxhbnRlZC1wYXNzdzByZA=="
    assert recorder.sent == [
        {
            "short_description": "Odd logons",
            "description": "seen on two hosts",
            "urgency": "1",
            "correlation_id": "5d1f",
            "correlation_display": "Elastic Case",
            "caller_id": "integration",
            "opened_by": "integration",
        }
    ]


async def test_an_update_is_a_patch_without_a_caller_and_a_note_is_the_update_again():
    recorder = Recorder((200, {"result": ROW}))
    worker = recorder.worker()
    await worker.update("9d38", worker.check_fields(INCIDENT), MARKER)
    assert await worker.add_comment("9d38", "blocked") is None
    columns = {**INCIDENT, "correlation_id": "5d1f"}
    assert recorder.calls == [("PATCH", f"{TABLE}/9d38")] * 2
    assert recorder.sent == [columns, {**columns, "work_notes": "blocked"}]


async def test_a_direct_push_has_the_correlation_of_rules_and_no_mark():
    assert (await sent_columns(INCIDENT, marker=""))["correlation_id"] == "{{rule.id}}:{{alert.id}}"
    assert "correlation_id" not in await sent_columns({**INCIDENT, "correlation_id": None}, marker="")


async def test_values_beyond_their_column_are_cut_visibly_and_exact_ones_are_not():
    sent = await sent_columns({"short_description": "x" * 161, "description": "y" * 4_001, "category": "z" * 41})
    assert sent["short_description"] == "x" * 159 + "…"
    assert sent["description"] == "y" * 3_996 + " […]"
    assert sent["category"] == "z" * 39 + "…"
    exact = {"short_description": "x" * 160, "description": "y" * 4_000, "subcategory": "z" * 40}
    assert (await sent_columns(exact)).items() >= exact.items()


def test_markup_of_the_journal_is_neutralised_and_its_words_stay():
    assert as_note("[code]<b>x</b>[/CODE] [codex]") == "[ code ]<b>x</b>[ /CODE ] [codex]"
    worker = Recorder(CREATED).worker()
    assert worker.same_text("[ code ]x", "[code]x\r\n")


@pytest.mark.parametrize(
    ("incident", "complaint"),
    [
        ({}, "short_description"),
        ({"short_description": 1}, "short_description"),
        ({**INCIDENT, "urgency": 1}, "urgency"),
        ({**INCIDENT, "additional_fields": "[1]"}, "additional_fields"),
        ({**INCIDENT, "additional_fields": "{"}, "additional_fields"),
        ({**INCIDENT, "additional_fields": {f"u_{number}": 1 for number in range(21)}}, "at most 20 keys"),
        ({**INCIDENT, "additional_fields": {"urgency": "1"}}, "urgency must not be repeated"),
        ({**INCIDENT, "additional_fields": {"elastic_incident_id": "1"}}, "elastic_incident_id must not"),
    ],
)
async def test_an_incident_that_breaks_a_rule_is_refused_in_both_ways(incident: dict[str, Any], complaint: str):
    worker = Recorder((500, {})).worker(by_table=False)
    with pytest.raises(InvalidParams, match=complaint):
        await worker.execute("pushToService", {"incident": incident})
    with pytest.raises(ConnectorError, match=complaint):
        worker.check_fields(incident)


@pytest.mark.parametrize("nothing", [None, "", "null", "{}", {}])
async def test_additional_fields_are_refused_with_the_table_api_unless_they_are_nothing(nothing: Any):
    assert "additional_fields" not in await sent_columns({**INCIDENT, "additional_fields": nothing})
    with pytest.raises(ConnectorError, match="Table API"):
        Recorder(CREATED).worker().check_fields({**INCIDENT, "additional_fields": {"u_host": "web-01"}})


# The import set


async def test_an_import_prefixes_every_column_but_the_id_and_the_additional_fields():
    recorder = Recorder((200, HEALTHY), IMPORTED, (200, HEALTHY), IMPORTED)
    worker = recorder.worker(by_table=False)
    fields = worker.check_fields({**INCIDENT, "additional_fields": '{"u_host": "web-01", "plain": 1}'})
    assert await worker.create(fields, MARKER) == "9d38"
    await worker.add_comment("9d38", "blocked")
    health = ("GET", f"{URL}/api/x_elas2_inc_int/elastic_api/health")
    post = ("POST", f"{URL}/api/now/import/x_elas2_inc_int_elastic_incident")
    assert recorder.calls == [health, post, health, post]
    columns = {
        "u_short_description": "Odd logons",
        "u_description": "seen on two hosts",
        "u_urgency": "1",
        "u_correlation_id": "5d1f",
        "u_host": "web-01",
        "plain": 1,
    }
    assert recorder.sent == [
        {**columns, "u_caller_id": "integration", "u_opened_by": "integration"},
        {**columns, "u_work_notes": "blocked", "elastic_incident_id": "9d38"},
    ]


@pytest.mark.parametrize(
    ("answer", "is_unknown", "words"),
    [
        (
            {"result": [{"status": "error", "error_message": "no scope", "status_message": "Row"}]},
            False,
            "Row: no scope",
        ),
        ({"result": []}, True, "without a result"),
        ({"result": [{"status": "inserted"}]}, True, "no key sys_id"),
    ],
)
async def test_an_import_that_failed_says_so_inside_a_201(answer: Any, is_unknown: bool, words: str):
    worker = Recorder((200, HEALTHY), (201, answer)).worker(by_table=False)
    with pytest.raises(ConnectorError, match=words) as raised:
        await worker.create(worker.check_fields(INCIDENT), MARKER)
    assert raised.value.unknown is is_unknown


async def test_an_ignored_update_is_done_and_an_ignored_note_is_not():
    ignored = (200, {"result": [{"status": "ignored", "sys_id": "9d38"}]})
    worker = Recorder((200, HEALTHY), ignored, (200, HEALTHY), ignored).worker(by_table=False)
    await worker.update("9d38", worker.check_fields(INCIDENT), MARKER)
    with pytest.raises(ConnectorError, match="status ignored"):
        await worker.add_comment("9d38", "blocked")


@pytest.mark.parametrize(
    "answer", [(400, {"error": {"message": "Requested URI does not represent any resource"}}), (503, {})]
)
async def test_without_its_application_nothing_is_written_and_the_message_names_it(answer: tuple[int, Any]):
    recorder = Recorder(answer)
    worker = recorder.worker(by_table=False)
    with pytest.raises(ConnectorError, match="x_elas2_inc_int") as raised:
        await worker.create(worker.check_fields(INCIDENT), MARKER)
    assert not raised.value.unknown
    assert [each.method for each in recorder.requests] == ["GET"]


# What comes back


async def test_a_record_is_read_from_the_table_and_has_the_address_that_is_shown():
    record = await Recorder((200, {"result": ROW})).worker(url="https://ann:pw@acme.example.org").read("9d38")
    assert (record.external_id, record.title) == ("9d38", "INC0010004")
    assert record.url == f"{URL}/nav_to.do?uri=incident.do?sys_id=9d38"
    assert record.changed_at is not None
    assert record.changed_at.isoformat() == "2026-03-04T05:06:07+00:00"


async def test_what_a_record_holds_is_compared_in_either_spelling_and_references_by_their_id():
    row = {**ROW, "caller_id": {"link": "https://x", "value": "u1"}, "urgency": ""}
    worker = Recorder((200, {"result": row})).worker()
    record = await worker.read("9d38")
    names = ["u_number", "caller_id", "urgency", "nothing"]
    assert worker.present(record, names) == {
        "u_number": "INC0010004",
        "caller_id": "u1",
        "urgency": None,
        "nothing": None,
    }


async def test_a_search_that_dropped_its_condition_hands_us_nobody_elses_record():
    rows = [{**ROW, "sys_id": str(number), "correlation_id": "other"} for number in range(1_000)]
    last = [{**ROW, "sys_id": "new"}, {**ROW, "sys_id": "old"}]
    recorder = Recorder((200, {"result": rows}), (200, {"result": last}))
    found = await recorder.worker().find_incidents(MARKER)
    assert [each.external_id for each in found] == ["old", "new"]
    query = recorder.requests[0].url.params
    assert query["sysparm_query"] == "ORDERBYDESCsys_created_on^correlation_id=5d1f"
    assert recorder.requests[1].url.params["sysparm_offset"] == "1000"


async def test_a_server_that_does_not_page_is_not_asked_for_ever():
    rows = [{**ROW, "sys_id": str(number)} for number in range(1_000)]
    recorder = Recorder((200, {"result": rows}))
    assert len(await recorder.worker().find_incidents(MARKER)) == 1_000
    assert len(recorder.requests) == 2


async def test_an_empty_journal_may_be_answered_404():
    words = {"error": {"message": "No Record found", "detail": None}, "status": "failure"}
    recorder = Recorder((404, words))
    assert await recorder.worker().list_comments("9d38") == []
    query = recorder.requests[0].url.params["sysparm_query"]
    assert query.startswith("element_id=9d38^element=work_notes")


async def test_wrong_credentials_are_told_as_such():
    words = {"error": {"message": "User Not Authenticated", "detail": "Required"}, "status": "failure"}
    with pytest.raises(ConnectorError, match=r"credentials were not accepted.*User Not Authenticated: Required"):
        await Recorder((401, words)).worker().read("1")


async def test_the_end_of_a_rate_limit_is_when_it_is_tried_again():
    import time

    reset = str(int(time.time()) + 100)
    with pytest.raises(ConnectorError) as raised:
        await Recorder((429, {}), **{"x-ratelimit-reset": reset}).worker().read("1")
    assert 90 < (raised.value.retry_after_s or 0) <= 100


# The simulated ServiceNow


class Live:
    """A connector to a simulated ServiceNow over real HTTP."""

    def __init__(self, worker: ServiceNow, sandbox: Any, url: str, log: CallLog) -> None:
        self.worker, self.sandbox, self.url, self.log = worker, sandbox, url, log

    async def records(self) -> list[dict[str, Any]]:
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as http:
            return list((await http.get("/_sandbox/state")).json()["records"])

    async def create(self, marker: str = MARKER, **incident: Any) -> str:
        return await self.worker.create(self.worker.check_fields({**INCIDENT, **incident}), marker)


@pytest.fixture
async def live() -> AsyncIterator[Any]:
    """Makes a `Live`; takes what `servicenow_app` takes, `by_table` and a `given_password`."""
    async with AsyncExitStack() as stack:

        async def make(by_table: bool = True, given_password: str = SECRETS["password"], **given: Any) -> Live:
            app = servicenow_app(SECRETS["username"], SECRETS["password"], **given)
            url = await stack.enter_async_context(serving(app))
            outbound = Outbound(AllowedHosts(["127.0.0.1"]), timeout_s=5.0)
            stack.push_async_callback(outbound.close)
            log = CallLog()
            secrets = {**SECRETS, "password": given_password}
            worker = ServiceNow({"apiUrl": url, "usesTableApi": by_table}, secrets, outbound.view(log))
            return Live(worker, app.state.sandbox, url, log)

        yield make


both = pytest.mark.parametrize("by_table", [True, False], ids=["table", "import"])


@both
async def test_a_direct_push_creates_then_updates_and_notes_in_order(live, by_table: bool):
    there = await live(by_table)
    comments = [{"commentId": "c-1", "comment": "one"}, {"commentId": "c-2", "comment": " "}]
    data = await there.worker.execute("pushToService", {"incident": INCIDENT, "comments": comments})
    assert data.keys() == {"id", "title", "url", "pushedDate", "comments"}
    assert data["url"] == f"{there.url}/nav_to.do?uri=incident.do?sys_id={data['id']}"
    assert [each["commentId"] for each in data["comments"]] == ["c-1"]
    again = {**INCIDENT, "short_description": "Odder", "externalId": data["id"]}
    data = await there.worker.execute("pushToService", {"incident": again, "comments": None})
    assert data.keys() == {"id", "title", "url", "pushedDate"}
    (record,) = await there.records()
    assert (record["short_description"], record["number"]) == ("Odder", data["title"])
    assert [each["value"] for each in record["notes"]] == ["one"]


@both
async def test_a_record_is_found_again_by_the_case_id_oldest_first(live, by_table: bool):
    there = await live(by_table)
    ids = [await there.create()]
    await there.create(marker="casebridge-other")
    assert [each.external_id for each in await there.worker.find_incidents(MARKER)] == ids
    assert await there.worker.find_incidents("casebridge-none") == []


@both
async def test_notes_read_back_from_the_journal_over_all_pages(live, by_table: bool):
    there = await live(by_table)
    id_, other = await there.create(), await there.create()
    assert await there.worker.list_comments(id_) == []
    for number in range(30):
        await there.worker.add_comment(id_, f"note {number}")
    await there.worker.add_comment(other, "elsewhere")
    found = await there.worker.list_comments(id_)
    assert sorted(each.text for each in found) == sorted(f"note {number}" for number in range(30))
    assert len({each.external_id for each in found}) == 30
    assert (await there.worker.read(id_)).raw["work_notes"] == ""


async def test_the_choices_for_the_form_come_in_the_shapes_of_the_contract(live):
    there = await live()
    choices = await there.worker.execute("getChoices", {"fields": ["urgency", "subcategory"]})
    assert choices[0] == {"label": "1 - High", "value": "1", "dependent_value": "", "element": "urgency"}
    assert {each["dependent_value"] for each in choices if each["element"] == "subcategory"} == {"software", "network"}
    assert await there.worker.execute("getChoices", {"fields": []}) == []
    fields = await there.worker.execute("getFields", {})
    wanted = {"column_label": "Short description", "mandatory": "true", "max_length": "160"}
    assert {**wanted, "element": "short_description"} in fields
    id_ = await there.create()
    assert (await there.worker.execute("getIncident", {"externalId": id_}))["correlation_id"] == "5d1f"


@pytest.mark.parametrize(
    ("sub_action", "params"),
    [
        ("getFields", {"odd": 1}),
        ("getChoices", {}),
        ("getChoices", {"fields": ["urgency^NQname=sys_user"]}),
        ("getIncident", {"id": "1"}),
        ("closeIncident", {"incident": {}}),
        ("closeIncident", {"incident": {"externalId": None, "correlation_id": " "}}),
    ],
)
async def test_params_of_sub_actions_are_checked(sub_action: str, params: dict[str, Any]):
    recorder = Recorder((200, {}))
    with pytest.raises(InvalidParams, match="params are invalid"):
        await recorder.worker().execute(sub_action, params)
    assert recorder.requests == []


@both
async def test_an_incident_is_closed_once_by_its_id_or_its_correlation_id(live, by_table: bool):
    there = await live(by_table)
    first, second = await there.create(), await there.create(marker="casebridge-other")
    data = await there.worker.execute("closeIncident", {"incident": {"externalId": first, "correlation_id": None}})
    assert data["id"] == first
    gone = {"externalId": "0" * 32, "correlation_id": "other"}
    assert (await there.worker.execute("closeIncident", {"incident": gone}))["id"] == second
    assert [each["state"] for each in await there.records()] == ["7", "7"]
    writes_before = sum(call.method != "GET" for call in there.log.calls)
    await there.worker.execute("closeIncident", {"incident": {"externalId": first}})
    assert sum(call.method != "GET" for call in there.log.calls) == writes_before


async def test_closing_what_is_not_there_is_no_error(live):
    there = await live()
    assert await there.worker.execute("closeIncident", {"incident": {"correlation_id": "nobody"}}) is None


@both
async def test_the_connection_test_writes_nothing(live, by_table: bool):
    there = await live(by_table)
    assert "table incident can be read" in await there.worker.test()
    assert {call.method for call in there.log.calls} == {"GET"}
    wrong = await live(by_table, given_password="wrong-password")
    with pytest.raises(ConnectorError, match="credentials were not accepted"):
        await wrong.worker.test()
    missing = await live(False, applications=())
    with pytest.raises(ConnectorError, match="x_elas2_inc_int"):
        await missing.worker.test()


@both
@pytest.mark.parametrize(
    ("kind", "is_unknown", "is_done"),
    [
        ("drop-before", True, 0),
        ("drop-after", True, 1),
        ("half-body", True, 1),
        ("html", True, 0),
        ("html-after", True, 1),
        ("no-id", True, 1),
        ("status:408", True, 0),
        ("status:503", True, 0),
        ("status:500", False, 0),
        ("status:403", False, 0),
        ("rate-limit:3", False, 0),
    ],
)
async def test_a_lost_create_is_unknown_and_a_refused_one_is_not(
    live, by_table: bool, kind: str, is_unknown: bool, is_done: int
):
    there = await live(by_table)
    there.sandbox.faults.add(f"{'create' if by_table else 'import'}={kind}")
    with pytest.raises(ConnectorError) as raised:
        await there.create()
    assert raised.value.unknown is is_unknown
    assert len(await there.records()) == is_done
    assert len(await there.worker.find_incidents(MARKER)) == is_done
