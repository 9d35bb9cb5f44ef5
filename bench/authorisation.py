"""What asking who may do what costs a request, in process on SQLite: CPU of one call, the ways taken in turn.

Privileges on against off: a user with roles against a server with the question answered yes unseen. Basic with a
remembered password against an API key. A list for who has 3 of 50 spaces and 1 of 3 owners against the superuser's.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from bench.rig import Row
from casebridge.api.dispatch import ApiApp
from casebridge.app import build
from casebridge.domain.role import Role, RoleEntry
from casebridge.domain.space import OWNERS, Space
from casebridge.domain.user import Account
from casebridge.security.authentication import Passwords
from casebridge.services.ground import Ground
from casebridge.settings import Settings
from casebridge.storage import accounts, roles, spaces

_ROUNDS, _CALLS, _PASSWORD = 15, 200, "a password of the bench"
_FIND = "/s/space-1/api/cases/_find"
Way = Callable[[], Awaitable[None]]


def run() -> list[Row]:
    """Three rows: microseconds of CPU a call."""
    with TemporaryDirectory() as folder:
        return asyncio.run(_run(Path(folder)))


async def _run(folder: Path) -> list[Row]:
    program = await build(Settings(data=folder / "data", admin_password=_PASSWORD))
    try:
        await _fill(program.ground)
        return await _measure(program.api)
    finally:
        await program.close()


async def _fill(ground: Ground) -> None:
    for number in range(50):
        await spaces.create(ground.database, Space(f"space-{number}", f"Space {number}"))
    mine = ("space-1", "space-2", "space-3")
    entry = RoleEntry(mine, feature={"generalCasesV3": ("all",), "actions": ("read",)})
    await ground.database.commit([roles.put_write(Role("worker", (entry,)), create_only=True)])
    stored = await Passwords().hash(_PASSWORD)
    await accounts.create(ground.database, Account("worker", stored, ("worker",), id="w"))


async def _measure(api: ApiApp) -> list[Row]:
    worker, admin = _basic("worker"), _basic("admin")
    made = await _send(api, "POST", "/_security/api_key", worker, b'{"name": "bench"}')
    key = b"ApiKey " + made.partition(b'"encoded":"')[2].partition(b'"')[0]
    for number in range(300):
        body = (
            b'{"title":"t","description":"d","tags":["a"],"settings":{"syncAlerts":true},"owner":"%b",'
            b'"connector":{"id":"none","name":"none","type":".none","fields":null}}' % OWNERS[number % 3].encode()
        )
        await _send(api, "POST", "/s/space-1/api/cases", admin, body)

    def get(path: str, shown: bytes) -> Way:
        async def call() -> None:
            await _send(api, "GET", path, shown)

        return call

    async def unasked() -> None:
        with (
            patch("casebridge.services.cases.require", lambda *_: None),
            patch("casebridge.services.cases.permitted_owners", lambda *_: ("cases",)),
            patch("casebridge.services.callers.RoleBook.of", _everything),
        ):
            for _ in range(_CALLS - 1):
                await _send(api, "GET", one_owner, worker)
        await _send(api, "GET", one_owner, worker)

    one_owner = f"{_FIND}?owner=cases"
    cost = await _costs(
        {
            "on": get(one_owner, worker),
            "basic": get("/internal/security/me", worker),
            "key": get("/internal/security/me", key),
            "worker": get(_FIND, worker),
            "admin": get(_FIND, admin),
        },
        {"off": unasked},
    )
    return [
        _row("a list, privileges asked for", cost["on"], "not asked for", cost["off"], "<= 1.1"),
        _row("Basic, remembered", cost["basic"], "API key", cost["key"], "<= 1.1"),
        _row("a list, 3 of 50 spaces and 1 of 3 owners", cost["worker"], "superuser", cost["admin"], "<= 1.2"),
    ]


async def _everything(*_: object) -> Any:
    from casebridge.security.features import SUPERUSER_GRANTS

    return SUPERUSER_GRANTS


async def _costs(single: dict[str, Way], many: dict[str, Way]) -> dict[str, float]:
    """Median microseconds of CPU a call; the ways are taken in turn, so that a slow minute slows all of them."""
    found: dict[str, list[float]] = {name: [] for name in (*single, *many)}
    for _ in range(_ROUNDS):
        for name, way in single.items():
            before = time.process_time()
            for _ in range(_CALLS):
                await way()
            found[name].append((time.process_time() - before) / _CALLS * 1e6)
        for name, way in many.items():
            before = time.process_time()
            await way()
            found[name].append((time.process_time() - before) / _CALLS * 1e6)
    return {name: median(values) for name, values in found.items()}


def _row(what: str, ours: float, other: str, limit: float, goal: str) -> Row:
    return Row(what, f"{ours:.0f} us", f"{limit:.0f} us {other}", ours / limit, goal)


def _basic(name: str) -> bytes:
    return b"Basic " + b64encode(f"{name}:{_PASSWORD}".encode())


async def _send(api: ApiApp, method: str, target: str, shown: bytes, body: bytes = b"") -> bytes:
    """The body of a good answer."""
    path, _, query = target.partition("?")
    headers = [(b"authorization", shown), (b"kbn-xsrf", b"x"), (b"content-length", b"%d" % len(body))]
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": headers, "client": ("127.0.0.1", 1), "scheme": "http",
    }  # fmt: skip
    heard: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        heard.append(message)

    await api(scope, receive, send)
    answer = b"".join(message.get("body", b"") for message in heard)
    if heard[0]["status"] != 200:
        raise SystemExit(f"{method} {target} answered {heard[0]['status']}: {answer[:200]!r}")
    return answer
