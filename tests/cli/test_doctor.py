"""`casebridge doctor`: what it finds in a store that is well, and in one where each thing in turn is not."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from casebridge.cli import main
from casebridge.domain.connector import Connector
from casebridge.domain.errors import Conflict
from casebridge.domain.user import SUPERUSER, Account, Actor, User
from casebridge.security.authentication import Passwords
from casebridge.security.vault import KeyFile, add_key
from casebridge.services.connectors import about
from casebridge.storage import accounts, audit, connectors
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database, Write
from tests.connectors.test_http import certificate

TOKEN = "planted-token-77"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("CASEBRIDGE_DATA", "CASEBRIDGE_DATABASE_URL", "CASEBRIDGE_CONFIG", "CASEBRIDGE_ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(tmp_path: Path, sqlite_template: Path) -> Path:
    """The data folder of a store that is well."""
    folder = tmp_path / "store"
    folder.mkdir(mode=0o700)
    (folder / "files").mkdir(mode=0o700)
    file = Path(shutil.copy(sqlite_template, folder / "casebridge.sqlite"))
    file.chmod(0o600)
    add_key(folder / "encryption.key")
    fill(folder, lambda database: add_user(database, "admin", "a long and quiet pass"))
    return folder


def fill(folder: Path, work: Callable[[Database], Any]) -> None:
    """Change the store."""

    async def change() -> None:
        database = await open_database(folder / "casebridge.sqlite")
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(change())
    for file in folder.glob("casebridge.sqlite*"):
        file.chmod(0o600)


async def add_user(database: Database, name: str, password: str) -> None:
    await accounts.create(database, Account(name, await Passwords().hash(password), (SUPERUSER,), id=f"id {name}"))


def add_connector(folder: Path, url: str) -> None:
    sealed = KeyFile(folder / "encryption.key").seal(
        {"email": "a@example.org", "apiToken": TOKEN}, about("default", "j")
    )
    connector = Connector(
        id="j", space="default", name="J", type=".jira", config={"apiUrl": url, "projectKey": "K"}, sealed=sealed
    )
    fill(folder, lambda database: database.commit([connectors.insert_write(connector, Conflict("twice"))]))


class Examined:
    """What the doctor says of a store."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._data, self._capsys = data, capsys
        self.output = ""

    def __call__(self, *arguments: str) -> tuple[int, dict[str, list[str]]]:
        """Exit code, and the findings that are not ok as `topic: [level text, …]`."""
        code = main(["doctor", "--data", str(self._data), "--json", *arguments])
        heard = self._capsys.readouterr()
        self.output = heard.out + heard.err
        told = json.loads(heard.out)
        assert told["healthy"] is (code == 0)
        found: dict[str, list[str]] = {}
        for each in told["findings"]:
            if each["level"] != "ok":
                found.setdefault(each["topic"], []).append(f"{each['level']}: {each['text']}")
        return code, found


@pytest.fixture
def examined(data: Path, capsys: pytest.CaptureFixture[str]) -> Examined:
    return Examined(data, capsys)


def test_a_store_that_is_well_has_nothing_to_complain_about(examined: Examined):
    assert examined() == (0, {})


def test_nothing_is_made_where_there_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, found = Examined(tmp_path / "nowhere", capsys)()
    assert code == 1
    assert found.keys() == {"data folder", "key", "database"}
    assert not (tmp_path / "nowhere").exists()


def test_files_that_others_may_read_are_named(examined: Examined, data: Path):
    (data / "encryption.key").chmod(0o644)
    data.chmod(0o755)
    code, found = examined("--offline")
    assert code == 0
    assert [each.split(" is open")[0] for each in found["permissions"]] == [
        f"warning: {data}",
        f"warning: {data / 'encryption.key'}",
    ]


def test_a_damaged_key_file_and_one_of_another_store_are_problems(examined: Examined, data: Path):
    add_connector(data, "http://127.0.0.1:9")
    key = data / "encryption.key"
    key.unlink()
    add_key(key)
    code, found = examined("--offline")
    assert code == 1
    assert "default/j" in found["secrets"][0]
    key.write_text("no key at all")
    code, found = examined("--offline")
    assert (code, list(found)) == (1, ["key"])


@pytest.mark.parametrize(("name", "password"), [("root", "changeme"), ("eve", "eve"), ("eve", "eve123")])
def test_a_password_that_everybody_tries_first_is_a_problem(examined: Examined, data: Path, name: str, password: str):
    fill(data, lambda database: add_user(database, name, password))
    code, found = examined("--offline")
    assert (code, list(found)) == (1, ["passwords"])
    assert found["passwords"][0].startswith(f"problem: The password of {name} is")


