"""A search as a condition on cases: one MATCH or `@@` for each run of words, joined as the tree says.

The texts of a case itself are searched together: each word may stand in another of them. A comment is searched by
itself: all that is asked for must be in one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, Protocol

from casebridge.domain.search import Node, Not, Phrase, Search, Several, Term
from casebridge.storage import alerts
from casebridge.storage.parts import FIRST_VALUE, ROWS_PER_CASE, value_words
from casebridge.storage.where import Where
from casebridge.storage.words import keyword, lexeme, quoted, split

Dialect = Literal["sqlite", "postgresql"]

_NUMBER_DIGITS = 15
_MOST_WORDS = 256
"""Of one phrase or term; those beyond are not asked for: the databases bound how much one query may hold."""


Place = Literal["case", "values", "comment"]
"""Where words stand: in the texts of a case `c`, in its observables and custom fields, in one comment `t`."""

_CASE_FIELDS = frozenset({"title", "description", "keyword", "number", "observable", "custom_field"})


def condition(search: Search, where: Where, dialect: Dialect) -> str:
    """A fragment that is true for matching cases `c` of the space `:space`; its values go into `where`."""
    spelling: _Spelling = _Fts5() if dialect == "sqlite" else _Tsquery()
    fields = _CASE_FIELDS if search.fields is None else frozenset(search.fields)
    found = []
    if search.tree is not None and fields & _CASE_FIELDS:
        found.append(_Compiler(search, where, spelling).node(search.tree))
    if search.tree is not None and "comment" in fields:
        found.append(_owned(search, where, _comment(search, search.tree, where, spelling)))
    if "alert" in fields:
        found.append(_owned(search, where, alerts.condition(search.ids, where)))
    if search.case_id is not None:
        where.params["search_id"] = search.case_id
        found.append("c.id = :search_id")
    return f"({' OR '.join(found)})" if found else "1 = 0"


def _owned(search: Search, where: Where, fragment: str) -> str:
    (readable,) = where.listed("c.owner", search.comment_owners, "comment_owner")
    return f"({readable} AND {fragment})"


def _comment(search: Search, tree: Node, where: Where, spelling: _Spelling) -> str:
    """The case has a comment for which the whole tree holds."""
    compiler = _CommentCompiler(search, where, spelling)
    holds = compiler.node(tree)
    if _holds(tree, [], search.operator):
        # True of a comment that has none of the words: every comment has to be looked at.
        return spelling.comments(holds, None)
    if not compiler.queries:
        return "1 = 0"
    where.params["comment_words"] = spelling.either(compiler.queries)
    return spelling.comments(holds, "comment_words")


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


_WALKED = frozenset({"title", "description", "keyword", "number"})


def one_match(search: Search) -> str | None:
    """The whole search as one MATCH of SQLite's index of cases; None when it takes more than that."""
    if search.tree is None or search.case_id is not None or not _WALKED.issuperset(search.fields or ()):
        return None
    return _OneMatch(search, Where(), _Fts5()).whole(search.tree)


def words_asked(search: Search, common: Collection[str]) -> bool:
    """Whether every case with one of some common words is among the matches, so that these must be many."""
    return search.tree is not None and _is_common(search.tree, search, common)


def _is_common(node: Node, search: Search, common: Collection[str]) -> bool:
    if isinstance(node, Not):
        return False
    if isinstance(node, Several):
        return node.operator == "OR" and any(_is_common(part, search, common) for part in node.parts)
    words = split(node.text)
    if isinstance(node, Phrase) or (search.operator == "AND" and len(words) > 1):
        return len(words) == 1 and words[0] in common
    return any(word in common for word in words)


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

    def condition(self, parameter: str, place: Place = "case") -> str:
        """The SQL that asks the index."""
        ...

    def comments(self, holds: str, parameter: str | None) -> str:
        """The SQL for cases with a comment `t` for which a fragment holds; it has a word of that query if any."""
        ...


class _Fts5:
    def words(self, fields: Sequence[str], words: Sequence[str], *, phrase: bool, prefix: bool, operator: str) -> str:
        columns = "{" + " ".join(fields) + "}"
        if phrase:
            return f"{columns} : {quoted(words)}" + (" *" if prefix else "")
        parts = [f"{columns} : {quoted([word])}" for word in words]
        if prefix:
            parts[-1] += " *"
        return "(" + f" {operator} ".join(parts) + ")"

    def whole(self, value: str, *, prefix: bool) -> str:
        return f"{{keywords}} : {quoted([value])}" + (" *" if prefix else "")

    def either(self, queries: Sequence[str]) -> str:
        return "(" + " OR ".join(queries) + ")"

    def condition(self, parameter: str, place: Place = "case") -> str:
        if place == "case":
            return f"c.pk IN (SELECT rowid FROM case_words WHERE case_words MATCH :{parameter})"
        found = f"FROM part_words WHERE part_words MATCH :{parameter}"
        if place == "values":
            return f"c.pk IN (SELECT rowid / {ROWS_PER_CASE} {found})"
        # The sign has it compared row by row: as a way into the index it would meet the MATCH that chose the rows.
        return f"+t.row IN (SELECT rowid {found})"

    def comments(self, holds: str, parameter: str | None) -> str:
        source = f"rowid % {ROWS_PER_CASE} < {FIRST_VALUE}" if parameter is None else f"part_words MATCH :{parameter}"
        rows = f"(SELECT rowid AS row FROM part_words WHERE {source}) t"
        return f"c.pk IN (SELECT t.row / {ROWS_PER_CASE} FROM {rows} WHERE {holds})"


