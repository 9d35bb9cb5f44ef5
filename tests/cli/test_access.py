"""`casebridge user|role|space|apikey` on the local store, with and without a server on it."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from casebridge.app import build
from casebridge.cli import main
from casebridge.settings import PREFIX, SETTINGS, Settings

FIRST, SECOND = "a long first password", "a long second password"


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch):
    """Logs as they are, and no variables of ours."""
    monkeypatch.setattr("casebridge.app.start_logs", lambda loaded: None)
    for name in [*(each.variable for each in SETTINGS.values()), f"{PREFIX}CONFIG"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def store(tmp_path: Path) -> str:
    """A data folder in which a server has been started once."""
    program = await build(Settings(data=tmp_path / "data", admin_password=FIRST))
    await program.close()
    return str(tmp_path / "data")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, stdin: str = "") -> int:
    """The exit code of a command that is given this on its standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
    return main(list(arguments))


async def test_a_running_server_knows_of_it_from_the_next_request_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    data = str(tmp_path / "data")
    role = {"elasticsearch": {}, "kibana": [{"base": ["read"]}]}
    program = await build(Settings(data=Path(data), admin_password=FIRST))
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(program.api), base_url="http://casebridge.test")

    async def command(*arguments: str, stdin: str = "") -> str:
        assert await asyncio.to_thread(run, monkeypatch, *arguments, "--data", data, stdin=stdin) == 0
        return capsys.readouterr().out

    async def status(path: str = "/api/cases/_find", **sent: Any) -> int:
        return (await client.get(path, **sent)).status_code

    try:
        dana = {"auth": ("dana", FIRST)}
        assert await status(**dana) == 401
        told = await command("user", "add", "dana", "--role", "reader", stdin=f"{FIRST}\n")
        assert FIRST not in told
        assert await status(**dana) == 403
        await command("role", "put", "reader", stdin=json.dumps(role))
        assert await status(**dana) == 200
        await command("space", "add", "ops", "Operations")
        assert await status("/s/ops/api/cases/_find", **dana) == 200
        key = (await command("apikey", "add", "dana", "robot", "--expires", "1d")).strip()
        shown = {"headers": {"authorization": f"ApiKey {key}"}}
        assert await status(**shown) == 200
        listed = await command("apikey", "list", "--user", "dana")
        assert key not in listed
        await command("apikey", "end", json.loads(listed)["id"])
        assert await status(**shown) == 401
        await command("user", "password", "dana", stdin=f"{SECOND}\n")
        assert await status(**dana) == 401
        dana = {"auth": ("dana", SECOND)}
        assert await status(**dana) == 200
        await command("user", "disable", "dana")
        assert await status(**dana) == 401
        await command("user", "enable", "dana")
        assert await status(**dana) == 200
        await command("user", "roles", "dana")
        assert await status(**dana) == 403
        await command("user", "roles", "dana", "--role", "superuser")
        await command("role", "delete", "reader")
        assert await status(**dana) == 200
        await command("space", "delete", "ops", "--yes")
        assert await status("/s/ops/api/cases/_find", **dana) == 404
        await command("user", "delete", "dana")
        assert await status(**dana) == 401
    finally:
        await client.aclose()
        await program.close()


def test_lists_show_users_roles_and_spaces(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, "user", "list", "--data", store) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["admin", "enabled", "superuser"]
    assert run(monkeypatch, "role", "list", "--data", store) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "superuser"
    assert run(monkeypatch, "space", "list", "--data", store) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["default", "Default"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        (("user", "add", "bob"), "too short\n", "password: expected at least 12 characters"),
        (("user", "add", "bob"), "", "password: expected at least 12 characters"),
        (("user", "add", "b:b"), f"{SECOND}\n", "username: "),
        (("user", "add", "admin"), f"{SECOND}\n", "There is a user admin already"),
        (("user", "disable", "admin"), "", "admin is the last enabled superuser"),
        (("user", "delete", "nobody"), "", "[user/nobody] not found"),
        (("user", "roles", "nobody", "--role", "r"), "", "[user/nobody] not found"),
        (("role", "put", "r"), "{", "this is no role"),
        (("role", "put", "r"), '{"elasticsearch": {}, "kibana": [{"base": ["write"]}]}', "kibana[0].base"),
        (("role", "put", "superuser"), '{"elasticsearch": {}}', "is reserved"),
        (("space", "add", "Ops"), "", "may hold only lower-case"),
        (("space", "delete", "default"), "", "--yes: is required"),
        (("apikey", "add", "nobody", "k"), "", "[user/nobody] not found"),
        (("apikey", "add", "admin", "k", "--expires", "soon"), "", "--expires: expected a duration"),
        (("apikey", "end", "unknown"), "", "[api_key/unknown] not found"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(
    store: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    stdin: str,
    told: str,
):
    assert run(monkeypatch, *arguments, "--data", store, stdin=stdin) == 1
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.count("\n") == 1
    assert SECOND not in shown
    assert "too short" not in shown


def test_a_store_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, "user", "list", "--data", str(tmp_path / "none")) == 1
    assert "There is no database" in capsys.readouterr().err
