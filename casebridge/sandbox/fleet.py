"""All simulated systems at once: which there are, on which port each listens, and the connectors that fit them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from starlette.applications import Starlette

from casebridge.sandbox import elasticsearch, jira, resilient, servicenow, swimlane, thehive, webhook
from casebridge.sandbox.server import serving


class Definition(msgspec.Struct, frozen=True):
    """A connector that fits a sandbox: what `POST /api/actions/connector/{id}` takes, and its id."""

    id: str
    name: str
    connector_type_id: str
    config: dict[str, Any]
    secrets: dict[str, Any]

    @property
    def body(self) -> dict[str, Any]:
        """The body of the call that creates it."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if name != "id"}


class Member(msgspec.Struct, frozen=True):
    """One system: its name, its usual port, how to make it with its usual credentials, the connectors to it by URL."""

    name: str
    label: str
    port: int
    make: Callable[[], Starlette]
    connectors: Callable[[str], Sequence[Definition]]


class Running(msgspec.Struct, frozen=True):
    """A system that listens at `url`."""

    name: str
    label: str
    url: str
    connectors: Sequence[Definition]


def _jira(url: str) -> Sequence[Definition]:
    secrets = {"email": jira.SANDBOX_EMAIL, "apiToken": jira.SANDBOX_TOKEN}
    return [Definition("sandbox-jira", "Sandbox Jira", ".jira", {"apiUrl": url, "projectKey": "OPS"}, secrets)]


def _servicenow(url: str) -> Sequence[Definition]:
    config = {"apiUrl": url, "usesTableApi": True, "isOAuth": False}
    secrets = {"username": servicenow.SANDBOX_USER, "password": servicenow.SANDBOX_PASSWORD}
    return [
        Definition("sandbox-servicenow", "Sandbox ServiceNow", ".servicenow", config, secrets),
        Definition("sandbox-secops", "Sandbox ServiceNow SecOps", ".servicenow-sir", config, secrets),
    ]


def _thehive(url: str) -> Sequence[Definition]:
    config = {"url": url, "organisation": thehive.SANDBOX_ORGANISATION}
    return [Definition("sandbox-thehive", "Sandbox TheHive", ".thehive", config, {"apiKey": thehive.SANDBOX_KEY})]


def _webhook(url: str) -> Sequence[Definition]:
    secrets = {"user": webhook.SANDBOX_USER, "password": webhook.SANDBOX_PASSWORD}
    config = webhook.connector_config(url)
    return [Definition("sandbox-webhook", "Sandbox tickets", ".cases-webhook", config, secrets)]


def _resilient(url: str) -> Sequence[Definition]:
    secrets = {"apiKeyId": resilient.SANDBOX_KEY_ID, "apiKeySecret": resilient.SANDBOX_KEY_SECRET}
    config = {"apiUrl": url, "orgId": resilient.SANDBOX_ORG}
    return [Definition("sandbox-resilient", "Sandbox Resilient", ".resilient", config, secrets)]


def _swimlane(url: str) -> Sequence[Definition]:
    config = {
        "apiUrl": url,
        "appId": swimlane.SANDBOX_APP,
        "connectorType": "cases",
        "mappings": swimlane.case_mappings(),
    }
    return [
        Definition("sandbox-swimlane", "Sandbox Swimlane", ".swimlane", config, {"apiToken": swimlane.SANDBOX_TOKEN})
    ]


MEMBERS = (
    Member("jira", "Jira", 8090, jira.jira_app, _jira),
    Member("servicenow", "ServiceNow", 8091, servicenow.servicenow_app, _servicenow),
    Member("webhook", "ticket system", 8092, webhook.webhook_app, _webhook),
    Member("resilient", "Resilient", 8093, resilient.resilient_app, _resilient),
    Member("swimlane", "Swimlane", 8094, swimlane.swimlane_app, _swimlane),
    Member("thehive", "TheHive", 8095, thehive.thehive_app, _thehive),
    # A store of alerts, to which no connector leads.
    Member("elasticsearch", "Elasticsearch", 8096, elasticsearch.elasticsearch_app, lambda url: ()),
)
"""Every simulated system."""


class PortTaken(OSError):
    """The port of one of the systems cannot be had."""

    def __init__(self, name: str, port: int, fault: OSError) -> None:
        super().__init__(fault.errno, fault.strerror)
        self.name, self.port = name, port


async def open_fleet(
    held: AsyncExitStack, host: str = "127.0.0.1", ports: Mapping[str, int] | None = None
) -> list[Running]:
    """Start every system in this event loop, until `held` is closed.

    `ports` maps names to ports; a system without one takes a free port. Raises PortTaken.
    """
    running = []
    for each in MEMBERS:
        port = (ports or {}).get(each.name, 0)
        try:
            url = await held.enter_async_context(serving(each.make(), host, port))
        except OSError as fault:
            raise PortTaken(each.name, port, fault) from fault
        running.append(Running(each.name, each.label, url, each.connectors(url)))
    return running


def serve_fleet(
    *,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    ready: Callable[[Sequence[Running]], None] = lambda running: None,
) -> None:
    """Run all systems until SIGTERM or Ctrl+C asks to stop. Raises PortTaken, and then nothing keeps running."""
    asyncio.run(_serve(host, ports, ready))


async def _serve(host: str, ports: Mapping[str, int] | None, ready: Callable[[Sequence[Running]], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as held:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, stop.set)
            held.callback(loop.remove_signal_handler, each)
        ready(await open_fleet(held, host, ports))
        await stop.wait()


def definitions(running: Sequence[Running]) -> Iterator[Definition]:
    """The connectors of all systems."""
    for each in running:
        yield from each.connectors
