"""What tests of pages use: the site in process, over both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import msgspec
import pytest

from casebridge.api.dispatch import api_app
from casebridge.api.table import ROUTES
from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.user import SUPERUSER, Account
from casebridge.security.authentication import Passwords
from casebridge.security.vault import Vault
from casebridge.services.ground import Ground
from casebridge.storage import accounts
from casebridge.storage.blobs import Blobs
from casebridge.storage.session import Database
from casebridge.web.site import Site
from casebridge.web.table import PAGES
from tests.web.site import PASSWORD, browser, sign_in


class Clock:
    """A clock that only tests move."""

    def __init__(self, ground: Ground) -> None:
        self.at = ground.now()

    def __call__(self):
        return self.at

    def move(self, seconds: float) -> None:
        """Later by so many seconds."""
        self.at += timedelta(seconds=seconds)


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Of PASSWORD, made once."""
    return asyncio.run(Passwords().hash(PASSWORD))


@pytest.fixture
async def admin(database: Database, password_hash: str) -> Account:
    """A superuser who can sign in."""
    account = Account("admin", password_hash, (SUPERUSER,), full_name="Ada Admin", email="ada@example.org")
    await accounts.create(database, account)
    return account


@pytest.fixture
async def ground(database: Database, tmp_path: Path) -> AsyncIterator[Ground]:
    """What services stand on."""
    allowed = AllowedHosts(["127.0.0.1", "localhost"])
    outbound = Outbound(allowed, timeout_s=10.0)
    (tmp_path / "files").mkdir()
    made = Ground(
        database=database,
        vault=Vault({b"k" * 8: b"v" * 32}),
        outbound=outbound,
        allowed_hosts=allowed,
        blobs=Blobs(tmp_path / "files"),
    )
    yield msgspec.structs.replace(made, now=Clock(made))
    await outbound.close()


@pytest.fixture
def site(ground: Ground, admin: Account) -> Site:
    """Pages with the API behind them."""
    return Site(ground, PAGES, api_app(ground, ROUTES))


@pytest.fixture
async def visitor(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that has not signed in."""
    async with browser(site) as client:
        yield client


@pytest.fixture
async def signed_in(visitor: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """A browser of the superuser."""
    answer = await sign_in(visitor)
    assert answer.status_code == 303, answer.text
    return visitor
