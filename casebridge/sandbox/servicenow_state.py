"""What the simulated ServiceNow remembers: rows of its tables, notes of their journals, observables."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from casebridge.sandbox.journal import Journal
from casebridge.sandbox.servicenow_catalogue import JOURNAL_FIELDS, TABLES


class Note(msgspec.Struct, frozen=True):
    """An entry of a journal field. It cannot be changed."""

    sys_id: str
    element_id: str
    table: str
    element: str
    value: str
    at: datetime


class Row(msgspec.Struct):
    """One record. `values` holds every column but the journal fields; all values are texts."""

    sys_id: str
    table: str
    values: dict[str, str]
    created: datetime
    updated: datetime
    mod_count: int = 0
    observables: list[dict[str, str]] = []

    @property
    def number(self) -> str:
        """The name people use, such as INC0010001."""
        return self.values["number"]


class Book(msgspec.Struct):
    """Everything there is, oldest first, with the journal of requests."""

    rows: dict[str, Row] = {}
    notes: list[Note] = []
    journal: Journal = msgspec.field(default_factory=Journal)
    next_id: int = 1
    numbers: dict[str, int] = {}

    def new_id(self) -> str:
        """A sys_id: 32 hexadecimal digits, the same ones in every run."""
        self.next_id += 1
        return hashlib.md5(str(self.next_id).encode(), usedforsecurity=False).hexdigest()

    def find(self, table: str, sys_id: str) -> Row | None:
        """A row by its sys_id."""
        row = self.rows.get(sys_id)
        return row if row is not None and row.table == table else None

    def add(self, table: str, at: datetime) -> Row:
        """A new row with the values that a table gives by itself."""
        number = self.numbers.get(table, 10_000) + 1
        self.numbers[table] = number
        named = {"number": f"{TABLES[table].prefix}{number:07d}"}
        row = Row(self.new_id(), table, {**TABLES[table].defaults, **named}, at, at)
        self.rows[row.sys_id] = row
        return row

    def change(self, row: Row, changes: dict[str, str], at: datetime) -> list[Note]:
        """Set columns; journal fields get a new entry each. Columns that are not there are ignored without a word."""
        added = [
            Note(self.new_id(), row.sys_id, row.table, name, changes[name], at)
            for name in JOURNAL_FIELDS
            if changes.get(name)
        ]
        known = {name: value for name, value in changes.items() if name in TABLES[row.table].columns}
        if added or any(row.values.get(name, "") != value for name, value in known.items()):
            row.values.update(known)
            row.updated, row.mod_count = at, row.mod_count + 1
        self.notes += added
        return added

    def notes_of(self, sys_id: str, element: str = "work_notes") -> list[Note]:
        """The entries of a journal field, oldest first."""
        return [note for note in self.notes if note.element_id == sys_id and note.element == element]


def time_text(at: datetime) -> str:
    """A moment as ServiceNow writes it: to the second, in UTC, without a zone."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def shown(row: Row, base: str, user: str) -> dict[str, Any]:
    """A row as the Table API shows it: journal fields are empty, references are objects."""
    values: dict[str, Any] = {
        **dict.fromkeys(TABLES[row.table].columns, ""),
        **dict.fromkeys(JOURNAL_FIELDS, ""),
        **row.values,
        "sys_id": row.sys_id,
        "sys_class_name": row.table,
        "sys_created_on": time_text(row.created),
        "sys_updated_on": time_text(row.updated),
        "sys_created_by": user,
        "sys_updated_by": user,
        "sys_mod_count": str(row.mod_count),
    }
    for name in ("caller_id", "opened_by"):
        if values.get(name):
            link = f"{base}/api/now/v2/table/sys_user/{values[name]}"
            values[name] = {"link": link, "value": values[name]}
    return values
