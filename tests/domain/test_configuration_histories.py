"""Any sequence of POST and PATCH on one owner's configuration, held against a simple model of it."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import UNSET

from casebridge.domain.configuration import (
    Configuration,
    ConfigurationChanges,
    ObservableType,
    change_configuration,
    check_configuration,
)
from casebridge.domain.custom_field import CustomFieldDefinition
from casebridge.domain.errors import InvalidInput
from tests.builders import DANA, JIRA, OMAR, a_configuration, later

KEYS = st.sampled_from("abc")
KINDS = ("text", "toggle", "number")
SOME = {"text": "x", "toggle": True, "number": 7}

DEFINITIONS = st.lists(
    st.builds(
        lambda key, kind, required, default: CustomFieldDefinition(
            key, key, kind, required, SOME[kind] if default else default
        ),
        KEYS,
        st.sampled_from(KINDS),
        st.booleans(),
        st.sampled_from([UNSET, None, True]),
    ),
    max_size=3,
    unique_by=lambda each: each.key,
).map(tuple)
VALUES = st.lists(
    st.tuples(KEYS, st.sampled_from(KINDS), st.booleans()).map(
        lambda drawn: {"key": drawn[0], "type": drawn[1], "value": SOME[drawn[1]] if drawn[2] else None}
    ),
    max_size=3,
)
CASE_FIELDS = st.none() | st.fixed_dictionaries({}, optional={"title": st.just("T"), "customFields": VALUES})
TEMPLATES = st.lists(
    st.builds(lambda key, fields: {"key": key, "name": key, "caseFields": fields}, KEYS, CASE_FIELDS), max_size=2
).map(tuple)
OBSERVABLE_TYPES = st.lists(st.builds(ObservableType, KEYS, KEYS), max_size=2).map(tuple)


def maybe(strategy: Any) -> Any:
    return st.just(UNSET) | strategy


class Histories(RuleBasedStateMachine):
    """`stored` is what the rules made; `lists` what the model says the three lists are."""

    stored: Configuration
    lists: dict[str, Any]
    clock: int

    @initialize()
    def begin(self) -> None:
        self.clock = 0
        self.stored = a_configuration()
        self.lists = {"custom_fields": (), "templates": (), "observable_types": ()}

    @rule(definitions=DEFINITIONS, templates=TEMPLATES, types=OBSERVABLE_TYPES)
    def post(self, definitions: Any, templates: Any, types: Any) -> None:
        is_sound = fits_all(templates, definitions) and distinct_types(types)
        try:
            check_configuration(definitions, templates, types)
        except InvalidInput:
            assert not is_sound
            return
        assert is_sound
        self.clock += 1
        self.lists = {"custom_fields": definitions, "templates": templates, "observable_types": types}
        self.stored = a_configuration(id=f"configuration-{self.clock}", created_at=later(self.clock), **self.lists)

    @rule(definitions=maybe(DEFINITIONS), templates=maybe(TEMPLATES), connector=maybe(st.just(JIRA)))
    def patch(self, definitions: Any, templates: Any, connector: Any) -> None:
        before = {each.key: each.type for each in self.lists["custom_fields"]}
        in_force = self.lists["custom_fields"] if definitions is UNSET else definitions
        rewritten = () if templates is UNSET else tuple(expected_template(each, in_force) for each in templates)
        keeps_types = all(before.get(each.key, each.type) == each.type for each in in_force)
        is_sound = keeps_types and fits_all(rewritten, in_force)
        changes = ConfigurationChanges(custom_fields=definitions, templates=templates, connector=connector)
        try:
            changed = change_configuration(self.stored, changes, by=OMAR, at=later(self.clock + 1))
        except InvalidInput:
            assert not is_sound
            return
        assert is_sound
        self.clock += 1
        assert (changed.id, changed.created_at) == (self.stored.id, self.stored.created_at)
        assert (changed.updated_at, changed.updated_by) == (later(self.clock), OMAR)
        assert changed.connector == (self.stored.connector if connector is UNSET else connector)
        self.lists["custom_fields"] = in_force
        if templates is not UNSET:
            self.lists["templates"] = rewritten
        self.stored = changed

    @rule(types=OBSERVABLE_TYPES)
    def patch_observable_types(self, types: Any) -> None:
        if distinct_types(types):
            changes = ConfigurationChanges(observable_types=types)
            self.stored = change_configuration(self.stored, changes, by=OMAR, at=later(self.clock))
            self.lists["observable_types"] = types

    @invariant()
    def the_lists_are_those_of_the_model(self) -> None:
        assert {name: getattr(self.stored, name) for name in self.lists} == self.lists
        assert self.stored.created_by == DANA


def expected_template(template: dict[str, Any], definitions: Any) -> dict[str, Any]:
    fields = dict(template["caseFields"] or {})
    sent = [each for each in fields.get("customFields", []) if each["key"] in {d.key for d in definitions}]
    for each in definitions:
        if each.key not in {value["key"] for value in sent}:
            empty = False if each.type == "toggle" else None
            default = empty if each.default in (UNSET, None) else each.default
            sent.append({"key": each.key, "type": each.type, "value": default})
    return {**template, "caseFields": {**fields, "customFields": sent}}


def fits_all(templates: Any, definitions: Any) -> bool:
    keys = [each["key"] for each in templates]
    return len(set(keys)) == len(keys) and all(fits(each, definitions) for each in templates)


def fits(template: dict[str, Any], definitions: Any) -> bool:
    values = (template["caseFields"] or {}).get("customFields", [])
    types = {each.key: each.type for each in definitions}
    keys = [each["key"] for each in values]
    return (
        bool(values) == bool(definitions)
        and len(set(keys)) == len(keys)
        and all(types.get(each["key"]) == each["type"] for each in values)
    )


def distinct_types(types: Any) -> bool:
    return len({each.key for each in types}) == len({each.label for each in types}) == len(types)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
