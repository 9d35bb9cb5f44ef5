"""Every route of the API, gathered from its rooms: the one place to add a room."""

from __future__ import annotations

from casebridge.api import (
    attachments,
    cases,
    configure,
    connectors,
    files,
    internal_cases,
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
    *files.ROUTES,
    *user_actions.ROUTES,
    *push.ROUTES,
)
