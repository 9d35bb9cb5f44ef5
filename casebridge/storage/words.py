"""Words of a case, made once in Python for both databases, so that both find the same (contract find.md 1.3).

Texts are split as Unicode says (UAX #29); values of keyword-like fields are one word each, their blanks kept by a sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec
import regex

from casebridge.domain.case import Case

MOST_LETTERS = 255
"""Longer words are cut, in the index and in queries alike."""

_BOUNDARY = regex.compile(r"\b", regex.WORD | regex.V1)
_ASCII_WORD = re.compile(r"(?:[a-z0-9_]+(?:(?<=[a-z])[:.'](?=[a-z])|(?<=[0-9])[.,;'](?=[0-9]))?)+")
_JOINING = ":.,;'"
_ENDINGS = tuple(f"{sign} " for sign in _JOINING)
_JOINED = re.compile(f"[_{_JOINING}]")
_APART = bytes(code if chr(code).isalnum() or chr(code) in "_" + _JOINING else ord(" ") for code in range(256))
_BLANK_SIGN = "␣"


class CaseWords(msgspec.Struct, frozen=True):
    """The words of a case by where they stand; `keywords` are whole values."""

    title: tuple[str, ...]
    description: tuple[str, ...]
    keywords: tuple[str, ...]


def words_of(case: Case) -> CaseWords:
    """Every text a search without named fields looks at."""
    users = [user for user in (case.created_by, case.updated_by, case.closed_by) if user is not None]
    values = [*case.tags, case.category, case.connector.name, case.severity, case.status, case.owner]
    for user in users:
        values += [user.username, user.full_name, user.email]
    values += [each.value for each in case.custom_fields if isinstance(each.value, str)]
    values += [each.value for each in case.observables]
    if case.external_service is not None:
        values += [case.external_service.external_title, case.external_service.connector_name]
    return CaseWords(
        title=tuple(split(case.title)),
        description=tuple(split(case.description)),
        keywords=tuple(dict.fromkeys(keyword(value) for value in values if value and value.strip())),
    )


def split(text: str) -> list[str]:
    """The words of a text in order, letter case aside."""
    return _split_ascii(text) if text.isascii() else _split_any(text)


def _split_any(text: str) -> list[str]:
    pieces = _BOUNDARY.split(text.casefold())
    return [piece[:MOST_LETTERS] for piece in pieces if piece.isalnum() or _is_word(piece)]


def _split_ascii(text: str) -> list[str]:
    """The same in a fifth of the time: of all joining signs only a few are ASCII, and most end a word."""
    # A table of bytes is followed ten times faster than one of letters.
    apart = f"{text.lower()} ".encode("ascii").translate(_APART).decode("ascii")
    for ending in _ENDINGS:
        apart = apart.replace(ending, " ")
    if _JOINED.search(apart) is None:
        words = apart.split()
        if max(map(len, words), default=0) <= MOST_LETTERS:
            return words
    return [piece[:MOST_LETTERS] for piece in _ASCII_WORD.findall(apart) if piece.strip("_")]


def _is_word(piece: str) -> bool:
    """Whether a piece that is not all letters and digits holds any: blanks and signs between words do not."""
    return len(piece) > 1 and any(sign.isalnum() for sign in piece)


def keyword(value: str) -> str:
    """A whole value as one word."""
    return _short_keyword(value) if len(value) <= _SHORT else _keyword(value)


def _keyword(value: str) -> str:
    return _BLANK_SIGN.join(value.casefold().split())[:MOST_LETTERS]


_SHORT = 64
# Tags, names and severities come again and again; long values do not, and would fill the memory.
_short_keyword = lru_cache(maxsize=4096)(_keyword)


def texts(words: CaseWords) -> tuple[str, str, str]:
    """The words separated by blanks: what SQLite's index is given."""
    return " ".join(words.title), " ".join(words.description), " ".join(words.keywords)


_LAST_POSITION = 16_383
_GAP = 10


def vector(words: CaseWords) -> str:
    """The words as a `tsvector` literal of PostgreSQL, weights A, B, C for title, description and keywords."""
    return placed((("A", words.title), ("B", words.description), ("C", words.keywords)))


def placed(groups: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Weights and the words that have them as a `tsvector` literal; no words at all: the empty text."""
    places: dict[str, list[str]] = {}
    at = 0
    for weight, group in groups:
        for word in group:
            at = min(at + 1, _LAST_POSITION)
            found = places.setdefault(word, [])
            if len(found) < 200:
                found.append(f"{at}{weight}")
        # No phrase reaches from one text into the next.
        at = min(at + _GAP, _LAST_POSITION)
    return " ".join(f"{lexeme(word)}:{','.join(found)}" for word, found in places.items())


def lexeme(word: str) -> str:
    """A word between the quotation marks of a `tsvector` or `tsquery`."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def quoted(words: Iterable[str]) -> str:
    """Words between the quotation marks of FTS5: a phrase."""
    return '"' + " ".join(words).replace('"', '""') + '"'
