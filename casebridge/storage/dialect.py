"""How the statements of one change are spelled for PostgreSQL: numbered parameters, and one statement for all.

Pure functions over SQL text, remembered per text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

CONFLICT_STATE = "CB001"
REMEMBERED_TEXT = 32_768  # longer statements, such as a bulk insert, are spelled anew each time

_TOKEN = re.compile(
    r"""(?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|--[^\n]*|/\*.*?\*/|::)"""
    r"|:(?P<name>[A-Za-z_]\w*)",
    re.DOTALL,
)
_RETURNING = re.compile(r"\bRETURNING\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)


class Statement(msgspec.Struct, frozen=True):
    """A statement taken apart: `pieces` are text, or the position in `names` of the parameter that stands there."""

    pieces: tuple[str | int, ...]
    names: tuple[str, ...]
    text: str
    writes: bool
    returns: bool

    def text_from(self, first: int) -> str:
        """The statement with its parameters numbered from `$first`; `text` is that from `$1`."""
        return _numbered(self.pieces, first)

    def arguments(self, params: Mapping[str, Any]) -> list[Any]:
        """The values in the order of their numbers."""
        return [params[name] for name in self.names]


class Composed(msgspec.Struct, frozen=True):
    """One statement that does several: its text, and the parts it was made of."""

    text: str
    parts: tuple[Statement, ...]


def statement(sql: str) -> Statement:
    """The statement taken apart."""
    return _remembered_statement(sql) if len(sql) <= REMEMBERED_TEXT else take_apart(sql)


def compose(texts: Sequence[str], guarded: Sequence[bool]) -> Composed:
    """One statement that does them all, in this order, and raises CONFLICT_STATE when a guarded one touched no row.

    Its single row has a JSON array of the rows returned, or null, in the column of each write that returns any.
    """
    if sum(map(len, texts)) <= REMEMBERED_TEXT:
        return _remembered_composition(tuple(texts), tuple(guarded))
    return put_together(texts, guarded)


def take_apart(sql: str) -> Statement:
    """Find `:name` parameters, leaving quoted text, comments and `::` casts alone."""
    pieces: list[str | int] = []
    names: list[str] = []
    bare: list[str] = []
    end = 0
    for token in _TOKEN.finditer(sql):
        bare.append(sql[end : token.start()])
        name = token["name"]
        if name is None:
            pieces.append(sql[end : token.end()])
        else:
            if name not in names:
                names.append(name)
            pieces += (sql[end : token.start()], names.index(name))
        end = token.end()
    pieces.append(sql[end:])
    bare.append(sql[end:])
    outside = " ".join(bare)
    writes = not outside.lstrip().upper().startswith("SELECT") and _WRITES.search(outside) is not None
    returns = not writes or _RETURNING.search(outside) is not None
    return Statement(tuple(pieces), tuple(names), _numbered(pieces, 1), writes, returns)


def put_together(texts: Sequence[str], guarded: Sequence[bool]) -> Composed:
    """See `compose`. Each part is asked for in the final SELECT, which is what makes PostgreSQL run them in order."""
    parts = tuple(statement(text) for text in texts)
    heads, columns = [], []
    first = 1
    for number, (part, guard) in enumerate(zip(parts, guarded, strict=True)):
        text = part.text_from(first).strip().rstrip(";")
        first += len(part.names)
        returning = "" if part.returns else " RETURNING 1 AS touched"
        heads.append(f"w{number} AS {'' if part.writes else 'MATERIALIZED '}({text}\n{returning})")
        rows = f"json_agg(w{number})" if part.returns else "to_json(count(*))"
        if guard:
            rows = f"CASE WHEN count(*) = 0 THEN raise_conflict({number}) ELSE {rows} END"
        columns.append(f"(SELECT {rows} FROM w{number})")
    return Composed(f"WITH {', '.join(heads)} SELECT {', '.join(columns)}", parts)


def _numbered(pieces: Iterable[str | int], first: int) -> str:
    return "".join(piece if isinstance(piece, str) else f"${piece + first}" for piece in pieces)


_remembered_statement = lru_cache(maxsize=1024)(take_apart)
_remembered_composition = lru_cache(maxsize=512)(put_together)
