"""The way out: a real proxy in between, and servers whose certificates no system trusts."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from casebridge.connectors.egress import Egress, HostTls, Proxy
from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.connectors.tls import TlsFault
from casebridge.domain.errors import ConnectorError
from tests.connectors.test_http import a_server, answer, certificate, fault_of, resolving

HOSTS = AllowedHosts(["jira.test", "other.test", "127.0.0.1"])


class Relay:
    """A small forward proxy: tunnels for CONNECT, passes on other requests, and notes what it was asked.

    Every name leads to this machine, as only a proxy would know.
    """

    def __init__(self, user: str | None = None, refusal: int | None = None) -> None:
        self.wanted = None if user is None else "Basic " + base64.b64encode(user.encode()).decode()
        self.refusal = refusal
        self.lines: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *headers = head.split("\r\n")
            self.lines.append(line)
            given = {name.lower(): value for name, _, value in (each.partition(": ") for each in headers)}
            status = 407 if self.wanted not in (None, given.get("proxy-authorization")) else self.refusal
            if status is not None:
                writer.write(b"HTTP/1.1 %d No\r\ncontent-length: 0\r\n\r\n" % status)
            else:
                await self._pass_on(line, head, reader, writer)
        writer.close()

    async def _pass_on(self, line: str, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = line.split(" ")
        authority = target if method == "CONNECT" else target.split("/")[2]
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(authority.rpartition(":")[2]))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            path = "/" + target.split("/", 3)[3]
            far_writer.write(head.replace(f" {target} ", f" {path} ", 1).encode())
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while part := await source.read(4096):
                to.write(part)
        to.close()


@asynccontextmanager
async def a_proxy(tls: ssl.SSLContext | None = None, **given: Any) -> AsyncIterator[Relay]:
    relay = Relay(**given)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0, ssl=tls)
    relay.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()


async def unknown(host: str, port: int) -> list[str]:
    raise OSError(f"no such name: {host}")


@pytest.fixture
async def door() -> AsyncIterator[Callable[..., Outbound]]:
    async with AsyncExitStack() as stack:

        def open_door(egress: Egress, hosts: AllowedHosts = HOSTS, **given: Any) -> Outbound:
            outbound = Outbound(hosts, **{"timeout_s": 5.0, "resolve": unknown, "egress": egress, **given})
            stack.push_async_callback(outbound.close)
            return outbound

        yield open_door


def serving_tls(folder: Path, name: str = "jira.test", **more: Any) -> tuple[ssl.SSLContext, Path]:
    """The context of a server with a certificate of its own, and the file that makes it trusted."""
    folder.mkdir(exist_ok=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert, key = certificate(name, folder)
    context.load_cert_chain(cert, key)
    for attribute, value in more.items():
        setattr(context, attribute, value)
    return context, cert


def named(url: str, host: str = "jira.test") -> str:
    return url.replace("127.0.0.1", host)


# The proxy


async def test_plain_calls_are_passed_on_by_the_proxy_which_wants_a_password(door):
    async with a_server(answer()) as seen, a_proxy(user="casebridge:p@ss:word") as relay:
        url = relay.url.replace("://", "://casebridge:p%40ss%3Aword@")
        outbound = door(Egress(proxy=Proxy(url)))
        found = await outbound.call("GET", f"{named(seen.url)}/a?b=c", credentials={"authorization": "Basic x"})

    assert found.status == 200
    assert relay.lines == [f"GET {named(seen.url)}/a?b=c HTTP/1.1"]
    ((method, path, headers),) = seen.requests
    assert (method, path, headers["authorization"]) == ("GET", "/a?b=c", "basic x")


async def test_calls_by_tls_go_through_a_tunnel_and_the_certificate_is_that_of_the_system(door, tmp_path: Path):
    context, cert = serving_tls(tmp_path)
    async with a_server(answer(), tls=context) as seen, a_proxy(user="a:b") as relay:
        egress = Egress(proxy=Proxy(relay.url.replace("://", "://a:b@")), everywhere=HostTls(ca_file=cert))
        outbound = door(egress)
        assert (await outbound.call("POST", named(seen.url), payload={"x": 1})).status == 200
        assert (await outbound.call("GET", named(seen.url))).status == 200
        fault = await fault_of(outbound.call("POST", named(seen.url, "other.test"), payload={}))
        await outbound.reach(named(seen.url))

    port = seen.url.rpartition(":")[2]
    assert relay.lines[0] == f"CONNECT jira.test:{port} HTTP/1.1"
    assert relay.lines.count(f"CONNECT jira.test:{port} HTTP/1.1") == 2
    assert "no TLS connection to other.test could be made" in fault.message
    assert f"through the proxy {relay.url.partition('//')[2]}" in fault.message
    assert (fault.code, fault.unknown) == ("connection", False)
    assert all("proxy-authorization" not in headers for _, _, headers in seen.requests)


async def test_a_proxy_that_is_reached_by_tls_itself_is_checked_too(door, tmp_path: Path):
    context, cert = serving_tls(tmp_path / "jira")
    at_proxy, proxy_cert = serving_tls(tmp_path / "proxy", "proxy.test")
    async with a_server(answer(), tls=context) as seen, a_proxy(tls=at_proxy) as relay:
        known = HostTls(host="127.0.0.1", mode="certificate", ca_file=proxy_cert)
        outbound = door(Egress(proxy=Proxy(relay.url), everywhere=HostTls(ca_file=cert), hosts=[known]))
        assert (await outbound.call("GET", named(seen.url))).status == 200
        await outbound.reach(named(seen.url))
        strict = door(Egress(proxy=Proxy(relay.url), everywhere=HostTls(ca_file=cert)))
        fault = await fault_of(strict.call("POST", named(seen.url), payload={}))

    assert (fault.code, fault.unknown) == ("connection", False)
    assert "no TLS connection" in fault.message


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("status", "permanent"), [(407, True), (403, True), (502, False)])
async def test_what_the_proxy_refuses_was_not_done(door, tmp_path: Path, scheme: str, status: int, permanent: bool):
    context, cert = serving_tls(tmp_path)
    async with a_server(answer(), tls=context if scheme == "https" else None) as seen, a_proxy(refusal=status) as relay:
        proxy = Proxy(relay.url.replace("//", "//u:planted-pw@"))
        outbound = door(Egress(proxy=proxy, everywhere=HostTls(ca_file=cert)))
        if scheme == "http" and status != 407:
            # The answer of a proxy to a plain call cannot be told from that of the system.
            assert (await outbound.call("POST", named(seen.url), payload={})).status == status
            return
        fault = await fault_of(outbound.call("POST", named(seen.url), payload={}))

    assert (fault.code, fault.permanent, fault.unknown) == ("connection", permanent, False)
    assert f"the proxy {relay.url.partition('//')[2]}" in fault.message
    assert "planted-pw" not in str(fault) + repr(outbound)
    assert seen.requests == []


async def test_a_proxy_that_is_away_is_named_and_nothing_was_done(door):
    async with a_proxy() as relay:
        gone = relay.url
    fault = await fault_of(door(Egress(proxy=Proxy(gone))).call("POST", "http://jira.test/", payload={}))
    assert (fault.code, fault.permanent, fault.unknown) == ("connection", False, False)
    assert f"(through the proxy {gone.partition('//')[2]})" in fault.message


async def test_a_connection_lost_behind_the_proxy_leaves_a_write_unknown(door, tmp_path: Path):
    async def hang_up(method: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    context, cert = serving_tls(tmp_path)
    async with a_server(hang_up, tls=context) as seen, a_proxy() as relay:
        outbound = door(Egress(proxy=Proxy(relay.url), everywhere=HostTls(ca_file=cert)))
        fault = await fault_of(outbound.call("POST", named(seen.url), payload={}))
    assert (fault.code, fault.unknown) == ("connection", True)


async def test_hosts_past_the_proxy_are_reached_straight(door):
    async with a_server(answer()) as seen, a_proxy() as relay:
        outbound = door(Egress(proxy=Proxy(relay.url, ["127.0.0.0/8"])))
        assert (await outbound.call("GET", seen.url)).status == 200
    assert relay.lines == []


@pytest.mark.parametrize(
    ("bypass", "host", "is_for"),
    [
        ("jira.test", "jira.test", False),
        ("jira.test", "my.jira.test", True),
        (".jira.test", "my.jira.test", False),
        (".jira.test", "jira.test", False),
        (".jira.test", "nojira.test", True),
        ("*.jira.test", "a.b.jira.test", False),
        ("*", "jira.test", False),
        ("10.0.0.0/8", "10.1.2.3", False),
        ("10.0.0.0/8", "11.1.2.3", True),
        ("10.1.2.3", "10.1.2.3", False),
        ("fd00::/8", "[fd00::1]", False),
    ],
)
def test_what_goes_past_the_proxy(bypass: str, host: str, is_for: bool):
    assert Proxy("http://proxy.test:3128", [bypass]).is_for(host) is is_for


async def test_behind_a_proxy_too_only_allowed_hosts_are_asked_for(door):
    public = AllowedHosts(["*"])
    async with a_proxy() as relay:
        egress = Egress(proxy=Proxy(relay.url))
        inner = await fault_of(door(egress, public).call("GET", "http://10.0.0.5/"))
        disguised = door(egress, public, resolve=resolving(["10.0.0.5"]))
        hidden = await fault_of(disguised.call("GET", "http://public.test/"))
        with pytest.raises(ConnectorError, match="allowed hosts"):
            await disguised.reach("https://public.test/")
    assert inner.code == hidden.code == "configuration"
    assert relay.lines == []


# TLS of hosts


async def test_each_host_has_tls_of_its_own_and_one_with_a_port_goes_first(door, tmp_path: Path):
    context, cert = serving_tls(tmp_path)
    async with a_server(answer(), tls=context) as seen:
        port = int(seen.url.rpartition(":")[2])
        given = {"resolve": resolving(["127.0.0.1"])}
        by_host = door(Egress(hosts=[HostTls(host="jira.test", ca_file=cert)]), **given)
        by_port = door(
            Egress(hosts=[HostTls(host="jira.test"), HostTls(host="jira.test", port=port, ca_file=cert)]), **given
        )
        elsewhere = door(Egress(hosts=[HostTls(host="jira.test", port=port + 1, ca_file=cert)]), **given)
        assert (await by_host.call("GET", named(seen.url))).status == 200
        assert (await by_port.call("GET", named(seen.url))).status == 200
        fault = await fault_of(elsewhere.call("GET", named(seen.url)))
    assert "no TLS connection to jira.test" in fault.message


@pytest.mark.parametrize(
    ("mode", "trusted", "host", "works"),
    [
        ("full", True, "jira.test", True),
        ("full", True, "other.test", False),
        ("certificate", True, "other.test", True),
        ("certificate", False, "jira.test", False),
        ("none", False, "other.test", True),
    ],
)
async def test_how_strictly_a_certificate_is_checked(door, tmp_path: Path, mode, trusted, host, works):
    context, cert = serving_tls(tmp_path)
    async with a_server(answer(), tls=context) as seen:
        tls = HostTls(host=host, mode=mode, ca_file=cert if trusted else None)
        call = door(Egress(hosts=[tls]), resolve=resolving(["127.0.0.1"])).call("GET", named(seen.url, host))
        if works:
            assert (await call).status == 200
        else:
            assert "no TLS connection" in (await fault_of(call)).message


async def test_a_client_certificate_is_shown_to_a_host_that_wants_one(door, tmp_path: Path):
    context, cert = serving_tls(tmp_path, verify_mode=ssl.CERT_REQUIRED)
    context.load_verify_locations(cert)
    key = tmp_path / "key.pem"
    async with a_server(answer(), tls=context) as seen:
        given = {"resolve": resolving(["127.0.0.1"])}
        shown = HostTls(host="jira.test", ca_file=cert, cert_file=cert, key_file=key)
        assert (await door(Egress(hosts=[shown]), **given).call("GET", named(seen.url))).status == 200
        without = door(Egress(hosts=[HostTls(host="jira.test", ca_file=cert)]), **given)
        await fault_of(without.call("GET", named(seen.url)))


async def test_nothing_older_than_tls_1_2_is_spoken(door, tmp_path: Path):
    context, _ = serving_tls(tmp_path)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with a_server(answer(), tls=context) as seen:
        outbound = door(Egress(everywhere=HostTls(mode="none")), resolve=resolving(["127.0.0.1"]))
        fault = await fault_of(outbound.call("GET", named(seen.url)))
    assert "no TLS connection" in fault.message


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path):
    cert, key = certificate("jira.test", tmp_path)
    (tmp_path / "empty.pem").touch()
    with pytest.raises(TlsFault, match=r"missing\.pem"):
        Egress(everywhere=HostTls(ca_file=tmp_path / "missing.pem"))
    with pytest.raises(TlsFault, match=r"empty\.pem"):
        Egress(hosts=[HostTls(host="a", ca_file=tmp_path / "empty.pem")])
    with pytest.raises(TlsFault, match=r"cert\.pem and"):
        Egress(hosts=[HostTls(host="a", cert_file=cert, key_file=tmp_path / "empty.pem", key_password="planted-pw")])
    assert key.exists()
