"""`casebridge demo`: the main job end to end, with the real server and a simulated Jira, each step shown."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from casebridge.client import Client, ClientError, Exchange, calls

_OWNER = "securitySolution"
_PROJECT, _EMAIL, _TOKEN = "SOC", "bot@example.org", "sandbox-token"
_CONNECTOR_ID = "soc-jira"
_START_LIMIT_S = 30.0


class DemoFailed(Exception):
    """A step did not end as it must; the text says what was expected and what came."""


def run_demo(console: Console | None = None) -> int:
    """Run the whole story; 0 when every step was as expected, else 1."""
    console = console or Console(highlight=False)
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="casebridge-demo-") as folder:
            _tell(console, Path(folder))
    except DemoFailed as failed:
        console.print(f"\n[bold red]The demo failed:[/] {failed}")
        return 1
    console.print(f"[dim]Done in {time.monotonic() - started:.1f} s; the demo's data is gone again.[/]\n")
    return 0


def _tell(console: Console, folder: Path) -> None:
    console.print(
        Panel(
            "A case is opened, pushed to Jira and closed by the configuration.\n"
            "The server is the real one on embedded SQLite; Jira is simulated, over real HTTP.",
            title="[bold]Casebridge demo[/]",
            border_style="cyan",
        )
    )
    password = secrets.token_urlsafe(16)
    with _sandbox(folder) as jira_url, _server(folder, password) as server_url:
        console.print(f"server        [cyan]{server_url}[/]\nJira sandbox  [cyan]{jira_url}[/]\n")
        shown: list[Exchange] = []
        with Client(server_url, "admin", password, seen=shown.append) as client:
            _story(_Stage(console, client, shown), jira_url)


class _Stage:
    """Sends calls and shows each of them with what matters of its answer."""

    def __init__(self, console: Console, client: Client, shown: list[Exchange]) -> None:
        self.console = console
        self._client = client
        self._shown = shown
        self._number = 0

    def step(self, title: str, call: calls.Call, *keys: str, hide: tuple[str, ...] = ()) -> Any:
        """The answer of a call, shown with these keys of it; DemoFailed when it was refused."""
        self._number += 1
        self.console.print(f"[bold cyan]{self._number}[/] [bold]{title}[/]")
        try:
            answer = self._client.send(call)
        except ClientError as fault:
            raise DemoFailed(f"{call.method} {call.path}: {fault}") from fault
        exchange = self._shown[-1]
        request = Text(f"  {call.method} {call.path}", style="yellow")
        self.console.print(request)
        if call.body:
            self._lines("→", {key: value for key, value in call.body.items() if key not in hide})
        self.console.print(f"  [green]{exchange.status} OK[/]" if exchange.status == 200 else f"  {exchange.status}")
        picked = answer if isinstance(answer, dict) else {}
        self._lines("←", {key: picked[key] for key in keys})
        self.console.print()
        return answer

    def _lines(self, arrow: str, values: dict[str, Any]) -> None:
        width = max((len(key) for key in values), default=0)
        for key, value in values.items():
            for number, text in enumerate(_readable(value)):
                line = Text(f"    {arrow} {key if number == 0 else '':<{width}}  ", style="dim")
                line.append(text, style="default")
                self.console.print(line, no_wrap=True, overflow="ellipsis")


def _readable(value: Any) -> list[str]:
    """A value of JSON as lines for people."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if each is not None}
        plain = {key: each for key, each in kept.items() if not isinstance(each, dict)}
        return [f"{key} {', '.join(_readable(each))}" for key, each in plain.items()] or ["{}"]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [" ".join(map(str, each.values())) for each in value]
    if isinstance(value, list):
        return [", ".join(map(str, value)) or "none"]
    return [msgspec.json.encode(value).decode()]


