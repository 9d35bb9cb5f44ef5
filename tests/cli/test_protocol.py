"""What clients may cost before anybody knows who they are: over real connections to a server of this process."""

from __future__ import annotations

import asyncio
import pickle
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from casebridge.cli import https as https_module
from casebridge.cli.https import Https, https_of
from casebridge.cli.protocol import Bounds, Protocols
from casebridge.settings import Settings, SettingsError

SLOW_S = 0.4
HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, a little late where it is asked to, and answers with its length or with very much."""
    if scope["path"] == "/late":
        await asyncio.sleep(SLOW_S * 3)
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    text = b"x" * 30_000_000 if scope["path"] == "/much" else b"%d" % length
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


@asynccontextmanager
async def serving(https: Https | None = None, **bounds: Any) -> AsyncIterator[tuple[int, Protocols]]:
    protocols = Protocols(Bounds(**{"slow_s": SLOW_S, **bounds}))
    config = uvicorn.Config(
        app, port=0, http=protocols, ssl_context_factory=https, lifespan="off", log_config=None, ws="none"
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1], protocols
    finally:
        server.should_exit = server.force_exit = True
        await running


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def trickle(writer: asyncio.StreamWriter, parts: bytes) -> None:
    """A byte every little while, as long as anybody listens."""
    with suppress(OSError):
        for each in parts:
            writer.write(bytes([each]))
            await writer.drain()
            await asyncio.sleep(SLOW_S / 8)


async def the_rest(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(20):
        with suppress(ConnectionError):
            return await reader.read()
    return b""


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nx-a: ", b"\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(sent: bytes):
    async with serving() as (port, protocols), connected(port) as (reader, writer):
        began = time.monotonic()
        writer.write(sent)
        answer = await the_rest(reader)
        assert time.monotonic() - began < 15
    assert answer.startswith(b"HTTP/1.1 408 ") or (not sent and not answer)
    assert not protocols.open


async def test_a_head_that_trickles_in_is_not_waited_for():
    async with serving() as (port, _), connected(port) as (reader, writer):
        sending = asyncio.create_task(trickle(writer, b"GET / HTTP/1.1\r\nx-a: " + b"a" * 300))
        answer = await the_rest(reader)
        sending.cancel()
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_the_second_head_of_a_connection_is_not_waited_for_either():
    async with serving() as (port, _), connected(port) as (reader, writer):
        writer.write(HEAD)
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")
        sending = asyncio.create_task(trickle(writer, b"\r\n" * 300))
        assert b"408" in (await the_rest(reader))[:20]
        sending.cancel()


@pytest.mark.parametrize("is_trickling", [False, True])
async def test_a_body_that_does_not_get_on_is_not_waited_for(is_trickling: bool):
    async with serving() as (port, _), connected(port) as (reader, writer):
        writer.write(POST)
        sending = asyncio.create_task(trickle(writer, b"a" * 300 if is_trickling else b""))
        answer = await the_rest(reader)
        sending.cancel()
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_gets_on_may_take_long():
    piece = b"a" * int(SLOW_S * 1_000)
    async with serving() as (port, _), connected(port) as (reader, writer):
        writer.write(
            b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % (len(piece) * 16)
        )
        for _ in range(16):
            writer.write(piece)
            await asyncio.sleep(SLOW_S / 4)
        answer = await the_rest(reader)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"%d" % (len(piece) * 16))


async def test_a_body_that_we_do_not_read_is_not_held_against_the_client():
    body = b"a" * 2_000_000
    async with serving() as (port, _), httpx2.AsyncClient() as client:
        answer = await client.post(f"http://127.0.0.1:{port}/late", content=body, timeout=20)
    assert (answer.status_code, answer.text) == (200, "2000000")


async def test_a_request_that_takes_us_long_is_not_held_against_the_client():
    async with serving() as (port, _), httpx2.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/late", timeout=20)).status_code == 200


async def test_an_answer_that_nobody_takes_is_dropped():
    async with serving() as (port, protocols), connected(port) as (_, writer):
        writer.write(HEAD.replace(b"/ ", b"/much ", 1))
        await asyncio.sleep(SLOW_S / 2)
        assert protocols.open
        async with asyncio.timeout(20):
            while protocols.open:
                await asyncio.sleep(0.05)


async def test_connections_of_one_address_are_bounded_and_let_go():
    async with serving(connections_per_address=3) as (port, protocols):
        async with connected(port), connected(port), connected(port):
            await asyncio.sleep(0.1)
            async with connected(port) as (reader, _):
                answer = await the_rest(reader)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after" in answer
        async with asyncio.timeout(20):
            while protocols.open:
                await asyncio.sleep(0.02)
        async with connected(port) as (reader, writer):
            writer.write(HEAD)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


async def test_connections_of_a_trusted_proxy_are_bounded_only_in_all():
    given = {"connections": 3, "connections_per_address": 1, "trusted_proxies": ("127.0.0.0/8",)}
    async with serving(**given) as (port, _), connected(port), connected(port), connected(port):
        await asyncio.sleep(0.1)
        async with connected(port) as (reader, _):
            assert (await the_rest(reader)).startswith(b"HTTP/1.1 503 ")


def test_protocols_can_be_sent_to_another_process():
    sent = Protocols(Bounds(connections=7))
    assert pickle.loads(pickle.dumps(sent)).bounds == Bounds(connections=7)


# HTTPS


class Pair:
    """A certificate for this machine and its key, each in a file."""

    def __init__(self, folder: Path, name: str) -> None:
        self.cert, self.key = folder / "our.crt", folder / "our.key"
        self.write(name)

    def write(self, name: str, password: bytes | None = None) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        self.cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed))

    def https(self, **given: Any) -> Https:
        settings = Settings(https_cert_file=self.cert, https_key_file=self.key, **given)
        made = https_of(settings)
        assert made is not None
        return made


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, "first")


def trusting(cert: Path | None = None, *, most: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if cert is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context.load_verify_locations(cert)
    if most is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = most
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


async def name_of(port: int, context: ssl.SSLContext) -> str:
    """The name in the certificate that is shown to a connection."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return str(x509.load_der_x509_certificate(shown).subject.rfc4514_string())


