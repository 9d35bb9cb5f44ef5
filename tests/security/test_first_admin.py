"""The first administrator of an empty store."""

from __future__ import annotations

import asyncio

from casebridge.security.authentication import Passwords
from casebridge.services.accounts import ensure_admin
from casebridge.storage import accounts
from casebridge.storage.session import Database


async def test_an_empty_store_gets_an_admin_with_the_given_password(database: Database):
    assert await ensure_admin(database, "given") is None
    account = (await accounts.get(database, "admin")).account
    assert account.roles == ("superuser",)
    assert await Passwords().verify("given", account.password_hash)


async def test_without_a_password_one_is_made_up_and_told_once(database: Database):
    told = await ensure_admin(database, None)
    assert len(told) >= 20
    assert await Passwords().verify(told, (await accounts.get(database, "admin")).account.password_hash)
    assert await ensure_admin(database, None) is None


async def test_a_later_start_changes_nothing(database: Database):
    await ensure_admin(database, "first")
    before = await accounts.get(database, "admin")
    assert await ensure_admin(database, "second") is None
    assert await accounts.get(database, "admin") == before


async def test_of_two_servers_starting_together_one_makes_the_admin(database: Database):
    told = await asyncio.gather(*(ensure_admin(database, None) for _ in range(3)))
    made = [each for each in told if each is not None]
    assert len(made) == 1
    assert await Passwords().verify(made[0], (await accounts.get(database, "admin")).account.password_hash)