def _story(stage: _Stage, jira_url: str) -> None:
    none = {"id": "none", "name": "none", "type": ".none", "fields": None}
    stage.step(
        "Create a connector to Jira; its secrets are sealed and never come back",
        calls.create_connector(
            "SOC Jira",
            ".jira",
            {"apiUrl": jira_url, "projectKey": _PROJECT},
            {"email": _EMAIL, "apiToken": _TOKEN},
            id_=_CONNECTOR_ID,
        ),
        "id",
        "config",
        hide=("secrets",),
    )
    configuration = stage.step(
        "Give the security app a configuration",
        calls.create_configuration(_OWNER, none, "close-by-user"),
        "closure_type",
        "version",
    )
    chosen = {"id": _CONNECTOR_ID, "name": "SOC Jira", "type": ".jira", "fields": None}
    changed = stage.step(
        "The founding call: use that connector, and close a case when it is pushed",
        calls.update_configuration(configuration["version"], connector=chosen, closure_type="close-by-pushing"),
        "closure_type",
        "mappings",
        "version",
    )
    _expect("the closure type", "close-by-pushing", changed["closure_type"])
    case = stage.step(
        "Open a case",
        calls.create_case(
            owner=_OWNER,
            title="Phishing mail at the front desk",
            description="Three people opened the attachment.",
            tags=["phishing", "front desk"],
            severity="high",
            settings={"syncAlerts": False},
            connector={
                **chosen,
                "fields": {"issueType": "10002", "priority": "High", "parent": None},
            },
        ),
        "id",
        "status",
        "version",
    )
    stage.step(
        "Add a comment",
        calls.add_comment(case["id"], _OWNER, "Mailboxes are locked, the sender is blocked at the gateway."),
        "totalComment",
        "version",
    )
    pushed = stage.step("Push it", calls.push(case["id"], _CONNECTOR_ID), "external_service", "status", "closed_at")
    _expect("the case after the push", "closed", pushed["status"])
    ledger = stage.step("Read the ledger of pushes", calls.find_deliveries(case["id"]), "total")
    _expect("the delivery", "delivered", ledger["deliveries"][0]["state"])
    _show_issue(stage.console, jira_url, pushed["external_service"]["external_title"])


def _show_issue(console: Console, jira_url: str, key: str) -> None:
    """What Jira holds by now, read from the sandbox as it keeps it."""
    with Client(jira_url, _EMAIL, _TOKEN) as jira:
        state = jira.send(calls.Call("GET", "/_sandbox/state"))
    _expect("the number of issues in Jira", 1, len(state["issues"]))
    issue = state["issues"][0]
    _expect("the issue's key", key, issue["key"])
    comments = issue["comments"]
    _expect("the number of its comments", 1, len(comments))
    fields = issue["fields"]
    body = Text()
    body.append(f"{fields['summary']}\n", style="bold")
    body.append(f"{fields['description']}\n\n")
    body.append(f"labels   {', '.join(fields['labels'])}\npriority {fields['priority']['name']}\n\n", style="dim")
    body.append(f"Comment: {comments[0]['body']}")
    console.print(Panel(body, title=f"[bold]{key} in Jira[/]", border_style="green"))
    console.print(
        "\n[bold]How to go on[/]\n"
        "  make serve                         a server to keep: http://127.0.0.1:5601\n"
        "  .venv/bin/casebridge sandbox jira  a Jira to try connectors on\n"
        "  .venv/bin/casebridge --help        all commands\n"
        "  docs/README.md                     settings, running, connectors, decisions\n"
    )


def _expect(what: str, wanted: object, came: object) -> None:
    if wanted != came:
        raise DemoFailed(f"{what} should be {wanted!r}, but is {came!r}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(
    name: str, folder: Path, arguments: list[str], env: dict[str, str], url: str, probe: str
) -> Iterator[None]:
    log_path = folder / f"{name}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command, arguments of our own
            [sys.executable, "-m", "casebridge", *arguments],
            env={**os.environ, **env},
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        _wait(name, url, probe, lambda: process.poll() is None, log_path)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(name: str, url: str, probe: str, alive: Callable[[], bool], log_path: Path) -> None:
    until = time.monotonic() + _START_LIMIT_S
    with Client(url, "", "", timeout_s=2) as client:
        while alive() and time.monotonic() < until:
            try:
                client.send(calls.Call("GET", probe))
            except ClientError:
                time.sleep(0.05)
            else:
                return
    said = log_path.read_text(errors="replace").strip()[-2000:]
    raise DemoFailed(f"the {name} did not start. It said:\n{said or '(nothing)'}")


@contextmanager
def _sandbox(folder: Path) -> Iterator[str]:
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["sandbox", "jira", "--port", str(port), "--project", _PROJECT, "--email", _EMAIL]
    arguments += ["--api-token", _TOKEN]
    with _process("Jira sandbox", folder, arguments, {}, url, "/_sandbox/state"):
        yield url


@contextmanager
def _server(folder: Path, password: str) -> Iterator[str]:
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    env = {
        "CASEBRIDGE_ADMIN_PASSWORD": password,
        # Loopback addresses may be reached only when they are named.
        "CASEBRIDGE_ALLOWED_HOSTS": "127.0.0.1",
    }
    arguments = ["serve", "--port", str(port), "--data", str(folder / "data")]
    with _process("server", folder, arguments, env, url, "/api/status"):
        yield url
