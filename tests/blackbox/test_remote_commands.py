"""All sandboxes in one process, connectors made by pasting, and the commands that read and steer the ledger."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from tests.blackbox.live import PASSWORD, Live, free_port

pytestmark = pytest.mark.slow

CONNECTORS = {"jira", "servicenow", "secops", "webhook", "resilient", "swimlane", "thehive"}
END = "# Ctrl+C ends them all."


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself, with nobody at the keyboard."""
    return subprocess.run(
        [sys.executable, "-m", "casebridge", *arguments],
        env={**os.environ, "CASEBRIDGE_PASSWORD": PASSWORD, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


class Sandboxes:
    """`casebridge sandbox all` in a process of its own; `printed` is all it said until it was ready."""

    def __init__(self, *arguments: str, last: str = END) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "casebridge", "sandbox", "all", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        late = threading.Timer(30, self.process.kill)
        late.start()
        lines: list[str] = []
        while not lines or lines[-1].rstrip("\n") != last:
            lines.append(self.process.stdout.readline())
            assert lines[-1], "".join(lines) + self.process.communicate()[1]
        late.cancel()
        self.printed = "".join(lines)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)
        return self.process.returncode


class Stage:
    """A server, all sandboxes, and a connector to each of them."""

    def __init__(self, live: Live, sandboxes: Sandboxes) -> None:
        self.live = live
        self.url = f"http://127.0.0.1:{live.port}"
        self.urls = dict(re.findall(r"^# A simulated (.+) listens on (\S+)$", sandboxes.printed, re.M))
        self.commands = [f"curl {each}" for each in sandboxes.printed.partition(END)[0].split("\ncurl ")[1:]]

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = httpx2.request(
            method, self.url + path, auth=("admin", PASSWORD), headers={"kbn-xsrf": "1"}, json=body, timeout=30
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    def case(self, connector: str = "sandbox-jira", type_: str = ".jira") -> str:
        chosen = {"id": connector, "name": connector, "type": type_, "fields": None}
        given = {"owner": "cases", "title": "Odd logons", "description": "seen", "tags": [], "connector": chosen}
        return str(self.ask("POST", "/api/cases", {**given, "settings": {"syncAlerts": False}})["id"])

    def fault(self, system: str, text: str) -> None:
        assert httpx2.post(f"{self.urls[system]}/_sandbox/faults", json=text).status_code == 201

    def failed(self) -> str:
        """The id of a delivery that has failed for good."""
        self.fault("Jira", "create=status:400")
        case_id = self.case()
        self.ask("POST", f"/api/cases/{case_id}/connector/sandbox-jira/_push", {}, 424)
        return str(self.ask("GET", f"/api/casebridge/deliveries?caseId={case_id}")["deliveries"][0]["id"])

    def deliveries(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return run("deliveries", *arguments, "--url", self.url, **env)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    live = Live(tmp_path_factory.mktemp("remote"), "sqlite")
    live.start()
    sandboxes = Sandboxes("--first-port", "0", "--base", f"http://127.0.0.1:{live.port}")
    there = Stage(live, sandboxes)
    for command in there.commands:
        done = subprocess.run(
            ["bash", "-c", command], env={**os.environ, "CASEBRIDGE_PASSWORD": PASSWORD}, capture_output=True, text=True
        )
        assert msgspec.json.decode(done.stdout).get("id"), done.stdout + done.stderr
    yield there
    code = sandboxes.stop()
    live.stop()
    assert code == 0


def test_the_printed_commands_make_a_connector_to_every_system_and_each_works(stage: Stage):
    made = {each["id"] for each in stage.ask("GET", "/api/actions/connectors")}

    assert made == {f"sandbox-{each}" for each in CONNECTORS}
    for each in made:
        tried = run("connector", "test", each, "--url", stage.url)
        assert (tried.returncode, tried.stderr) == (0, ""), tried.stdout
        assert f"{each} works: " in tried.stdout


def test_as_json_the_systems_come_with_their_connectors_on_the_ports_that_were_given():
    port = free_port()
    sandboxes = Sandboxes("--first-port", "0", "--port", f"thehive={port}", "--json", last="}")
    found = msgspec.json.decode(sandboxes.printed)["sandboxes"]

    assert {each["name"]: each["url"] for each in found}["thehive"] == f"http://127.0.0.1:{port}"
    for each in found:
        assert httpx2.get(f"{each['url']}/_sandbox/state").status_code == 200
        assert all(each["url"] in str(connector["config"]) for connector in each["connectors"])
    taken = run("sandbox", "all", "--first-port", "0", "--port", f"jira={port}")
    assert taken.returncode == 1
    assert "jira cannot listen on 127.0.0.1 port" in taken.stderr
    assert sandboxes.stop() == 0


def test_a_connector_that_does_not_work_is_told_and_ends_with_1(stage: Stage):
    body = {"name": "Away", "connector_type_id": ".jira", "secrets": {"email": "a@b.c", "apiToken": "hunter2"}}
    config = {"apiUrl": f"http://127.0.0.1:{free_port()}", "projectKey": "OPS"}
    stage.ask("POST", "/api/actions/connector/away", {**body, "config": config})
    tried = run("connector", "test", "away", "--url", stage.url)
    as_json = run("connector", "test", "away", "--url", stage.url, "--json")
    stage_answer = msgspec.json.decode(as_json.stdout)
    httpx2.delete(f"{stage.url}/api/actions/connector/away", auth=("admin", PASSWORD), headers={"kbn-xsrf": "1"})

    assert tried.returncode == as_json.returncode == 1
    assert "away does not work: " in tried.stdout
    assert stage_answer["ok"] is False
    assert "hunter2" not in tried.stdout + as_json.stdout
    unknown = run("connector", "test", "nobody", "--url", stage.url)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "nobody" in unknown.stderr


def test_deliveries_are_listed_for_people_and_for_scripts(stage: Stage):
    id_ = stage.failed()

    listed = stage.deliveries("list", "--state", "failed")
    as_json = stage.deliveries("list", "--connector", "sandbox-jira", "--state", "failed", "--per-page", "1", "--json")
    none = stage.deliveries("list", "--case", "no-such-case")

    assert (listed.returncode, as_json.returncode, none.returncode) == (0, 0, 0)
    assert re.search(rf"^{id_} +failed +sandbox-jira ", listed.stdout, re.M)
    page = msgspec.json.decode(as_json.stdout)
    assert (page["per_page"], [each["id"] for each in page["deliveries"]]) == (1, [id_])
    assert "No deliveries." in none.stdout


def test_one_delivery_is_shown_with_its_attempts_and_calls(stage: Stage):
    id_ = stage.failed()

    shown = stage.deliveries("show", id_)
    as_json = stage.deliveries("show", id_, "--json")

    assert shown.returncode == as_json.returncode == 0
    assert re.search(r"^State +failed *$", shown.stdout, re.M)
    assert re.search(rf"^ *400 +POST +{stage.urls['Jira']}/rest/api/2/issue +\d+ ms *$", shown.stdout, re.M)
    assert "permanent fault" in shown.stdout
    assert msgspec.json.decode(as_json.stdout)["attempts"][0]["outcome"] == "permanent_fault"


def test_a_failed_delivery_is_retried_and_watched_until_it_is_delivered(stage: Stage):
    id_ = stage.failed()

    retried = stage.deliveries("retry", id_)
    watched = stage.deliveries("watch", id_, "--for-s", "30", "--interval-s", "0.1")

    assert (retried.returncode, watched.returncode) == (0, 0), watched.stderr
    assert f"queued    {id_}" in retried.stdout
    assert re.search(rf"delivered +{id_} +sandbox-jira → \d+", watched.stdout)
    again = stage.deliveries("retry", id_)
    assert again.returncode == 1
    assert "delivered" in again.stderr


def test_a_waiting_delivery_is_cancelled_and_one_that_was_refused_does_not_stop_the_others(stage: Stage):
    stage.fault("Jira", "create=rate-limit:600")
    case_id = stage.case()
    path = f"{stage.url}/api/cases/{case_id}/connector/sandbox-jira/_push"
    headers = {"kbn-xsrf": "1", "prefer": "respond-async"}
    id_ = httpx2.post(path, auth=("admin", PASSWORD), headers=headers, json={}).json()["delivery_id"]
    still = stage.deliveries("watch", id_, "--for-s", "1", "--interval-s", "0.1")
    cancelled = stage.deliveries("cancel", "no-such-delivery", id_)

    assert "waiting" in still.stdout
    assert still.returncode == cancelled.returncode == 1
    assert re.search(rf"cancelled +{id_}", cancelled.stdout)
    assert "no-such-delivery" in cancelled.stderr
    assert "1 of 2 deliveries were refused" in cancelled.stderr
    assert stage.deliveries("watch", id_, "--for-s", "1").returncode == 1


def test_watching_prints_each_change_once_as_a_line_of_json(stage: Stage):
    watching = subprocess.Popen(
        [sys.executable, "-m", "casebridge", "deliveries", "watch", "--url", stage.url, "--json", "--interval-s", "0.1",
         "--for-s", "6", "--connector", "sandbox-thehive"],
        env={**os.environ, "CASEBRIDGE_PASSWORD": PASSWORD},
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    time.sleep(2)
    case_id = stage.case("sandbox-thehive", ".thehive")
    stage.ask("POST", f"/api/cases/{case_id}/connector/sandbox-thehive/_push", {})
    out, _ = watching.communicate(timeout=30)
    changes = [msgspec.json.decode(line) for line in out.splitlines()]

    assert watching.returncode == 0
    assert {each["case_id"] for each in changes} == {case_id}
    assert changes[-1]["state"] == "delivered"
    assert len({each["version"] for each in changes}) == len(changes)


@pytest.mark.parametrize(
    ("env", "arguments", "code", "told"),
    [
        ({"CASEBRIDGE_PASSWORD": "wrong"}, (), 1, "did not let admin in"),
        ({"CASEBRIDGE_USER": "nobody"}, (), 1, "did not let nobody in"),
        ({}, ("--page", "0"), 1, "page"),
        ({}, ("--per-page", "1000"), 1, "100"),
        ({}, ("--space", "no-such-space"), 1, "no-such-space"),
    ],
)
def test_what_the_server_refuses_is_one_line(
    stage: Stage, env: dict[str, str], arguments: tuple[str, ...], code: int, told: str
):
    done = stage.deliveries("list", *arguments, **env)

    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("casebridge: ")
    assert done.stderr.count("\n") == 1
    assert told in done.stderr


def test_a_space_of_its_own_is_looked_into(stage: Stage):
    stage.ask("POST", "/api/spaces/space", {"id": "finance", "name": "Finance"})

    done = stage.deliveries("list", "--json", CASEBRIDGE_SPACE="finance")

    assert done.returncode == 0, done.stderr
    assert msgspec.json.decode(done.stdout)["total"] == 0


def test_a_server_that_is_away_is_told(tmp_path: Path):
    url = f"http://127.0.0.1:{free_port()}"

    done = run("deliveries", "list", CASEBRIDGE_URL=url)

    assert done.returncode == 1
    assert done.stderr.startswith(f"casebridge: {url} did not answer")
