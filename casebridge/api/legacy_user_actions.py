"""The route of a case's activity as 7.10 and 7.11 knew it (contract dialect-7.10.md 7)."""

from __future__ import annotations

from casebridge.api.routing import Call, Route
from casebridge.services import legacy
from casebridge.wire.legacy_user_actions import OldUserAction, old_user_actions


async def _list(call: Call) -> list[OldUserAction]:
    return old_user_actions(await legacy.list_user_actions(call.ground, call.asking, call.path["case_id"]))


ROUTES = (
    Route(
        "GET", "/api/cases/{case_id}/user_actions", _list,
        name="listUserActionsOf710", summary="All activity of a case, old and new values as texts",
        tag="cases of 7.10", dialect="7.10", answer=list[OldUserAction], errors=(403,),
    ),
)  # fmt: skip
