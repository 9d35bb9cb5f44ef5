"""IBM Resilient: the contract of all types, and recorded answers."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest

from casebridge.connectors.base import CommentGone, ExternalComment, InvalidParams
from casebridge.connectors.html_text import escaped, to_html, to_text
from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.connectors.resilient import Resilient
from casebridge.connectors.resilient_fields import change_of
from casebridge.domain.errors import ConnectorError
from tests.connectors.contract import MARKER, ConnectorContract, Kit

SECRETS = {"apiKeyId": "planted-key-id", "apiKeySecret": "planted-s3cret"}
INCIDENT = {"name": "Beacon from web-01", "description": "seen twice", "incidentTypes": ["1001"], "severityCode": "6"}
AT_MS = 1772600767000
REFUSAL = {
    "success": False,
    "title": None,
    "message": "Unable to find object with ID 99",
    "hints": [],
    "error_code": "generic",
    "error_payload": None,
}

RESILIENT = Kit(
    type_=Resilient,
    config={"apiUrl": "https://soar.example.org/", "orgId": "201"},
    secrets=SECRETS,
    url_key="apiUrl",
    incident=INCIDENT,
    refusal=REFUSAL,
    words="Unable to find object with ID 99",
    marks={"discovered_date": AT_MS},
    update=lambda worker: worker.apply("7", [change_of("name", "text", "a", "b")]),
    heals=(409,),
)
FIELDS = [
    {"name": "name", "input_type": "text"},
    {"name": "description", "input_type": "textarea"},
    {"name": "incident_type_ids", "input_type": "multiselect"},
    {"name": "severity_code", "input_type": "select"},
    {"name": "case_ref", "input_type": "text", "prefix": "properties"},
    {"name": "zone", "input_type": "select", "prefix": "properties", "values": [{"value": 31, "label": "DMZ"}]},
    {"name": "city", "input_type": "text", "prefix": None},
    {"name": "vers", "input_type": "number", "read_only": True},
    {"name": "notes", "input_type": "textarea", "prefix": "properties"},
]


class TestContract(ConnectorContract):
    @pytest.fixture
    def kit(self) -> Kit:
        return RESILIENT


class Recorder:
    """Stands in for Resilient: notes every request and gives the recorded answers in turn, the last one for ever."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.requests: list[httpx2.Request] = []
        self.answers = list(answers)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx2.Response(status, json=body)

    @property
    def sent(self) -> list[Any]:
        return [msgspec.json.decode(each.content) for each in self.requests if each.content]

    def resilient(self, **settings: str) -> Resilient:
        outbound = Outbound(AllowedHosts(["*"]), transport=httpx2.MockTransport(self))
        return Resilient(RESILIENT.config, SECRETS, outbound, settings)


async def test_a_create_is_one_post_with_numbers_and_escaped_html():
    recorder = Recorder((200, {"id": 2101}))
    worker = recorder.resilient()
    fields = worker.check_fields({**INCIDENT, "description": "**two** hosts\n<script>"})
    assert await worker.create(await worker.prepare(fields, {"discovered_date": AT_MS}), MARKER) == "2101"
    (request,) = recorder.requests
    assert (request.method, request.url.path) == ("POST", "/rest/orgs/201/incidents")
    assert request.url.params["text_content_output_format"] == "objects_convert"
    assert request.headers["authorization"] == "Basic cGxhbnRlZC1rZXktaWQ6cGxhbnRlZC1zM2NyZXQ="
    assert recorder.sent == [
        {
            "name": "Beacon from web-01",
            "discovered_date": AT_MS,
            "description": {"format": "html", "content": "<b>two</b> hosts<br>&lt;script&gt;"},
            "incident_type_ids": [{"id": 1001}],
            "severity_code": {"id": 6},
        }
    ]


async def test_empty_values_are_left_out():
    worker = Recorder((200, {})).resilient()
    nothing = {"name": "x", "description": None, "incidentTypes": [], "severityCode": None, "additional_fields": ""}
    assert worker.outgoing(worker.check_fields(nothing), MARKER) == {"name": "x"}


async def test_the_moment_of_discovery_is_shared_by_no_two_incidents_and_kept_in_repeats():
    worker = Recorder((200, {})).resilient()
    moments = [(await worker.prepare({"name": "x"}))["discovered_date"] for _ in range(50)]
    assert len(set(moments)) == 50
    assert all(isinstance(each, int) and each > 10**12 for each in moments)
    assert (await worker.prepare({"name": "x"}, {"discovered_date": 5}))["discovered_date"] == 5


