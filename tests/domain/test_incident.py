"""What a push sends of a case (contract push.md 2)."""

from __future__ import annotations

from typing import Any

import pytest

from casebridge.domain.connector import CaseConnector
from casebridge.domain.incident import (
    AcceptedComment,
    OutgoingComment,
    alert_total,
    comment_text,
    describe,
    due_comments,
    incident_fields,
)
from casebridge.domain.user import User
from tests.builders import AT, DANA, JIRA, OMAR, a_case, a_user_comment, an_action, an_alert

BASE = "https://cases.example.org/"


def last_author(updated_by: User | None, created_by: User) -> User:
    return updated_by or created_by


def due(*attachments: Any, revisions: Any, accepted: Any = ()) -> Any:
    return due_comments(attachments, revisions, {each.comment_id: each for each in accepted}, last_author)


# The incident


def fields_of(type_: str, fields: dict[str, Any] | None) -> dict[str, Any]:
    case = a_case(connector=CaseConnector("desk", "Desk", type_, fields))
    return incident_fields(case, type_, OMAR, None)


def test_resilient_gets_types_severity_and_additional_fields_by_the_names_a_push_uses():
    given = {"incidentTypes": ["19"], "severityCode": "4", "additionalFields": "{}"}
    sent = fields_of(".resilient", given)
    assert sent.keys() == {"name", "description", "incidentTypes", "severityCode", "additional_fields"}
    assert (sent["incidentTypes"], sent["severityCode"], sent["additional_fields"]) == (["19"], "4", "{}")
    assert fields_of(".resilient", None)["severityCode"] is None


@pytest.mark.parametrize(
    ("fields", "case_id"), [(None, "case-1"), ({}, "case-1"), ({"caseId": "SOC-7"}, "SOC-7"), ({"caseId": None}, None)]
)
def test_swimlane_gets_the_id_of_the_case_unless_another_or_none_was_asked_for(fields: Any, case_id: str | None):
    sent = fields_of(".swimlane", fields)
    assert sent.keys() == {"caseName", "description", "caseId"}
    assert sent["caseId"] == case_id


def test_the_description_names_who_is_given_below_a_blank_line():
    assert describe(a_case(description="seen on two hosts"), OMAR, None) == "seen on two hosts\n\nAdded by Omar Diaz."


@pytest.mark.parametrize(
    ("user", "name"),
    [
        (User("omar", "", None), "omar"),
        (User("omar", None, None), "omar"),
        (User("", "", "mail@example.org"), "Unknown"),
        (User(None, None, None), "Unknown"),
    ],
)
def test_a_user_without_a_full_name_is_named_by_the_next_best(user: User, name: str):
    assert describe(a_case(), user, None).endswith(f"\n\nAdded by {name}.")


@pytest.mark.parametrize(
    ("space", "owner", "path"),
    [
        ("default", "cases", "/app/management/insightsAndAlerting/cases/case-1"),
        ("ops", "securitySolution", "/s/ops/app/security/cases/case-1"),
        ("ops", "observability", "/s/ops/app/observability/cases/case-1"),
    ],
)
def test_a_server_with_an_address_adds_where_the_case_is(space: str, owner: str, path: str):
    lines = describe(a_case(space=space, owner=owner), DANA, BASE).split("\n")

    assert lines[:3] == ["Door 4 stopped answering.", "", "Added by Dana Lee."]
    assert lines[3].endswith(".")
    assert lines[4:] == [f"Case URL: https://cases.example.org{path}"]


def test_a_jira_issue_gets_mapped_texts_labels_and_the_fields_of_the_case():
    case = a_case(title="Odd logons", tags=("vpn", "night  shift\tA", "vpn"), connector=JIRA)

    assert incident_fields(case, ".jira", DANA, None) == {
        "summary": "Odd logons",
        "description": "Door 4 stopped answering.\n\nAdded by Dana Lee.",
        "priority": "High",
        "labels": ["vpn", "night-shift-A", "vpn"],
        "issueType": "10001",
        "parent": None,
        "otherFields": None,
    }


def test_a_servicenow_incident_gets_its_fields_and_the_case_id_to_be_found_by():
    fields = {"urgency": "1", "category": "network", "additionalFields": '{"u_host": "web-01"}'}
    case = a_case(connector=CaseConnector("n", "Now", ".servicenow", fields))
    sent = incident_fields(case, ".servicenow", DANA, None)
    assert (sent.pop("short_description"), sent.pop("description")) == (case.title, describe(case, DANA, None))
    assert sent == {
        "severity": None,
        "urgency": "1",
        "impact": None,
        "category": "network",
        "subcategory": None,
        "additional_fields": '{"u_host": "web-01"}',
        "correlation_id": case.id,
        "correlation_display": "Elastic Case",
    }


def test_a_security_incident_has_no_observables_without_a_source_of_alerts():
    fields = {"priority": "2", "destIp": True, "malwareUrl": True, "urgency": "1"}
    case = a_case(connector=CaseConnector("n", "Now", ".servicenow-sir", fields))
    sent = incident_fields(case, ".servicenow-sir", DANA, None)
    assert (sent["priority"], sent["category"], sent["additional_fields"]) == ("2", None, None)
    assert [sent[name] for name in ("dest_ip", "source_ip", "malware_hash", "malware_url")] == [[], [], [], []]
    assert (sent["correlation_id"], "urgency" in sent) == (case.id, False)


