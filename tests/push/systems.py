"""Every connector with the system it speaks to: what to configure here, and how to read what arrived over there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request

from casebridge.connectors.html_text import to_text
from casebridge.sandbox.fleet import MEMBERS, Definition

_SCOPE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "scheme": "http"}


class Far(NamedTuple):
    """A record over there; the comments without their authors, oldest first."""

    id: str
    title: str
    comments: list[str]


class Link(NamedTuple):
    """A connector: the member of the fleet it belongs to, its definition there, and how its records are read."""

    name: str
    member: str
    definition: str
    read: Callable[[dict[str, Any]], list[Far]]
    config: dict[str, Any] = {}
    fields: dict[str, Any] | None = None
    can_look: bool = True
    """Whether it can be found out what became of a write."""

    def defined(self, definitions: Sequence[Definition]) -> Definition:
        """Its connector, as the fleet defines it for the addresses in use."""
        (found,) = [each for each in definitions if each.id == self.definition]
        return msgspec.structs.replace(found, id=self.name, name=self.name, config={**found.config, **self.config})


def said(text: str) -> str:
    """A comment without the line that names its author."""
    return text.partition("\n\nAdded by")[0]


def _jira(state: dict[str, Any]) -> list[Far]:
    return [
        Far(each["id"], each["fields"]["summary"], [said(note["body"]) for note in each["comments"]])
        for each in state["issues"]
    ]


def _servicenow(table: str) -> Callable[[dict[str, Any]], list[Far]]:
    def read(state: dict[str, Any]) -> list[Far]:
        return [
            Far(each["sys_id"], each["short_description"], sorted(said(note["value"]) for note in each["notes"]))
            for each in state["records"]
            if each["number"].startswith(table)
        ]

    return read


def _thehive(state: dict[str, Any]) -> list[Far]:
    return [
        Far(each["_id"], each["title"], [said(note["message"]) for note in each["comments"]]) for each in state["cases"]
    ]


def _webhook(state: dict[str, Any]) -> list[Far]:
    return [
        Far(str(each["id"]), each["summary"], [said(note["text"]) for note in each["comments"]])
        for each in state["tickets"]
    ]


def _resilient(state: dict[str, Any]) -> list[Far]:
    return [
        Far(str(each["id"]), each["name"], [said(note["text"]["content"]) for note in each["comments"]])
        for each in state["incidents"]
    ]


def _swimlane(state: dict[str, Any]) -> list[Far]:
    return [
        Far(
            each["id"],
            each["values"]["adnlas"],
            [said(to_text(note["message"])) for notes in each["comments"].values() for note in notes],
        )
        for each in state["records"]
    ]


_SIR = {
    "category": None, "subcategory": None, "priority": "2",
    **dict.fromkeys(("destIp", "sourceIp", "malwareHash", "malwareUrl")),
}  # fmt: skip
LINKS = {
    each.name: each
    for each in (
        Link("jira", "jira", "sandbox-jira", _jira),
        Link("servicenow", "servicenow", "sandbox-servicenow", _servicenow("INC")),
        Link("servicenow-import", "servicenow", "sandbox-servicenow", _servicenow("INC"), {"usesTableApi": False}),
        Link("servicenow-sir", "servicenow", "sandbox-secops", _servicenow("SIR"), fields=_SIR),
        Link("thehive", "thehive", "sandbox-thehive", _thehive),
        Link("webhook", "webhook", "sandbox-webhook", _webhook, can_look=False),
        Link("resilient", "resilient", "sandbox-resilient", _resilient),
        Link("swimlane", "swimlane", "sandbox-swimlane", _swimlane),
    )
}
"""Every connector type, ServiceNow in both ways of writing."""


def app_of(member: str) -> Starlette:
    """A new simulated system."""
    (found,) = [each for each in MEMBERS if each.name == member]
    return found.make()


def definitions_of(member: str, url: str) -> Sequence[Definition]:
    """The connectors to a simulated system at this address."""
    (found,) = [each for each in MEMBERS if each.name == member]
    return found.connectors(url)


def state_of(sandbox: Any) -> dict[str, Any]:
    """All that a simulated system in this process holds."""
    state: dict[str, Any] = sandbox.state(Request({**_SCOPE, "server": ("127.0.0.1", 80)}))
    return state
