"""Custom fields of a case, one at a time (contract cases.md 5.1)."""

from __future__ import annotations

import msgspec

from casebridge.domain.custom_field import CustomFieldValue, FieldValue, changed_values, with_value
from casebridge.domain.errors import NotFound, VersionConflict
from casebridge.domain.user_action import Activity
from casebridge.domain.version import version_text
from casebridge.security.privileges import require
from casebridge.services.cases import check_budget, unit
from casebridge.services.ground import Asking, Ground
from casebridge.storage import cases, configurations


async def set_value(
    ground: Ground, asking: Asking, case_id: str, key: str, *, value: FieldValue, version: str
) -> CustomFieldValue:
    """The value as stored, now the first of the case; refusals in the order of cases.md 5.1."""
    case = await cases.get(ground.database, asking.space.id, case_id)
    if case is None:
        raise NotFound("cases", case_id)
    if version != version_text(case.version):
        raise VersionConflict("cases", case_id)
    require(asking.actor, "updateCase", case.owner, asking.space)
    configuration = await configurations.of_owner(ground.database, asking.space.id, case.owner)
    definitions = () if configuration is None else configuration.custom_fields
    values = with_value(case.custom_fields, definitions, key, value)
    activity = [
        Activity("customFields", "update", {"customFields": [msgspec.to_builtins(each)]})
        for each in changed_values(case.custom_fields, values)
    ]
    check_budget(case, len(activity))
    now = ground.now()
    changed = msgspec.structs.replace(case, custom_fields=values, updated_at=now, updated_by=asking.actor.user)
    work = unit(ground, asking, at=now)
    work.update(case, changed, activity)
    work.audit("case_update", "cases", [case.id])
    await work.save()
    return values[0]