async def test_additional_fields_go_where_their_metadata_says():
    recorder = Recorder((200, FIELDS), (200, {"id": 1}))
    worker = recorder.resilient()
    more = '{"case_ref": "c-1", "zone": "31", "city": "Bonn", "notes": "n"}'
    fields = worker.check_fields({"name": "x", "additional_fields": more})
    await worker.create(await worker.prepare(fields, {"discovered_date": AT_MS}), MARKER)
    assert recorder.sent == [
        {
            "name": "x",
            "discovered_date": AT_MS,
            "city": "Bonn",
            "properties": {"case_ref": "c-1", "zone": 31, "notes": {"format": "text", "content": "n"}},
        }
    ]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [({"odd": 1}, "no field 'odd'"), ({"zone": 32}, "expected one of 31"), ({"vers": 3}, "only be read")],
)
async def test_additional_fields_are_checked_before_anything_is_sent(more: dict[str, Any], complaint: str):
    recorder = Recorder((200, FIELDS))
    worker = recorder.resilient()
    with pytest.raises(ConnectorError, match=complaint) as refused:
        await worker.prepare(worker.check_fields({"name": "x", "additionalFields": more}))
    assert (refused.value.code, refused.value.permanent) == ("configuration", True)
    assert {each.method for each in recorder.requests} == {"GET"}


@pytest.mark.parametrize(
    ("incident", "complaint"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x", "severityCode": "high"}, "severityCode"),
        ({"name": "x", "incidentTypes": ["a"]}, "incidentTypes"),
        ({"name": "x", "additionalFields": "[1]"}, "additionalFields"),
        ({"name": "x", "additionalFields": {f"f{number}": 1 for number in range(51)}}, "at most 50 keys"),
        ({"name": "x", "additionalFields": {"name": "y"}}, "name must not be repeated"),
    ],
)
async def test_an_incident_that_breaks_a_rule_is_refused_in_both_ways(incident: dict[str, Any], complaint: str):
    worker = Recorder((500, {})).resilient()
    with pytest.raises(InvalidParams, match=complaint):
        await worker.execute("pushToService", {"incident": incident})
    with pytest.raises(ConnectorError, match=complaint):
        worker.check_fields(incident)


async def test_an_update_reads_first_and_names_the_old_values_as_they_stand_there():
    now = {
        "id": 7,
        "name": "Beacon",
        "description": {"format": "html", "content": '<div class="rte">a</div>'},
        "incident_type_ids": [1000],
        "severity_code": 4,
        "properties": {"zone": None, "case_ref": "old"},
    }
    recorder = Recorder((200, now), (200, FIELDS), (200, {"success": True}))
    worker = recorder.resilient()
    more = {"zone": 31, "case_ref": "c-1"}
    await worker.update("7", worker.check_fields({**INCIDENT, "additionalFields": more}), MARKER)
    assert [each.method for each in recorder.requests] == ["GET", "GET", "PATCH"]
    textarea = {"format": "html", "content": "seen twice"}
    assert recorder.sent == [
        {
            "changes": [
                change_of("name", "text", "Beacon", "Beacon from web-01"),
                {
                    "field": {"name": "description"},
                    "old_value": {"textarea": now["description"]},
                    "new_value": {"textarea": textarea},
                },
                {
                    "field": {"name": "incident_type_ids"},
                    "old_value": {"ids": [1000]},
                    "new_value": {"ids": [1001]},
                },
                {"field": {"name": "severity_code"}, "old_value": {"id": 4}, "new_value": {"id": 6}},
                {"field": {"name": "zone"}, "old_value": {}, "new_value": {"id": 31}},
                {"field": {"name": "case_ref"}, "old_value": {"text": "old"}, "new_value": {"text": "c-1"}},
            ]
        }
    ]


async def test_a_mismatch_of_old_values_is_a_failure_that_waiting_heals():
    answer = {
        "success": False,
        "message": "The incident was changed.",
        "field_failures": [{"field": "name", "your_original_value": "a", "actual_current_value": "c"}],
    }
    with pytest.raises(ConnectorError, match=r"changed nothing, because of name\. Reason: The incident") as raised:
        await Recorder((200, answer)).resilient().apply("7", [])
    assert (raised.value.permanent, raised.value.unknown) == (False, False)


async def test_the_record_is_named_by_its_number_and_leads_to_its_page():
    record = await Recorder((200, {"id": 7, "create_date": AT_MS})).resilient().read("7")
    assert (record.external_id, record.title, record.url) == ("7", "7", "https://soar.example.org/#incidents/7")
    assert record.changed_at is not None
    assert record.changed_at.isoformat() == "2026-03-04T05:06:07+00:00"


async def test_what_an_incident_holds_is_shown_in_the_forms_that_are_sent():
    worker = Recorder((200, {})).resilient()
    sent = worker.outgoing(worker.check_fields(INCIDENT), MARKER)
    held = {
        "id": 7,
        "name": "Beacon from web-01",
        "description": {"format": "html", "content": '<div class="rte">seen twice</div>'},
        "incident_type_ids": [1001],
        "severity_code": 6,
    }
    assert worker.present(worker._record("", held), sent) == sent


