"""`/api/actions/…` under today's names (connectors.md)."""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from casebridge.api.dispatch import api_app
from casebridge.api.table import ROUTES
from casebridge.domain.connector import Connector

ONE, ALL, TYPES = "/api/actions/connector", "/api/actions/connectors", "/api/actions/connector_types"
SECRETS = {"email": "planted-user@example.org", "apiToken": "planted-t0ken-8841"}

on_one_database = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


def a_body(**given: Any) -> dict[str, Any]:
    """What a create sends: a Jira that is never called."""
    config = {"apiUrl": "http://localhost:1/", "projectKey": "OPS"}
    return {"name": "Ops Jira", "connector_type_id": ".jira", "config": config, "secrets": SECRETS, **given}


def an_update(**given: Any) -> dict[str, Any]:
    return {key: value for key, value in a_body(**given).items() if key != "connector_type_id" or key in given}


def shows_secret(text: str) -> bool:
    """Whether a planted secret, or an encoded form of one, stands in a text."""
    email, token = SECRETS.values()
    forms = [email, token, *(base64.b64encode(each.encode()).decode() for each in (token, f"{email}:{token}"))]
    return any(each in text for each in forms)


@pytest.fixture
async def furnished(ground: Any, admin: Any, jira: Any, connect: Any) -> AsyncIterator[Any]:
    """A client of a server with connectors of its own settings: `pre` and the exposed `open`, both to Jira."""
    pre = Connector("pre", "default", "Built in", ".jira", jira.config, is_preconfigured=True)
    shown = msgspec.structs.replace(pre, id="open", name="Also built in", expose_config=True)
    broken = msgspec.structs.replace(pre, id="broken", name="Broken", config={"apiUrl": jira.url})
    system = msgspec.structs.replace(pre, id="system", name="Cases", type=".cases", config={})
    furnished = msgspec.structs.replace(
        ground,
        preconfigured={each.id: each for each in (pre, shown, broken, system)},
        preconfigured_secrets={"pre": jira.secrets, "open": jira.secrets},
    )
    async with connect(api_app(furnished, ROUTES)) as opened:
        yield opened


@pytest.fixture
async def without_jira(ground: Any, admin: Any, connect: Any) -> AsyncIterator[Any]:
    """A client of a server where the type `.jira` is not enabled."""
    async with connect(api_app(msgspec.structs.replace(ground, enabled_connector_types=(".resilient",)), ROUTES)) as it:
        yield it


# Create and get


async def test_a_created_connector_is_answered_without_its_secrets(client: Any):
    made = await client.post(ONE, json=a_body())

    assert made.status_code == 200
    id_ = made.json()["id"]
    assert str(uuid.UUID(id_)) == id_
    assert made.json() == {
        "id": id_,
        "name": "Ops Jira",
        "connector_type_id": ".jira",
        "config": {"apiUrl": "http://localhost:1/", "projectKey": "OPS"},
        "is_preconfigured": False,
        "is_deprecated": False,
        "is_missing_secrets": False,
        "is_system_action": False,
        "is_connector_type_deprecated": False,
    }
    assert (await client.get(f"{ONE}/{id_}")).json() == made.json()


async def test_a_chosen_id_is_taken_once_in_each_space(client: Any):
    await client.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})

    first = await client.post(f"{ONE}/jira-1", json=a_body())
    again = await client.post(f"{ONE}/jira-1", json=a_body(name="Other"))
    elsewhere = await client.post(f"/s/fin{ONE}/jira-1", json=a_body(name="There"))

    assert [each.status_code for each in (first, again, elsewhere)] == [200, 409, 200]
    assert first.json()["id"] == "jira-1"
    assert (await client.get(f"{ONE}/jira-1")).json()["name"] == "Ops Jira"
    assert (await client.get(f"/s/fin{ONE}/jira-1")).json()["name"] == "There"


