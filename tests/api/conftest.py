"""The app in process, and a client that holds every answer against the server's own OpenAPI document."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from starlette.requests import Request

from casebridge.api.dispatch import ApiApp, ApiSettings, api_app
from casebridge.api.openapi import describe
from casebridge.api.routing import Route
from casebridge.api.table import ROUTES
from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.user import SUPERUSER, Account
from casebridge.sandbox.jira import SANDBOX_EMAIL, SANDBOX_TOKEN, jira_app
from casebridge.sandbox.server import serving
from casebridge.security.authentication import Passwords
from casebridge.security.vault import Vault
from casebridge.services.ground import Ground
from casebridge.storage import accounts
from casebridge.storage.blobs import Blobs
from casebridge.storage.session import Database

ADMIN, PASSWORD = "admin", "correct horse battery"
Client = httpx2.AsyncClient


class Heard(NamedTuple):
    """An answer as it left the ASGI application."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Of PASSWORD, made once."""
    return asyncio.run(Passwords().hash(PASSWORD))


@pytest.fixture
async def admin(database: Database, password_hash: str) -> Account:
    """A superuser who can sign in."""
    account = Account(ADMIN, password_hash, (SUPERUSER,), full_name="Ada Admin", email="ada@example.org")
    await accounts.create(database, account)
    return account


@pytest.fixture
def allowed_hosts() -> AllowedHosts:
    """Where connectors may reach to: this machine, where tests play the far side."""
    return AllowedHosts(["127.0.0.1", "localhost"])


@pytest.fixture
async def ground(database: Database, allowed_hosts: AllowedHosts, tmp_path: Path) -> AsyncIterator[Ground]:
    """What services stand on."""
    outbound = Outbound(allowed_hosts, timeout_s=10.0)
    vault = Vault({b"k" * 8: b"v" * 32})
    (tmp_path / "files").mkdir()
    blobs = Blobs(tmp_path / "files")
    yield Ground(database=database, vault=vault, outbound=outbound, allowed_hosts=allowed_hosts, blobs=blobs)
    await outbound.close()


@pytest.fixture
def app(ground: Ground, admin: Account) -> ApiApp:
    """The whole API over an empty store with one superuser."""
    return api_app(ground, ROUTES)


@pytest.fixture
async def client(app: ApiApp) -> AsyncIterator[Client]:
    """Signed in as superuser; every answer is checked."""
    async with client_of(app) as opened:
        yield opened


@pytest.fixture
async def anonymous(app: ApiApp) -> AsyncIterator[Client]:
    """The same without credentials."""
    async with client_of(app, auth=None) as opened:
        yield opened


@pytest.fixture
async def nobody(app: ApiApp, database: Database, password_hash: str) -> AsyncIterator[Client]:
    """Signed in as a user who may do nothing."""
    await accounts.create(database, Account("nemo", password_hash, ()))
    async with client_of(app, auth=("nemo", PASSWORD)) as opened:
        yield opened


