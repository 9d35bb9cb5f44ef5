"""What documents of alerts are still to be told, and an index to count deliveries by state.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
DOC = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
BIG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "alert_update",
        sa.Column("space", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("index_name", TEXT, nullable=False),
        sa.Column("alert_id", TEXT, nullable=False),
        sa.Column("status", TEXT),
        sa.Column("cases", DOC, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("sent_version", BIG),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", BIG),
        sa.Column("lease_id", TEXT),
        sa.Column("lease_until", BIG),
        sa.Column("error", TEXT),
        sa.Column("updated_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("space", "digest"),
    )
    op.create_index("alert_update_due", "alert_update", ["space", "next_attempt_at"])
    op.create_index("delivery_state", "delivery", ["state"])
