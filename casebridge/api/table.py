"""Every route of the API, gathered from its rooms: the one place to add a room."""

from __future__ import annotations

from casebridge.api import (
    attachments,
    cases,
    configure,
    connectors,
    internal_cases,
    legacy_cases,
    legacy_comments,
    legacy_push,
    legacy_user_actions,
    openapi,
    push,
    spaces,
    status,
    user_actions,
)

ROUTES = (
    *status.ROUTES,
    *openapi.ROUTES,
    *spaces.ROUTES,
    *configure.ROUTES,
    *connectors.ROUTES,
    *cases.ROUTES,
    *internal_cases.ROUTES,
    *attachments.ROUTES,
    *user_actions.ROUTES,
    *push.ROUTES,
    *legacy_cases.ROUTES,
    *legacy_comments.ROUTES,
    *legacy_push.ROUTES,
    *legacy_user_actions.ROUTES,
)
