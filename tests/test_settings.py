"""Settings: which of the four places counts, what is refused, and that the docs tell every one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from casebridge.cli.config import lines
from casebridge.settings import SETTINGS, AlertSink, Settings, SettingsError, load, masked_url, to_environ, to_text

ROOT = Path(__file__).parent.parent
DOCS = (ROOT / "docs" / "settings.md").read_text("utf-8")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A working folder without a data folder in it."""
    monkeypatch.chdir(tmp_path)


def a_file(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return str(path)


def refusal(options: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as refused:
        load(options or {}, environ or {})
    text = str(refused.value)
    assert "\n" not in text
    return text


def test_without_anything_given_the_defaults_hold():
    loaded = load({}, {})

    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}
    assert (loaded.file, loaded.warnings) == (None, ())


def test_an_option_beats_a_variable_beats_the_file_beats_the_default(tmp_path: Path):
    file = a_file(tmp_path, "port = 1\nworker_poll_s = 1\nlease_s = 1\n")
    loaded = load(
        {"config": file, "port": "3"},
        {"CASEBRIDGE_PORT": "2", "CASEBRIDGE_LEASE_S": "2"},
    )

    assert (loaded.settings.port, loaded.settings.lease_s, loaded.settings.worker_poll_s) == (3, 2.0, 1.0)
    assert loaded.sources["port"] == "option --port"
    assert loaded.sources["lease_s"] == "variable CASEBRIDGE_LEASE_S"
    assert loaded.sources["worker_poll_s"] == f"file {file}"
    assert loaded.sources["retry_max_s"] == "default"


def test_the_file_of_the_data_folder_is_found(tmp_path: Path):
    (tmp_path / "casebridge.toml").write_text('server_name = "ours"')

    loaded = load({"data": str(tmp_path)}, {})

    assert loaded.settings.server_name == "ours"
    assert loaded.file == tmp_path / "casebridge.toml"


def test_a_file_found_in_the_data_folder_cannot_name_another_one(tmp_path: Path):
    (tmp_path / "casebridge.toml").write_text('data = "elsewhere"')

    assert "data" in refusal({"data": str(tmp_path)})


def test_a_variable_may_name_the_file(tmp_path: Path):
    assert load({}, {"CASEBRIDGE_CONFIG": a_file(tmp_path, "port = 7")}).settings.port == 7


def test_a_path_in_the_file_is_relative_to_the_file(tmp_path: Path):
    assert load({"config": a_file(tmp_path, 'data = "here"')}, {}).settings.data == tmp_path / "here"


def test_each_kind_is_read_from_texts():
    settings = load(
        {},
        {
            "CASEBRIDGE_ALLOWED_HOSTS": "127.0.0.1, jira.example.org",
            "CASEBRIDGE_WORKER": "false",
            "CASEBRIDGE_LEASE_S": "1.5",
            "CASEBRIDGE_DATABASE_URL": "postgresql://db/cases",
            "CASEBRIDGE_WORKERS": "2",
        },
    ).settings

    assert settings.allowed_hosts == ("127.0.0.1", "jira.example.org")
    assert (settings.worker, settings.lease_s, settings.workers) == (False, 1.5, 2)
    assert settings.database_target == "postgresql://db/cases"


def test_each_kind_is_read_from_the_file(tmp_path: Path):
    text = 'allowed_hosts = ["127.0.0.1"]\nworker = false\nlease_s = 5\nbase_path = "/kbn"\nport = 0\n'
    settings = load({"config": a_file(tmp_path, text)}, {}).settings

    assert settings.allowed_hosts == ("127.0.0.1",)
    assert (settings.worker, settings.lease_s, settings.base_path, settings.port) == (False, 5.0, "/kbn", 0)


def test_an_empty_variable_counts_as_not_given():
    loaded = load({}, {"CASEBRIDGE_PORT": "", "CASEBRIDGE_ADMIN_PASSWORD": ""})

    assert loaded.settings == Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("port", "http"),
        ("metrics_port", "0"),
        ("metrics_port", "5601"),
        ("metrics_host", "http://here"),
        ("workers", "0"),
        ("workers", "2"),
        ("lease_s", "0"),
        ("lease_s", "-1"),
        ("lease_s", "inf"),
        ("lease_s", "nan"),
        ("retry_first_s", "7200"),
        ("base_path", "kbn"),
        ("base_path", "/kbn/"),
        ("base_path", "//"),
        ("base_path", "/a/../b"),
        ("host", "http://here"),
        ("host", ""),
        ("server_name", "Ä"),
        ("public_base_url", "cases.example.org"),
        ("public_base_url", "https://"),
        ("public_base_url", "http://[::1"),
        ("database_url", "mysql://db/x"),
        ("database_url", "postgresql://db:port/x"),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("worker", "yes"),
        ("allowed_hosts", "a\0b"),
        ("data", ""),
        ("max_body_bytes", "1"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_source(name: str, text: str):
    told = refusal({name: text})

    if name == "retry_first_s":
        assert told.startswith("retry_max_s (default): expected at least retry_first_s")
    else:
        assert told.startswith(f"{name} (option --{name.replace('_', '-')}): expected ")


@pytest.mark.parametrize("text", ['port = "80"', "port = true", "worker = 1", 'allowed_hosts = "a"', "lease_s = false"])
def test_the_file_is_strict_about_kinds(tmp_path: Path, text: str):
    told = refusal({"config": a_file(tmp_path, text)})

    assert "expected" in told
    assert "mine.toml" in told


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path):
    (tmp_path / "taken").write_text("")

    assert "is a file" in refusal({"data": str(tmp_path / "taken")})
    assert "is a file" in refusal({"data": str(tmp_path / "taken" / "below")})


def test_an_unknown_key_of_the_file_is_refused_with_the_nearest_one(tmp_path: Path):
    told = refusal({"config": a_file(tmp_path, "prot = 1")})

    assert told.startswith("prot (file ")
    assert "did you mean port?" in told


@pytest.mark.parametrize("text", ["port = ", "\xff"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, text: str):
    (tmp_path / "mine.toml").write_bytes(text.encode("latin-1"))

    assert "is not TOML" in refusal({"config": str(tmp_path / "mine.toml")})
    assert "cannot be read" in refusal({"config": str(tmp_path / "missing.toml")})


def test_an_unknown_variable_is_warned_about_with_the_nearest_one():
    (warning,) = load({}, {"CASEBRIDGE_PROT": "1", "OTHER": "1"}).warnings

    assert "CASEBRIDGE_PROT" in warning
    assert "did you mean CASEBRIDGE_PORT?" in warning


@pytest.mark.parametrize(
    ("options", "environ"),
    [
        ({"database_url": "mysql://u:hunter2@db/x"}, {}),
        ({"database_url": "postgresql://u:hunter2@db:x/y"}, {}),
        ({"workers": "3", "admin_password": "hunter2\n"}, {}),
        ({}, {"CASEBRIDGE_FILES_SECRET_ACCESS_KEY": "hunter2"}),
        ({}, {"CASEBRIDGE_FILES_ACCESS_KEY_ID": "hunter2"}),
        ({"files_endpoint": "https://u:hunter2@minio"}, {}),
    ],
)
def test_a_refusal_never_shows_a_secret(options: dict[str, str], environ: dict[str, str]):
    assert "hunter2" not in refusal(options, environ)


def test_settings_do_not_show_themselves():
    given = {"admin_password": "hunter2", "database_url": "postgresql://u:hunter2@db/x"}
    keys = {"files_access_key_id": "hunter2", "files_secret_access_key": "hunter2"}
    settings = load(given | keys, {}).settings

    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@db/x", "postgresql://db/x?user=u&password=hunter2", "postgresql://u:hunter2@[::1"]
)
def test_an_address_is_shown_without_its_password(url: str):
    assert "hunter2" not in masked_url(url)


CONNECTOR = """
[connectors.soc-jira]
name = "SOC Jira"
type = ".jira"
config = { apiUrl = "https://jira.example.org", projectKey = "SOC" }
secrets = { email = "bot@example.org", apiToken = "hunter2" }
"""


def test_preconfigured_connectors_are_tables_of_the_file(tmp_path: Path):
    (connector,) = load({"config": a_file(tmp_path, CONNECTOR)}, {}).settings.connectors

    assert (connector.id, connector.name, connector.type) == ("soc-jira", "SOC Jira", ".jira")
    assert connector.config["projectKey"] == "SOC"
    assert connector.secrets["apiToken"] == "hunter2"
    assert (connector.expose_config, connector.problem) == (False, None)
    assert "hunter2" not in repr(connector)


def test_a_file_with_secrets_that_others_can_read_is_warned_about(tmp_path: Path):
    file = a_file(tmp_path, CONNECTOR)
    assert load({"config": file}, {}).warnings == ()

    Path(file).chmod(0o640)

    assert "chmod 600" in load({"config": file}, {}).warnings[0]


@pytest.mark.parametrize("id_", ["__proto__", "constructor", "prototype", '" "'])
def test_reserved_ids_of_preconfigured_connectors_are_refused(tmp_path: Path, id_: str):
    assert "reserved" in refusal({"config": a_file(tmp_path, CONNECTOR.replace("soc-jira", id_))})


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('name = "x"', "type is missing"),
        ('type = ".jira"\nconfig = 3', "config is not of the right kind"),
        ('type = ".jira"\nsecret = {}', "unknown key secret; did you mean secrets?"),
    ],
)
def test_another_mistake_in_a_preconfigured_connector_is_only_warned_about(tmp_path: Path, table: str, problem: str):
    loaded = load({"config": a_file(tmp_path, f"[connectors.mine]\n{table}")}, {})

    assert [each.problem for each in loaded.settings.connectors] == [problem]
    assert problem in loaded.warnings[0]


