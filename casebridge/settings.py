"""Every knob of the server: its type, default, unit and one line of help; and where each value came from.

A command-line option beats a `CASEBRIDGE_…` variable, that beats the TOML file, that beats the default. Only `app` and
`cli` read this module. It opens nothing but the TOML file.
"""

from __future__ import annotations

import ipaddress
import math
import re
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from casebridge.domain.errors import CasebridgeError

PREFIX = "CASEBRIDGE_"
CONFIG_VARIABLE = "CASEBRIDGE_CONFIG"
URL_VARIABLE, SPACE_VARIABLE = "CASEBRIDGE_URL", "CASEBRIDGE_SPACE"
USER_VARIABLE, PASSWORD_VARIABLE = "CASEBRIDGE_USER", "CASEBRIDGE_PASSWORD"
CLIENT_VARIABLES = frozenset({URL_VARIABLE, SPACE_VARIABLE, USER_VARIABLE, PASSWORD_VARIABLE})
"""Variables of the commands that ask a running server; they are no settings of one."""
FILE_NAME = "casebridge.toml"
MASK = "********"

TLS_MODES = ("full", "certificate", "none")

RESERVED_IDS = frozenset(
    {
        "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__", "__proto__", "constructor",
        "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "prototype", "toLocaleString", "toString", "valueOf",
    }
)  # fmt: skip
"""Names that clients written in JavaScript cannot use as keys of an object (connectors.md 2)."""


class SettingsError(CasebridgeError):
    """A setting is wrong; the text is one line that names it, where it was given, and what was expected."""


class Knob(msgspec.Struct, frozen=True):
    """What is said about a setting beside its type and default. `least` and `most` are inclusive, `above` is not."""

    group: str
    help: str
    unit: str = ""
    least: float | None = None
    most: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    holds_password: bool = False


class HostTls(msgspec.Struct, frozen=True, kw_only=True):
    """A `[tls."host"]` or `[tls."host:port"]` table: how to speak TLS with one external system."""

    host: str
    port: int | None = None
    verification: str = "full"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    key_password: str | None = None

    def __repr__(self) -> str:
        return f"HostTls({self.host!r})"

    @property
    def name(self) -> str:
        """The key of its table."""
        shown = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return shown if self.port is None else f"{shown}:{self.port}"


class Preconfigured(msgspec.Struct, frozen=True, kw_only=True):
    """A `[connectors.<id>]` table. `problem` says what is wrong with it: the server starts, using it fails."""

    id: str
    name: str
    type: str
    config: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    expose_config: bool = False
    problem: str | None = None

    def __repr__(self) -> str:
        return f"Preconfigured({self.id!r})"


class AlertSink(msgspec.Struct, frozen=True, kw_only=True):
    """The store of a space's alert documents: the settings `alert_sink_…`, or an `[alert_sinks.<space>]` table."""

    url: str
    username: str | None = None
    password: str | None = None
    api_key: str | None = None
    ca_file: Path | None = None
    indices: tuple[str, ...] = ("*",)

    def __repr__(self) -> str:
        return "AlertSink()"


