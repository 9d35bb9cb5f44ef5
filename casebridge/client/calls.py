"""The calls, described without any I/O: method, path and body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

_DELIVERIES = "/api/casebridge/deliveries"


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


def find_deliveries(
    case_id: str | None = None,
    *,
    connector_id: str | None = None,
    states: Sequence[str] = (),
    owners: Sequence[str] = (),
    page: int = 1,
    per_page: int = 20,
) -> Call:
    """One page of the ledger of pushes, newest first: `{deliveries, page, per_page, total}`."""
    wanted: list[tuple[str, str | int]] = [("state", each) for each in states]
    wanted += [("owner", each) for each in owners]
    wanted += [(name, value) for name, value in (("caseId", case_id), ("connectorId", connector_id)) if value]
    return Call("GET", f"{_DELIVERIES}?{urlencode([*wanted, ('page', page), ('perPage', per_page)])}")


def get_delivery(id_: str) -> Call:
    """One delivery with its attempts."""
    return Call("GET", f"{_DELIVERIES}/{_segment(id_)}")


def retry_delivery(id_: str) -> Call:
    """Queue a delivery again; the delivery."""
    return Call("POST", f"{_DELIVERIES}/{_segment(id_)}/_retry")


def cancel_delivery(id_: str) -> Call:
    """Withdraw a delivery; the delivery."""
    return Call("POST", f"{_DELIVERIES}/{_segment(id_)}/_cancel")


def try_connector(id_: str) -> Call:
    """Try a connector without writing anything: `{ok, detail, latency_ms}`."""
    return Call("POST", f"/api/casebridge/connectors/{_segment(id_)}/_test")


def get_connector_health(id_: str) -> Call:
    """How a connector is, and what still has to be sent through it."""
    return Call("GET", f"/api/casebridge/connectors/{_segment(id_)}/health")


def _segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")
