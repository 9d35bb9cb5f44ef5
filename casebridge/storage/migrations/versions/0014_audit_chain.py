"""The chain of the audit trail: the place and digest of each sealed event, and the chain's head.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Forward."""
    op.add_column("audit_event", sa.Column("place", BIG))
    op.add_column("audit_event", sa.Column("digest", TEXT))
    is_placed = sa.text("place IS NOT NULL")
    op.create_index(
        "audit_event_place",
        "audit_event",
        ["place"],
        unique=True,
        postgresql_where=is_placed,
        sqlite_where=is_placed,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("audit_event_unsealed", "audit_event", ["seq"], postgresql_where=sa.text("NOT sealed"))
    op.create_table(
        "audit_chain",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("place", BIG, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("told", BIG, nullable=False),
        sa.Column("lease_id", TEXT),
        sa.Column("lease_until", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute(
        f"INSERT INTO audit_chain (id, place, digest, seq, told, lease_until) VALUES (1, 0, '{'0' * 64}', 0, 0, 0)"
    )