_SERVER, _STORE, _HTTP, _CONNECTORS, _PUSHES, _LOGS = "Server", "Store", "HTTP", "Connectors", "Pushes", "Logs"
_SIGN_ON = "OIDC"
_ATTACHMENTS, _FILES, _ALERTS, _METRICS = "Attachments", "Files", "Alerts", "Metrics"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one server."""

    host: Annotated[str, Knob(_SERVER, "Address or name to listen on; 0.0.0.0 for every interface.")] = "127.0.0.1"
    port: Annotated[int, Knob(_SERVER, "Port to listen on; 0 takes a free one.", least=0, most=65535)] = 5601
    data: Annotated[
        Path, Knob(_SERVER, "Folder of the SQLite database, the encryption key and files; made with mode 0700.")
    ] = Path("casebridge-data")
    workers: Annotated[int, Knob(_SERVER, "Server processes; more than one needs PostgreSQL.", least=1, most=64)] = 1
    drain_s: Annotated[
        int, Knob(_SERVER, "How long a stop waits for requests and pushes under way.", "s", least=0, most=3600)
    ] = 30
    https_cert_file: Annotated[
        Path | None, Knob(_SERVER, "PEM file of our certificate, and those above it; with it, HTTPS alone is served.")
    ] = None
    https_key_file: Annotated[
        Path | None, Knob(_SERVER, "PEM file of its key; without it, the key is in the file of the certificate.")
    ] = None
    https_key_password: Annotated[str | None, Knob(_SERVER, "Password of that key.", secret=True)] = None
    https_min_version: Annotated[str, Knob(_SERVER, "Oldest TLS that is spoken.", choices=("1.2", "1.3"))] = "1.2"
    hsts_s: Annotated[
        int,
        Knob(_SERVER, "How long browsers that came by HTTPS are told to come by it alone; 0: not told.", "s", least=0),
    ] = 31_536_000
    slow_client_s: Annotated[
        float,
        Knob(_SERVER, "Time for a request's head; and how long a body or an answer may stand still.", "s", above=0),
    ] = 30.0
    max_connections: Annotated[
        int, Knob(_SERVER, "Most connections of clients to each process.", least=1, most=1_000_000)
    ] = 1_000
    max_connections_per_address: Annotated[
        int, Knob(_SERVER, "Most of them from one address; a trusted proxy may have more.", least=1, most=1_000_000)
    ] = 200
    database_url: Annotated[
        str | None,
        Knob(_STORE, "Address of a PostgreSQL database; without it, SQLite in the data folder.", holds_password=True),
    ] = None
    database_pool_size: Annotated[
        int, Knob(_STORE, "Most connections to PostgreSQL of each process.", least=1, most=1000)
    ] = 10
    encryption_key_file: Annotated[
        Path | None, Knob(_STORE, "File of the keys that seal secrets; without it, encryption.key in the data folder.")
    ] = None
    admin_password: Annotated[
        str | None,
        Knob(_STORE, "Password of the user admin, made at the first start; without it one is made up.", secret=True),
    ] = None
    base_path: Annotated[str, Knob(_HTTP, "Prefix of every address, such as /kbn.")] = ""
    server_name: Annotated[str, Knob(_HTTP, "Name told in the header kbn-name and by /api/status.")] = "casebridge"
    public_base_url: Annotated[
        str | None, Knob(_HTTP, "Address under which people reach this server, for links in incidents.")
    ] = None
    max_body_bytes: Annotated[int, Knob(_HTTP, "Largest JSON body taken.", "bytes", least=1024)] = 1_048_576
    check_kbn_version: Annotated[
        bool, Knob(_HTTP, "Refuse clients whose header kbn-version names another version than ours.")
    ] = False
    security: Annotated[
        bool, Knob(_HTTP, "Whether callers must say who they are; without it everybody may do everything.")
    ] = True
    strict_internal_origin: Annotated[
        bool, Knob(_HTTP, "Refuse internal routes to clients without the header x-elastic-internal-origin.")
    ] = False
    session_cookie_secure: Annotated[
        bool, Knob(_HTTP, "Whether the cookie of a browser session is sent over HTTPS only.")
    ] = True
    session_idle_s: Annotated[
        float, Knob(_HTTP, "How long a browser session holds without being used.", "s", above=0)
    ] = 28800.0
    session_lifetime_s: Annotated[float, Knob(_HTTP, "How long a browser session holds at most.", "s", above=0)] = (
        604800.0
    )
    trusted_proxies: Annotated[
        tuple[str, ...],
        Knob(_HTTP, "Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."),
    ] = ()
    password_min_length: Annotated[
        int, Knob(_HTTP, "Fewest characters of a password that is set on pages or by commands.", least=6, most=128)
    ] = 12
    oidc_issuer: Annotated[
        str | None, Knob(_SIGN_ON, "Address of the OpenID Connect provider; with it, people can sign in there.")
    ] = None
    oidc_client_id: Annotated[str | None, Knob(_SIGN_ON, "What this server is called there.")] = None
    oidc_client_secret: Annotated[
        str | None, Knob(_SIGN_ON, "Secret of this server there; without it, it is a public client.", secret=True)
    ] = None
    oidc_scopes: Annotated[tuple[str, ...], Knob(_SIGN_ON, "What is asked for besides openid.")] = ("profile", "email")
    oidc_username_claim: Annotated[str, Knob(_SIGN_ON, "Claim that is the user name here.")] = "preferred_username"
    oidc_groups_claim: Annotated[str, Knob(_SIGN_ON, "Claim that lists the groups of a user.")] = "groups"
    oidc_roles: Annotated[
        tuple[str, ...], Knob(_SIGN_ON, "Roles of groups, such as soc=workers; name a group again for a further role.")
    ] = ()
    oidc_default_roles: Annotated[tuple[str, ...], Knob(_SIGN_ON, "Roles of everybody who signs in there.")] = ()
    oidc_label: Annotated[str, Knob(_SIGN_ON, "What the button says.")] = "Single sign-on"
    allowed_hosts: Annotated[
        tuple[str, ...],
        Knob(_CONNECTORS, "Hosts that connectors may reach; * stands for public addresses, others must be named."),
    ] = ("*",)
    enabled_connector_types: Annotated[
        tuple[str, ...], Knob(_CONNECTORS, "Connector types that may be used, such as .jira; * stands for all.")
    ] = ("*",)
    connector_timeout_s: Annotated[
        float, Knob(_CONNECTORS, "Time an external system has to answer one call.", "s", above=0)
    ] = 60.0
    proxy_url: Annotated[
        str | None, Knob(_CONNECTORS, "Proxy that calls to external systems go through.", holds_password=True)
    ] = None
    proxy_bypass: Annotated[
        tuple[str, ...],
        Knob(_CONNECTORS, "Hosts reached without the proxy: names, .suffixes, addresses, networks such as 10.0.0.0/8."),
    ] = ()
    tls_ca_file: Annotated[
        Path | None, Knob(_CONNECTORS, "PEM file of authorities trusted besides those of the system.")
    ] = None
    tls_verification: Annotated[
        str, Knob(_CONNECTORS, "How certificates of external systems are checked.", choices=TLS_MODES)
    ] = "full"
    worker: Annotated[bool, Knob(_PUSHES, "Whether this server runs the worker that repeats pushes.")] = True
    worker_poll_s: Annotated[
        float, Knob(_PUSHES, "How often the worker looks for due deliveries without being told.", "s", above=0)
    ] = 2.0
    lease_s: Annotated[
        float, Knob(_PUSHES, "How long a delivery stays with a process that shows no sign of life.", "s", above=0)
    ] = 30.0
    push_wait_s: Annotated[
        float, Knob(_PUSHES, "How long a push waits for its turn behind another push of the case.", "s", least=0)
    ] = 20.0
    retry_first_s: Annotated[
        float, Knob(_PUSHES, "Wait before the second try of a delivery; it doubles with each try.", "s", above=0)
    ] = 30.0
    retry_max_s: Annotated[float, Knob(_PUSHES, "Longest wait between two tries.", "s", above=0)] = 3600.0
    retry_attempts: Annotated[int, Knob(_PUSHES, "Tries before a delivery has failed for good.", least=1)] = 12
    circuit_faults: Annotated[
        int, Knob(_PUSHES, "Passing faults in a row after which a connector is left alone for a while.", least=1)
    ] = 5
    circuit_probe_s: Annotated[
        float, Knob(_PUSHES, "How long a connector is left alone before one delivery tries again.", "s", above=0)
    ] = 60.0
    lookup_lag_s: Annotated[
        float, Knob(_PUSHES, "How old an attempt must be before finding nothing means it was not done.", "s", least=0)
    ] = 10.0
    auto_push_quiet_s: Annotated[
        float, Knob(_PUSHES, "How long changes of a case are gathered before it is pushed by itself.", "s", least=0)
    ] = 2.0
    files_bucket: Annotated[
        str | None, Knob(_FILES, "Bucket of a store that speaks S3 for contents; without it, the data folder.")
    ] = None
    files_prefix: Annotated[
        str, Knob(_FILES, "What the names of our objects in the bucket begin with; nobody else may use it.")
    ] = "casebridge"
    files_endpoint: Annotated[
        str | None, Knob(_FILES, "Address of the store, such as https://minio.example.org; without it, Amazon's.")
    ] = None
    files_region: Annotated[str, Knob(_FILES, "Region of the bucket; many stores take any.")] = "us-east-1"
    files_access_key_id: Annotated[
        str | None, Knob(_FILES, "Key that opens the bucket; without it, what the machine offers.", secret=True)
    ] = None
    files_secret_access_key: Annotated[str | None, Knob(_FILES, "Secret of that key.", secret=True)] = None
    external_reference_types: Annotated[
        tuple[str, ...],
        Knob(_ATTACHMENTS, "Type ids of external references taken besides .files, endpoint, osquery and indicator."),
    ] = ()
    files_max_bytes: Annotated[
        int, Knob(_ATTACHMENTS, "Largest file taken; 0 for 10 MiB of an image and 100 MiB of others.", "bytes", least=0)
    ] = 0
    files_mime_types: Annotated[
        tuple[str, ...], Knob(_ATTACHMENTS, "Content types of files that are taken, in place of the built-in list.")
    ] = ()
    persistable_state_types: Annotated[
        tuple[str, ...],
        Knob(_ATTACHMENTS, "Type ids of persistable states taken besides .lens, ml_* and aiops* ones."),
    ] = ()
    alert_sink_url: Annotated[
        str | None, Knob(_ALERTS, "Address of the Elasticsearch or OpenSearch that holds the alerts of space default.")
    ] = None
    alert_sink_username: Annotated[str | None, Knob(_ALERTS, "User for it.")] = None
    alert_sink_password: Annotated[str | None, Knob(_ALERTS, "Password of that user.", secret=True)] = None
    alert_sink_api_key: Annotated[
        str | None, Knob(_ALERTS, "API key for it, as it stands in the header; in place of a user.", secret=True)
    ] = None
    alert_sink_ca_file: Annotated[
        Path | None, Knob(_ALERTS, "File of the authority, in PEM, that vouches for it, besides those of the system.")
    ] = None
    alert_sink_indices: Annotated[
        tuple[str, ...],
        Knob(_ALERTS, "Patterns of the indices that may be written, such as .alerts-*; * stands for all."),
    ] = ("*",)
    metrics: Annotated[
        bool, Knob(_METRICS, "Whether /metrics is answered on the server's own port, to everybody who asks.")
    ] = False
    metrics_port: Annotated[
        int | None, Knob(_METRICS, "Port of its own for /metrics; nothing else is answered there.", least=1, most=65535)
    ] = None
    metrics_host: Annotated[str, Knob(_METRICS, "Address or name to listen on with that port.")] = "127.0.0.1"
    log_level: Annotated[
        str, Knob(_LOGS, "Least severity that is logged.", choices=("debug", "info", "warning", "error"))
    ] = "info"
    log_format: Annotated[
        str, Knob(_LOGS, "Lines for people, or one JSON object a line.", choices=("text", "json"))
    ] = "text"
    audit_file: Annotated[
        Path | None, Knob(_LOGS, "File that gets a copy of the audit trail, one JSON object a line.")
    ] = None
    audit_stdout: Annotated[bool, Knob(_LOGS, "Whether the audit trail is copied to standard output, too.")] = False
    connectors: tuple[Preconfigured, ...] = ()
    tls: tuple[HostTls, ...] = ()
    alert_sinks: Mapping[str, AlertSink] = {}

    def __repr__(self) -> str:
        """Without values: some are secret."""
        return f"Settings(data={str(self.data)!r})"

    @property
    def sqlite_path(self) -> Path:
        """The SQLite file; only used without a `database_url`."""
        return self.data / "casebridge.sqlite"

    @property
    def key_file(self) -> Path:
        """The file of the keys that seal secrets."""
        return self.encryption_key_file or self.data / "encryption.key"

    @property
    def database_target(self) -> str | Path:
        """What storage opens."""
        return self.database_url or self.sqlite_path


class Setting(msgspec.Struct, frozen=True):
    """One setting as loader, command line and docs see it. `kind` is its type without `None`."""

    name: str
    kind: Any
    default: Any
    knob: Knob

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")


def _settings() -> dict[str, Setting]:
    hints = typing.get_type_hints(Settings, include_extras=True)
    defaults = Settings()
    found = {}
    for name in Settings.__struct_fields__:
        if typing.get_origin(hints[name]) is Annotated:
            kind, knob = typing.get_args(hints[name])
            kinds = [each for each in typing.get_args(kind) if each is not type(None) and each is not ...]
            is_optional = type(None) in typing.get_args(kind)
            found[name] = Setting(name, kinds[0] if is_optional else kind, getattr(defaults, name), knob)
    return found


SETTINGS = _settings()
"""Every setting by name, in the order of the docs."""
_SINK_KEYS = tuple(name for name in AlertSink.__struct_fields__)
DEFAULT_SPACE = "default"


class Loaded(msgspec.Struct, frozen=True):
    """Settings, where each came from (such as `variable CASEBRIDGE_PORT`), the TOML file read, and what looks odd."""

    settings: Settings
    sources: dict[str, str]
    file: Path | None = None
    warnings: tuple[str, ...] = ()


class _Given(msgspec.Struct, frozen=True):
    value: Any
    source: str
    folder: Path | None = None


def load(options: Mapping[str, str], environ: Mapping[str, str]) -> Loaded:
    """The effective settings; SettingsError for the first wrong one.

    `options` maps names of settings, and `config` for the TOML file, to texts as typed. An empty variable counts as
    not given.
    """
    given: dict[str, _Given] = {}
    for name, setting in SETTINGS.items():
        if options.get(name) is not None:
            given[name] = _Given(options[name], f"option {setting.option}")
        elif environ.get(setting.variable):
            given[name] = _Given(environ[setting.variable], f"variable {setting.variable}")
    file = _file(options, environ, given.get("data"))
    table = {} if file is None else _read(file, is_found=not _named_file(options, environ))
    for name in SETTINGS.keys() & table.keys() - given.keys():
        given[name] = _Given(table[name], f"file {file}", file.parent if file else None)
    values = {name: _value(SETTINGS[name], each) for name, each in given.items()}
    connectors = tuple(_connector(id_, entry, file) for id_, entry in table.get("connectors", {}).items())
    sources = {name: given[name].source if name in given else "default" for name in SETTINGS}
    tls = tuple(_host_tls(name, entry, file) for name, entry in table.get("tls", {}).items())
    sinks = _alert_sinks(table, values, file)
    settings = Settings(**values, connectors=connectors, tls=tls, alert_sinks=sinks)
    _check(settings, sources)
    warnings = (*_unknown_variables(environ), *_open_secrets(settings, sources, file), *_problems(connectors))
    return Loaded(settings, sources, file, warnings)


def to_environ(loaded: Loaded) -> dict[str, str]:
    """Variables that make another process of this server load the same settings, the admin's password left out."""
    environ = {CONFIG_VARIABLE: str(loaded.file.absolute())} if loaded.file else {}
    for name, setting in SETTINGS.items():
        value = getattr(loaded.settings, name)
        if loaded.sources[name] != "default" and value is not None and not setting.knob.secret:
            environ[setting.variable] = to_text(value.absolute() if isinstance(value, Path) else value)
    return environ


