"""How a change is spelled for PostgreSQL."""

from __future__ import annotations

import pytest

from casebridge.storage.dialect import REMEMBERED_TEXT, compose, statement


@pytest.mark.parametrize(
    ("sql", "text", "names"),
    [
        ("SELECT 1", "SELECT 1", ()),
        ("SELECT :a, :b, :a", "SELECT $1, $2, $1", ("a", "b")),
        ("SELECT :a::text, ':a', \":a\", 'it''s :a'", "SELECT $1::text, ':a', \":a\", 'it''s :a'", ("a",)),
        ("SELECT $$ :a $$, $x$ :a $x$, :a", "SELECT $$ :a $$, $x$ :a $x$, $1", ("a",)),
        ("SELECT :a -- :b\n, :c /* :d\n */", "SELECT $1 -- :b\n, $2 /* :d\n */", ("a", "c")),
        ("SELECT t[1:2], :a1_b", "SELECT t[1:2], $1", ("a1_b",)),
    ],
)
def test_parameters_are_numbered_and_nothing_else_is_touched(sql: str, text: str, names: tuple[str, ...]) -> None:
    taken = statement(sql)
    assert (taken.text, taken.names) == (text, names)


@pytest.mark.parametrize(
    ("sql", "writes", "returns"),
    [
        ("SELECT 1", False, True),
        (" select doc FROM cases FOR UPDATE", False, True),
        ("WITH x AS (SELECT 1) SELECT * FROM x", False, True),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", True, False),
        ("INSERT INTO t VALUES ('RETURNING')", True, False),
        ("DELETE FROM t\nreturning id", True, True),
    ],
)
def test_it_is_known_what_a_statement_does(sql: str, writes: bool, returns: bool) -> None:
    taken = statement(sql)
    assert (taken.writes, taken.returns) == (writes, returns)


def test_parameters_of_a_composed_statement_are_numbered_through() -> None:
    composed = compose(["DELETE FROM t WHERE a = :a AND b = :b", "DELETE FROM u WHERE a = :a"], [False, True])
    assert "a = $1 AND b = $2" in composed.text
    assert "a = $3" in composed.text
    assert "raise_conflict(1)" in composed.text
    assert "raise_conflict(0)" not in composed.text


def test_a_composed_statement_is_spelled_once_unless_it_is_very_long() -> None:
    assert compose(["SELECT 1", "SELECT 2"], [False, False]) is compose(["SELECT 1", "SELECT 2"], [False, False])
    long = ["SELECT 1", f"SELECT '{'x' * REMEMBERED_TEXT}'"]
    assert compose(long, [False, False]) is not compose(long, [False, False])
