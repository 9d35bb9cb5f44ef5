"""Jira: the contract of all types, recorded answers, and the simulated Jira over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import msgspec
import pytest

from casebridge.connectors.base import CommentGone, ExternalComment, InvalidParams
from casebridge.connectors.http import AllowedHosts, CallLog, Outbound
from casebridge.connectors.jira import Jira
from casebridge.connectors.jira_text import cut, one_line, search_words, to_wiki
from casebridge.domain.errors import ConnectorError
from casebridge.sandbox.jira import jira_app
from casebridge.sandbox.server import serving
from tests.connectors.contract import MARKER, ConnectorContract, Kit

SECRETS = {"email": "bot@example.org", "apiToken": "planted-t0ken"}
INCIDENT = {"summary": "Odd logons", "description": "seen on two hosts", "labels": ["vpn"], "issueType": "10001"}
MESSAGES = {"errorMessages": ["First.", "Second."], "errors": {"summary": "unused"}}

JIRA = Kit(
    type_=Jira,
    config={"apiUrl": "https://jira.example.org/", "projectKey": "OPS"},
    secrets=SECRETS,
    url_key="apiUrl",
    incident=INCIDENT,
    refusal={"errorMessages": [], "errors": {"summary": "You must specify a summary."}},
    words="You must specify a summary.",
)


class TestContract(ConnectorContract):
    @pytest.fixture
    def kit(self) -> Kit:
        return JIRA


class Recorder:
    """Stands in for Jira: notes every request and gives the recorded answers in turn, the last one for ever."""

    def __init__(self, *answers: tuple[int, Any], **headers: str) -> None:
        self.requests: list[httpx2.Request] = []
        self.answers, self.headers = list(answers), headers

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if body is None:
            return httpx2.Response(status, headers=self.headers)
        return httpx2.Response(status, headers=self.headers, json=body)

    @property
    def sent(self) -> list[Any]:
        return [msgspec.json.decode(each.content) for each in self.requests if each.content]

    def jira(self, **settings: str) -> Jira:
        outbound = Outbound(AllowedHosts(["*"]), transport=httpx2.MockTransport(self))
        return Jira(JIRA.config, SECRETS, outbound, settings)


CREATED = (201, {"id": "10201", "key": "OPS-7", "self": "https://jira.example.org/rest/api/2/issue/10201"})


async def sent_fields(incident: dict[str, Any], marker: str = MARKER, **settings: str) -> dict[str, Any]:
    """The fields of the create that an incident becomes."""
    recorder = Recorder(CREATED)
    jira = recorder.jira(**settings)
    await jira.create(jira.check_fields(incident), marker)
    (body,) = recorder.sent
    assert set(body) == {"fields"}
    return body["fields"]


# What is sent


async def test_a_create_is_one_post_with_ids_names_and_keys_where_jira_wants_them():
    recorder = Recorder(CREATED)
    jira = recorder.jira()
    fields = jira.check_fields(
        {**INCIDENT, "priority": "High", "parent": "OPS-3", "otherFields": '{"customfield_1": "web-01"}'}
    )
    assert await jira.create(fields, MARKER) == "10201"
    (request,) = recorder.requests
    assert (request.method, str(request.url)) == ("POST", "https://jira.example.org/rest/api/2/issue")
    assert request.headers["authorization"] == "Basic Ym90QGV4YW1wbGUub3JnOnBsYW50ZWQtdDBrZW4="
    assert recorder.sent == [
        {
            "fields": {
                "project": {"key": "OPS"},
                "summary": "Odd logons",
                "description": "seen on two hosts",
                "issuetype": {"id": "10001"},
                "labels": ["vpn", MARKER],
                "priority": {"name": "High"},
                "parent": {"key": "OPS-3"},
                "customfield_1": "web-01",
            }
        }
    ]


async def test_nulls_are_left_out_but_labels_are_always_sent_on_create():
    fields = await sent_fields({"summary": "x", "description": None, "priority": None}, marker="")
    assert fields == {"project": {"key": "OPS"}, "summary": "x", "labels": []}


async def test_the_marker_is_there_once_however_often_it_is_sent():
    assert (await sent_fields({**INCIDENT, "labels": [MARKER, "a"]}))["labels"] == [MARKER, "a"]


async def test_an_update_overwrites_the_same_fields_with_the_marker_and_needs_no_body():
    recorder = Recorder((204, None))
    jira = recorder.jira()
    await jira.update("10201", jira.check_fields({**INCIDENT, "issueType": None}), MARKER)
    (request,) = recorder.requests
    assert (request.method, request.url.path) == ("PUT", "/rest/api/2/issue/10201")
    assert recorder.sent[0]["fields"].keys() == {"project", "summary", "description", "labels"}
    assert recorder.sent[0]["fields"]["labels"] == ["vpn", MARKER]


async def test_a_summary_is_one_line_of_at_most_255_characters_and_shows_that_it_was_cut():
    assert one_line("a \r\n\n b\rc\n") == "a, b, c"
    summary = (await sent_fields({"summary": "line\n" + "x" * 300}))["summary"]
    assert len(summary) == 255
    assert summary.startswith("line, xxx")
    assert summary.endswith("x…")


async def test_long_texts_are_cut_visibly_and_exact_ones_are_not():
    assert cut("x" * 32_767, 32_767) == "x" * 32_767
    description = (await sent_fields({"summary": "x", "description": "y" * 40_000}))["description"]
    assert len(description) == 32_767
    assert description.endswith("y […]")


async def test_a_long_label_is_cut():
    (label, _) = (await sent_fields({"summary": "x", "labels": ["z" * 256]}))["labels"]
    assert len(label) == 255


async def test_markdown_goes_out_unchanged_unless_conversion_is_asked_for():
    incident = {"summary": "x", "description": "**bold**"}
    assert (await sent_fields(incident))["description"] == "**bold**"
    assert (await sent_fields(incident, text="converted"))["description"] == "*bold*"


@pytest.mark.parametrize(
    ("markdown", "wiki"),
    [
        ("**b** and *i*", "*b* and _i_"),
        ("`c|d`", "{{c|d}}"),
        ("```python\na = {1}\n```\nafter", "{code:python}\na = {1}\n{code}\nafter"),
        ("## Head", "h2. Head"),
        ("- one\n- two", "* one\n* two"),
        ("1. one\n2. two", "# one\n# two"),
        ("[t](https://x.y/a_b)", "[t|https://x.y/a_b]"),
        ("> quoted", "bq. quoted"),
        ("snake_case {x} [y] a|b", "snake\\_case \\{x} \\[y] a\\|b"),
        ("see https://x.y/a_b", "see https://x.y/a_b"),
    ],
)
def test_markdown_becomes_wiki_markup(markdown: str, wiki: str):
    assert to_wiki(markdown) == wiki


@pytest.mark.parametrize(
    ("incident", "complaint"),
    [
        ({}, "summary"),
        ({"summary": 1}, "summary"),
        ({"summary": "x", "labels": ["a b"]}, "white space"),
        ({"summary": "x", "labels": "a"}, "labels"),
        ({"summary": "x", "otherFields": "[1]"}, "otherFields"),
        ({"summary": "x", "otherFields": "{"}, "otherFields"),
        ({"summary": "x", "otherFields": {f"f{number}": 1 for number in range(21)}}, "at most 20 keys"),
        ({"summary": "x", "otherFields": {"labels": []}}, "labels must not be repeated"),
        ({"summary": "x", "otherFields": {"project": {}, "issuetype": {}}}, "issuetype, project"),
    ],
)
async def test_an_incident_that_breaks_a_rule_is_refused_in_both_ways(incident: dict[str, Any], complaint: str):
    jira = Recorder((500, {})).jira()
    with pytest.raises(InvalidParams, match=complaint):
        await jira.execute("pushToService", {"incident": incident})
    with pytest.raises(ConnectorError, match=complaint):
        jira.check_fields(incident)


@pytest.mark.parametrize("nothing", [None, "", "null", "{}"])
async def test_other_fields_may_be_nothing_in_any_spelling(nothing: str | None):
    assert "otherFields" not in await sent_fields({"summary": "x", "otherFields": nothing})


# What comes back


async def test_the_record_is_named_by_its_key_and_leads_to_its_page():
    answer = {"id": "10201", "key": "OPS-7", "fields": {"updated": "2026-03-04T05:06:07.000+0000"}}
    record = await Recorder((200, answer)).jira().read("10201")
    assert (record.external_id, record.title) == ("10201", "OPS-7")
    assert record.url == "https://jira.example.org/browse/OPS-7"
    assert record.changed_at is not None
    assert record.changed_at.isoformat() == "2026-03-04T05:06:07+00:00"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (MESSAGES, "Reason: First., Second."),
        ({"errorMessages": [], "errors": {"a": "One.", "b": "Two."}}, "Reason: One. Two."),
        ({"message": "Nope", "status-code": 401}, "Reason: Nope."),
    ],
)
async def test_jira_is_quoted_in_its_own_words(body: Any, reason: str):
    with pytest.raises(ConnectorError) as refused:
        await Recorder((400, body)).jira().read("1")
    assert refused.value.message == f"[Action][Jira]: Unable to get incident. Error: Jira answered 400. {reason}"


async def test_a_search_as_nobody_is_a_refusal_and_not_an_empty_answer():
    recorder = Recorder((200, {"issues": [], "isLast": True}), **{"x-seraph-loginreason": "AUTHENTICATED_FAILED"})
    with pytest.raises(ConnectorError, match="credentials were not accepted") as refused:
        await recorder.jira().find_incidents(MARKER)
    assert refused.value.permanent


async def test_a_404_as_nobody_is_about_credentials_and_no_comment_is_taken_for_gone():
    recorder = Recorder((404, MESSAGES), **{"x-seraph-loginreason": "AUTHENTICATED_FAILED"})
    with pytest.raises(ConnectorError, match="credentials were not accepted") as refused:
        await recorder.jira().edit_comment("1", "2", "x")
    assert not isinstance(refused.value, CommentGone)


async def test_a_captcha_is_named():
    recorder = Recorder((403, None), **{"x-authentication-denied-reason": "CAPTCHA_CHALLENGE; login-url=/x"})
    with pytest.raises(ConnectorError, match="CAPTCHA") as refused:
        await recorder.jira().read("1")
    assert refused.value.permanent


async def test_a_comment_that_is_gone_is_told_apart():
    with pytest.raises(CommentGone) as gone:
        await Recorder((404, MESSAGES)).jira().edit_comment("1", "2", "x")
    assert not gone.value.unknown


async def test_a_personal_access_token_is_sent_alone():
    recorder = Recorder(CREATED)
    jira = recorder.jira(auth="bearer")
    await jira.create(jira.check_fields(INCIDENT), MARKER)
    assert recorder.requests[0].headers["authorization"] == "Bearer planted-t0ken"


async def test_a_token_that_cannot_be_a_header_is_a_fault_of_the_configuration_and_is_not_shown():
    outbound = Outbound(AllowedHosts(["*"]), transport=httpx2.MockTransport(Recorder(CREATED)))
    jira = Jira(JIRA.config, {**SECRETS, "apiToken": "line\r\nbreak-täken"}, outbound, {"auth": "bearer"})
    with pytest.raises(ConnectorError) as refused:
        await jira.read("1")
    assert refused.value.code == "configuration"
    assert "break" not in refused.value.message


async def test_a_wait_given_as_a_time_is_understood():
    recorder = Recorder((429, MESSAGES), **{"x-ratelimit-reset": "2001-01-01T00:00Z"})
    with pytest.raises(ConnectorError) as refused:
        await recorder.jira().read("1")
    assert refused.value.retry_after_s == 0


async def test_a_first_issue_type_is_chosen_only_when_none_was_given():
    recorder = Recorder((200, {"issueTypes": [{"id": "5", "name": "Task"}, {"id": "6"}], "total": 2}))
    jira = recorder.jira()
    given = jira.check_fields(INCIDENT)
    assert await jira.prepare(given) == given
    assert recorder.requests == []
    assert (await jira.prepare({**given, "issueType": None}))["issueType"] == "5"


async def test_a_project_without_issue_types_is_a_fault_of_the_configuration():
    jira = Recorder((200, {"values": [], "isLast": True})).jira()
    with pytest.raises(ConnectorError, match="OPS offers no issue type") as refused:
        await jira.prepare({"issueType": None})
    assert refused.value.permanent


async def test_an_issue_without_the_marker_is_not_taken_even_if_a_search_brings_it():
    rows = [
        {"id": "1", "key": "OPS-1", "fields": {"labels": ["other"]}},
        {"id": "2", "key": "OPS-2", "fields": {"labels": [MARKER]}},
    ]
    recorder = Recorder((200, {"deploymentType": "Cloud"}), (200, {"issues": rows, "isLast": True}))
    found = await recorder.jira().find_incidents(MARKER)
    assert [each.title for each in found] == ["OPS-2"]
    query = recorder.requests[1].url.params
    assert query["jql"] == f'project = "OPS" AND labels = "{MARKER}" ORDER BY created ASC'


async def test_without_a_hit_for_the_label_the_recent_issues_of_this_user_are_looked_through():
    rows = [
        {"id": "1", "key": "OPS-1", "fields": {"labels": ["other"]}},
        {"id": "2", "key": "OPS-2", "fields": {"labels": [MARKER]}},
    ]
    recorder = Recorder(
        (200, {"deploymentType": "Cloud"}),
        (200, {"issues": [], "isLast": True}),
        (200, {"issues": rows, "isLast": True}),
    )
    found = await recorder.jira().find_incidents(MARKER)
    assert [each.title for each in found] == ["OPS-2"]
    asked = recorder.requests[2].url.params["jql"]
    assert asked == 'project = "OPS" AND reporter = currentUser() AND created >= "-15m" ORDER BY created ASC'


async def test_the_kind_of_jira_is_asked_once_and_forgotten_when_its_search_is_gone():
    row = {"id": "2", "key": "OPS-2", "fields": {"labels": [MARKER]}}
    recorder = Recorder((200, {"deploymentType": "Server"}), (200, {"issues": [row], "total": 1}), (410, MESSAGES))
    jira = recorder.jira()
    await jira.find_incidents(MARKER)
    with pytest.raises(ConnectorError):
        await jira.find_incidents(MARKER)
    with pytest.raises(ConnectorError):
        await jira.find_incidents(MARKER)
    asked = [each.url.path.removeprefix("/rest/api/2") for each in recorder.requests]
    assert asked == ["/serverInfo", "/search", "/search", "/serverInfo"]


async def test_an_endless_list_is_an_error_and_not_a_short_one():
    endless = {"comments": [{"id": "1", "body": "x"}], "total": 10**9}
    with pytest.raises(ConnectorError, match="pages"):
        await Recorder((200, endless)).jira().list_comments("1")


def test_search_words_lose_quotes_and_have_their_operators_escaped():
    assert search_words('say "a-b" it\'s \\ (x)') == r"say a\\-b it\\s \\ \\(x\\)"


def test_a_comment_is_recognised_by_its_text_as_it_was_sent():
    jira = Recorder(CREATED).jira()
    assert jira.same_text("one\r\n\r\nAdded by A.", "one\n\nAdded by A.\n")
    assert jira.same_text(cut("x" * 40_000, 32_767), "x" * 40_000)
    assert not jira.same_text("one", "two")
    assert Recorder(CREATED).jira(text="converted").same_text("*b*", "**b**")


def test_appending_edited_comments_is_a_setting():
    assert Recorder(CREATED).jira().can_edit_comments
    assert not Recorder(CREATED).jira(edited_comments="append").can_edit_comments


async def test_a_user_in_the_url_is_neither_sent_nor_shown():
    recorder, log = Recorder((200, {"id": "1", "key": "OPS-1"})), CallLog()
    outbound = Outbound(AllowedHosts(["*"]), transport=httpx2.MockTransport(recorder)).view(log)
    config = {**JIRA.config, "apiUrl": "https://ann:pass@jira.example.org"}
    record = await Jira(config, SECRETS, outbound).read("1")
    assert record.url == "https://jira.example.org/browse/OPS-1"
    assert "ann" not in str(recorder.requests[0].url) + log.calls[0].url
    assert recorder.requests[0].headers["authorization"].startswith("Basic Ym90")


# The simulated Jira


class Live:
    """A connector to a simulated Jira over real HTTP."""

    def __init__(self, jira: Jira, sandbox: Any, url: str, log: CallLog) -> None:
        self.jira, self.sandbox, self.url, self.log = jira, sandbox, url, log

    async def issues(self) -> list[dict[str, Any]]:
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as http:
            return list((await http.get("/_sandbox/state")).json()["issues"])

    async def create(self, marker: str = MARKER, **incident: Any) -> str:
        fields = self.jira.check_fields({"summary": "Odd logons", **incident})
        return await self.jira.create(await self.jira.prepare(fields), marker)


@pytest.fixture
async def live_jira() -> AsyncIterator[Any]:
    """Makes a `Live`; takes what `jira_app` takes, and `settings`."""
    async with AsyncExitStack() as stack:

        async def make(settings: dict[str, str] | None = None, token: str = "planted-t0ken", **given: Any) -> Live:
            app = jira_app(email=SECRETS["email"], api_token="planted-t0ken", **given)
            url = await stack.enter_async_context(serving(app))
            outbound = Outbound(AllowedHosts(["127.0.0.1"]), timeout_s=5.0)
            stack.push_async_callback(outbound.close)
            log = CallLog()
            config = {"apiUrl": url, "projectKey": "OPS"}
            jira = Jira(config, {**SECRETS, "apiToken": token}, outbound.view(log), settings)
            return Live(jira, app.state.sandbox, url, log)

        yield make


both = pytest.mark.parametrize("mode", ["cloud", "datacenter"])


@both
async def test_a_direct_push_creates_then_updates_and_comments_in_order(live_jira, mode: str):
    live = await live_jira(mode=mode)
    comments = [{"commentId": "c-1", "comment": "one"}, {"commentId": "c-2", "comment": " "}]
    data = await live.jira.execute("pushToService", {"incident": {"summary": "Odd"}, "comments": comments})
    assert data.keys() == {"id", "title", "url", "pushedDate", "comments"}
    assert data["url"] == f"{live.url}/browse/{data['title']}"
    assert data["pushedDate"].endswith("Z")
    assert [each["commentId"] for each in data["comments"]] == ["c-1"]
    again = await live.jira.execute(
        "pushToService", {"incident": {"summary": "Odder", "externalId": data["id"]}, "comments": None}
    )
    assert again.keys() == {"id", "title", "url", "pushedDate"}
    (issue,) = await live.issues()
    assert issue["fields"]["summary"] == "Odder"
    assert [each["body"] for each in issue["comments"]] == ["one"]


@both
async def test_an_incident_is_found_again_by_its_marker_oldest_first_over_all_pages(live_jira, mode: str):
    live = await live_jira(mode=mode, page_size=2)
    ids = [await live.create(summary=f"number {number}") for number in range(5)]
    await live.create(marker="casebridge-other")
    assert [each.external_id for each in await live.jira.find_incidents(MARKER)] == ids
    assert await live.jira.find_incidents("casebridge-none") == []


@both
async def test_comments_are_added_edited_and_listed_over_all_pages(live_jira, mode: str):
    live = await live_jira(mode=mode, page_size=2)
    id_ = await live.create()
    known = [await live.jira.add_comment(id_, f"comment {number}") for number in range(5)]
    await live.jira.edit_comment(id_, known[4], "edited")
    expected = [f"comment {number}" for number in range(4)] + ["edited"]
    assert await live.jira.list_comments(id_) == [
        ExternalComment(each, text) for each, text in zip(known, expected, strict=True)
    ]
    with pytest.raises(CommentGone):
        await live.jira.edit_comment(id_, "987654", "x")


@both
async def test_the_choices_for_the_form_come_in_the_shapes_of_the_contract(live_jira, mode: str):
    live = await live_jira(mode=mode, page_size=2)
    kinds = await live.jira.execute("issueTypes", {})
    assert kinds[0] == {"id": "10001", "name": "Task"}
    assert len(kinds) == 4
    fields = await live.jira.execute("fieldsByIssueType", {"id": "10001"})
    assert fields["summary"].keys() == {"required", "allowedValues", "defaultValue", "schema", "name"}
    assert fields["summary"]["required"] is True
    assert fields["summary"]["allowedValues"] == []
    common = await live.jira.execute("getFields", {"whatever": 1})
    assert set(common) <= set(fields)
    assert common["summary"] == fields["summary"]
    id_ = await live.create(summary="Beacon (web-01): found")
    key = (await live.jira.read(id_)).title
    assert await live.jira.execute("issues", {"title": "Beacon"}) == [
        {"id": id_, "key": key, "title": "Beacon (web-01): found"}
    ]
    for named in (id_, key):
        assert (await live.jira.execute("issue", {"id": named}))["title"] == "Beacon (web-01): found"
    incident = await live.jira.execute("getIncident", {"externalId": id_})
    assert (incident["id"], incident["key"], incident["summary"]) == (id_, key, "Beacon (web-01): found")
    assert "fields" not in incident


@pytest.mark.parametrize(
    ("sub_action", "params"),
    [
        ("issueTypes", {"odd": 1}),
        ("fieldsByIssueType", {}),
        ("issues", {"title": 1}),
        ("issue", {"id": "1", "odd": 1}),
        ("getIncident", {"id": "1"}),
    ],
)
async def test_params_of_sub_actions_are_checked(sub_action: str, params: dict[str, Any]):
    recorder = Recorder((200, {}))
    with pytest.raises(InvalidParams, match="params are invalid"):
        await recorder.jira().execute(sub_action, params)
    assert recorder.requests == []


@both
async def test_the_connection_test_names_the_system_and_writes_nothing(live_jira, mode: str):
    live = await live_jira(mode=mode)
    assert "accepted the credentials; project OPS offers 4 issue types" in await live.jira.test()
    assert {call.method for call in live.log.calls} == {"GET"}
    wrong = await live_jira(mode=mode, token="wrong-token")
    with pytest.raises(ConnectorError, match="credentials were not accepted"):
        await wrong.jira.test()


async def test_data_center_takes_a_personal_access_token(live_jira):
    live = await live_jira(mode="datacenter", settings={"auth": "bearer"})
    assert await live.create()


@pytest.mark.parametrize(
    ("kind", "is_unknown", "is_done"),
    [
        ("drop-before", True, 0),
        ("drop-after", True, 1),
        ("half-body", True, 1),
        ("html-after", True, 1),
        ("no-id", True, 1),
        ("status:408", True, 0),
        ("status:503", True, 0),
        ("status:500", False, 0),
        ("status:400", False, 0),
        ("rate-limit:3", False, 0),
    ],
)
async def test_a_lost_create_is_unknown_and_a_refused_one_is_not(live_jira, kind: str, is_unknown: bool, is_done: int):
    live = await live_jira()
    live.sandbox.faults.add(f"create={kind}")
    with pytest.raises(ConnectorError) as raised:
        await live.create()
    assert raised.value.unknown is is_unknown
    assert len(await live.issues()) == is_done
    assert len(await live.jira.find_incidents(MARKER)) == is_done


async def test_calls_are_noted_without_query_and_headers(live_jira):
    live = await live_jira()
    await live.create()
    live.log.calls.clear()
    await live.jira.find_incidents(MARKER)
    assert [(call.method, call.url, call.status) for call in live.log.calls] == [
        ("GET", f"{live.url}/rest/api/2/serverInfo", 200),
        ("GET", f"{live.url}/rest/api/2/search/jql", 200),
    ]


@pytest.mark.parametrize("rows", [7, True, "text", {"id": "1"}])
@pytest.mark.parametrize("name", ["comments", "issueTypes", "issues"])
async def test_an_answer_with_no_list_where_one_belongs_is_told_as_such(name: str, rows: Any):
    jira = Recorder((200, {name: rows, "deploymentType": "Server"})).jira()
    call = {
        "comments": lambda: jira.list_comments("1"),
        "issueTypes": lambda: jira.prepare({"issueType": None}),
        "issues": lambda: jira.find_incidents(MARKER),
    }[name]

    with pytest.raises(ConnectorError, match=f"no list at {name}"):
        await call()


@pytest.mark.parametrize("fields", [7, "text", [1]])
async def test_an_issue_without_readable_fields_is_still_an_issue(fields: Any):
    record = await Recorder((200, {"id": "1", "key": "OPS-1", "fields": fields})).jira().read("1")

    assert (record.external_id, record.title) == ("1", "OPS-1")
