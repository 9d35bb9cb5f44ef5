"""Accounts in the store, and the read every request begins with."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from casebridge.domain.errors import Conflict, NotFound, VersionConflict
from casebridge.domain.space import DEFAULT_SPACE, Space
from casebridge.domain.user import Account
from casebridge.storage import accounts, installation, sign_in, spaces
from casebridge.storage.schema import metadata
from casebridge.storage.session import Database

ADA = Account("ada", "a hash", ("superuser", "x"), full_name='Ada "Ä" 😀', email=None)


async def test_an_account_is_read_as_it_was_stored(database: Database):
    await accounts.create(database, ADA)
    stored = await accounts.get(database, "ada")
    assert stored.account == ADA
    assert stored.version > 0
    assert await accounts.get(database, "Ada") is None


async def test_a_name_is_taken_once(database: Database):
    await accounts.create(database, ADA)
    with pytest.raises(Conflict):
        await accounts.create(database, msgspec.structs.replace(ADA, password_hash="other"))
    assert (await accounts.get(database, "ada")).account == ADA


async def test_the_second_of_two_writers_gets_a_conflict(database: Database):
    await accounts.create(database, ADA)
    stored = await accounts.get(database, "ada")
    disabled = msgspec.structs.replace(ADA, enabled=False)
    await accounts.save(database, disabled, stored.version)
    with pytest.raises(VersionConflict):
        await accounts.save(database, ADA, stored.version)
    assert (await accounts.get(database, "ada")).account == disabled


async def test_a_deleted_account_is_gone(database: Database):
    await accounts.create(database, ADA)
    await accounts.delete(database, "ada")
    assert not await accounts.any_exists(database)
    with pytest.raises(NotFound):
        await accounts.delete(database, "ada")


async def test_only_the_first_account_of_all_is_made_as_first(database: Database):
    others = [msgspec.structs.replace(ADA, username=f"user-{number}") for number in range(3)]
    made = [await accounts.create_first_admin(database, each) for each in others]
    assert made == [True, False, False]
    assert await accounts.get(database, "user-1") is None


async def test_of_several_starting_together_one_makes_the_first(database: Database):
    made = await asyncio.gather(*(accounts.create_first_admin(database, ADA) for _ in range(4)))
    assert made.count(True) == 1


async def test_account_and_space_are_read_together_and_each_may_be_missing(database: Database):
    finance = Space("fin", "Finance", initials="F", disabled_features=("a", "b"))
    await spaces.create(database, finance)
    await accounts.create(database, ADA)
    assert (await sign_in.by_username(database, "ada", "fin"))[:3] == (ADA, finance, "0")
    assert (await sign_in.by_username(database, "ada", "nowhere"))[:3] == (ADA, None, "0")
    assert (await sign_in.by_username(database, "bob", "default"))[:3] == (None, DEFAULT_SPACE, "0")
    assert (await sign_in.by_username(database, None, "default"))[:3] == (None, DEFAULT_SPACE, "0")


async def test_a_space_may_be_made_again_after_it_was_deleted(database: Database):
    await spaces.create(database, Space("fin", "Finance"))
    assert await spaces.list_all(database) == [DEFAULT_SPACE, Space("fin", "Finance")]
    await spaces.delete(database, "fin")
    await spaces.create(database, Space("fin", "Again"))
    assert await spaces.get(database, "fin") == Space("fin", "Again")


def test_deleting_a_space_reaches_every_table_that_has_one():
    with_space = {name for name, table in metadata.tables.items() if "space" in table.columns} - {"audit_event"}
    assert {*spaces.BY_SPACE, *spaces.ONLY_SQLITE} == with_space


async def test_an_unknown_space_can_be_neither_replaced_nor_deleted(database: Database):
    with pytest.raises(NotFound):
        await spaces.replace(database, Space("x", "X"))
    with pytest.raises(NotFound):
        await spaces.delete(database, "x")


async def test_the_installation_has_one_uuid(database: Database):
    assert len(await installation.get_uuid(database)) == 36
