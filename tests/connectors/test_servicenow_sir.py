"""ServiceNow SecOps: what differs from ITSM, recorded and against the simulated system."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from casebridge.connectors.base import InvalidParams
from casebridge.connectors.http import AllowedHosts, CallLog, Outbound
from casebridge.connectors.servicenow_sir import ServiceNowSir, observables_of
from casebridge.sandbox.server import serving
from casebridge.sandbox.servicenow import servicenow_app
from tests.connectors.contract import MARKER, ConnectorContract, Kit
from tests.connectors.test_servicenow import IMPORTED, SECRETS, ImportContract, Recorder, kit_of

INCIDENT = {"short_description": "Beacon", "category": "Denial of Service", "subcategory": "26", "priority": "2"}
OBSERVABLES = {
    "dest_ip": ["203.0.113.9", "198.51.100.4", "203.0.113.9", ""],
    "source_ip": "198.51.100.4, 192.0.2.1|192.0.2.2",
    "malware_hash": ["5feceb66"],
    "malware_url": ["https://bad.example/x"],
}
HEALTHY = (200, {"result": {"name": "Elastic", "scope": "x_elas2_sir_int", "version": "1.0.0"}})


class TestContractByTable(ConnectorContract):
    @pytest.fixture
    def kit(self) -> Kit:
        return kit_of(by_table=True, type_=ServiceNowSir)


class TestContractByImport(ImportContract):
    @pytest.fixture
    def kit(self) -> Kit:
        return kit_of(by_table=False, type_=ServiceNowSir)


def sent(by_table: bool, **incident: Any) -> dict[str, Any]:
    """The columns of an update that an incident becomes."""
    worker = Recorder((500, {})).worker(by_table, ServiceNowSir)
    return worker.outgoing(worker.check_fields({**INCIDENT, **incident}), MARKER)


def test_with_the_table_api_each_list_is_one_text():
    assert (
        sent(True, **OBSERVABLES).items()
        >= {
            "dest_ip": "203.0.113.9,198.51.100.4",
            "source_ip": "198.51.100.4,192.0.2.1,192.0.2.2",
            "malware_hash": "5feceb66",
            "malware_url": "https://bad.example/x",
            "priority": "2",
            "correlation_id": "5d1f",
        }.items()
    )
    assert sent(True, dest_ip=[])["dest_ip"] == ""
    assert "dest_ip" not in sent(True)


async def test_a_record_without_observables_does_not_differ_from_an_incident_without_any():
    worker = Recorder((200, {"result": {"sys_id": "9d38", "number": "SIR1", "dest_ip": ""}})).worker(
        True, ServiceNowSir
    )
    record = await worker.read("9d38")
    assert worker.present(record, ["dest_ip", "malware_url", "priority"]) == {
        "dest_ip": "",
        "malware_url": "",
        "priority": None,
    }


@pytest.mark.parametrize("observables", [{}, OBSERVABLES])
def test_with_the_import_set_the_columns_of_observables_are_null(observables: dict[str, Any]):
    columns = sent(False, **observables)
    for name in ("u_dest_ip", "u_source_ip", "u_malware_hash", "u_malware_url"):
        assert columns[name] is None
    assert columns["u_subcategory"] == "26"


def test_addresses_are_merged_and_every_value_is_there_once_within_its_type():
    assert observables_of(OBSERVABLES) == [
        {"value": "203.0.113.9", "type": "ipv4-addr"},
        {"value": "198.51.100.4", "type": "ipv4-addr"},
        {"value": "192.0.2.1", "type": "ipv4-addr"},
        {"value": "192.0.2.2", "type": "ipv4-addr"},
        {"value": "5feceb66", "type": "SHA256"},
        {"value": "https://bad.example/x", "type": "URL"},
    ]
    assert observables_of({"dest_ip": [], "malware_url": " ,|\t\n", "source_ip": None}) == []


async def test_observables_follow_in_one_call_as_a_bare_array_after_another_health_check():
    recorder = Recorder(HEALTHY, IMPORTED, HEALTHY, (200, {"result": []}))
    worker = recorder.worker(False, ServiceNowSir)
    fields = worker.check_fields({**INCIDENT, **OBSERVABLES})
    await worker.finish(await worker.create(fields, MARKER), fields)
    paths = [path.partition("example.org")[2] for _, path in recorder.calls]
    assert paths == [
        "/api/x_elas2_sir_int/elastic_api/health",
        "/api/now/import/x_elas2_sir_int_elastic_si_incident",
        "/api/x_elas2_sir_int/elastic_api/health",
        "/api/x_elas2_sir_int/elastic_api/incident/9d38/observables/bulk",
    ]
    assert recorder.sent[1] == observables_of(OBSERVABLES)


@pytest.mark.parametrize(
    ("by_table", "observables"), [(True, OBSERVABLES), (False, {"dest_ip": [], "malware_url": ""})]
)
async def test_without_observables_or_with_the_table_api_there_is_no_such_call(by_table: bool, observables: Any):
    recorder = Recorder((500, {}))
    worker = recorder.worker(by_table, ServiceNowSir)
    await worker.finish("9d38", worker.check_fields({**INCIDENT, **observables}))
    assert recorder.calls == []


@pytest.mark.parametrize(
    "wrong", [{"urgency": "1"}, {"impact": "1"}, {"dest_ip": 7}, {"dest_ip": [7]}, {"malware_hash": {"a": "b"}}]
)
async def test_an_incident_that_breaks_a_rule_is_refused(wrong: dict[str, Any]):
    recorder = Recorder((500, {}))
    with pytest.raises(InvalidParams, match="params are invalid"):
        await recorder.worker(True, ServiceNowSir).execute("pushToService", {"incident": {**INCIDENT, **wrong}})
    with pytest.raises(InvalidParams, match="closeIncident is not supported"):
        await recorder.worker(True, ServiceNowSir).execute("closeIncident", {"incident": {"externalId": "1"}})
    assert recorder.calls == []


@pytest.fixture
async def live() -> AsyncIterator[Any]:
    """Makes a connector to a simulated ServiceNow, and that one."""
    async with AsyncExitStack() as stack:

        async def make(by_table: bool) -> tuple[ServiceNowSir, Any, CallLog]:
            app = servicenow_app(SECRETS["username"], SECRETS["password"])
            url = await stack.enter_async_context(serving(app))
            outbound = Outbound(AllowedHosts(["127.0.0.1"]), timeout_s=5.0)
            stack.push_async_callback(outbound.close)
            log = CallLog()
            config = {"apiUrl": url, "usesTableApi": by_table}
            return ServiceNowSir(config, SECRETS, outbound.view(log)), app.state.sandbox, log

        yield make


@pytest.mark.parametrize("by_table", [True, False])
async def test_a_direct_push_leaves_observables_where_the_way_of_writing_puts_them(live, by_table: bool):
    worker, sandbox, _ = await live(by_table)
    comments = [{"commentId": "c-1", "comment": "isolated"}]
    incident = {**INCIDENT, **OBSERVABLES}
    data = await worker.execute("pushToService", {"incident": incident, "comments": comments})
    await worker.execute("pushToService", {"incident": {**incident, "externalId": data["id"]}, "comments": []})
    (row,) = sandbox.desk.book.rows.values()
    assert data["title"].startswith("SIR")
    assert data["url"].endswith(f"/nav_to.do?uri=sn_si_incident.do?sys_id={row.sys_id}")
    assert (row.values["priority"], len(sandbox.desk.book.notes)) == ("2", 1)
    assert row.observables == ([] if by_table else observables_of(OBSERVABLES))
    assert row.values.get("malware_hash", "") == ("5feceb66" if by_table else "")


async def test_the_choices_are_those_of_security_incidents(live):
    worker, _, _ = await live(True)
    choices = await worker.execute("getChoices", {"fields": ["category", "subcategory", "priority"]})
    wanted = {"label": "Inbound DDoS", "value": "26", "dependent_value": "Denial of Service", "element": "subcategory"}
    assert wanted in choices
    assert {each["element"] for each in choices} == {"category", "subcategory", "priority"}
    assert "network" not in {each["value"] for each in choices}
