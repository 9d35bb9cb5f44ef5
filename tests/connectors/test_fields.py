"""Declared keys: what they accept, what they fill in, and how they complain."""

from __future__ import annotations

from typing import Any

import pytest

from casebridge.connectors.fields import BadValue, BoolField, ChoiceField, ObjectField, TextField, UrlField, fill
from casebridge.connectors.http import AllowedHosts

HOSTS = AllowedHosts(["a.test"])
FIELDS = (
    TextField("name"),
    UrlField("url", required=False, nullable=True, default=None),
    BoolField("flag", required=False, default=True),
    ChoiceField("method", required=False, default="put", choices=("put", "post")),
    ObjectField("mapping", required=False, fields=(TextField("id"), TextField("note", required=False, nullable=True))),
    ObjectField("anything", required=False),
)


def test_defaults_are_filled_in_and_what_was_given_stays():
    assert fill("config", {"name": "x"}, FIELDS, HOSTS) == {"name": "x", "url": None, "flag": True, "method": "put"}
    given = {"name": " x ", "url": "https://a.test/", "flag": False, "method": "post", "mapping": {"id": "1"}}
    assert fill("config", given, FIELDS, HOSTS) == given


@pytest.mark.parametrize(
    ("given", "path", "reason"),
    [
        ({}, "config.name", "missing"),
        ({"name": None}, "config.name", "given null"),
        ({"name": 1}, "config.name", "expected a text, given a number"),
        ({"name": "x", "odd": 1}, "config.odd", "not known; expected one of anything, flag"),
        ({"name": "x", "url": "https://b.test"}, "config.url", "https://b.test is not in the allowed hosts"),
        ({"name": "x", "flag": 1}, "config.flag", "expected true or false"),
        ({"name": "x", "flag": "true"}, "config.flag", "expected true or false"),
        ({"name": "x", "method": "get"}, "config.method", "expected one of put, post"),
        ({"name": "x", "method": None}, "config.method", "given null"),
        ({"name": "x", "mapping": []}, "config.mapping", "expected an object, given a list"),
        ({"name": "x", "mapping": {}}, "config.mapping.id", "missing"),
        ({"name": "x", "mapping": {"id": "1", "odd": 1}}, "config.mapping.odd", "not known"),
        ({"name": "x", "anything": {"a": [{"b": " "}]}}, "config.anything.a[0].b", "empty"),
    ],
)
def test_a_bad_value_is_named_by_its_path(given: dict[str, Any], path: str, reason: str):
    with pytest.raises(BadValue) as refused:
        fill("config", given, FIELDS, HOSTS)
    assert refused.value.path == path
    assert reason in refused.value.reason
