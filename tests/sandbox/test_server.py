"""The parts every simulated system gets: control API, journal, state file, pages, and the server itself."""

import asyncio
import os
import signal
import subprocess
import sys

import httpx2
import pytest

from casebridge.sandbox.faults import BadFault
from casebridge.sandbox.jira import jira_app, serve_jira
from casebridge.sandbox.server import listen, serving


async def test_faults_are_set_shown_and_cleared_through_the_control_api(a_jira):
    jira = await a_jira()
    answer = await jira.fault(["create=drop-after", {"match": {"step": "comment"}, "kind": "hang", "times": "*"}])
    assert (answer.status_code, [fault["id"] for fault in answer.json()["faults"]]) == (201, [1, 2])
    assert (await jira.http.delete("/_sandbox/faults/1")).status_code == 204
    assert (await jira.http.delete("/_sandbox/faults/1")).status_code == 404
    shown = (await jira.http.get("/_sandbox/faults")).json()["faults"]
    assert [(fault["kind"], fault["times"], fault["fired"]) for fault in shown] == [("hang", None, 0)]
    assert (await jira.http.delete("/_sandbox/faults")).status_code == 204
    assert (await jira.http.get("/_sandbox/faults")).json() == {"faults": []}


async def test_of_a_list_with_one_bad_fault_none_is_set(a_jira):
    jira = await a_jira()
    answer = await jira.fault(["create=hang", "create=explode"])
    assert (answer.status_code, "explode" in answer.json()["error"]) == (400, True)
    assert (await jira.http.post("/_sandbox/faults", content=b"{")).status_code == 400
    assert (await jira.http.get("/_sandbox/faults")).json() == {"faults": []}


async def test_the_state_shows_issues_creations_and_every_request(a_jira):
    jira = await a_jira()
    await jira.create(labels=["vpn"])
    await jira.comment("OPS-1", "isolated")
    await jira.issue("10000")
    state = await jira.state()
    assert (state["system"], state["mode"], state["counts"]) == ("jira", "cloud", {"issue": 1, "comment": 1})
    assert state["issues"][0]["fields"]["labels"] == ["vpn"]
    assert [comment["body"] for comment in state["issues"][0]["comments"]] == ["isolated"]
    assert [(made["kind"], made["id"], made["record"]) for made in state["created"]] == [
        ("issue", "10000", "OPS-1"),
        ("comment", "20000", "OPS-1"),
    ]
    seen = [(request["step"], request["record"], request["status"]) for request in state["requests"]]
    assert seen == [("create", "OPS-1", 201), ("comment", "OPS-1", 201), ("get", "OPS-1", 200)]
    assert state["requests"][1]["body"] == {"body": "isolated"}


async def test_two_writes_at_once_are_two_issues(a_jira):
    jira = await a_jira(faults=["create=delay:0.01**"])
    made = await asyncio.gather(*(jira.create() for _ in range(10)))
    assert len({issue["key"] for issue in made}) == 10
    assert (await jira.state())["counts"]["issue"] == 10


async def test_a_reset_leaves_nothing_behind(a_jira, tmp_path):
    jira = await a_jira(state_file=tmp_path / "jira.json", faults=["search=hang"])
    await jira.create()
    assert (await jira.http.post("/_sandbox/reset")).status_code == 204
    state = await jira.state()
    assert [state[part] for part in ("issues", "created", "requests", "faults")] == [[], [], [], []]
    assert (await jira.create())["key"] == "OPS-1"


async def test_issues_survive_a_restart_with_a_state_file(a_jira, tmp_path):
    file = tmp_path / "jira.json"
    first = await a_jira(state_file=file)
    await first.create(labels=["marker"], description="seen on two hosts")
    await first.comment("OPS-1", "isolated")
    again = await a_jira(state_file=str(file))
    assert await again.found("labels = marker") == ["OPS-1"]
    assert (await again.create())["id"] == "10001"
    state = await again.state()
    assert (state["counts"], state["issues"][0]["comments"][0]["body"]) == ({"issue": 2, "comment": 1}, "isolated")
    assert [path.name for path in tmp_path.iterdir()] == ["jira.json"]


