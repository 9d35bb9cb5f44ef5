"""The case configuration of 7.10, and which routes that dialect has (dialect-7.10.md 1 to 3)."""

from __future__ import annotations

from typing import Any

import pytest

CONFIGURE = "/7.10/api/cases/configure"
TODAY = "/api/cases/configure"
NONE = {"id": "none", "name": "none", "type": ".none", "fields": None}
DESK = {"id": "desk", "name": "Issue desk", "type": ".jira", "fields": None}
KEYS = {
    "connector", "closure_type", "created_at", "created_by", "updated_at", "updated_by", "mappings", "error", "version",
}  # fmt: skip

on_one_database = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


async def created(client: Any, connector: Any = NONE, **given: Any) -> dict[str, Any]:
    response = await client.post(CONFIGURE, json={"connector": connector, "closure_type": "close-by-user", **given})
    assert response.status_code == 200, response.text
    return dict(response.json())


async def created_today(client: Any, **given: Any) -> dict[str, Any]:
    body = {"owner": "securitySolution", "closure_type": "close-by-user", "connector": NONE, **given}
    response = await client.post(TODAY, json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def test_without_a_configuration_get_answers_an_empty_object(client: Any):
    response = await client.get(CONFIGURE)

    assert (response.status_code, response.json()) == (200, {})


async def test_get_answers_one_object_with_the_keys_of_that_time(client: Any):
    stored = await created(client)

    assert set(stored) == KEYS
    assert (stored["connector"], stored["mappings"], stored["error"]) == (NONE, [], None)
    assert stored["created_by"] == {"email": "ada@example.org", "full_name": "Ada Admin", "username": "admin"}
    assert (stored["updated_at"], stored["updated_by"]) == (None, None)
    assert (await client.get(f"{CONFIGURE}?owner=cases&nope=1")).json() == stored


@on_one_database
async def test_configurations_of_other_owners_and_spaces_are_invisible(client: Any):
    await client.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})
    await created_today(client, owner="cases")
    await created_today(client, owner="observability")
    await client.post(f"/s/fin{TODAY}", json={"owner": "securitySolution", "closure_type": "close-by-user",
                                               "connector": NONE})  # fmt: skip

    assert (await client.get(CONFIGURE)).json() == {}
    assert set((await client.get("/s/fin/7.10/api/cases/configure")).json()) == KEYS
    assert set((await client.get("/7.10/s/fin/api/cases/configure")).json()) == KEYS


async def test_a_post_replaces_but_keeps_the_lists_of_today(client: Any):
    lists = {
        "customFields": [{"key": "vip", "label": "VIP", "type": "toggle", "required": False}],
        "templates": [
            {"key": "t", "name": "T", "caseFields": {"customFields": [{"key": "vip", "type": "toggle", "value": True}]}}
        ],
        "observableTypes": [{"key": "o", "label": "O"}],
    }
    first = await created_today(client, connector=DESK, **lists)

    second = await created(client, closure_type="close-by-pushing")

    (present,) = (await client.get(TODAY)).json()
    assert {key: present[key] for key in lists} == lists
    assert present["id"] != first["id"]
    assert present["version"] == second["version"] != first["version"]
    assert (present["connector"], present["closure_type"]) == (NONE, "close-by-pushing")
    assert (present["updated_at"], present["updated_by"]) == (None, None)
    assert (await client.get(CONFIGURE)).json() == second


@pytest.mark.parametrize(
    "body",
    [
        {"connector": NONE},
        {"closure_type": "close-by-user"},
        {"connector": NONE, "closure_type": "close-by-user", "owner": "securitySolution"},
        {"connector": NONE, "closure_type": "close-by-user", "version": "WzEsMV0="},
        {"connector": NONE, "closure_type": "close-by-user", "customFields": []},
        {"connector": NONE, "closure_type": "never"},
        {"connector": None, "closure_type": "close-by-user"},
        {"connector": {**NONE, "fields": {}}, "closure_type": "close-by-user"},
        {"connector": {"id": "a", "name": "b", "type": ".jira"}, "closure_type": "close-by-user"},
        {"connector": {**DESK, "type": ".swimlane"}, "closure_type": "close-by-user"},
        {"connector": {**DESK, "type": ".servicenow-sir"}, "closure_type": "close-by-user"},
        {"connector": {**DESK, "type": ".cases-webhook"}, "closure_type": "close-by-user"},
        {"connector": {**DESK, "fields": {"urgency": "1"}}, "closure_type": "close-by-user"},
        {"connector": {**DESK, "fields": {"priority": 1}}, "closure_type": "close-by-user"},
        [],
    ],
)
@on_one_database
async def test_a_post_takes_exactly_connector_and_closure_type(client: Any, body: Any):
    assert (await client.post(CONFIGURE, json=body)).status_code == 400
    assert (await client.get(CONFIGURE)).json() == {}


