"""The webhook connector: the contract of all types, templates, and the simulated ticket system over real HTTP."""

from __future__ import annotations

import base64
from typing import Any

import httpx2
import msgspec
import pytest

from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.connectors.tls import Tls, TlsFault, context_of
from casebridge.connectors.webhook import BASIC, CERTIFICATE, Webhook
from casebridge.connectors.webhook_text import normalised, rendered, value_at
from casebridge.domain.errors import ConnectorError, InvalidInput
from casebridge.sandbox.server import serving
from casebridge.sandbox.webhook import connector_config, webhook_app
from tests.connectors.contract import ANYWHERE, MARKER, ConnectorContract, Kit

CONFIG = connector_config("https://tickets.example.org")
SECRETS = {"user": "planted-user", "password": "planted-passw0rd"}
INCIDENT = {
    "title": 'say "{{{case.id}}}"',
    "description": "two\nlines",
    "id": "c-1",
    "severity": "low",
    "status": "open",
    "tags": ["a", 'b"'],
}

KIT = Kit(
    type_=Webhook,
    config=CONFIG,
    secrets=SECRETS,
    url_key="createIncidentUrl",
    incident=INCIDENT,
    refusal={"error": "fields.summary is required"},
    words="fields.summary is required",
    calls_nothing=frozenset({"test"}),
    reads_nothing=frozenset({"add_comment"}),
)


class TestContract(ConnectorContract):
    @pytest.fixture
    def kit(self) -> Kit:
        return KIT


class Recorder:
    """Stands in for the other side: notes every request and gives the same answer."""

    def __init__(self, status: int, body: Any) -> None:
        self.requests: list[httpx2.Request] = []
        self.status, self.body = status, body

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(self.status) if self.body is None else httpx2.Response(self.status, json=self.body)

    def webhook(self, secrets: Any = None, **config: Any) -> Webhook:
        outbound = Outbound(AllowedHosts(["tickets.example.org"]), transport=httpx2.MockTransport(self))
        filled, kept = Webhook.validate({**CONFIG, **config}, SECRETS if secrets is None else secrets, ANYWHERE)
        return Webhook(filled, kept, outbound)


MADE = {"data": {"id": 501, "key": "TKT-1"}}


# Templates


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{{case.title}}}", '"{{{case.id}}}"'),
        ("{{case.title}}", '"{{{case.id}}}"'),
        ("{{& case.title }}", '"{{{case.id}}}"'),
        ("<{{{case.odd}}}>", "<>"),
        ("{ {case.title} }", "{ {case.title} }"),
    ],
)
def test_values_are_put_in_once_as_they_are(template: str, text: str):
    assert rendered(template, {"case.title": '"{{{case.id}}}"', "case.id": "no"}) == text


def test_addresses_lose_double_slashes_and_the_last_one():
    assert normalised("https://a.b//c///d/?next=http://x//") == "https://a.b/c/d/?next=http://x/"
    assert normalised("https://a.b/c/") == "https://a.b/c"


def test_paths_lead_through_objects_and_lists():
    answer = {"data": {"issues": [{"id": 7}]}}
    assert value_at(answer, "data.issues[0].id") == 7
    assert value_at(answer, "data.issues[1].id") is None
    assert value_at(answer, "data.issues.id") is None


# What is sent


async def test_a_create_renders_its_body_and_carries_a_key_and_the_credentials():
    recorder = Recorder(201, MADE)
    webhook = recorder.webhook()
    webhook.idempotency_key = "d-1-create"
    assert await webhook.create(webhook.check_fields(INCIDENT), MARKER) == "501"
    (request,) = recorder.requests
    assert (request.method, str(request.url)) == ("POST", "https://tickets.example.org/tickets")
    assert request.headers["authorization"] == f"Basic {base64.b64encode(b'planted-user:planted-passw0rd').decode()}"
    assert request.headers["idempotency-key"] == "d-1-create"
    assert request.headers["content-type"] == "application/json"
    assert msgspec.json.decode(request.content) == {
        "summary": 'say "{{{case.id}}}"',
        "description": "two\nlines",
        "tags": ["a", 'b"'],
        "caseId": "c-1",
        "severity": "low",
        "status": "open",
    }


