"""A case configuration: its lists, and what a PATCH makes of them (contract configure.md 1 to 4)."""

from __future__ import annotations

from typing import Any

import pytest

from casebridge.domain.configuration import (
    ConfigurationChanges,
    ObservableType,
    change_configuration,
    check_configuration,
    rewritten_template,
)
from casebridge.domain.connector import NO_CONNECTOR, CaseConnector
from casebridge.domain.errors import InvalidInput
from casebridge.domain.observable import BUILT_IN_TYPES
from tests.builders import AT, DANA, JIRA, OMAR, a_configuration, a_definition, a_template, later

REGION = {"key": "region", "type": "text", "value": "EMEA"}
VIP = {"key": "vip", "type": "toggle", "value": True}


def patched(stored: Any = None, **given: Any) -> Any:
    return change_configuration(stored or a_configuration(), ConfigurationChanges(**given), by=OMAR, at=later(5))


def rows(configuration: Any) -> list[tuple[str, str, str]]:
    return [(row.source, row.target, row.action_type) for row in configuration.mappings]


# What a list may hold


@pytest.mark.parametrize(
    "template",
    [
        a_template("k" * 36, name="n" * 50, description="d" * 1000, tags=["t" * 50] * 10),
        a_template(description="", tags=[]),
        a_template(case_fields={}),
        a_template(
            case_fields={
                "title": "t" * 160, "description": "d" * 30_000, "category": None, "tags": ["t" * 256] * 200,
                "assignees": [{"uid": "u"}] * 10,
            }
        ),
    ],
)  # fmt: skip
def test_a_template_within_the_limits_is_taken(template: dict[str, Any]):
    check_configuration((), (template,), ())


@pytest.mark.parametrize(
    ("template", "field"),
    [
        (a_template("k" * 37), "key"),
        (a_template("Phish", name="x"), "key"),
        (a_template(name=" "), "name"),
        (a_template(name="n" * 51), "name"),
        (a_template(description="d" * 1001), "description"),
        (a_template(tags=["t"] * 11), "tags"),
        (a_template(tags=["ok", "t" * 51]), "tags[1]"),
        (a_template(tags=[" "]), "tags[0]"),
        (a_template(case_fields={"title": " "}), "caseFields.title"),
        (a_template(case_fields={"title": "t" * 161}), "caseFields.title"),
        (a_template(case_fields={"description": ""}), "caseFields.description"),
        (a_template(case_fields={"category": ""}), "caseFields.category"),
        (a_template(case_fields={"category": "c" * 51}), "caseFields.category"),
        (a_template(case_fields={"tags": ["t"] * 201}), "caseFields.tags"),
        (a_template(case_fields={"tags": ["t" * 257]}), "caseFields.tags[0]"),
        (a_template(case_fields={"assignees": [{"uid": "u"}] * 11}), "caseFields.assignees"),
        (a_template(case_fields={"customFields": [REGION] * 11}), "caseFields.customFields"),
        (a_template(case_fields={"customFields": [{**REGION, "value": " "}]}), "caseFields.customFields[0].value"),
    ],
)
def test_a_template_beyond_a_limit_is_refused_by_its_path(template: dict[str, Any], field: str):
    with pytest.raises(InvalidInput) as refused:
        check_configuration((), (a_template("first"), template), ())

    assert refused.value.field == f"templates[1].{field}"


def test_ten_templates_are_taken_and_eleven_or_a_repeated_key_refused():
    templates = [a_template(f"t{number}") for number in range(11)]

    check_configuration((), templates[:10], ())
    with pytest.raises(InvalidInput, match="10"):
        check_configuration((), templates, ())
    with pytest.raises(InvalidInput, match="once: t1"):
        check_configuration((), (templates[1], templates[0], templates[1]), ())