def test_another_process_loads_the_same_settings_without_the_first_password(tmp_path: Path):
    file = a_file(tmp_path, "lease_s = 7.25\n" + CONNECTOR)
    options = {
        "config": file,
        "data": "relative",
        "allowed_hosts": "a,b",
        "worker": "false",
        "base_path": "",
        "port": "0",
        "admin_password": "hunter2",
        "database_url": "postgresql://u:p@db/x",
    }
    loaded = load(options, {})

    environ = to_environ(loaded)
    again = load({}, environ).settings

    assert "hunter2" not in str(environ)
    for name in SETTINGS.keys() - {"admin_password", "data"}:
        assert getattr(again, name) == getattr(loaded.settings, name)
    assert again.data == tmp_path / "relative"
    assert again.connectors == loaded.settings.connectors


SINK = """
[alert_sinks.ops]
url = "https://es.example.org:9200/prefix"
api_key = "aHVudGVyMg=="
ca_file = "ca.pem"
indices = [".alerts-*"]
"""


def test_alert_sinks_are_tables_of_the_file_and_that_of_default_may_be_settings(tmp_path: Path):
    environ = {
        "CASEBRIDGE_ALERT_SINK_URL": "http://127.0.0.1:9200",
        "CASEBRIDGE_ALERT_SINK_USERNAME": "bot",
        "CASEBRIDGE_ALERT_SINK_PASSWORD": "hunter2",
    }
    sinks = load({"config": a_file(tmp_path, SINK)}, environ).settings.alert_sinks

    assert sinks["ops"] == AlertSink(
        url="https://es.example.org:9200/prefix",
        api_key="aHVudGVyMg==",
        ca_file=tmp_path / "ca.pem",
        indices=(".alerts-*",),
    )
    assert sinks["default"] == AlertSink(url="http://127.0.0.1:9200", username="bot", password="hunter2")
    assert "hunter2" not in repr(sinks)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[alert_sinks.ops]\n", "alert_sinks.ops (file {file}): url is missing."),
        (
            '[alert_sinks.ops]\nurll = "x"',
            "alert_sinks.ops.urll (file {file}): there is no such key; did you mean url?",
        ),
        ('[alert_sinks."A b"]\nurl = "http://x"', "alert_sinks.A b (file {file}): expected a table with"),
        ("alert_sinks = 1", "alert_sinks (file {file}): expected tables"),
        ('[alert_sinks.ops]\nurl = "ftp://x"', "alert_sinks.ops.url: expected http:// or https://"),
        ('[alert_sinks.ops]\nurl = "http://u:hunter2@x"', "alert_sinks.ops.url: expected http:// or https://"),
        ('[alert_sinks.ops]\nurl = "http://x"\nusername = "u"', "alert_sinks.ops.username: expected a user and a"),
        (
            '[alert_sinks.ops]\nurl = "http://x"\nusername = "u"\npassword = "hunter2"\napi_key = "k"',
            "alert_sinks.ops.api_key: expected a user and a password, or an API key",
        ),
        ('[alert_sinks.ops]\nurl = "http://x"\napi_key = "hun ter2"', "alert_sinks.ops.api_key: expected visible"),
        ('alert_sink_username = "u"', "alert_sink_url: this is needed"),
        ('alert_sink_url = "http://x"\n[alert_sinks.default]\nurl = "http://y"', "alert_sink_url: the table"),
    ],
)
def test_a_wrong_alert_sink_is_refused_without_its_secrets(tmp_path: Path, text: str, expected: str):
    file = a_file(tmp_path, text)

    told = refusal({"config": file})

    assert told.startswith(expected.format(file=file))
    assert "hunter2" not in told


