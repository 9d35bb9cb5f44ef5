"""Planted secrets, in every place that takes one, turn up in nothing that leaves a real server and its commands.

Far systems send back whatever they were sent, credentials included: what they say in an error must not carry it on.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from tests.api.calls import a_body
from tests.blackbox.live import FAST, PASSWORD, Live

pytestmark = pytest.mark.slow

JIRA, LOOSE, SINK, FIXED, DATABASE, FILES = (
    f"planted-{name}-7f3a9" for name in ("jira", "loose", "sink", "fixed", "database", "files")
)
USER, GUESS, CHANGED = (f"planted-{name}-7f3a9" for name in ("user", "guess", "changed"))
PLANTED = {
    "a@example.org": JIRA, "f@example.org": FIXED, "bob": USER, "mallory": GUESS, "eve": CHANGED, "admin": PASSWORD,
    "l@example.org": LOOSE, "sink": SINK, "casebridge": DATABASE, "files": FILES,
}  # fmt: skip
"""Who shows which secret."""


class _Echo(BaseHTTPRequestHandler):
    """A system that answers every call with an error that holds all it was sent."""

    def do_GET(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        text = f"You sent {dict(self.headers)} and {sent}"
        body = json.dumps({"errorMessages": [text], "error": {"reason": text}, "message": text}).encode()
        self.send_response(500 if "label" in self.path else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Heard:
    """Everything that left the server and its commands, by where it was heard."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    def add(self, where: str, text: str) -> None:
        self.texts.append((where, text))

    def leaks(self, secrets: Mapping[str, str]) -> list[str]:
        """Where which secret was heard, in any spelling."""
        spelled = {
            name: {secret, quote(secret, safe=""), secret[::-1], _base64(secret), _base64(f"{name}:{secret}")}
            for name, secret in secrets.items()
        }
        return [
            f"secret of {name} in {where}: …{text[max(0, text.find(each) - 80) : text.find(each) + 20]}…"
            for where, text in self.texts
            for name, spellings in spelled.items()
            for each in spellings
            if each in text
        ]


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode().rstrip("=")


def test_a_leak_would_be_heard():
    heard = Heard()
    heard.add("somewhere", f"Authorization: Basic {b64encode(b'bob:' + USER.encode()).decode()}")
    assert len(heard.leaks(PLANTED)) == 1


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest) -> str:
    """SQLite in the data folder, or PostgreSQL with a password in its address."""
    if request.param == "sqlite":
        return ""
    dsn = str(request.getfixturevalue("postgresql_target"))
    return dsn.replace("://postgres@", f"://postgres:{DATABASE}@")


async def test_planted_secrets_turn_up_nowhere(tmp_path: Path, echo: str, target: str):
    heard = Heard()
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "casebridge.toml").write_text(
        f'[connectors.fixed]\nname = "F"\ntype = ".jira"\nconfig = {{ apiUrl = "{echo}", projectKey = "K" }}\n'
        f'secrets = {{ email = "f@example.org", apiToken = "{FIXED}" }}\n'
        f'[connectors.broken]\nname = "B"\ntype = ".jira"\nconfig = {{ apiUrl = 5 }}\n'
        f'secrets = {{ email = 7, apiToken = "{FIXED}", more = "{FIXED}" }}\n'
    )
    env = {
        **FAST,
        "CASEBRIDGE_LOG_LEVEL": "debug",
        "CASEBRIDGE_ALERT_SINK_URL": echo,
        "CASEBRIDGE_ALERT_SINK_USERNAME": "sink",
        "CASEBRIDGE_ALERT_SINK_PASSWORD": SINK,
        "CASEBRIDGE_AUDIT_STDOUT": "true",
        **({"CASEBRIDGE_DATABASE_URL": target} if target else {}),
    }
    live = Live(tmp_path, "", env=env)
    live.start()
    try:
        await _use(live, heard, echo)
        await asyncio.sleep(1.5)
        for command in (["config"], ["doctor", "--json"], ["audit", "verify"], ["keys", "rotate", "--settle-s", "0.1"]):
            heard.add(" ".join(command), await asyncio.to_thread(_run, [*command, "--data", str(data)], env))
        heard.add("a wrong setting", await asyncio.to_thread(_run, ["config"], {**env, "CASEBRIDGE_PORT": "x"}))
        await _use_after_rotation(live, heard)
    finally:
        await asyncio.to_thread(live.stop)
    heard.add("a second start", await asyncio.to_thread(_run, ["serve", "--port", "x"], env))
    heard.add("the log", live.output)
    if not target:
        for file in data.glob("casebridge.sqlite*"):
            heard.add(file.name, file.read_bytes().decode("latin-1"))
    assert "broken" in live.output
    assert not (leaks := heard.leaks(PLANTED)), "\n".join(leaks)