@pytest.mark.parametrize(
    ("definitions", "values"),
    [
        ((), [REGION]),
        ((a_definition(),), []),
        ((a_definition(),), None),
        ((a_definition(),), [REGION, REGION]),
        ((a_definition(),), [REGION, VIP]),
        ((a_definition(type_="toggle"),), [REGION]),
    ],
)
def test_values_of_a_template_must_fit_the_definitions_of_a_post(definitions: Any, values: Any):
    fields = None if values is None else {"customFields": values}

    with pytest.raises(InvalidInput) as refused:
        check_configuration(definitions, (a_template(case_fields=fields),), ())

    assert refused.value.field == "templates[0].caseFields.customFields"


def test_a_template_need_not_name_every_field_nor_fill_required_ones():
    definitions = (a_definition(required=True), a_definition("vip", "toggle", required=True))

    check_configuration(definitions, (a_template(case_fields={"customFields": [{**VIP, "value": None}]}),), ())


def test_observable_types_may_repeat_nothing_letter_case_aside():
    check_configuration((), (), [ObservableType("bank-account", "Bank account"), ObservableType("iban", "IBAN")])
    for second in (ObservableType("iban", "Other"), ObservableType("other", "iBan")):
        with pytest.raises(InvalidInput) as refused:
            check_configuration((), (), [ObservableType("iban", "IBAN"), second])
        assert refused.value.field == "observableTypes"


@pytest.mark.parametrize(("key", "label"), BUILT_IN_TYPES.items())
def test_observable_types_may_not_take_the_place_of_built_in_ones(key: str, label: str):
    for taken in (ObservableType(key, "Mine"), ObservableType("mine", label), ObservableType("mine", label.upper())):
        with pytest.raises(InvalidInput):
            check_configuration((), (), [taken])


@pytest.mark.parametrize(
    ("type_", "field"),
    [
        (ObservableType("k" * 37, "L"), "observableTypes[0].key"),
        (ObservableType("Key", "L"), "observableTypes[0].key"),
        (ObservableType("key", " "), "observableTypes[0].label"),
        (ObservableType("key", "l" * 51), "observableTypes[0].label"),
    ],
)
def test_an_observable_type_beyond_a_limit_is_refused_by_its_path(type_: ObservableType, field: str):
    with pytest.raises(InvalidInput) as refused:
        check_configuration((), (), [type_])

    assert refused.value.field == field


def test_ten_observable_types_are_taken_and_eleven_refused():
    types = [ObservableType(f"k{number}", f"L{number}") for number in range(11)]

    check_configuration((), (), types[:10])
    with pytest.raises(InvalidInput, match="10"):
        check_configuration((), (), types)


# What a PATCH makes of it


def test_a_patch_replaces_what_it_sends_and_keeps_the_rest():
    stored = a_configuration(
        connector=JIRA,
        custom_fields=(a_definition(),),
        templates=(a_template(case_fields={"customFields": [REGION]}),),
        observable_types=(ObservableType("iban", "IBAN"),),
    )

    kept = patched(stored, closure_type="close-by-pushing")

    assert kept.closes_by_pushing
    for name in ("id", "space", "owner", "connector", "custom_fields", "templates", "observable_types", "version"):
        assert getattr(kept, name) == getattr(stored, name)
    assert (kept.created_at, kept.created_by, kept.updated_at, kept.updated_by) == (AT, DANA, later(5), OMAR)


def test_an_empty_list_empties_the_stored_one():
    stored = a_configuration(
        custom_fields=(a_definition(),),
        templates=(a_template(case_fields={"customFields": [REGION]}),),
        observable_types=(ObservableType("iban", "IBAN"),),
    )

    emptied = patched(stored, custom_fields=(), templates=(), observable_types=())

    assert emptied.custom_fields == emptied.templates == emptied.observable_types == ()


def test_a_patch_without_data_still_says_who_and_when():
    assert (patched().updated_at, patched().updated_by) == (later(5), OMAR)


def test_no_connector_has_one_form_in_a_configuration_too():
    assert patched(connector=CaseConnector("x", "y", ".none")).connector == NO_CONNECTOR


def test_a_type_cannot_change_in_one_step_but_in_two():
    stored = a_configuration(custom_fields=(a_definition("region", "text"),))

    with pytest.raises(InvalidInput, match="region"):
        patched(stored, custom_fields=(a_definition("region", "toggle"),))
    assert patched(patched(stored, custom_fields=()), custom_fields=(a_definition("region", "toggle"),))