class _Tsquery:
    _WEIGHTS = {"title": "A", "description": "B", "observable": "A", "custom_field": "B", "comment": ""}
    _COLUMNS: dict[Place, str] = {"case": "c.words", "values": "c.value_words", "comment": "t.words"}

    def words(self, fields: Sequence[str], words: Sequence[str], *, phrase: bool, prefix: bool, operator: str) -> str:
        weights = "".join(self._WEIGHTS[field] for field in fields)
        parts = [f"{lexeme(word)}:{weights}" if weights else lexeme(word) for word in words]
        if prefix:
            parts[-1] = f"{lexeme(words[-1])}:{weights}*"
        sign = " <-> " if phrase else " & " if operator == "AND" else " | "
        return "(" + sign.join(parts) + ")"

    def whole(self, value: str, *, prefix: bool) -> str:
        return f"{lexeme(value)}:C" + ("*" if prefix else "")

    def either(self, queries: Sequence[str]) -> str:
        return "(" + " | ".join(queries) + ")"

    def condition(self, parameter: str, place: Place = "case") -> str:
        return f"{self._COLUMNS[place]} @@ CAST(CAST(:{parameter} AS text) AS tsquery)"

    def comments(self, holds: str, parameter: str | None) -> str:
        # What a query of all words would say again costs less to leave out: each part has the index at its disposal.
        return f"c.id IN (SELECT t.case_id FROM attachment t WHERE t.words IS NOT NULL AND {holds})"


class _Compiler:
    def __init__(self, search: Search, where: Where, spelling: _Spelling) -> None:
        self._operator = search.operator
        self._where = where
        self._spelling = spelling
        every = search.fields is None
        self._texts = [name for name in ("title", "description") if every or name in (search.fields or ())]
        self._keywords = every or "keyword" in (search.fields or ())
        self._numbers = every or "number" in (search.fields or ())
        self._values = [name for name in ("observable", "custom_field") if name in (search.fields or ())]
        self._count = 0

    def node(self, node: Node) -> str:
        if isinstance(node, Not):
            return f"NOT ({self.node(node.inner)})"
        if isinstance(node, Several):
            return "(" + f" {node.operator} ".join(self.node(part) for part in node.parts) + ")"
        return self._leaf(node)

    def _queries(self, node: Term | Phrase) -> list[str]:
        """What the word index is asked for one word or phrase."""
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
        return queries

    def _leaf(self, node: Term | Phrase) -> str:
        queries = self._queries(node)
        prefix = isinstance(node, Term) and node.prefix
        conditions = []
        if queries:
            conditions.append(self._spelling.condition(self._named("words", self._spelling.either(queries))))
        if self._values and (words := value_words(node.text)):
            # A value is a whole, such as an address: the parts of what is looked for stand in it as they were written.
            query = self._spelling.words(self._values, words, phrase=True, prefix=prefix, operator=self._operator)
            conditions.append(self._spelling.condition(self._named("values", query), "values"))
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


class _CommentCompiler(_Compiler):
    """The tree as a condition on one comment `t`; `queries` gathers what it asks for."""

    def __init__(self, search: Search, where: Where, spelling: _Spelling) -> None:
        super().__init__(search, where, spelling)
        self.queries: list[str] = []

    def _leaf(self, node: Term | Phrase) -> str:
        words = split(node.text)[:_MOST_WORDS]
        if not words:
            return "1 = 0"
        prefix, phrase = isinstance(node, Term) and node.prefix, isinstance(node, Phrase)
        query = self._spelling.words(("comment",), words, phrase=phrase, prefix=prefix, operator=self._operator)
        self.queries.append(query)
        return self._spelling.condition(self._named("comment", query), "comment")


class _OneMatch(_Compiler):
    """The tree in the language of FTS5 alone."""

    def whole(self, node: Node) -> str | None:
        """The query; None when a part cannot be said in it: what is excluded, and running numbers."""
        if isinstance(node, Not):
            return None
        if isinstance(node, Several):
            parts = [self.whole(part) for part in node.parts]
            known = [part for part in parts if part is not None]
            return "(" + f" {node.operator} ".join(known) + ")" if len(known) == len(parts) else None
        prefix = isinstance(node, Term) and node.prefix
        if self._numbers and self._number(node.text.strip(), prefix=prefix):
            return None
        queries = self._queries(node)
        return self._spelling.either(queries) if queries else None