async def test_https_is_spoken_and_the_application_knows(pair: Pair):
    async with serving(pair.https()) as (port, _):
        async with httpx2.AsyncClient(verify=trusting(pair.cert)) as client:
            answer = await client.get(f"https://localhost:{port}/")
        with pytest.raises(httpx2.TransportError):
            await httpx2.AsyncClient().get(f"http://localhost:{port}/")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("least", "most", "works"),
    [
        ("1.2", ssl.TLSVersion.TLSv1_1, False),
        ("1.2", ssl.TLSVersion.TLSv1_2, True),
        ("1.3", ssl.TLSVersion.TLSv1_2, False),
        ("1.3", ssl.TLSVersion.TLSv1_3, True),
    ],
)
async def test_nothing_older_than_the_setting_is_spoken(pair: Pair, least: str, most: ssl.TLSVersion, works: bool):
    async with serving(pair.https(https_min_version=least)) as (port, _):
        if works:
            assert await name_of(port, trusting(most=most)) == "CN=first"
        else:
            with pytest.raises(OSError):
                await name_of(port, trusting(most=most))


async def test_a_renewed_certificate_is_used_without_a_restart(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(https_module, "LOOK_EVERY_S", 0.0)
    async with serving(pair.https()) as (port, _):
        before = await name_of(port, trusting())
        pair.write("second")
        after = await name_of(port, trusting())
        pair.cert.write_text("half written")
        still = await name_of(port, trusting())
    assert (before, after, still) == ("CN=first", "CN=second", "CN=second")


def _other_key(pair: Pair) -> None:
    cert = pair.cert.read_bytes()
    pair.write("other")
    pair.cert.write_bytes(cert)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_other_key, "belongs to another certificate"),
        (lambda pair: pair.key.unlink(), "No such file"),
        (lambda pair: pair.cert.write_text("x"), "PEM"),
        (lambda pair: pair.write("sealed", b"hunter2"), "another password"),
    ],
)
def test_files_that_cannot_be_used_are_one_line(pair: Pair, spoil: Callable[[Pair], None], why: str):
    spoil(pair)
    with pytest.raises(SettingsError, match=why) as refused:
        pair.https(https_key_password="hunter3")
    assert "hunter" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_sealed_key_is_opened_by_its_password(pair: Pair):
    pair.write("sealed", b"hunter2")
    made = pair.https(https_key_password="hunter2")
    assert "hunter2" not in repr(made)
