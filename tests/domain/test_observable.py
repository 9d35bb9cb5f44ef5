"""Observables: what each type takes as a value, and the rules of a case's list."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest

from casebridge.domain.errors import InvalidInput, LimitExceeded, NotFound
from casebridge.domain.observable import (
    BUILT_IN_TYPES,
    Observable,
    added,
    check_value,
    edited,
    observables_activity,
    removed,
    shared,
    usable,
)

NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)
IPV4, DOMAIN, HOST = "observable-type-ipv4", "observable-type-domain", "observable-type-hostname"


def an_observable(value: str = "10.0.0.8", type_key: str = IPV4, id_: str = "o1") -> Observable:
    return Observable(id_, type_key, value, None, created_at=NOON)


VALID = {
    "observable-type-ipv4": ["10.0.0.8", "0.0.0.0", "255.255.255.255"],
    "observable-type-ipv6": ["::", "::1", "2001:db8::1", "2001:DB8:0:0:0:0:0:1", "::ffff:10.0.0.8", "fe80::1%eth0"],
    "observable-type-url": [
        "https://example.org",
        "HTTP://Example.org:8080/a b?c#d",
        "http://user:secret@example.org/",
        "http://[2001:db8::1]:80/",
        "http://10.0.0.8/x",
        "http://0x7f.1/",
        "http://bücher.example/",
        "ftp://example.org",
        "mailto:dana@example.org",
        "urn:isbn:1",
        "foo://",
        "foo://host/path",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "  https://example.org  ",
    ],
    "observable-type-hostname": ["web-1", "web_1.example.org", "a"],
    "observable-type-file-hash": ["d41d8cd98f00b204e9800998ecf8427e"],
    "observable-type-file-path": ["/etc/passwd", "C:\\Windows\\cmd.exe", "a-b"],
    "observable-type-email": [
        "dana@example.org",
        "dana@localhost",
        "dana@example.org, omar@example.org",
        "Dana Lee <dana@example.org>",
        '"Lee, Dana" <dana.lee+x@example.org>, omar@example.org',
        '"quoted local"@example.org',
        "dana@[192.0.2.1]",
        "dana@example.org (night (deep) shift)",
        "Watch: dana@example.org, Omar <omar@example.org>;",
        "dána@example.org",
    ],
    "observable-type-domain": [
        "example.org",
        "example.org.",
        "Mail.Example.ORG",
        "a-b.c1.example",
        "1.example",
        f"{'a' * 63}.org",
        f"{'a.' * 125}org",
        f"a.{'b' * 63}",
    ],
    "bank-account": ["DE-1.2_3/4:5\\6"],
}
INVALID = {
    "observable-type-ipv4": [
        "",
        "a",
        "10.8",
        "256.0.0.1",
        "1.2.3.4.5",
        "::1",
        "10.0.0.8 ",
        "10.0.0.8\n",
        "10.0.0.8/24",
        "010.0.0.8",
        "0x7f.0.0.1",
        "١.0.0.1",
    ],
    "observable-type-ipv6": [
        "",
        "10.0.0.8",
        ":::",
        "2001:db8::1::2",
        "12345::",
        "::1/64",
        "fe80::1%",
        "::1%a b",
        " ::1",
    ],
    "observable-type-url": [
        "",
        "example.org",
        "//example.org",
        "/path",
        "1http://example.org",
        "http://",
        "http:///",
        "http://?q",
        "https://exa mple.org",
        "http://exa<mple.org",
        "http://example.org:99999",
        "http://example.org:port",
        "http://user@/x",
        "http://:80",
        "foo://:80",
        "http://[::1",
        "http://[10.0.0.8]",
        "http://1.2.3.999/",
        "http://1.2.3.4.5/",
        "http://08.1/",
        "http://a%00b/",
    ],
    "observable-type-hostname": ["", "a b", "a,b", "ü", " a", "a\n"],
    "observable-type-file-hash": ["", "not a hash"],
    "observable-type-file-path": ["", "C:\\Program Files", "~/x"],
    "observable-type-email": [
        "",
        "dana",
        "dana@",
        "@example.org",
        "dana lee@example.org",
        "dana@example..org",
        ".dana@example.org",
        "dana@example.org,",
        "dana@example.org omar@example.org",
        "Dana <dana@example.org",
        "dana@example.org (open",
        '"open@example.org',
        "dana@exam\x00ple.org",
        "Nobody:;",
        "(only a comment)",
    ],
    "observable-type-domain": [
        "",
        ".",
        "example",
        "example.",
        "example..org",
        ".example.org",
        "example.org..",
        "example.o",
        "example.123",
        "-example.org",
        "example-.org",
        "exa--mple.org",
        "xn--bcher-kva.example",
        "exa_mple.org",
        "bücher.example",
        f"{'a' * 64}.org",
        f"{'a.' * 125}orgs",
        f"a.{'b' * 64}",
        "example.org\n",
    ],
    "bank-account": ["", "DE 1", "ä"],
}


@pytest.mark.parametrize(("type_key", "value"), [(key, value) for key, values in VALID.items() for value in values])
def test_a_type_takes_what_reads_as_one(type_key: str, value: str) -> None:
    check_value(type_key, value)


@pytest.mark.parametrize(("type_key", "value"), [(key, value) for key, values in INVALID.items() for value in values])
def test_a_type_refuses_all_else(type_key: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_value(type_key, value)
    assert refused.value.field == "observable.value"


@pytest.mark.parametrize("value", ["a" * 200_000, "a@" * 100_000, "a," * 100_000, "(" * 100_000, "a.b" * 50_000])
@pytest.mark.parametrize("type_key", BUILT_IN_TYPES)
def test_a_huge_value_is_judged_at_once(type_key: str, value: str) -> None:
    began = datetime.now(UTC)
    with suppress(InvalidInput):
        check_value(type_key, value)
    assert (datetime.now(UTC) - began).total_seconds() < 1


def test_a_new_observable_is_the_last() -> None:
    first, second = an_observable(), an_observable("10.0.0.9", id_="o2")
    assert added((first,), second, BUILT_IN_TYPES) == (first, second)


def test_an_unknown_type_is_refused_before_the_value() -> None:
    with pytest.raises(InvalidInput) as refused:
        added((), an_observable("", "bank-account"), BUILT_IN_TYPES)
    assert refused.value.field == "observable.typeKey"


def test_a_configured_type_is_taken() -> None:
    assert added((), an_observable("DE-1", "bank-account"), {"bank-account": "Bank account"})


def test_the_same_type_and_value_is_refused() -> None:
    with pytest.raises(InvalidInput):
        added((an_observable(),), an_observable(id_="o2"), BUILT_IN_TYPES)


def test_values_that_differ_in_letter_case_or_type_are_different() -> None:
    kept = (an_observable("example.org", DOMAIN),)
    assert len(added(kept, an_observable("Example.org", DOMAIN, "o2"), BUILT_IN_TYPES)) == 2
    assert len(added(kept, an_observable("example.org", HOST, "o2"), BUILT_IN_TYPES)) == 2


def test_the_fiftieth_is_the_last_that_fits() -> None:
    kept = tuple(an_observable(f"10.0.0.{number}", id_=f"o{number}") for number in range(49))
    kept = added(kept, an_observable("10.0.1.0"), BUILT_IN_TYPES)
    with pytest.raises(LimitExceeded):
        added(kept, an_observable("10.0.1.1"), BUILT_IN_TYPES)


def test_an_edited_observable_keeps_id_type_time_and_place() -> None:
    first, second = an_observable(), an_observable("10.0.0.9", id_="o2")
    later = NOON.replace(hour=13)

    new, untouched = edited((first, second), "o1", value="10.0.0.7", description="", at=later)

    assert new == Observable("o1", IPV4, "10.0.0.7", "", NOON, later)
    assert untouched is second


def test_an_edit_may_keep_the_value_but_not_take_that_of_another() -> None:
    first, second = an_observable(), an_observable("10.0.0.9", id_="o2")
    assert edited((first, second), "o1", value=first.value, description="source", at=NOON)
    with pytest.raises(InvalidInput):
        edited((first, second), "o1", value=second.value, description=None, at=NOON)


def test_an_edit_is_held_to_the_stored_type() -> None:
    with pytest.raises(InvalidInput):
        edited((an_observable(),), "o1", value="example.org", description=None, at=NOON)


def test_an_unknown_observable_is_not_found() -> None:
    with pytest.raises(NotFound):
        edited((an_observable(),), "o9", value="10.0.0.7", description=None, at=NOON)
    with pytest.raises(NotFound):
        removed((an_observable(),), "o9")


def test_a_removed_observable_is_gone_and_the_others_keep_their_order() -> None:
    kept = tuple(an_observable(f"10.0.0.{number}", id_=f"o{number}") for number in range(3))
    assert removed(kept, "o1") == (kept[0], kept[2])


def test_the_activity_tells_count_and_kind_but_no_value() -> None:
    entry = observables_activity("delete")
    assert (entry.type, entry.action) == ("observables", "create")
    assert entry.payload == {"observables": {"count": 1, "actionType": "delete"}}


def test_what_is_shared_is_told_in_the_order_of_the_one_asked() -> None:
    mine = [an_observable(f"10.0.0.{number}", id_=f"o{number}") for number in range(3)]
    theirs = [an_observable("10.0.0.2", id_="x"), an_observable("10.0.0.0", id_="y")]
    assert shared(mine, theirs) == [mine[0], mine[2]]


def test_observables_of_types_no_longer_configured_do_not_count() -> None:
    gone, kept = an_observable("DE-1", "bank-account"), an_observable()
    assert usable([gone, kept], BUILT_IN_TYPES) == [kept]
