"""`/api/cases/configure` (configure.md)."""

from __future__ import annotations

from typing import Any

import pytest

CONFIGURE = "/api/cases/configure"
NONE = {"id": "none", "name": "none", "type": ".none", "fields": None}
JIRA = {"id": "c0ffee00-1111", "name": "Tracker", "type": ".jira", "fields": None}
REGION = {"key": "region", "label": "Region", "type": "text", "required": True, "defaultValue": "EMEA"}
VIP = {"key": "vip", "label": "VIP customer", "type": "toggle", "required": False}
SCORE = {"key": "score", "label": "Score", "type": "number", "required": False}

on_one_database = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)
"""For what is decided before the store is asked."""


def a_body(**given: Any) -> dict[str, Any]:
    """What a POST sends; only the required keys unless others are given."""
    return {"owner": "cases", "closure_type": "close-by-user", "connector": NONE, **given}


def a_template(key: str = "phish", case_fields: Any = None, **given: Any) -> dict[str, Any]:
    return {"key": key, "name": "Phishing", "caseFields": case_fields, **given}


def a_value(key: str, value: Any, type_: str = "text") -> dict[str, Any]:
    return {"key": key, "type": type_, "value": value}


async def created(client: Any, **given: Any) -> dict[str, Any]:
    """A stored configuration, as answered."""
    response = await client.post(CONFIGURE, json=a_body(**given))
    assert response.status_code == 200, response.text
    return dict(response.json())


async def patched(client: Any, stored: dict[str, Any], **changes: Any) -> Any:
    return await client.patch(f"{CONFIGURE}/{stored['id']}", json={"version": stored["version"], **changes})


async def present(client: Any, **query: Any) -> list[dict[str, Any]]:
    return list((await client.get(CONFIGURE, params=query)).json())


# The object


async def test_a_configuration_has_these_keys_and_no_others(client: Any):
    stored = await created(client)

    assert {key: stored[key] for key in stored if key not in ("id", "version", "created_at")} == {
        "owner": "cases",
        "closure_type": "close-by-user",
        "connector": NONE,
        "customFields": [],
        "templates": [],
        "observableTypes": [],
        "mappings": [],
        "error": None,
        "created_by": {"username": "admin", "full_name": "Ada Admin", "email": "ada@example.org"},
        "updated_at": None,
        "updated_by": None,
    }
    assert await present(client) == [stored]


async def test_what_was_sent_is_answered_to_the_letter(client: Any):
    case_fields = {
        "title": "  Phishing report ",
        "tags": ["phishing"],
        "severity": "high",
        "category": None,
        "assignees": [{"uid": "u-1"}],
        "settings": {"syncAlerts": False},
        "connector": {"id": "x", "name": "nothing", "type": ".none", "fields": None},
        "customFields": [a_value("vip", False, "toggle"), a_value("region", None)],
    }
    sent = {
        "customFields": [REGION, VIP, {**SCORE, "defaultValue": None}],
        "templates": [a_template(case_fields=case_fields, description="", tags=["mail"])],
        "observableTypes": [{"key": "bank-account", "label": "Bank account"}],
        "connector": {**JIRA, "fields": {"issueType": "1", "priority": None, "parent": None, "otherFields": None}},
    }

    stored = await created(client, **sent)

    assert {key: stored[key] for key in sent} == sent
    assert await present(client) == [stored]


@pytest.mark.parametrize(
    ("type_", "rows"),
    [
        (".servicenow", ["title short_description", "description description", "comments work_notes"]),
        (".servicenow-sir", ["title short_description", "description description", "comments work_notes"]),
        (".jira", ["title summary", "description description", "tags labels", "comments comments"]),
        (".resilient", ["title name", "description description", "comments comments"]),
        (".swimlane", ["title caseName", "description description", "comments comments"]),
        (".thehive", ["title title", "description description", "comments comments", "tags tags"]),
        (".cases-webhook", []),
        (".none", []),
    ],
)
@on_one_database
async def test_mappings_are_those_of_the_type_whether_or_not_the_connector_exists(
    client: Any, type_: str, rows: list[str]
):
    stored = await created(client, connector={"id": "none", "name": "none", "type": type_, "fields": None})

    assert [f"{row['source']} {row['target']}" for row in stored["mappings"]] == rows
    for row in stored["mappings"]:
        assert row["action_type"] == ("append" if row["source"] == "comments" else "overwrite")
    assert stored["error"] is None


