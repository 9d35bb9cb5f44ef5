"""Checks of texts that several nouns share: lengths count after trimming, in characters (contract README 11)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from casebridge.domain.errors import InvalidInput

KEY = re.compile(r"[a-z0-9_-]+")


def check_length(field: str, text: str, most: int, least: int = 1) -> None:
    """InvalidInput unless `text` has between `least` and `most` characters when trimmed."""
    length = len(text.strip())
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