class JiraThere:
    """A simulated Jira over real HTTP, and what to send to have a connector to it."""

    def __init__(self, url: str, sandbox: Any) -> None:
        self.url = url
        self.sandbox = sandbox
        self.config = {"apiUrl": url, "projectKey": "OPS"}
        self.secrets = {"email": SANDBOX_EMAIL, "apiToken": SANDBOX_TOKEN}
        self.connector = {
            "name": "Tracker",
            "connector_type_id": ".jira",
            "config": self.config,
            "secrets": self.secrets,
        }

    def fault(self, *texts: str) -> None:
        """Have it misbehave, such as `create=status:503`."""
        for text in texts:
            self.sandbox.faults.add(text)

    @property
    def calls(self) -> list[str]:
        """The steps it was asked for, in order."""
        return [each.step for each in self.sandbox.journal.entries]

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Its issues, as its state route shows them."""
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "scheme": "http"}
        state = self.sandbox.state(Request({**scope, "server": ("127.0.0.1", 80)}))
        return list(state["issues"])


@pytest.fixture
async def jira() -> AsyncIterator[JiraThere]:
    """A Jira with the project OPS, which connectors may reach."""
    app = jira_app(project_keys=("OPS",))
    async with serving(app) as url:
        yield JiraThere(url, app.state.sandbox)


@pytest.fixture
def serve(ground: Ground, admin: Account) -> Callable[..., ApiApp]:
    """Makes an app of other routes, with settings by name."""

    def make(routes: Sequence[Route] = ROUTES, **settings: Any) -> ApiApp:
        return api_app(ground, routes, settings=ApiSettings(**settings))

    return make


@pytest.fixture
def connect() -> Callable[..., Client]:
    """Makes a checking client of an app."""
    return client_of


@pytest.fixture
def ask() -> Callable[..., Any]:
    """Sends a request as bare ASGI, so that nothing in between tidies up the path or the body."""
    return ask_raw


@pytest.fixture
def open_case(client: Client) -> Callable[..., Any]:
    """Opens a case with these fields, in the space of that path prefix, and gives the answer."""

    async def make(prefix: str = "", **given: Any) -> dict[str, Any]:
        body = {
            "title": "Badge reader offline",
            "description": "Door 4 stopped answering.",
            "tags": [],
            "connector": {"id": "none", "name": "none", "type": ".none", "fields": None},
            "settings": {"syncAlerts": True},
            "owner": "cases",
        }
        answer = await client.post(f"{prefix}/api/cases", json=body | given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return make


@pytest.fixture
def configure(client: Client) -> Callable[..., Any]:
    """Makes the configuration of an owner, with these lists."""

    async def make(owner: str = "cases", **lists: Any) -> dict[str, Any]:
        connector = {"id": "none", "name": "none", "type": ".none", "fields": None}
        body = {"owner": owner, "connector": connector, "closure_type": "close-by-user"}
        answer = await client.post("/api/cases/configure", json=body | lists)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return make


@pytest.fixture
def disable(client: Client) -> Callable[..., Any]:
    """Takes owners away from everybody in the default space."""

    async def change(*features: str) -> None:
        space = {"id": "default", "name": "Default", "disabledFeatures": features}
        answer = await client.put("/api/spaces/space/default", json=space)
        assert answer.status_code == 200, answer.text

    return change


def client_of(app: ApiApp, auth: tuple[str, str] | None = (ADMIN, PASSWORD), **headers: str) -> Client:
    """A client of an app in process, whose every answer is checked."""
    document = Document.of(app)

    async def check(response: httpx2.Response) -> None:
        await response.aread()
        request = response.request
        document.check(
            request.method, request.url.raw_path.decode(), response.status_code, response.headers, response.content
        )

    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://casebridge.test",
        auth=auth,
        headers={"kbn-xsrf": "true", **headers},
        event_hooks={"response": [check]},
    )


async def ask_raw(
    app: ApiApp,
    method: str,
    path: str | bytes,
    body: bytes | Sequence[bytes] = b"",
    *,
    auth: str | None = f"{ADMIN}:{PASSWORD}",
    headers: Mapping[str, str] | None = None,
    xsrf: bool = True,
) -> Heard:
    """What the app answers. A sequence of bodies is sent in pieces without content-length."""
    given = {key.lower(): value for key, value in (headers or {}).items()}
    if xsrf:
        given.setdefault("kbn-xsrf", "")
    if auth is not None:
        given.setdefault("authorization", "Basic " + b64encode(auth.encode()).decode())
    pieces = [body] if isinstance(body, bytes) else list(body)
    if isinstance(body, bytes) and body:
        given.setdefault("content-length", str(len(body)))
    raw_path, _, query = (path.encode() if isinstance(path, str) else path).partition(b"?")
    scope = {
        "type": "http",
        "method": method,
        "path": raw_path.decode("latin-1"),
        "raw_path": raw_path,
        "query_string": query,
        "headers": [(key.encode(), value.encode("latin-1")) for key, value in given.items()],
        "client": ("192.0.2.7", 40000),
    }
    left = iter(pieces)

    async def receive() -> dict[str, Any]:
        piece = next(left, None)
        if piece is None:
            raise AssertionError("the app read on after the end, or after it should have stopped")
        return {"type": "http.request", "body": piece, "more_body": len(pieces) > 1 and piece is not pieces[-1]}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    got = {key.decode(): value.decode("latin-1") for key, value in sent[0]["headers"]}
    return Heard(sent[0]["status"], got, b"".join(each.get("body", b"") for each in sent[1:]))


class Document:
    """The OpenAPI document of an app, and whether an answer is what it says."""

    _made: dict[int, tuple[Sequence[Route], Document]] = {}

    def __init__(self, routes: Sequence[Route]) -> None:
        self.json = describe(routes, "test")
        resource = Resource.from_contents(self.json, default_specification=DRAFT202012)
        self._registry: Any = Registry().with_resource("urn:openapi", resource)
        self._validators: dict[str, Draft202012Validator] = {}
        self._app: ApiApp | None = None

    @classmethod
    def of(cls, app: ApiApp) -> Document:
        """The document of an app's routes, made once for each table."""
        routes = app.kernel.routes
        if id(routes) not in cls._made:
            cls._made[id(routes)] = (routes, cls(routes))
        document = cls._made[id(routes)][1]
        document._app = app
        return document

    def check(self, method: str, path: str, status: int, headers: Mapping[str, str], content: bytes) -> None:
        """AssertionError for a status, header or body that is not documented."""
        assert self._app is not None
        assert headers["kbn-name"] == self._app.kernel.settings.server_name
        assert headers["cache-control"] == "private, no-cache, no-store, must-revalidate"
        address = self._app.kernel.router.find(method, path.partition("?")[0])
        if address is None:
            assert status == 404, f"{method} {path} is no route and answered {status}"
            self._hold("/components/schemas/ErrorShape", content)
            return
        route = self._app.kernel.routes[address.place]
        assert headers.get("elastic-api-version") == ("2023-10-31" if route.is_public else None)
        prefix = "/7.10" if address.dialect == "7.10" else ""
        pointer = f"/paths/{_escaped(prefix + route.path)}/{route.method.lower()}/responses/{status}"
        response = self._at(pointer)
        assert response is not None, f"{method} {path} answered {status}, which is not documented: {content!r}"
        if "$ref" in response:
            pointer = response["$ref"].removeprefix("#")
            response = self._at(pointer)
        self._check_content(method, pointer, response, headers, content)

    def _check_content(
        self, method: str, pointer: str, response: Any, headers: Mapping[str, str], content: bytes
    ) -> None:
        if "content" not in response:
            assert content == b""
            assert "content-type" not in headers
        elif "application/json" in response["content"]:
            assert headers["content-type"] == "application/json; charset=utf-8"
            if method != "HEAD":
                self._hold(f"{pointer}/content/application~1json/schema", content)

    def _hold(self, pointer: str, content: bytes) -> None:
        if pointer not in self._validators:
            schema = {"$ref": f"urn:openapi#{pointer}"}
            self._validators[pointer] = Draft202012Validator(schema, registry=self._registry)
        self._validators[pointer].validate(json.loads(content))

    def _at(self, pointer: str) -> Any:
        found = self.json
        for step in pointer.split("/")[1:]:
            found = found.get(step.replace("~1", "/"))
            if found is None:
                return None
        return found


def _escaped(path: str) -> str:
    return path.replace("/", "~1")
