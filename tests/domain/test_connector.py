"""Connectors, and what a case names of one (contract connectors.md 2, cases.md 1.1)."""

from __future__ import annotations

from typing import Any

import pytest

from casebridge.domain.connector import CASE_CONNECTOR_TYPES, MAPPINGS, NO_CONNECTOR, CaseConnector
from tests.builders import JIRA, a_connector


@pytest.mark.parametrize(
    ("type_", "config", "is_deprecated"),
    [
        (".servicenow", {}, True),
        (".servicenow-sir", {"usesTableApi": True}, True),
        (".servicenow", {"usesTableApi": False}, False),
        (".jira", {}, False),
        (".jira", {"usesTableApi": True}, False),
    ],
)
def test_only_servicenow_through_the_table_api_is_deprecated(type_: str, config: dict[str, Any], is_deprecated: bool):
    assert a_connector(type=type_, config=config).is_deprecated is is_deprecated


def test_a_connector_keeps_the_name_that_was_sent_but_none_has_one_form():
    assert JIRA.normalised() is JIRA
    assert CaseConnector("x", "y", ".none").normalised() == NO_CONNECTOR == CaseConnector("none", "none", ".none", None)


def test_every_type_a_case_may_name_has_a_mapping():
    assert set(MAPPINGS) == {*CASE_CONNECTOR_TYPES, ".none"}
