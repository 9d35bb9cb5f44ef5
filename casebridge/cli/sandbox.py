"""`casebridge sandbox`: simulated external systems over real HTTP, one or all of them.

What the commands have in common (where to listen, faults, how they end) stands in `_run` and the types above it; a
command only says what is its system's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from casebridge.sandbox.fleet import Running

Host = Annotated[str, Parameter(help="Address to listen on.")]
Port = Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")]
Fault = Annotated[
    tuple[str, ...],
    Parameter(help="What goes wrong, such as create=drop-after; may be repeated.", negative="", show_default=False),
]
SearchLag = Annotated[float, Parameter(help="How many seconds searches are behind.")]
StateFile = Annotated[Path | None, Parameter(help="Keeps the records over a restart.")]
Secret = Annotated[str, Parameter(help="Its password.")]

LOOPBACK = "127.0.0.1"


def app() -> App:
    """The command with its subcommands."""
    made = App("sandbox", help="Run simulated external systems, to try connectors without an account.")
    for command in (jira, servicenow, thehive, webhook, resilient, swimlane, elasticsearch, all_):
        made.command(command, name=command.__name__.rstrip("_"))
    return made


def jira(
    *,
    host: Host = LOOPBACK,
    port: Port = 8090,
    mode: Annotated[Literal["cloud", "datacenter"], Parameter(help="Which Jira to be.")] = "cloud",
    project: Annotated[tuple[str, ...], Parameter(help="Key of a project there is; may be repeated.", negative="")] = (
        "OPS",
    ),
    email: Annotated[str, Parameter(help="The one account.")] = "bot@example.org",
    api_token: Annotated[str, Parameter(help="Its token.")] = "sandbox-token",  # noqa: S107 - of a simulated system
    fault: Fault = (),
    rate_limit_per_minute: Annotated[int | None, Parameter(help="More calls a minute are answered 429.")] = None,
    search_lag_s: SearchLag = 0.0,
    state_file: StateFile = None,
) -> int:
    """Run a simulated Jira until Ctrl+C: the API of the real one, a page of its issues, and faults on demand.

    Give a connector its address, a project, the email and the token. Casebridge reaches a loopback address only when it
    is named: start the server with `--allowed-hosts 127.0.0.1`. The faults are told in docs/sandbox-jira.md.
    """
    from casebridge.sandbox.jira import serve_jira as serve

    told = f"A simulated Jira listens on {{url}} (projects {', '.join(project)}, {email}, token {api_token})."
    return _run(serve, host, port, told, mode=mode, projects=project, email=email, api_token=api_token, faults=fault,
                rate_limit_per_minute=rate_limit_per_minute, search_lag_s=search_lag_s,
                state_file=state_file)  # fmt: skip


def servicenow(
    *,
    host: Host = LOOPBACK,
    port: Port = 8091,
    username: Annotated[str, Parameter(help="The one user.")] = "casebridge",
    password: Secret = "sandbox-password",  # noqa: S107 - of a simulated system
    without_applications: Annotated[
        bool, Parameter(help="Be an instance without the applications that import sets need.", negative="")
    ] = False,
    fault: Fault = (),
    rate_limit_per_hour: Annotated[int | None, Parameter(help="More calls an hour are answered 429.")] = None,
    state_file: StateFile = None,
) -> int:
    """Run a simulated ServiceNow until Ctrl+C: Table API, import sets, a page of its records, and faults on demand.

    Give a connector its address, the user and the password. Casebridge reaches a loopback address only when it is
    named: start the server with `--allowed-hosts 127.0.0.1`. The faults are told in docs/sandbox-servicenow.md.
    """
    from casebridge.sandbox.servicenow import SCOPES
    from casebridge.sandbox.servicenow import serve_servicenow as serve

    told = f"A simulated ServiceNow listens on {{url}} ({username}, password {password})."
    applications = () if without_applications else SCOPES
    return _run(serve, host, port, told, username=username, password=password, applications=applications, faults=fault,
                rate_limit_per_hour=rate_limit_per_hour, state_file=state_file)  # fmt: skip


def thehive(
    *,
    host: Host = LOOPBACK,
    port: Port = 8095,
    api_key: Annotated[str, Parameter(help="Key of the one account.")] = "sandbox-key",
    organisation: Annotated[str, Parameter(help="The one organisation.")] = "soc",
    fault: Fault = (),
    search_lag_s: SearchLag = 0.0,
    state_file: StateFile = None,
) -> int:
    """Run a simulated TheHive until Ctrl+C: the API of the real one, a page of its cases, and faults on demand.

    Give a connector its address and the key. Casebridge reaches a loopback address only when it is named: start the
    server with `--allowed-hosts 127.0.0.1`. The faults are told in docs/sandbox-thehive.md.
    """
    from casebridge.sandbox.thehive import serve_thehive as serve

    told = f"A simulated TheHive listens on {{url}} (organisation {organisation}, key {api_key})."
    return _run(serve, host, port, told, api_key=api_key, organisation=organisation, faults=fault,
                search_lag_s=search_lag_s, state_file=state_file)  # fmt: skip


def webhook(
    *,
    host: Host = LOOPBACK,
    port: Port = 8092,
    user: Annotated[str, Parameter(help="The one account.")] = "casebridge",
    password: Secret = "sandbox-password",  # noqa: S107 - of a simulated system
    fault: Fault = (),
    honours_keys: Annotated[bool, Parameter(help="Whether a repeat is told by its Idempotency-Key.")] = True,
    state_file: StateFile = None,
) -> int:
    """Run a simulated ticket system for the webhook connector until Ctrl+C, with a page of its tickets and faults.

    Which addresses and bodies a connector has to be given is told in docs/sandbox-webhook.md. Casebridge reaches a
    loopback address only when it is named: start the server with `--allowed-hosts 127.0.0.1`.
    """
    from casebridge.sandbox.webhook import serve_webhook as serve

    told = f"A simulated ticket system listens on {{url}} (user {user}, password {password})."
    return _run(serve, host, port, told, user=user, password=password, faults=fault, honours_keys=honours_keys,
                state_file=state_file)  # fmt: skip


def resilient(
    *,
    host: Host = LOOPBACK,
    port: Port = 8093,
    org_id: Annotated[str, Parameter(help="The one organization.")] = "201",
    api_key_id: Annotated[str, Parameter(help="Its API key.")] = "sandbox-key",
    api_key_secret: Annotated[str, Parameter(help="The secret of the key.")] = "sandbox-secret",  # noqa: S107 - simulated
    fault: Fault = (),
) -> int:
    """Run a simulated IBM Resilient until Ctrl+C: its API, a page of its incidents, and faults on demand.

    Give a connector its address, the organization and the key. Casebridge reaches a loopback address only when it is
    named: start the server with `--allowed-hosts 127.0.0.1`. The faults are told in docs/connectors-resilient.md.
    """
    from casebridge.sandbox.resilient import serve_resilient as serve

    key = f"key {api_key_id}, secret {api_key_secret}"
    told = f"A simulated Resilient listens on {{url}} (organization {org_id}, {key})."
    return _run(serve, host, port, told, org_id=org_id, api_key_id=api_key_id, api_key_secret=api_key_secret,
                faults=fault)  # fmt: skip


def swimlane(
    *,
    host: Host = LOOPBACK,
    port: Port = 8094,
    app_id: Annotated[str, Parameter(help="The one application.")] = "aX3k",
    api_token: Annotated[str, Parameter(help="The one token.")] = "sandbox-token",  # noqa: S107 - of a simulated system
    fault: Fault = (),
) -> int:
    """Run a simulated Swimlane until Ctrl+C: its API, a page of its records, and faults on demand.

    Give a connector its address, the application and the token; its page lists the fields to map. Casebridge reaches a
    loopback address only when it is named: start the server with `--allowed-hosts 127.0.0.1`. The faults are told in
    docs/connectors-swimlane.md.
    """
    from casebridge.sandbox.swimlane import serve_swimlane as serve

    told = f"A simulated Swimlane listens on {{url}} (application {app_id}, token {api_token})."
    return _run(serve, host, port, told, app_id=app_id, api_token=api_token, faults=fault)


def elasticsearch(
    *,
    host: Host = LOOPBACK,
    port: Port = 8096,
    user: Annotated[str, Parameter(help="The one user.")] = "casebridge",
    password: Annotated[str, Parameter(help="Its password.")] = "sandbox-password",  # noqa: S107 - of a simulated system
    api_key: Annotated[
        str, Parameter(help="The one API key, as it stands in the header.")
    ] = "Y2FzZWJyaWRnZTpzYW5kYm94LWtleQ==",
    fault: Fault = (),
) -> int:
    """Run a simulated Elasticsearch for alert sinks until Ctrl+C: documents, a page of them, and faults on demand.

    Start the server with `--alert-sink-url` and the user or key; it reaches a loopback address only when that is named:
    `--allowed-hosts 127.0.0.1`. See docs/alert-sink.md.
    """
    from casebridge.sandbox.elasticsearch import serve_elasticsearch as serve

    told = f"A simulated Elasticsearch listens on {{url}} (user {user}, password {password}, API key {api_key})."
    return _run(serve, host, port, told, user=user, password=password, api_key=api_key, faults=fault)


def all_(
    *,
    host: Host = LOOPBACK,
    first_port: Annotated[
        int | None,
        Parameter(help="The systems take this port and those after it; 0 takes free ones. Without it, each its own."),
    ] = None,
    port: Annotated[
        tuple[str, ...],
        Parameter(help="Port of one system, such as jira=9000; may be repeated.", negative="", show_default=False),
    ] = (),
    base: Annotated[str, Parameter(help="Address of the Casebridge server in the printed commands.")] = (
        "http://127.0.0.1:5601"
    ),
    as_json: Annotated[
        bool, Parameter(name="--json", help="Print one JSON document in place of commands.", negative="")
    ] = False,
) -> int:
    """Run all simulated systems in one process until Ctrl+C, and print a connector for each, ready to be pasted.

    The printed commands ask the server in the name of `admin` with the password in `CASEBRIDGE_PASSWORD`. Start it with
    `--allowed-hosts 127.0.0.1`. Each system has the credentials its own command has by default.
    """
    from casebridge.app import CannotStart
    from casebridge.sandbox.fleet import MEMBERS, PortTaken, serve_fleet

    ports = _ports([each.name for each in MEMBERS], {each.name: each.port for each in MEMBERS}, first_port, port)
    ready = _print_json if as_json else lambda running: _print_commands(running, base.rstrip("/"))
    try:
        serve_fleet(host=host, ports=ports, ready=ready)
    except PortTaken as error:
        advice = f"Choose others with --first-port, or --port {error.name}=NUMBER."
        raise CannotStart(
            f"The simulated {error.name} cannot listen on {host} port {error.port}: {error.strerror}. {advice}"
        ) from None
    return 0


def _ports(names: Sequence[str], usual: dict[str, int], first: int | None, given: Sequence[str]) -> dict[str, int]:
    """The port of each system; SettingsError for one that makes no sense."""
    from casebridge.settings import SettingsError

    ports = usual if first is None else {name: first and first + place for place, name in enumerate(names)}
    for each in given:
        name, _, number = each.partition("=")
        if name not in usual or not number.isdecimal():
            raise SettingsError(f"port: expected SYSTEM=NUMBER with one of {', '.join(names)}, given {each!r}.")
        ports = {**ports, name: int(number)}
    if wrong := [f"{name}={number}" for name, number in ports.items() if not 0 <= number <= 65_535]:
        raise SettingsError(f"port: expected 0 to 65535, given {', '.join(wrong)}.")
    return ports


def _print_json(running: Sequence[Running]) -> None:
    from casebridge.cli.remote import print_json

    print_json({"sandboxes": list(running)})


def _print_commands(running: Sequence[Running], base: str) -> None:
    """Where the systems are, and the commands that make connectors to them."""
    import shlex

    import msgspec

    from casebridge.sandbox.fleet import definitions

    for each in running:
        print(f"# A simulated {each.label} listens on {each.url}")
    print("\n# Connectors that fit; set CASEBRIDGE_PASSWORD to the password of admin, then paste:\n")
    for definition in definitions(running):
        address = shlex.quote(f"{base}/api/actions/connector/{definition.id}")
        body = shlex.quote(msgspec.json.encode(definition.body).decode())
        print(
            'curl -sS -u "admin:$CASEBRIDGE_PASSWORD" -H "kbn-xsrf: true" -H "Content-Type: application/json" \\\n'
            f"  -X POST {address} -w '\\n' \\\n  -d {body}\n"
        )
    print("# Ctrl+C ends them all.", flush=True)


def _run(serve: Callable[..., None], host: str, port: int, told: str, **given: Any) -> int:
    """Serve one system until a signal and say where it listens; what stands in the way is told in one line."""
    from casebridge.app import CannotStart
    from casebridge.sandbox.faults import BadFault
    from casebridge.settings import SettingsError

    try:
        serve(host=host, port=port, ready=lambda url: print(told.replace("{url}", url), flush=True), **given)
    except BadFault as error:
        raise SettingsError(f"fault: {error}") from None
    except OSError as error:
        raise CannotStart(f"Cannot listen on {host} port {port}: {error.strerror}. Choose another --port.") from None
    return 0
