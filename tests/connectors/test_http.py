"""The outbound door, with real sockets where sockets matter."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpcore2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from casebridge.connectors.egress import Egress, HostTls
from casebridge.connectors.hosts import GuardedBackend, HostRefused, is_public, tls_context
from casebridge.connectors.http import AllowedHosts, Answer, CallLog, Effect, Memory, Outbound, retry_after_s
from casebridge.domain.errors import ConnectorError

LOCAL = AllowedHosts(["127.0.0.1", "localhost"])
JSON = b"content-type: application/json\r\n"
Reply = Callable[[str, str, dict[str, str], asyncio.StreamWriter], Awaitable[None]]


def answer(status: int = 200, body: bytes = b"{}", headers: bytes = JSON) -> bytes:
    return b"HTTP/1.1 %d X\r\n%scontent-length: %d\r\n\r\n%s" % (status, headers, len(body), body)


class Seen:
    """A small HTTP server that answers as a test says and notes what it was asked."""

    def __init__(self, reply: Reply | bytes) -> None:
        self.reply = reply
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = dict(each.lower().split(": ", 1) for each in head[1:] if each)
                await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append((method, path, headers))
                if isinstance(self.reply, bytes):
                    writer.write(self.reply)
                else:
                    await self.reply(method, path, headers, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def a_server(reply: Reply | bytes = b"", tls: ssl.SSLContext | None = None) -> AsyncIterator[Seen]:
    seen = Seen(reply or answer())
    server = await asyncio.start_server(seen.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    seen.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
    try:
        yield seen
    finally:
        server.close()


@pytest.fixture
async def door() -> AsyncIterator[Callable[..., Outbound]]:
    """Makes an Outbound that is closed at the end."""
    async with AsyncExitStack() as stack:

        def make(allowed: AllowedHosts = LOCAL, **given: Any) -> Outbound:
            outbound = Outbound(allowed, **{"timeout_s": 5.0, **given})
            stack.push_async_callback(outbound.close)
            return outbound

        yield make


def resolving(*rounds: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    """A resolver that gives these addresses, one list after the other, the last for ever."""
    left = list(rounds)

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


async def fault_of(call: Awaitable[Answer]) -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        await call
    return raised.value


# Allowed hosts when something is saved


@pytest.mark.parametrize(
    ("hosts", "url"),
    [
        (["*"], "https://jira.example.org/x"),
        (["jira.example.org"], "http://JIRA.example.org:8080/x"),
        (["Jira.Example.org"], "https://jira.example.org"),
        (["bücher.example"], "https://xn--bcher-kva.example/"),
        (["*"], "https://93.184.216.34/"),
        (["*", "localhost"], "http://localhost:8080"),
        (["127.0.0.1"], "http://127.0.0.1:8080"),
        (["::1"], "http://[0:0::1]:8080"),
        (["[::1]"], "http://[::1]/"),
    ],
)
def test_a_url_passes_by_its_host_or_by_the_star(hosts: list[str], url: str):
    assert AllowedHosts(hosts).refusal(url) is None


@pytest.mark.parametrize(
    ("hosts", "url"),
    [
        ([], "https://jira.example.org"),
        (["example.org"], "https://jira.example.org"),
        (["jira.example.org"], "https://jira.example.org.evil.test"),
        (["jira.example.org"], "https://jira.example.org@evil.test/"),
        (["*"], "http://127.0.0.1:8080"),
        (["*"], "http://127.1/"),
        (["*"], "http://0x7f000001/"),
        (["*"], "http://2130706433/"),
        (["*"], "http://10.0.0.1/"),
        (["*"], "http://169.254.169.254/latest"),
        (["*"], "http://[::1]/"),
        (["*"], "http://[::ffff:127.0.0.1]/"),
        (["*"], "http://[fe80::1]/"),
        (["*"], "http://0.0.0.0/"),
        (["*"], "ftp://jira.example.org"),
        (["*"], "jira.example.org"),
        (["*"], "https://"),
        (["*"], "https:///x"),
        (["*"], "not a url"),
        (["*"], "https://a b/"),
        (["*"], "http://[::1"),
        (["*"], "https://x:99999999/"),
    ],
)
def test_any_other_url_is_refused_by_name(hosts: list[str], url: str):
    reason = AllowedHosts(hosts).refusal(url)
    assert reason is not None
    assert url in reason
    assert "not in the allowed hosts" in reason


def test_a_password_in_a_url_is_not_repeated():
    reason = AllowedHosts([]).refusal("https://ann:pa@ss@jira.example.org/")
    assert reason is not None
    assert "ss" not in reason.split("[redacted]")[1].partition("@")[0]
    assert "pa@" not in reason


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("100.64.0.1", False),
        ("192.168.1.1", False),
        ("172.16.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("fd00::1", False),
        ("::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::7f00:1", False),
        ("fec0::1", False),
        ("::7f00:1", False),
        ("192.0.0.192", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_only_addresses_of_the_public_internet_are_public(address: str, expected: bool):
    assert is_public(ipaddress.ip_address(address)) is expected


# Allowed hosts when a connection is made


async def test_a_name_that_stands_for_a_private_address_is_not_called(door):
    async with a_server() as seen:
        outbound = door(AllowedHosts(["*"]), resolve=resolving(["127.0.0.1"]))
        fault = await fault_of(outbound.call("POST", seen.url.replace("127.0.0.1", "rebind.test"), payload={}))
        assert "rebind.test is not in the allowed hosts" in fault.message
        assert (fault.code, fault.permanent, fault.unknown) == ("configuration", True, False)
        assert seen.connections == 0


async def test_one_private_address_among_public_ones_spoils_the_name(door):
    async with a_server() as seen:
        outbound = door(AllowedHosts(["*"]), resolve=resolving(["93.184.216.34", "127.0.0.1"]))
        fault = await fault_of(outbound.call("GET", seen.url.replace("127.0.0.1", "rebind.test")))
        assert fault.code == "configuration"
        assert seen.connections == 0


async def test_a_name_is_resolved_once_and_the_checked_address_is_called(door):
    async with a_server() as seen:
        asked: list[str] = []

        async def resolve(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"]

        outbound = door(AllowedHosts(["jira.test"]), resolve=resolve)
        await outbound.call("GET", seen.url.replace("127.0.0.1", "jira.test"))
        assert asked == ["jira.test"]
        assert seen.requests[0][2]["host"].startswith("jira.test:")


class Dialled(httpcore2.AsyncNetworkBackend):
    """Notes where connections would go, and makes none."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore2.AsyncNetworkStream:
        self.addresses.append(host)
        return httpcore2.AsyncNetworkStream()


