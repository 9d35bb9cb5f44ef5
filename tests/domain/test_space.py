"""Spaces, and where a case's page is (contract access.md 5, push.md 2.1)."""

from __future__ import annotations

from typing import Any

import pytest

from casebridge.domain.errors import InvalidInput
from casebridge.domain.space import DEFAULT_SPACE, Space, case_url, check_space


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"id": "a-b_9"},
        {"initials": "ab", "color": "#00bfB3", "image_url": "", "solution": "oblt"},
        {"image_url": "data:image/png;base64,AAAA"},
        {"disabled_features": ("f",) * 100},
    ],
)
def test_a_space_within_the_rules_is_taken_as_it_is(given: dict[str, Any]):
    space = Space(**{"id": "ops", "name": "Operations", **given})

    assert check_space(space) is space


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "Ops"}, "id"),
        ({"id": "ops\n"}, "id"),
        ({"id": "a/b"}, "id"),
        ({"name": ""}, "name"),
        ({"initials": "abc"}, "initials"),
        ({"color": "#00bfb"}, "color"),
        ({"color": "00bfb3"}, "color"),
        ({"color": "#00bfb3\n"}, "color"),
        ({"image_url": "https://example.org/a.png"}, "imageUrl"),
        ({"disabled_features": ("f",) * 101}, "disabledFeatures"),
        ({"solution": "other"}, "solution"),
    ],
)
def test_a_space_that_breaks_a_rule_is_refused_by_the_key_of_the_wire(given: dict[str, Any], field: str):
    with pytest.raises(InvalidInput) as refused:
        check_space(Space(**{"id": "ops", "name": "Operations", **given}))

    assert refused.value.field == field


def test_the_default_space_is_always_the_same():
    assert check_space(DEFAULT_SPACE) == Space("default", "Default", color="#00bfb3", reserved=True)


@pytest.mark.parametrize("base", ["https://cases.example.org/kbn", "https://cases.example.org/kbn//"])
def test_a_case_has_one_address_however_the_base_ends(base: str):
    assert case_url(base, "default", "cases", "6f1c") == (
        "https://cases.example.org/kbn/app/management/insightsAndAlerting/cases/6f1c"
    )
    assert case_url(base, "ops", "securitySolution", "6f1c") == (
        "https://cases.example.org/kbn/s/ops/app/security/cases/6f1c"
    )
