"""A client written by others, the package `kibana-py`, at work against a running server: waiting, and asynchronous.

Every method of its namespaces for cases, connectors and spaces is called here, which is itself tested, at the end.
These ask for what this server has none of, and are refused:

- `cases.update` with `close_reason`: which the contract lets us refuse;
- `spaces.copy_saved_objects`, `spaces.resolve_copy_saved_objects_errors`, `spaces.disable_legacy_url_aliases`,
  `spaces.get_shareable_references`, `spaces.update_objects_spaces`: saved objects;
- `connectors.oauth_callback`, `connectors.get_oauth_callback_script`: sign-on of connectors through a browser.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kibana import AsyncKibana, Kibana
from kibana.exceptions import ApiError, AuthenticationException, BadRequestError, ConflictError, NotFoundError

from casebridge.sandbox.jira import SANDBOX_EMAIL, SANDBOX_TOKEN, jira_app
from casebridge.sandbox.server import serving
from casebridge.security.authentication import Passwords
from tests.api.living import Living, living

NAMESPACES = ("cases", "connectors", "spaces")
PASSWORD = "correct horse battery"
JIRA_FIELDS = {"issueType": "10001", "priority": None, "parent": None}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def password_hash() -> str:
    return asyncio.run(Passwords().hash(PASSWORD))


@pytest.fixture
def server(database_target: str, password_hash: str) -> Iterator[Living]:
    with living(database_target, password_hash) as opened:
        yield opened


@pytest.fixture
def far(server: Living) -> Iterator[dict[str, str]]:
    """Addresses of the server and of a simulated Jira."""
    stack = AsyncExitStack()

    async def start() -> dict[str, str]:
        return {
            "casebridge": await stack.enter_async_context(serving(server.app)),
            "jira": await stack.enter_async_context(serving(jira_app())),
        }

    yield server.run(start())
    server.run(stack.aclose())


class Waiting:
    """The asynchronous client, or a part of it, used as if it waited: what its methods promise is waited for."""

    def __init__(self, part: Any, server: Living) -> None:
        self._part, self._server = part, server

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not callable(found):
            return Waiting(found, self._server)

        def call(*given: Any, **named: Any) -> Any:
            made = found(*given, **named)
            if inspect.isawaitable(made):
                made = self._server.run(made)
            return Waiting(made, self._server) if hasattr(made, "cases") else made

        return call


@contextmanager
def signed_in(kind: str, server: Living, url: str, password: str = PASSWORD) -> Iterator[Any]:
    """A client of that kind, used as if it waited."""
    if kind == "waiting":
        with Kibana(url, basic_auth=("admin", password)) as client:
            yield client
        return

    async def make() -> AsyncKibana:
        return AsyncKibana(url, basic_auth=("admin", password))

    asynchronous = server.run(make())
    yield Waiting(asynchronous, server)
    server.run(asynchronous.close())


@pytest.fixture(params=["waiting", "asynchronous"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two clients."""
    return str(request.param)


@pytest.fixture
def kibana(kind: str, server: Living, far: dict[str, str]) -> Iterator[Any]:
    with signed_in(kind, server, far["casebridge"]) as client:
        yield client


@pytest.fixture
def tracker(kibana: Any, far: dict[str, str]) -> dict[str, Any]:
    """A connector to the simulated Jira."""
    return kibana.connectors.create(  # type: ignore[no-any-return]
        name="Tracker",
        connector_type_id=".jira",
        config={"apiUrl": far["jira"], "projectKey": "OPS"},
        secrets={"email": SANDBOX_EMAIL, "apiToken": SANDBOX_TOKEN},
    ).body


def a_case(kibana: Any, **given: Any) -> dict[str, Any]:
    fields = {"title": "Odd logons", "description": "Seen on two hosts.", "tags": ["vpn"]} | given
    return kibana.cases.create(**fields).body  # type: ignore[no-any-return]


def test_a_case_from_its_opening_to_its_deletion(kibana: Any) -> None:
    case = a_case(kibana, severity="high", category="Logons", assignees=[{"uid": "u_1"}])
    assert (case["status"], case["settings"], case["connector"]["id"]) == ("open", {"syncAlerts": False}, "none")
    assert kibana.cases.get(case_id=case["id"]).body["title"] == "Odd logons"

    (closed,) = kibana.cases.update(
        id=case["id"], version=case["version"], status="closed", title="Done", tags=["vpn", "done"], assignees=[]
    ).body
    assert (closed["status"], closed["title"], closed["duration"]) == ("closed", "Done", 0)

    kibana.cases.delete(ids=[case["id"]])
    with pytest.raises(NotFoundError):
        kibana.cases.get(case_id=case["id"])


