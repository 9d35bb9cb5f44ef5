"""The words of a failure: which system, what could not be done, why; and never a secret in them."""

from __future__ import annotations

import base64
import html
import itertools
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec

REDACTED = "[redacted]"
LONGEST_REASON = 1_000
_SHORT = 6
"""Secrets shorter than this are taken out only where they stand as words of their own."""


class Scrubber:
    """Takes secrets and their encoded forms out of texts."""

    def __init__(self, secrets: Mapping[str, Any]) -> None:
        self._secrets = list(_texts(secrets))

    def __repr__(self) -> str:
        return "<Scrubber>"

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        """Every form of every secret. Long keys make it costly, so it is made when something went wrong."""
        forms = {form for form in _forms(self._secrets) if form.strip()}
        patterns = [_pattern(form) for form in sorted(forms, key=len, reverse=True)]
        return re.compile("|".join(patterns)) if patterns else None

    def __call__(self, text: str) -> str:
        """The text with every secret replaced."""
        return text if self._pattern is None else self._pattern.sub(REDACTED, text)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)


def _forms(secrets: list[str]) -> Iterable[str]:
    pairs = [f"{one}:{two}" for one, two in itertools.permutations(secrets, 2)]
    for plain in [*secrets, *pairs]:
        yield from (plain, quote(plain), quote(plain, safe=""), quote_plus(plain), html.escape(plain))
        yield msgspec.json.encode(plain).decode()[1:-1]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(plain.encode()).decode()
            yield from (encoded, encoded.rstrip("="))


def _pattern(form: str) -> str:
    escaped = re.escape(form)
    return rf"(?<!\w){escaped}(?!\w)" if len(form) < _SHORT else escaped


def failure(label: str, doing: str, error: str, reason: str | None = None) -> str:
    """The message of a failure: `[Action][Jira]: Unable to create incident. Error: … Reason: …`."""
    text = f"[Action][{label}]: Unable to {doing}. Error: {sentence(error)}"
    return f"{text} Reason: {sentence(reason)}" if reason and reason.strip() else text


def sentence(text: str) -> str:
    """A text that ends like one, on one line and not endless."""
    flat = " ".join(text.split())
    flat = flat if len(flat) <= LONGEST_REASON else f"{flat[:LONGEST_REASON]}…"
    return flat if flat.endswith((".", "!", "?", "…")) else f"{flat}."


def readable(text: str) -> str:
    """A system's own text, or nothing where it is a page of markup."""
    return "" if re.search(r"<\s*(!doctype|html|head|body|\?xml)\b", text, re.IGNORECASE) else text
