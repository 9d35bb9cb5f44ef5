"""The first steps of the README, run as they stand there."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casebridge.sandbox.jira import jira_app
from casebridge.sandbox.server import serving
from tests.blackbox.live import PASSWORD, Live

pytestmark = pytest.mark.slow

README = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")
FIRST_STEPS = README.partition("## First steps")[2].partition("\n## ")[0]


def calls() -> list[str]:
    """The commands of the first steps that ask the server, in order."""
    blocks = re.findall(r"^```\n(.+?)^```$", FIRST_STEPS, re.M | re.S)
    return [call for block in blocks for call in re.split(r"\n\n", block.strip()) if call.startswith("ask -X")]


def run(prelude: str, call: str) -> Any:
    done = subprocess.run(["bash", "-c", f"{prelude}\n{call}"], capture_output=True, text=True, timeout=60, check=True)
    return msgspec.json.decode(done.stdout)


async def test_the_first_steps_end_with_a_closed_case_and_an_issue(tmp_path: Path):
    (ask,) = re.findall(r"^ask\(\) .+$", FIRST_STEPS, re.M)
    live = Live(tmp_path, "sqlite")
    await asyncio.to_thread(live.start)
    answers: list[Any] = []
    prelude = f"{ask}\npassword={PASSWORD!r}\nbase=http://127.0.0.1:{live.port}"
    async with serving(jira_app(project_keys=("SOC",))) as jira_url:
        for call in calls():
            if answers:
                call = call.replace("WzQsMV0=", str(answers[-1].get("version")))
                call = call.replace("THE-ID-OF-THE-CASE", str(answers[-1].get("id")))
            answers.append(await asyncio.to_thread(run, prelude, call.replace("http://127.0.0.1:8090", jira_url)))
    await asyncio.to_thread(live.stop)

    assert len(answers) == 5
    assert not [each for each in answers if "statusCode" in each]
    assert answers[1]["version"] == "WzQsMV0="
    assert answers[2]["closure_type"] == "close-by-pushing"
    assert answers[4]["status"] == "closed"
    assert answers[4]["external_service"]["external_title"] == "SOC-1"