def test_refusals_become_the_exceptions_of_the_client(
    kibana: Any, kind: str, server: Living, far: dict[str, str]
) -> None:
    case = a_case(kibana)
    kibana.cases.update(id=case["id"], version=case["version"], title="Newer")
    with pytest.raises(ConflictError):
        kibana.cases.update(id=case["id"], version=case["version"], title="Stale")
    with pytest.raises(BadRequestError, match="title"):
        a_case(kibana, title="x" * 161)
    with pytest.raises(NotFoundError, match="cases/nope"):
        kibana.cases.delete(ids=["nope"])
    newest = kibana.cases.get(case_id=case["id"]).body
    with pytest.raises(ApiError) as refused:
        kibana.cases.update(id=case["id"], version=newest["version"], title="Newer")
    assert refused.value.status_code == 406
    with (
        signed_in(kind, server, far["casebridge"], "wrong") as stranger,
        pytest.raises(AuthenticationException),
    ):
        stranger.cases.find()


def test_several_cases_change_at_once(kibana: Any) -> None:
    cases = [a_case(kibana, title=str(number)) for number in range(3)]
    entries = [{"id": each["id"], "version": each["version"], "severity": "critical"} for each in cases]
    assert [each["severity"] for each in kibana.cases.update(cases=entries).body] == ["critical"] * 3


def test_finding_counting_and_listing(kibana: Any) -> None:
    for number in range(5):
        tags, severity = ["even" if number % 2 == 0 else "odd", "all"], "high" if number else "low"
        a_case(kibana, title=str(number), tags=tags, severity=severity, category="Cat")
    page = kibana.cases.find(
        tags=["even", "odd"],
        severity="high",
        owner="cases",
        reporters="admin",
        category="Cat",
        assignees="none",
        status="open",
        from_="now-1d",
        to="now",
        sort_field="createdAt",
        sort_order="desc",
        page=1,
        per_page=3,
    ).body
    assert [each["title"] for each in page["cases"]] == ["4", "3", "2"]
    assert (page["total"], page["per_page"], page["count_open_cases"]) == (4, 3, 4)
    found = kibana.cases.find(search="1 3 logons", search_fields=["title"], default_search_operator="OR").body
    assert [each["title"] for each in found["cases"]] == ["1", "3"]
    assert kibana.cases.get_tags().body == ["all", "even", "odd"]
    assert kibana.cases.get_tags(owner="observability").body == []
    assert [each["username"] for each in kibana.cases.get_reporters(owner=["cases"]).body] == ["admin"]


def test_comments_and_activity(kibana: Any) -> None:
    case = a_case(kibana)
    for text in ("one", "two", "three"):
        case = kibana.cases.add_comment(case_id=case["id"], type="user", owner="cases", comment=text).body
    first, second, _ = case["comments"]
    case = kibana.cases.update_comment(
        case_id=case["id"], id=first["id"], version=first["version"], type="user", owner="cases", comment="one!"
    ).body
    assert case["comments"][0]["comment"] == "one!"
    assert kibana.cases.get_comment(case_id=case["id"], comment_id=second["id"]).body["comment"] == "two"

    kibana.cases.delete_comment(case_id=case["id"], comment_id=second["id"])
    page = kibana.cases.get_comments(case_id=case["id"], page=1, per_page=1, sort_order="desc").body
    assert ([each["comment"] for each in page["comments"]], page["total"]) == (["three"], 2)
    kibana.cases.delete_all_comments(case_id=case["id"])
    assert kibana.cases.get_comments(case_id=case["id"]).body["total"] == 0

    found = kibana.cases.find_user_actions(
        case_id=case["id"], types=["comment", "create_case"], sort_order="asc", page=1, per_page=50
    ).body
    assert [each["action"] for each in found["userActions"]] == ["create"] * 4 + ["update"] + ["delete"] * 3
    assert (found["perPage"], found["total"]) == (50, 8)


def test_configuration_with_custom_fields(kibana: Any) -> None:
    field = {"key": "region", "label": "Region", "type": "text", "required": False}
    made = kibana.cases.create_configuration(
        closure_type="close-by-user",
        connector={"id": "none", "name": "none", "type": ".none", "fields": None},
        owner="cases",
        custom_fields=[field],
        templates=[],
    ).body
    assert [each["id"] for each in kibana.cases.get_configuration(owner="cases").body] == [made["id"]]
    changed = kibana.cases.update_configuration(
        configuration_id=made["id"], version=made["version"], closure_type="close-by-pushing"
    ).body
    assert (changed["closure_type"], changed["customFields"]) == ("close-by-pushing", [field])
    value = {"key": "region", "type": "text", "value": "EMEA"}
    assert a_case(kibana, custom_fields=[value])["customFields"] == [value]