async def test_a_lost_incident_is_found_by_name_and_moment_and_else_by_the_moment_alone():
    other, ours = ({"id": number, "discovered_date": AT_MS + number} for number in (1, 0))
    recorder = Recorder((200, {"data": [other], "recordsFiltered": 1}), (200, {"data": [ours], "recordsFiltered": 1}))
    found = await recorder.resilient().find_incidents(MARKER, {"name": "Beacon", "discovered_date": AT_MS})
    assert [each.external_id for each in found] == ["0"]
    by_name, by_moment = (each["filters"][0]["conditions"] for each in recorder.sent)
    assert by_name[0] == {"field_name": "name", "method": "equals", "value": "Beacon"}
    assert [each["method"] for each in by_moment] == ["gte", "lte", "gte"]
    assert {each.url.params["return_level"] for each in recorder.requests} == {"full"}


async def test_a_search_follows_its_pages():
    page = {"data": [{"id": 1, "discovered_date": AT_MS}], "recordsFiltered": 2}
    recorder = Recorder((200, page), (200, {**page, "data": [{"id": 2, "discovered_date": AT_MS}]}))
    found = await recorder.resilient().find_incidents(MARKER, {"name": "Beacon", "discovered_date": AT_MS})
    assert [each.external_id for each in found] == ["1", "2"]
    assert [each["start"] for each in recorder.sent] == [0, 1]


async def test_comments_are_listed_oldest_first_with_their_replies_as_plain_text():
    rows = [
        {"id": 9, "create_date": 3, "text": "plain", "children": []},
        {
            "id": 5,
            "create_date": 1,
            "text": {"format": "html", "content": '<div class="rte">a &lt;b&gt;<br/>c</div>'},
            "children": [{"id": 6, "create_date": 2, "text": {"format": "text", "content": "<i>"}}],
        },
    ]
    found = await Recorder((200, rows)).resilient().list_comments("7")
    assert [each.external_id for each in found] == ["5", "6", "9"]
    assert [each.text.strip() for each in found] == ["a <b>\nc", "<i>", "plain"]


async def test_comments_are_plain_text_and_edited_in_place():
    recorder = Recorder((200, {"id": 5}))
    worker = recorder.resilient()
    assert await worker.add_comment("7", "a < b") == "5"
    await worker.edit_comment("7", "5", "a > b")
    assert [(each.method, each.url.path.removeprefix("/rest/orgs/201")) for each in recorder.requests] == [
        ("POST", "/incidents/7/comments"),
        ("PUT", "/incidents/7/comments/5"),
    ]
    assert recorder.sent[0] == {"text": {"format": "text", "content": "a < b"}}
    with pytest.raises(CommentGone):
        await Recorder((404, REFUSAL)).resilient().edit_comment("7", "5", "x")
    assert not recorder.resilient(edited_comments="append").can_edit_comments
    assert worker.same_text(ExternalComment("5", "one\n\nAdded by A.\n").text, "one\n\nAdded by A.")


async def test_the_choices_for_the_form_come_in_the_shapes_of_the_contract():
    values = {"values": [{"value": 1001, "label": "Phishing", "enabled": True}]}
    for sub_action, field in (("incidentTypes", "incident_type_ids"), ("severity", "severity_code")):
        recorder = Recorder((200, values))
        assert await recorder.resilient().execute(sub_action, {}) == [{"id": "1001", "name": "Phishing"}]
        assert recorder.requests[0].url.path == f"/rest/orgs/201/types/incident/fields/{field}"
    (field, *_) = await Recorder((200, FIELDS)).resilient().execute("getFields", {})
    assert list(field) == ["name", "input_type", "read_only", "required", "text", "prefix", "values"]


async def test_a_refused_key_is_told_in_the_words_users_know():
    with pytest.raises(ConnectorError, match="Unauthorized API Error") as refused:
        await Recorder((401, REFUSAL)).resilient().read("7")
    assert refused.value.permanent


@pytest.mark.parametrize(
    ("markdown", "markup"),
    [
        ("a & b\nc", "a &amp; b<br>c"),
        ("## Head\ntext", "<h2>Head</h2>text"),
        ("- one\n- *two*\nend", "<ul><li>one</li><li><i>two</i></li></ul>end"),
        ("`a<b` **c**", "<code>a&lt;b</code> <b>c</b>"),
        ("```\n<x>\n**y**\n```\nz", "<pre>&lt;x&gt;\n**y**</pre>z"),
        ("[t](https://x.y/?a=1&b=2)", '<a href="https://x.y/?a=1&amp;b=2">t</a>'),
        ('[t](javascript:alert(1)) "q"', "[t](javascript:alert(1)) &quot;q&quot;"),
        ("1. one\n2 * 3 * 4", "1. one<br>2 * 3 * 4"),
    ],
)
def test_markdown_becomes_escaped_html(markdown: str, markup: str):
    assert to_html(markdown) == markup


def test_escaped_text_reads_back_as_it_was():
    text = "a < b & \"c\"\n\n<br> 'd'"
    assert to_text(escaped(text)) == text