async def test_a_name_that_changes_its_address_is_checked_at_every_connection():
    dialled = Dialled()
    backend = GuardedBackend(AllowedHosts(["*"]), resolving(["93.184.216.34"], ["127.0.0.1"]), dialled)
    await backend.connect_tcp("rebind.test", 80)
    with pytest.raises(HostRefused, match=r"rebind\.test is not in the allowed hosts: it stands for 127\.0\.0\.1"):
        await backend.connect_tcp("rebind.test", 80)
    assert dialled.addresses == ["93.184.216.34"]


async def test_the_next_address_is_tried_when_one_refuses(door):
    async with a_server() as seen:
        outbound = door(AllowedHosts(["jira.test"]), resolve=resolving(["127.0.0.2", "127.0.0.1"]))
        assert (await outbound.call("GET", seen.url.replace("127.0.0.1", "jira.test"))).status == 200


async def test_a_host_that_is_not_named_is_not_even_resolved(door):
    async def resolve(host: str, port: int) -> list[str]:
        raise AssertionError("asked for a name that is not allowed")

    fault = await fault_of(door(AllowedHosts(["a.test"]), resolve=resolve).call("GET", "https://b.test"))
    assert "https://b.test" in fault.message


async def test_a_name_without_an_address_is_a_passing_fault_that_did_nothing(door):
    async def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    fault = await fault_of(door(AllowedHosts(["*"]), resolve=resolve).call("POST", "https://no.test", payload={}))
    assert "no.test could not be resolved" in fault.message
    assert (fault.code, fault.permanent, fault.unknown) == ("connection", False, False)


# TLS


