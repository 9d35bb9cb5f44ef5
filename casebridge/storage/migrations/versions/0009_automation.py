"""Automation of owners, and deliveries that gather changes. There were none before, so nothing is filled in.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
DOC = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
BIG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "automation",
        sa.Column("space", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("space", "owner"),
    )
    op.add_column("delivery", sa.Column("gathers", sa.SmallInteger()))
    op.create_index(
        "delivery_gathering",
        "delivery",
        ["case_id", "connector_id"],
        unique=True,
        postgresql_where=sa.text("gathers = 1"),
        sqlite_where=sa.text("gathers = 1"),
    )
