"""Mentions: `@username` in what people write, kept as the plain text it is."""

from __future__ import annotations

import re

MOST = 50
"""So many people of one text are told; more are a list, not a mention."""

NAME = r"@([A-Za-z0-9_](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?)(?![A-Za-z0-9_@])"
PATTERN = re.compile(rf"(?<![A-Za-z0-9_@./-]){NAME}")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


def mentioned(text: str) -> tuple[str, ...]:
    """User names that a text mentions, each once, in order; what stands in code does not count.

    >>> mentioned("@ada see `@code` and ask @bob.lund. Mail: a@b.example, @ada")
    ('ada', 'bob.lund')
    """
    if "@" not in text:
        return ()
    return tuple(dict.fromkeys(PATTERN.findall(_CODE.sub(" ", text))))[:MOST]
