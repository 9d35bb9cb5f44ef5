"""The tolerant language of searches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casebridge.domain.search import MOST_TERMS, Node, Not, Phrase, Several, Term, read_search


def tree(text: str, operator: str = "OR") -> Node | None:
    search = read_search(text, operator)  # type: ignore[arg-type]
    assert search is not None
    return search.tree


def either(*parts: Node) -> Several:
    return Several("OR", parts)


def both(*parts: Node) -> Several:
    return Several("AND", parts)


A, B, C = Term("a"), Term("b"), Term("c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", A),
        ("a b", either(A, B)),
        ("a b c", either(A, B, C)),
        ("a + b", both(A, B)),
        ("a +b", both(A, B)),
        ("a | b", either(A, B)),
        ("a|b", either(A, B)),
        ("-a", Not(A)),
        ("a -b", either(A, Not(B))),
        ("a + -b", both(A, Not(B))),
        ("a + b | c", either(both(A, B), C)),
        ("a (b + c)", either(A, both(B, C))),
        ("-(a b)", Not(either(A, B))),
        ("ab*", Term("ab", prefix=True)),
        ('"a b"', Phrase("a b")),
        ('"a b"~2', Phrase("a b")),
        ('-"a b"', Not(Phrase("a b"))),
        ("word~1", Term("word")),
        ("web-01", Term("web-01")),
        ("c++", Term("c++")),
        (r"\-a", Term("-a")),
        (r"a\*", Term("a*")),
        (r"\(a\)", Term("(a)")),
        ('a "', A),
        ("a) b", either(A, B)),
        ("((a", A),
        ("()", None),
        ("- + |", None),
        ('""', None),
        ("*", None),
        ("~1", None),
    ],
)
def test_signs_mean_what_the_contract_says(text: str, expected: Node | None):
    assert tree(text) == expected


def test_words_are_joined_by_the_default_operator():
    assert tree("a b", "AND") == both(A, B)
    assert tree("a | b", "AND") == either(A, B)


@pytest.mark.parametrize("text", ["", "  ", "\t\n"])
def test_an_empty_search_is_as_if_absent(text: str):
    assert read_search(text) is None


def test_a_text_that_is_a_whole_uuid_names_a_case():
    search = read_search(" 5D1F0C6E-2f2f-4f0b-9a8e-7b9f0a1c2d3e ")
    assert search is not None
    assert search.case_id == "5d1f0c6e-2f2f-4f0b-9a8e-7b9f0a1c2d3e"
    other = read_search("5d1f0c6e-2f2f-4f0b-9a8e-7b9f0a1c2d3e x")
    assert other is not None
    assert other.case_id is None


def test_words_beyond_the_limit_are_left_out():
    found = tree("w " * (MOST_TERMS * 2))
    assert isinstance(found, Several)
    assert len(found.parts) == MOST_TERMS


@given(st.text(alphabet='ab *+-|"()~1\\ ', max_size=60))
def test_no_text_is_ever_an_error(text: str):
    read_search(text)


def test_deep_parentheses_are_no_error():
    assert tree("(" * 5000 + "a" + ")" * 5000) == A
