"""Connectors under their 7.x names, served in both dialects (connectors.md 8, dialect-7.10.md 9)."""

from __future__ import annotations

from typing import Any

import pytest

BASES = ["", "/7.10"]
ACTION, ALL, TYPES = "/api/actions/action", "/api/actions", "/api/actions/list_action_types"
DANA, OMAR = {"fullName": "Dana Lee", "username": "dana"}, {"fullName": None, "username": "omar"}

in_both_dialects = pytest.mark.parametrize("base", BASES)
on_one_database = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


def a_body(jira: Any, **given: Any) -> dict[str, Any]:
    """What a create sends."""
    return {"name": "Tracker", "actionTypeId": ".jira", "config": jira.config, "secrets": jira.secrets, **given}


def an_update(jira: Any, **given: Any) -> dict[str, Any]:
    return {"name": "Tracker", "config": jira.config, "secrets": jira.secrets, **given}


async def created(client: Any, jira: Any, base: str = "", **given: Any) -> dict[str, Any]:
    response = await client.post(f"{base}{ACTION}", json=a_body(jira, **given))
    assert response.status_code == 200, response.text
    return dict(response.json())


async def run(client: Any, id_: str, sub_action: str, params: Any, base: str = "/7.10") -> dict[str, Any]:
    body = {"params": {"subAction": sub_action, "subActionParams": params}}
    response = await client.post(f"{base}{ACTION}/{id_}/_execute", json=body)
    assert response.status_code == 200, response.text
    assert not any(each in response.text for each in ("sandbox-token", "bot@example.org"))
    return dict(response.json())


@in_both_dialects
async def test_a_connector_lives_under_its_old_name(client: Any, jira: Any, base: str):
    made = await created(client, jira, base)
    one = f"{base}{ACTION}/{made['id']}"

    changed = await client.put(one, json=an_update(jira, name="New"))
    read = await client.get(one)
    listed = await client.get(f"{base}{ALL}")
    deleted = await client.delete(one)

    assert made == {
        "id": made["id"],
        "name": "Tracker",
        "actionTypeId": ".jira",
        "config": jira.config,
        "isPreconfigured": False,
        "isDeprecated": False,
        "isMissingSecrets": False,
    }
    assert changed.json() == read.json() == {**made, "name": "New"}
    assert listed.json() == [{**made, "name": "New", "referencedByCount": 0}]
    assert (deleted.status_code, deleted.content) == (204, b"")
    missing = await client.get(one)
    assert (missing.status_code, f"[action/{made['id']}]" in missing.json()["message"]) == (404, True)
    assert (await client.put(one, json=an_update(jira))).status_code == 404
    assert (await client.delete(one)).status_code == 404
    assert (await client.post(f"{one}/_execute", json={"params": {}})).status_code == 404


@in_both_dialects
@on_one_database
async def test_types_have_camel_case_keys(client: Any, base: str):
    found = (await client.get(f"{base}{TYPES}")).json()

    (jira,) = [each for each in found if each["id"] == ".jira"]
    assert jira == {
        "id": ".jira",
        "name": "Jira",
        "enabled": True,
        "enabledInConfig": True,
        "enabledInLicense": True,
        "minimumLicenseRequired": "gold",
        "supportedFeatureIds": ["alerting", "cases", "uptime", "siem"],
    }


async def test_both_names_mean_one_connector(client: Any, jira: Any):
    made = await created(client, jira, "/7.10")

    today = await client.get(f"/api/actions/connector/{made['id']}")

    assert (today.status_code, today.json()["connector_type_id"]) == (200, ".jira")


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"actionTypeId": ".email"},
        {"actionTypeId": ".cases"},
        {"config": {}},
        {"config": None},
        {"secrets": {}},
        {"connector_type_id": ".jira"},
        {"id": "x"},
    ],
)
@on_one_database
async def test_the_same_checks_hold(client: Any, jira: Any, change: dict[str, Any]):
    assert (await client.post(f"/7.10{ACTION}", json=a_body(jira, **change))).status_code == 400
    assert (await client.get(f"/7.10{ALL}")).json() == []


@on_one_database
async def test_the_type_is_no_key_of_a_put(client: Any, jira: Any):
    made = await created(client, jira)

    assert (await client.put(f"{ACTION}/{made['id']}", json=a_body(jira))).status_code == 400
    assert (await client.put(f"{ACTION}/{made['id']}", json=an_update(jira, secrets={}))).status_code == 400


@on_one_database
async def test_the_same_privileges_are_needed(nobody: Any, jira: Any):
    assert (await nobody.post(ACTION, json=a_body(jira, secrets={}))).status_code == 403
    assert (await nobody.get(f"{ACTION}/nope")).status_code == 403
    assert (await nobody.put(f"{ACTION}/nope", json=an_update(jira))).status_code == 403
    assert (await nobody.delete(f"{ACTION}/nope")).status_code == 403
    assert (await nobody.post(f"{ACTION}/nope/_execute", json={"params": {}})).status_code == 403
    assert (await nobody.get(ALL)).status_code == 403
    assert (await nobody.get(TYPES)).status_code == 200


