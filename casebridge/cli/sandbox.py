"""`casebridge sandbox`: simulated external systems over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def jira(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 8090,
    mode: Annotated[Literal["cloud", "datacenter"], Parameter(help="Which Jira to be.")] = "cloud",
    project: Annotated[tuple[str, ...], Parameter(help="Key of a project there is; may be repeated.", negative="")] = (
        "OPS",
    ),
    email: Annotated[str, Parameter(help="The one account.")] = "bot@example.org",
    api_token: Annotated[str, Parameter(help="Its token.")] = "sandbox-token",  # noqa: S107 - of a simulated system
    fault: Annotated[
        tuple[str, ...], Parameter(help="What goes wrong, such as create=drop-after; may be repeated.", negative="")
    ] = (),
    rate_limit_per_minute: Annotated[int | None, Parameter(help="More calls a minute are answered 429.")] = None,
    search_lag_s: Annotated[float, Parameter(help="How many seconds searches are behind.")] = 0.0,
    state_file: Annotated[Path | None, Parameter(help="Keeps the issues over a restart.")] = None,
) -> int:
    """Run a simulated Jira until Ctrl+C: the API of the real one, a page of its issues, and faults on demand.

    Give a connector its address, a project, the email and the token. Casebridge reaches a loopback address only when it
    is named: start the server with `--allowed-hosts 127.0.0.1`. The faults are told in docs/sandbox-jira.md.
    """
    from casebridge.sandbox.jira import serve_jira

    def ready(url: str) -> None:
        print(
            f"A simulated Jira listens on {url} (projects {', '.join(project)}, {email}, token {api_token}).",
            flush=True,
        )

    return _run(
        host,
        port,
        lambda: serve_jira(
            host=host,
            port=port,
            mode=mode,
            projects=project,
            email=email,
            api_token=api_token,
            faults=fault,
            rate_limit_per_minute=rate_limit_per_minute,
            search_lag_s=search_lag_s,
            state_file=state_file,
            ready=ready,
        ),
    )


def thehive(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 8091,
    api_key: Annotated[str, Parameter(help="Key of the one account.")] = "sandbox-key",
    organisation: Annotated[str, Parameter(help="The one organisation.")] = "soc",
    fault: Annotated[
        tuple[str, ...], Parameter(help="What goes wrong, such as create=drop-after; may be repeated.", negative="")
    ] = (),
    search_lag_s: Annotated[float, Parameter(help="How many seconds queries are behind.")] = 0.0,
    state_file: Annotated[Path | None, Parameter(help="Keeps the cases over a restart.")] = None,
) -> int:
    """Run a simulated TheHive until Ctrl+C: the API of the real one, a page of its cases, and faults on demand.

    Give a connector its address and the key. Casebridge reaches a loopback address only when it is named: start the
    server with `--allowed-hosts 127.0.0.1`. The faults are told in docs/sandbox-thehive.md.
    """
    from casebridge.sandbox.thehive import serve_thehive

    def ready(url: str) -> None:
        print(f"A simulated TheHive listens on {url} (organisation {organisation}, key {api_key}).", flush=True)

    return _run(
        host,
        port,
        lambda: serve_thehive(
            host=host,
            port=port,
            api_key=api_key,
            organisation=organisation,
            faults=fault,
            search_lag_s=search_lag_s,
            state_file=state_file,
            ready=ready,
        ),
    )


def webhook(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 8092,
    user: Annotated[str, Parameter(help="The one account.")] = "casebridge",
    password: Annotated[str, Parameter(help="Its password.")] = "sandbox-password",  # noqa: S107 - of a simulated system
    fault: Annotated[
        tuple[str, ...], Parameter(help="What goes wrong, such as create=drop-after; may be repeated.", negative="")
    ] = (),
    honours_keys: Annotated[bool, Parameter(help="Whether a repeat is told by its Idempotency-Key.")] = True,
    state_file: Annotated[Path | None, Parameter(help="Keeps the tickets over a restart.")] = None,
) -> int:
    """Run a simulated ticket system for the webhook connector until Ctrl+C, with a page of its tickets and faults.

    Which addresses and bodies a connector has to be given is told in docs/sandbox-webhook.md. Casebridge reaches a
    loopback address only when it is named: start the server with `--allowed-hosts 127.0.0.1`.
    """
    from casebridge.sandbox.webhook import serve_webhook

    def ready(url: str) -> None:
        print(f"A simulated ticket system listens on {url} (user {user}, password {password}).", flush=True)

    return _run(
        host,
        port,
        lambda: serve_webhook(
            host=host,
            port=port,
            user=user,
            password=password,
            faults=fault,
            honours_keys=honours_keys,
            state_file=state_file,
            ready=ready,
        ),
    )


def resilient(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 8093,
    org_id: Annotated[str, Parameter(help="The one organization.")] = "201",
    api_key_id: Annotated[str, Parameter(help="Its API key.")] = "sandbox-key",
    api_key_secret: Annotated[str, Parameter(help="The secret of the key.")] = "sandbox-secret",  # noqa: S107 - simulated
    fault: Annotated[
        tuple[str, ...], Parameter(help="What goes wrong, such as create=drop-after; may be repeated.", negative="")
    ] = (),
) -> int:
    """Run a simulated IBM Resilient until Ctrl+C: its API, a page of its incidents, and faults on demand.

    Give a connector its address, the organization and the key. Casebridge reaches a loopback address only when it is
    named: start the server with `--allowed-hosts 127.0.0.1`. The faults are told in docs/connectors-resilient.md.
    """
    from casebridge.sandbox.resilient import serve_resilient

    def ready(url: str) -> None:
        print(
            f"A simulated Resilient listens on {url} (organization {org_id}, key {api_key_id}, "
            f"secret {api_key_secret}).",
            flush=True,
        )

    return _run(
        host,
        port,
        lambda: serve_resilient(
            host=host,
            port=port,
            org_id=org_id,
            api_key_id=api_key_id,
            api_key_secret=api_key_secret,
            faults=fault,
            ready=ready,
        ),
    )


def swimlane(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 8094,
    app_id: Annotated[str, Parameter(help="The one application.")] = "aX3k",
    api_token: Annotated[str, Parameter(help="The one token.")] = "sandbox-token",  # noqa: S107 - of a simulated system
    fault: Annotated[
        tuple[str, ...], Parameter(help="What goes wrong, such as create=drop-after; may be repeated.", negative="")
    ] = (),
) -> int:
    """Run a simulated Swimlane until Ctrl+C: its API, a page of its records, and faults on demand.

    Give a connector its address, the application and the token; its page lists the fields to map. Casebridge reaches a
    loopback address only when it is named: start the server with `--allowed-hosts 127.0.0.1`. The faults are told in
    docs/connectors-swimlane.md.
    """
    from casebridge.sandbox.swimlane import serve_swimlane

    def ready(url: str) -> None:
        print(f"A simulated Swimlane listens on {url} (application {app_id}, token {api_token}).", flush=True)

    return _run(
        host,
        port,
        lambda: serve_swimlane(host=host, port=port, app_id=app_id, api_token=api_token, faults=fault, ready=ready),
    )


def _run(host: str, port: int, serve: Callable[[], None]) -> int:
    """Serve until a signal; what stands in the way is told in one line."""
    from casebridge.app import CannotStart
    from casebridge.sandbox.faults import BadFault
    from casebridge.settings import SettingsError

    try:
        serve()
    except BadFault as error:
        raise SettingsError(f"fault: {error}") from None
    except OSError as error:
        raise CannotStart(f"Cannot listen on {host} port {port}: {error.strerror}. Choose another --port.") from None
    return 0


def servicenow(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 8091,
    username: Annotated[str, Parameter(help="The one user.")] = "casebridge",
    password: Annotated[str, Parameter(help="Its password.")] = "sandbox-password",  # noqa: S107 - of a simulated system
    without_applications: Annotated[
        bool, Parameter(help="Be an instance without the applications that import sets need.", negative="")
    ] = False,
    fault: Annotated[
        tuple[str, ...], Parameter(help="What goes wrong, such as create=drop-after; may be repeated.", negative="")
    ] = (),
    rate_limit_per_hour: Annotated[int | None, Parameter(help="More calls an hour are answered 429.")] = None,
    state_file: Annotated[Path | None, Parameter(help="Keeps the records over a restart.")] = None,
) -> int:
    """Run a simulated ServiceNow until Ctrl+C: Table API, import sets, a page of its records, and faults on demand.

    Give a connector its address, the user and the password. Casebridge reaches a loopback address only when it is
    named: start the server with `--allowed-hosts 127.0.0.1`. The faults are told in docs/sandbox-servicenow.md.
    """
    from casebridge.app import CannotStart
    from casebridge.sandbox.faults import BadFault
    from casebridge.sandbox.servicenow import SCOPES, serve_servicenow
    from casebridge.settings import SettingsError

    def ready(url: str) -> None:
        print(f"A simulated ServiceNow listens on {url} ({username}, password {password}).", flush=True)

    try:
        serve_servicenow(
            host=host,
            port=port,
            username=username,
            password=password,
            applications=() if without_applications else SCOPES,
            faults=fault,
            rate_limit_per_hour=rate_limit_per_hour,
            state_file=state_file,
            ready=ready,
        )
    except BadFault as error:
        raise SettingsError(f"fault: {error}") from None
    except OSError as error:
        raise CannotStart(f"Cannot listen on {host} port {port}: {error.strerror}. Choose another --port.") from None
    return 0
