"""Every route of the API, gathered from its rooms: the one place to add a room."""

from __future__ import annotations

from casebridge.api import (
    attachments,
    automation,
    cases,
    configure,
    connector_care,
    connectors,
    files,
    internal_cases,
    internal_user_actions,
    legacy_cases,
    legacy_comments,
    legacy_push,
    legacy_user_actions,
    metrics,
    openapi,
    push,
    spaces,
    status,
    user_actions,
    walk,
)

ROUTES = (
    *status.ROUTES,
    *openapi.ROUTES,
    *spaces.ROUTES,
    *configure.ROUTES,
    *connectors.ROUTES,
    *cases.ROUTES,
    *internal_cases.ROUTES,
    *walk.ROUTES,
    *attachments.ROUTES,
    *files.ROUTES,
    *user_actions.ROUTES,
    *internal_user_actions.ROUTES,
    *metrics.ROUTES,
    *push.ROUTES,
    *connector_care.ROUTES,
    *automation.ROUTES,
    *legacy_cases.ROUTES,
    *legacy_comments.ROUTES,
    *legacy_push.ROUTES,
    *legacy_user_actions.ROUTES,
)
