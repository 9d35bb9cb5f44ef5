"""Settings of connectors that are ours alone, and how connectors are.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
DOC = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
BIG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "connector_settings",
        sa.Column("space", TEXT, nullable=False),
        sa.Column("connector_id", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("space", "connector_id"),
    )
    op.create_table(
        "connector_health",
        sa.Column("space", TEXT, nullable=False),
        sa.Column("connector_id", TEXT, nullable=False),
        sa.Column("faults", sa.Integer(), nullable=False),
        sa.Column("probe_at", BIG),
        sa.Column("last_success_at", BIG),
        sa.Column("last_error", DOC),
        sa.PrimaryKeyConstraint("space", "connector_id"),
    )
