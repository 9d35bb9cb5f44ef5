"""A search as a condition on cases: one MATCH or `@@` for each run of words, joined as the tree says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from casebridge.domain.search import Node, Not, Phrase, Search, Several, Term
from casebridge.storage.where import Where
from casebridge.storage.words import keyword, lexeme, quoted, split

Dialect = Literal["sqlite", "postgresql"]

_NUMBER_DIGITS = 15
_MOST_WORDS = 256
"""Of one phrase or term; those beyond are not asked for: the databases bound how much one query may hold."""


def condition(search: Search, where: Where, dialect: Dialect) -> str:
    """A fragment that is true for matching cases `c`; its values go into `where`."""
    compiler = _Compiler(search, where, _Fts5() if dialect == "sqlite" else _Tsquery())
    found = "1 = 0" if search.tree is None else compiler.node(search.tree)
    if search.case_id is None:
        return found
    where.params["search_id"] = search.case_id
    return f"({found} OR c.id = :search_id)"


def matches(search: Search, text: str) -> bool:
    """Whether a text that has no index, such as a comment, is what a search looks for; fields play no role."""
    return search.tree is not None and _holds(search.tree, split(text), search.operator)


def _holds(node: Node, words: list[str], operator: str) -> bool:
    if isinstance(node, Not):
        return not _holds(node.inner, words, operator)
    if isinstance(node, Several):
        parts = [_holds(part, words, operator) for part in node.parts]
        return all(parts) if node.operator == "AND" else any(parts)
    wanted = split(node.text)
    if not wanted:
        return False
    if isinstance(node, Phrase):
        return any(words[at : at + len(wanted)] == wanted for at in range(len(words)))
    found = [word in words for word in wanted]
    if node.prefix:
        found[-1] = any(word.startswith(wanted[-1]) for word in words)
    return all(found) if operator == "AND" else any(found)


class _Spelling(Protocol):
    """How one database spells what is looked for in its word index."""

    def words(self, fields: Sequence[str], words: Sequence[str], *, phrase: bool, prefix: bool, operator: str) -> str:
        """Words of a text in the fields title and description."""
        ...

    def whole(self, value: str, *, prefix: bool) -> str:
        """A keyword-like value."""
        ...

    def either(self, queries: Sequence[str]) -> str:
        """Any of several queries."""
        ...

    def condition(self, parameter: str) -> str:
        """The SQL that asks the index."""
        ...


class _Fts5:
    def words(self, fields: Sequence[str], words: Sequence[str], *, phrase: bool, prefix: bool, operator: str) -> str:
        columns = "{" + " ".join(fields) + "}"
        if phrase:
            return f"{columns} : {quoted(words)}"
        parts = [f"{columns} : {quoted([word])}" for word in words]
        if prefix:
            parts[-1] += " *"
        return "(" + f" {operator} ".join(parts) + ")"

    def whole(self, value: str, *, prefix: bool) -> str:
        return f"{{keywords}} : {quoted([value])}" + (" *" if prefix else "")

    def either(self, queries: Sequence[str]) -> str:
        return "(" + " OR ".join(queries) + ")"

    def condition(self, parameter: str) -> str:
        return f"c.pk IN (SELECT rowid FROM case_words WHERE case_words MATCH :{parameter})"


class _Tsquery:
    _WEIGHTS = {"title": "A", "description": "B"}

    def words(self, fields: Sequence[str], words: Sequence[str], *, phrase: bool, prefix: bool, operator: str) -> str:
        weights = "".join(self._WEIGHTS[field] for field in fields)
        parts = [f"{lexeme(word)}:{weights}" for word in words]
        if prefix:
            parts[-1] += "*"
        sign = " <-> " if phrase else " & " if operator == "AND" else " | "
        return "(" + sign.join(parts) + ")"

    def whole(self, value: str, *, prefix: bool) -> str:
        return f"{lexeme(value)}:C" + ("*" if prefix else "")

    def either(self, queries: Sequence[str]) -> str:
        return "(" + " | ".join(queries) + ")"

    def condition(self, parameter: str) -> str:
        return f"c.words @@ CAST(CAST(:{parameter} AS text) AS tsquery)"


class _Compiler:
    def __init__(self, search: Search, where: Where, spelling: _Spelling) -> None:
        self._operator = search.operator
        self._where = where
        self._spelling = spelling
        every = search.fields is None
        self._texts = [name for name in ("title", "description") if every or name in (search.fields or ())]
        self._keywords = every or "keyword" in (search.fields or ())
        self._numbers = every or "number" in (search.fields or ())
        self._count = 0

    def node(self, node: Node) -> str:
        if isinstance(node, Not):
            return f"NOT ({self.node(node.inner)})"
        if isinstance(node, Several):
            return "(" + f" {node.operator} ".join(self.node(part) for part in node.parts) + ")"
        return self._leaf(node)

    def _leaf(self, node: Term | Phrase) -> str:
        prefix = isinstance(node, Term) and node.prefix
        phrase = isinstance(node, Phrase)
        queries = []
        words = split(node.text)[:_MOST_WORDS]
        if words and self._texts:
            queries.append(
                self._spelling.words(self._texts, words, phrase=phrase, prefix=prefix, operator=self._operator)
            )
        if self._keywords and (value := keyword(node.text)):
            queries.append(self._spelling.whole(value, prefix=prefix))
        conditions = []
        if queries:
            conditions.append(self._spelling.condition(self._named("words", self._spelling.either(queries))))
        if self._numbers:
            conditions += self._number(node.text.strip(), prefix=prefix)
        return "(" + " OR ".join(conditions) + ")" if conditions else "1 = 0"

    def _number(self, text: str, *, prefix: bool) -> list[str]:
        """The running number, or all that begin so, as ranges an index can walk."""
        if not text.isascii() or not text.isdigit() or len(text) > _NUMBER_DIGITS or text.startswith("0"):
            return []
        number = int(text)
        ranges = [(number, number)]
        if prefix:
            steps = range(1, _NUMBER_DIGITS + 1 - len(text))
            ranges += [(number * 10**step, (number + 1) * 10**step - 1) for step in steps]
        return [
            f"c.incremental_id BETWEEN :{self._named('least', least)} AND :{self._named('most', most)}"
            for least, most in ranges
        ]

    def _named(self, stem: str, value: Any) -> str:
        self._count += 1
        name = f"search_{stem}_{self._count}"
        self._where.params[name] = value
        return name