def test_a_state_file_of_something_else_is_refused_by_name(tmp_path):
    file = tmp_path / "notes.json"
    file.write_text("hello")
    with pytest.raises(ValueError, match=r"notes\.json is not the state of a simulated Jira"):
        jira_app(state_file=file)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="There is no mode 'server'"):
        jira_app(mode="server")
    with pytest.raises(ValueError, match="at least one project key"):
        jira_app(project_keys=())
    with pytest.raises(BadFault, match="there is no step 'creat'"):
        jira_app(faults=["creat=hang"])


async def test_the_pages_show_issues_comments_and_requests_as_text(a_jira):
    jira = await a_jira(faults=["search=hang"])
    await jira.create(summary="<b>Beacon</b>", labels=["vpn"], description="{code}<script>{code}")
    await jira.comment("OPS-1", "isolated & imaged")
    front = await jira.http.get("/")
    assert "default-src 'none'" in front.headers["content-security-policy"]
    for shown in ("OPS-1", "&lt;b&gt;Beacon&lt;/b&gt;", "To Do", "vpn", "Medium", "isolated &amp; imaged", "hang"):
        assert shown in front.text
    assert 'http-equiv="refresh"' in front.text
    assert 'http-equiv="refresh"' not in (await jira.http.get("/?paused")).text
    page = (await jira.http.get("/browse/OPS-1")).text
    for shown in ("{code}&lt;script&gt;{code}", "isolated &amp; imaged", "/rest/api/2/issue/OPS-1/comment"):
        assert shown in page
    assert "<script" not in front.text + page
    assert (await jira.http.get("/browse/OPS-9")).status_code == 404
    assert (await jira.http.get("/_sandbox/static/sandbox.css")).status_code == 200


async def test_an_empty_sandbox_says_how_to_connect(a_jira):
    jira = await a_jira(project_keys=("OPS", "SOC"))
    page = (await jira.http.get("/")).text
    for shown in ("No issue has been created yet", "http://jira.test", "OPS, SOC", "bot@example.org"):
        assert shown in page
    assert "the-right-token" not in page


async def test_serving_stops_with_its_block():
    async with serving(jira_app()) as url, httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{url}/rest/api/2/serverInfo")).json()["baseUrl"] == url
    async with httpx2.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx2.ConnectError):
            await http.get(url)


async def test_serving_stops_although_a_request_hangs():
    async with httpx2.AsyncClient(trust_env=False) as http:
        async with serving(jira_app(faults=["server_info=hang"])) as url:
            hanging = asyncio.create_task(http.get(f"{url}/rest/api/2/serverInfo"))
            await asyncio.sleep(0.05)
        with pytest.raises(httpx2.HTTPError):
            await hanging


def test_an_address_in_use_is_an_error():
    listener, url = listen("127.0.0.1", 0)
    with listener, pytest.raises(OSError, match="in use"):
        serve_jira(port=int(url.rpartition(":")[2]))


def test_a_sandbox_runs_as_a_process_and_outlives_a_kill(tmp_path):
    """The state is written before the answer leaves, so a killed sandbox has kept all it has answered."""
    for sign, expected in ((signal.SIGKILL, "OPS-1"), (signal.SIGTERM, "OPS-2")):
        with a_process(tmp_path / "jira.json") as process:
            url = process.stdout.readline().strip()
            fields = {"project": {"key": "OPS"}, "summary": "Odd logons", "issuetype": {"id": "10001"}}
            with httpx2.Client(auth=("bot@example.org", "t"), trust_env=False) as http:
                made = http.post(f"{url}/rest/api/2/issue", json={"fields": fields})
            assert made.json()["key"] == expected
            os.kill(process.pid, sign)
            assert process.wait(5) == -sign
            assert process.stdout.read() == ""


def a_process(state_file) -> subprocess.Popen:
    program = (
        "from casebridge.sandbox.jira import serve_jira\n"
        f"serve_jira(api_token='t', state_file={str(state_file)!r}, ready=lambda url: print(url, flush=True))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
