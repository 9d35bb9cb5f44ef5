"""What a push that succeeded leaves on a case, whoever sent it: this server, or a client of 7.10 that tells us."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from casebridge.domain.attachment import Attachment
from casebridge.domain.case import CLOSED, Case, ExternalService, with_status
from casebridge.domain.errors import Conflict
from casebridge.domain.user import Actor
from casebridge.domain.user_action import Activity
from casebridge.services import alert_sync
from casebridge.services.ground import Ground
from casebridge.storage import configurations
from casebridge.storage.unit import Unit


def closed_text(case: Case) -> str:
    """Why a closed case is not pushed."""
    return f"The case {case.title!r} is closed; reopen it before pushing it."


def require_open(case: Case) -> None:
    """Conflict when the case is closed."""
    if case.status == CLOSED:
        raise Conflict(closed_text(case))


async def closes_by_pushing(ground: Ground, case: Case) -> bool:
    """Whether the configuration of the case's owner closes cases that are pushed."""
    configuration = await configurations.of_owner(ground.database, case.space, case.owner)
    return configuration is not None and configuration.closes_by_pushing


async def outcome(
    ground: Ground, actor: Actor, case: Case, service: ExternalService, sent: Iterable[Attachment], *, closes: bool
) -> Unit:
    """The change that records a push: the case, those of the attachments `sent` that no push marked yet, activity.

    The alerts of a case that it closes are told, too.
    """
    now, by = service.pushed_at, service.pushed_by
    pushed = msgspec.structs.replace(case, external_service=service, updated_at=now, updated_by=by)
    activity = []
    if closes and case.status != CLOSED:
        pushed = with_status(pushed, CLOSED, by=by, at=now)
        activity.append(Activity("status", "update", {"status": CLOSED}))
    activity.append(Activity("pushed", "push_to_service", {"externalService": _payload(service)}))
    work = Unit(ground.database, actor, case.space, now, ground.new_id, by=by)
    work.update(case, pushed, activity)
    work.also(*await alert_sync.of_changes(ground, [(case, pushed)]))
    for each in sent:
        if each.pushed_at is None:
            work.replace_attachment(each, msgspec.structs.replace(each, pushed_at=now, pushed_by=by))
    work.audit("case_push", "cases", [case.id])
    return work


def _payload(service: ExternalService) -> dict[str, object]:
    """`external_service` with the keys of the wire, for the `pushed` record (push.md 4)."""
    shape = msgspec.to_builtins(service)
    by = service.pushed_by
    user: dict[str, object] = {"username": by.username, "full_name": by.full_name, "email": by.email}
    if by.profile_uid is not None:
        user["profile_uid"] = by.profile_uid
    at = service.pushed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**shape, "pushed_at": at, "pushed_by": user}