async def test_no_connector_has_one_form_whatever_was_sent(client: Any):
    stored = await created(client, connector={"id": "x", "name": "y", "type": ".none", "fields": None})

    assert stored["connector"] == NONE


# Fields of the connector


SIR = {
    "category": "c", "subcategory": None, "priority": "1",
    "destIp": True, "sourceIp": False, "malwareHash": None, "malwareUrl": True,
}  # fmt: skip
SERVICENOW = {"severity": "1", "urgency": None, "impact": "2", "category": None, "subcategory": None}
FIELDS = [
    (".jira", {"issueType": "10001", "priority": None, "parent": None}),
    (".jira", {"issueType": "10001", "priority": None, "parent": None, "otherFields": '{"a":1}'}),
    (".servicenow", SERVICENOW),
    (".servicenow", {**SERVICENOW, "additionalFields": None}),
    (".servicenow-sir", SIR),
    (".servicenow-sir", {**SIR, "additionalFields": "{}"}),
    (".resilient", {"incidentTypes": ["17"], "severityCode": None}),
    (".resilient", {"incidentTypes": None, "severityCode": "4", "additionalFields": "{}"}),
    (".swimlane", {"caseId": None}),
    (".thehive", {"tlp": 2}),
    (".thehive", {"tlp": "2"}),
    (".thehive", {"tlp": None}),
]
NO_FIELDS = [".none", ".cases-webhook"]


@pytest.mark.parametrize(("type_", "fields"), FIELDS)
@on_one_database
async def test_fields_are_kept_as_sent(client: Any, type_: str, fields: dict[str, Any]):
    stored = await created(client, connector={"id": "c", "name": "C", "type": type_, "fields": fields})

    assert stored["connector"]["fields"] == fields


@pytest.mark.parametrize(("type_", "fields"), FIELDS)
@on_one_database
async def test_fields_must_be_exactly_those_of_the_type(client: Any, type_: str, fields: dict[str, Any]):
    needed = [key for key in fields if key not in ("otherFields", "additionalFields")]
    wrong = [{key: fields[key] for key in fields if key != missing} for missing in needed]
    wrong += [{**fields, "nope": None}, {**fields, needed[0]: {"no": "object"}}]

    for each in wrong:
        sent = a_body(connector={"id": "c", "name": "C", "type": type_, "fields": each})
        assert (await client.post(CONFIGURE, json=sent)).status_code == 400, each


@pytest.mark.parametrize("type_", NO_FIELDS)
@on_one_database
async def test_types_without_fields_take_null_alone(client: Any, type_: str):
    sent = a_body(connector={"id": "c", "name": "C", "type": type_, "fields": {}})

    assert (await client.post(CONFIGURE, json=sent)).status_code == 400


# Shapes that are refused, by POST and by PATCH alike


