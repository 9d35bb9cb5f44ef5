"""Links from alerts to the cases that hold them. No case held any before, so nothing is filled in.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "alert_link",
        sa.Column("space", TEXT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("created_at", BIG, autoincrement=False, nullable=False),
        sa.Column("case_pk", BIG, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("space", "digest", "owner", "created_at", "case_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("alert_link_case", "alert_link", ["case_pk"])
