"""Connectors on the wire (contract connectors.md 1, 5a, 8, configure.md 1.1 and 5)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from casebridge.domain.connector import NO_CONNECTOR
from casebridge.wire.connectors import (
    CaseConnectorShape,
    ConfigureConnectorShape,
    ConnectorShape,
    CreateConnector,
    LegacyConnectorShape,
    OldConfigureConnectorShape,
    SentConnector,
    UpdateConnector,
)
from tests.builders import a_connector

EXACT: dict[str, dict[str, Any]] = {
    ".jira": {"issueType": "1", "priority": None, "parent": None},
    ".servicenow": {"severity": "1", "urgency": None, "impact": None, "category": None, "subcategory": None},
    ".servicenow-sir": {
        "category": None, "subcategory": None, "priority": "1",
        "destIp": True, "sourceIp": None, "malwareHash": False, "malwareUrl": None,
    },
    ".resilient": {"incidentTypes": ["1"], "severityCode": None},
    ".swimlane": {"caseId": "SPT-1"},
    ".thehive": {"tlp": 2},
}  # fmt: skip
OPTIONAL = {
    ".jira": "otherFields",
    ".servicenow": "additionalFields",
    ".servicenow-sir": "additionalFields",
    ".resilient": "additionalFields",
}
NULL_ONLY = (".none", ".cases-webhook")


def read(type_: str, fields: Any, **others: Any) -> Any:
    sent = {"id": "c-1", "name": "Desk", "type": type_, "fields": fields, **others}
    return msgspec.json.decode(msgspec.json.encode(sent), type=SentConnector)


def refuses(type_: str, fields: Any, **others: Any) -> bool:
    try:
        read(type_, fields, **others)
    except msgspec.ValidationError:
        return True
    return False


@pytest.mark.parametrize("type_", EXACT)
def test_fields_are_null_or_exactly_the_object_of_the_type(type_: str):
    assert read(type_, None).to_domain().fields is None
    assert read(type_, EXACT[type_]).to_domain().fields == EXACT[type_]
    for key in EXACT[type_]:
        assert refuses(type_, {name: value for name, value in EXACT[type_].items() if name != key}), key
    assert refuses(type_, {**EXACT[type_], "extra": None})
    assert refuses(type_, {})
    assert refuses(type_, [])
    assert refuses(type_, "")


@pytest.mark.parametrize(("type_", "key"), OPTIONAL.items())
def test_the_optional_key_comes_back_only_if_it_was_sent(type_: str, key: str):
    for value in ("{}", None):
        assert read(type_, {**EXACT[type_], key: value}).to_domain().fields == {**EXACT[type_], key: value}
    assert refuses(type_, {**EXACT[type_], key: {}})


@pytest.mark.parametrize("type_", NULL_ONLY)
def test_types_without_fields_take_null_alone(type_: str):
    assert read(type_, None)
    assert refuses(type_, {})


@pytest.mark.parametrize(
    ("type_", "key", "value"),
    [
        (".jira", "priority", 1),
        (".servicenow", "severity", 1),
        (".servicenow-sir", "destIp", "true"),
        (".servicenow-sir", "priority", 1),
        (".resilient", "incidentTypes", "1"),
        (".resilient", "incidentTypes", [1]),
        (".resilient", "severityCode", 4),
        (".swimlane", "caseId", 1),
        (".thehive", "tlp", True),
        (".thehive", "tlp", "amber"),
        (".thehive", "tlp", ""),
        (".thehive", "tlp", "2\n"),
        (".thehive", "tlp", 10**30),
    ],
)
def test_a_value_of_another_type_is_refused(type_: str, key: str, value: Any):
    assert refuses(type_, {**EXACT[type_], key: value})


@pytest.mark.parametrize("tlp", [0, 2, 2.5, "2", "-1", "2.5", None])
def test_thehive_takes_a_number_or_a_numeric_text_and_keeps_it_as_sent(tlp: Any):
    assert read(".thehive", {"tlp": tlp}).to_domain().fields == {"tlp": tlp}


@pytest.mark.parametrize("key", ["id", "name", "type", "fields"])
def test_all_four_keys_are_required(key: str):
    sent = {"id": "c-1", "name": "Desk", "type": ".jira", "fields": None}
    del sent[key]

    with pytest.raises(msgspec.ValidationError, match=key):
        msgspec.convert(sent, SentConnector)


@pytest.mark.parametrize("others", [{"extra": 1}, {"name": None}, {"id": 5}, {"type": ".email"}, {"type": ".JIRA"}])
def test_another_key_type_or_kind_is_refused(others: dict[str, Any]):
    assert refuses(".jira", None, **others)


def test_no_connector_reads_as_such_in_an_answer():
    assert msgspec.to_builtins(CaseConnectorShape.of(NO_CONNECTOR)) == {
        "id": "none", "name": "none", "type": ".none", "fields": None,
    }  # fmt: skip


# The actions API


def test_a_connector_never_shows_its_secrets_in_any_form():
    connector = a_connector(sealed=b"sealed-secret")

    for shape in (
        ConnectorShape.of(connector),
        LegacyConnectorShape.of(connector, 2),
        ConfigureConnectorShape.of(connector, 2),
        OldConfigureConnectorShape.of(connector, 2),
    ):
        said = msgspec.json.encode(shape)
        assert b"secrets" not in said.replace(b"is_missing_secrets", b"").replace(b"isMissingSecrets", b"")
        assert b"sealed" not in said


def test_each_address_spells_the_same_connector_its_own_way():
    connector = a_connector()

    assert msgspec.to_builtins(ConnectorShape.of(connector)) == {
        "id": "jira-1", "name": "Tracker", "connector_type_id": ".jira", "config": connector.config,
        "is_preconfigured": False, "is_deprecated": False, "is_missing_secrets": False, "is_system_action": False,
        "is_connector_type_deprecated": False,
    }  # fmt: skip
    assert msgspec.to_builtins(LegacyConnectorShape.of(connector)) == {
        "id": "jira-1", "name": "Tracker", "actionTypeId": ".jira", "config": connector.config,
        "isPreconfigured": False, "isDeprecated": False, "isMissingSecrets": False,
    }  # fmt: skip
    assert msgspec.to_builtins(ConfigureConnectorShape.of(connector, 2)) == {
        "id": "jira-1", "actionTypeId": ".jira", "name": "Tracker", "config": connector.config,
        "isPreconfigured": False, "isDeprecated": False, "isSystemAction": False, "isMissingSecrets": False,
        "referencedByCount": 2,
    }  # fmt: skip
    assert msgspec.to_builtins(OldConfigureConnectorShape.of(connector, 0)) == {
        "id": "jira-1", "actionTypeId": ".jira", "name": "Tracker", "config": connector.config,
        "isPreconfigured": False, "referencedByCount": 0,
    }  # fmt: skip


def test_the_number_of_references_is_shown_in_lists_only():
    assert "referenced_by_count" not in msgspec.to_builtins(ConnectorShape.of(a_connector()))
    assert msgspec.to_builtins(ConnectorShape.of(a_connector(), 0))["referenced_by_count"] == 0


def test_a_preconfigured_connector_hides_its_config_unless_exposed():
    hidden = a_connector(is_preconfigured=True, sealed=None)
    shown = a_connector(is_preconfigured=True, sealed=None, expose_config=True)

    for shape in (ConnectorShape.of(hidden), LegacyConnectorShape.of(hidden)):
        assert not {"config", "is_missing_secrets", "isMissingSecrets"} & set(msgspec.to_builtins(shape))
    assert msgspec.to_builtins(ConnectorShape.of(shown))["config"] == shown.config
    assert "config" not in msgspec.to_builtins(ConfigureConnectorShape.of(shown, 0))


def test_config_and_secrets_may_be_left_out_but_not_be_null_and_the_type_cannot_change():
    assert msgspec.convert({"name": "n", "connector_type_id": ".jira"}, CreateConnector).config == {}
    for body in (
        {"name": "n", "connector_type_id": ".jira", "config": None},
        {"name": "n", "connector_type_id": ".jira", "secrets": None},
        {"name": "n", "connector_type_id": ".jira", "id": "x"},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(body, CreateConnector)
    with pytest.raises(msgspec.ValidationError, match="connector_type_id"):
        msgspec.convert({"name": "n", "connector_type_id": ".jira"}, UpdateConnector)
