"""Where a request comes from, behind proxies and behind liars."""

from __future__ import annotations

import pytest

from casebridge.security.proxies import Origin, Proxies

OURS = Proxies(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"])


def headers(*forwarded_for: str, proto: str | None = None) -> list[tuple[bytes, bytes]]:
    named = [(b"x-forwarded-for", each.encode()) for each in forwarded_for]
    return named + ([] if proto is None else [(b"x-forwarded-proto", proto.encode())])


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("127.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("10.1.2.3", ["192.0.2.7, 10.9.9.9"], "192.0.2.7"),
        ("10.1.2.3", ["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
        ("10.1.2.3", ["6.6.6.6", "192.0.2.7"], "192.0.2.7"),
        ("10.1.2.3", ["192.0.2.7:4711"], "192.0.2.7"),
        ("2001:db8::1", ["[2001:4860::9]:443"], "2001:4860::9"),
        ("::ffff:127.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        ("127.0.0.1", ["192.0.2.7, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.7\r\nx: y"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("192.0.2.1", ["192.0.2.7"], "192.0.2.1"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy_of_ours(
    peer: str, forwarded_for: list[str], client: str
):
    assert OURS.origin(peer, headers(*forwarded_for)).address == client


@pytest.mark.parametrize(
    ("peer", "proto", "scheme"),
    [
        ("127.0.0.1", "https", "https"),
        ("127.0.0.1", "HTTP", "http"),
        ("127.0.0.1", "http, https", "https"),
        ("127.0.0.1", "gopher", None),
        ("127.0.0.1", None, None),
        ("192.0.2.1", "https", None),
    ],
)
def test_the_scheme_is_what_the_nearest_proxy_says(peer: str, proto: str | None, scheme: str | None):
    assert OURS.origin(peer, headers(proto=proto)) == Origin(peer, scheme)


def test_without_proxies_nobody_is_believed():
    assert Proxies().origin("127.0.0.1", headers("192.0.2.7", proto="https")) == Origin("127.0.0.1", None)
