"""Browser sessions, and saved views of the list of cases. There were none before, so nothing is filled in.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
DOC = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
BIG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "session",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("seen_at", BIG, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("session_user", "session", ["username", "seen_at"])
    op.create_table(
        "saved_view",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("space", TEXT, nullable=False),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("query", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("saved_view_name", "saved_view", ["space", "username", "name"], unique=True)
    op.create_index("saved_view_space", "saved_view", ["space", "shared"])
