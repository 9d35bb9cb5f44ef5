"""The API over a database of its own, for tests that are not coroutines: property tests, foreign clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from casebridge.api.dispatch import ApiApp, api_app
from casebridge.api.table import ROUTES
from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.user import SUPERUSER, Account
from casebridge.security.vault import Vault
from casebridge.services.ground import Ground
from casebridge.storage import accounts
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database

T = TypeVar("T")
NAMES = ("admin", "omar", "Zoe")


class Living:
    """An app with its database and the event loop both live in."""

    def __init__(self, runner: asyncio.Runner, database: Database, app: ApiApp) -> None:
        self._runner = runner
        self.database = database
        self.app = app

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to its end what needs the event loop."""
        return self._runner.run(work)


def real_now() -> datetime:
    """The present, in whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@contextmanager
def living(
    target: str, password_hash: str, *, now: Callable[[], datetime] = real_now, hosts: tuple[str, ...] = ("127.0.0.1",)
) -> Iterator[Living]:
    """The whole API over a migrated database, with a superuser of each of NAMES; connectors reach `hosts` alone."""
    with asyncio.Runner() as runner:
        database = runner.run(open_database(target))
        allowed = AllowedHosts(list(hosts))
        outbound = Outbound(allowed, timeout_s=2.0)
        ground = Ground(
            database=database, vault=Vault({b"k" * 8: b"v" * 32}), outbound=outbound, allowed_hosts=allowed, now=now
        )
        for name in NAMES:
            account = Account(name, password_hash, (SUPERUSER,), full_name=name.title(), email=None)
            runner.run(accounts.create(database, account))
        try:
            yield Living(runner, database, api_app(ground, ROUTES))
        finally:
            runner.run(outbound.close())
            runner.run(database.close())
