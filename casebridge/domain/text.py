"""Checks of texts that several nouns share: lengths count after trimming, in characters (contract README 11)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from casebridge.domain.errors import InvalidInput

KEY = re.compile(r"[a-z0-9_-]+")

WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""The characters Unicode calls white space. `str.strip` alone would also take the control characters 1C to 1F, which
belong to a text (contract README 3)."""


def trimmed(text: str) -> str:
    """The text without white space at both ends.

    >>> trimmed(" a b\\n")
    'a b'
    """
    return text.strip(WHITE_SPACE)


def check_length(field: str, text: str, most: int, least: int = 1) -> None:
    """InvalidInput unless `text` has between `least` and `most` characters when trimmed."""
    length = len(trimmed(text))
    if length < least:
        raise InvalidInput(field, "must not be empty or only white space.")
    if length > most:
        raise InvalidInput(field, f"at most {most} characters are allowed, given {length}.")


def check_key(field: str, key: str, most: int) -> None:
    """InvalidInput unless `key` is 1 to `most` of a-z, 0-9, _ and -."""
    check_length(field, key, most)
    if not KEY.fullmatch(key):
        raise InvalidInput(field, f"{key!r} may hold only lower-case letters, digits, _ and -.")


def check_count(field: str, values: Sequence[object], most: int) -> None:
    """InvalidInput when a list is longer than `most`, counted as sent."""
    if len(values) > most:
        raise InvalidInput(field, f"at most {most} entries are allowed, given {len(values)}.")


def repeated(values: Iterable[str]) -> list[str]:
    """The values that occur more than once, each once, in order of their repetition."""
    seen: set[str] = set()
    again: dict[str, None] = {}
    for value in values:
        if value in seen:
            again[value] = None
        seen.add(value)
    return list(again)
