"""Swimlane: the contract of all types, and recorded answers."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest

from casebridge.connectors.base import InvalidParams
from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.connectors.swimlane import MAPPING_KEYS, Swimlane
from casebridge.domain.errors import ConnectorError, InvalidInput
from tests.connectors.contract import ANYWHERE, MARKER, ConnectorContract, Kit

SECRETS = {"apiToken": "planted-t0ken"}


def a_field(id_: str, kind: str = "text") -> dict[str, str]:
    return {"id": id_, "key": f"key-{id_}", "name": f"Name {id_}", "fieldType": kind}


MAPPINGS = {
    **dict.fromkeys(MAPPING_KEYS),
    "caseIdConfig": a_field("a6ide"),
    "caseNameConfig": a_field("adnlas"),
    "descriptionConfig": a_field("a6fdf"),
    "commentsConfig": a_field("ahu7v", "comments"),
}
CONFIG = {
    "apiUrl": "https://swimlane.example.org/",
    "appId": "aX3k",
    "connectorType": "cases",
    "mappings": MAPPINGS,
}
SWIMLANE = Kit(
    type_=Swimlane,
    config=CONFIG,
    secrets=SECRETS,
    url_key="apiUrl",
    incident={"caseId": "c-1", "caseName": "Beacon", "description": "seen twice"},
    refusal={"ErrorCode": 3003, "Argument": "a6ide"},
    words="a6ide",
    reads_nothing=frozenset({"add_comment"}),
)


class TestContract(ConnectorContract):
    @pytest.fixture
    def kit(self) -> Kit:
        return SWIMLANE


class Recorder:
    """Stands in for Swimlane: notes every request and gives the recorded answers in turn, the last one for ever."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.requests: list[httpx2.Request] = []
        self.answers = list(answers)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx2.Response(status) if body is None else httpx2.Response(status, json=body)

    @property
    def sent(self) -> list[Any]:
        return [msgspec.json.decode(each.content) for each in self.requests if each.content]

    def swimlane(self, url: str = CONFIG["apiUrl"], **mappings: Any) -> Swimlane:
        outbound = Outbound(AllowedHosts(["*"]), transport=httpx2.MockTransport(self))
        return Swimlane({**CONFIG, "apiUrl": url, "mappings": {**MAPPINGS, **mappings}}, SECRETS, outbound)


async def test_a_create_is_one_post_with_the_mapped_fields_under_their_ids():
    recorder = Recorder((200, {"id": "r81", "name": "ET-69"}))
    worker = recorder.swimlane()
    fields = worker.check_fields({"caseId": "c-1", "caseName": "Beacon", "severity": "high", "description": None})
    assert await worker.create(fields, MARKER) == "r81"
    (request,) = recorder.requests
    assert (request.method, str(request.url)) == ("POST", "https://swimlane.example.org/api/app/aX3k/record")
    assert request.headers["private-token"] == "planted-t0ken"
    assert request.headers["content-type"] == "application/json"
    assert recorder.sent == [{"applicationId": "aX3k", "values": {"a6ide": "c-1", "adnlas": "Beacon"}}]


async def test_an_update_is_a_patch_that_names_the_record():
    recorder = Recorder((200, {"id": "r81", "name": "ET-69"}))
    worker = recorder.swimlane()
    await worker.update("r81", worker.check_fields({"caseName": "Beacon"}), MARKER)
    assert (recorder.requests[0].method, recorder.requests[0].url.path) == ("PATCH", "/api/app/aX3k/record/r81")
    assert recorder.sent == [{"applicationId": "aX3k", "id": "r81", "values": {"adnlas": "Beacon"}}]


@pytest.mark.parametrize("url", ["https://x.org", "https://x.org/", "https://x.org/api", "https://x.org/api/"])
async def test_the_api_is_below_the_url_unless_the_url_ends_in_it(url: str):
    recorder = Recorder((200, {"id": "r81", "name": "ET-69"}))
    record = await recorder.swimlane(url).read("r81")
    assert str(recorder.requests[0].url) == "https://x.org/api/app/aX3k/record/r81"
    assert (record.title, record.url) == ("ET-69", f"{url.rstrip('/')}/record/aX3k/r81")


@pytest.mark.parametrize(("text", "number"), [("12", 12), ("1.5", 1.5), ("-3", -3), ("ET-7", 0), ("inf", 0)])
def test_a_numeric_field_gets_a_number_and_0_where_there_is_none(text: str, number: float):
    worker = Recorder((200, {})).swimlane(caseIdConfig=a_field("num", "numeric"))
    assert worker.outgoing({"caseId": text}, MARKER) == {"num": number}


async def test_comments_are_escaped_html_with_one_time_for_the_whole_push():
    recorder = Recorder((200, None))
    worker = recorder.swimlane()
    assert [await worker.add_comment("r81", text) for text in ("a < b\n& c", "two")] == [None, None]
    assert recorder.requests[0].url.path == "/api/app/aX3k/record/r81/ahu7v/comment"
    first, second = recorder.sent
    assert first == {
        "message": "a &lt; b<br>&amp; c",
        "fieldId": "ahu7v",
        "createdDate": second["createdDate"],
        "isRichText": True,
    }
    assert first["createdDate"].endswith("Z")


