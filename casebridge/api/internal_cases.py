"""Internal routes of cases: several by id, one custom field, observables, similar cases, categories."""

from __future__ import annotations

from functools import wraps
from typing import Any

from msgspec import UnsetType

from casebridge.api.routing import Call, Handler, Route
from casebridge.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from casebridge.domain.query import Page, check_page
from casebridge.services import cases, custom_fields, observables
from casebridge.wire.cases import CaseShape, CustomFieldShape, OwnersQuery, case_shape
from casebridge.wire.internal_cases import (
    AddObservable,
    BulkGet,
    CasesByIdsShape,
    CustomFieldPut,
    EditObservable,
    SimilarCasesPage,
    SimilarQuery,
    cases_by_ids,
    similar_case,
)


async def _bulk_get(call: Call) -> CasesByIdsShape:
    body: BulkGet = call.body
    found = await cases.get_many(call.ground, call.asking, body.ids)
    return cases_by_ids(found.cases, found.unknown, found.forbidden)


async def _categories(call: Call) -> list[str]:
    return await cases.list_categories(call.ground, call.asking, call.query.owner)


async def _put_custom_field(call: Call) -> CustomFieldShape:
    body: CustomFieldPut = call.body
    stored = await custom_fields.set_value(
        call.ground,
        call.asking,
        call.path["case_id"],
        call.path["custom_field_id"],
        value=body.value,
        version=body.caseVersion,
    )
    return CustomFieldShape(key=stored.key, type=stored.type, value=stored.value)


def _refusing_with_400(handler: Handler) -> Handler:
    """The routes of observables answer whatever they refuse with 400, as upstream does (cases.md 7)."""

    @wraps(handler)
    async def answer(call: Call) -> Any:
        try:
            return await handler(call)
        except (NotFound, Forbidden, Conflict) as refused:
            raise InvalidInput("", str(refused)) from refused

    return answer


@_refusing_with_400
async def _add_observable(call: Call) -> CaseShape:
    body: AddObservable = call.body
    case = await observables.add(
        call.ground,
        call.asking,
        call.path["case_id"],
        type_key=body.observable.typeKey,
        value=body.observable.value,
        description=body.observable.description,
    )
    return case_shape(case)


@_refusing_with_400
async def _edit_observable(call: Call) -> CaseShape:
    body: EditObservable = call.body
    case = await observables.edit(
        call.ground,
        call.asking,
        call.path["case_id"],
        call.path["observable_id"],
        value=body.observable.value,
        description=body.observable.description,
    )
    return case_shape(case)


@_refusing_with_400
async def _remove_observable(call: Call) -> None:
    await observables.remove(call.ground, call.asking, call.path["case_id"], call.path["observable_id"])


async def _similar(call: Call) -> SimilarCasesPage:
    body: SimilarQuery = call.body
    number = 1 if isinstance(body.page, UnsetType) else body.page
    size = None if isinstance(body.perPage, UnsetType) else body.perPage
    page = check_page(number, Page().size if size is None else size)
    found = await observables.find_similar(call.ground, call.asking, call.path["case_id"], page)
    if not found.is_comparable:
        return SimilarCasesPage(cases=[], page=1, per_page=size or 0, total=0)
    return SimilarCasesPage(
        cases=[similar_case(each.case, each.shared, found.labels) for each in found.cases],
        page=page.number,
        per_page=page.size,
        total=found.total,
    )


_TAG = "cases"
_CASE = "/internal/cases/{case_id}"

ROUTES = (
    Route(
        "POST", "/internal/cases/_bulk_get", _bulk_get,
        name="bulkGetCases", summary="Several cases by their ids", tag=_TAG,
        body=BulkGet, answer=CasesByIdsShape, errors=(403,),
    ),
    Route(
        "GET", "/internal/cases/categories", _categories,
        name="getCategories", summary="Categories in use", tag=_TAG,
        query=OwnersQuery, answer=list[str], errors=(403,),
    ),
    Route(
        "PUT", f"{_CASE}/custom_fields/{{custom_field_id}}", _put_custom_field,
        name="putCustomField", summary="Set one custom field of a case", tag=_TAG,
        body=CustomFieldPut, answer=CustomFieldShape, errors=(403, 404, 409),
    ),
    Route(
        "POST", f"{_CASE}/observables", _add_observable,
        name="addObservable", summary="Add an observable to a case", tag=_TAG, body=AddObservable, answer=CaseShape,
    ),
    Route(
        "PATCH", f"{_CASE}/observables/{{observable_id}}", _edit_observable,
        name="updateObservable", summary="Change an observable of a case", tag=_TAG,
        body=EditObservable, answer=CaseShape,
    ),
    Route(
        "DELETE", f"{_CASE}/observables/{{observable_id}}", _remove_observable,
        name="deleteObservable", summary="Take an observable out of a case", tag=_TAG, status=204,
    ),
    Route(
        "POST", f"{_CASE}/_similar", _similar,
        name="findSimilarCases", summary="Other cases of the owner that share an observable", tag=_TAG,
        body=SimilarQuery, answer=SimilarCasesPage, errors=(403, 404),
    ),
)  # fmt: skip
