"""What is read of a body, and what is refused (contract README 3)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from casebridge.api.bodies import BodyReader, check_media_type, read_body
from casebridge.api.errors import BodyTooLarge, WrongMediaType
from casebridge.api.routing import Disconnected
from casebridge.domain.errors import InvalidInput
from casebridge.wire.base import Body


class Jira(Body, tag=".jira", tag_field="type"):
    name: str


class Webhook(Body, tag=".webhook", tag_field="type"):
    url: str


class Part(Body):
    text: str
    level: Literal["low", "high"] = "low"


class Whole(Body):
    title: str
    count: int = 0
    ok: bool = False
    parts: list[Part] = []
    connector: Jira | Webhook | None = None


class Open(Body):
    config: dict[str, Any] = {}


def refusal(raw: bytes | str, type_: Any = Whole) -> str:
    with pytest.raises(InvalidInput) as refused:
        BodyReader(type_).decode(raw.encode() if isinstance(raw, str) else raw)
    return str(refused.value)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ('{"title":"t","nope":1}', ["nope", "unknown key"]),
        ('{"title":"t","nope":1,"parts":[{"text":"a","x":1},{"text":"b","y":2,"z":3}]}', [
            "nope", "parts[0].x", "parts[1].y", "parts[1].z",
        ]),
        ('{"title":"t","connector":{"type":".jira","name":"n","url":"u"}}', ["connector.url", "unknown key"]),
        ('{"title":5}', ["title", "expected text, got integer"]),
        ('{"title":null}', ["title", "expected text, got null"]),
        ('{"title":"t","count":"5"}', ["count", "expected integer, got text"]),
        ('{"title":"t","count":true}', ["count", "expected integer, got boolean"]),
        ('{"title":"t","ok":1}', ["ok", "expected boolean, got integer"]),
        ('{"title":"t","parts":{}}', ["parts", "expected list, got object"]),
        ('{"title":"t","parts":[{"text":1}]}', ["parts[0].text"]),
        ('{"title":"t","parts":[{}]}', ["parts[0].text", "required"]),
        ('{"title":"t","parts":[{"text":"a","level":"LOW"}]}', ["parts[0].level", "'LOW'", "high, low"]),
        ('{"title":"t","connector":{"type":".none"}}', ["connector.type", ".jira, .webhook"]),
        ("{}", ["title", "required"]),
        ("[]", ["expected object, got list"]),
        ("null", ["expected object, got null"]),
    ],
)  # fmt: skip
def test_a_refusal_names_the_key_and_what_was_expected(raw: str, words: list[str]):
    text = refusal(raw)
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'title': 't'}",
        b'{"title":"t"} x',
        b'{"title":"t",}',
        b'\xef\xbb\xbf{"title":"t"}',
        b'{"title":"\xff"}',
        b'{"title":"\xed\xa0\x80"}',
        rb'{"title":"\ud800"}',
        rb'{"title":"a\ud800b"}',
        rb'{"title":"\udc00"}',
        rb'{"title":"a\u0000b"}',
        rb'{"title":"\\\u0000"}',
        b'{"title":"a\x00b"}',
        b'{"title":"a\nb"}',
        b'{"title":"t","count":NaN}',
        b'{"title":"t","count":Infinity}',
        b'{"title":"t","count":-Infinity}',
        b'{"title":"t","count":1e999}',
        b'{"title":"t","count":1.5}',
        b'{"title":"t","count":01}',
        b'{"title":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"title":"t","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_odd_bodies_are_refused(raw: bytes):
    assert refusal(raw)


def test_an_escaped_backslash_before_u0000_is_no_nul():
    assert BodyReader(Whole).decode(rb'{"title":"\\u0000"}').title == "\\u0000"


def test_other_control_characters_and_any_script_are_kept():
    read = BodyReader(Whole).decode(rb'{"title":"\u0001\t\u007f \ud83d\ude00 \u202e"}')
    assert read.title == "\x01\t\x7f 😀 \u202e"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"title":"a","title":"b"}', Whole(title="b")),
        (b'{"title":5,"title":"b"}', Whole(title="b")),
        (b'{"title":"t","parts":[{"text":1,"text":"x"}]}', Whole(title="t", parts=[Part(text="x")])),
        (
            b'{"title":"t","connector":{"type":".webhook","name":"n","type":".jira"}}',
            Whole(title="t", connector=Jira(name="n")),
        ),
    ],
)
def test_of_a_repeated_key_the_last_counts(raw: bytes, expected: Whole):
    assert BodyReader(Whole).decode(raw) == expected


def test_of_a_repeated_key_the_last_counts_against_the_caller_too():
    assert "title" in refusal(b'{"title":"a","title":5}')


@pytest.mark.parametrize(("depth", "is_read"), [(62, True), (63, False)])
def test_untyped_parts_may_nest_64_levels(depth: int, is_read: bool):
    raw = b'{"config":{"[{":' + b"[" * depth + b'"]"' + b"]" * depth + b"}}"
    if is_read:
        assert BodyReader(Open).decode(raw)
    else:
        assert "deeper than 64" in refusal(raw, Open)


@pytest.mark.parametrize(
    ("number", "is_read"),
    [
        ("9223372036854775807", True),
        ("18446744073709551615", True),
        ("-9223372036854775808", True),
        ("18446744073709551616", False),
        ("-9223372036854775809", False),
        ("1" * 5000, False),
        ("1e308", True),
        ("1e309", False),
        ("0.1234567890123456789012345", True),
        ('"18446744073709551616"', True),
    ],
)
def test_untyped_numbers_fit_64_bits(number: str, is_read: bool):
    raw = f'{{"config":{{"n":[{number}]}}}}'
    if is_read:
        assert BodyReader(Open).decode(raw.encode()).config["n"] == [msgspec.json.decode(number)]
    else:
        assert refusal(raw, Open)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json ; v=1",
    ],
)
def test_json_in_utf8_is_read_under_any_spelling(kind: str | None):
    check_media_type({} if kind is None else {b"content-type": kind.encode()})


@pytest.mark.parametrize(
    "headers",
    [
        {b"content-type": b"text/plain"},
        {b"content-type": b"application/jsonx"},
        {b"content-type": b"application/x-www-form-urlencoded"},
        {b"content-type": b"application/json; charset=latin-1"},
        {b"content-type": b"application/json; charset=utf-16"},
        {b"content-type": b""},
        {b"content-type": b"application/json", b"content-encoding": b"gzip"},
    ],
)
def test_other_kinds_of_body_are_not_read(headers: dict[bytes, bytes]):
    with pytest.raises(WrongMediaType):
        check_media_type(headers)


class Pieces:
    """A client that sends pieces, and counts how many were taken."""

    def __init__(self, *pieces: bytes, hangs_up: bool = False) -> None:
        self.pieces = list(pieces)
        self.taken = 0
        self.hangs_up = hangs_up

    async def __call__(self) -> dict[str, Any]:
        if self.taken == len(self.pieces):
            return {"type": "http.disconnect"}
        self.taken += 1
        more = self.taken < len(self.pieces) or self.hangs_up
        return {"type": "http.request", "body": self.pieces[self.taken - 1], "more_body": more}


async def test_a_body_in_pieces_is_put_together():
    assert await read_body(Pieces(b"ab", b"", b"c"), {}, 3) == b"abc"


async def test_a_declared_length_over_the_limit_is_refused_unread():
    client = Pieces(b"abcd")
    with pytest.raises(BodyTooLarge):
        await read_body(client, {b"content-length": b"4"}, 3)
    assert client.taken == 0


async def test_pieces_are_not_read_on_once_they_pass_the_limit():
    client = Pieces(b"ab", b"cd", b"ef", b"gh")
    with pytest.raises(BodyTooLarge):
        await read_body(client, {}, 3)
    assert client.taken == 2


async def test_one_piece_that_passes_an_undeclared_limit_is_refused():
    with pytest.raises(BodyTooLarge):
        await read_body(Pieces(b"abcd"), {}, 3)


async def test_a_client_that_hangs_up_gets_no_answer():
    with pytest.raises(Disconnected):
        await read_body(Pieces(b"ab", hangs_up=True), {}, 10)
    with pytest.raises(Disconnected):
        await read_body(Pieces(), {}, 10)
