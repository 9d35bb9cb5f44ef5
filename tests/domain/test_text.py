"""Checks of texts that several nouns share (contract README 3 and 11)."""

from __future__ import annotations

import pytest

from casebridge.domain.attachment import check_comment
from casebridge.domain.errors import InvalidInput
from casebridge.domain.text import check_count, check_length, repeated, trimmed


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\r", "\x0b", "\x0c", "\x85", "\xa0", "\u2003", "\u2028", "\u3000"])
def test_white_space_of_any_script_is_trimmed(space: str):
    assert trimmed(f"{space}a{space}b{space}{space}") == f"a{space}b"
    with pytest.raises(InvalidInput, match="white space"):
        check_length("title", space, 10)


@pytest.mark.parametrize("sign", ["\x1c", "\x1d", "\x1e", "\x1f", "\x01", "\x7f", "\u200b"])
def test_control_characters_belong_to_the_text(sign: str):
    assert trimmed(f" {sign}a{sign} ") == f"{sign}a{sign}"
    check_length("title", sign, 1)


def test_a_comment_is_measured_trimmed_and_may_not_be_blank():
    check_comment(" " + "c" * 30_000 + "\n")
    for text in ("", " \n", "c" * 30_001):
        with pytest.raises(InvalidInput) as refused:
            check_comment(text)
        assert refused.value.field == "comment"


def test_a_list_is_counted_as_sent():
    check_count("tags", ["a"] * 3, 3)
    with pytest.raises(InvalidInput, match=r"3.*4"):
        check_count("tags", ["a"] * 4, 3)


def test_repeated_values_are_named_once_each():
    assert repeated(["a", "b", "c", "b", "a", "b"]) == ["b", "a"]
