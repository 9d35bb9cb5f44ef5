"""TheHive: the contract of all types, recorded answers, and the simulated TheHive over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import msgspec
import pytest

from casebridge.connectors.base import CommentGone, ExternalComment, InvalidParams
from casebridge.connectors.http import AllowedHosts, CallLog, Outbound
from casebridge.connectors.thehive import TheHive
from casebridge.domain.errors import ConnectorError
from casebridge.sandbox.server import serving
from casebridge.sandbox.thehive import thehive_app
from tests.connectors.contract import MARKER, ConnectorContract, Kit

SECRETS = {"apiKey": "planted-k3y"}
INCIDENT = {"title": "Odd logons", "description": "seen on two hosts", "severity": 3, "tlp": 2, "tags": ["vpn"]}
TAG = "casebridge:5d1f"

KIT = Kit(
    type_=TheHive,
    config={"url": "https://hive.example.org/"},
    secrets=SECRETS,
    url_key="url",
    incident=INCIDENT,
    refusal={"type": "BadRequest", "message": "Invalid json"},
    words="Invalid json",
)


class TestContract(ConnectorContract):
    @pytest.fixture
    def kit(self) -> Kit:
        return KIT


class Recorder:
    """Stands in for TheHive: notes every request and gives the recorded answers in turn, the last one for ever."""

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

    def hive(self, organisation: str | None = None, settings: Any = None, **secrets: str) -> TheHive:
        outbound = Outbound(AllowedHosts(["*"]), transport=httpx2.MockTransport(self))
        return TheHive({**KIT.config, "organisation": organisation}, {**SECRETS, **secrets}, outbound, settings)


CREATED = (201, {"_id": "~41640008", "_type": "Case", "number": 67, "title": "Odd logons", "tags": [TAG]})


async def sent_fields(incident: dict[str, Any], marker: str = MARKER) -> dict[str, Any]:
    """The body of the create that an incident becomes."""
    recorder = Recorder(CREATED)
    hive = recorder.hive()
    await hive.create(hive.check_fields(incident), marker)
    (body,) = recorder.sent
    return body


# What is sent


async def test_a_create_is_one_post_with_a_bearer_key_and_the_marker_as_a_tag():
    recorder = Recorder(CREATED)
    hive = recorder.hive()
    assert await hive.create(hive.check_fields(INCIDENT), MARKER) == "~41640008"
    (request,) = recorder.requests
    assert (request.method, str(request.url)) == ("POST", "https://hive.example.org/api/v1/case")
    assert request.headers["authorization"] == "Bearer planted-k3y"
    assert "x-organisation" not in request.headers
    assert recorder.sent == [{**INCIDENT, "tags": ["vpn", TAG]}]


async def test_an_organisation_is_named_only_when_there_is_one():
    recorder = Recorder(CREATED)
    await recorder.hive("soc").read("~1")
    assert recorder.requests[0].headers["x-organisation"] == "soc"


@pytest.mark.parametrize(("organisation", "key"), [("so\nc", "k"), (None, "two\r\nlines"), ("süd", "k")])
async def test_what_cannot_be_a_header_is_a_fault_of_the_configuration_and_is_not_shown(
    organisation: str | None, key: str
):
    with pytest.raises(ConnectorError) as refused:
        await Recorder(CREATED).hive(organisation, apiKey=key).read("~1")
    assert refused.value.code == "configuration"
    assert "lines" not in refused.value.message


async def test_nulls_are_left_out_and_without_a_marker_so_are_missing_tags():
    bare = {"title": "x", "description": "y", "severity": None, "tlp": None, "tags": None}
    assert await sent_fields(bare, marker="") == {"title": "x", "description": "y"}
    assert (await sent_fields(bare))["tags"] == [TAG]


async def test_a_tag_is_sent_once_and_long_texts_are_cut_visibly():
    fields = await sent_fields({**INCIDENT, "title": "x" * 600, "tags": ["a", TAG, "a", "z" * 200]})
    assert fields["title"] == "x" * 511 + "…"
    assert fields["tags"] == ["a", TAG, "z" * 127 + "…"]


async def test_whole_numbers_are_sent_as_such():
    fields = await sent_fields({**INCIDENT, "tlp": 2.0})
    assert isinstance(fields["tlp"], int)


async def test_an_update_is_a_patch_with_the_marker_and_needs_no_body():
    recorder = Recorder((204, None))
    hive = recorder.hive()
    await hive.update("~41640008", hive.check_fields(INCIDENT), MARKER)
    (request,) = recorder.requests
    assert (request.method, request.url.path) == ("PATCH", "/api/v1/case/~41640008")
    assert recorder.sent[0]["tags"] == ["vpn", TAG]


async def test_after_a_push_nothing_is_asked_the_title_is_the_one_sent():
    recorder = Recorder((500, None))
    record = await recorder.hive().as_pushed("~41640008", INCIDENT)
    assert (record.title, record.url) == ("Odd logons", "https://hive.example.org/cases/~41640008/details")
    assert recorder.requests == []


@pytest.mark.parametrize(
    "incident", [{}, {"title": "x"}, {"title": 1, "description": "y"}, {**INCIDENT, "tlp": "2"}, {**INCIDENT, "odd": 1}]
)
async def test_an_incident_that_breaks_a_rule_is_refused_in_both_ways(incident: dict[str, Any]):
    hive = Recorder((500, {})).hive()
    with pytest.raises(InvalidParams):
        await hive.execute("pushToService", {"incident": incident})
    with pytest.raises(ConnectorError, match="not valid"):
        hive.check_fields(incident)


# What comes back


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"type": "BadRequest", "message": "Invalid json"}, "Reason: API Error: BadRequest - Invalid json."),
        (
            {"tableName": "case", "type": "AttributeCheckingError", "errors": [{"name": "title", "type": "Missing"}]},
            "Reason: API Error: AttributeCheckingError - title Missing.",
        ),
        ({"type": "InternalError"}, "Reason: API Error: InternalError."),
    ],
)
async def test_thehive_is_quoted_in_its_own_words(body: Any, reason: str):
    with pytest.raises(ConnectorError) as refused:
        await Recorder((400, body)).hive().read("~1")
    assert refused.value.message == f"[Action][TheHive]: Unable to get incident. Error: TheHive answered 400. {reason}"


async def test_a_comment_that_is_gone_is_told_apart():
    with pytest.raises(CommentGone) as gone:
        await Recorder((404, {"type": "NotFoundError", "message": "no"})).hive().edit_comment("~1", "~2", "x")
    assert not gone.value.unknown


async def test_a_case_without_the_marker_is_not_taken_even_if_a_query_brings_it():
    rows = [
        {"_id": "~1", "title": "a", "tags": ["other"]},
        {"_id": "~2", "title": "b", "tags": [TAG]},
    ]
    recorder = Recorder((200, rows))
    assert [each.external_id for each in await recorder.hive().find_incidents(MARKER)] == ["~2"]
    query = recorder.sent[0]["query"]
    assert query[:2] == [{"_name": "listCase"}, {"_name": "filter", "_eq": {"_field": "tags", "_value": TAG}}]


def test_appending_edited_comments_is_a_setting():
    assert Recorder(CREATED).hive().can_edit_comments
    assert not Recorder(CREATED).hive(settings={"edited_comments": "append"}).can_edit_comments


async def test_a_preview_compares_with_what_the_case_holds():
    hive = Recorder((200, {"_id": "~1", "title": "Old", "tags": [], "severity": 1})).hive()
    held = hive.present(await hive.read("~1"), hive.outgoing(INCIDENT, MARKER))
    assert held == {"title": "Old", "description": None, "severity": 1, "tlp": None, "tags": []}


async def test_an_alert_takes_more_fields_from_its_body_but_no_other_values():
    recorder = Recorder(CREATED)
    alert = {"title": "t", "description": "d", "type": "edr", "source": "s", "sourceRef": "r"}
    more = {"body": '{"title": "other", "externalLink": "https://x.y"}', "isRuleSeverity": True, "tags": None}
    assert await recorder.hive().execute("createAlert", {**alert, **more}) is None
    assert recorder.requests[0].url.path == "/api/v1/alert"
    assert recorder.sent == [{**alert, "externalLink": "https://x.y"}]
    with pytest.raises(InvalidParams, match="body"):
        await recorder.hive().execute("createAlert", {**alert, "body": "[1]"})


# The simulated TheHive


class Live:
    """A connector to a simulated TheHive over real HTTP."""

    def __init__(self, hive: TheHive, sandbox: Any, url: str, log: CallLog) -> None:
        self.hive, self.sandbox, self.url, self.log = hive, sandbox, url, log

    def cases(self) -> list[dict[str, Any]]:
        return list(self.sandbox.state(None)["cases"])

    async def create(self, marker: str = MARKER, **incident: Any) -> str:
        return await self.hive.create(self.hive.check_fields({**INCIDENT, **incident}), marker)


@pytest.fixture
async def live_hive() -> AsyncIterator[Any]:
    """Makes a `Live`; takes what `thehive_app` takes, and the key and organisation of the connector."""
    async with AsyncExitStack() as stack:

        async def make(key: str = "planted-k3y", organisation: str | None = "soc", **given: Any) -> Live:
            app = thehive_app("planted-k3y", **given)
            url = await stack.enter_async_context(serving(app))
            outbound = Outbound(AllowedHosts(["127.0.0.1"]), timeout_s=5.0)
            stack.push_async_callback(outbound.close)
            log = CallLog()
            hive = TheHive({"url": url, "organisation": organisation}, {"apiKey": key}, outbound.view(log))
            return Live(hive, app.state.sandbox, url, log)

        yield make


async def test_a_direct_push_creates_then_updates_and_comments_in_order(live_hive):
    live = await live_hive()
    comments = [{"commentId": "c-1", "comment": "one"}, {"commentId": "c-2", "comment": "two"}]
    data = await live.hive.execute("pushToService", {"incident": INCIDENT, "comments": comments})
    assert data.keys() == {"id", "title", "url", "pushedDate", "comments"}
    assert (data["title"], data["url"]) == ("Odd logons", f"{live.url}/cases/{data['id']}/details")
    again = {**INCIDENT, "title": "Odder", "externalId": data["id"]}
    assert (await live.hive.execute("pushToService", {"incident": again, "comments": None}))["title"] == "Odder"
    (case,) = live.cases()
    assert (case["title"], case["tags"]) == ("Odder", ["vpn"])
    assert [each["message"] for each in case["comments"]] == ["one", "two"]
    incident = await live.hive.execute("getIncident", {"externalId": data["id"]})
    assert incident["severityLabel"] == "HIGH"


async def test_an_incident_is_found_again_by_its_marker_oldest_first_over_all_pages(live_hive):
    live = await live_hive(page_size=2)
    ids = [await live.create(title=f"number {number}") for number in range(5)]
    await live.create(marker="casebridge-other")
    assert [each.external_id for each in await live.hive.find_incidents(MARKER)] == ids
    assert await live.hive.find_incidents("casebridge-none") == []


async def test_comments_are_added_edited_and_listed_over_all_pages(live_hive):
    live = await live_hive(page_size=2)
    id_ = await live.create()
    known = [await live.hive.add_comment(id_, f"comment {number}") for number in range(5)]
    await live.hive.edit_comment(id_, known[4], "edited")
    expected = [f"comment {number}" for number in range(4)] + ["edited"]
    assert await live.hive.list_comments(id_) == [
        ExternalComment(each, text) for each, text in zip(known, expected, strict=True)
    ]
    with pytest.raises(CommentGone):
        await live.hive.edit_comment(id_, "~9", "x")


async def test_a_trial_says_who_was_let_in_and_writes_nothing(live_hive):
    live = await live_hive()
    assert "casebridge@example.org in the organisation soc" in await live.hive.test()
    assert live.cases() == []
    with pytest.raises(ConnectorError, match="credentials were not accepted"):
        await (await live_hive(key="wrong-k3y")).hive.test()
    with pytest.raises(ConnectorError, match="AuthorizationError"):
        await (await live_hive(organisation="other")).hive.test()


async def test_an_alert_is_there_only_once(live_hive):
    live = await live_hive()
    alert = {"title": "t", "description": "d", "type": "edr", "source": "s", "sourceRef": "r", "severity": 3}
    await live.hive.execute("createAlert", alert)
    with pytest.raises(ConnectorError, match="CreateError - Alert already exists"):
        await live.hive.execute("createAlert", alert)


@pytest.mark.parametrize(
    ("kind", "is_unknown", "is_done"),
    [
        ("drop-before", True, 0),
        ("drop-after", True, 1),
        ("half-body", True, 1),
        ("html-after", True, 1),
        ("no-id", True, 1),
        ("status:500", False, 0),
        ("status:503", True, 0),
        ("status:400", False, 0),
        ("rate-limit:3", False, 0),
    ],
)
async def test_a_lost_create_is_unknown_and_a_refused_one_is_not(live_hive, kind: str, is_unknown: bool, is_done: int):
    live = await live_hive()
    live.sandbox.faults.add(f"create={kind}")
    with pytest.raises(ConnectorError) as raised:
        await live.create()
    assert raised.value.unknown is is_unknown
    assert len(live.cases()) == is_done
    assert len(await live.hive.find_incidents(MARKER)) == is_done