async def test_the_old_keys_of_config_are_kept_and_can_be_sent_back(client: Any, jira: Any):
    old = {
        "incidentConfiguration": {"mapping": [{"source": "title", "target": "summary", "actionType": "overwrite"}]},
        "isCaseOwned": True,
    }
    made = await created(client, jira, config={**jira.config, **old})
    today = f"/api/actions/connector/{made['id']}"

    changed = await client.put(f"{ACTION}/{made['id']}", json=an_update(jira, config=made["config"], name="New"))
    sent_back = await client.put(today, json=an_update(jira, config=made["config"], name="Newer"))

    assert made["config"] == {**jira.config, **old}
    assert changed.json()["config"] == made["config"]
    assert (sent_back.status_code, sent_back.json()["config"]) == (200, made["config"])
    assert (await run(client, made["id"], "issueTypes", {}))["status"] == "ok"
    assert (await client.put(today, json=an_update(jira))).json()["config"] == jira.config
    assert (await client.put(today, json=an_update(jira, config=made["config"]))).status_code == 400


# Execute


@in_both_dialects
async def test_results_are_in_camel_case(client: Any, jira: Any, base: str):
    id_ = (await created(client, jira))["id"]

    good = await run(client, id_, "issueTypes", {}, base)
    bad = await run(client, id_, "explode", {}, base)
    jira.fault("any=status:503")
    failed = await run(client, id_, "issueTypes", {}, base)

    assert (set(good), good["status"], good["actionId"]) == ({"status", "actionId", "data"}, "ok", id_)
    assert (set(bad), bad["status"], bad["retry"]) == ({"status", "actionId", "message", "retry"}, "error", False)
    assert set(failed) == {"status", "actionId", "message", "serviceMessage", "retry"}
    assert (failed["retry"], "503" in failed["serviceMessage"]) == (True, True)


@in_both_dialects
async def test_the_form_of_7_11_is_that_of_today(client: Any, jira: Any, base: str):
    id_ = (await created(client, jira))["id"]
    params = {"incident": {"summary": "Odd logons"}, "comments": [{"commentId": "c-1", "comment": "first"}]}

    answer = await run(client, id_, "pushToService", params, base)

    (issue,) = jira.issues
    assert answer["data"]["id"] == issue["id"]
    assert issue["fields"]["summary"] == "Odd logons"


def flat(**given: Any) -> dict[str, Any]:
    """Params of 7.10: the required ones, and those given."""
    return {
        "savedObjectId": "case-1",
        "title": "Odd logons",
        "createdAt": "2020-11-05T10:20:30.400Z",
        "createdBy": DANA,
        **given,
    }


@in_both_dialects
async def test_the_flat_form_of_7_10_creates_with_a_note_on_every_text(client: Any, jira: Any, base: str):
    id_ = (await created(client, jira))["id"]
    comment = {"commentId": "c-1", "comment": "first", "createdAt": "2020-11-05T11:00:00Z", "createdBy": OMAR}
    params = flat(
        description="seen on two hosts",
        externalId=None,
        updatedAt=None,
        updatedBy=None,
        comments=[comment, {**comment, "commentId": "c-2", "updatedAt": "2020-11-05T12:00:00Z", "updatedBy": DANA}],
        issueType="10002",
        priority="High",
        labels=["vpn"],
        parent=None,
        summary="ignored",
        urgency="ignored",
    )

    answer = await run(client, id_, "pushToService", params, base)

    (issue,) = jira.issues
    noted = "(created at 2020-11-05T10:20:30.400Z by Dana Lee)"
    assert issue["fields"]["summary"] == f"Odd logons {noted}"
    assert issue["fields"]["description"] == f"seen on two hosts {noted}"
    assert (issue["fields"]["issuetype"]["id"], issue["fields"]["priority"]["name"]) == ("10002", "High")
    assert issue["fields"]["labels"] == ["vpn"]
    assert [each["body"] for each in issue["comments"]] == [
        "first (added at 2020-11-05T11:00:00.000Z by omar)",
        "first (added at 2020-11-05T12:00:00.000Z by Dana Lee)",
    ]
    assert (answer["status"], answer["actionId"]) == ("ok", id_)
    assert (answer["data"]["id"], answer["data"]["title"]) == (issue["id"], issue["key"])
    assert [each["commentId"] for each in answer["data"]["comments"]] == ["c-1", "c-2"]


async def test_the_flat_form_with_an_external_id_updates(client: Any, jira: Any):
    id_ = (await created(client, jira))["id"]
    first = await run(client, id_, "pushToService", flat())

    changed = flat(externalId=first["data"]["id"], updatedAt="2020-11-06T07:00:00Z", updatedBy=OMAR)
    second = await run(client, id_, "pushToService", changed)

    (issue,) = jira.issues
    assert issue["fields"]["summary"] == "Odd logons (updated at 2020-11-06T07:00:00.000Z by omar)"
    assert second["data"]["id"] == issue["id"]
    assert "comments" not in second["data"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "subActionParams"),
        ({key: value for key, value in flat().items() if key != "savedObjectId"}, "savedObjectId"),
        ({key: value for key, value in flat().items() if key != "createdBy"}, "createdBy"),
        (flat(title=None), "title"),
        (flat(title=5), "title"),
        (flat(createdAt="yesterday"), "createdAt"),
        (flat(createdBy={"username": "dana"}), "fullName"),
        (flat(externalId=5), "externalId"),
        (flat(labels="vpn"), "labels"),
        (flat(comments=[{"commentId": "c-1"}]), "comments"),
    ],
)
@on_one_database
async def test_flat_params_that_are_invalid_are_a_result_that_says_why(
    client: Any, jira: Any, params: dict[str, Any], words: str
):
    id_ = (await created(client, jira))["id"]

    answer = await run(client, id_, "pushToService", params)

    assert (answer["status"], answer["retry"]) == ("error", False)
    assert "params" in answer["message"]
    assert words in answer["message"]
    assert jira.calls == []
