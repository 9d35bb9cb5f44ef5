"""Encoded queries of the simulated ServiceNow, with its trap: a condition on an unknown field is dropped."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

_CONDITION = re.compile(
    r"(?P<name>[a-z_.]+?)(?P<sign>STARTSWITH|ISEMPTY|LIKE|IN|!=|>=|<=|=|>|<)(?P<value>.*)", re.DOTALL
)


class Condition(NamedTuple):
    """One comparison. With `is_or` it belongs to the one before it."""

    name: str
    sign: str
    value: str
    is_or: bool

    def holds(self, row: dict[str, Any]) -> bool:
        """Whether a row, as it is shown, meets it."""
        held = row.get(self.name)
        text = str(held["value"] if isinstance(held, dict) else "" if held is None else held)
        return SIGNS[self.sign](text, self.value)


SIGNS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda held, value: held.lower() == value.lower(),
    "!=": lambda held, value: held.lower() != value.lower(),
    ">": lambda held, value: held > value,
    ">=": lambda held, value: held >= value,
    "<": lambda held, value: held < value,
    "<=": lambda held, value: held <= value,
    "LIKE": lambda held, value: value.lower() in held.lower(),
    "STARTSWITH": lambda held, value: held.lower().startswith(value.lower()),
    "IN": lambda held, value: held in value.split(","),
    "ISEMPTY": lambda held, value: not held,
}


def select(
    rows: Sequence[dict[str, Any]], query: str, columns: Collection[str], *, strict: bool = False
) -> list[dict[str, Any]]:
    """The rows an encoded query finds, in its order; `columns` are those the table has.

    `strict`: a condition that cannot be read finds nothing (`glide.invalid_query.returns_no_rows`); else it is dropped.
    """
    found: list[dict[str, Any]] = []
    orders: list[tuple[str, bool]] = []
    for alternative in query.split("^NQ"):
        conditions, ordered, is_sound = parsed(alternative, columns)
        orders += ordered
        if strict and not is_sound:
            continue
        found += [row for row in rows if row not in found and meets(row, conditions)]
    for name, is_descending in reversed(orders):
        found.sort(key=lambda row: str(row.get(name) or ""), reverse=is_descending)
    return found


def parsed(query: str, columns: Collection[str]) -> tuple[list[Condition], list[tuple[str, bool]], bool]:
    """Conditions and orders of one alternative, and whether everything in it could be read."""
    conditions: list[Condition] = []
    orders: list[tuple[str, bool]] = []
    is_sound = True
    for part in query.replace("^^", "\0").split("^"):
        text = part.replace("\0", "^")
        order = re.fullmatch(r"ORDERBY(DESC)?(\w+)", text)
        if order is not None:
            orders.append((order[2], order[1] is not None))
            continue
        is_or = text.startswith("OR")
        read = _CONDITION.fullmatch(text.removeprefix("OR"))
        if read is not None and read["name"] in columns:
            conditions.append(Condition(read["name"], read["sign"], read["value"], is_or))
        elif text:
            is_sound = False
    return conditions, orders, is_sound


def meets(row: dict[str, Any], conditions: Sequence[Condition]) -> bool:
    """Whether a row meets every group of conditions that are joined by `^OR`."""
    groups: list[list[Condition]] = []
    for each in conditions:
        if each.is_or and groups:
            groups[-1].append(each)
        else:
            groups.append([each])
    return all(any(each.holds(row) for each in group) for group in groups)
