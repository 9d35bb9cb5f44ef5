"""A way of looking at the list of cases that somebody gave a name."""

from __future__ import annotations

import msgspec

from casebridge.domain.errors import InvalidInput
from casebridge.domain.text import check_length

NAME_MOST = 80
QUERY_MOST = 4_000
VIEWS_MOST = 100


class SavedView(msgspec.Struct, frozen=True):
    """`query` is what stands behind the question mark of the list's address; a shared view is for all in the space."""

    id: str
    username: str
    name: str
    shared: bool
    query: str


def check_view(view: SavedView) -> None:
    """InvalidInput when name or query break a rule."""
    check_length("name", view.name, NAME_MOST)
    if len(view.query) > QUERY_MOST:
        raise InvalidInput("query", f"at most {QUERY_MOST} characters are allowed, given {len(view.query)}.")