async def test_any_text_is_an_id(client: Any):
    assert (await client.post(f"{ONE}/%20", json=a_body())).json()["id"] == " "
    made = await client.post(f"{ONE}/a%2Fb%20%C3%A9", json=a_body())

    assert made.json()["id"] == "a/b é"
    assert (await client.get(f"{ONE}/a%2Fb%20%C3%A9")).status_code == 200


async def test_an_id_is_no_longer_than_a_case_can_name(client: Any):
    # Letters that do not repeat: an index would pack others.
    longest = "".join(chr(0x4E00 + number) for number in range(512))

    assert (await client.post(f"{ONE}/{longest}", json=a_body())).json()["id"] == longest
    for length in (513, 5000):
        id_ = "".join(chr(0x4E00 + number) for number in range(length))
        assert (await client.post(f"{ONE}/{id_}", json=a_body())).status_code == 400
        assert (await client.get(f"{ONE}/{id_}")).status_code == 404


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "  "}, ["name"]),
        ({"name": None}, ["name"]),
        ({"connector_type_id": ""}, ["connector_type_id"]),
        ({"connector_type_id": ".email"}, [".email"]),
        ({"connector_type_id": ".cases"}, [".cases"]),
        ({"config": None}, ["config"]),
        ({"config": []}, ["config"]),
        ({"secrets": None}, ["secrets"]),
        ({"secrets": "text"}, ["secrets"]),
        ({"id": "x"}, ["id"]),
        ({"is_preconfigured": False, "nope": 1}, ["is_preconfigured", "nope"]),
        ({"config": {}}, ["connector type config", "apiUrl"]),
        ({"config": {"apiUrl": "http://localhost:1"}}, ["connector type config", "projectKey"]),
        ({"config": {"apiUrl": 5, "projectKey": "OPS"}}, ["connector type config", "apiUrl"]),
        ({"config": {"apiUrl": None, "projectKey": "OPS"}}, ["connector type config", "apiUrl"]),
        ({"config": {"apiUrl": "http://localhost:1", "projectKey": ""}}, ["config", "projectKey"]),
        ({"config": {"apiUrl": "http://localhost:1", "projectKey": " \t"}}, ["config", "projectKey"]),
        ({"config": {"apiUrl": "http://localhost:1", "projectKey": "A", "x": 1}}, ["connector type config", "x"]),
        ({"config": {"apiUrl": "http://localhost:1", "projectKey": "A", "isCaseOwned": True}}, ["isCaseOwned"]),
        ({"config": {"apiUrl": "http://localhost:1", "projectKey": "A", "x": {"y": [""]}}}, ["x.y[0]"]),
        ({"secrets": {}}, ["connector type secrets", "email"]),
        ({"secrets": {"email": SECRETS["email"]}}, ["connector type secrets", "apiToken"]),
        ({"secrets": {**SECRETS, "email": ""}}, ["secrets", "email"]),
        ({"secrets": {**SECRETS, "email": None}}, ["connector type secrets", "email"]),
        ({"secrets": {**SECRETS, "more": SECRETS["apiToken"]}}, ["connector type secrets", "more"]),
        ({"secrets": {"email": [SECRETS["email"]], "apiToken": SECRETS["apiToken"]}}, ["secrets", "email"]),
        ({"config": {"apiUrl": "http://192.0.2.1/x", "projectKey": "A"}}, ["http://192.0.2.1/x", "allowed hosts"]),
        ({"config": {"apiUrl": "http://sub.localhost", "projectKey": "A"}}, ["http://sub.localhost", "allowed hosts"]),
        ({"config": {"apiUrl": "no url", "projectKey": "A"}}, ["no url", "allowed hosts"]),
        ({"config": {"apiUrl": "http:///x", "projectKey": "A"}}, ["http:///x", "allowed hosts"]),
    ],
)
@on_one_database
async def test_a_refusal_names_the_part_and_the_key_and_shows_no_secret(
    client: Any, change: dict[str, Any], words: list[str]
):
    await client.post(f"{ONE}/stored", json=a_body())
    created = await client.post(ONE, json=a_body(**change))
    updated = await client.put(f"{ONE}/stored", json=an_update(**change))

    for response in (created, updated):
        assert response.status_code == 400
        assert not shows_secret(response.text)
    assert [each for each in words if each not in created.json()["message"]] == []
    assert [each["id"] for each in (await client.get(ALL)).json()] == ["stored"]