DEFINITION = {"key": "a", "label": "A", "type": "text", "required": False}
BAD_PARTS: list[tuple[str, Any]] = [
    ("connector", None),
    ("connector", {"id": "none", "name": "none", "type": ".none"}),
    ("connector", {"id": "none", "type": ".none", "fields": None}),
    ("connector", {"name": "none", "type": ".none", "fields": None}),
    ("connector", {"id": "none", "name": "none", "fields": None}),
    ("connector", {**NONE, "nope": 1}),
    ("connector", {**NONE, "type": ".email"}),
    ("connector", {**NONE, "type": ".JIRA"}),
    ("connector", {**NONE, "id": 5}),
    ("closure_type", None),
    ("closure_type", "close-by-robot"),
    ("closure_type", "Close-by-user"),
    ("customFields", None),
    ("customFields", {}),
    ("customFields", [{**DEFINITION, "key": f"k{number}"} for number in range(11)]),
    ("customFields", [{**DEFINITION, "key": ""}]),
    ("customFields", [{**DEFINITION, "key": "x" * 37}]),
    ("customFields", [{**DEFINITION, "key": "Region"}]),
    ("customFields", [{**DEFINITION, "key": "a\n"}]),
    ("customFields", [{**DEFINITION, "label": " "}]),
    ("customFields", [{**DEFINITION, "label": "x" * 51}]),
    ("customFields", [{**DEFINITION, "type": "date"}]),
    ("customFields", [{**DEFINITION, "required": None}]),
    ("customFields", [{**DEFINITION, "required": 1}]),
    ("customFields", [{**DEFINITION, "nope": 1}]),
    ("customFields", [{key: DEFINITION[key] for key in DEFINITION if key != "label"}]),
    ("customFields", [{key: DEFINITION[key] for key in DEFINITION if key != "type"}]),
    ("customFields", [{key: DEFINITION[key] for key in DEFINITION if key != "required"}]),
    ("customFields", [{**DEFINITION, "defaultValue": ""}]),
    ("customFields", [{**DEFINITION, "defaultValue": "x" * 161}]),
    ("customFields", [{**DEFINITION, "defaultValue": 5}]),
    ("customFields", [{**DEFINITION, "type": "toggle", "defaultValue": "true"}]),
    ("customFields", [{**DEFINITION, "type": "toggle", "defaultValue": 1}]),
    ("customFields", [{**DEFINITION, "type": "number", "defaultValue": 1.5}]),
    ("customFields", [{**DEFINITION, "type": "number", "defaultValue": 2**53}]),
    ("customFields", [{**DEFINITION, "type": "number", "defaultValue": -(2**53)}]),
    ("customFields", [{**DEFINITION, "type": "number", "defaultValue": True}]),
    ("customFields", [DEFINITION, {**DEFINITION, "label": "other", "type": "toggle"}]),
    ("templates", None),
    ("templates", [a_template(f"k{number}") for number in range(11)]),
    ("templates", [a_template("")]),
    ("templates", [a_template("x" * 37)]),
    ("templates", [a_template("No")]),
    ("templates", [a_template(name="")]),
    ("templates", [a_template(name="x" * 51)]),
    ("templates", [a_template(description=None)]),
    ("templates", [a_template(description="x" * 1001)]),
    ("templates", [a_template(tags=None)]),
    ("templates", [a_template(tags=["x"] * 11)]),
    ("templates", [a_template(tags=[""])]),
    ("templates", [a_template(tags=["x" * 51])]),
    ("templates", [a_template(nope=1)]),
    ("templates", [{"key": "a", "name": "A"}]),
    ("templates", [{"key": "a", "caseFields": None}]),
    ("templates", [a_template(), a_template()]),
    ("observableTypes", None),
    ("observableTypes", [{"key": f"k{number}", "label": f"L{number}"} for number in range(11)]),
    ("observableTypes", [{"key": "", "label": "A"}]),
    ("observableTypes", [{"key": "x" * 37, "label": "A"}]),
    ("observableTypes", [{"key": "A", "label": "A"}]),
    ("observableTypes", [{"key": "a", "label": ""}]),
    ("observableTypes", [{"key": "a", "label": "x" * 51}]),
    ("observableTypes", [{"key": "a"}]),
    ("observableTypes", [{"key": "a", "label": "A", "nope": 1}]),
    ("observableTypes", [{"key": "a", "label": "One"}, {"key": "a", "label": "Two"}]),
    ("observableTypes", [{"key": "a", "label": "One"}, {"key": "b", "label": "ONE"}]),
    ("observableTypes", [{"key": "observable-type-ipv4", "label": "Mine"}]),
    ("observableTypes", [{"key": "mine", "label": "ipv4"}]),
    ("observableTypes", [{"key": "mine", "label": "FILE HASH"}]),
]
BAD_CASE_FIELDS: list[dict[str, Any]] = [
    {"status": "open"},
    {"owner": "cases"},
    {"observables": []},
    {"nope": 1},
    {"title": ""},
    {"title": None},
    {"title": "x" * 161},
    {"description": ""},
    {"description": "x" * 30_001},
    {"tags": "x"},
    {"tags": [""]},
    {"tags": ["x" * 257]},
    {"tags": ["x"] * 201},
    {"severity": "urgent"},
    {"category": ""},
    {"category": "x" * 51},
    {"assignees": [{"uid": "u"}] * 11},
    {"assignees": ["u"]},
    {"settings": {}},
    {"settings": {"syncAlerts": True, "nope": 1}},
    {"connector": {"id": "none", "name": "none", "type": ".none", "fields": {}}},
    {"connector": {"id": "j", "name": "J", "type": ".jira", "fields": {"issueType": None}}},
    {"customFields": None},
    {"customFields": [{"key": "region", "type": "text"}]},
    {"customFields": [{"key": "region", "value": "x"}]},
    {"customFields": [{**a_value("region", "x"), "nope": 1}]},
    {"customFields": [a_value("region", 5)]},
    {"customFields": [a_value("region", "")]},
    {"customFields": [a_value("region", "x" * 161)]},
    {"customFields": [a_value("region", "x"), a_value("region", "y")]},
    {"customFields": [a_value("region", True, "toggle")]},
    {"customFields": [a_value("region", "x") for _ in range(11)]},
]


