"""Route of the audit trail: events newest first, by cursor (superusers only)."""

from __future__ import annotations

from datetime import datetime

from casebridge.api.routing import Call, Route
from casebridge.domain import limits
from casebridge.domain.cursor import cursor_text, read_cursor
from casebridge.domain.date_expression import read_date
from casebridge.domain.errors import InvalidInput
from casebridge.services import audit_trail
from casebridge.storage.audit import Wanted
from casebridge.wire.audit import LONGEST, AuditEventShape, AuditQuery, AuditStep


async def _find(call: Call) -> AuditStep:
    query: AuditQuery = call.query
    if not 1 <= query.limit <= limits.WALK_SIZE:
        raise InvalidInput("limit", f"expected 1 to {limits.WALK_SIZE}, given {query.limit}.")
    before = None if query.cursor is None else read_cursor(query.cursor)
    found = await audit_trail.find(call.ground, call.asking, _wanted(call, query), before, query.limit)
    return AuditStep(
        events=[AuditEventShape.of(each.seq, each.doc, each.place, each.digest) for each in found.records],
        next_cursor=None if found.before is None else cursor_text(found.before),
    )


def _wanted(call: Call, query: AuditQuery) -> Wanted:
    texts = {
        "user": query.user, "action": query.action, "objectType": query.objectType, "objectId": query.objectId,
        "space": query.space,
    }  # fmt: skip
    for name, text in texts.items():
        if text is not None and len(text) > LONGEST:
            raise InvalidInput(name, f"at most {LONGEST} characters are allowed, given {len(text)}.")
    return Wanted(
        user=query.user,
        action=query.action,
        outcome=query.outcome,
        object_type=query.objectType,
        object_id=query.objectId,
        space=query.space,
        from_=_time(call, "from", query.from_, upper=False),
        to=_time(call, "to", query.to, upper=True),
    )


def _time(call: Call, name: str, text: str | None, *, upper: bool) -> datetime | None:
    return None if text is None else read_date(name, text, call.ground.now(), upper=upper)


ROUTES = (
    Route(
        "GET", "/api/casebridge/audit", _find,
        name="findAuditEvents", summary="Events of the audit trail, newest first", tag="audit",
        query=AuditQuery, answer=AuditStep, errors=(403,),
    ),
)  # fmt: skip