def test_fields_are_taken_by_name_whatever_connector_they_were_stored_for():
    resilient = CaseConnector("r", "R", ".resilient", {"incidentTypes": ["1"], "severityCode": "2", "priority": "Low"})

    fields = incident_fields(a_case(connector=resilient), ".jira", DANA, None)

    assert (fields["priority"], fields["issueType"], fields["parent"]) == ("Low", None, None)
    assert "severityCode" not in fields


def test_a_case_without_a_connector_is_pushed_with_defaults():
    fields = incident_fields(a_case(), ".jira", DANA, None)

    assert [fields[name] for name in ("priority", "issueType", "parent", "otherFields")] == [None] * 4


# Texts of comments


def test_a_comment_ends_with_who_wrote_it():
    assert comment_text(a_user_comment(" called \n"), OMAR) == " called \n\n\nAdded by Omar Diaz."


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (an_action("isolate", "ws-17"), "Isolated host ws-17 with comment: contain first"),
        (an_action("isolate", "ws-17", "ws-18", "ws-19"), "Isolated host ws-17 and 2 more with comment: contain first"),
        (an_action("unisolate", "ws-17", comment="clean"), "Released host ws-17 with comment: clean"),
        (an_action("isolate"), "Isolated host unknown with comment: contain first"),
    ],
)
def test_an_action_is_told_with_its_hosts(action: Any, text: str):
    assert comment_text(action, DANA) == f"{text}\n\nAdded by Dana Lee."


@pytest.mark.parametrize("blank", [an_action("reboot", "ws-17"), a_user_comment(" \n")])
def test_what_is_blank_has_no_text_to_send(blank: Any):
    assert comment_text(blank, DANA) is None


# Which comments are due


def test_comments_never_accepted_are_due_oldest_first():
    first, second = a_user_comment("one", id="c-1", seq=1), a_user_comment("two", id="c-2", seq=2)

    found, blank = due(first, second, revisions={"c-1": 2, "c-2": 3})

    assert found == [
        OutgoingComment("c-1", 2, "one\n\nAdded by Dana Lee."),
        OutgoingComment("c-2", 3, "two\n\nAdded by Dana Lee."),
    ]
    assert blank == []


def test_an_accepted_comment_is_due_again_only_once_it_was_edited():
    edited = a_user_comment("new", id="c-1", updated_by=OMAR, updated_at=AT)
    accepted = AcceptedComment("c-1", 2, "old")

    assert due(edited, revisions={"c-1": 2}, accepted=[accepted]) == ([], [])
    assert due(edited, revisions={"c-1": 7}, accepted=[accepted]) == (
        [OutgoingComment("c-1", 7, "new\n\nAdded by Omar Diaz.")],
        [],
    )


def test_being_pushed_through_another_connector_plays_no_role():
    found, _ = due(a_user_comment(pushed_at=AT, pushed_by=DANA), revisions={"comment-1": 2})

    assert [each.comment_id for each in found] == ["comment-1"]


def test_blank_comments_count_as_accepted_and_alerts_are_never_sent():
    found, blank = due(an_action("reboot"), an_alert("e"), revisions={"action-1": 4, "alert-1": 5})

    assert (found, blank) == ([], [OutgoingComment("action-1", 4, "")])


# Alerts


def test_the_total_counts_the_ids_of_all_alerts_once_one_was_never_pushed():
    pushed, new = an_alert("a", "b", pushed_at=AT), an_alert("b")

    assert alert_total(a_case(), [a_user_comment(), pushed, new], None) == "Elastic Alerts attached to the case: 3"
    assert alert_total(a_case(), [pushed], None) is None
    assert alert_total(a_case(), [a_user_comment()], None) is None


def test_an_alert_that_holds_a_single_id_counts_as_one():
    single = an_alert(payload={"type": "alert", "alertId": "evt-81", "index": "i"})

    assert alert_total(a_case(), [single], None) == "Elastic Alerts attached to the case: 1"


def test_a_server_with_an_address_says_where_the_alerts_are():
    lines = (alert_total(a_case(space="ops", owner="securitySolution"), [an_alert("a")], BASE) or "").split("\n")

    assert lines[:2] == ["Elastic Alerts attached to the case: 1", ""]
    assert lines[3:] == ["Alerts URL: https://cases.example.org/s/ops/app/security/cases/case-1/?tabId=alerts"]


# Other systems


@pytest.mark.parametrize(
    ("given", "tlp"), [(2, 2), ("3", 3), (None, None), ("amber", None), (2.5, 2.5), ("nan", None), ("", None)]
)
def test_a_case_of_thehive_gets_tags_severity_and_tlp_as_a_number(given: Any, tlp: Any):
    connector = CaseConnector("hive-1", "Hive", ".thehive", {"tlp": given})
    case = a_case(title="Odd logons", tags=("vpn", "night shift"), severity="critical", connector=connector)

    assert incident_fields(case, ".thehive", DANA, None) == {
        "title": "Odd logons",
        "description": "Door 4 stopped answering.\n\nAdded by Dana Lee.",
        "tags": ["vpn", "night shift"],
        "severity": 4,
        "tlp": tlp,
    }


def test_a_webhook_gets_the_case_as_it_is_without_a_footer():
    case = a_case(title="Odd logons", tags=("vpn",), severity="high", connector=JIRA)

    assert incident_fields(case, ".cases-webhook", DANA, BASE) == {
        "title": "Odd logons",
        "description": "Door 4 stopped answering.",
        "tags": ["vpn"],
        "id": case.id,
        "severity": "high",
        "status": case.status,
    }
