"""Whatever is asked of a case, in whatever order: what always holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from casebridge.domain.case import SEVERITIES, STATUSES, Case, CaseChanges, Change, change_case, open_case, real_changes
from casebridge.domain.connector import NO_CONNECTOR, CaseConnector
from casebridge.domain.custom_field import CustomFieldDefinition, CustomFieldValue, same_value
from casebridge.domain.errors import InvalidInput
from tests.builders import AT, DANA, JIRA, OMAR, a_new_case

TEXTS = st.sampled_from(["a", "b", " a", "b\n", "A"])
KINDS = ("text", "toggle", "number")
VALUES = {"text": TEXTS, "toggle": st.booleans(), "number": st.integers(-1, 1)}


def value_of(kind: str) -> st.SearchStrategy[Any]:
    return st.none() | VALUES[kind]


def custom_field(kind: str) -> st.SearchStrategy[CustomFieldValue]:
    return st.builds(CustomFieldValue, st.sampled_from("klm"), st.just(kind), value_of(kind))  # type: ignore[arg-type]


def definition(kind: str) -> st.SearchStrategy[CustomFieldDefinition]:
    return st.builds(
        CustomFieldDefinition, st.sampled_from("klm"), st.just("L"), st.just(kind), st.booleans(), value_of(kind)
    )  # type: ignore[arg-type]


CUSTOM_FIELDS = st.lists(st.one_of(*map(custom_field, KINDS)), max_size=3).map(tuple)
DEFINITIONS = st.lists(st.one_of(*map(definition, KINDS)), max_size=3, unique_by=lambda each: each.key)
CONNECTORS = st.sampled_from(
    [NO_CONNECTOR, JIRA, CaseConnector("jira-1", "Tracker", ".jira"), CaseConnector("x", "y", ".none")]
)
FIELDS = {
    "title": TEXTS,
    "description": TEXTS,
    "tags": st.lists(TEXTS, max_size=3).map(tuple),
    "status": st.sampled_from(STATUSES),
    "severity": st.sampled_from(SEVERITIES),
    "category": st.none() | TEXTS,
    "assignees": st.lists(st.sampled_from(["u-1", "u-2", "u-3"]), max_size=3).map(tuple),
    "connector": CONNECTORS,
    "custom_fields": CUSTOM_FIELDS,
    "sync_alerts": st.booleans(),
}
OPENED = st.fixed_dictionaries({}, optional={name: each for name, each in FIELDS.items() if name != "status"})
SENT = st.fixed_dictionaries({}, optional=FIELDS).flatmap(
    lambda fields: st.permutations(list(fields)).map(lambda order: CaseChanges(order=tuple(order), **fields))
)
WAITS = st.integers(0, 200_000).map(lambda ms: timedelta(milliseconds=ms))
HISTORIES = st.lists(st.tuples(SENT, DEFINITIONS, WAITS), max_size=6)


def opened(fields: dict[str, Any], definitions: Sequence[CustomFieldDefinition]) -> Change:
    """A new case; without its custom fields where they do not fit."""
    for each in (fields, {**fields, "custom_fields": ()}):
        try:
            return open_case(a_new_case(**each), definitions, id_="case-1", space="default", by=DANA, at=AT)
        except InvalidInput:
            continue
    return open_case(a_new_case(), (), id_="case-1", space="default", by=DANA, at=AT)


def steps(case: Case, history: Iterable[Any]) -> Iterable[tuple[Case, CaseChanges, Sequence[Any], Change]]:
    """Every change of a history that is made: the case before, what was real, the definitions, what came of it."""
    at = AT
    for sent, definitions, wait in history:
        at += wait
        real = real_changes(case, sent)
        if not real.given():
            continue
        try:
            change = change_case(case, real, definitions, by=OMAR, at=at)
        except InvalidInput:
            continue
        yield case, real, definitions, change
        case = change.case


@given(OPENED, DEFINITIONS, HISTORIES)
def test_activity_replayed_over_the_creation_yields_the_case(fields: Any, definitions: Any, history: Any):
    first = opened(fields, definitions)
    told = Told(first.activity[0].payload)
    told.agrees_with(first.case)

    for _, _, _, change in steps(first.case, history):
        for record in change.activity:
            told.hear(record.type, record.action, record.payload)
        told.forget_fields_without_definition(change.case)
        told.agrees_with(change.case)


class Told:
    """A case as somebody knows it who only reads its activity."""

    def __init__(self, created: dict[str, Any]) -> None:
        self.plain = {name: created[name] for name in ("title", "description", "status", "severity", "category")}
        self.plain |= {"settings": created["settings"], "connector": created["connector"]}
        self.tags = set(created["tags"])
        self.assignees = {each["uid"] for each in created["assignees"]}
        self.values = {each["key"]: each["value"] for each in created["customFields"]}

    def hear(self, type_: str, action: str, payload: dict[str, Any]) -> None:
        if type_ == "customFields":
            (field,) = payload["customFields"]
            assert set(field) == {"key", "type", "value"}
            self.values[field["key"]] = field["value"]
        elif type_ == "tags":
            self.tags = apply(self.tags, action, payload["tags"])
        elif type_ == "assignees":
            self.assignees = apply(self.assignees, action, [each["uid"] for each in payload["assignees"]])
        else:
            assert (action, list(payload)) == ("update", [type_])
            self.plain |= payload

    def forget_fields_without_definition(self, case: Case) -> None:
        """Values that go because their definition went, and null values that come, are not told (activity.md 3)."""
        present = {each.key for each in case.custom_fields}
        self.values = {key: value for key, value in self.values.items() if key in present}

    def agrees_with(self, case: Case) -> None:
        for name in ("title", "description", "status", "severity", "category"):
            assert self.plain[name] == getattr(case, name)
        assert self.plain["settings"] == {"syncAlerts": case.sync_alerts}
        connector = case.connector
        assert self.plain["connector"] == {
            "id": connector.id, "name": connector.name, "type": connector.type, "fields": connector.fields,
        }  # fmt: skip
        assert self.tags == set(case.tags)
        assert self.assignees == set(case.assignees)
        assert all(same_value(self.values.get(each.key), each.value) for each in case.custom_fields)


def apply(known: set[str], action: str, named: list[str]) -> set[str]:
    if action == "add":
        assert named
        assert known.isdisjoint(named)
        return known | set(named)
    assert action == "delete"
    assert named
    assert known.issuperset(named)
    return known - set(named)


@given(OPENED, DEFINITIONS, HISTORIES)
def test_closing_data_and_times_are_those_of_the_table(fields: Any, definitions: Any, history: Any):
    case = opened(fields, definitions).case
    started = None
    for before, real, _, change in steps(case, history):
        case, at = change.case, change.case.updated_at
        assert at is not None
        lived = (at - AT) // timedelta(seconds=1)
        if "status" not in real.given():
            assert closing(case) == closing(before)
            assert times(case) == times(before)
        elif case.status == "closed":
            assert closing(case) == (at, OMAR, lived)
            if started is None:
                assert times(case) == (None, lived, 0, lived)
            else:
                acknowledged, investigated = (started - AT), (at - started)
                second = timedelta(seconds=1)
                assert times(case) == (started, acknowledged // second, investigated // second, lived)
        elif case.status == "in-progress":
            started = started or at
            assert closing(case) == (None, None, None)
            assert times(case) == (started, lived, None, None)
        else:
            assert closing(case) == (None, None, None)
            assert times(case) == (started, None, None, None)


def closing(case: Case) -> tuple[Any, ...]:
    return case.closed_at, case.closed_by, case.duration_s


def times(case: Case) -> tuple[Any, ...]:
    return case.in_progress_at, case.time_to_acknowledge_s, case.time_to_investigate_s, case.time_to_resolve_s


@given(OPENED, DEFINITIONS, SENT)
def test_a_field_is_a_real_change_exactly_when_it_differs_as_sets(fields: Any, definitions: Any, sent: CaseChanges):
    case = opened(fields, definitions).case

    real = real_changes(case, sent)

    assert real.given() == [name for name in sent.given() if comparable(sent, name) != comparable(case, name)]
    assert all(getattr(real, name) is getattr(sent, name) for name in real.given())


def comparable(thing: Any, name: str) -> Any:
    value = getattr(thing, name)
    if name in ("tags", "assignees"):
        return frozenset(value)
    if name == "custom_fields":
        return frozenset((each.key, each.type, repr(each.value)) for each in value)
    return value.normalised() if name == "connector" else value


@given(OPENED, DEFINITIONS, SENT)
def test_a_change_made_is_no_change_when_sent_again(fields: Any, definitions: Any, sent: CaseChanges):
    for _, real, _, change in steps(opened(fields, definitions).case, [(sent, definitions, timedelta())]):
        stored = CaseChanges(**{name: getattr(change.case, name) for name in real.given()})

        assert real_changes(change.case, stored).given() == []


@given(OPENED, DEFINITIONS, HISTORIES)
def test_fields_that_were_not_sent_stay(fields: Any, definitions: Any, history: Any):
    for before, real, _, change in steps(opened(fields, definitions).case, history):
        for name in set(FIELDS) - set(real.given()):
            assert getattr(change.case, name) == getattr(before, name)
        assert (change.case.created_at, change.case.created_by, change.case.owner) == (AT, DANA, before.owner)
        assert {each.type for each in change.activity} <= {wire_name(name) for name in real.given()}


def wire_name(name: str) -> str:
    return {"custom_fields": "customFields", "sync_alerts": "settings"}.get(name, name)


@given(OPENED, DEFINITIONS, HISTORIES)
def test_sent_custom_fields_come_first_and_the_defined_rest_is_filled_in(fields: Any, definitions: Any, history: Any):
    for _, real, known, change in steps(opened(fields, definitions).case, history):
        if "custom_fields" not in real.given():
            continue
        sent = real.custom_fields
        assert isinstance(sent, tuple)
        stored = change.case.custom_fields
        assert stored[: len(sent)] == sent
        unsent = [each for each in known if each.key not in {value.key for value in sent}]
        assert [each.key for each in stored[len(sent) :]] == [each.key for each in unsent]
        for made, value in zip(unsent, stored[len(sent) :], strict=True):
            assert same_value(value.value, made.default)
        assert all(each.value is not None for each in stored if each.key in {d.key for d in known if d.required})
