"""A webhook with TLS of its own, against a server that wants to see a certificate."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.connectors.webhook import CERTIFICATE, Webhook
from casebridge.domain.errors import ConnectorError
from casebridge.sandbox.webhook import connector_config
from tests.connectors.test_http import a_server, answer, certificate, resolving

HOSTS = AllowedHosts(["desk.test", "other.test"])
TICKET = answer(body=b'{"data": {"key": "TKT-1"}}')


def text_of(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def pfx_of(crt: Path, key: Path, password: str) -> str:
    """Certificate and key as one file that a password opens."""
    private: Any = serialization.load_pem_private_key(key.read_bytes(), None)
    shown = x509.load_pem_x509_certificate(crt.read_bytes())
    closed = serialization.BestAvailableEncryption(password.encode())
    return base64.b64encode(pkcs12.serialize_key_and_certificates(b"c", private, shown, None, closed)).decode()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Certificate of desk.test and its key; the server shows it, and wants to see it too."""
    return certificate("desk.test", tmp_path)


async def title(files: tuple[Path, Path], secrets: dict[str, Any], host: str = "desk.test", **config: Any) -> str:
    """The title that a webhook reads from the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    context.load_verify_locations(files[0])
    context.verify_mode = ssl.CERT_REQUIRED
    async with a_server(TICKET, tls=context) as seen:
        outbound = Outbound(HOSTS, timeout_s=5.0, resolve=resolving(["127.0.0.1"]))
        try:
            given = {**connector_config(seen.url.replace("127.0.0.1", host)), "authType": CERTIFICATE, **config}
            filled, kept = Webhook.validate(given, secrets, HOSTS)
            webhook = Webhook(filled, kept, outbound)
            record = await webhook.read("501")
            assert Webhook(filled, kept, outbound)._http._transport is webhook._http._transport
            return record.title
        finally:
            await outbound.close()


async def test_a_certificate_with_its_key_is_shown_to_a_server_whose_authority_is_given(files):
    secrets = {"crt": text_of(files[0]), "key": text_of(files[1])}
    assert await title(files, secrets, ca=text_of(files[0]), certType="ssl-crt-key") == "TKT-1"


async def test_a_pfx_is_opened_by_its_password(files):
    secrets = {"pfx": pfx_of(*files, "planted-passw0rd"), "password": "planted-passw0rd"}
    assert await title(files, secrets, ca=text_of(files[0]), certType="ssl-pfx") == "TKT-1"
    with pytest.raises(ConnectorError, match="pfx cannot be opened") as refused:
        await title(files, {**secrets, "password": "planted-wrong"}, certType="ssl-pfx")
    assert (refused.value.code, refused.value.permanent) == ("configuration", True)


@pytest.mark.parametrize(
    ("mode", "host", "works"),
    [("full", "desk.test", True), ("full", "other.test", False), ("certificate", "other.test", True)],
)
async def test_the_name_is_checked_unless_the_certificate_alone_is_to_be(files, mode: str, host: str, works: bool):
    secrets = {"crt": text_of(files[0]), "key": text_of(files[1])}
    config = {"ca": text_of(files[0]), "certType": "ssl-crt-key", "verificationMode": mode}
    if works:
        assert await title(files, secrets, host, **config) == "TKT-1"
        return
    with pytest.raises(ConnectorError, match="no TLS connection"):
        await title(files, secrets, host, **config)


async def test_an_unknown_authority_is_refused_unless_nothing_is_checked(files):
    secrets = {"crt": text_of(files[0]), "key": text_of(files[1])}
    with pytest.raises(ConnectorError, match="no TLS connection"):
        await title(files, secrets, certType="ssl-crt-key")
    assert await title(files, secrets, certType="ssl-crt-key", verificationMode="none") == "TKT-1"