def test_connectors_and_a_push(kibana: Any, tracker: dict[str, Any], far: dict[str, str]) -> None:
    id_ = tracker["id"]
    assert ".jira" in [each["id"] for each in kibana.connectors.list_types(feature_id="cases").body]
    assert kibana.connectors.get(id=id_).body == tracker
    assert id_ in [each["id"] for each in kibana.connectors.get_all().body]
    assert id_ in [each["id"] for each in kibana.cases.find_connectors().body]
    types = kibana.connectors.execute(id=id_, params={"subAction": "issueTypes", "subActionParams": {}}).body
    assert types["status"] == "ok", types

    fields = JIRA_FIELDS | {"issueType": types["data"][0]["id"]}
    case = a_case(kibana, connector={"id": id_, "name": "Tracker", "type": ".jira", "fields": fields})
    kibana.cases.add_comment(case_id=case["id"], type="user", owner="cases", comment="hello")
    pushed = kibana.cases.push(case_id=case["id"], connector_id=id_).body
    assert pushed["external_service"]["connector_id"] == id_
    assert pushed["external_service"]["external_title"].startswith("OPS-")

    renamed = kibana.connectors.update(
        id=id_,
        name="Renamed",
        config={"apiUrl": far["jira"], "projectKey": "OPS"},
        secrets={"email": SANDBOX_EMAIL, "apiToken": SANDBOX_TOKEN},
    ).body
    assert renamed["name"] == "Renamed"
    kibana.connectors.delete(id=id_)
    with pytest.raises(NotFoundError):
        kibana.connectors.get(id=id_)


def test_spaces_keep_cases_apart(kibana: Any) -> None:
    made = kibana.spaces.create(id="ops", name="Ops", description="On call", color="#aabbcc", initials="OP").body
    assert kibana.spaces.get(id="ops").body == made
    assert kibana.spaces.update(id="ops", name="Operations").body["name"] == "Operations"
    assert [each["id"] for each in kibana.spaces.get_all().body] == ["default", "ops"]

    there = a_case(kibana, space_id="ops", title="There")
    assert kibana.cases.find().body["total"] == 0
    assert [each["title"] for each in kibana.space("ops").cases.find().body["cases"]] == ["There"]
    with pytest.raises(NotFoundError):
        kibana.cases.get(case_id=there["id"])

    kibana.spaces.delete(id="ops")
    assert [each["id"] for each in kibana.spaces.get_all().body] == ["default"]


def test_a_case_takes_alerts_and_files(kibana: Any) -> None:
    case = a_case(kibana)

    kibana.cases.add_comment(
        case_id=case["id"], type="alert", owner="cases", alert_id="a", index="i", rule={"id": None, "name": None}
    )
    filed = kibana.cases.add_file(case_id=case["id"], file=b"text", filename="a.txt").body

    assert [each["id"] for each in kibana.cases.get_alerts(case_id=case["id"]).body] == ["a"]
    assert [each["id"] for each in kibana.cases.get_cases_by_alert(alert_id="a").body] == [case["id"]]
    assert [each["type"] for each in filed["comments"]] == ["alert", "externalReference"]


def test_what_is_not_served_is_refused_not_misunderstood(kibana: Any) -> None:
    case = a_case(kibana)
    with pytest.raises(BadRequestError, match="closeReason"):
        kibana.cases.update(id=case["id"], version=case["version"], status="closed", close_reason="duplicate")


OBJECTS = [{"type": "dashboard", "id": "d-1"}]


@pytest.mark.parametrize(
    "ask",
    [
        lambda kibana: kibana.connectors.oauth_callback(code="c", state="s"),
        lambda kibana: kibana.connectors.get_oauth_callback_script(),
        lambda kibana: kibana.spaces.copy_saved_objects(spaces=["ops"], objects=OBJECTS),
        lambda kibana: kibana.spaces.resolve_copy_saved_objects_errors(retries={"ops": []}, objects=OBJECTS),
        lambda kibana: kibana.spaces.disable_legacy_url_aliases(
            aliases=[{"targetSpace": "ops", "targetType": "dashboard", "sourceId": "d-1"}]
        ),
        lambda kibana: kibana.spaces.get_shareable_references(objects=OBJECTS),
        lambda kibana: kibana.spaces.update_objects_spaces(
            objects=OBJECTS, spaces_to_add=["ops"], spaces_to_remove=["default"]
        ),
    ],
)
def test_what_this_server_has_none_of_is_not_found(kibana: Any, ask: Any) -> None:
    with pytest.raises(NotFoundError):
        ask(kibana)


async def _namespace(client: type, name: str) -> type:
    """The class of a part of the client, which needs an event loop to be made."""
    made = client("http://127.0.0.1:9", basic_auth=("a", "b"))
    found = type(getattr(made, name))
    closed = made.close()
    if inspect.isawaitable(closed):
        await closed
    return found


@pytest.mark.parametrize("client", [Kibana, AsyncKibana])
@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_method_of_the_client_is_called_in_this_module(client: type, namespace: str) -> None:
    own = asyncio.run(_namespace(client, namespace))
    methods = {name for name, _ in inspect.getmembers(own, inspect.isfunction) if name in vars(own)}
    tree = ast.parse(Path(__file__).read_text("utf-8"))
    called = {
        each.func.attr
        for each in ast.walk(tree)
        if isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and ast.unparse(each.func.value) == f"kibana.{namespace}"
    }
    assert {name for name in methods if not name.startswith("_")} == called
