"""Pages and filters (contract README 10, find.md 1.1)."""

from __future__ import annotations

import pytest

from casebridge.domain.errors import InvalidInput
from casebridge.domain.query import Page, check_filter_values, check_page


@pytest.mark.parametrize(
    ("number", "size", "offset"), [(1, 20, 0), (1, 0, 0), (3, 20, 40), (100, 100, 9_900), (10_000, 1, 9_999)]
)
def test_a_page_within_the_window_says_where_it_begins(number: int, size: int, offset: int):
    page = check_page(number, size)

    assert page == Page(number, size)
    assert page.offset == offset


@pytest.mark.parametrize(
    ("number", "size", "field"),
    [
        (0, 20, "page"),
        (-1, 20, "page"),
        (1, -1, "perPage"),
        (1, 101, "perPage"),
        (101, 100, "page"),
        (501, 20, "page"),
        (10_001, 0, "page"),
    ],
)
def test_a_page_outside_the_window_is_refused(number: int, size: int, field: str):
    with pytest.raises(InvalidInput) as refused:
        check_page(number, size)

    assert refused.value.field == field


def test_a_route_may_allow_longer_pages():
    assert check_page(1, 10_000, most=10_000).size == 10_000


def test_a_filter_takes_100_values_and_no_more():
    check_filter_values("tags", None)
    check_filter_values("tags", ["t"] * 100)
    with pytest.raises(InvalidInput, match=r"tags.*100.*101"):
        check_filter_values("tags", ["t"] * 101)
