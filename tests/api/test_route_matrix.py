"""Every route as every kind of user: who lacks what the route needs is refused, and nothing changes; who has it is not.

The needs and the kinds are written out from access.md 3 and 4; nothing here asks the program what it grants.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest

from casebridge.api.dispatch import ApiApp
from casebridge.api.table import ROUTES
from casebridge.storage.session import Database
from tests.api.access import PASSWORD, add_user, basic, entry, make_key, put_role
from tests.api.calls import NO_CONNECTOR, a_body

PEOPLE = {"title": "t", "description": "d", "tags": ["x"], "connector": NO_CONNECTOR, "settings": {"syncAlerts": True}}
NONE_710 = {key: NO_CONNECTOR[key] for key in ("id", "name", "type", "fields")}
FIELDS = [{"key": "region", "label": "Region", "type": "text", "required": False}]
CONFIGURATION = {"connector": NO_CONNECTOR, "closure_type": "close-by-user", "owner": "cases", "customFields": FIELDS}
USER_710 = {"fullName": "A", "username": "a"}
JIRA_PARAMS = {
    "savedObjectId": "x", "title": "t", "description": "d", "createdAt": "2020-11-05T10:20:30.400Z",
    "createdBy": USER_710, "externalId": None, "comments": None, "issueType": "1", "priority": None, "parent": None,
}  # fmt: skip
TOLD = {
    "connector_id": "spare", "connector_name": "n", "external_id": "1", "external_title": "t",
    "external_url": "https://jira.example.org/browse/1",
}  # fmt: skip
CONNECTOR = {
    "name": "n", "config": {"apiUrl": "http://127.0.0.1:9", "projectKey": "K"},
    "secrets": {"email": "a@example.org", "apiToken": "t"},
}  # fmt: skip
ISSUE_TYPES = {"params": {"subAction": "issueTypes", "subActionParams": {}}}
OBSERVABLE = {"observable": {"typeKey": "observable-type-ipv4", "value": "10.0.0.9", "description": None}}
ROLE_BODY = {"elasticsearch": {}, "kibana": []}
KEY_BODY = {"name": "k"}


class Way(NamedTuple):
    """How a route is called, and what that needs.

    `needs`: `+` between `cases:<group>` (of the case's owner), `any:<group>` (of any owner), `actions:read|all`,
    `spaces` and `security`, `here` and `somewhere` (anything in the default space, or in any); empty: whoever is known.
    `body` may be made from the world. `denied` is the status of a
    refusal, `done` are those of the first permitted call.
    """

    needs: str
    body: Any = None
    query: str = ""
    denied: int = 403
    done: tuple[int, ...] = (200, 204)
    params: dict[str, str] = {}


READ, LIST = Way("cases:read"), Way("any:read")


def at(name: str) -> Callable[[dict[str, Any]], Any]:
    """What the world holds under a name."""
    return lambda world: world[name]


PUSHED = (424,)
WAYS: dict[str, Way] = {
    "getOpenApi": Way(""), "getMe": Way(""), "getOwnProfile": Way("", done=(404,)),
    "listConnectorTypes": Way(""), "listActionTypes": Way(""),
    "createSpace": Way("spaces", {"id": "new", "name": "New"}),
    "listSpaces": Way("somewhere"), "getSpace": Way("here", params={"id": "default"}),
    "replaceSpace": Way("spaces", {"name": "Changed"}, params={"id": "ops"}),
    "deleteSpace": Way("spaces", params={"id": "ops"}),
    "listUsers": Way("security"), "getUsers": Way("security"), "putUser": Way("security", {"roles": []}),
    "postUser": Way("security", {"roles": []}), "deleteUser": Way("security"),
    "setPassword": Way("security", {"password": PASSWORD}),
    "enableUser": Way("security"), "disableUser": Way("security"),
    "listRoles": Way("security"), "getRole": Way("security"), "deleteRole": Way("security"),
    "putRole": Way("security", ROLE_BODY),
    "createApiKey": Way("", KEY_BODY, done=(200, 400)), "putApiKey": Way("", KEY_BODY, done=(200, 400)),
    "createApiKeyInKibana": Way("", KEY_BODY, done=(200, 400)), "listApiKeys": Way(""),
    "invalidateApiKeys": Way("", {"ids": ["unknown"]}),
    "suggestAssignees": Way("any:tags", {"name": "", "owners": ["cases"]}),
    "bulkGetProfiles": Way("any:tags", {"uids": []}),
    "searchProfiles": Way("any:tags", {}), "getProfiles": Way("any:tags", params={"uids": "u"}),
    "activateProfile": Way("security", {"grant_type": "password", "username": "victim", "password": PASSWORD}),
    "listConfigurations": LIST, "createConfiguration": Way("cases:settings", CONFIGURATION),
    "updateConfiguration": Way(
        "cases:settings", lambda world: {"version": world["configuration"], "closure_type": "close-by-user"}
    ),
    "findConfigureConnectors": Way("any:tags+actions:read"),
    "updateConfigurationOf710": Way(
        "securitySolution:settings",
        lambda world: {"version": world["old_configuration"], "closure_type": "close-by-user"},
    ),
    "getConfigurationOf710": LIST,
    "createConfigurationOf710": Way(
        "securitySolution:settings", {"connector": NONE_710, "closure_type": "close-by-user"}
    ),
    "findConfigureConnectorsOf710": Way("any:tags+actions:read"),
    "createConnector": Way("actions:all", {**CONNECTOR, "connector_type_id": ".jira"}),
    "createConnectorWithId": Way("actions:all", {**CONNECTOR, "connector_type_id": ".jira"}, params={"id": "fresh"}),
    "getConnector": Way("actions:read"), "updateConnector": Way("actions:all", CONNECTOR),
    "deleteConnector": Way("actions:all", params={"id": "gone-1"}), "listConnectors": Way("actions:read"),
    "executeConnector": Way("actions:read", ISSUE_TYPES),
    "createAction": Way("actions:all", {**CONNECTOR, "actionTypeId": ".jira"}), "getAction": Way("actions:read"),
    "updateAction": Way("actions:all", CONNECTOR),
    "deleteAction": Way("actions:all", params={"id": "gone-2"}, done=(204, 404)),
    "listActions": Way("actions:read"), "executeAction": Way("actions:read", ISSUE_TYPES),
    "createCase": Way("cases:create", a_body()),
    "updateCases": Way("cases:update", lambda world: world.change(title="changed")),
    "deleteCases": Way("cases:delete", query='ids=["{case_id}"]'),
    "findCases": LIST,
    "searchCases": Way("any:read", {}), "getCasesStatus": LIST, "getTags": LIST, "getReporters": LIST, "getCase": READ,
    "resolveCase": READ, "bulkGetCases": Way("any:read", lambda world: {"ids": [world["case_id"]]}),
    "getCategories": LIST, "walkCases": LIST, "findAuditEvents": Way("security"),
    "putCustomField": Way("cases:update", lambda world: {"value": "v", "caseVersion": world["case"]}),
    "addObservable": Way("cases:update", OBSERVABLE, denied=400),
    "updateObservable": Way("cases:update", {"observable": {"value": "10.0.0.7", "description": None}}, denied=400),
    "deleteObservable": Way("cases:update", denied=400),
    "findSimilarCases": Way("cases:read", {}),
    "addComment": Way("cases:comment", {"type": "user", "owner": "cases", "comment": "c"}),
    "updateComment": Way(
        "cases:update",
        lambda world: {
            "id": world["comment_id"], "version": world["comment"], "type": "user", "owner": "cases", "comment": "e",
        },
    ),
    "listComments": LIST, "findComments": LIST, "getComment": READ,
    "deleteComments": Way("cases:delete"), "deleteComment": Way("cases:delete"),
    "listAlerts": READ, "listCasesOfAlert": LIST,
    "bulkCreateAttachments": Way("cases:comment", [{"type": "user", "owner": "cases", "comment": "c"}]),
    "bulkGetAttachments": Way("cases:read", lambda world: {"ids": [world["comment_id"]]}),
    "attachFile": Way("cases:comment"), "bulkDeleteFiles": Way("cases:delete", lambda world: {"ids": [world["file"]]}),
    "createFile": Way("cases:comment", {"name": "n", "mimeType": "text/plain"}), "listFiles": Way("cases:read", {}),
    "getFile": READ, "uploadFile": Way("cases:comment", done=(200, 400)), "downloadFile": READ,
    "downloadFileByName": READ,
    "addAttachment": Way("cases:comment", {"type": "comment", "owner": "cases", "data": {"content": "c"}}, done=(201,)),
    "findAttachments": LIST, "getAttachment": READ,
    "replaceAttachment": Way(
        "cases:update",
        lambda world: {"type": "comment", "owner": "cases", "data": {"content": "e"}, "version": world["comment"]},
    ),
    "deleteAttachment": Way("cases:delete", done=(204, 404)), "deleteAttachments": Way("cases:delete", done=(204, 404)),
    "getAutomation": Way("cases:settings", query="owner=cases"),
    "updateAutomation": Way("cases:settings", {"owner": "cases", "auto_push": {}}),
    "findUserActions": READ, "listUserActions": READ, "findUserActionsWithLatest": READ, "getUserActionStats": READ,
    "getCaseUsers": READ, "getCaseConnectors": READ,
    "getCasesMetrics": Way("any:read", query="features=mttr"),
    "getCasesMetricsAsBefore": Way("any:read", query="features=mttr"),
    "getCaseMetrics": Way("cases:read", query="features=lifespan"),
    "getCaseMetricsAsBefore": Way("cases:read", query="features=lifespan"),
    "pushCase": Way("cases:push+cases:read+actions:read", done=PUSHED),
    "findDeliveries": LIST, "getDelivery": READ, "retryDelivery": Way("cases:push"),
    "cancelDelivery": Way("cases:push"),
    "getConnectorSettings": Way("actions:read"), "updateConnectorSettings": Way("actions:all", {}),
    "getConnectorHealth": Way("actions:read"), "testConnector": Way("actions:all"),
    "previewPush": Way("cases:push+cases:read+actions:read", done=(200, 424)),
    "createCaseOf710": Way("securitySolution:create", PEOPLE),
    "updateCasesOf710": Way("securitySolution:update", lambda world: world.old_change(title="changed")),
    "deleteCasesOf710": Way("securitySolution:delete", query='ids=["{case_id}"]'),
    "findCasesOf710": LIST, "getCasesStatusOf710": LIST, "getTagsOf710": LIST, "getReportersOf710": LIST,
    "getCaseOf710": Way("securitySolution:read"),
    "addCommentOf710": Way("securitySolution:comment", {"type": "user", "comment": "c"}),
    "updateCommentOf710": Way(
        "securitySolution:update",
        lambda world: {
            "id": world["old_comment_id"], "version": world["old_comment"], "type": "user", "comment": "e",
        },
    ),
    "listCommentsOf710": LIST, "findCommentsOf710": LIST, "getCommentOf710": Way("securitySolution:read"),
    "deleteCommentsOf710": Way("securitySolution:delete"), "deleteCommentOf710": Way("securitySolution:delete"),
    "sendThroughConnectorOf710": Way(
        "actions:read", {"connector_type": ".jira", "params": JIRA_PARAMS}, params={"connector_id": "spare"}
    ),
    "tellPushOf710": Way("securitySolution:push", TOLD),
    "listUserActionsOf710": Way("securitySolution:read"),
}  # fmt: skip
"""Route name -> how it is called. A route that is not here fails a test: say what it needs."""

ALL = {"read", "tags", "create", "update", "push", "comment", "delete", "settings", "reopen", "assign"}
STEMS = {
    "cases": "generalCasesV3",
    "securitySolution": "securitySolutionCasesV3",
    "observability": "observabilityCasesV3",
}


class Kind(NamedTuple):
    """A kind of user: the entries of the role, and what they come to in the default space."""

    entries: list[dict[str, Any]]
    has: set[str]


def both(*privileges: str, more: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Privileges on the owners of the world's two cases."""
    return [entry(**{STEMS[owner]: list(privileges) for owner in ("cases", "securitySolution")}, **(more or {}))]


def rights(*groups: str) -> set[str]:
    return {f"{owner}:{group}" for owner in ("cases", "securitySolution") for group in groups}


KINDS: dict[str, Kind] = {
    "nobody": Kind([], set()),
    "reader": Kind(both("read"), rights("read", "tags")),
    "worker": Kind(both("minimal_all"), rights("read", "tags", "create", "update", "push")),
    "commenter": Kind(both("create_comment"), rights("comment")),
    "deleter": Kind(both("cases_delete"), rights("delete")),
    "settler": Kind(both("cases_settings"), rights("settings")),
    "reopener": Kind(both("case_reopen", "cases_assign"), rights("reopen", "assign")),
    "pusher": Kind(
        both("minimal_all", more={"actions": ["read"]}),
        rights("read", "tags", "create", "update", "push") | {"actions:read"},
    ),
    "connector reader": Kind([entry(actions=["read"])], {"actions:read"}),
    "connector keeper": Kind([entry(actions=["all"])], {"actions:read", "actions:all"}),
    "stranger": Kind([entry(observabilityCasesV3=["all"])], {f"observability:{group}" for group in ALL}),
    "elsewhere": Kind([entry("ops", base=["all"])], set()),
    "base reader": Kind(
        [entry(base=["read"])], {f"{owner}:{group}" for owner in STEMS for group in ("read", "tags")} | {"actions:read"}
    ),
    "base all": Kind(
        [entry(base=["all"])],
        {f"{owner}:{group}" for owner in STEMS for group in ALL} | {"actions:read", "actions:all", "spaces"},
    ),
    "superuser": Kind(
        [],
        {f"{owner}:{group}" for owner in STEMS for group in ALL}
        | {"actions:read", "actions:all", "spaces", "security"},
    ),
}


def permits(kind: Kind, needs: str) -> bool:
    """Whether a kind of user has all that is needed."""
    for need in needs.split("+") if needs else ():
        if need == "somewhere":
            if not kind.has and not kind.entries:
                return False
        elif need == "here":
            if not kind.has:
                return False
        elif need.startswith("any:"):
            if not any(right.endswith(f":{need[4:]}") for right in kind.has if not right.startswith("actions")):
                return False
        elif need not in kind.has:
            return False
    return True


class World(dict[str, Any]):
    """Ids and versions of the objects that are asked for."""

    def change(self, **changes: Any) -> dict[str, Any]:
        return {"cases": [{"id": self["case_id"], "version": self["case"], **changes}]}

    def old_change(self, **changes: Any) -> dict[str, Any]:
        return {"cases": [{"id": self["old_case_id"], "version": self["old_case"], **changes}]}


async def a_world(client: Any) -> World:
    """A space, a user to manage, connectors, and a case with everything, of today and of 7.10."""
    world = World(configuration_id="")
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    await client.put("/_security/user/victim", json={"password": PASSWORD, "roles": []})
    await put_role(client, "victims-role")
    for id_ in ("spare", "gone-1", "gone-2", "jira-1"):
        body = {**CONNECTOR, "connector_type_id": ".jira"}
        assert (await client.post(f"/api/actions/connector/{id_}", json=body)).status_code == 200
    configuration = await client.post("/api/cases/configure", json=CONFIGURATION)
    world["configuration_id"] = configuration.json()["id"]
    await client.post("/api/cases/configure", json={**CONFIGURATION, "owner": "securitySolution"})
    connector = {
        "id": "jira-1",
        "name": "n",
        "type": ".jira",
        "fields": {"issueType": "1", "priority": None, "parent": None},
    }
    for prefix, owner in (("", "cases"), ("old_", "securitySolution")):
        made = await client.post("/api/cases", json=a_body(owner=owner, title="Very secret", connector=connector))
        case_id = world[f"{prefix}case_id"] = made.json()["id"]
        body = {"type": "user", "owner": owner, "comment": "very secret"}
        commented = await client.post(f"/api/cases/{case_id}/comments", json=body)
        world[f"{prefix}comment_id"] = commented.json()["comments"][-1]["id"]
    case_id = world["case_id"]
    alert = {"type": "alert", "owner": "cases", "alertId": "a-1", "index": "i", "rule": {"id": "r", "name": "n"}}
    assert (await client.post(f"/api/cases/{case_id}/comments", json=alert)).status_code == 200
    seen = await client.post(f"/internal/cases/{case_id}/observables", json={
        "observable": {"typeKey": "observable-type-ipv4", "value": "10.0.0.8", "description": None},
    })  # fmt: skip
    world["observable_id"] = seen.json()["observables"][0]["id"]
    filed = await client.post(
        f"/api/cases/{case_id}/files", files={"file": ("secret.txt", b"very secret", "text/plain")}
    )
    world["file"] = filed.json()["comments"][-1]["externalReferenceId"]
    pushed = await client.post(f"/api/cases/{case_id}/connector/jira-1/_push")
    assert pushed.status_code == 424
    world["delivery_id"] = (await client.get("/api/casebridge/deliveries")).json()["deliveries"][0]["id"]
    await refresh(client, world)
    return world


async def refresh(client: Any, world: World) -> None:
    """Take over the present versions."""
    for prefix in ("", "old_"):
        case = await client.get(f"/api/cases/{world[f'{prefix}case_id']}")
        comments = await client.get(f"/api/cases/{world[f'{prefix}case_id']}/comments")
        if case.status_code == 200:
            world[f"{prefix}case"] = case.json()["version"]
            wanted = world[f"{prefix}comment_id"]
            world |= {f"{prefix}comment": each["version"] for each in comments.json() if each["id"] == wanted}
    for each in (await client.get("/api/cases/configure")).json():
        world["configuration" if each["owner"] == "cases" else "old_configuration"] = each["version"]
        if each["owner"] == "cases":
            world["configuration_id"] = each["id"]


async def ask(client: Any, route: Any, dialect: str, world: World, headers: dict[str, str]) -> Any:
    """The answer to a call of a route."""
    way = WAYS[route.name]
    is_old = dialect == "7.10" and route.dialect == "7.10"
    params = {
        "case_id": world["old_case_id" if is_old else "case_id"],
        "comment_id": world["old_comment_id" if is_old else "comment_id"],
        "configuration_id": world["configuration_id"], "observable_id": world["observable_id"],
        "custom_field_id": "region", "alert_id": "a-1", "connector_id": "jira-1", "delivery_id": world["delivery_id"],
        "username": "victim", "name": "victims-role", "kind": "casesFilesCases", "file_name": "x.txt",
        "id": (
            world["file"] if "/files/" in route.path
            else world["comment_id"] if "/attachments/" in route.path
            else "jira-1"
        ),
        **way.params,
    }  # fmt: skip
    path = ("/7.10" if dialect == "7.10" else "") + route.path.format(**params)
    if way.query:
        path += "?" + way.query.format(**params)
    sent: dict[str, Any] = {}
    if route.name == "attachFile":
        sent = {"files": {"file": ("more.txt", b"x", "text/plain")}}
    elif route.name == "uploadFile":
        sent = {"content": b"x", "headers": {"content-type": "text/plain"}}
    elif way.body is not None:
        sent = {"json": way.body(world) if callable(way.body) else way.body}
    return await client.request(route.method, path, **{**sent, "headers": {**headers, **sent.get("headers", {})}})


CALLS = [(route, dialect) for route in ROUTES if route.credentials == "required" for dialect in route.dialects]
LAST = (
    "deleteObservable", "bulkDeleteFiles", "deleteComment", "deleteCommentOf710", "deleteAttachment", "deleteComments",
    "deleteCommentsOf710", "deleteAttachments", "deleteCases", "deleteCasesOf710", "deleteSpace",
    "disableUser", "putUser", "postUser", "deleteUser", "deleteRole",
)  # fmt: skip
"""What takes away what others need, in an order in which each still finds something."""

TABLES = (
    "cases", "attachment", "user_action", "configuration", "connector", "connector_settings", "delivery", "attempt",
    "file", "space", "account", "role", "profile", "observable_link", "case_count",
)  # fmt: skip


async def everything(database: Database) -> list[Any]:
    """All that is stored but keys and the audit trail."""
    return [sorted(map(str, await database.read(f"SELECT * FROM {table}"))) for table in TABLES]


@pytest.fixture
async def users(client: Any, database: Database, password_hash: str) -> dict[str, dict[str, str]]:
    """The headers that show a user of each kind, and those of a narrowed key."""
    shown = {}
    for number, (name, kind) in enumerate(KINDS.items()):
        await put_role(client, f"role-{number}", *kind.entries)
        role = "superuser" if name == "superuser" else f"role-{number}"
        await add_user(database, password_hash, f"user-{number}", role)
        shown[name] = basic(f"user-{number}")
    applications = [
        {
            "application": "kibana-.kibana",
            "privileges": [f"feature_{STEMS[owner]}.read"],
            "resources": ["space:default"],
        }
        for owner in ("cases", "securitySolution")
    ]
    shown["key"] = await make_key(client, role_descriptors={"r": {"applications": applications}})
    return shown


@pytest.fixture
async def open_door(app: ApiApp, connect: Callable[..., Any]) -> AsyncIterator[Any]:
    """A client that shows only what it is told to."""
    async with connect(app, auth=None) as opened:
        yield opened


def test_every_route_says_what_it_needs():
    named = {route.name for route, _ in CALLS}
    assert sorted(named - set(WAYS)) == [], "say in WAYS how these routes are called and what that needs"
    assert sorted(set(WAYS) - named) == [], "these are no routes any more"


def test_routes_that_ask_for_no_credentials_are_few_and_known():
    free = {route.name: route.credentials for route in ROUTES if route.credentials != "required"}
    assert free == {"getStatus": "optional", "isLive": "none", "isReady": "none", "getMetrics": "none"}


async def test_who_lacks_what_a_route_needs_is_refused_told_nothing_and_changes_nothing(
    client: Any, open_door: Any, database: Database, users: dict[str, dict[str, str]]
):
    world = await a_world(client)
    before = await everything(database)
    kinds = {**KINDS, "key": KINDS["reader"]}
    wrong = []
    for route, dialect in CALLS:
        way = WAYS[route.name]
        unknown = await ask(open_door, route, dialect, world, {})
        assert unknown.status_code == 401, (route.name, unknown.text)
        for name, kind in kinds.items():
            if permits(kind, way.needs):
                continue
            response = await ask(open_door, route, dialect, world, users[name])
            if response.status_code != way.denied or "Unauthorized to " not in response.text:
                wrong.append((route.name, dialect, name, response.status_code, response.text[:200]))
            assert "secret" not in response.text.lower(), (route.name, name, response.text)
    assert not wrong, "\n".join(map(str, wrong))
    assert await everything(database) == before
    denied = await database.read("SELECT doc FROM audit_event")
    assert sum(json.loads(row[0])["event"]["outcome"] == "failure" for row in denied) > len(CALLS)


async def test_who_has_what_a_route_needs_is_served(client: Any, open_door: Any, users: dict[str, dict[str, str]]):
    world = await a_world(client)
    wrong = []
    calls = sorted(CALLS, key=lambda call: LAST.index(call[0].name) if call[0].name in LAST else -1)
    kinds = {"key": KINDS["reader"], **KINDS}
    for route, dialect in calls:
        way = WAYS[route.name]
        await refresh(client, world)
        is_first = True
        for name, kind in kinds.items():
            if not permits(kind, way.needs):
                continue
            response = await ask(open_door, route, dialect, world, users[name])
            refused = response.status_code in (401, 403) or (
                response.status_code >= 400 and "Unauthorized to " in response.text
            )
            if refused or (is_first and response.status_code not in way.done):
                wrong.append((route.name, dialect, name, response.status_code, response.text[:300]))
            is_first = False
        assert not is_first, f"no kind of user may call {route.name}"
    assert not wrong, "\n".join(map(str, wrong))
