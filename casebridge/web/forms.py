"""What forms share: which refusals are shown beside what was typed, and names that are said in words."""

from __future__ import annotations

import re

from casebridge.domain.errors import Conflict, InvalidInput
from casebridge.domain.text import KEY

SHOWN_AGAIN = (InvalidInput, Conflict)
"""Refusals after which a form is shown again as it was filled in; all others become a page of their own."""


def label(name: str) -> str:
    """A name of a program as people write it.

    >>> label("issueType"), label("short_description"), label("caseName")
    ('Issue type', 'Short description', 'Case name')
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower()
    return spaced[:1].upper() + spaced[1:]


def key_for(name: str, taken: set[str], most: int) -> str:
    """A key that tells what it names, and is not taken; empty when the name has nothing a key may hold.

    >>> key_for("Ticket no. (old)", set(), 36), key_for("Host", {"host"}, 36), key_for("日付", set(), 36)
    ('ticket-no-old', 'host-2', '')
    """
    stem = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")[: most - 3]
    if not KEY.fullmatch(stem):
        return ""
    tries = (stem, *(f"{stem}-{number}" for number in range(2, 100)))
    return next((each for each in tries if each not in taken), "")


def entries(given: str) -> list[str]:
    """The parts of a text between commas, each once, none empty.

    >>> entries("phishing, vip,, phishing")
    ['phishing', 'vip']
    """
    return list(dict.fromkeys(each.strip() for each in given.split(",") if each.strip()))


def status_of(fault: Exception) -> int:
    """The status of a page that shows a form again."""
    return 409 if isinstance(fault, Conflict) else 400
