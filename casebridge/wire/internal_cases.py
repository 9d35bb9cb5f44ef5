"""What the internal routes of cases take and answer (contract cases.md 2.4, 5.1, 7; find.md 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from casebridge.domain.case import Case
from casebridge.domain.observable import Observable
from casebridge.wire.base import Body, Shape
from casebridge.wire.cases import CaseShape, case_shape


class BulkGet(Body):
    """Body of `_bulk_get`: 1 to 1,000 ids."""

    ids: list[str]


class CaseError(Shape):
    """Why one id is not among the cases."""

    caseId: str
    error: Literal["Not Found", "Forbidden"]
    message: str
    status: Literal[404, 403]


class CasesByIdsShape(Shape):
    """Answer of `_bulk_get`: cases in the order asked; unknown ids first among the errors."""

    cases: list[CaseShape]
    errors: list[CaseError]


def cases_by_ids(found: Iterable[Case], unknown: Iterable[str], forbidden: Iterable[Case]) -> CasesByIdsShape:
    """The answer from what was found and what was not, or may not be read."""
    missing = [
        CaseError(caseId=each, error="Not Found", message=f"[cases/{each}] is unknown", status=404) for each in unknown
    ]
    refused = [
        CaseError(
            caseId=each.id,
            error="Forbidden",
            message=f'Unauthorized to access case with owners: "{each.owner}"',
            status=403,
        )
        for each in forbidden
    ]
    return CasesByIdsShape(cases=[case_shape(each) for each in found], errors=[*missing, *refused])


class CustomFieldPut(Body):
    """Body of `PUT …/custom_fields/{custom_field_id}`."""

    value: str | bool | int | None
    caseVersion: str


class NewObservable(Body):
    typeKey: str
    value: str
    description: str | None


class AddObservable(Body):
    """Body of `POST …/observables`."""

    observable: NewObservable


class ChangedObservable(Body):
    value: str
    description: str | None


class EditObservable(Body):
    """Body of `PATCH …/observables/{observable_id}`."""

    observable: ChangedObservable


class SimilarQuery(Body):
    """Body of `_similar`; one page of 20 when nothing is sent."""

    page: int | UnsetType = UNSET
    perPage: int | UnsetType = UNSET


class SharedObservable(Shape):
    typeKey: str
    typeLabel: str
    value: str


class Similarities(Shape):
    observables: list[SharedObservable]


class SimilarCaseShape(CaseShape, kw_only=True):
    """A case and what it has in common with the one asked about."""

    similarities: Similarities


class SimilarCasesPage(Shape):
    """A page of similar cases, oldest first."""

    cases: list[SimilarCaseShape]
    page: int
    per_page: int
    total: int


def similar_case(case: Case, shared: Sequence[Observable], labels: Mapping[str, str]) -> SimilarCaseShape:
    """The case as `_similar` answers it: upstream does not compute its totals here."""
    observables = [
        SharedObservable(typeKey=each.type_key, typeLabel=labels[each.type_key], value=each.value) for each in shared
    ]
    shape = case_shape(case, (), totalComment=0, totalAlerts=0)
    return SimilarCaseShape(**msgspec.structs.asdict(shape), similarities=Similarities(observables=observables))
