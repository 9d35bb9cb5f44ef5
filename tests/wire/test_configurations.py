"""Case configurations on the wire, today's form and that of 7.10 (contract configure.md, dialect-7.10.md 3)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from casebridge.domain.configuration import ObservableType
from casebridge.domain.connector import NO_CONNECTOR, CaseConnector
from casebridge.domain.errors import InvalidInput
from casebridge.wire.configurations import (
    CreateConfiguration,
    NoConfiguration,
    OldCreateConfiguration,
    OldUpdateConfiguration,
    UpdateConfiguration,
    configuration_shape,
    definitions,
    old_configuration_shape,
    templates,
)
from tests.builders import JIRA, OMAR, a_configuration, a_definition, a_template, later

NONE = {"id": "none", "name": "none", "type": ".none", "fields": None}
NEW: dict[str, Any] = {"owner": "cases", "closure_type": "close-by-user", "connector": NONE}
DEFINITION = {"key": "region", "label": "Region", "type": "text", "required": True}
VALUE = {"key": "region", "type": "text", "value": "EMEA"}
TEMPLATE = {"key": "phish", "name": "Phishing", "caseFields": None}


def create(**given: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode({**NEW, **given}), type=CreateConfiguration)


def update(**given: Any) -> Any:
    raw = msgspec.json.encode({"version": "WzQxLDFd", **given})
    return msgspec.json.decode(raw, type=UpdateConfiguration).to_domain()


def old_update(**given: Any) -> Any:
    raw = msgspec.json.encode({"version": "WzQxLDFd", **given})
    return msgspec.json.decode(raw, type=OldUpdateConfiguration).to_domain()


def shown(shape: Any) -> dict[str, Any]:
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(shape))
    return read


# Today's form


def test_a_bare_post_has_empty_lists():
    body = create()

    assert body.customFields == body.templates == body.observableTypes == []


@pytest.mark.parametrize("key", NEW)
def test_a_post_needs_connector_closure_type_and_owner(key: str):
    with pytest.raises(msgspec.ValidationError, match=key):
        msgspec.convert({name: value for name, value in NEW.items() if name != key}, CreateConfiguration)


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "x"},
        {"mappings": []},
        {"error": None},
        {"workflowTags": []},
        {"analytics_enabled": True},
        {"closure_type": "close-by-magic"},
        {"closure_type": None},
        {"connector": None},
        {"connector": {"id": "none", "name": "none", "type": ".none"}},
        {"connector": {**NONE, "fields": {}}},
        {"connector": {**NONE, "type": ".email"}},
        {"customFields": None},
        {"customFields": [{**DEFINITION, "extra": 1}]},
        {"customFields": [{**DEFINITION, "type": "date"}]},
        {"customFields": [{**DEFINITION, "required": "yes"}]},
        {"customFields": [{**DEFINITION, "defaultValue": 1}]},
        {"customFields": [{**DEFINITION, "type": "toggle", "defaultValue": "true"}]},
        {"customFields": [{**DEFINITION, "type": "number", "defaultValue": 1.5}]},
        {"customFields": [{name: value for name, value in DEFINITION.items() if name != "required"}]},
        {"templates": None},
        {"templates": [{**TEMPLATE, "extra": 1}]},
        {"templates": [{"key": "phish", "name": "Phishing"}]},
        {"templates": [{**TEMPLATE, "description": None}]},
        {"templates": [{**TEMPLATE, "caseFields": {"status": "open"}}]},
        {"templates": [{**TEMPLATE, "caseFields": {"owner": "cases"}}]},
        {"templates": [{**TEMPLATE, "caseFields": {"observables": []}}]},
        {"templates": [{**TEMPLATE, "caseFields": {"severity": "urgent"}}]},
        {"templates": [{**TEMPLATE, "caseFields": {"title": None}}]},
        {"templates": [{**TEMPLATE, "caseFields": {"settings": {"syncAlerts": True, "x": 1}}}]},
        {"templates": [{**TEMPLATE, "caseFields": {"assignees": [{"uid": "u", "x": 1}]}}]},
        {"templates": [{**TEMPLATE, "caseFields": {"customFields": [{**VALUE, "extra": 1}]}}]},
        {"observableTypes": None},
        {"observableTypes": [{"key": "a"}]},
        {"observableTypes": [{"key": "a", "label": "A", "x": 1}]},
    ],
)  # fmt: skip
def test_unknown_keys_at_any_depth_nulls_and_other_kinds_are_refused(odd: dict[str, Any]):
    for send in (create, update):
        with pytest.raises(msgspec.ValidationError):
            send(**odd)


def test_a_patch_needs_a_version_and_knows_no_owner():
    for body in ({"closure_type": "close-by-user"}, {"version": None}, {"version": "v", "owner": "cases"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(body, UpdateConfiguration)


def test_a_patch_knows_absent_from_empty():
    changes = update(customFields=[], observableTypes=[{"key": "iban", "label": "IBAN"}])

    assert changes.custom_fields == ()
    assert changes.observable_types == (ObservableType("iban", "IBAN"),)
    assert changes.templates is changes.connector is changes.closure_type is UNSET


@pytest.mark.parametrize(
    ("default", "kept"), [({}, UNSET), ({"defaultValue": None}, None), ({"defaultValue": "EMEA"}, "EMEA")]
)
def test_a_default_that_was_not_sent_stays_absent(default: dict[str, Any], kept: Any):
    (definition,) = definitions(create(customFields=[{**DEFINITION, **default}]).customFields)

    assert definition == a_definition(required=True, default=kept)
    assert shown(configuration_shape(a_configuration(custom_fields=(definition,))))["customFields"] == [
        {**DEFINITION, **default}
    ]


@pytest.mark.parametrize(
    "template",
    [
        TEMPLATE,
        {**TEMPLATE, "caseFields": {}},
        {**TEMPLATE, "description": "", "tags": []},
        {
            **TEMPLATE,
            "description": " not trimmed ",
            "caseFields": {
                "title": " T ",
                "category": None,
                "severity": "high",
                "tags": ["a", "a"],
                "assignees": [{"uid": "u"}, {"uid": "u"}],
                "settings": {"syncAlerts": False},
                "connector": {"id": "x", "name": "Kept", "type": ".none", "fields": None},
                "customFields": [{"key": "vip", "type": "toggle", "value": None}],
            },
        },
        {
            **TEMPLATE,
            "caseFields": {"connector": {"id": "j", "name": "J", "type": ".jira", "fields": JIRA.fields}},
        },
    ],
)
def test_a_template_reads_back_exactly_as_sent(template: dict[str, Any]):
    stored = a_configuration(templates=templates(create(templates=[template]).templates))

    assert shown(configuration_shape(stored))["templates"] == [template]


def test_a_bare_configuration_shows_every_key():
    assert shown(configuration_shape(a_configuration())) == {
        "id": "configuration-1",
        "version": "WzIwMiwxXQ==",
        "owner": "cases",
        "closure_type": "close-by-user",
        "connector": NONE,
        "customFields": [],
        "templates": [],
        "observableTypes": [],
        "mappings": [],
        "error": None,
        "created_at": "2024-05-17T08:03:59.120Z",
        "created_by": {"username": "dana", "full_name": "Dana Lee", "email": "dana@example.org"},
        "updated_at": None,
        "updated_by": None,
    }


# The form of 7.10


def test_the_old_form_shows_nine_keys_no_rows_for_tags_and_no_profiles():
    stored = a_configuration(
        connector=msgspec.structs.replace(JIRA, fields={**(JIRA.fields or {}), "otherFields": "{}"}),
        closure_type="close-by-pushing",
        custom_fields=(a_definition(),),
        templates=(a_template(),),
        version=203,
        updated_at=later(5),
        updated_by=OMAR,
    )

    assert shown(old_configuration_shape(stored)) == {
        "connector": {"id": "jira-1", "name": "Tracker", "type": ".jira", "fields": JIRA.fields},
        "closure_type": "close-by-pushing",
        "created_at": "2024-05-17T08:03:59.120Z",
        "created_by": {"email": "dana@example.org", "full_name": "Dana Lee", "username": "dana"},
        "updated_at": "2024-05-17T08:04:04.120Z",
        "updated_by": {"email": None, "full_name": "Omar Diaz", "username": "omar"},
        "mappings": [
            {"source": "title", "target": "summary", "action_type": "overwrite"},
            {"source": "description", "target": "description", "action_type": "overwrite"},
            {"source": "comments", "target": "comments", "action_type": "append"},
        ],
        "error": None,
        "version": "WzIwMywxXQ==",
    }


def test_no_configuration_is_an_empty_object_in_the_old_form():
    assert shown(NoConfiguration()) == {}


def test_a_connector_that_came_later_is_shown_as_it_is():
    hive = CaseConnector("h", "Hive", ".thehive", {"tlp": 2})

    read = shown(old_configuration_shape(a_configuration(connector=hive)))

    assert read["connector"] == {"id": "h", "name": "Hive", "type": ".thehive", "fields": {"tlp": 2}}
    assert [row["source"] for row in read["mappings"]] == ["title", "description", "comments"]


@pytest.mark.parametrize(
    ("type_", "sent", "stored"),
    [
        (".jira", None, None),
        (".jira", {"issueType": "1", "priority": "High"}, {"issueType": "1", "priority": "High", "parent": None}),
        (".jira", {}, {"issueType": None, "priority": None, "parent": None}),
        (".servicenow", None, None),
        (
            ".servicenow",
            {"urgency": "2"},
            {"urgency": "2", "severity": None, "impact": None, "category": None, "subcategory": None},
        ),
        (".resilient", None, None),
        (".resilient", {}, {"incidentTypes": None, "severityCode": None}),
        (".resilient", {"incidentTypes": ["1"], "severityCode": "4"}, {"incidentTypes": ["1"], "severityCode": "4"}),
        (".resilient", {"issueTypes": [1, "2"], "severityCode": 4}, {"incidentTypes": ["1", "2"], "severityCode": "4"}),
        (".resilient", {"incidentTypes": None}, {"incidentTypes": None, "severityCode": None}),
    ],
)
def test_missing_old_fields_are_null_and_numbers_become_text(type_: str, sent: Any, stored: Any):
    connector = old_update(connector={"id": "c", "name": "C", "type": type_, "fields": sent}).connector

    assert connector == CaseConnector("c", "C", type_, stored)


def test_no_connector_of_old_has_todays_form():
    assert old_update(connector={"id": "x", "name": "y", "type": ".none", "fields": None}).connector == NO_CONNECTOR


@pytest.mark.parametrize(
    "connector",
    [
        {**NONE, "fields": {}},
        {"id": "x", "name": "y", "type": ".none"},
        {"id": "x", "name": "y", "type": ".jira"},
        {"id": "x", "name": "y", "type": ".swimlane", "fields": None},
        {"id": "x", "name": "y", "type": ".thehive", "fields": None},
        {"id": "x", "name": "y", "type": ".jira", "fields": {"otherFields": "{}"}},
        {"id": "x", "name": "y", "type": ".servicenow", "fields": {"category": None}},
        {"id": "x", "name": "y", "type": ".resilient", "fields": {"severityCode": True}},
        {"id": "x", "name": "y", "type": ".resilient", "fields": {"severityCode": 10**30}},
        {"id": "x", "name": "y", "type": ".resilient", "fields": {"incidentTypes": [None]}},
        None,
    ],
)
def test_an_old_connector_needs_its_keys_and_knows_four_types(connector: Any):
    with pytest.raises(msgspec.ValidationError):
        old_update(connector=connector)


def test_both_names_of_the_resilient_list_at_once_are_refused():
    with pytest.raises(InvalidInput):
        old_update(
            connector={
                "id": "r", "name": "R", "type": ".resilient", "fields": {"incidentTypes": ["1"], "issueTypes": ["1"]},
            }
        )  # fmt: skip


@pytest.mark.parametrize(
    "odd", [{"owner": "securitySolution"}, {"id": "x"}, {"customFields": []}, {"templates": []}, {"mappings": []}]
)
def test_the_old_form_refuses_what_came_later(odd: dict[str, Any]):
    with pytest.raises(msgspec.ValidationError):
        old_update(**odd)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"connector": NONE, "closure_type": "close-by-user", **odd}, OldCreateConfiguration)


def test_an_old_patch_needs_its_version_alone_and_an_old_post_both_its_keys():
    assert old_update().connector is old_update().closure_type is UNSET
    for type_, body in (
        (OldUpdateConfiguration, {"closure_type": "close-by-user"}),
        (OldUpdateConfiguration, {"version": 5}),
        (OldCreateConfiguration, {"connector": NONE}),
        (OldCreateConfiguration, {"closure_type": "close-by-user"}),
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(body, type_)