@pytest.mark.parametrize("missing", ["name", "connector_type_id"])
@on_one_database
async def test_name_and_type_are_required(client: Any, missing: str):
    body = {key: value for key, value in a_body().items() if key != missing}
    response = await client.post(ONE, json=body)

    assert (response.status_code, missing in response.json()["message"]) == (400, True)


@on_one_database
async def test_refusals_of_a_create_come_in_their_order(furnished: Any, without_jira: Any, nobody: Any):
    unknown = a_body(connector_type_id=".email", config={}, secrets={})
    no_config = a_body(config={}, secrets={})
    no_secrets = a_body(secrets={})

    assert (await nobody.post(ONE, json=unknown)).status_code == 403
    assert "preconfigured" in (await furnished.post(f"{ONE}/pre", json=unknown)).json()["message"]
    assert ".email" in (await furnished.post(ONE, json=unknown)).json()["message"]
    assert "connector type config" in (await furnished.post(ONE, json=no_config)).json()["message"]
    assert "connector type secrets" in (await without_jira.post(ONE, json=no_secrets)).json()["message"]
    await furnished.post(f"{ONE}/taken", json=a_body())
    disabled = await without_jira.post(f"{ONE}/taken", json=a_body())
    assert (disabled.status_code, ".jira" in disabled.json()["message"]) == (403, True)
    assert (await furnished.post(f"{ONE}/taken", json=a_body())).status_code == 409


# Update and delete


async def test_a_put_replaces_name_config_and_secrets(client: Any, jira: Any):
    await client.post(f"{ONE}/c", json={**jira.connector, "secrets": {"email": "x", "apiToken": "wrong-token"}})
    refused = await client.post(f"{ONE}/c/_execute", json={"params": {"subAction": "issueTypes"}})

    changed = await client.put(f"{ONE}/c", json={"name": "New", "config": jira.config, "secrets": jira.secrets})
    accepted = await client.post(f"{ONE}/c/_execute", json={"params": {"subAction": "issueTypes"}})

    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["is_missing_secrets"]) == ("New", False)
    assert "referenced_by_count" not in changed.json()
    assert (refused.json()["status"], accepted.json()["status"]) == ("error", "ok")
    assert (await client.get(f"{ONE}/c")).json() == changed.json()


async def test_there_is_no_keeping_of_secrets(client: Any):
    made = (await client.post(f"{ONE}/c", json=a_body())).json()

    response = await client.put(f"{ONE}/c", json={"name": made["name"], "config": made["config"]})
    renamed = await client.put(f"{ONE}/c", json={"name": "New", "config": made["config"], "secrets": SECRETS})

    assert response.status_code == 400
    assert "connector type secrets" in response.json()["message"]
    assert renamed.json() == {**made, "name": "New"}


@on_one_database
async def test_the_type_is_no_key_of_a_put(client: Any):
    await client.post(f"{ONE}/c", json=a_body())
    response = await client.put(f"{ONE}/c", json=a_body())

    assert (response.status_code, "connector_type_id" in response.json()["message"]) == (400, True)


async def test_an_unknown_connector_is_404_on_every_route_and_spaces_are_apart(client: Any):
    await client.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})
    await client.post(f"{ONE}/c", json=a_body())
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PUT", "", an_update()),
        ("DELETE", "", None),
        ("POST", "/_execute", {"params": {}}),
    ]

    for method, rest, body in calls:
        for path in (f"{ONE}/nope", f"/s/fin{ONE}/c"):
            response = await client.request(method, f"{path}{rest}", **({} if body is None else {"json": body}))
            assert response.status_code == 404
            assert f"[action/{path.rpartition('/')[2]}]" in response.json()["message"]
    assert (await client.get(f"/s/fin{ALL}")).json() == []
    assert (await client.get(f"{ONE}/c")).status_code == 200


