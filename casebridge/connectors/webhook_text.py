"""Templates, addresses and answers of the webhook connector: what is put in where, and what is read out again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

_VARIABLE = re.compile(r"\{\{\{\s*([\w.]+)\s*\}\}\}|\{\{&?\s*([\w.]+)\s*\}\}")


def rendered(template: str, values: Mapping[str, str]) -> str:
    """The template with its variables replaced, each once; an unknown one becomes nothing. Nothing is escaped.

    >>> rendered('{"summary": {{{case.title}}}}', {"case.title": encoded('say "{{{case.id}}}"')})
    '{"summary": "say \\\\"{{{case.id}}}\\\\""}'
    """
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], ""), template)


def encoded(value: Any) -> str:
    """A value as JSON text."""
    return msgspec.json.encode(value).decode()


def normalised(url: str) -> str:
    """A URL without double slashes in its path and without a slash at its end."""
    plain = url.removesuffix("/")
    scheme, mark, rest = plain.partition("://")
    path, question, query = rest.partition("?")
    return f"{scheme}{mark}{re.sub('/{2,}', '/', path)}{question}{query}"


def value_at(answer: Any, path: str) -> Any:
    """The value at a path such as `data.issues[0].id`; None where there is none."""
    seen = answer
    for name in re.findall(r"[^.\[\]]+", path):
        if isinstance(seen, list) and name.isdigit():
            seen = seen[int(name)] if int(name) < len(seen) else None
        else:
            seen = seen.get(name) if isinstance(seen, dict) else None
    return seen