@pytest.mark.parametrize(("key", "value"), BAD_PARTS)
@on_one_database
async def test_a_part_that_breaks_a_rule_is_refused_by_both_writes(client: Any, key: str, value: Any):
    stored = await created(client)

    for response in (
        await client.post(CONFIGURE, json=a_body(**{key: value})),
        await patched(client, stored, **{key: value}),
    ):
        assert response.status_code == 400
        assert key in response.json()["message"]
    assert await present(client) == [stored]


@pytest.mark.parametrize("case_fields", BAD_CASE_FIELDS)
@on_one_database
async def test_a_template_keeps_to_the_limits_of_a_case(client: Any, case_fields: dict[str, Any]):
    stored = await created(client, customFields=[REGION])
    template = a_template(case_fields={"customFields": [a_value("region", "x")], **case_fields})

    for response in (
        await client.post(CONFIGURE, json=a_body(customFields=[REGION], templates=[template])),
        await patched(client, stored, templates=[template]),
    ):
        assert response.status_code == 400
        assert "templates" in response.json()["message"]
    assert await present(client) == [stored]


@pytest.mark.parametrize(
    "extra",
    ["id", "version", "mappings", "error", "created_at", "workflowTags", "analytics_enabled", "extractObservables"],
)
@on_one_database
async def test_a_post_takes_no_other_key(client: Any, extra: str):
    response = await client.post(CONFIGURE, json=a_body(**{extra: []}))

    assert (response.status_code, extra in response.json()["message"]) == (400, True)


@pytest.mark.parametrize("missing", ["owner", "closure_type", "connector"])
@on_one_database
async def test_a_post_needs_three_keys(client: Any, missing: str):
    body = {key: value for key, value in a_body().items() if key != missing}
    response = await client.post(CONFIGURE, json=body)

    assert (response.status_code, missing in response.json()["message"]) == (400, True)


@pytest.mark.parametrize("extra", ["owner", "id", "mappings", "updated_at", "workflowTags"])
@on_one_database
async def test_a_patch_takes_no_other_key_the_owner_even_unchanged(client: Any, extra: str):
    stored = await created(client)
    response = await patched(client, stored, **{extra: stored.get(extra, [])})

    assert (response.status_code, extra in response.json()["message"]) == (400, True)


@pytest.mark.parametrize("version", [None, 5, ["x"], {}])
@on_one_database
async def test_a_patch_needs_a_version_that_is_a_text(client: Any, version: Any):
    stored = await created(client)

    with_wrong = await client.patch(f"{CONFIGURE}/{stored['id']}", json={"version": version})
    without = await client.patch(f"{CONFIGURE}/{stored['id']}", json={"closure_type": "close-by-user"})

    assert (with_wrong.status_code, without.status_code) == (400, 400)
    assert "version" in without.json()["message"]


@on_one_database
async def test_values_at_the_edge_are_taken(client: Any):
    texts = [{**DEFINITION, "key": f"k-{number}_", "label": "x" * 50} for number in range(7)]
    longest = {**DEFINITION, "key": "z" * 36, "defaultValue": " " + "é" * 160 + " "}
    most = {**SCORE, "defaultValue": 2**53 - 1}
    least = {**SCORE, "key": "least", "defaultValue": -(2**53) + 1}
    values = [a_value("score", -5, "number")]
    templates = [
        a_template(f"{number}", {"title": "x" * 160, "tags": ["x" * 256] * 200, "customFields": values},
                   name="x" * 50, description="x" * 1000, tags=["x" * 50] * 10)
        for number in range(10)
    ]  # fmt: skip
    types = [{"key": f"{number}" * 36, "label": f"{number}" * 50} for number in range(10)]

    stored = await created(
        client, customFields=[*texts, longest, most, least], templates=templates, observableTypes=types
    )

    assert stored["customFields"] == [*texts, longest, most, least]
    assert stored["templates"] == templates
    assert stored["observableTypes"] == types


# GET


