"""Users with roles of all kinds, for tests of who may do what."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from casebridge.domain.user import Account
from casebridge.storage import accounts
from casebridge.storage.session import Database

PASSWORD = "correct horse battery"
USER, ROLE, KEY = "/_security/user", "/api/security/role", "/_security/api_key"


def entry(*spaces: str, base: Iterable[str] = (), **feature: list[str]) -> dict[str, Any]:
    """An entry of a role, for all spaces if none are named."""
    return {"spaces": list(spaces) or ["*"], "base": list(base), "feature": feature}


async def put_role(client: Any, name: str, *entries: dict[str, Any]) -> None:
    """Store a role of these entries."""
    response = await client.put(f"{ROLE}/{name}", json={"elasticsearch": {}, "kibana": list(entries)})
    assert response.status_code == 204, response.text


async def add_user(database: Database, password_hash: str, name: str, *roles: str, **more: Any) -> tuple[str, str]:
    """A user with these roles, and what to sign in with."""
    await accounts.create(database, Account(name, password_hash, roles, id=f"id of {name}", **more))
    return name, PASSWORD


async def make_key(client: Any, auth: tuple[str, str] | None = None, **body: Any) -> dict[str, str]:
    """The headers that show a new key of the caller, or of who signs in with `auth`."""
    response = await client.post(KEY, json={"name": "robot", **body}, **({} if auth is None else {"auth": auth}))
    assert response.status_code == 200, response.text
    return {"authorization": f"ApiKey {response.json()['encoded']}"}


def basic(name: str, password: str = PASSWORD) -> dict[str, str]:
    """The headers of a user name and a password."""
    return {"authorization": "Basic " + b64encode(f"{name}:{password}".encode()).decode()}