def test_sent_templates_are_rewritten_to_the_definitions_sent_along():
    stored = a_configuration(custom_fields=(a_definition("old"),))
    definitions = (a_definition("region", default="EMEA"), a_definition("vip", "toggle"), a_definition("n", "number"))
    sent = a_template(case_fields={"title": " kept ", "customFields": [{"key": "old", "type": "text", "value": "x"}]})

    (template,) = patched(stored, custom_fields=definitions, templates=(sent,)).templates

    assert template["caseFields"] == {
        "title": " kept ",
        "customFields": [
            {"key": "region", "type": "text", "value": "EMEA"},
            {"key": "vip", "type": "toggle", "value": False},
            {"key": "n", "type": "number", "value": None},
        ],
    }


def test_sent_templates_are_rewritten_to_the_stored_definitions_when_none_are_sent():
    stored = a_configuration(custom_fields=(a_definition("vip", "toggle", default=True),))

    (template,) = patched(stored, templates=(a_template(),)).templates

    assert template["caseFields"] == {"customFields": [VIP]}


def test_sent_values_of_a_template_keep_their_order_before_those_filled_in():
    definitions = (a_definition("a"), a_definition("vip", "toggle"), a_definition("region"))
    sent = a_template(case_fields={"customFields": [REGION, VIP]})

    values = rewritten_template(sent, definitions)["caseFields"]["customFields"]

    assert values == [REGION, VIP, {"key": "a", "type": "text", "value": None}]


def test_without_definitions_a_rewritten_template_has_an_empty_list():
    assert rewritten_template(a_template(), ())["caseFields"] == {"customFields": []}
    assert rewritten_template(a_template(case_fields={"customFields": [REGION]}), ())["caseFields"] == {
        "customFields": []
    }


def test_stored_templates_are_not_rewritten_when_only_definitions_change():
    stored = a_configuration(
        custom_fields=(a_definition(),), templates=(a_template(case_fields={"customFields": [REGION]}),)
    )

    assert patched(stored, custom_fields=(a_definition("other"),)).templates == stored.templates


@pytest.mark.parametrize(
    "values",
    [[REGION, REGION], [{"key": "region", "type": "toggle", "value": True}]],
)
def test_what_rewriting_cannot_mend_is_refused(values: list[Any]):
    with pytest.raises(InvalidInput):
        patched(custom_fields=(a_definition(),), templates=(a_template(case_fields={"customFields": values}),))


def test_a_changed_type_is_told_before_a_bad_template():
    stored = a_configuration(custom_fields=(a_definition("region", "text"),))

    with pytest.raises(InvalidInput) as refused:
        patched(stored, custom_fields=(a_definition("region", "toggle"),), templates=(a_template(), a_template()))

    assert refused.value.field == "customFields"


def test_rewriting_leaves_the_sent_template_alone():
    sent = a_template(case_fields={"customFields": [REGION]})

    rewritten_template(sent, (a_definition("other"),))

    assert sent == a_template(case_fields={"customFields": [REGION]})


# Mappings


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (".servicenow", "short_description description work_notes"),
        (".servicenow-sir", "short_description description work_notes"),
        (".jira", "summary description labels comments"),
        (".resilient", "name description comments"),
        (".swimlane", "caseName description comments"),
        (".thehive", "title description comments tags"),
        (".cases-webhook", ""),
        (".none", ""),
    ],
)
def test_mappings_depend_on_the_type_of_the_connector_alone(type_: str, expected: str):
    configuration = a_configuration(connector=CaseConnector("gone", "Gone", type_))

    assert [target for _, target, _ in rows(configuration)] == expected.split()


def test_all_is_overwritten_but_comments_which_are_appended():
    assert rows(a_configuration(connector=JIRA)) == [
        ("title", "summary", "overwrite"),
        ("description", "description", "overwrite"),
        ("tags", "labels", "overwrite"),
        ("comments", "comments", "append"),
    ]