async def test_a_connector_is_deleted_also_while_cases_name_it(client: Any):
    await client.post(f"{ONE}/c", json=a_body())
    connector = {"id": "c", "name": "C", "type": ".jira", "fields": None}
    await client.post("/api/cases/configure", json={"owner": "cases", "closure_type": "close-by-user",
                                                    "connector": connector})  # fmt: skip

    deleted = await client.delete(f"{ONE}/c")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await client.delete(f"{ONE}/c")).status_code == 404
    assert (await client.get("/api/cases/configure")).json()[0]["connector"] == connector


@on_one_database
async def test_the_privilege_is_asked_before_the_connector_is_looked_up(nobody: Any):
    assert (await nobody.get(f"{ONE}/nope")).status_code == 403
    assert (await nobody.put(f"{ONE}/nope", json=an_update(secrets={}))).status_code == 403
    assert (await nobody.delete(f"{ONE}/nope")).status_code == 403
    assert (await nobody.post(f"{ONE}/nope/_execute", json={"params": {}})).status_code == 403
    assert (await nobody.get(ALL)).status_code == 403
    assert (await nobody.get(TYPES)).status_code == 200


# List and types


async def test_the_list_is_sorted_as_people_sort_and_counts_references(client: Any):
    for name in ("zeta", "Beta", "älpha", "alpha", "Alpha 2", "beta"):
        await client.post(f"{ONE}/{name.replace(' ', '-')}", json=a_body(name=name))
    used = {"id": "zeta", "name": "Z", "type": ".jira", "fields": None}
    await client.post("/api/cases/configure", json={"owner": "cases", "closure_type": "close-by-user",
                                                    "connector": used})  # fmt: skip
    case = {"owner": "cases", "title": "T", "description": "D", "tags": [], "connector": used,
            "settings": {"syncAlerts": True}}  # fmt: skip
    for _ in range(2):
        assert (await client.post("/api/cases", json=case)).status_code == 200

    found = (await client.get(f"{ALL}?page=nope")).json()

    assert [each["name"] for each in found] == ["alpha", "älpha", "Alpha 2", "beta", "Beta", "zeta"]
    assert [each["referenced_by_count"] for each in found] == [0, 0, 0, 0, 0, 3]


async def test_jira_is_a_type_of_cases(client: Any):
    found = (await client.get(TYPES)).json()

    (jira,) = [each for each in found if each["id"] == ".jira"]
    assert jira == {
        "id": ".jira",
        "name": "Jira",
        "enabled": True,
        "enabled_in_config": True,
        "enabled_in_license": True,
        "minimum_license_required": "gold",
        "supported_feature_ids": ["alerting", "cases", "uptime", "siem"],
        "is_system_action_type": False,
    }
    assert ".cases" not in [each["id"] for each in found]


@on_one_database
async def test_types_may_be_narrowed_to_a_feature(client: Any):
    async def ids(feature: str) -> list[str]:
        return [each["id"] for each in (await client.get(TYPES, params={"feature_id": feature})).json()]

    assert ".jira" in await ids("cases")
    assert ".jira" in await ids("uptime")
    assert await ids("generativeAI") == []
    assert await ids("nonsense") == []
    assert (await client.get(TYPES, params={"feature": "cases"})).status_code == 400


@on_one_database
async def test_a_type_that_is_not_enabled_says_so_and_cannot_be_used(client: Any, without_jira: Any):
    await client.post(f"{ONE}/c", json=a_body())

    (jira,) = [each for each in (await without_jira.get(TYPES)).json() if each["id"] == ".jira"]
    run = await without_jira.post(f"{ONE}/c/_execute", json={"params": {"subAction": "issueTypes"}})
    changed = await without_jira.put(f"{ONE}/c", json=an_update())

    assert (jira["enabled"], jira["enabled_in_config"], jira["enabled_in_license"]) == (False, False, True)
    assert (run.status_code, changed.status_code) == (403, 403)
    assert (await without_jira.get(f"{ONE}/c")).status_code == 200
    assert (await without_jira.delete(f"{ONE}/c")).status_code == 204