def to_text(value: Any) -> str:
    """A value as a variable spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def masked_url(url: str) -> str:
    """An address whose password, if it has one, is replaced; a nameless one when it cannot be read."""
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        return MASK
    query = re.sub(r"(?i)(password=)[^&]*", rf"\g<1>{MASK}", parts.query)
    netloc = parts.netloc
    if password is not None:
        user, _, host = netloc.rpartition("@")
        netloc = f"{user.partition(':')[0]}:{MASK}@{host}"
    return parts._replace(netloc=netloc, query=query).geturl()


# --- the TOML file


def _named_file(options: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    return options.get("config") or environ.get(CONFIG_VARIABLE) or None


def _file(options: Mapping[str, str], environ: Mapping[str, str], data: _Given | None) -> Path | None:
    """The TOML file to read: the named one, else the one in the data folder if there is one."""
    named = _named_file(options, environ)
    if named is not None:
        return Path(named)
    found = (Settings().data if data is None else Path(data.value)) / FILE_NAME
    return found if found.is_file() else None


def _read(file: Path, *, is_found: bool) -> dict[str, Any]:
    import tomllib

    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {file} is not TOML: {error}.") from None
    for name in table:
        if name not in SETTINGS and name not in ("connectors", "tls", "alert_sinks"):
            raise SettingsError(f"{name} (file {file}): there is no such setting{_nearest(name, SETTINGS)}.")
    if is_found and "data" in table:
        raise SettingsError(f"data (file {file}): this file was found by its data folder, so it cannot name another.")
    connectors = table.get("connectors", {})
    if not isinstance(connectors, dict):
        raise SettingsError(f"connectors (file {file}): expected tables such as [connectors.my-jira].")
    if not isinstance(table.get("tls", {}), dict):
        raise SettingsError(f'tls (file {file}): expected tables such as [tls."jira.example.org"].')
    return table


def _connector(id_: str, entry: Any, file: Path | None) -> Preconfigured:
    """A table as a connector; what is wrong with it is noted, only its id can stop the server."""
    if id_ in RESERVED_IDS or not id_.strip():
        raise SettingsError(f"connectors.{id_} (file {file}): this id is reserved; choose another one.")
    table = entry if isinstance(entry, dict) else {}
    problems = [] if isinstance(entry, dict) else ["expected a table"]
    fields = {"name": str, "type": str, "config": dict, "secrets": dict, "expose_config": bool}
    kept: dict[str, Any] = {"name": id_, "type": ""}
    for name, value in table.items():
        if name not in fields:
            problems.append(f"unknown key {name}{_nearest(name, fields)}")
        elif not isinstance(value, fields[name]):
            problems.append(f"{name} is not of the right kind")
        else:
            kept[name] = value
    if "type" not in table:
        problems.append("type is missing")
    return Preconfigured(id=id_, **kept, problem="; ".join(problems) or None)


def _host_tls(name: str, entry: Any, file: Path | None) -> HostTls:
    """A table as TLS of a host; SettingsError for whatever is wrong, as a laxer check than meant would go unseen."""
    where = f"tls.{name} (file {file})"
    host, port = _host_and_port(name)
    if host is None or not isinstance(entry, dict):
        raise SettingsError(f'{where}: expected a table such as [tls."jira.example.org"] or [tls."10.0.0.5:8443"].')
    known = ("verification", "ca_file", "cert_file", "key_file", "key_password")
    for key, value in entry.items():
        if key not in known:
            raise SettingsError(f"{where}: unknown key {key}{_nearest(key, known)}.")
        if not isinstance(value, str) or not value:
            raise SettingsError(f"{where}: {key} is not a text.")
    if entry.get("verification", "full") not in TLS_MODES:
        raise SettingsError(f"{where}: verification: expected one of {', '.join(TLS_MODES)}.")
    if "cert_file" not in entry and ("key_file" in entry or "key_password" in entry):
        raise SettingsError(f"{where}: a key is only used with a certificate; give cert_file.")
    folder = file.parent if file else Path()
    paths = {key: folder / Path(value).expanduser() for key, value in entry.items() if key.endswith("_file")}
    return HostTls(host=host, port=port, **{**entry, **paths})


def _host_and_port(name: str) -> tuple[str | None, int | None]:
    """The host and port of `host`, `host:port` or `[address]:port`; no host when it is none of them."""
    if name.count(":") > 1 and not name.startswith("["):
        return name.lower(), None
    try:
        parts = urlsplit(f"//{name}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None, None
    is_plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc or " " in name)
    return (host, port) if is_plain else (None, None)


def _alert_sinks(table: Mapping[str, Any], values: Mapping[str, Any], file: Path | None) -> dict[str, AlertSink]:
    """The sink of each space that has one; that of `default` may come from the settings `alert_sink_…`."""
    tables = table.get("alert_sinks", {})
    if not isinstance(tables, dict):
        raise SettingsError(f"alert_sinks (file {file}): expected tables such as [alert_sinks.default].")
    sinks = {space: _alert_sink(space, entry, file) for space, entry in tables.items()}
    flat = {name: values[f"alert_sink_{name}"] for name in _SINK_KEYS if f"alert_sink_{name}" in values}
    if not flat:
        return sinks
    if "url" not in flat:
        raise SettingsError("alert_sink_url: this is needed by the other settings alert_sink_…, but not given.")
    if DEFAULT_SPACE in sinks:
        raise SettingsError(f"alert_sink_url: the table [alert_sinks.default] of file {file} says the same; keep one.")
    return {**sinks, DEFAULT_SPACE: _checked_sink("alert_sink_", AlertSink(**flat))}


def _alert_sink(space: str, entry: Any, file: Path | None) -> AlertSink:
    where = f"alert_sinks.{space}"
    if not re.fullmatch(r"[a-z0-9_-]+", space) or not isinstance(entry, dict):
        raise SettingsError(f"{where} (file {file}): expected a table with the id of a space.")
    kept = {}
    for name, value in entry.items():
        if name not in _SINK_KEYS:
            raise SettingsError(f"{where}.{name} (file {file}): there is no such key{_nearest(name, _SINK_KEYS)}.")
        kept[name] = _value(
            SETTINGS[f"alert_sink_{name}"], _Given(value, f"file {file}", file.parent if file else None)
        )
    if "url" not in kept:
        raise SettingsError(f"{where} (file {file}): url is missing.")
    return _checked_sink(f"{where}.", AlertSink(**kept))


def _checked_sink(where: str, sink: AlertSink) -> AlertSink:
    parts = urlsplit(sink.url) if _is_url(sink.url, ("http", "https")) else None
    if parts is None or parts.username is not None or parts.query or parts.fragment:
        raise SettingsError(f"{where}url: expected http:// or https:// and a host, without user, query and fragment.")
    if (sink.username is None) != (sink.password is None):
        raise SettingsError(f"{where}username: expected a user and a password, or neither.")
    if sink.username is not None and sink.api_key is not None:
        raise SettingsError(f"{where}api_key: expected a user and a password, or an API key, not both.")
    if sink.api_key is not None and not re.fullmatch(r"[!-~]+", sink.api_key):
        raise SettingsError(f"{where}api_key: expected visible ASCII without blanks.")
    if sink.username is not None and ":" in sink.username:
        raise SettingsError(f"{where}username: expected a name without a colon.")
    return sink


# --- one value


def _value(setting: Setting, given: _Given) -> Any:
    """The typed value, within its bounds; SettingsError otherwise."""
    try:
        if isinstance(given.value, str):
            value = _from_text(setting, given.value, is_toml=given.folder is not None)
        else:
            value = _from_toml(setting, given.value)
        _check_bounds(setting.knob, value)
    except ValueError as error:
        shown = "" if setting.knob.secret or setting.knob.holds_password else f", given {given.value!r}"
        raise SettingsError(f"{setting.name} ({given.source}): {error}{shown}.") from None
    if isinstance(value, Path) and given.folder is not None:
        return given.folder / value
    return value


def _from_text(setting: Setting, text: str, *, is_toml: bool) -> Any:
    """The value of a text; in the TOML file only texts and paths are written as one."""
    if setting.kind is str:
        return _checked_text(text)
    if setting.kind is Path:
        if not text:
            raise ValueError("expected a path")
        return Path(_checked_text(text)).expanduser()
    if is_toml:
        raise ValueError(f"expected {_KIND_NAMES[setting.kind]}, not a text")
    if setting.kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError("expected true or false")
        return text.lower() == "true"
    if setting.kind == _LIST:
        return _checked_list(each.strip() for each in text.split(",") if each.strip())
    try:
        return setting.kind(text)
    except ValueError:
        raise ValueError(f"expected {_KIND_NAMES[setting.kind]}") from None


def _from_toml(setting: Setting, value: Any) -> Any:
    """The value of anything but a text."""
    if setting.kind is float and type(value) is int:
        return float(value)
    if setting.kind == _LIST and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return _checked_list(value)
    if type(value) is not setting.kind:
        raise ValueError(f"expected {_KIND_NAMES[setting.kind]}")
    return value


_LIST = tuple[str, ...]
_KIND_NAMES: dict[Any, str] = {
    str: "a text",
    Path: "a path",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    _LIST: "a list of texts",
}


def _checked_text(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected a text without control characters")
    return text


def _checked_list(values: Iterable[str]) -> tuple[str, ...]:
    found = tuple(values)
    if not all(each.strip() == each and each.isprintable() and each and "," not in each for each in found):
        raise ValueError("expected names without blanks around them and without commas")
    return found


def _check_bounds(knob: Knob, value: Any) -> None:
    if knob.choices and value not in knob.choices:
        raise ValueError(f"expected one of {', '.join(knob.choices)}")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    if not math.isfinite(value):
        raise ValueError("expected a finite number")
    is_low = (knob.least is not None and value < knob.least) or (knob.above is not None and value <= knob.above)
    if is_low or (knob.most is not None and value > knob.most):
        raise ValueError(f"expected {bounds(knob)}")


def bounds(knob: Knob) -> str:
    """The values a number may have, as people say it; empty when there is no bound."""
    text = ""
    if knob.above is not None:
        text = f"more than {knob.above:g}"
    elif knob.least is not None:
        text = f"{knob.least:g} to {knob.most:g}" if knob.most is not None else f"{knob.least:g} or more"
    return f"{text} {knob.unit}".rstrip() if text else ""


# --- rules that look at a whole value, or at several


def _check(settings: Settings, sources: Mapping[str, str]) -> None:
    """SettingsError for the first rule that is broken."""
    for name, problem in _broken(settings):
        raise SettingsError(f"{name} ({sources[name]}): {problem}.")


def _broken(settings: Settings) -> Iterable[tuple[str, str]]:
    if not re.fullmatch(r"[^\s/]+", settings.host):
        yield "host", f"expected an address or a name, given {settings.host!r}"
    if not _is_base_path(settings.base_path):
        yield "base_path", f"expected nothing, or / and segments without / at the end, given {settings.base_path!r}"
    if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", settings.server_name):
        yield "server_name", f"expected printable ASCII, given {settings.server_name!r}"
    if settings.public_base_url is not None and not _is_url(settings.public_base_url, ("http", "https")):
        yield "public_base_url", f"expected http:// or https:// and a host, given {settings.public_base_url!r}"
    if settings.database_url is not None and not _is_url(settings.database_url, ("postgresql", "postgres"), host=False):
        yield "database_url", "expected postgresql://user@host/database"
    if settings.database_url is None and settings.workers > 1:
        yield "workers", f"expected 1 with SQLite, given {settings.workers}; more need PostgreSQL, see database_url"
    yield from _broken_files(settings)
    yield from _broken_sign_on(settings)
    if not re.fullmatch(r"[^\s/]+", settings.metrics_host):
        yield "metrics_host", f"expected an address or a name, given {settings.metrics_host!r}"
    if settings.metrics_port is not None and settings.metrics_port == settings.port:
        yield "metrics_port", f"expected another port than that of the server, given {settings.metrics_port}"
    for each in settings.trusted_proxies:
        if not _is_network(each):
            yield "trusted_proxies", f"expected addresses and networks such as 10.0.0.0/8, given {each!r}"
    if settings.https_cert_file is None and settings.https_key_file is not None:
        yield "https_key_file", "a key is only used with a certificate; give https_cert_file"
    if settings.proxy_url is not None and not _is_proxy(settings.proxy_url):
        yield "proxy_url", "expected http:// or https://, a host and no path, such as http://proxy.example.org:3128"
    for each in settings.proxy_bypass:
        if not _is_bypass(each):
            yield "proxy_bypass", f"expected names, .suffixes, addresses and networks, given {each!r}"
    if settings.retry_max_s < settings.retry_first_s:
        yield "retry_max_s", f"expected at least retry_first_s, {settings.retry_first_s:g} s"
    if settings.admin_password is not None and not settings.admin_password.strip():
        yield "admin_password", "expected more than white space"
    if blocking := _blocking_file(settings.data):
        yield "data", f"expected a folder, but {blocking} is a file"
    if settings.encryption_key_file is not None and settings.encryption_key_file.is_dir():
        yield "encryption_key_file", f"expected a file, but {settings.encryption_key_file} is a folder"


def _broken_sign_on(settings: Settings) -> Iterable[tuple[str, str]]:
    if settings.oidc_issuer is None:
        return
    if not _is_url(settings.oidc_issuer, ("http", "https")) or urlsplit(settings.oidc_issuer)[3:] != ("", ""):
        yield "oidc_issuer", "expected http:// or https:// and a host, without query and fragment"
    if settings.oidc_client_id is None:
        yield "oidc_client_id", "this is needed with oidc_issuer"
    if settings.public_base_url is None:
        yield "public_base_url", "this is needed with oidc_issuer: the provider sends people back there"
    for each in settings.oidc_roles:
        if not all(part.strip() for part in each.rpartition("=")):
            yield "oidc_roles", f"expected a group and a role such as soc=workers, given {each!r}"


def _broken_files(settings: Settings) -> Iterable[tuple[str, str]]:
    if settings.files_bucket is not None and not re.fullmatch(
        r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", settings.files_bucket
    ):
        yield "files_bucket", f"expected the name of a bucket, given {settings.files_bucket!r}"
    segments = settings.files_prefix.split("/")
    if settings.files_prefix and not all(
        re.fullmatch(r"[A-Za-z0-9._-]+", each) and each.strip(".") for each in segments
    ):
        yield "files_prefix", f"expected letters, digits and . _ - between /, given {settings.files_prefix!r}"
    if settings.files_endpoint is not None and not _is_url(settings.files_endpoint, ("http", "https")):
        yield "files_endpoint", "expected http:// or https:// and a host"
    elif settings.files_endpoint is not None and "@" in settings.files_endpoint:
        yield "files_endpoint", "expected an address without user and password; see files_access_key_id"
    if not re.fullmatch(r"[A-Za-z0-9-]+", settings.files_region):
        yield "files_region", f"expected letters, digits and -, given {settings.files_region!r}"
    if (settings.files_access_key_id is None) != (settings.files_secret_access_key is None):
        missing = "files_secret_access_key" if settings.files_secret_access_key is None else "files_access_key_id"
        yield missing, "the key and its secret are given together, or neither"


def _is_base_path(path: str) -> bool:
    segments = path.split("/")[1:]
    return path == "" or (
        re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path) is not None and not {".", ".."}.intersection(segments)
    )


def _is_url(url: str, schemes: tuple[str, ...], *, host: bool = True) -> bool:
    try:
        parts = urlsplit(url)
        name, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return url.startswith(tuple(f"{each}://" for each in schemes)) and bool(name or not host) and " " not in url


def _is_proxy(url: str) -> bool:
    return _is_url(url, ("http", "https")) and urlsplit(url)[2:] in (("", "", ""), ("/", "", ""))


def _is_network(text: str) -> bool:
    """Whether a text is an address or a network."""
    try:
        return bool(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return False


def _is_bypass(text: str) -> bool:
    if "/" in text:
        return _is_network(text)
    return re.fullmatch(r"\*|(\*?\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:]+", text) is not None


def _blocking_file(folder: Path) -> Path | None:
    """The nearest thing on the way to this folder that exists and is no folder."""
    for each in (folder, *folder.absolute().parents):
        if each.exists():
            return None if each.is_dir() else each
    return None


def _unknown_variables(environ: Mapping[str, str]) -> Iterable[str]:
    known = {setting.variable for setting in SETTINGS.values()} | {CONFIG_VARIABLE} | CLIENT_VARIABLES
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            yield f"The variable {name} means nothing to this server{_nearest(name, known)}."


def _open_secrets(settings: Settings, sources: Mapping[str, str], file: Path | None) -> Iterable[str]:
    secret = [sources[name] for name, each in SETTINGS.items() if each.knob.secret or each.knob.holds_password]
    holds_some = f"file {file}" in secret or any(each.secrets for each in settings.connectors)
    holds_some = holds_some or any(each.key_password for each in settings.tls)
    holds_some = holds_some or any(each.password or each.api_key for each in settings.alert_sinks.values())
    if file is not None and holds_some and file.stat().st_mode & 0o077:
        yield f"The settings file {file} holds secrets and can be read by others; chmod 600 it."


def _problems(connectors: Iterable[Preconfigured]) -> Iterable[str]:
    for each in connectors:
        if each.problem:
            yield f"The preconfigured connector {each.id} will not work: {each.problem}."


def _nearest(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""