async def test_what_a_case_does_not_have_is_an_empty_text_or_list():
    recorder = Recorder(201, MADE)
    webhook = recorder.webhook()
    await webhook.create(webhook.check_fields({"title": "x"}), MARKER)
    sent = msgspec.json.decode(recorder.requests[0].content)
    assert (sent["description"], sent["tags"]) == ("", [])


async def test_an_id_is_one_segment_of_an_address_and_a_text_in_a_body():
    recorder = Recorder(200, MADE)
    webhook = recorder.webhook(updateIncidentJson='{"id": {{{external.system.id}}}}', updateIncidentMethod="patch")
    await webhook.update("a/b ?", webhook.check_fields(INCIDENT), MARKER)
    (request,) = recorder.requests
    assert (request.method, request.url.raw_path) == ("PATCH", b"/tickets/a%2Fb%20%3F")
    assert request.content == b'{"id": "a/b ?"}'
    assert "idempotency-key" not in request.headers


async def test_the_record_has_the_title_of_the_answer_and_the_rendered_page():
    record = (
        await Recorder(200, {"data": {"key": "TKT 1"}})
        .webhook(viewIncidentUrl="https://tickets.example.org/v/{{{external.system.id}}}/{{{external.system.title}}}")
        .read("501")
    )
    assert (record.title, record.url) == ("TKT 1", "https://tickets.example.org/v/501/TKT%201")


async def test_a_get_may_be_a_post_with_a_body():
    recorder = Recorder(200, MADE)
    await recorder.webhook(getIncidentMethod="post", getIncidentJson='{"id": {{{external.system.id}}}}').read("501")
    assert (recorder.requests[0].method, recorder.requests[0].content) == ("POST", b'{"id": "501"}')


async def test_headers_are_merged_without_regard_to_case_and_secret_ones_win():
    recorder = Recorder(201, MADE)
    webhook = recorder.webhook(
        {**SECRETS, "secretHeaders": {"X-TOKEN": "planted-t0ken"}},
        headers={"x-token": "shown", "Content-Type": "text/plain", "AUTHORIZATION": "none", "X-Team": "soc"},
    )
    await webhook.add_comment("501", "hello")
    (request,) = recorder.requests
    names = [name.lower() for name, _ in request.headers.raw]
    assert len(names) == len(set(names))
    assert (request.headers["x-token"], request.headers["x-team"]) == ("planted-t0ken", "soc")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"].startswith("Basic ")
    assert request.headers["idempotency-key"]


async def test_without_sign_in_no_credentials_are_sent():
    recorder = Recorder(201, MADE)
    await recorder.webhook({}, hasAuth=False).read("501")
    assert "authorization" not in recorder.requests[0].headers


@pytest.mark.parametrize("missing", ["createCommentUrl", "createCommentJson"])
async def test_comments_need_an_address_and_a_body(missing: str):
    assert Recorder(200, {}).webhook().takes_comments
    without = Recorder(200, {}).webhook(**{missing: None})
    assert not without.takes_comments
    with pytest.raises(ConnectorError, match="no address or body"):
        await without.add_comment("501", "hello")


# What goes wrong


async def test_a_body_that_is_no_json_is_not_sent():
    recorder = Recorder(201, MADE)
    webhook = recorder.webhook(createIncidentJson='{"summary": "{{{case.title}}}"}')
    with pytest.raises(ConnectorError, match="JSON Error: Create case JSON body must be valid JSON") as refused:
        await webhook.create(webhook.check_fields(INCIDENT), MARKER)
    assert (refused.value.permanent, refused.value.unknown, recorder.requests) == (True, False, [])


async def test_the_host_is_checked_again_when_the_address_is_complete():
    recorder = Recorder(200, MADE)
    webhook = recorder.webhook(getIncidentUrl="https://elsewhere.example.org/{{{external.system.id}}}")
    with pytest.raises(ConnectorError, match="not in the allowed hosts") as refused:
        await webhook.read("501")
    assert (refused.value.code, recorder.requests) == ("configuration", [])


@pytest.mark.parametrize(("status", "body"), [(200, None), (200, 3), (200, "text")])
async def test_an_answer_that_is_no_object_is_a_failure_unless_it_is_a_204(status: int, body: Any):
    webhook = Recorder(status, body).webhook()
    with pytest.raises(ConnectorError) as refused:
        await webhook.add_comment("501", "hello")
    assert refused.value.unknown
    assert await Recorder(204, None).webhook().add_comment("501", "hello") is None


