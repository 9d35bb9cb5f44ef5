"""ServiceNow by OAuth: the assertion, the token and how long it is used, against the simulated system."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from casebridge.connectors.http import AllowedHosts, CallLog, Outbound
from casebridge.connectors.servicenow import ServiceNow
from casebridge.connectors.servicenow_signin import assertion
from casebridge.domain.errors import ConnectorError
from casebridge.sandbox.server import serving
from casebridge.sandbox.servicenow import servicenow_app
from casebridge.sandbox.servicenow_gate import OAuthClient, verified

KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
CONFIG = {"isOAuth": True, "clientId": "client-1", "jwtKeyId": "key-1", "userIdentifierValue": "integration"}


def pem(format_: PrivateFormat = PrivateFormat.PKCS8, password: str | None = None, key: Any = KEY) -> str:
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, format_, lock).decode()


SECRETS = {"clientSecret": "planted-s3cret", "privateKey": pem()}
CLIENT = OAuthClient("client-1", "planted-s3cret", "key-1", PUBLIC)


class Live:
    """Connectors of one server to one simulated ServiceNow."""

    def __init__(self, url: str, sandbox: Any, outbound: Outbound) -> None:
        self.url, self.sandbox, self.outbound, self.log = url, sandbox, outbound, CallLog()

    def worker(self, config: dict[str, Any] | None = None, **secrets: str | None) -> ServiceNow:
        given = {"apiUrl": self.url, **CONFIG, **(config or {})}
        return ServiceNow(given, {**SECRETS, **secrets}, self.outbound.view(self.log))

    @property
    def calls(self) -> list[tuple[str, int | None]]:
        """Which calls were made: `token` or `table`, and their statuses."""
        return [("token" if "oauth" in call.url else "table", call.status) for call in self.log.calls]


@pytest.fixture
async def live() -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:

        async def make(**given: Any) -> Live:
            app = servicenow_app("integration", oauth=CLIENT, **given)
            url = await stack.enter_async_context(serving(app))
            outbound = Outbound(AllowedHosts(["127.0.0.1"]), timeout_s=5.0)
            stack.push_async_callback(outbound.close)
            return Live(url, app.state.sandbox, outbound)

        yield make


def test_the_assertion_is_signed_and_says_who_acts_for_whom():
    head, claims = verified(assertion(CONFIG, SECRETS, 1_700_000_000), PUBLIC)
    assert head == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
    assert claims == {
        "iss": "client-1",
        "aud": "client-1",
        "sub": "integration",
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    }


async def test_one_token_serves_every_push_of_a_connector(live):
    there = await live()
    for _ in range(2):
        await there.worker().test()
    assert there.calls == [("token", 200), ("table", 200), ("table", 200)]
    fields = there.worker().check_fields({"short_description": "Odd"})
    sys_id = await there.worker().create(fields, "casebridge-5d1f")
    row = (await there.worker().read(sys_id)).raw
    assert (row["correlation_id"], row["caller_id"], row["opened_by"]) == ("5d1f", "", "")


async def test_another_connector_and_a_changed_one_ask_for_a_token_of_their_own(live):
    there = await live()
    await there.worker().test()
    with pytest.raises(ConnectorError, match=r"get an access token.*401.*invalid_client: access_denied"):
        await there.worker(clientSecret="another-s3cret").test()
    assert there.calls[-1] == ("token", 401)


async def test_a_refused_token_is_replaced_once_and_the_call_repeated(live):
    there = await live()
    await there.worker().test()
    there.sandbox.gate.tokens.clear()
    worker = there.worker()
    await worker.create(worker.check_fields({"short_description": "Odd"}), "")
    assert there.calls[2:] == [("table", 401), ("token", 200), ("table", 201)]
    assert there.sandbox.journal.counts(["incident"]) == {"incident": 1}


async def test_a_fresh_token_that_is_refused_is_not_replaced_and_not_kept(live):
    there = await live()
    there.sandbox.faults.add("find=status:401**")
    for _ in range(2):
        with pytest.raises(ConnectorError, match="credentials were not accepted"):
            await there.worker().test()
    assert there.calls == [("token", 200), ("table", 401)] * 2


async def test_a_token_is_not_used_until_its_very_last_second(live):
    there = await live(token_life_s=9)
    for _ in range(2):
        await there.worker().test()
    assert there.calls == [("token", 200), ("table", 200)] * 2


@pytest.mark.parametrize(
    "secrets",
    [
        {"privateKey": pem(PrivateFormat.TraditionalOpenSSL)},
        {"privateKey": pem(PrivateFormat.TraditionalOpenSSL, "pw-of-key"), "privateKeyPassword": "pw-of-key"},
        {"privateKey": pem(password="pw-of-key"), "privateKeyPassword": "pw-of-key"},
        {"privateKeyPassword": "not needed"},
    ],
)
async def test_keys_come_in_both_forms_encrypted_or_not(live, secrets):
    assert "accepted the credentials" in await (await live()).worker(**secrets).test()


@pytest.mark.parametrize(
    ("secrets", "complaint"),
    [
        ({"privateKey": "nonsense"}, "cannot be opened"),
        ({"privateKey": pem(password="pw-of-key")}, "privateKeyPassword is not set"),
        ({"privateKey": pem(password="pw-of-key"), "privateKeyPassword": "wrong"}, "cannot be opened"),
        ({"privateKey": pem(key=ec.generate_private_key(ec.SECP256R1()))}, "no RSA key"),
    ],
)
async def test_a_key_that_cannot_be_used_is_a_lasting_fault_and_nothing_is_sent(live, secrets, complaint):
    there = await live()
    with pytest.raises(ConnectorError, match=complaint) as raised:
        await there.worker(**secrets).test()
    assert (raised.value.code, raised.value.permanent) == ("configuration", True)
    assert there.calls == []


@pytest.mark.parametrize("config", [{"clientId": "other"}, {"jwtKeyId": "other"}, {"userIdentifierValue": "somebody"}])
async def test_an_assertion_for_somebody_else_is_refused(live, config):
    with pytest.raises(ConnectorError, match=r"answered 401.*invalid_") as raised:
        await (await live()).worker(config).test()
    assert raised.value.permanent


@pytest.mark.parametrize("kind", ["status:503", "html", "half-body", "drop-after"])
async def test_no_token_no_write(live, kind):
    there = await live()
    there.sandbox.faults.add(f"token={kind}")
    worker = there.worker()
    with pytest.raises(ConnectorError, match="get an access token") as raised:
        await worker.create(worker.check_fields({"short_description": "Odd"}), "")
    assert not raised.value.unknown
    assert not raised.value.permanent
    assert there.sandbox.journal.counts(["incident"]) == {"incident": 0}


async def test_neither_token_nor_assertion_nor_key_gets_into_a_message():
    said: list[str] = []

    def echo(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/oauth_token.do" and not said:
            said.append(dict(httpx2.QueryParams(request.content.decode()))["assertion"])
            return httpx2.Response(200, json={"access_token": "t0ken-of-now", "expires_in": 1_799})
        words = f"echo t0ken-of-now {said[0]} planted-s3cret"
        return httpx2.Response(400, json={"error": {"message": words, "detail": SECRETS["privateKey"]}})

    outbound = Outbound(AllowedHosts(["*"]), transport=httpx2.MockTransport(echo))
    worker = ServiceNow({"apiUrl": "https://acme.example.org", **CONFIG}, SECRETS, outbound)
    with pytest.raises(ConnectorError) as raised:
        await worker.test()
    assert "echo [redacted] [redacted] [redacted]: [redacted]" in raised.value.message
    assert not any(each in f"{worker!r} {outbound!r} {outbound.tokens!r}" for each in ("t0ken", "s3cret"))


async def test_the_journal_of_the_sandbox_keeps_nothing_of_a_token_request(live):
    there = await live()
    await there.worker().test()
    async with httpx2.AsyncClient(base_url=there.url, trust_env=False) as http:
        shown = (await http.get("/_sandbox/state")).text
    assert "oauth_token.do" in shown
    assert not any(each in shown for each in ("planted-s3cret", "assertion", "Bearer"))
