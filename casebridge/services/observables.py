"""Observables of cases: adding, editing, removing them, and cases that share some (contract cases.md 7, find.md 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from casebridge.domain.case import Case
from casebridge.domain.configuration import observable_labels
from casebridge.domain.errors import NotFound, VersionConflict
from casebridge.domain.observable import Observable, added, edited, observables_activity, removed, shared, usable
from casebridge.domain.query import Page
from casebridge.security.privileges import require
from casebridge.services.cases import check_budget, get, unit
from casebridge.services.ground import Asking, Ground
from casebridge.storage import cases, configurations, observables


class SimilarCase(msgspec.Struct, frozen=True):
    """A case and the observables it shares with the one asked about."""

    case: Case
    shared: list[Observable]


class SimilarCases(msgspec.Struct, frozen=True):
    """A page of similar cases and the number of all. `labels` maps type keys to labels.

    `is_comparable` is false when the case asked about has no observable that counts.
    """

    cases: Sequence[SimilarCase]
    total: int
    labels: Mapping[str, str]
    is_comparable: bool = True


async def add(
    ground: Ground, asking: Asking, case_id: str, *, type_key: str, value: str, description: str | None
) -> Case:
    """The case with a new observable, last of all."""
    now = ground.now()
    new = Observable(ground.new_id(), type_key, value, description, created_at=now)
    while True:
        case = await _load(ground, asking, case_id)
        after = added(case.observables, new, await _labels(ground, case))
        changed = await _save(ground, asking, case, after, "add", now)
        if changed is not None:
            return changed


async def edit(ground: Ground, asking: Asking, case_id: str, id_: str, *, value: str, description: str | None) -> Case:
    """The case with one of its observables changed."""
    now = ground.now()
    while True:
        case = await _load(ground, asking, case_id)
        after = edited(case.observables, id_, value=value, description=description, at=now)
        changed = await _save(ground, asking, case, after, "update", now)
        if changed is not None:
            return changed


async def remove(ground: Ground, asking: Asking, case_id: str, id_: str) -> None:
    """Take an observable out of a case."""
    now = ground.now()
    while True:
        case = await _load(ground, asking, case_id)
        if await _save(ground, asking, case, removed(case.observables, id_), "delete", now) is not None:
            return


async def _load(ground: Ground, asking: Asking, case_id: str) -> Case:
    case = await cases.get(ground.database, asking.space.id, case_id)
    if case is None:
        raise NotFound("cases", case_id)
    require(asking.actor, "updateCase", case.owner, asking.space)
    return case


async def _labels(ground: Ground, case: Case) -> dict[str, str]:
    return observable_labels(await configurations.of_owner(ground.database, case.space, case.owner))


async def _save(
    ground: Ground,
    asking: Asking,
    case: Case,
    after: tuple[Observable, ...],
    kind: Literal["add", "update", "delete"],
    at: datetime,
) -> Case | None:
    """The case as written, its `updated_*` untouched; None when it moved meanwhile, so that the caller looks again."""
    check_budget(case, 1)
    work = unit(ground, asking, at=at)
    work.update(case, msgspec.structs.replace(case, observables=after), [observables_activity(kind)])
    work.audit("case_update", "cases", [case.id])
    try:
        return (await work.save())[0]
    except VersionConflict:
        return None


async def find_similar(ground: Ground, asking: Asking, case_id: str, page: Page) -> SimilarCases:
    """One page of the other cases of the same owner that share an observable with this one, oldest first."""
    case = await get(ground, asking, case_id)
    labels = await _labels(ground, case)
    wanted = usable(case.observables, labels)
    if not wanted:
        return SimilarCases((), 0, labels, is_comparable=False)
    found, total = await observables.find_similar(ground.database, case, wanted, page)
    return SimilarCases([SimilarCase(each, shared(wanted, each.observables)) for each in found], total, labels)
