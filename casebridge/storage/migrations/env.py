"""What Alembic runs: the revisions, on the connection it was handed. The transaction is the caller's."""

from __future__ import annotations

from typing import Any

from alembic import context

from casebridge.storage.schema import SQLITE_ONLY, metadata

_POSTGRESQL_ONLY = {
    "cases_tags", "cases_assignees", "cases_words", "cases_value_words", "attachment_words", "audit_event_unsealed",
}  # fmt: skip


def belongs(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    """Whether a table or index of the schema is one of this database's."""
    if context.get_context().dialect.name == "sqlite":
        if kind == "table" and reflected and name is not None and name.startswith(("case_words", "part_words")):
            # The virtual tables and those that FTS5 keeps behind them.
            return False
        return not (kind == "index" and name in _POSTGRESQL_ONLY)
    return not (kind == "table" and name in SQLITE_ONLY)


context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, include_object=belongs)
context.run_migrations()