def test_secrets_of_alert_sinks_are_masked_when_settings_are_shown(tmp_path: Path):
    environ = {"CASEBRIDGE_ALERT_SINK_URL": "http://x", "CASEBRIDGE_ALERT_SINK_API_KEY": "aHVudGVyMQ=="}

    shown = "\n".join(lines(load({"config": a_file(tmp_path, SINK)}, environ)))

    assert "aHVudGVy" not in shown
    assert '[alert_sinks."ops"]' in shown
    assert tomllib.loads(shown)["alert_sinks"]["ops"]["indices"] == [".alerts-*"]


def rows() -> dict[str, list[str]]:
    """The rows of all tables in the docs: key -> default and meaning."""
    found = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", DOCS, re.M)
    return {name: [default, meaning] for name, default, meaning in found}


def test_the_docs_tell_every_setting_and_no_other():
    assert list(rows()) == list(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_docs_tell_default_unit_and_meaning(name: str):
    setting, (default, meaning) = SETTINGS[name], rows()[name]
    shown = to_text(setting.default) if setting.default not in (None, "", ()) else ""

    assert default == (f"`{shown}` {setting.knob.unit}".rstrip() if shown else "none")
    assert meaning.startswith(setting.knob.help)
    assert all(f"`{choice}`" in meaning for choice in setting.knob.choices)


def test_the_docs_group_settings_as_the_command_line_does():
    headings = re.findall(r"^## (\w+)$", DOCS, re.M)

    assert headings[: len({each.knob.group for each in SETTINGS.values()})] == list(
        dict.fromkeys(each.knob.group for each in SETTINGS.values())
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("proxy_url", "proxy.example.org:3128"),
        ("proxy_url", "socks5://proxy.example.org"),
        ("proxy_url", "http://proxy.example.org/path"),
        ("proxy_bypass", "10.0.0.0/40"),
        ("proxy_bypass", "https://jira.example.org"),
        ("tls_verification", "some"),
    ],
)
def test_a_wrong_way_out_is_refused(name: str, text: str):
    with pytest.raises(SettingsError, match=name):
        load({name: text}, {})