def certificate(name: str, folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for a name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def tls_server_context(tmp_path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate("jira.test", tmp_path))
    return context


async def test_the_certificate_is_checked_against_the_name_and_not_the_address(
    door, tls_server_context, tmp_path: Path
):
    trust = Egress(everywhere=HostTls(ca_file=tmp_path / "cert.pem"))
    hosts = AllowedHosts(["jira.test", "other.test"])
    async with a_server(tls=tls_server_context) as seen:
        outbound = door(hosts, resolve=resolving(["127.0.0.1"]), egress=trust)
        assert (await outbound.call("GET", seen.url.replace("127.0.0.1", "jira.test"))).status == 200
        fault = await fault_of(outbound.call("POST", seen.url.replace("127.0.0.1", "other.test"), payload={}))
    assert "no TLS connection to other.test" in fault.message
    assert (fault.code, fault.unknown) == ("connection", False)


async def test_an_unknown_certificate_means_that_nothing_was_done(door, tls_server_context):
    async with a_server(tls=tls_server_context) as seen:
        outbound = door(AllowedHosts(["jira.test"]), resolve=resolving(["127.0.0.1"]))
        fault = await fault_of(outbound.call("POST", seen.url.replace("127.0.0.1", "jira.test"), payload={}))
        assert "self" in fault.message
        assert not fault.unknown
        assert seen.requests == []


def test_nothing_below_tls_1_2_is_spoken():
    assert tls_context().minimum_version >= ssl.TLSVersion.TLSv1_2
    assert tls_context().verify_mode is ssl.CERT_REQUIRED


# Limits and broken connections


async def hang(method: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def drip(method: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    """Never silent for long, and never done."""
    writer.write(b"HTTP/1.1 200 OK\r\n%scontent-length: 1000\r\n\r\n" % JSON)
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("reply", [hang, drip])
async def test_the_time_limit_is_for_the_whole_answer(door, reply: Reply):
    async with a_server(reply) as seen:
        outbound = door(timeout_s=0.2)
        started = asyncio.get_running_loop().time()
        fault = await fault_of(outbound.call("POST", seen.url, payload={}))
        assert asyncio.get_running_loop().time() - started < 1.5
        assert "timed out after 0.2 s" in fault.message
        assert (fault.code, fault.unknown, fault.permanent) == ("timeout", True, False)
        assert not (await fault_of(outbound.call("GET", seen.url))).unknown


async def test_a_time_out_before_anything_left_means_that_nothing_was_done(door):
    async def never(host: str, port: int) -> list[str]:
        await asyncio.sleep(30)
        return []

    outbound = door(AllowedHosts(["*"]), resolve=never, timeout_s=0.1)
    fault = await fault_of(outbound.call("POST", "https://slow.test", payload={}))
    assert "timed out" in fault.message
    assert not fault.unknown


async def test_a_refused_connection_means_that_nothing_was_done(door):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    fault = await fault_of(door().call("POST", url, payload={}))
    assert (fault.code, fault.unknown, fault.permanent) == ("connection", False, False)
    assert "no connection to 127.0.0.1" in fault.message


async def slam(method: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def half(method: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    writer.write(answer(body=b'{"a": 1}')[:-3])
    await writer.drain()
    writer.transport.close()


async def babble(method: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")


@pytest.mark.parametrize("reply", [slam, half, babble])
async def test_a_connection_that_breaks_after_sending_leaves_a_write_unknown(door, reply: Reply):
    async with a_server(reply) as seen:
        outbound = door()
        for effect in (Effect.ADDS, Effect.OVERWRITES):
            fault = await fault_of(outbound.call("POST", seen.url, payload={}, effect=effect))
            assert (fault.code, fault.unknown) == ("connection", True)
        assert not (await fault_of(outbound.call("POST", seen.url, payload={}, effect=Effect.READS))).unknown


async def test_an_answer_that_grows_too_large_is_given_up_packed_or_not(door):
    large = b'"%s"' % (b"x" * 300_000)
    packed = answer(body=gzip.compress(large), headers=JSON + b"content-encoding: gzip\r\n")
    for reply in (answer(body=large), packed):
        async with a_server(reply) as seen:
            fault = await fault_of(door(answer_bytes=200_000).call("POST", seen.url, payload={}))
            assert "larger than 200000 bytes" in fault.message
            assert fault.unknown
            assert (await door(answer_bytes=400_000).call("GET", seen.url)).value == "x" * 300_000


# What a 2xx has to bring


@pytest.mark.parametrize("kind", ["application/json", "application/json;charset=UTF-8", "application/hal+json"])
async def test_json_is_recognised_by_its_type(door, kind: str):
    async with a_server(answer(headers=f"content-type: {kind}\r\n".encode())) as seen:
        assert (await door().call("GET", seen.url)).value == {}


async def test_a_2xx_that_is_no_json_fails_unless_it_is_empty_and_nothing_is_needed(door):
    page = answer(body=b"<html>words</html>", headers=b"content-type: text/html\r\n")
    async with a_server(page) as seen:
        fault = await fault_of(door().call("PUT", seen.url, payload={}, needs_body=False, effect=Effect.OVERWRITES))
        assert "text/html" in fault.message
        assert "words" not in fault.message
        assert (fault.code, fault.unknown, fault.status) == ("bad_answer", False, 200)
    async with a_server(b"HTTP/1.1 204 No Content\r\n\r\n") as seen:
        assert (await door().call("PUT", seen.url, payload={}, needs_body=False)).status == 204
        assert (await fault_of(door().call("POST", seen.url, payload={}))).unknown


async def test_an_error_status_is_an_answer_whatever_its_body(door):
    async with a_server(answer(500, b"<html>", b"content-type: text/html\r\n")) as seen:
        got = await door().call("POST", seen.url, payload={})
        assert (got.status, got.value) == (500, None)
        assert repr(got) == "<Answer 500 of 127.0.0.1>"


# Redirects


def redirecting(target: str, status: int = 302) -> Reply:
    """Everything but /done is sent to `target`."""

    async def reply(method: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        if path.startswith("/done"):
            writer.write(answer())
        else:
            writer.write(answer(status, b"", f"location: {target}\r\n".encode()))

    return reply


SECRET = {"authorization": "Basic c2VjcmV0"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_read_follows_a_redirect_and_keeps_its_credentials_on_the_same_host(door, status: int):
    async with a_server(redirecting("/done?x=1", status)) as seen:
        log = CallLog()
        await door().view(log).call("GET", f"{seen.url}/a?token=1", credentials=SECRET)
        assert [path for _, path, _ in seen.requests] == ["/a?token=1", "/done?x=1"]
        assert all(headers["authorization"] for _, _, headers in seen.requests)
        assert [(call.url, call.status) for call in log.calls] == [
            (f"{seen.url}/a", status),
            (f"{seen.url}/done", 200),
        ]


async def test_credentials_do_not_follow_to_another_host_or_port(door):
    async with a_server() as second:
        for host in ("127.0.0.1", "localhost"):
            target = second.url.replace("127.0.0.1", host) + "/done"
            async with a_server(redirecting(target)) as first:
                outbound = door(resolve=resolving(["127.0.0.1"]))
                await outbound.call("GET", first.url, credentials=SECRET, headers={"x-plain": "1"})
                headers = second.requests[-1][2]
                assert "authorization" not in headers
                assert headers["x-plain"] == "1"


async def test_a_redirect_must_lead_to_an_allowed_host(door):
    for target in ("http://169.254.169.254/latest", "http://evil.test/", "file:///etc/passwd", "http://[::1"):
        async with a_server(redirecting(target)) as seen:
            fault = await fault_of(door().call("GET", seen.url))
            assert fault.permanent
            assert len(seen.requests) == 1


async def test_a_redirect_to_a_name_of_a_private_address_is_not_followed(door):
    async with a_server() as inner, a_server(redirecting(inner.url.replace("127.0.0.1", "inner.test"))) as seen:
        outbound = door(AllowedHosts(["*", "127.0.0.1"]), resolve=resolving(["127.0.0.1"]))
        assert "inner.test" in (await fault_of(outbound.call("GET", seen.url))).message
        assert inner.connections == 0


async def test_redirects_end_after_five(door):
    async with a_server(redirecting("/again")) as seen:
        fault = await fault_of(door().call("GET", seen.url))
        assert "redirected more than 5 times" in fault.message
        assert len(seen.requests) == 6


async def test_all_hops_share_one_time_limit(door):
    async def slowly(method: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(answer(302, b"", b"location: /again\r\n"))

    async with a_server(slowly) as seen:
        assert "timed out" in (await fault_of(door(timeout_s=0.4).call("GET", seen.url))).message


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_write_is_not_redirected(door, method: str):
    async with a_server(redirecting("/done?token=1", 308)) as seen:
        fault = await fault_of(door().call(method, seen.url, payload={}, credentials=SECRET))
        assert "/done" in fault.message
        assert "token" not in fault.message
        assert (fault.permanent, fault.unknown, len(seen.requests)) == (True, False, 1)


# Views, logs, memory


async def test_a_hook_is_awaited_before_each_request_and_may_stop_it(door):
    class Stop(Exception):
        pass

    asked = 0

    async def before() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise Stop

    async with a_server(redirecting("/done")) as seen:
        log = CallLog()
        view = door().view(log, before)
        await view.call("GET", seen.url)
        with pytest.raises(Stop):
            await view.call("POST", seen.url, payload={})
        assert len(seen.requests) == len(log.calls) == 2


async def test_time_spent_in_the_hook_is_not_taken_from_the_call(door):
    async def slow() -> None:
        await asyncio.sleep(0.3)

    async with a_server() as seen:
        assert (await door(timeout_s=0.2).view(None, slow).call("GET", seen.url)).status == 200


async def test_a_view_has_its_own_log_and_shares_connections_and_memory(door):
    async with a_server() as seen:
        outbound, first, second = door(), CallLog(), CallLog()
        await outbound.recording(first).call("GET", seen.url)
        await outbound.recording(second).call("GET", seen.url)
        await outbound.call("GET", seen.url)
        assert len(first.calls) == len(second.calls) == 1
        assert seen.connections == 1
        assert outbound.view().memory is outbound.memory


async def test_a_failed_call_is_noted_without_a_status(door):
    async with a_server(slam) as seen:
        log = CallLog()
        await fault_of(door().view(log).call("POST", f"{seen.url}/a?b=c#d", payload={}))
        (call,) = log.calls
        assert (call.method, call.url, call.status) == ("POST", f"{seen.url}/a", None)
        assert call.duration_ms >= 0


async def test_cookies_of_one_call_are_not_sent_with_another(door):
    async with a_server(answer(headers=JSON + b"set-cookie: session=1; path=/\r\n")) as seen:
        outbound = door()
        await outbound.call("GET", seen.url)
        await outbound.call("GET", seen.url)
        assert "cookie" not in seen.requests[1][2]


async def test_neither_logs_nor_messages_hold_headers_bodies_or_queries(door, caplog, capsys):
    caplog.set_level("DEBUG")
    reply = answer(headers=JSON + b"x-answer: planted-answer\r\n")
    async with a_server(reply) as seen:
        outbound = door()
        headers = {"x-plain": "planted-plain"}
        url = f"{seen.url}/?q=planted-query"
        await outbound.call("POST", url, payload="planted-body", headers=headers, credentials=SECRET)
        bad = {"authorization": "Bearer planted\r\nx: y"}
        fault = await fault_of(outbound.call("GET", url, credentials=bad))
    assert (fault.code, fault.permanent, fault.unknown) == ("configuration", True, False)
    written = caplog.text + "".join(capsys.readouterr()) + fault.message + repr(outbound)
    assert "outbound call" in written
    assert "planted" not in written
    assert "c2VjcmV0" not in written


async def test_proxies_of_the_environment_are_not_used(door, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with a_server() as seen:
        assert (await door().call("GET", seen.url)).status == 200


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("17", 17.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("Sat, 04 Mar 2028 05:06:17 GMT", 10.0),
        ("Sat, 04 Mar 2028 05:00:00 GMT", 0.0),
        ("99999999999999", 604_800.0),
        ("soon", None),
        ("-3", None),
        ("nan", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(given: str, expected: float | None):
    now = datetime(2028, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert retry_after_s({"retry-after": given}, now) == expected


def test_memory_forgets_after_a_while():
    clock = [0.0]
    memory = Memory(lambda: clock[0])
    memory.put("a", 1, 10)
    assert memory.get("a") == 1
    clock[0] = 10.5
    assert memory.get("a") is None
    memory.put("a", 1, 10)
    memory.forget("a")
    assert memory.get("a") is None
