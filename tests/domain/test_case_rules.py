"""What the texts of a case must keep to, per dialect (contract README 11, dialect-7.10.md 1)."""

from __future__ import annotations

import pytest

from casebridge.domain.case import LEGACY, TODAY, CaseChanges, NewCase, Rules, check_changes, check_new_case
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.errors import InvalidInput


def a_new_case(title: str = "T", description: str = "d", tag: str = "t") -> NewCase:
    return NewCase(owner="cases", title=title, description=description, tags=(tag,), connector=NO_CONNECTOR)


@pytest.mark.parametrize(
    ("rules", "title", "tag"),
    [(TODAY, "x" * 160, "x" * 256), (TODAY, f" {'x' * 160}\n", "t "), (LEGACY, "", ""), (LEGACY, "x" * 30_000, " ")],
)
def test_texts_within_the_limits_of_a_dialect_are_taken(rules: Rules, title: str, tag: str):
    check_new_case(a_new_case(title, tag=tag), rules)
    check_changes(CaseChanges(title=title, tags=(tag,)), "", rules)


@pytest.mark.parametrize(
    ("rules", "title", "tag"),
    [
        (TODAY, " ", "t"),
        (TODAY, "x" * 161, "t"),
        (TODAY, "T", ""),
        (TODAY, "T", "x" * 257),
        (LEGACY, "x" * 30_001, "t"),
        (LEGACY, "x" * 30_000 + " ", "t"),
        (LEGACY, "T", "x" * 30_001),
    ],
)
def test_texts_beyond_them_are_refused(rules: Rules, title: str, tag: str):
    with pytest.raises(InvalidInput):
        check_new_case(a_new_case(title, tag=tag), rules)
    with pytest.raises(InvalidInput):
        check_changes(CaseChanges(title=title, tags=(tag,)), "cases[0].", rules)


@pytest.mark.parametrize("rules", [TODAY, LEGACY])
def test_a_description_is_never_empty(rules: Rules):
    with pytest.raises(InvalidInput, match="description"):
        check_new_case(a_new_case(description=" "), rules)