@pytest.mark.parametrize(
    ("type_", "sent", "answered"),
    [
        (".jira", {}, {"issueType": None, "priority": None, "parent": None}),
        (
            ".jira",
            {"issueType": "10006", "priority": "High"},
            {"issueType": "10006", "priority": "High", "parent": None},
        ),
        (".servicenow", {"urgency": "1"}, {"urgency": "1", "severity": None, "impact": None}),
        (".resilient", {}, {"incidentTypes": None, "severityCode": None}),
        (
            ".resilient",
            {"incidentTypes": ["17", 4], "severityCode": 6},
            {"incidentTypes": ["17", "4"], "severityCode": "6"},
        ),
        (
            ".resilient",
            {"issueTypes": [17, 4], "severityCode": "6"},
            {"incidentTypes": ["17", "4"], "severityCode": "6"},
        ),
        (".resilient", {"issueTypes": None}, {"incidentTypes": None, "severityCode": None}),
    ],
)
@on_one_database
async def test_fields_of_that_time_are_filled_with_null_and_answered_in_their_own_form(
    client: Any, type_: str, sent: dict[str, Any], answered: dict[str, Any]
):
    connector = {"id": "c", "name": "C", "type": type_, "fields": sent}

    stored = await created(client, connector)
    patched = await client.patch(CONFIGURE, json={"version": stored["version"], "connector": connector})

    assert stored["connector"] == {**connector, "fields": answered}
    assert patched.json()["connector"] == stored["connector"]


@pytest.mark.parametrize(
    ("type_", "fields"), [(".servicenow", {"urgency": "1"}), (".jira", {}), (".resilient", {"issueTypes": [1]})]
)
@on_one_database
async def test_what_an_old_client_stored_can_be_sent_back_by_a_new_one(client: Any, type_: str, fields: Any):
    await created(client, {"id": "c", "name": "C", "type": type_, "fields": fields})
    (present,) = (await client.get(TODAY)).json()
    body = {"version": present["version"], "connector": present["connector"]}

    assert (await client.patch(f"{TODAY}/{present['id']}", json=body)).status_code == 200


@on_one_database
async def test_a_connector_of_a_newer_client_is_shown_as_it_is(client: Any):
    lane = {"id": "lane", "name": "Lane", "type": ".swimlane", "fields": {"caseId": "7"}}
    await created_today(client, connector=lane)

    shown = (await client.get(CONFIGURE)).json()

    assert shown["connector"] == lane
    assert [row["target"] for row in shown["mappings"]] == ["caseName", "description", "comments"]


@on_one_database
async def test_mappings_have_no_row_for_tags(client: Any):
    stored = await created(client, DESK)

    assert [row["source"] for row in stored["mappings"]] == ["title", "description", "comments"]


async def test_the_connectors_of_cases_have_six_keys(client: Any, jira: Any):
    await client.post("/api/actions/connector/tracker", json=jira.connector)
    await created(client, {"id": "tracker", "name": "Tracker", "type": ".jira", "fields": None})

    found = (await client.get(f"{CONFIGURE}/connectors/_find?page=2")).json()

    assert found == [
        {
            "id": "tracker",
            "actionTypeId": ".jira",
            "name": "Tracker",
            "config": jira.config,
            "isPreconfigured": False,
            "referencedByCount": 1,
        }
    ]


@on_one_database
async def test_who_may_do_nothing_gets_403(nobody: Any):
    body = {"connector": NONE, "closure_type": "close-by-user"}

    assert (await nobody.get(CONFIGURE)).status_code == 403
    assert (await nobody.post(CONFIGURE, json=body)).status_code == 403
    assert (await nobody.get(f"{CONFIGURE}/connectors/_find")).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/7.10/api/cases/configure/some-id"),
        ("GET", "/7.10/api/actions/connectors"),
        ("POST", "/7.10/api/actions/connector"),
        ("GET", "/7.10/api/actions/connector_types"),
        ("POST", "/7.10/api/actions/connector/c/_execute"),
        ("POST", "/7.10/api/cases/c/connector/d/_push"),
        ("GET", "/7.10/api/casebridge/deliveries"),
        ("GET", "/7.10/api/spaces/space"),
        ("GET", "/7.10/api/status"),
        ("POST", "/7.10/internal/cases/_search"),
        ("GET", "/7.10/internal/cases/c/_connectors"),
        ("GET", "/7.10/api/cases/c/resolve"),
        ("GET", "/7.10/api/cases/c/user_actions/_find"),
        ("GET", "/7.10/api/cases/metrics"),
        ("GET", "/7.10/7.10/api/cases/configure"),
        ("GET", "/s/default/s/default/7.10/api/cases/configure"),
        ("GET", "/7.10/api/cases/configure/"),
        ("DELETE", "/7.10/api/cases/configure"),
        ("POST", "/api/cases/c/_push"),
        ("POST", "/api/cases/configure/connectors/c/push"),
    ],
)
@on_one_database
async def test_each_address_has_only_the_routes_of_its_dialect(client: Any, method: str, path: str):
    response = await client.request(method, path)

    assert (response.status_code, response.json()["error"]) == (404, "Not Found")