def _run(arguments: list[str], env: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "casebridge", *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


async def _use(live: Live, heard: Heard, echo: str) -> None:
    """A broad use of the server, with everything it answers."""
    async with live.client() as client:

        async def call(method: str, path: str, body: Any = None, **more: Any) -> httpx2.Response:
            answer = await client.request(method, path, json=body, **more)
            heard.add(
                f"{method} {path.partition('?')[0]}", f"{answer.status_code} {dict(answer.headers)} {answer.text}"
            )
            return answer

        await call("PUT", "/_security/user/bob", {"password": USER, "roles": []})
        await call("PUT", "/_security/user/eve", {"password": "some other one", "roles": ["superuser"]})
        await call("PUT", "/_security/user/eve/_password", {"password": CHANGED})
        await call("PUT", "/_security/user/eve/_password", {"password": [CHANGED]})
        await call("PUT", "/_security/user/eve", {"password": CHANGED, "roles": 5, "colour": CHANGED})
        await call("GET", "/_security/user")
        for name, password in (("mallory", GUESS), ("bob", GUESS), ("bob", USER), ("eve", CHANGED)):
            await call("GET", "/internal/security/me", auth=(name, password))
            await call("GET", "/api/cases/_find", auth=(name, password))
            grant = {"grant_type": "password", "username": name, "password": password}
            await call("POST", "/_security/profile/_activate", grant)
        await call("GET", "/internal/security/me", headers={"authorization": f"ApiKey {_base64('x:' + GUESS)}"})

        secrets = {"email": "a@example.org", "apiToken": JIRA}
        connector = {"name": "J", "config": {"apiUrl": echo, "projectKey": "K"}, "secrets": secrets}
        await call("POST", "/api/actions/connector/j", {**connector, "connector_type_id": ".jira"})
        await call("PUT", "/api/actions/connector/j", connector)
        wrong = {"email": ["l@example.org"], "apiToken": {"x": LOOSE}, "password": LOOSE}
        await call("PUT", "/api/actions/connector/j", {**connector, "secrets": wrong})
        await call("POST", "/api/actions/connector/k", {**connector, "secrets": LOOSE, "connector_type_id": ".jira"})
        loose = f'{{"name": "x", "secrets": {{"apiToken": "{LOOSE}"'
        json_type = {"content-type": "application/json"}
        await call("POST", "/api/actions/connector/l", content=loose, headers=json_type)
        for id_ in ("j", "fixed", "broken"):
            await call("GET", f"/api/actions/connector/{id_}")
            for action in ("issueTypes", "getIncident", "pushToService", "nonsense"):
                params = {"subAction": action, "subActionParams": {"externalId": "1", "id": "1"}}
                await call("POST", f"/api/actions/connector/{id_}/_execute", {"params": params})
            await call("POST", f"/api/casebridge/connectors/{id_}/_test")
        await call("GET", "/api/actions/connectors")
        case = (await call("POST", "/api/cases", _pushed("j"))).json()
        for id_ in ("j", "fixed"):
            path = f"/api/cases/{case['id']}/connector/{id_}/_push"
            await call("POST", path, {})
            await call("POST", path, {}, headers={"prefer": "respond-async"})
            await call("POST", f"/api/casebridge{path[4:].replace('_push', '_preview')}")
            await call("GET", f"/api/casebridge/connectors/{id_}/health")
        await asyncio.sleep(1)
        listed = (await call("GET", "/api/casebridge/deliveries?perPage=100")).json()["deliveries"]
        for each in listed:
            await call("GET", f"/api/casebridge/deliveries/{each['id']}")
        alert = {"type": "alert", "owner": "cases", "alertId": "a", "index": "i", "rule": {"id": "r", "name": "n"}}
        await call("POST", f"/api/cases/{case['id']}/comments", alert)
        await call("GET", f"/api/cases/{case['id']}/user_actions/_find")
        await call("GET", "/api/casebridge/audit?limit=1000")
        await call("GET", "/api/status")


async def _use_after_rotation(live: Live, heard: Heard) -> None:
    async with live.client() as client:
        answer = await client.post("/api/casebridge/connectors/j/_test")
        assert answer.status_code == 200
        assert "open the secrets" not in answer.text
        heard.add("a test after the rotation", answer.text)


def _pushed(connector: str) -> dict[str, Any]:
    fields = {"issueType": "1", "priority": None, "parent": None}
    chosen = {"id": connector, "name": "J", "type": ".jira", "fields": fields}
    return {**a_body(), "connector": chosen, "settings": {"syncAlerts": True}}