async def test_the_list_is_oldest_first_and_narrowed_by_owner(client: Any):
    assert await present(client) == []
    for owner in ("securitySolution", "cases", "observability"):
        await created(client, owner=owner)

    assert [each["owner"] for each in await present(client)] == ["securitySolution", "cases", "observability"]
    assert [each["owner"] for each in await present(client, owner="cases")] == ["cases"]
    both = await present(client, owner=["observability", "securitySolution", "nobodys"])
    assert [each["owner"] for each in both] == ["securitySolution", "observability"]
    assert await present(client, owner="nobodys") == []
    assert await present(client, owner="cases,observability") == []


@on_one_database
async def test_other_query_keys_are_refused(client: Any):
    response = await client.get(CONFIGURE, params={"owners": "cases", "page": "1"})

    assert response.status_code == 400
    assert "owners" in response.json()["message"]
    assert "page" in response.json()["message"]


async def test_who_may_read_no_owner_gets_403(client: Any, nobody: Any):
    await created(client)

    assert (await nobody.get(CONFIGURE)).status_code == 403
    assert (await nobody.get(CONFIGURE, params={"owner": "cases"})).status_code == 403
    assert (await nobody.get(f"{CONFIGURE}/connectors/_find")).status_code == 403


# POST


async def test_a_second_post_replaces_the_first_and_nothing_survives(client: Any):
    values = {"customFields": [a_value("region", "x")]}
    first = await created(
        client,
        customFields=[REGION],
        templates=[a_template(case_fields=values)],
        observableTypes=[{"key": "k", "label": "L"}],
    )
    await patched(client, first, closure_type="close-by-pushing")

    second = await created(client, connector=JIRA)

    assert second["id"] != first["id"]
    assert second["version"] != first["version"]
    assert (second["customFields"], second["templates"], second["observableTypes"]) == ([], [], [])
    assert (second["updated_at"], second["updated_by"]) == (None, None)
    assert await present(client) == [second]
    assert (await patched(client, first)).status_code == 404


async def test_an_unknown_owner_is_403_once_the_shape_is_right(client: Any):
    refused = await client.post(CONFIGURE, json=a_body(owner="nobodys"))
    wrong_type = await client.post(CONFIGURE, json=a_body(owner=5))
    wrong_shape = await client.post(CONFIGURE, json=a_body(owner="nobodys", customFields=[DEFINITION, DEFINITION]))
    wrong_types = await client.post(
        CONFIGURE, json=a_body(owner="nobodys", observableTypes=[{"key": "mine", "label": "IPv4"}])
    )

    assert [refused.status_code, wrong_type.status_code] == [403, 400]
    assert [wrong_shape.status_code, wrong_types.status_code] == [400, 400]
    assert "nobodys" in refused.json()["message"]


@on_one_database
async def test_a_post_is_judged_before_who_sends_it(client: Any, nobody: Any):
    assert (await nobody.post(CONFIGURE, json=a_body(templates=[a_template(), a_template()]))).status_code == 400
    assert (await nobody.post(CONFIGURE, json=a_body())).status_code == 403
    assert await present(client) == []


@pytest.mark.parametrize(
    ("definitions", "case_fields", "words"),
    [
        ([], {"customFields": [a_value("region", "x")]}, "no custom fields"),
        ([REGION], None, "values"),
        ([REGION], {}, "values"),
        ([REGION], {"customFields": []}, "values"),
        ([REGION], {"customFields": [a_value("other", "x")]}, "other"),
        ([REGION], {"customFields": [a_value("region", 5, "number")]}, "region"),
        ([REGION, VIP], {"customFields": [a_value("region", "x"), a_value("region", "y")]}, "region"),
    ],
)
@on_one_database
async def test_templates_of_a_post_must_fit_its_definitions(
    client: Any, definitions: list[Any], case_fields: Any, words: str
):
    body = a_body(customFields=definitions, templates=[a_template(case_fields=case_fields)])
    response = await client.post(CONFIGURE, json=body)

    assert response.status_code == 400
    assert words in response.json()["message"]


@on_one_database
async def test_required_is_not_enforced_inside_templates(client: Any):
    required = {**REGION, "defaultValue": None}
    template = a_template(case_fields={"customFields": [a_value("vip", None, "toggle")]})

    stored = await created(client, customFields=[required, VIP], templates=[template])

    assert stored["templates"] == [template]


# PATCH


