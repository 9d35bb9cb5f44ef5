"""Titles of any length: the index to sort by them holds their first 300 characters, which always fit.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.drop_index("cases_owner_title", table_name="cases")
    op.create_index("cases_owner_title", "cases", ["space", "owner", sa.text("substr(title, 1, 300)"), "pk"])
