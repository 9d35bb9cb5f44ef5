"""Every page, gathered from its rooms: the one place to add a room. The order is that of the navigation."""

from __future__ import annotations

from casebridge.web import (
    admin,
    case,
    case_comments,
    case_parts,
    case_push,
    cases,
    configure,
    configure_lists,
    connectors,
    dashboard,
    deliveries,
    development,
    login,
    mentions,
    new_case,
    profile,
    sso,
)

PAGES = (
    *login.PAGES,
    *sso.PAGES,
    *cases.PAGES,
    *new_case.PAGES,
    *case.PAGES,
    *case_comments.PAGES,
    *case_push.PAGES,
    *case_parts.PAGES,
    *mentions.PAGES,
    *configure.PAGES,
    *configure_lists.PAGES,
    *connectors.PAGES,
    *deliveries.PAGES,
    *dashboard.PAGES,
    *admin.PAGES,
    *profile.PAGES,
    *development.PAGES,
)
