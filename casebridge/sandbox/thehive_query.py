"""The query language of the simulated TheHive: a list of operations, each on what the one before gave."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from casebridge.sandbox.thehive_rules import Refusal

Row = dict[str, Any]
Rows = list[Row]
_META = ("_id", "_type", "_createdBy", "_createdAt", "_updatedBy", "_updatedAt")
FIELDS: dict[str, tuple[str, ...]] = {
    "Case": (
        *_META, "number", "title", "description", "severity", "startDate", "tags", "flag", "tlp", "pap", "status",
        "stage", "summary", "assignee",
    ),
    "Comment": (*_META, "createdAt", "createdBy", "updatedAt", "message", "isEdited"),
}  # fmt: skip


def filtered(rows: Rows, condition: Row, kind: str) -> Rows:
    """The rows that meet the one condition of a `filter`."""
    test = condition_of({name: value for name, value in condition.items() if name != "_name"}, kind)
    return [each for each in rows if test(each)]


def condition_of(given: Any, kind: str) -> Callable[[Row], bool]:
    """A condition as a function of a row. Raises Refusal."""
    if not isinstance(given, dict) or len(given) != 1:
        raise Refusal(400, "filter: expected exactly one condition")
    ((name, value),) = given.items()
    if name in ("_and", "_or"):
        if not isinstance(value, list):
            raise Refusal(400, f"{name}: expected an array")
        parts = [condition_of(each, kind) for each in value]
        join = all if name == "_and" else any
        return lambda row: join(part(row) for part in parts)
    if name == "_not":
        inner = condition_of(value, kind)
        return lambda row: not inner(row)
    if name not in TESTS:
        raise Refusal(400, f"filter: unknown operator {name}")
    if name == "_has":
        field = known(value, kind)
        return lambda row: bool(held(row, field))
    if not isinstance(value, dict):
        raise Refusal(400, f"{name}: expected an object")
    field, test = known(value.get("_field"), kind), TESTS[name]
    return lambda row: any(test(each, value) for each in held(row, field))


def known(field: Any, kind: str) -> str:
    """The name of a field that rows of this kind can have. Raises Refusal."""
    if field not in FIELDS[kind]:
        raise Refusal(400, f"Unknown field {field} of {kind}")
    return str(field)


def held(row: Row, field: str) -> list[Any]:
    """The values of a field: none, one, or those of a list."""
    value = row.get(field, row.get(field.removeprefix("_")))
    return value if isinstance(value, list) else [] if value is None else [value]


def compared(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Row], bool]:
    """A test that compares with the `_value` of a condition."""

    def test(value: Any, condition: Row) -> bool:
        other = condition.get("_value")
        return type(value) is type(other) and holds(value, other)

    return test


def liked(value: Any, condition: Row) -> bool:
    """Whether a text fits a pattern in which `*` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in str(condition.get("_value")).split("*"))
    return re.fullmatch(pattern, str(value), re.IGNORECASE | re.DOTALL) is not None


TESTS: dict[str, Callable[[Any, Row], bool]] = {
    "_eq": lambda value, condition: value == condition.get("_value"),
    "_ne": lambda value, condition: value != condition.get("_value"),
    "_gt": compared(operator.gt),
    "_gte": compared(operator.ge),
    "_lt": compared(operator.lt),
    "_lte": compared(operator.le),
    "_between": lambda value, condition: condition.get("_from", value) <= value < condition.get("_to", value),
    "_in": lambda value, condition: value in condition.get("_values", ()),
    "_like": liked,
    "_match": lambda value, condition: str(condition.get("_value")).lower() in str(value).lower(),
    "_startsWith": lambda value, condition: str(value).startswith(str(condition.get("_value"))),
    "_has": lambda value, condition: True,
}


def arranged(rows: Rows, operation: Row, kind: str) -> Rows:
    """The rows in the order of the fields of a `sort`, the first one first."""
    fields = operation.get("_fields")
    if not isinstance(fields, list) or not all(isinstance(each, dict) and len(each) == 1 for each in fields):
        raise Refusal(400, "sort: _fields must be an array of objects with one key")
    for each in reversed(fields):
        ((field, order),) = each.items()
        if order not in ("asc", "desc"):
            raise Refusal(400, f"sort: expected asc or desc, got {order}")
        name = known(field, kind)
        rows = sorted(rows, key=lambda row: (held(row, name) or [0])[0], reverse=order == "desc")
    return rows


def paged(rows: Rows, operation: Row, longest: int | None) -> Rows:
    """The rows of a page."""
    first, end = operation.get("from"), operation.get("to")
    if not isinstance(first, int) or not isinstance(end, int) or not 0 <= first <= end:
        raise Refusal(400, "page: from and to must be numbers, from not beyond to")
    return rows[first : end if longest is None else min(end, first + longest)]


def answer(operations: Any, sources: dict[str, Callable[[Row], tuple[str, Rows]]], longest: int | None = None) -> Rows:
    """What a query gives. `sources` are the operations that begin one, and those that go on from one row.

    Raises Refusal.
    """
    if not isinstance(operations, list) or not operations:
        raise Refusal(400, "query: expected an array of operations")
    kind = ""
    rows: Rows = []
    for place, operation in enumerate(operations):
        name = operation.get("_name") if isinstance(operation, dict) else None
        if name in sources and (place == 0) == (name != "comments"):
            kind, rows = sources[name](rows[0] if name == "comments" and rows else operation)
        elif place and name == "filter":
            rows = filtered(rows, operation, kind)
        elif place and name == "sort":
            rows = arranged(rows, operation, kind)
        elif place and name == "page":
            rows = paged(rows, operation, longest)
        else:
            raise Refusal(400, f"Operation {name} is unknown or cannot stand here")
    return rows