def test_a_store_that_nobody_can_manage_is_a_problem(examined: Examined, data: Path):
    fill(data, lambda database: accounts.delete(database, "admin"))
    code, found = examined("--offline")
    assert (code, list(found)) == (1, ["passwords"])


def test_a_clock_behind_the_newest_change_is_a_problem(examined: Examined, data: Path):
    late = datetime.now(UTC) + timedelta(days=2)
    event = audit.event_write("x", Actor(User("a", None, None), ()), None, "x", [], late)
    fill(data, lambda database: database.commit([event]))
    code, found = examined("--offline")
    assert (code, list(found)) == (1, ["clock"])


def test_an_older_or_newer_schema_is_a_problem(examined: Examined, data: Path):
    for number, said in (("0001", "0001"), ("9999", "newer")):
        write = Write("UPDATE alembic_version SET version_num = :number", {"number": number})
        fill(data, lambda database, write=write: database.commit([write]))
        code, found = examined("--offline")
        assert (code, list(found)) == (1, ["database"])
        assert said in found["database"][0]


def test_risky_settings_are_told(examined: Examined, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CASEBRIDGE_ADMIN_PASSWORD", TOKEN)
    code, found = examined(
        "--offline", "--security", "false", "--host", "0.0.0.0", "--tls-verification", "none",
        "--public-base-url", "http://cases.example.org",
    )  # fmt: skip
    assert code == 1
    assert [each.partition(":")[0] for each in found["access"]] == ["problem", "warning", "warning"]
    assert "all hosts" in found["tls"][0]
    assert TOKEN not in examined.output


def test_the_servers_own_certificate_is_looked_at(examined: Examined, tmp_path: Path):
    cert, key = certificate("localhost", tmp_path)
    key.chmod(0o644)
    code, found = examined("--offline", "--https-cert-file", str(cert), "--https-key-file", str(key))
    assert str(key) in found["permissions"][0]
    code, found = examined("--offline", "--https-cert-file", str(key), "--https-key-file", str(cert))
    assert code == 1
    assert found["https"][0].startswith("problem: https_cert_file")
    code, found = examined("--offline", "--host", "0.0.0.0")
    assert (code, found.keys()) == (0, {"https"})


@pytest.mark.parametrize(("days", "level"), [(-1, "problem"), (5, "warning"), (90, None)])
def test_a_certificate_that_ends_soon_is_told(examined: Examined, tmp_path: Path, days: int, level: str | None):
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=30)).not_valid_after(now + timedelta(days=days))
        .sign(private, hashes.SHA256())
    )  # fmt: skip
    clear = serialization.NoEncryption()
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, clear)
    file = tmp_path / "both.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    file.chmod(0o600)

    found = examined("--offline", "--https-cert-file", str(file))[1]

    assert [each.partition(":")[0] for each in found.get("https", [])] == ([] if level is None else [level])


def test_a_full_disk_is_told(examined: Examined, monkeypatch: pytest.MonkeyPatch):
    for free, code in ((50 * 2**20, 1), (500 * 2**20, 0)):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: shutil._ntuple_diskusage(10**12, 0, free))
        assert examined("--offline")[0] == code


class _Unwilling(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Nobody is let in."""
        self.send_response(401)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        """Nor here."""
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def test_connectors_and_sinks_that_do_not_work_are_told_without_their_secrets(
    examined: Examined, data: Path, monkeypatch: pytest.MonkeyPatch
):
    server = HTTPServer(("127.0.0.1", 0), _Unwilling)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        add_connector(data, url)
        monkeypatch.setenv("CASEBRIDGE_ALERT_SINK_API_KEY", TOKEN)
        code, found = examined("--allowed-hosts", "127.0.0.1", "--alert-sink-url", url)
        assert code == 0
        assert found.keys() == {"connector j", "alert sink default"}
        assert TOKEN not in examined.output
    finally:
        server.shutdown()
        server.server_close()


def test_a_place_of_files_that_cannot_be_used_is_a_problem(examined: Examined, data: Path):
    (data / "files").rmdir()
    code, found = examined()
    assert (code, list(found)) == (1, ["files"])


def test_a_database_server_that_does_not_answer_is_a_problem_without_the_password(examined: Examined):
    code, found = examined("--database-url", f"postgresql://me:{TOKEN}@127.0.0.1:9/x")
    assert (code, list(found)) == (1, ["database"])
    assert TOKEN not in examined.output


def test_findings_read_plainly_with_their_advice(data: Path, capsys: pytest.CaptureFixture[str]):
    data.chmod(0o755)
    assert main(["doctor", "--data", str(data), "--offline"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("warning permissions:"))
    assert lines[at + 1].strip() == f"chmod 700 {data}"
