"""Which cases have a value in a custom field: read from the case's document, row by row (find.md 2)."""

from __future__ import annotations

from typing import Literal

import msgspec

from casebridge.domain.query import ToggleFilter
from casebridge.storage.where import Where

_KINDS = {True: "true", False: "false", None: "null"}


def condition(wanted: ToggleFilter, number: int, where: Where, dialect: Literal["sqlite", "postgresql"]) -> str:
    """A fragment that is true for cases `c` with one of the values; `number` tells filters of one query apart."""
    has = _has_postgresql if dialect == "postgresql" else _has_sqlite
    if not wanted.values:
        return has(wanted.key, (), f"field_{number}", where)
    either = [has(wanted.key, tuple(dict.fromkeys(wanted.values)), f"field_{number}", where)]
    if None in wanted.values:
        # A case opened before the field was defined has no value either.
        either.append("NOT " + has(wanted.key, (), f"field_{number}_any", where))
    return f"({' OR '.join(either)})"


def _has_sqlite(key: str, values: tuple[bool | None, ...], name: str, where: Where) -> str:
    """The case has an entry of that key, with one of the values if any are given."""
    where.params[name] = key
    kinds = ", ".join(f"'{_KINDS[value]}'" for value in values)
    holds = f" AND json_type(f.value, '$.value') IN ({kinds})" if values else ""
    entries = "json_each(c.doc, '$.custom_fields') f"
    return f"EXISTS (SELECT 1 FROM {entries} WHERE f.value ->> '$.key' = :{name}{holds})"


def _has_postgresql(key: str, values: tuple[bool | None, ...], name: str, where: Where) -> str:
    entries = [{"key": key, "value": value} for value in values] or [{"key": key}]
    for number, entry in enumerate(entries):
        where.params[f"{name}_{number}"] = msgspec.json.encode({"custom_fields": [entry]}).decode()
    tests = [f"c.doc @> CAST(:{name}_{number} AS jsonb)" for number in range(len(entries))]
    return f"({' OR '.join(tests)})"