async def test_a_patch_replaces_what_is_given_and_keeps_the_rest(client: Any):
    values = {"customFields": [a_value("region", "x")]}
    stored = await created(
        client,
        connector=JIRA,
        customFields=[REGION],
        templates=[a_template(case_fields=values)],
        observableTypes=[{"key": "k", "label": "L"}],
    )

    changed = (await patched(client, stored, closure_type="close-by-pushing")).json()

    differing = {key for key in stored if stored[key] != changed[key]}
    assert differing == {"closure_type", "version", "updated_at", "updated_by"}
    assert changed["updated_by"]["username"] == "admin"
    assert await present(client) == [changed]


async def test_an_empty_list_empties_it_and_the_connector_brings_its_mappings(client: Any):
    stored = await created(client, customFields=[REGION], observableTypes=[{"key": "k", "label": "L"}])

    changed = (await patched(client, stored, customFields=[], observableTypes=[], connector=JIRA)).json()

    assert (changed["customFields"], changed["observableTypes"], changed["connector"]) == ([], [], JIRA)
    assert len(changed["mappings"]) == 4


async def test_a_patch_that_changes_nothing_is_a_new_version_all_the_same(client: Any):
    stored = await created(client)

    again = (await patched(client, stored)).json()
    same = (await patched(client, again, closure_type=again["closure_type"], templates=[])).json()

    assert len({stored["version"], again["version"], same["version"]}) == 3
    assert again["updated_at"] is not None


@pytest.mark.parametrize("version", ["", "garbage", "WzEsMV0="])
async def test_a_version_that_is_not_the_present_one_is_409_and_writes_nothing(client: Any, version: str):
    stored = await created(client)
    path = f"{CONFIGURE}/{stored['id']}"

    refused = await client.patch(path, json={"version": version, "closure_type": "close-by-pushing"})

    assert refused.status_code == 409
    assert f"[cases-configure/{stored['id']}]" in refused.json()["message"]
    assert await present(client) == [stored]
    assert (await patched(client, stored, closure_type="close-by-pushing")).status_code == 200
    assert (await patched(client, stored, closure_type="close-by-user")).status_code == 409


async def test_an_id_unknown_in_this_space_is_404(client: Any):
    await client.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})
    stored = await created(client)
    body = {"version": stored["version"]}

    unknown = await client.patch(f"{CONFIGURE}/nope", json=body)
    elsewhere = await client.patch(f"/s/fin{CONFIGURE}/{stored['id']}", json=body)

    assert (unknown.status_code, elsewhere.status_code) == (404, 404)
    assert "[cases-configure/nope]" in unknown.json()["message"]
    assert (await client.patch(f"/s/default{CONFIGURE}/{stored['id']}", json=body)).status_code == 200


async def test_every_space_has_configurations_of_its_own(client: Any):
    await client.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})
    here = await created(client)
    there = (await client.post(f"/s/fin{CONFIGURE}", json=a_body(connector=JIRA))).json()

    assert await present(client) == [here]
    assert (await client.get(f"/s/fin{CONFIGURE}")).json() == [there]
    assert (await client.get(f"/s/nowhere{CONFIGURE}")).status_code == 404


async def test_refusals_of_a_patch_come_in_their_order(client: Any, nobody: Any):
    stored = await created(client, customFields=[REGION])
    path = f"{CONFIGURE}/{stored['id']}"
    doubled = {"customFields": [DEFINITION, DEFINITION]}
    doubled_types = {"observableTypes": [{"key": "a", "label": "A"}, {"key": "a", "label": "B"}]}
    retyped = {"customFields": [{**VIP, "key": "region"}]}
    bad_template = {"templates": [a_template(), a_template()]}
    stale = {"version": "stale"}

    async def answer(caller: Any, where: str, **body: Any) -> tuple[int, str]:
        response = await caller.patch(where, json={**stale, **body})
        return response.status_code, response.json()["message"]

    status, message = await answer(client, f"{CONFIGURE}/nope", **doubled, **doubled_types)
    assert (status, "customFields" in message) == (400, True)
    assert (await answer(client, f"{CONFIGURE}/nope", **doubled_types))[0] == 400
    assert (await answer(client, f"{CONFIGURE}/nope", **retyped, **bad_template))[0] == 404
    status, message = await answer(client, path, **retyped, **bad_template)
    assert (status, "customFields" in message) == (400, True)
    status, message = await answer(nobody, path, **bad_template)
    assert (status, "templates" in message) == (400, True)
    assert (await answer(nobody, path))[0] == 403
    assert (await answer(nobody, f"{CONFIGURE}/nope"))[0] == 404
    assert (await answer(client, path))[0] == 409
    assert await present(client) == [stored]