async def test_comments_without_a_field_are_a_fault_of_the_configuration():
    recorder = Recorder((200, None))
    with pytest.raises(ConnectorError, match="No comment field mapped") as raised:
        await recorder.swimlane(commentsConfig=None).add_comment("r81", "x")
    assert (raised.value.permanent, recorder.requests) == (True, [])


async def test_comments_are_read_from_the_record_oldest_first():
    notes = [
        {"message": "b &lt; c<br>d", "createdDate": "2026-03-04T05:06:08Z", "isRichText": True},
        {"message": "a < b", "createdDate": "2026-03-04T05:06:07Z", "isRichText": False},
    ]
    recorder = Recorder((200, {"id": "r81", "name": "ET-69", "comments": {"ahu7v": notes}}))
    worker = recorder.swimlane()
    found = await worker.list_comments("r81")
    assert [(each.external_id, each.text) for each in found] == [(None, "a < b"), (None, "b < c\nd")]
    assert worker.same_text(found[1].text, "b < c\nd")


async def test_a_record_is_found_by_its_case_id_over_all_pages_oldest_first():
    newer, older, foreign = (
        {"id": id_, "name": id_, "createdDate": at, "values": {"a6ide": value}}
        for id_, at, value in (("r2", "2026-03-04", "c-1"), ("r1", "2026-03-03", "c-1"), ("r3", "2026-03-02", "c-2"))
    )
    pages = [{"count": 3, "results": {"aX3k": rows}} for rows in ([newer, foreign], [older])]
    recorder = Recorder(*((200, page) for page in pages))
    found = await recorder.swimlane().find_incidents(MARKER, {"caseId": "c-1"})
    assert [each.external_id for each in found] == ["r1", "r2"]
    assert [each["offset"] for each in recorder.sent] == [0, 1]
    assert recorder.sent[0]["filters"] == [{"fieldId": "a6ide", "filterType": "equals", "value": "c-1"}]
    nothing = Recorder((200, {"count": 0, "results": {}}))
    assert await nothing.swimlane().find_incidents(MARKER, {"caseId": "c-1"}) == []


def test_a_record_can_be_looked_for_only_by_a_case_id_that_tells_cases_apart():
    recorder = Recorder((200, {}))
    assert recorder.swimlane().can_look_for({"caseId": "c-1"})
    assert not recorder.swimlane().can_look_for({"caseId": None})
    assert not recorder.swimlane(caseIdConfig=None).can_look_for({"caseId": "c-1"})
    numeric = recorder.swimlane(caseIdConfig=a_field("num", "numeric"))
    assert not numeric.can_look_for({"caseId": "c-1"})
    assert numeric.can_look_for({"caseId": "12"})


async def test_swimlane_is_quoted_with_its_code():
    with pytest.raises(ConnectorError) as refused:
        await Recorder((400, {"ErrorCode": 3003, "Argument": "a6ide"})).swimlane().read("r81")
    expected = "Error: Swimlane answered 400. Reason: a6ide (3003): field not found."
    assert refused.value.message == f"[Action][Swimlane]: Unable to get incident. {expected}"


def test_mappings_that_were_not_given_are_null_and_odd_ones_are_refused():
    given = {**CONFIG, "mappings": {"caseIdConfig": a_field("a6ide")}}
    config, _ = Swimlane.validate(given, SECRETS, ANYWHERE)
    assert config["mappings"] == {**dict.fromkeys(MAPPING_KEYS), "caseIdConfig": a_field("a6ide")}
    for odd in ({"oddConfig": None}, {"caseIdConfig": {"id": "x"}}, {"caseIdConfig": {**a_field("x"), "more": "y"}}):
        with pytest.raises(InvalidInput, match=r"config\.mappings\.(odd|caseId)Config"):
            Swimlane.validate({**CONFIG, "mappings": odd}, SECRETS, ANYWHERE)
    with pytest.raises(InvalidInput, match="one of all, alerts, cases"):
        Swimlane.validate({**CONFIG, "connectorType": "other"}, SECRETS, ANYWHERE)


async def test_a_direct_push_creates_reads_and_comments():
    answer = {"id": "r81", "name": "ET-69", "createdDate": "2026-03-04T05:06:07.123Z"}
    worker = Recorder((200, answer), (200, answer), (200, None)).swimlane()
    comments = [{"commentId": "c", "comment": "one"}]
    data = await worker.execute("pushToService", {"incident": {"caseName": "x"}, "comments": comments})
    url = "https://swimlane.example.org/record/aX3k/r81"
    assert (data["id"], data["title"], data["url"]) == ("r81", "ET-69", url)
    assert data["pushedDate"] == "2026-03-04T05:06:07.123Z"
    assert data["comments"][0].keys() == {"commentId", "pushedDate"}
    with pytest.raises(InvalidParams, match="caseName"):
        await worker.execute("pushToService", {"incident": {"caseName": 1}})