# Preconfigured connectors


async def test_a_preconfigured_connector_is_seen_in_every_space_and_never_changed(furnished: Any, jira: Any):
    await furnished.post("/api/spaces/space", json={"id": "fin", "name": "Finance"})
    hidden = {
        "id": "pre",
        "name": "Built in",
        "connector_type_id": ".jira",
        "is_preconfigured": True,
        "is_deprecated": False,
        "is_system_action": False,
        "is_connector_type_deprecated": False,
    }

    for space in ("", "/s/fin"):
        assert (await furnished.get(f"{space}{ONE}/pre")).json() == hidden
        assert (await furnished.get(f"{space}{ONE}/open")).json()["config"] == jira.config
        put = await furnished.put(f"{space}{ONE}/pre", json=an_update())
        deleted = await furnished.delete(f"{space}{ONE}/pre")
        made = await furnished.post(f"{space}{ONE}/pre", json=a_body())
        assert [each.status_code for each in (put, deleted, made)] == [400, 400, 400]
        assert all("pre" in each.json()["message"] for each in (put, deleted, made))


async def test_preconfigured_connectors_are_listed_among_the_others(furnished: Any):
    await furnished.post(f"{ONE}/c", json=a_body(name="Beta"))

    found = (await furnished.get(ALL)).json()
    of_cases = (await furnished.get("/api/cases/configure/connectors/_find")).json()

    assert [each["id"] for each in found] == ["open", "c", "broken", "pre"]
    assert [each["referenced_by_count"] for each in found] == [0, 0, 0, 0]
    assert ["config" in each for each in found] == [True, True, False, False]
    assert [each["id"] for each in of_cases] == ["open", "c", "broken", "pre"]
    assert [("config" in each, each.get("isMissingSecrets")) for each in of_cases] == [
        (False, None),
        (True, False),
        (False, None),
        (False, None),
    ]


async def test_a_preconfigured_connector_runs_and_a_broken_one_fails_when_used(furnished: Any, jira: Any):
    params = {"params": {"subAction": "issueTypes", "subActionParams": {}}}

    good = (await furnished.post(f"{ONE}/pre/_execute", json=params)).json()
    broken = await furnished.post(f"{ONE}/broken/_execute", json=params)

    assert good["status"] == "ok"
    assert (broken.status_code, broken.json()["status"], broken.json()["retry"]) == (200, "error", False)
    assert "config" in broken.json()["message"]


@on_one_database
async def test_a_system_connector_is_not_listed_and_not_run(furnished: Any):
    run = await furnished.post(f"{ONE}/system/_execute", json={"params": {}})

    assert run.status_code == 400
    assert "system" not in [each["id"] for each in (await furnished.get(ALL)).json()]


# Execute


@pytest.fixture
async def tracker(client: Any, jira: Any) -> Any:
    """The simulated Jira, to which the connector `tracker` leads."""
    response = await client.post(f"{ONE}/tracker", json=jira.connector)
    assert response.status_code == 200
    return jira


async def run(client: Any, sub_action: str, params: Any = None) -> dict[str, Any]:
    """What running a sub-action of `tracker` answers."""
    given = {"subAction": sub_action, **({} if params is None else {"subActionParams": params})}
    response = await client.post(f"{ONE}/tracker/_execute", json={"params": given})
    assert response.status_code == 200, response.text
    assert not any(each in response.text for each in ("sandbox-token", "bot@example.org"))
    return dict(response.json())