def test_tls_of_hosts_are_tables_of_the_file(tmp_path: Path):
    file = tmp_path / "casebridge.toml"
    file.write_text(
        '[tls."Jira.example.org"]\nca_file = "ca.pem"\n'
        '[tls."10.0.0.5:8443"]\nverification = "none"\ncert_file = "/c.pem"\nkey_password = "hunter2"\n'
        '[tls."[fd00::1]:8443"]\n[tls."fd00::2"]\n'
    )
    found = load({"config": str(file)}, {}).settings.tls

    assert [(each.host, each.port, each.verification) for each in found] == [
        ("jira.example.org", None, "full"),
        ("10.0.0.5", 8443, "none"),
        ("fd00::1", 8443, "full"),
        ("fd00::2", None, "full"),
    ]
    assert (found[0].ca_file, found[1].cert_file) == (tmp_path / "ca.pem", Path("/c.pem"))
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('[tls."jira"]\nverify = "none"', "verif"),
        ('[tls."jira"]\nverification = "lax"', "verification"),
        ('[tls."jira"]\nca_file = 1', "ca_file"),
        ('[tls."jira"]\nkey_file = "k"', "cert_file"),
        ('[tls."https://jira"]', "expected a table"),
        ("tls = 1", "expected tables"),
    ],
)
def test_a_wrong_table_of_tls_is_refused(tmp_path: Path, table: str, told: str):
    file = tmp_path / "casebridge.toml"
    file.write_text(table)
    with pytest.raises(SettingsError, match=told):
        load({"config": str(file)}, {})
