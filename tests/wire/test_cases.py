"""Cases on the wire (contract cases.md 1 to 3, find.md 1.1)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from casebridge.domain.connector import NO_CONNECTOR, CaseConnector
from casebridge.domain.errors import InvalidInput
from casebridge.wire.cases import CreateCase, FindQuery, ResolvedCase, UpdateCases, case_shape, key_orders
from tests.builders import AT, DANA, JIRA, OMAR, a_case, a_user_comment, a_value, an_external_service, later

NONE = {"id": "none", "name": "none", "type": ".none", "fields": None}
NEW: dict[str, Any] = {
    "title": "t", "description": "d", "tags": [], "connector": NONE, "settings": {"syncAlerts": True}, "owner": "cases",
}  # fmt: skip


def create(**given: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode({**NEW, **given}), type=CreateCase).to_domain()


def patch(**given: Any) -> Any:
    body = {"cases": [{"id": "case-1", "version": "WzEsMV0=", **given}]}
    raw = msgspec.json.encode(body)
    (entry,) = msgspec.json.decode(raw, type=UpdateCases).cases
    return entry.to_domain("cases[0].", key_orders(raw)[0])


# What may be sent


def test_a_bare_create_takes_the_defaults():
    new = create()

    assert (new.severity, new.category, new.assignees, new.custom_fields) == ("low", None, (), None)
    assert (new.owner, new.sync_alerts, new.connector) == ("cases", True, NO_CONNECTOR)


def test_a_full_create_carries_all_it_says():
    new = create(
        severity="critical",
        category="Access",
        settings={"syncAlerts": False},
        assignees=[{"uid": "u-1"}, {"uid": ""}, {"uid": "u-2"}],
        customFields=[
            {"key": "a", "type": "text", "value": "x"},
            {"key": "b", "type": "toggle", "value": None},
            {"key": "c", "type": "number", "value": -5},
        ],
        connector={"id": "jira-1", "name": "Tracker", "type": ".jira", "fields": JIRA.fields},
    )

    assert (new.severity, new.category, new.sync_alerts, new.connector) == ("critical", "Access", False, JIRA)
    assert new.assignees == ("u-1", "u-2")
    assert new.custom_fields == (a_value("a", "x"), a_value("b", None, "toggle"), a_value("c", -5))


@pytest.mark.parametrize("key", NEW)
def test_a_create_needs_every_required_key(key: str):
    body = {name: value for name, value in NEW.items() if name != key}

    with pytest.raises(msgspec.ValidationError, match=key):
        msgspec.convert(body, CreateCase)


FIELD = {"key": "a", "type": "text", "value": "x"}
ODD: list[dict[str, Any]] = [
    {"status": "closed", "nope": 1},
    {"observables": []},
    {"comments": []},
    {"external_service": None},
    {"created_at": "2024-05-17T08:03:59.120Z"},
    {"closeReason": "other"},
    {"totalComment": 0},
    {"template": {"id": "x", "version": 1}},
    {"extended_fields": {}},
    {"title": None},
    {"title": 5},
    {"description": None},
    {"tags": None},
    {"tags": "a"},
    {"tags": ["a", 1]},
    {"severity": None},
    {"severity": "High"},
    {"severity": "urgent"},
    {"category": 5},
    {"assignees": None},
    {"assignees": ["u-1"]},
    {"assignees": [{"uid": None}]},
    {"assignees": [{"uid": "u-1", "name": "x"}]},
    {"assignees": [{}]},
    {"settings": None},
    {"settings": {}},
    {"settings": {"syncAlerts": "true"}},
    {"settings": {"syncAlerts": 1}},
    {"settings": {"syncAlerts": True, "extractObservables": True}},
    {"connector": None},
    {"connector": {**NONE, "fields": {}}},
    {"connector": {**NONE, "extra": 1}},
    {"customFields": None},
    {"customFields": [{**FIELD, "label": "A"}]},
    {"customFields": [{"key": "a", "type": "text"}]},
    {"customFields": [{"key": "a", "value": "x"}]},
    {"customFields": [{"type": "text", "value": "x"}]},
    {"customFields": [{**FIELD, "type": "date"}]},
    {"customFields": [{**FIELD, "value": 1}]},
    {"customFields": [{**FIELD, "type": "toggle"}]},
    {"customFields": [{**FIELD, "type": "toggle", "value": 0}]},
    {"customFields": [{**FIELD, "type": "number", "value": "5"}]},
    {"customFields": [{**FIELD, "type": "number", "value": 5.5}]},
    {"customFields": [{**FIELD, "type": "number", "value": True}]},
    {"owner": None},
    {"owner": ["cases"]},
]


@pytest.mark.parametrize("odd", ODD)
def test_unknown_keys_at_any_depth_nulls_and_other_kinds_are_refused(odd: dict[str, Any]):
    for send in (create, patch):
        with pytest.raises(msgspec.ValidationError):
            send(**odd)


@pytest.mark.parametrize("odd", [{"status": "open"}, {"id": "x"}, {"version": "WzEsMV0="}])
def test_a_create_has_no_status_id_or_version(odd: dict[str, Any]):
    with pytest.raises(msgspec.ValidationError):
        create(**odd)


def test_assignees_are_counted_as_sent():
    ten, eleven = [{"uid": ""}] * 10, [{"uid": ""}] * 11

    assert create(assignees=ten).assignees == patch(assignees=ten).assignees == ()
    with pytest.raises(InvalidInput) as refused:
        create(assignees=eleven)
    assert refused.value.field == "assignees"
    with pytest.raises(InvalidInput) as refused:
        patch(assignees=eleven)
    assert refused.value.field == "cases[0].assignees"


def test_a_patch_knows_absent_from_null_and_the_order_of_its_keys():
    changes = patch(
        settings={"syncAlerts": False}, category=None, title="New", customFields=[], owner="cases", tags=["b", "a"]
    )

    assert changes.given() == ["sync_alerts", "category", "title", "custom_fields", "owner", "tags"]
    assert (changes.category, changes.custom_fields, changes.tags) == (None, (), ("b", "a"))
    assert changes.status is changes.connector is changes.assignees is UNSET
    assert patch().given() == []


def test_a_patch_may_name_any_connector():
    assert patch(connector={**NONE, "id": "x", "name": "y"}).connector == CaseConnector("x", "y", ".none")


@pytest.mark.parametrize("entry", [{"id": "a"}, {"version": "v"}, {"id": 1, "version": "v"}, {"id": "a", "version": 1}])
def test_an_entry_needs_id_and_version_as_texts(entry: dict[str, Any]):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"cases": [entry]}, UpdateCases)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"cases":[{"version":"v","tags":[],"id":"a"},{"id":"b"}]}', [["version", "tags", "id"], ["id"]]),
        (b'{"cases":[{"id":"a","title":"x","id":"b"}]}', [["id", "title"]]),
        (b'{"cases":[{"x":1}],"cases":[{"id":"a"}]}', [["id"]]),
        (b'{"cases":5,"cases":[{"id":"a"}]}', [["id"]]),
        (b'{"cases":[7],"cases":[{"id":"a"}]}', [["id"]]),
    ],
)
def test_the_order_of_keys_is_read_off_the_body_the_last_of_a_repeated_key_counting(raw: bytes, expected: Any):
    assert key_orders(raw) == expected


@pytest.mark.parametrize(
    "query",
    [{"sortField": "created_at"}, {"sortOrder": "ASC"}, {"status": ["open", "nope"]}, {"severity": ["High"]}, {"x": 1}],
)
def test_a_query_knows_only_the_documented_words(query: dict[str, Any]):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(query, FindQuery)


def test_a_query_without_parameters_is_the_first_20_oldest_first():
    query = msgspec.convert({}, FindQuery)

    assert (query.page, query.perPage, query.sortField, query.sortOrder) == (1, 20, "createdAt", "asc")


# How a case reads


def shown(case: Any, *comments: Any, **totals: int) -> dict[str, Any]:
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(case_shape(case, *comments, **totals)))
    return read


def test_a_fresh_case_shows_every_key_and_null_where_nothing_is():
    assert shown(a_case()) == {
        "id": "case-1",
        "version": "WzU4LDFd",
        "owner": "cases",
        "title": "Badge reader offline",
        "description": "Door 4 stopped answering.",
        "tags": ["doors", "site-b"],
        "severity": "low",
        "status": "open",
        "category": None,
        "assignees": [],
        "customFields": [],
        "settings": {"syncAlerts": True},
        "connector": NONE,
        "external_service": None,
        "observables": [],
        "total_observables": 0,
        "comments": [],
        "totalComment": 0,
        "totalAlerts": 0,
        "totalEvents": 0,
        "duration": None,
        "created_at": "2024-05-17T08:03:59.120Z",
        "created_by": {"username": "dana", "full_name": "Dana Lee", "email": "dana@example.org"},
        "updated_at": None,
        "updated_by": None,
        "closed_at": None,
        "closed_by": None,
        "incremental_id": 12,
        "in_progress_at": None,
        "time_to_acknowledge": None,
        "time_to_investigate": None,
        "time_to_resolve": None,
    }


def test_a_closed_case_with_everything_on_it_shows_all_of_it():
    read = shown(
        a_case(
            status="closed",
            assignees=("u-1",),
            custom_fields=(a_value("region", "EMEA"), a_value("vip", None, "toggle"), a_value("amount", 0)),
            connector=JIRA,
            sync_alerts=False,
            external_service=an_external_service(),
            in_progress_at=later(10),
            updated_at=later(60),
            updated_by=OMAR,
        )
    )

    assert read["closed_at"] == read["updated_at"] == "2024-05-17T08:04:59.120Z"
    assert read["closed_by"] == {"username": "omar", "full_name": "Omar Diaz", "email": None, "profile_uid": "u_omar_0"}
    assert (read["duration"], read["time_to_resolve"], read["time_to_investigate"]) == (60, 60, 0)
    assert read["in_progress_at"] == "2024-05-17T08:04:09.120Z"
    assert read["assignees"] == [{"uid": "u-1"}]
    assert read["settings"] == {"syncAlerts": False}
    assert read["customFields"] == [
        {"key": "region", "type": "text", "value": "EMEA"},
        {"key": "vip", "type": "toggle", "value": None},
        {"key": "amount", "type": "number", "value": 0},
    ]
    assert read["connector"] == {"id": "jira-1", "name": "Tracker", "type": ".jira", "fields": JIRA.fields}
    assert read["external_service"] == {
        "connector_id": "jira-1",
        "connector_name": "Tracker",
        "external_id": "10044",
        "external_title": "OPS-12",
        "external_url": "https://jira.example.org/browse/OPS-12",
        "pushed_at": "2024-05-17T08:04:29.120Z",
        "pushed_by": {"username": "dana", "full_name": "Dana Lee", "email": "dana@example.org"},
    }


def test_comments_are_absent_empty_or_all_of_them():
    first, second = a_user_comment("one", id="c-1"), a_user_comment("two", id="c-2")

    assert "comments" not in shown(a_case(), UNSET)
    assert shown(a_case(), ())["comments"] == []
    assert [each["comment"] for each in shown(a_case(), [first, second])["comments"]] == ["one", "two"]


def test_totals_may_have_the_quirks_of_an_answer():
    read = shown(a_case(), (), totalComment=3, totalAlerts=0)

    assert (read["totalComment"], read["totalAlerts"]) == (3, 0)


def test_a_resolved_case_is_always_an_exact_match():
    read = msgspec.to_builtins(ResolvedCase(case=case_shape(a_case(created_at=AT, created_by=DANA))))

    assert set(read) == {"case", "outcome"}
    assert read["outcome"] == "exactMatch"
