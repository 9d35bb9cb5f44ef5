"""Roles, keys and profiles, and the number that changes with every change of who may do what.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
DOC = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
BIG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "role",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "api_key",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("api_key_user", "api_key", ["username", "created_at"])
    op.create_table(
        "profile",
        sa.Column("uid", TEXT, nullable=False),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("uid"),
    )
    op.create_index("profile_user", "profile", ["username"], unique=True)
    op.execute("INSERT INTO meta (key, value) VALUES ('access', '0')")
