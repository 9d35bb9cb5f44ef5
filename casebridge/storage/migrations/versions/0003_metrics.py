"""A column for the mean time to resolve, and an index for walks over a space in order of creation.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Forward."""
    op.add_column("cases", sa.Column("duration", BIG))
    known = "doc ->> 'duration_s'"
    op.execute(f"UPDATE cases SET duration = CAST({known} AS bigint) WHERE {known} IS NOT NULL")
    op.create_index(
        "cases_duration",
        "cases",
        ["space", "owner", "created_at", "duration"],
        postgresql_where=sa.text("duration IS NOT NULL"),
        sqlite_where=sa.text("duration IS NOT NULL"),
    )
    op.create_index("cases_walk", "cases", ["space", "pk"])