async def test_a_missing_key_is_named_as_kibana_does():
    with pytest.raises(ConnectorError, match=r"Response is missing the expected field: data\.id"):
        await Recorder(201, {"data": {}}).webhook().create(INCIDENT, MARKER)


@pytest.mark.parametrize(
    ("secrets", "config"),
    [
        ({"user": "u"}, {}),
        ({"crt": "c"}, {}),
        ({"user": "u", "password": "p", "pfx": "x"}, {}),
        ({**SECRETS, "clientSecret": "s"}, {}),
        ({}, {}),
        (SECRETS, {"authType": CERTIFICATE}),
        (SECRETS, {"authType": CERTIFICATE, "certType": "ssl-pfx"}),
        (SECRETS, {"authType": "webhook-oauth2-client-credentials"}),
        ({"crt": "c", "key": "k"}, {"authType": CERTIFICATE, "certType": "ssl-pfx"}),
        (SECRETS, {"headers": {"x": 1}}),
        (SECRETS, {"viewIncidentUrl": "no address"}),
    ],
)
def test_secrets_and_sign_in_that_do_not_fit_are_refused(secrets: Any, config: Any):
    with pytest.raises(InvalidInput):
        Webhook.validate({**CONFIG, **config}, secrets, ANYWHERE)


@pytest.mark.parametrize(
    ("secrets", "config"),
    [
        ({}, {"hasAuth": False}),
        ({"secretHeaders": {"x": "y"}}, {}),
        ({"crt": "c", "key": "k"}, {"authType": CERTIFICATE, "certType": "ssl-crt-key"}),
        ({"pfx": "c", "password": "k"}, {"authType": CERTIFICATE, "certType": "ssl-pfx", "verificationMode": "full"}),
        (SECRETS, {"authType": None}),
    ],
)
def test_the_allowed_combinations_pass_and_defaults_are_filled_in(secrets: Any, config: Any):
    filled, kept = Webhook.validate({**CONFIG, **config}, secrets, ANYWHERE)
    assert filled["updateIncidentMethod"] == "put"
    assert filled["authType"] == config.get("authType", None if "authType" in config else BASIC)
    assert kept["clientSecret"] is None


def test_a_certificate_that_cannot_be_used_is_a_fault_that_shows_nothing_of_it():
    for wanted in (Tls(pfx="cGxhbnRlZA=="), Tls(crt="cGxhbnRlZA==", key="cGxhbnRlZA=="), Tls(ca="%%"), Tls(ca="eA==")):
        with pytest.raises(TlsFault) as refused:
            context_of(wanted)
        assert "planted" not in str(refused.value)


def test_the_check_of_tls_can_be_laxer():
    assert context_of(Tls(mode="full")).check_hostname
    assert not context_of(Tls(mode="certificate")).check_hostname
    assert context_of(Tls(mode="certificate")).verify_mode.name == "CERT_REQUIRED"
    assert context_of(Tls(mode="none")).verify_mode.name == "CERT_NONE"


# The simulated ticket system


async def test_a_direct_push_creates_updates_comments_and_a_trial_only_connects():
    app = webhook_app(*SECRETS.values())
    async with serving(app) as url:
        outbound = Outbound(AllowedHosts(["127.0.0.1"]), timeout_s=5.0)
        webhook = Webhook(connector_config(url), SECRETS, outbound)
        assert "no call was made" in await webhook.test()
        assert app.state.sandbox.journal.entries == []
        comments = [{"commentId": "c-1", "comment": "one"}, {"commentId": "c-2", "comment": "one"}]
        data = await webhook.execute("pushToService", {"incident": INCIDENT, "comments": comments})
        assert (data["id"], data["title"], data["url"]) == ("501", "TKT-501", f"{url}/view/501")
        again = {**INCIDENT, "title": "Odder", "externalId": "501"}
        await webhook.execute("pushToService", {"incident": again})
        (ticket,) = app.state.sandbox.state(None)["tickets"]
        assert (ticket["summary"], [each["text"] for each in ticket["comments"]]) == ("Odder", ["one", "one"])
        await outbound.close()


async def test_a_trial_fails_where_nobody_listens():
    async with serving(webhook_app()) as url:
        gone = url
    outbound = Outbound(AllowedHosts(["127.0.0.1"]), timeout_s=5.0)
    with pytest.raises(ConnectorError, match="no connection"):
        await Webhook(connector_config(gone), SECRETS, outbound).test()
    await outbound.close()
