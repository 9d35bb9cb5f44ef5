"""Query strings as typed values (contract README 9 and 10)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from casebridge.api.queries import JsonList, QueryReader, split_query
from casebridge.domain.errors import InvalidInput
from casebridge.wire.base import Body


class Query(Body):
    page: int = 1
    perPage: Annotated[int, Meta(ge=0, le=100)] = 20  # noqa: N815
    tags: list[str] | None = None
    numbers: list[int] = []
    sortOrder: Literal["asc", "desc"] = "asc"  # noqa: N815
    status: list[Literal["open", "closed"]] | UnsetType = UNSET
    includeComments: bool = True  # noqa: N815
    search: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")


class Ids(Body):
    ids: JsonList


class Lax(msgspec.Struct):
    flag: str | None = None


def read(query: str | bytes, type_: type[msgspec.Struct] = Query, *, lenient: bool = False) -> Any:
    pairs = split_query(query if isinstance(query, bytes) else query.encode())
    return QueryReader(type_).read(pairs, lenient=lenient)


def refusal(query: str | bytes, type_: type[msgspec.Struct] = Query) -> str:
    with pytest.raises(InvalidInput) as refused:
        read(query, type_)
    return str(refused.value)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("page=3&perPage=0", {"page": 3, "perPage": 0}),
        ("page=-3", {"page": -3}),
        ("tags=a", {"tags": ["a"]}),
        ("tags=a&tags=b&tags=a", {"tags": ["a", "b", "a"]}),
        ("tags=a,b", {"tags": ["a,b"]}),
        ("tags=", {"tags": [""]}),
        ("tags", {"tags": [""]}),
        ("numbers=1&numbers=2", {"numbers": [1, 2]}),
        ("status=open&status=closed", {"status": ["open", "closed"]}),
        ("search=", {"search": ""}),
        ("search=a+b%2Bc%26%3d", {"search": "a b+c&="}),
        ("search=a=b", {"search": "a=b"}),
        ("search=%C3%A9%F0%9F%98%80", {"search": "é😀"}),
        ("search=%zz", {"search": "%zz"}),
        ("%74ags=a", {"tags": ["a"]}),
        ("includeComments=false", {"includeComments": False}),
        ("from=now", {"from_": "now"}),
        ("&&page=2&", {"page": 2}),
        ("apiVersion=1&elasticInternalOrigin=true&apiVersion=2", {}),
    ],
)
def test_text_becomes_typed_values(query: str, expected: dict[str, Any]):
    assert read(query) == Query(**expected)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("page=abc", ["page", "integer", "'abc'"]),
        ("page=", ["page", "integer"]),
        ("page=1.5", ["page"]),
        ("page=1e2", ["page"]),
        ("page=0x1", ["page"]),
        ("page=%201", ["page"]),
        ("page=1_0", ["page"]),
        ("page=٣", ["page"]),
        ("page=99999999999999999999", ["page"]),
        ("page=1&page=2", ["page", "one value"]),
        ("perPage=101", ["perPage", "100"]),
        ("perPage=-1", ["perPage"]),
        ("numbers=1&numbers=x", ["numbers", "'x'"]),
        ("sortOrder=ASC", ["sortOrder", "'ASC'", "asc, desc"]),
        ("sortOrder=", ["sortOrder"]),
        ("status=open&status=nope", ["status", "'nope'", "closed, open"]),
        ("includeComments=1", ["includeComments", "true or false"]),
        ("includeComments=True", ["includeComments"]),
        ("nope=1&other=2&tags=a", ["nope, other", "unknown"]),
        ("tags[]=a", ["tags[]"]),
        ("tags[0]=a", ["tags[0]"]),
        ("from_=now", ["from_"]),
        ("search=%ff", ["UTF-8"]),
        (b"search=\xff", ["UTF-8"]),
        ("search=%ed%a0%80", ["UTF-8"]),
        ("search=a%00b", ["NUL"]),
        ("%00=1", ["NUL"]),
    ],
)
def test_nothing_is_coerced_and_the_key_is_named(query: str | bytes, words: list[str]):
    text = refusal(query)
    assert all(word in text for word in words), text


def test_a_lenient_reader_ignores_unknown_keys_but_not_bad_values():
    assert read("nope=1&page=2", lenient=True) == Query(page=2)
    with pytest.raises(InvalidInput):
        read("page=x", lenient=True)


def test_a_type_that_allows_unknown_keys_ignores_them():
    assert read("nope=1&flag=a", Lax) == Lax(flag="a")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('ids=["a","b"]', ["a", "b"]),
        ("ids=%5B%22a%22%5D", ["a"]),
        ("ids=[]", []),
        ("ids=a&ids=b", ["a", "b"]),
        ('ids=["a"]&ids=b', ['["a"]', "b"]),
    ],
)
def test_a_json_list_is_one_array_or_a_repeated_key(query: str, expected: list[str]):
    assert read(query, Ids).ids == expected


@pytest.mark.parametrize(
    "query",
    ["", "ids=", "ids=abc", 'ids="abc"', "ids=[1]", "ids=[null]", 'ids={"a":1}', 'ids=["a"', r'ids=["\u0000"]',
     r'ids=["\ud800"]', "ids=" + "[" * 50_000],
)  # fmt: skip
def test_anything_else_is_no_json_list(query: str):
    assert "ids" in refusal(query, Ids)
