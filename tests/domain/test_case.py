"""Opening, changing and closing a case (contract cases.md 2 to 5, activity.md 3)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from casebridge.domain.case import CaseChanges, change_case, check_changes, check_new_case, open_case, real_changes
from casebridge.domain.case import with_status as moved
from casebridge.domain.connector import NO_CONNECTOR, CaseConnector
from casebridge.domain.errors import InvalidInput
from casebridge.domain.user_action import Activity
from tests.builders import AT, DANA, JIRA, OMAR, a_case, a_definition, a_new_case, a_value, later


def opened(definitions: Any = (), **given: Any) -> Any:
    return open_case(a_new_case(**given), definitions, id_="case-1", space="default", by=DANA, at=AT)


def changed(case: Any = None, definitions: Any = (), **given: Any) -> Any:
    return change_case(case or a_case(), CaseChanges(**given), definitions, by=OMAR, at=later(5))


# Opening


def test_a_new_case_is_open_and_as_bare_as_it_was_asked_for():
    case = opened().case

    assert (case.id, case.space, case.owner) == ("case-1", "default", "cases")
    assert (case.status, case.severity, case.category, case.sync_alerts) == ("open", "low", None, True)
    assert (case.created_at, case.created_by) == (AT, DANA)
    assert case.updated_at is case.updated_by is case.closed_at is case.duration_s is case.in_progress_at is None
    assert case.assignees == case.custom_fields == case.observables == ()
    assert case.external_service is None


def test_texts_are_stored_trimmed_and_tags_keep_order_and_repetitions():
    case = opened(title="  Odd logons\n", description="\t two hosts ", category=" Access ", tags=("b ", " a", "b")).case

    assert (case.title, case.description, case.category) == ("Odd logons", "two hosts", "Access")
    assert case.tags == ("b", "a", "b")


def test_control_characters_that_are_no_white_space_stay_at_the_ends_of_a_text():
    assert opened(title="\x1fOdd\x1c").case.title == "\x1fOdd\x1c"


def test_texts_of_the_7_10_dialect_are_stored_as_sent():
    new = a_new_case(title=" Odd ", description=" d ", category=" c ", tags=(" t ",))

    case = open_case(new, (), id_="case-1", space="default", by=DANA, at=AT, trim=False).case

    assert (case.title, case.description, case.category, case.tags) == (" Odd ", " d ", " c ", (" t ",))


def test_of_repeated_assignees_the_first_stays():
    assert opened(assignees=("u-2", "u-1", "u-2")).case.assignees == ("u-2", "u-1")


def test_no_connector_has_one_form_whatever_id_and_name_came():
    assert opened(connector=CaseConnector("x", "y", ".none")).case.connector == NO_CONNECTOR


def test_opening_leaves_one_record_with_every_field_as_stored():
    definitions = [a_definition("region", default="EMEA"), a_definition("vip", "toggle")]

    (record,) = opened(
        definitions,
        title=" Odd logons ",
        tags=("vpn",),
        assignees=("u-1",),
        category="Access",
        severity="high",
        sync_alerts=False,
        connector=JIRA,
    ).activity

    assert record == Activity(
        "create_case",
        "create",
        {
            "title": "Odd logons",
            "description": "Door 4 stopped answering.",
            "tags": ["vpn"],
            "owner": "cases",
            "status": "open",
            "severity": "high",
            "assignees": [{"uid": "u-1"}],
            "settings": {"syncAlerts": False},
            "category": "Access",
            "customFields": [
                {"key": "region", "type": "text", "value": "EMEA"},
                {"key": "vip", "type": "toggle", "value": None},
            ],
            "connector": {"id": "jira-1", "name": "Tracker", "type": ".jira", "fields": JIRA.fields},
        },
    )


def test_a_case_without_a_required_field_is_not_opened():
    with pytest.raises(InvalidInput, match="region"):
        opened([a_definition("region", required=True)])


def test_a_client_of_the_7_10_dialect_may_leave_a_required_field_out():
    definitions = [a_definition("region", required=True), a_definition("vip", "toggle")]

    case = open_case(
        a_new_case(), definitions, id_="case-1", space="default", by=DANA, at=AT, enforce_required=False
    ).case  # fmt: skip

    assert case.custom_fields == (a_value("vip", None, "toggle"),)


# Limits


@pytest.mark.parametrize(
    "given",
    [
        {"title": "t" * 160},
        {"title": "  " + "t" * 160 + "\n"},
        {"title": "😀" * 160},
        {"description": "d" * 30_000},
        {"tags": ()},
        {"tags": ("t",) * 200},
        {"tags": ("t" * 256,)},
        {"category": "c" * 50},
        {"custom_fields": tuple(a_value(f"k{n}", "x") for n in range(10))},
        {"custom_fields": (a_value("k", "x" * 160 + " "),)},
        {"custom_fields": (a_value("k", 2**53 - 1), a_value("l", -(2**53) + 1))},
    ],
)
def test_a_value_exactly_at_a_limit_is_taken(given: dict[str, Any]):
    check_new_case(a_new_case(**given))
    check_changes(CaseChanges(**given), "cases[0].")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": " \n\t "}, "title"),
        ({"title": "t" * 161}, "title"),
        ({"description": " "}, "description"),
        ({"description": "d" * 30_001}, "description"),
        ({"tags": ("t",) * 201}, "tags"),
        ({"tags": ("a", " ")}, "tags[1]"),
        ({"tags": ("t" * 257,)}, "tags[0]"),
        ({"category": ""}, "category"),
        ({"category": "  "}, "category"),
        ({"category": "c" * 51}, "category"),
        ({"custom_fields": tuple(a_value("k", "x") for _ in range(11))}, "customFields"),
        ({"custom_fields": (a_value("k", " "),)}, "customFields[0].value"),
        ({"custom_fields": (a_value("k", "x" * 161),)}, "customFields[0].value"),
        ({"custom_fields": (a_value("k", 2**53),)}, "customFields[0].value"),
        ({"custom_fields": (a_value("k", -(2**53)),)}, "customFields[0].value"),
    ],
)
def test_a_value_over_a_limit_is_refused_by_its_path(given: dict[str, Any], field: str):
    with pytest.raises(InvalidInput) as refused_new:
        check_new_case(a_new_case(**given))
    with pytest.raises(InvalidInput) as refused_change:
        check_changes(CaseChanges(**given), "cases[3].")

    assert (refused_new.value.field, refused_change.value.field) == (field, f"cases[3].{field}")


def test_clearing_the_category_is_within_every_limit():
    check_changes(CaseChanges(category=None), "")


# Which changes are real


@pytest.mark.parametrize(
    "given",
    [
        {"title": "Badge reader offline", "description": "Door 4 stopped answering."},
        {"tags": ("site-b", "doors")},
        {"tags": ("site-b", "doors", "site-b")},
        {"assignees": ("u-2", "u-1")},
        {"status": "open", "severity": "low", "sync_alerts": True},
        {"category": None},
        {"owner": "cases"},
        {"custom_fields": (a_value("vip", True), a_value("region", "EMEA"))},
        {"connector": CaseConnector("jira-1", "Tracker", ".jira", {"parent": None, **(JIRA.fields or {})})},
        {},
    ],
)
def test_what_is_stored_already_is_no_change(given: dict[str, Any]):
    case = a_case(
        assignees=("u-1", "u-2"), connector=JIRA, custom_fields=(a_value("region", "EMEA"), a_value("vip", True))
    )

    assert real_changes(case, CaseChanges(**given)).given() == []


@pytest.mark.parametrize(
    "given",
    [
        {"title": "Badge reader offline "},
        {"tags": ("doors",)},
        {"tags": ("doors", "site-b ")},
        {"tags": ("Doors", "site-b")},
        {"assignees": ()},
        {"status": "closed"},
        {"category": "Access"},
        {"sync_alerts": False},
        {"owner": "observability"},
        {"custom_fields": ()},
        {"custom_fields": (a_value("amount", True),)},
        {"custom_fields": (a_value("amount", None, "number"),)},
        {"connector": msgspec.structs.replace(JIRA, fields=None)},
        {"connector": msgspec.structs.replace(JIRA, name="Other")},
        {"connector": NO_CONNECTOR},
    ],
)
def test_what_differs_before_trimming_is_a_change(given: dict[str, Any]):
    case = a_case(assignees=("u-1",), connector=JIRA, custom_fields=(a_value("amount", 1),))

    assert real_changes(case, CaseChanges(**given)).given() == list(given)


def test_setting_a_category_that_is_null_is_a_change_and_null_again_is_none():
    assert real_changes(a_case(category="Access"), CaseChanges(category=None)).given() == ["category"]
    assert real_changes(a_case(category=None), CaseChanges(category=None)).given() == []


def test_only_the_fields_that_differ_are_left_in_the_order_they_were_sent():
    sent = CaseChanges(
        title="New", severity="low", description="New", tags=("x",), order=("tags", "severity", "description", "title")
    )

    assert real_changes(a_case(), sent).given() == ["tags", "description", "title"]


# Changing


def test_a_change_says_who_made_it_and_when():
    case = changed(title="New").case

    assert (case.title, case.updated_at, case.updated_by) == ("New", later(5), OMAR)
    assert (case.created_at, case.created_by) == (AT, DANA)


@pytest.mark.parametrize(
    ("given", "record"),
    [
        ({"title": " New "}, Activity("title", "update", {"title": "New"})),
        ({"description": "New\n"}, Activity("description", "update", {"description": "New"})),
        ({"severity": "high"}, Activity("severity", "update", {"severity": "high"})),
        ({"status": "in-progress"}, Activity("status", "update", {"status": "in-progress"})),
        ({"category": " New "}, Activity("category", "update", {"category": "New"})),
        ({"category": None}, Activity("category", "update", {"category": None})),
        ({"sync_alerts": False}, Activity("settings", "update", {"settings": {"syncAlerts": False}})),
        (
            {"connector": JIRA},
            Activity(
                "connector",
                "update",
                {"connector": {"id": "jira-1", "name": "Tracker", "type": ".jira", "fields": JIRA.fields}},
            ),
        ),
        (
            {"connector": CaseConnector("x", "y", ".none")},
            Activity(
                "connector", "update", {"connector": {"id": "none", "name": "none", "type": ".none", "fields": None}}
            ),
        ),
    ],
)
def test_a_changed_field_leaves_one_record_with_the_stored_value(given: dict[str, Any], record: Activity):
    assert changed(a_case(category="Old"), **given).activity == (record,)


@pytest.mark.parametrize(
    ("tags", "records"),
    [
        (("doors", "x", "y", "x"), [("add", ["x", "y"]), ("delete", ["site-b"])]),
        (("doors", "site-b", "x"), [("add", ["x"])]),
        ((), [("delete", ["doors", "site-b"])]),
        (("doors ", "site-b"), []),
    ],
)
def test_tags_leave_what_was_added_then_what_was_removed(tags: tuple[str, ...], records: list[Any]):
    change = changed(tags=tags)

    assert [(each.action, each.payload["tags"]) for each in change.activity] == records
    assert change.case.tags == tuple(tag.strip() for tag in tags)


def test_assignees_leave_who_came_then_who_went():
    change = changed(a_case(assignees=("u-1", "u-2")), assignees=("u-3", "u-2", "u-3"))

    assert change.case.assignees == ("u-3", "u-2")
    assert change.activity == (
        Activity("assignees", "add", {"assignees": [{"uid": "u-3"}]}),
        Activity("assignees", "delete", {"assignees": [{"uid": "u-1"}]}),
    )


def test_several_fields_leave_their_records_in_the_order_they_were_sent():
    change = changed(title="New", severity="high", tags=("x",), order=("tags", "severity", "title"))

    assert [each.type for each in change.activity] == ["tags", "tags", "severity", "title"]


def test_each_changed_custom_field_leaves_a_record_of_its_own():
    definitions = [a_definition("region"), a_definition("vip", "toggle"), a_definition("amount", "number")]
    case = a_case(custom_fields=(a_value("region", "EMEA"), a_value("vip", True)))

    change = changed(case, definitions, custom_fields=(a_value("region", "APAC"), a_value("vip", True)))

    assert change.case.custom_fields == (
        a_value("region", "APAC"), a_value("vip", True), a_value("amount", None, "number"),
    )  # fmt: skip
    assert change.activity == (
        Activity("customFields", "update", {"customFields": [{"key": "region", "type": "text", "value": "APAC"}]}),
    )


def test_custom_fields_that_were_not_sent_go_back_to_default_or_null_and_undefined_ones_go():
    definitions = [a_definition("region", default="EMEA"), a_definition("vip", "toggle")]
    case = a_case(custom_fields=(a_value("gone", "x"), a_value("region", "APAC"), a_value("vip", True)))

    change = changed(case, definitions, custom_fields=())

    assert change.case.custom_fields == (a_value("region", "EMEA"), a_value("vip", None, "toggle"))
    assert [each.payload["customFields"][0]["key"] for each in change.activity] == ["region", "vip"]


def test_a_patch_without_custom_fields_is_not_checked_against_definitions_made_since():
    case = a_case(custom_fields=(a_value("gone", "x"),))

    assert changed(case, [a_definition("new", required=True)], title="New").case.custom_fields == case.custom_fields


def test_the_owner_of_a_case_cannot_change():
    with pytest.raises(InvalidInput) as refused:
        changed(owner="observability")

    assert refused.value.field == "owner"


# Closing, and times


def test_closing_keeps_who_closed_it_when_and_after_how_many_whole_seconds():
    case = moved(a_case(), "closed", by=OMAR, at=later(90.999))

    assert (case.status, case.closed_at, case.closed_by, case.duration_s) == ("closed", later(90.999), OMAR, 90)


def test_closing_a_closed_case_again_keeps_the_first_closing():
    case = a_case(status="closed")

    assert moved(case, "closed", by=DANA, at=later(500)) is case


@pytest.mark.parametrize("status", ["open", "in-progress"])
def test_reopening_takes_the_closing_data_away(status: str):
    case = moved(a_case(status="closed"), status, by=DANA, at=later(500))

    assert case.status == status
    assert case.closed_at is case.closed_by is case.duration_s is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ([("in-progress", 10)], (10, 10, None, None)),
        ([("closed", 70)], (None, 70, 0, 70)),
        ([("in-progress", 10), ("closed", 70)], (10, 10, 60, 70)),
        ([("in-progress", 10), ("open", 20)], (10, None, None, None)),
        ([("closed", 10), ("open", 20)], (None, None, None, None)),
        ([("closed", 10), ("in-progress", 20)], (20, 20, None, None)),
        ([("in-progress", 10), ("open", 20), ("in-progress", 30)], (10, 30, None, None)),
        ([("in-progress", 10), ("closed", 20), ("in-progress", 30)], (10, 30, None, None)),
        ([("in-progress", 10), ("open", 20), ("closed", 40)], (10, 10, 30, 40)),
        ([("in-progress", 10.9), ("closed", 70.8)], (10.9, 10, 59, 70)),
    ],
)
def test_times_follow_the_way_a_case_went(path: list[tuple[str, float]], expected: tuple[Any, ...]):
    case = a_case()
    for status, second in path:
        case = moved(case, status, by=OMAR, at=later(second))

    started, *seconds = expected
    assert case.in_progress_at == (None if started is None else later(started))
    assert [case.time_to_acknowledge_s, case.time_to_investigate_s, case.time_to_resolve_s] == seconds


def test_times_are_left_alone_when_the_dates_are_not_in_order():
    case = a_case(in_progress_at=later(100), time_to_acknowledge_s=100)

    late = moved(case, "closed", by=OMAR, at=later(50))

    assert (late.status, late.closed_at) == ("closed", later(50))
    assert (late.in_progress_at, late.time_to_acknowledge_s, late.time_to_resolve_s) == (later(100), 100, None)


def test_a_patch_of_the_status_closes_the_case_and_records_it():
    change = changed(status="closed")

    assert (change.case.closed_at, change.case.closed_by, change.case.duration_s) == (later(5), OMAR, 5)
    assert change.activity == (Activity("status", "update", {"status": "closed"}),)
