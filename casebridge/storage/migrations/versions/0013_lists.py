"""An index for lists by status, whose cases are in order of creation.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_index("cases_owner_state", "cases", ["space", "owner", "status", "pk"])
