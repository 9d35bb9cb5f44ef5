"""What documents of alerts are told, and how a partial document spells it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from casebridge.domain.alert_update import (
    AlertUpdate,
    SinkSettings,
    index_problem,
    link_updates,
    merged,
    patch,
    synced_status,
)
from casebridge.domain.attachment import Alert
from tests.builders import a_case

NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)


def told(**given: object) -> AlertUpdate:
    return AlertUpdate(**{"index": ".alerts-x", "alert_id": "a", **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"status": "in-progress"}, "acknowledged"),
        ({}, {"status": "closed"}, "closed"),
        ({"status": "closed"}, {"status": "open"}, "open"),
        ({}, {"title": "another"}, None),
        ({"sync_alerts": False}, {"sync_alerts": False, "status": "closed"}, None),
        ({"sync_alerts": False}, {"sync_alerts": True}, "open"),
        ({"sync_alerts": False}, {"sync_alerts": True, "status": "closed"}, "closed"),
        ({}, {"sync_alerts": False}, None),
        ({}, {"sync_alerts": False, "status": "closed"}, "closed"),
    ],
)
def test_alerts_follow_the_status_as_the_stored_setting_says(old: dict, new: dict, expected: str | None):
    before = msgspec.structs.replace(a_case(), **old)

    assert synced_status(before, msgspec.structs.replace(before, **new)) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"kibana.alert.workflow_status": "open"}, {"kibana.alert.workflow_status": "closed"}),
        ({"kibana": {"alert": {"workflow_status": "open"}}}, {"kibana": {"alert": {"workflow_status": "closed"}}}),
        ({"kibana.alert": {"workflow_status": "open"}}, {"kibana.alert": {"workflow_status": "closed"}}),
        ({"signal": {"status": "open"}}, {"signal": {"status": "closed"}}),
        ({"signal.status": "open"}, {"signal.status": "closed"}),
        ({}, {"kibana.alert.workflow_status": "closed"}),
        ({"kibana.alert.workflow_status": "closed"}, {}),
        (
            {"kibana.alert.workflow_status": "open", "signal": {"status": "open"}},
            {"kibana.alert.workflow_status": "closed", "signal": {"status": "closed"}},
        ),
    ],
)
def test_the_status_is_written_where_and_as_the_document_has_it(source: dict, expected: dict):
    assert patch(source, told(status="closed")) == expected


def test_case_ids_of_others_stay_and_come_in_order():
    source = {"kibana.alert.workflow_status": "open", "kibana.alert.case_ids": ["other", "gone"]}

    partial = patch(source, told(cases={"gone": False, "new": True, "other": True}))

    assert partial == {"kibana.alert.case_ids": ["other", "new"]}


def test_case_ids_go_beside_a_nested_status():
    source = {"kibana": {"alert": {"workflow_status": "open"}}}

    assert patch(source, told(cases={"c": True})) == {"kibana": {"alert": {"case_ids": ["c"]}}}


def test_old_documents_are_told_no_case_ids():
    assert patch({"signal": {"status": "open"}}, told(cases={"c": True})) == {}


def test_the_later_of_two_updates_of_a_document_counts_and_nothing_else_of_the_earlier_is_lost():
    first = told(status="open", cases={"c": True, "d": True})

    (both,) = merged([first, told(status="closed"), told(cases={"c": False})])

    assert both == told(status="closed", cases={"c": False, "d": True})


def test_alerts_that_come_take_the_status_only_of_a_synchronised_case():
    case = msgspec.structs.replace(a_case(), status="in-progress")
    alert = Alert("a", ".alerts-x", NOON)

    assert link_updates(case, (), [alert]) == [told(status="acknowledged", cases={case.id: True})]
    unsynced = msgspec.structs.replace(case, sync_alerts=False)
    assert link_updates(unsynced, (), [alert]) == [told(cases={case.id: True})]
    assert link_updates(case, [alert], ()) == [told(cases={case.id: False})]
    assert link_updates(case, [alert], [alert]) == []


@pytest.mark.parametrize(
    "name", ["*", "a,b", "_all", "-a", "+a", "A", ".", "..", "remote:a", "a b", "a/b", "", "é" * 128]
)
def test_a_name_that_could_mean_several_indices_is_refused(name: str):
    assert index_problem(name, ("*",)) == "this is not the name of one index"


def test_an_index_outside_the_patterns_is_refused():
    patterns = (".alerts-*", ".internal.alerts-*")

    assert index_problem(".internal.alerts-security.alerts-default-000001", patterns) is None
    assert index_problem("payroll", patterns) == "the index is none of those the alert sink may write to"


def test_settings_of_a_sink_do_not_show_themselves():
    assert "hunter2" not in repr(SinkSettings(url="http://x", username="u", password="hunter2"))
