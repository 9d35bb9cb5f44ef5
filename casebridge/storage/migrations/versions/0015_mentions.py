"""Mentions of users in texts of cases, until they were seen.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "mention",
        sa.Column("username", TEXT, nullable=False),
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("comment_id", TEXT, nullable=False),
        sa.Column("space", TEXT, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("username", "case_id", "comment_id"),
    )
    op.create_index("mention_case", "mention", ["case_id"])
