"""Denied attempts in the audit trail: who was refused what, and who could not sign in."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from casebridge.domain.errors import CasebridgeError, Forbidden
from casebridge.domain.user import Actor, User
from casebridge.security.authentication import Credential, Credentials, KeyCredentials
from casebridge.services.ground import Asking, Ground
from casebridge.storage import audit
from casebridge.storage.session import Write

_log = structlog.get_logger(__name__)


async def note_denied(ground: Ground, asking: Asking, refused: Forbidden, ids: Sequence[str]) -> None:
    """A caller was refused an operation; `ids` are what the request named."""
    event = audit.event_write(
        refused.operation,
        asking.actor,
        asking.space.id,
        refused.kind,
        list(ids),
        ground.now(),
        outcome="failure",
        category="iam" if refused.kind == "security" else "database",
        owners=list(refused.owners),
    )
    await _write(ground, event)


async def note_failed_sign_in(
    ground: Ground, shown: Credential, *, address: str | None, request_id: str | None
) -> None:
    """Somebody showed credentials that let nobody in; a user name is noted as it was shown."""
    if isinstance(shown, KeyCredentials):
        username, kind, ids = None, "api_key", [shown.id[:_LONGEST]]
    elif isinstance(shown, Credentials):
        username, kind, ids = shown.username[:_LONGEST], "user", []
    else:
        # A session that has ended is no attempt to break in.
        return
    actor = Actor(User(username, None, None), (), address, request_id)
    event = audit.event_write(
        "sign_in", actor, None, kind, ids, ground.now(), outcome="failure", category="authentication"
    )
    await _write(ground, event)


async def _write(ground: Ground, event: Write) -> None:
    """The refusal stands whether or not it can be noted; that it could not is logged."""
    try:
        await ground.database.commit([event])
    except CasebridgeError as error:
        _log.warning("a denied attempt is missing in the audit trail", reason=str(error))


_LONGEST = 256
