"""A search text and what it asks for (contract find.md 1.3): a tolerant language in which nothing is an error.

The text becomes a tree of words, prefixes and phrases joined by and, or and not. What a word is made of, and where it
is looked for, is the store's business.
"""

from __future__ import annotations

import re
import uuid
from typing import Literal

import msgspec

MOST_TERMS = 64
"""Words beyond this many are left out, so that no text can ask for an unbounded amount of work."""

MOST_DEPTH = 12
"""Parentheses nested deeper than this count as blanks."""

MOST_LEVELS = 24
"""What would nest and, or and not deeper than this is left out: a database reads an expression only so deep."""

Operator = Literal["AND", "OR"]
SEARCH_FIELDS = {"title": "title", "description": "description", "incremental_id.text": "number"}
"""Name on the wire -> what the store calls it."""

ALL_SEARCH_FIELDS = {
    "title": "title",
    "description": "description",
    "cases.title": "title",
    "cases.description": "description",
    "cases.incremental_id.text": "number",
    "cases.observables.value": "observable",
    "cases.customFields.value": "custom_field",
    "cases-comments.comment": "comment",
    "cases-comments.alertId": "alert",
    "cases-comments.eventId": "event",
}
"""The same of `_search` (find.md 2)."""

MAIN_FIELDS = ("title", "description", "number")
"""Where `_search` looks when no fields are named."""


class Term(msgspec.Struct, frozen=True):
    """One word as it was written, still to be split into its parts; `prefix`: words that begin so."""

    text: str
    prefix: bool = False


class Phrase(msgspec.Struct, frozen=True):
    """Words in sequence."""

    text: str


class Not(msgspec.Struct, frozen=True):
    """Everything that the inner part does not match."""

    inner: Node


class Several(msgspec.Struct, frozen=True):
    """All (`AND`) or any (`OR`) of its parts; at least two."""

    operator: Operator
    parts: tuple[Node, ...]


Node = Term | Phrase | Not | Several


class Search(msgspec.Struct, frozen=True):
    """What to look for: a tree, the fields to look in (None: every text of a case), and a case's id if it is one.

    Fields are those of ALL_SEARCH_FIELDS, and `keyword` for all whole values: tags, status, observables, names of users
    and connectors. A comment must match as a whole by itself, an alert by its id alone; only those of `comment_owners`
    are looked at.

    `tree` None: nothing is left to look for, so nothing matches. `operator` combines the parts a word is split into.
    """

    tree: Node | None
    fields: tuple[str, ...] | None = None
    operator: Operator = "OR"
    case_id: str | None = None
    text: str = ""
    comment_owners: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that the text as a whole may be: as it is written, or what stands between its quotation marks."""
        quoted = (self.tree.text,) if isinstance(self.tree, Phrase) else ()
        return tuple(dict.fromkeys((self.text, *quoted)))


def read_search(text: str, operator: Operator = "OR", fields: tuple[str, ...] | None = None) -> Search | None:
    """The search a text asks for; None for a text of white space alone, which is as if absent."""
    stripped = text.strip()
    if not stripped:
        return None
    return Search(
        tree=_Parser(stripped, operator).read(),
        fields=fields,
        operator=operator,
        case_id=_uuid(stripped),
        text=stripped,
    )


def _uuid(text: str) -> str | None:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        return None
    return str(uuid.UUID(text))


def _levels(node: Node | None) -> int:
    """How deep a tree is nested: 0 for a word."""
    if isinstance(node, Not):
        return 1 + _levels(node.inner)
    return 1 + max(map(_levels, node.parts)) if isinstance(node, Several) else 0


class _Group:
    """What has been read of one pair of parentheses: operators bind from left to right, none before another."""

    def __init__(self, default: Operator) -> None:
        self._default = default
        self._next: Operator | None = None
        self._negate = False
        self._node: Node | None = None
        self._joined: Operator | None = None

    def operator(self, operator: Operator) -> None:
        self._next = operator

    def negate(self) -> None:
        self._negate = not self._negate

    def add(self, node: Node | None) -> None:
        """Take the next part; None, a part that says nothing, only uses up the signs before it."""
        operator, negate = self._next or self._default, self._negate
        self._next, self._negate = None, False
        if node is None:
            return
        part: Node = Not(node) if negate else node
        if max(_levels(part), _levels(self._node) + 1) > MOST_LEVELS:
            return
        if self._node is None:
            self._node = part
        elif isinstance(self._node, Several) and self._joined == operator:
            self._node = Several(operator, (*self._node.parts, part))
        else:
            self._node = Several(operator, (self._node, part))
            self._joined = operator

    @property
    def node(self) -> Node | None:
        return self._node


_SLOP = re.compile(r"~\d*")


class _Parser:
    def __init__(self, text: str, operator: Operator) -> None:
        self._text = text
        self._default = operator
        self._at = 0
        self._terms = 0

    def read(self) -> Node | None:
        """The tree of the whole text."""
        groups = [_Group(self._default)]
        ignored = 0
        while self._at < len(self._text):
            sign = self._text[self._at]
            if sign == "(":
                if len(groups) < MOST_DEPTH:
                    groups.append(_Group(self._default))
                else:
                    ignored += 1
                self._at += 1
            elif sign == ")":
                if ignored:
                    ignored -= 1
                elif len(groups) > 1:
                    inner = groups.pop()
                    groups[-1].add(inner.node)
                self._at += 1
            else:
                self._read_part(groups[-1], sign)
        while len(groups) > 1:
            inner = groups.pop()
            groups[-1].add(inner.node)
        return groups[0].node

    def _read_part(self, group: _Group, sign: str) -> None:
        if sign.isspace():
            self._at += 1
        elif sign == "|":
            group.operator("OR")
            self._at += 1
        elif sign == "+":
            group.operator("AND")
            self._at += 1
        elif sign == "-":
            group.negate()
            self._at += 1
        elif sign == '"':
            self._read_phrase(group)
        else:
            self._read_term(group)

    def _read_phrase(self, group: _Group) -> None:
        end = self._at + 1
        pieces = []
        while end < len(self._text) and self._text[end] != '"':
            if self._text[end] == "\\" and end + 1 < len(self._text):
                end += 1
            pieces.append(self._text[end])
            end += 1
        if end >= len(self._text):
            # A quotation mark without its partner is no sign.
            self._at += 1
            return
        slop = _SLOP.match(self._text, end + 1)
        self._at = slop.end() if slop else end + 1
        text = "".join(pieces)
        group.add(self._counted(Phrase(text)) if text.strip() else None)

    def _read_term(self, group: _Group) -> None:
        pieces: list[str] = []
        plain_end = 0
        while self._at < len(self._text):
            sign = self._text[self._at]
            if sign == "\\" and self._at + 1 < len(self._text):
                self._at += 1
                pieces.append(self._text[self._at])
                plain_end = len(pieces)
            elif sign.isspace() or sign in '|()"':
                break
            else:
                pieces.append(sign)
            self._at += 1
        # What follows the last escaped sign may end in signs of its own.
        kept, tail = "".join(pieces[:plain_end]), "".join(pieces[plain_end:])
        tail = re.sub(r"~\d*$", "", tail)
        prefix = tail.endswith("*")
        text = kept + (tail.rstrip("*") if prefix else tail)
        group.add(self._counted(Term(text, prefix)) if text else None)

    def _counted(self, node: Node) -> Node | None:
        self._terms += 1
        return node if self._terms <= MOST_TERMS else None
