"""What refusals say to whoever reads them (contract README 4)."""

from __future__ import annotations

import pytest

from casebridge.domain import errors
from casebridge.domain.errors import (
    CasebridgeError,
    Conflict,
    ConnectorError,
    Forbidden,
    InvalidInput,
    LimitExceeded,
    NotFound,
    NothingChanged,
    PushFailed,
    Refused,
    StorageUnavailable,
    Unauthenticated,
    VersionConflict,
)


@pytest.mark.parametrize("error", [NotFound, VersionConflict])
def test_a_message_names_every_object_in_brackets(error: type[NotFound | VersionConflict]):
    assert "[cases-configure/a]" in str(error("cases-configure", "a"))
    said = error("cases", (each for each in ("a", "b")))
    assert "[cases/a]" in str(said)
    assert "[cases/b]" in str(said)
    assert said.ids == ("a", "b")


def test_invalid_input_begins_with_the_path_if_there_is_one():
    assert str(InvalidInput("cases[0].title", "too long.")) == "cases[0].title: too long."
    assert str(InvalidInput("", "The body is no JSON.")) == "The body is no JSON."


def test_a_passed_limit_names_the_limit_and_what_was_asked_for():
    said = str(LimitExceeded("case-1", 10_000, 10_001, "user actions"))

    assert all(word in said for word in ("case-1", "10000", "10001", "user actions"))


def test_a_forbidden_message_names_the_operation_and_the_owners():
    assert str(Forbidden("updateCase", ["cases"])) == 'Unauthorized to updateCase with owners: "cases"'
    assert "of any owner" in str(Forbidden("getCase"))
    assert "update case" in str(Forbidden("updateCase", what="update case"))


def test_the_tree_is_the_one_that_the_module_draws():
    refused = {NotFound, InvalidInput, LimitExceeded, NothingChanged, Conflict, VersionConflict, Forbidden}
    refused |= {Unauthenticated, PushFailed}

    assert all(issubclass(each, Refused) for each in refused)
    assert issubclass(LimitExceeded, InvalidInput)
    assert issubclass(VersionConflict, Conflict)
    assert not issubclass(ConnectorError, Refused)
    assert not issubclass(StorageUnavailable, Refused)
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert all(issubclass(each, CasebridgeError) for each in classes)
    assert all(each.__name__ in (errors.__doc__ or "") for each in classes)


def test_a_connector_error_keeps_its_decision_beside_its_text():
    fault = ConnectorError("Too many requests", code="unavailable", retry_after_s=7.5, status=429)

    assert str(fault) == fault.message == "Too many requests"
    assert (fault.permanent, fault.unknown, fault.retry_after_s, fault.status) == (False, False, 7.5, 429)