async def test_a_key_may_change_its_type_only_in_two_steps(client: Any):
    stored = await created(client, customFields=[REGION])
    retyped = [{"key": "region", "label": "R", "type": "toggle", "required": False}]

    refused = await patched(client, stored, customFields=retyped)
    without = (await patched(client, stored, customFields=[])).json()
    changed = await patched(client, without, customFields=retyped)

    assert (refused.status_code, changed.status_code) == (400, 200)
    assert "region" in refused.json()["message"]


# The rewriting of sent templates


async def test_a_patch_drops_values_without_definition_and_appends_missing_ones(client: Any):
    stored = await created(client)
    sent = [
        a_template("null", None),
        a_template("some", {"title": "T", "customFields": [a_value("gone", "x"), a_value("score", 7, "number")]}),
    ]
    definitions = [REGION, VIP, SCORE, {**DEFINITION, "key": "free"}]

    changed = (await patched(client, stored, customFields=definitions, templates=sent)).json()

    region, vip = a_value("region", "EMEA"), a_value("vip", False, "toggle")
    score, free = a_value("score", None, "number"), a_value("free", None)
    assert changed["templates"][0]["caseFields"] == {"customFields": [region, vip, score, free]}
    assert changed["templates"][1]["caseFields"] == {
        "title": "T",
        "customFields": [a_value("score", 7, "number"), region, vip, free],
    }
    assert await present(client) == [changed]


async def test_a_patch_without_definitions_leaves_empty_values(client: Any):
    stored = await created(client)
    sent = [a_template("a", {"customFields": [a_value("gone", "x")]}), a_template("b"), a_template("c", {})]

    changed = (await patched(client, stored, templates=sent)).json()

    assert [each["caseFields"] for each in changed["templates"]] == [{"customFields": []}] * 3


async def test_a_patch_uses_the_stored_definitions_unless_it_brings_its_own(client: Any):
    stored = await created(client, customFields=[{**VIP, "defaultValue": True}])
    sent = [a_template("a")]

    kept = (await patched(client, stored, templates=sent)).json()
    emptied = (await patched(client, kept, templates=sent, customFields=[])).json()

    assert kept["templates"][0]["caseFields"] == {"customFields": [a_value("vip", True, "toggle")]}
    assert emptied["templates"][0]["caseFields"] == {"customFields": []}


async def test_stored_templates_are_not_rewritten_when_only_definitions_change(client: Any):
    template = a_template(case_fields={"customFields": [a_value("region", "x")]})
    stored = await created(client, customFields=[REGION], templates=[template])

    changed = (await patched(client, stored, customFields=[VIP])).json()

    assert changed["templates"] == [template]


# connectors/_find


async def test_the_connectors_of_cases_are_a_bare_list_in_camel_case(client: Any, jira: Any):
    await client.post("/api/actions/connector/tracker", json=jira.connector)
    used = {"id": "tracker", "name": "Tracker", "type": ".jira", "fields": None}
    await created(client, connector=used)
    await created(client, owner="observability", connector=used)

    found = await client.get(f"{CONFIGURE}/connectors/_find")

    assert found.json() == [
        {
            "id": "tracker",
            "actionTypeId": ".jira",
            "name": "Tracker",
            "config": jira.config,
            "isPreconfigured": False,
            "isDeprecated": False,
            "isSystemAction": False,
            "isMissingSecrets": False,
            "referencedByCount": 2,
        }
    ]
    assert jira.secrets["apiToken"] not in found.text


async def test_the_connectors_of_cases_ignore_the_query_and_know_their_space(client: Any, jira: Any):
    await client.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})
    await client.post("/s/fin/api/actions/connector/tracker", json=jira.connector)

    assert (await client.get(f"{CONFIGURE}/connectors/_find?page=nope")).json() == []
    assert len((await client.get(f"/s/fin{CONFIGURE}/connectors/_find")).json()) == 1


@pytest.mark.parametrize("method", ["DELETE", "PUT", "GET"])
@on_one_database
async def test_there_is_no_other_way_to_one_configuration(client: Any, method: str):
    stored = await created(client)

    assert (await client.request(method, f"{CONFIGURE}/{stored['id']}")).status_code == 404
