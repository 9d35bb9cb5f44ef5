"""The command line: help, what `config` prints, and how commands end when something is wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import casebridge
from casebridge.cli import main
from casebridge.settings import PREFIX, SETTINGS

ROOT = Path(__file__).parent.parent.parent
SYSTEMS = ("jira", "servicenow", "thehive", "webhook", "resilient", "swimlane", "elasticsearch", "all")
LEDGER = tuple(f"deliveries {name}" for name in ("list", "show", "retry", "cancel", "watch"))
ACCESS = (
    *(f"user {name}" for name in ("add", "list", "roles", "password", "enable", "disable", "delete")),
    *(f"role {name}" for name in ("put", "list", "delete")),
    *(f"space {name}" for name in ("add", "list", "delete")),
    *(f"apikey {name}" for name in ("add", "list", "end")),
)
COMMANDS = (
    "serve", "worker", "config", "doctor", "migrate", "seed", "keys rotate", *ACCESS, "audit verify", *LEDGER,
    "connector test",
    *(f"sandbox {name}" for name in SYSTEMS), "demo",
)  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A working folder of its own, no variables of ours, logs as they are, and a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("casebridge.app.start_logs", lambda loaded: None)
    monkeypatch.setenv("COLUMNS", "200")
    for name in [*(each.variable for each in SETTINGS.values()), f"{PREFIX}CONFIG"]:
        monkeypatch.delenv(name, raising=False)


def untouched(folder: Path) -> bool:
    """Whether nothing was made in the folder."""
    return not list(folder.iterdir())


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0

    shown = capsys.readouterr().out
    assert all(command.split()[0] in shown for command in COMMANDS)
    assert "Exit codes" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]):
    assert main([*command.split(), "--help"]) == 0

    assert f"casebridge {command}" in capsys.readouterr().out


def test_the_docs_tell_every_command():
    told = (ROOT / "docs" / "running.md").read_text("utf-8")

    assert re.findall(r"^\| `casebridge ([\w ]+)` \|", told, re.M) == list(COMMANDS)


def test_the_help_of_serve_tells_every_setting_but_secret_ones(capsys: pytest.CaptureFixture[str]):
    main(["serve", "--help"])

    shown = capsys.readouterr().out
    for setting in SETTINGS.values():
        assert (f"{setting.option} " in shown) != setting.knob.secret, setting.name


def test_version(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0

    assert capsys.readouterr().out.strip() == casebridge.__version__


def test_config_prints_toml_with_sources_and_masks_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "mine.toml"
    file.write_text('lease_s = 1.5\n[connectors.mine]\ntype = ".jira"\nsecrets = { apiToken = "hunter2" }\n')
    monkeypatch.setenv("CASEBRIDGE_ADMIN_PASSWORD", "hunter2")
    monkeypatch.setenv("CASEBRIDGE_DATABASE_URL", "postgresql://u:hunter2@db/x")

    assert main(["config", "--config", str(file), "--port", "81", "--allowed-hosts", "a,b"]) == 0

    shown = capsys.readouterr().out
    assert "hunter2" not in shown
    values = tomllib.loads(shown)
    assert values["lease_s"] == 1.5
    assert values["allowed_hosts"] == ["a", "b"]
    assert values["database_url"] == "postgresql://u:********@db/x"
    assert values["connectors"]["mine"]["secrets"] == {"apiToken": "********"}
    assert re.search(r"^port = 81 +# option --port$", shown, re.M)
    assert re.search(rf"^lease_s = 1.5 +# file {file}$", shown, re.M)
    assert re.search(r"^admin_password = .+# variable CASEBRIDGE_ADMIN_PASSWORD$", shown, re.M)
    assert re.search(r"^host = .+# default$", shown, re.M)


def test_config_warns_about_an_unknown_variable(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CASEBRIDGE_PROT", "81")

    assert main(["config"]) == 0

    assert "CASEBRIDGE_PROT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["serve", "--workers", "2"], "workers (option --workers)"),
        (["serve", "--base-path", "x"], "base_path (option --base-path)"),
        (["serve", "--port", "70000"], "port (option --port)"),
        (["serve", "--port", "-1"], "port (option --port)"),
        (["serve", "--lease-s", "-1"], "lease_s (option --lease-s)"),
        (["serve", "--public-base-url", "x"], "public_base_url (option --public-base-url)"),
        (["serve", "--config", "missing.toml"], "missing.toml"),
        (["serve", "--host", "no.such.host.invalid"], "no.such.host.invalid"),
        (["serve", "--prot", "1"], "--port"),
        (["serve", "--port"], "--port"),
        (["serve", "--admin-password", "x"], "--admin-password"),
        (["server"], "serve"),
        (["migrate", "--database-url", "mysql://x"], "database_url"),
        (["seed", "--cases", "0"], "--cases: expected a number from 1"),
        (["seed", "--comments", "10000"], "--comments: expected a number from 0 to 9998"),
        (["keys", "rotate", "--data", "/dev/null"], "is a file"),
        (["sandbox", "jira", "--fault", "nonsense"], "nonsense"),
        (["sandbox", "servicenow", "--fault", "nonsense"], "nonsense"),
        (["sandbox", "jira", "--mode", "server"], "--mode"),
        (["sandbox", "resilient", "--fault", "nonsense"], "nonsense"),
        (["sandbox", "swimlane", "--fault", "creat=hang"], "creat"),
        (["sandbox", "all", "--port", "jira"], "SYSTEM=NUMBER"),
        (["sandbox", "all", "--port", "gitlab=8090"], "gitlab=8090"),
        (["sandbox", "all", "--first-port", "65535"], "65536"),
        (["deliveries", "list"], "CASEBRIDGE_PASSWORD"),
        (["deliveries", "list", "--state", "lost"], "--state"),
        (["deliveries", "list", "--url", "cases.example.org"], "--url"),
        (["deliveries", "list", "--url", "https://anna:hunter2@cases.example.org"], "--url"),
        (["deliveries", "show"], "ID"),
        (["deliveries", "retry"], "IDS"),
        (["connector", "test"], "ID"),
        (["worker"], "casebridge worker needs PostgreSQL"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2_and_nothing_is_made(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(arguments) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("casebridge: ")
    assert shown.err.count("\n") == 1
    assert told in shown.err
    assert untouched(tmp_path)


def test_keys_of_no_store_cannot_be_rotated(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["keys", "rotate", "--data", str(tmp_path)]) == 1

    assert "no key file" in capsys.readouterr().err
    assert untouched(tmp_path)


def test_migrate_makes_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    data = tmp_path / "data"

    assert main(["migrate", "--data", str(data)]) == 0
    assert main(["migrate", "--data", str(data)]) == 0

    assert (data / "casebridge.sqlite").stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o777 == 0o700
    assert "schema" in capsys.readouterr().out
