"""Every page, gathered from its rooms: the one place to add a room. The order is that of the navigation."""

from __future__ import annotations

from casebridge.web import configure, configure_lists, development, login

PAGES = (
    *login.PAGES,
    *configure.PAGES,
    *configure_lists.PAGES,
    *development.PAGES,
)