async def test_a_direct_push_creates_updates_and_comments(client: Any, tracker: Any):
    incident = {"summary": "Odd logons", "description": "seen", "labels": ["vpn"], "priority": "High"}
    comments = [{"comment": "first", "commentId": "c-1"}, {"comment": "second", "commentId": "c-2"}]

    made = await run(client, "pushToService", {"incident": incident, "comments": comments})
    (issue,) = tracker.issues
    changed = {"summary": "Odder", "externalId": issue["id"]}
    updated = await run(client, "pushToService", {"incident": changed, "comments": None})

    assert (made["status"], made["connector_id"]) == ("ok", "tracker")
    assert made["data"] == {
        "id": issue["id"],
        "title": issue["key"],
        "url": f"{tracker.url}/browse/{issue['key']}",
        "pushedDate": made["data"]["pushedDate"],
        "comments": made["data"]["comments"],
    }
    assert [each["commentId"] for each in made["data"]["comments"]] == ["c-1", "c-2"]
    assert [each["body"] for each in issue["comments"]] == ["first", "second"]
    assert issue["fields"]["labels"] == ["vpn"]
    assert updated["data"]["id"] == issue["id"]
    assert "comments" not in updated["data"]
    assert [each["fields"]["summary"] for each in tracker.issues] == ["Odder"]


async def test_every_sub_action_of_jira_gives_what_it_says(client: Any, tracker: Any):
    made = await run(client, "pushToService", {"incident": {"summary": "Odd logons", "issueType": "10002"}})
    id_, key = made["data"]["id"], made["data"]["title"]

    types = (await run(client, "issueTypes", {}))["data"]
    fields = (await run(client, "fieldsByIssueType", {"id": "10002"}))["data"]
    common = (await run(client, "getFields", {"what": "ever"}))["data"]
    found = (await run(client, "issues", {"title": "odd"}))["data"]
    one = (await run(client, "issue", {"id": key}))["data"]
    incident = (await run(client, "getIncident", {"externalId": id_}))["data"]

    assert {"id": "10001", "name": "Task"} in types
    assert set(fields["summary"]) == {"required", "allowedValues", "defaultValue", "schema", "name"}
    assert (fields["summary"]["required"], fields["summary"]["name"]) == (True, "Summary")
    assert set(common) < set(fields)
    assert found == [{"id": id_, "key": key, "title": "Odd logons"}]
    assert one == {"id": id_, "key": key, "title": "Odd logons"}
    assert (incident["summary"], incident["creator"]["emailAddress"]) == ("Odd logons", "[redacted]")


@pytest.mark.parametrize(
    ("sub_action", "params", "words"),
    [
        ("explode", {}, "explode"),
        ("handshake", {}, "handshake"),
        ("pushToService", None, "incident"),
        ("pushToService", {}, "incident"),
        ("pushToService", {"incident": {}}, "summary"),
        ("pushToService", {"incident": {"summary": None}}, "summary"),
        ("pushToService", {"incident": {"summary": "x", "nope": 1}}, "nope"),
        ("pushToService", {"incident": {"summary": "x", "labels": ["a b"]}}, "a b"),
        ("pushToService", {"incident": {"summary": "x", "labels": "a"}}, "labels"),
        ("pushToService", {"incident": {"summary": "x", "priority": 5}}, "priority"),
        ("pushToService", {"incident": {"summary": "x", "externalId": 5}}, "externalId"),
        ("pushToService", {"incident": {"summary": "x", "otherFields": {"summary": "y"}}}, "summary"),
        ("pushToService", {"incident": {"summary": "x", "otherFields": "[]"}}, "otherFields"),
        (
            "pushToService",
            {"incident": {"summary": "x", "otherFields": {f"customfield_{n}": 1 for n in range(21)}}},
            "20",
        ),
        ("pushToService", {"incident": {"summary": "x"}, "nope": 1}, "nope"),
        ("pushToService", {"incident": {"summary": "x"}, "comments": [{"comment": "x"}]}, "commentId"),
        ("pushToService", {"incident": {"summary": "x"}, "comments": [{"comment": "x", "commentId": "1", "z": 1}]},
         "z"),
        ("issueTypes", {"nope": 1}, "nope"),
        ("fieldsByIssueType", {}, "id"),
        ("fieldsByIssueType", {"id": 5}, "id"),
        ("issues", {}, "title"),
        ("issue", {"id": "1", "nope": 1}, "nope"),
        ("getIncident", {}, "externalId"),
        # The flat form of 7.10 is not read under today's name.
        ("pushToService", {"savedObjectId": "1", "title": "x"}, "params"),
    ],
)  # fmt: skip
@on_one_database
async def test_params_that_are_invalid_are_a_result_that_says_why(
    client: Any, tracker: Any, sub_action: str, params: Any, words: str
):
    answer = await run(client, sub_action, params)

    assert (answer["status"], answer["retry"]) == ("error", False)
    assert words in answer["message"]
    assert "data" not in answer
    assert tracker.calls == []


