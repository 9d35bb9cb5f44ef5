"""Connector types are found by being there."""

from __future__ import annotations

import pytest

from casebridge.connectors import registry
from casebridge.connectors.jira import Jira


def test_a_type_is_found_without_being_listed_anywhere():
    assert registry.types()[".jira"] is Jira
    assert registry.get(".jira") is Jira


def test_an_unknown_type_is_a_key_error():
    with pytest.raises(KeyError):
        registry.get(".odd")


def test_two_types_cannot_have_one_id():
    with pytest.raises(ValueError, match=r"\.jira is declared twice"):
        registry.register(type("Second", (Jira,), {}))
    assert registry.get(".jira") is Jira


def test_a_type_that_does_not_say_what_it_is_cannot_be_registered():
    with pytest.raises(ValueError, match="type_id, label"):
        registry.register(type("Silent", (registry.ConnectorType,), {}))


def test_the_given_mapping_is_a_copy():
    registry.types().clear()
    assert registry.types()
