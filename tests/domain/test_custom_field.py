"""Definitions of custom fields and the values that fit them (contract cases.md 5, configure.md 1.3)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from casebridge.domain.custom_field import (
    CustomFieldValue,
    changed_values,
    check_definitions,
    check_types_kept,
    check_value,
    check_values,
    fill,
)
from casebridge.domain.errors import InvalidInput
from tests.builders import a_definition, a_value


@pytest.mark.parametrize(
    "definition",
    [
        a_definition("k" * 36, label="l" * 50),
        a_definition("a-z_09", label="  L  "),
        a_definition(default="x" * 160),
        a_definition(default=None),
        a_definition(type_="toggle", default=False),
        a_definition(type_="number", default=-(2**53) + 1),
        a_definition(required=True),
    ],
)
def test_a_definition_within_the_limits_is_taken(definition: Any):
    check_definitions([definition])


@pytest.mark.parametrize(
    ("definition", "field"),
    [
        (a_definition("k" * 37), "key"),
        (a_definition(""), "key"),
        (a_definition("Region"), "key"),
        (a_definition("region\n"), "key"),
        (a_definition(" region"), "key"),
        (a_definition("région"), "key"),
        (a_definition(label=""), "label"),
        (a_definition(label=" "), "label"),
        (a_definition(label="l" * 51), "label"),
        (a_definition(default=""), "defaultValue"),
        (a_definition(default=" "), "defaultValue"),
        (a_definition(default="x" * 161), "defaultValue"),
        (a_definition(type_="toggle", default=1), "defaultValue"),
        (a_definition(type_="number", default=True), "defaultValue"),
        (a_definition(type_="number", default=2**53), "defaultValue"),
    ],
)
def test_a_definition_beyond_a_limit_is_refused_by_its_path(definition: Any, field: str):
    with pytest.raises(InvalidInput) as refused:
        check_definitions([a_definition("first"), definition])

    assert refused.value.field == f"customFields[1].{field}"


def test_ten_definitions_are_taken_and_eleven_refused():
    definitions = [a_definition(f"k{number}") for number in range(11)]

    check_definitions(definitions[:10])
    with pytest.raises(InvalidInput, match="10"):
        check_definitions(definitions)


def test_a_key_may_be_defined_once_but_a_label_twice():
    check_definitions([a_definition("a", label="Same"), a_definition("b", label="Same")])
    with pytest.raises(InvalidInput, match="once: a"):
        check_definitions([a_definition("a"), a_definition("b"), a_definition("a")])


def test_the_type_of_a_defined_key_cannot_change_but_keys_may_come_and_go():
    stored = [a_definition("a"), a_definition("b", "toggle")]

    check_types_kept(stored, [a_definition("b", "toggle", required=True), a_definition("c", "number")])
    with pytest.raises(InvalidInput, match="b"):
        check_types_kept(stored, [a_definition("a"), a_definition("b", "number")])


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("text", 1), ("text", True), ("text", UNSET), ("toggle", "true"), ("toggle", 0), ("number", "5"),
        ("number", False), ("number", 1.0), ("number", 2**53), ("number", -(2**53)),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(type_: str, value: Any):
    with pytest.raises(InvalidInput):
        check_value("customFields[0].value", type_, value)


@pytest.mark.parametrize("type_", ["text", "toggle", "number"])
def test_null_fits_every_type(type_: str):
    check_value("customFields[0].value", type_, None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([a_value("a"), a_value("nope"), a_value("a")], "more than once: a"),
        ([a_value("nope"), a_value("b", 1)], "not defined for the owner: nope"),
        ([a_value("b", 1)], "without a default value: a"),
        ([a_value("a", None), a_value("b", 1)], "null is not allowed: a"),
        ([a_value("a"), a_value("d", None)], "null is not allowed: d"),
        ([a_value("a"), a_value("b", 1)], "b has the type toggle, not number"),
    ],
)
def test_values_are_judged_in_the_order_of_the_contract(values: list[CustomFieldValue], words: str):
    definitions = [
        a_definition("a", required=True),
        a_definition("b", "toggle"),
        a_definition("d", default="x", required=True),
    ]

    with pytest.raises(InvalidInput, match=words):
        check_values(values, definitions)


def test_values_for_an_owner_without_definitions_are_refused():
    with pytest.raises(InvalidInput, match="not defined"):
        check_values([a_value("a")], [])


def test_a_required_field_with_a_default_may_be_left_out():
    check_values([], [a_definition("a", required=True, default="x")])


def test_a_default_of_null_does_not_stand_in_for_a_required_value():
    with pytest.raises(InvalidInput):
        check_values([], [a_definition("a", required=True, default=None)])


def test_sent_values_come_first_then_the_rest_in_the_order_of_definition():
    definitions = [
        a_definition("a", default="x"),
        a_definition("b", "toggle"),
        a_definition("c"),
        a_definition("d", "number", default=0),
        a_definition("e", default=None),
        a_definition("f", required=True),
    ]

    filled = fill([a_value("c", "sent"), a_value("b", None, "toggle")], definitions)

    assert filled == (
        a_value("c", "sent"),
        a_value("b", None, "toggle"),
        a_value("a", "x"),
        a_value("d", 0),
        a_value("e", None),
    )


def test_an_explicit_null_beats_a_default():
    assert fill([a_value("a", None)], [a_definition("a", default="x")]) == (a_value("a", None),)


def test_changed_values_are_those_that_differ_and_new_ones_that_are_not_null():
    old = [a_value("same", 1), a_value("other", "x"), a_value("emptied", True), a_value("retyped", 1)]
    new = [
        a_value("same", 1), a_value("other", "y"), a_value("emptied", None, "toggle"), a_value("retyped", True),
        a_value("new", False), a_value("new-null", None),
    ]  # fmt: skip

    assert [each.key for each in changed_values(old, new)] == ["other", "emptied", "retyped", "new"]