@pytest.mark.parametrize(
    "params",
    [{}, {"subAction": 5}, {"subAction": "issueTypes", "nope": 1}, {"subAction": "issueTypes", "subActionParams": []}],
)
@on_one_database
async def test_what_is_inside_params_is_never_a_400(client: Any, tracker: Any, params: Any):
    response = await client.post(f"{ONE}/tracker/_execute", json={"params": params})

    assert (response.status_code, response.json()["status"], response.json()["retry"]) == (200, "error", False)
    assert "params" in response.json()["message"]


@pytest.mark.parametrize("body", [{}, {"params": None}, {"params": []}, {"params": {}, "nope": 1}, []])
@on_one_database
async def test_a_body_without_params_is_400(client: Any, tracker: Any, body: Any):
    assert (await client.post(f"{ONE}/tracker/_execute", json=body)).status_code == 400


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("create=status:400", "400"),
        ("create=status:401", "401"),
        ("create=status:503", "503"),
        ("create=html", "Jira"),
        ("create=drop-before", "Jira"),
        ("create=no-id", "id"),
    ],
)
@on_one_database
async def test_trouble_over_there_is_a_result_with_its_cause(client: Any, tracker: Any, fault: str, words: str):
    tracker.fault(fault)

    answer = await run(client, "pushToService", {"incident": {"summary": "x", "issueType": "10001"}})

    assert (answer["status"], answer["connector_id"], answer["retry"]) == ("error", "tracker", True)
    assert answer["message"]
    assert words in answer["service_message"]
    assert "data" not in answer


async def test_a_direct_push_is_tried_once_and_leaves_no_delivery(client: Any, tracker: Any):
    tracker.fault("create=status:503*9")

    await run(client, "pushToService", {"incident": {"summary": "x", "issueType": "10001"}})

    assert tracker.calls == ["create"]
    assert (await client.get("/api/casebridge/deliveries")).json()["total"] == 0


async def test_secrets_are_in_no_answer(client: Any, jira: Any):
    body = {**jira.connector, "secrets": SECRETS}
    jira.fault("any=status:401*2")
    answers = [
        await client.post(f"{ONE}/c", json=body),
        await client.post(f"{ONE}/c", json=body),
        await client.get(f"{ONE}/c"),
        await client.get(ALL),
        await client.get("/api/cases/configure/connectors/_find"),
        await client.put(f"{ONE}/c", json={"name": "n", "config": jira.config, "secrets": SECRETS}),
        await client.put(f"{ONE}/c", json={"name": "n", "config": {}, "secrets": SECRETS}),
        *[
            await client.post(f"{ONE}/c/_execute", json={"params": {"subAction": each, "subActionParams": params}})
            for each, params in (
                ("issueTypes", {}),
                ("issues", {"title": "x"}),
                ("pushToService", {"incident": {"summary": "x"}}),
            )
        ],
        await client.delete(f"{ONE}/c"),
        await client.get("/api/actions"),
    ]

    for each in answers:
        assert not shows_secret(each.text)
        assert '"secrets":' not in each.text


async def test_secrets_are_sealed_in_the_store(client: Any, database: Any):
    await client.post(f"{ONE}/c", json=a_body())

    ((sealed, doc),) = await database.read("SELECT sealed, doc FROM connector")

    assert not shows_secret(bytes(sealed).decode("latin-1"))
    assert not shows_secret(str(doc))
    audit = await database.read("SELECT doc FROM audit_event")
    assert not shows_secret(str(audit))
