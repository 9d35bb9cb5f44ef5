"""What each error becomes on the wire (contract README 4)."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from casebridge.api.errors import REASONS, STATUS, error_body, render, status_of
from casebridge.api.routing import Call, Route
from casebridge.domain import errors
from casebridge.domain.errors import (
    Conflict,
    ConnectorError,
    Forbidden,
    InvalidInput,
    LimitExceeded,
    NotFound,
    NothingChanged,
    PushFailed,
    StorageUnavailable,
    Unauthenticated,
    VersionConflict,
)

CASES: list[tuple[Exception, int, str]] = [
    (InvalidInput("title", "is bad."), 400, "title: is bad."),
    (LimitExceeded("tags", 200, 201, "tags"), 400, "201"),
    (Unauthenticated(), 401, "credentials"),
    (Forbidden("getCase", ["cases"], what="access case"), 403, 'Unauthorized to access case with owners: "cases"'),
    (NotFound("cases", "c-1"), 404, "[cases/c-1]"),
    (NothingChanged(), 406, "nothing"),
    (Conflict("Not now."), 409, "Not now."),
    (VersionConflict("cases", ["a", "b"]), 409, "[cases/a], [cases/b]"),
    (PushFailed("The desk is closed."), 424, "The desk is closed."),
    (ConnectorError("No answer.", code="timeout"), 424, "No answer."),
]


@pytest.mark.parametrize(("error", "status", "words"), CASES)
def test_each_refusal_has_its_status_and_keeps_its_words(error: Exception, status: int, words: str):
    answer = render(error, "r-1", "GET /")
    assert (answer.status, answer.body.statusCode, answer.body.error) == (status, status, REASONS[status])
    assert words in answer.body.message


def test_everything_that_can_be_refused_has_a_status():
    refusals = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each not in (errors.Refused,)]
    for refused in refusals:
        if issubclass(refused, errors.Refused):
            assert any(each in STATUS for each in refused.__mro__), refused


def test_what_nobody_foresaw_is_500_without_internals():
    answer = render(KeyError("secret_column"), "r-77", "GET /api/x")
    assert answer.status == 500
    assert "secret" not in answer.body.message
    assert "r-77" in answer.body.message


def test_an_unavailable_store_is_503_without_its_address():
    answer = render(StorageUnavailable("PostgreSQL at db.internal cannot be used"), "r-1", "GET /")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert "db.internal" not in answer.body.message


def test_a_subclass_has_the_status_of_its_nearest_ancestor():
    class Away(StorageUnavailable): ...

    assert status_of(Away("x")) == 503
    assert status_of(ValueError("x")) == 500


def test_a_message_is_never_empty():
    assert error_body(409, "").message


async def _fails(call: Call) -> None:
    raise CASES[int(call.path["number"])][0]


async def _breaks(call: Call) -> None:
    raise RuntimeError("secret")


async def _unencodable(call: Call) -> object:
    return object()


ROUTES = (
    Route(
        "GET", "/api/fails/{number}", _fails, name="fails", summary="", tag="", status=204, errors=(403, 406, 409, 424)
    ),
    Route("GET", "/api/breaks", _breaks, name="breaks", summary="", tag="", status=204),
    Route("GET", "/api/strange", _unencodable, name="strange", summary="", tag="", status=204),
)


async def test_errors_of_handlers_reach_the_client_in_the_one_body(serve: Any, connect: Any):
    async with connect(serve(ROUTES)) as client:
        for number, (_, status, _words) in enumerate(CASES):
            response = await client.get(f"/api/fails/{number}")
            assert response.status_code == status
            assert set(response.json()) == {"statusCode", "error", "message"}


async def test_faults_of_ours_are_answered_too(serve: Any, connect: Any):
    async with connect(serve(ROUTES)) as client:
        for path in ("/api/breaks", "/api/strange"):
            response = await client.get(path)
            assert response.status_code == 500
            assert "secret" not in response.text


async def test_a_store_that_is_away_is_503_before_anybody_signs_in(serve: Any, connect: Any, database: Any):
    async with connect(serve(ROUTES)) as client:
        await database.close()
        response = await client.get("/api/breaks")
        assert response.status_code == 503
        assert response.headers["retry-after"] == "5"
