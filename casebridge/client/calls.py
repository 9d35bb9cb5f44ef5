"""The calls, described without any I/O: method, path and body."""

from __future__ import annotations

from typing import Any

import msgspec


class Call(msgspec.Struct, frozen=True):
    """One request to be sent; `body` None sends none."""

    method: str
    path: str
    body: Any = None


def create_connector(
    name: str, type_id: str, config: dict[str, Any], secrets: dict[str, Any], *, id_: str | None = None
) -> Call:
    """Create a connector, under an id of one's own if one is given."""
    path = "/api/actions/connector" + (f"/{id_}" if id_ else "")
    return Call("POST", path, {"name": name, "connector_type_id": type_id, "config": config, "secrets": secrets})


def create_configuration(owner: str, connector: dict[str, Any], closure_type: str) -> Call:
    """Set the configuration of an owner."""
    return Call("POST", "/api/cases/configure", {"owner": owner, "connector": connector, "closure_type": closure_type})


def update_configuration(version: str, **changes: Any) -> Call:
    """The founding call: change the configuration of the security app without naming its id."""
    return Call("PATCH", "/api/cases/configure", {**changes, "version": version})


def create_case(**fields: Any) -> Call:
    """Open a case."""
    return Call("POST", "/api/cases", fields)


def get_case(case_id: str) -> Call:
    """One case."""
    return Call("GET", f"/api/cases/{case_id}")


def add_comment(case_id: str, owner: str, comment: str) -> Call:
    """Add a user comment to a case."""
    return Call("POST", f"/api/cases/{case_id}/comments", {"type": "user", "owner": owner, "comment": comment})


def push(case_id: str, connector_id: str) -> Call:
    """Push a case through a connector."""
    return Call("POST", f"/api/cases/{case_id}/connector/{connector_id}/_push", {})


def find_deliveries(case_id: str) -> Call:
    """The ledger of a case's pushes."""
    return Call("GET", f"/api/casebridge/deliveries?caseId={case_id}")
