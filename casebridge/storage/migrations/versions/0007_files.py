"""Records of files and the cases they belong to. There were none before, so nothing is filled in.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
DOC = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
BIG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "file",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("space", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("file_kind", "file", ["space", "kind", "number"])
    op.create_table(
        "file_link",
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("file_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "file_id"),
    )
    op.create_index("file_link_file", "file_link", ["file_id"])
