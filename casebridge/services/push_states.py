"""How cases stand with the external system of their connector, in one word each."""

from __future__ import annotations

from collections.abc import Sequence

from casebridge.domain.case import Case
from casebridge.domain.connector import NO_CONNECTOR_TYPE
from casebridge.domain.delivery import FAILED, QUEUED, SENDING, UNCERTAIN, WAITING
from casebridge.services.ground import Ground
from casebridge.storage import push_states
from casebridge.storage.push_states import PushFacts

NONE, NOT_PUSHED, IN_STEP, NEEDS_PUSH, UNDER_WAY, TROUBLE = (
    "none",
    "not-pushed",
    "in-step",
    "needs-push",
    "under-way",
    "failed",
)


async def list_of(ground: Ground, cases: Sequence[Case]) -> dict[str, str]:
    """By case id, one of the words above; the caller may read these cases."""
    connected = [case for case in cases if case.connector.type != NO_CONNECTOR_TYPE]
    facts = await push_states.find(ground.database, [case.id for case in connected]) if connected else None
    return {case.id: NONE if facts is None else state_of(case, facts) for case in cases}


def state_of(case: Case, facts: PushFacts) -> str:
    """How one case stands."""
    if case.connector.type == NO_CONNECTOR_TYPE:
        return NONE
    pair = (case.id, case.connector.id)
    state = facts.states.get(pair)
    if state in (FAILED, UNCERTAIN):
        return TROUBLE
    if state in (QUEUED, SENDING, WAITING):
        return UNDER_WAY
    pushed = case.external_service is not None and case.external_service.connector_id == case.connector.id
    read_point = facts.read_points.get(pair, 0)
    if not pushed and not read_point:
        return NOT_PUSHED
    return NEEDS_PUSH if read_point and facts.newest.get(case.id, 0) > read_point else IN_STEP
