"""The API alive in a thread of its own, for tests that are no coroutines: property tests, foreign clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from casebridge.api.dispatch import ApiApp, api_app
from casebridge.api.routing import Receive, Send
from casebridge.api.table import ROUTES
from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.user import SUPERUSER, Account
from casebridge.security.vault import Vault
from casebridge.services.ground import Ground
from casebridge.storage import accounts
from casebridge.storage.blobs import Blobs
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database

T = TypeVar("T")
NAMES = ("admin", "omar", "Zoe")
LONGEST_S = 60


class Living:
    """An app with its database, and the event loop both live in."""

    def __init__(self, loop: asyncio.AbstractEventLoop, database: Database, app: ApiApp) -> None:
        self._loop = loop
        self.database = database
        self.app = app

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the app's event loop, from any other thread, and wait for the end."""
        return wait(self._loop, work)

    async def bridge(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """The app as an ASGI application of any other event loop: one whole message in, the answer out."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        sent: list[MutableMapping[str, Any]] = []

        async def hear() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body}

        async def note(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.app(scope, hear, note), self._loop))
        for message in sent:
            await send(message)


def wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of work done in the loop of another thread."""
    return asyncio.run_coroutine_threadsafe(work, loop).result(LONGEST_S)


def real_now() -> datetime:
    """The present, in whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@contextmanager
def living(target: str, password_hash: str, *, now: Callable[[], datetime] = real_now) -> Iterator[Living]:
    """The whole API over a migrated database, with a superuser of each of NAMES; connectors reach 127.0.0.1 alone."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    with TemporaryDirectory() as folder:
        yield from _alive(loop, thread, folder, target, password_hash, now)


def _alive(
    loop: asyncio.AbstractEventLoop,
    thread: threading.Thread,
    folder: str,
    target: str,
    password_hash: str,
    now: Callable[[], datetime],
) -> Iterator[Living]:
    try:
        database = wait(loop, open_database(target))
        allowed = AllowedHosts(["127.0.0.1"])
        outbound = Outbound(allowed, timeout_s=2.0)
        ground = Ground(
            database=database,
            vault=Vault({b"k" * 8: b"v" * 32}),
            outbound=outbound,
            allowed_hosts=allowed,
            blobs=Blobs(Path(folder)),
            now=now,
        )
        for name in NAMES:
            account = Account(name, password_hash, (SUPERUSER,), full_name=name.title(), email=None)
            wait(loop, accounts.create(database, account))
        yield Living(loop, database, api_app(ground, ROUTES))
        wait(loop, outbound.close())
        wait(loop, database.close())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
