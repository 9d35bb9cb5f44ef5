"""The process dies between any two steps of a push; another one takes up what it left.

The death is an exception that nothing catches, raised just before or just after the n-th commit or the n-th outgoing
call; after it, only the store and the sandbox are left, as after kill -9. Real processes die in tests/blackbox.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import pytest

from casebridge.domain.errors import PushFailed
from casebridge.storage.session import Database, Query, Write
from tests.push.conftest import World


class Died(BaseException):
    """The end of the process."""


class Fuse:
    """Dies at the n-th event; once it has, everything dies at once."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.dead = False

    def spark(self) -> None:
        if self.dead or self.left == 0:
            self.dead = True
            raise Died
        self.left -= 1


class MortalStore:
    """The store of a process that dies before or after one of its commits."""

    def __init__(self, real: Database, fuse: Fuse) -> None:
        self._real = real
        self._fuse = fuse
        self.dialect = real.dialect

    async def read(self, sql: str, params: Any = None) -> Any:
        if self._fuse.dead:
            raise Died
        return await self._real.read(sql, params)

    async def peek(self, sql: str, params: Any = None) -> Any:
        return await self.read(sql, params)

    async def read_together(self, queries: Sequence[Query]) -> Any:
        if self._fuse.dead:
            raise Died
        return await self._real.read_together(queries)

    async def commit(self, writes: Sequence[Write]) -> Any:
        self._fuse.spark()
        rows = await self._real.commit(writes)
        self._fuse.spark()
        return rows

    async def hint(self) -> None:
        await self._real.hint()


def mortal(world: World, at: int) -> tuple[World, Fuse]:
    fuse = Fuse(at)
    return world.with_database(MortalStore(world.ground.database, fuse)), fuse  # type: ignore[arg-type]


async def die_at(world: World, case_id: str, at: int) -> bool:
    """Push in a process that dies at its `at`-th moment; whether it died."""
    dying, fuse = mortal(world, at)
    try:
        await dying.push(case_id)
    except Died:
        return True
    assert not fuse.dead
    return False


def texts(issue: dict[str, Any]) -> list[str]:
    return [each["body"].partition("\n\nAdded by")[0] for each in issue["comments"]]


async def assert_whole(world: World, case_id: str, comments: list[str]) -> None:
    (issue,) = world.issues_of(case_id)
    assert texts(issue) == comments
    case = await world.get(case_id)
    assert case.external_service is not None
    assert case.external_service.external_id == issue["id"]
    assert case.status == "closed"
    states = {each.state for each in await world.deliveries(case_id)}
    assert "delivered" in states
    assert not states & {"sending", "uncertain", "queued", "waiting"}


@pytest.mark.parametrize("taken_up_by", ["worker", "push"])
async def test_wherever_the_process_dies_the_push_ends_with_one_issue_and_each_comment_once(
    world: World, taken_up_by: str
):
    await world.close_by_pushing()
    at = 0
    while True:
        case = await world.case("one", "two")
        died = await die_at(world, case.id, at)
        if not died:
            break
        world.clock.advance(10)
        if taken_up_by == "worker":
            await world.work()
            if (await world.get(case.id)).external_service is None:
                # It died before the delivery was written: nobody was told anything, and nothing was sent.
                assert world.issues_of(case.id) == []
                await world.push(case.id)
        elif (await world.get(case.id)).status != "closed":
            await world.push(case.id)
            await world.work()
        await assert_whole(world, case.id, ["one", "two"])
        at += 1
    assert at >= 10


async def test_a_process_that_dies_twice_still_leaves_one_issue(world: World):
    await world.close_by_pushing()
    for first in range(2, 14, 3):
        for second in range(2, 14, 3):
            case = await world.case("one", "two")
            await die_at(world, case.id, first)
            world.clock.advance(10)
            if (await world.get(case.id)).status != "closed":
                await die_at(world, case.id, second)
            world.clock.advance(10)
            await world.work()
            if (await world.get(case.id)).status != "closed":
                await world.push(case.id)
            await assert_whole(world, case.id, ["one", "two"])


@pytest.mark.parametrize("step", ["create", "comment"])
async def test_a_lost_answer_and_a_crash_together_still_leave_one_issue(world: World, step: str):
    await world.close_by_pushing()
    for at in range(1, 12):
        case = await world.case("one", "two")
        world.jira.faults.clear()
        world.fault(f"{step}=drop-after")
        with contextlib.suppress(PushFailed):
            await die_at(world, case.id, at)
        world.clock.advance(10)
        await world.work()
        if (await world.get(case.id)).status != "closed":
            await world.push(case.id)
        await assert_whole(world, case.id, ["one", "two"])


async def test_a_sender_that_lost_its_lease_writes_and_sends_nothing_more(world: World):
    import asyncio

    case = await world.case("one", "two")
    world.fault("create=slow-answer:0.4")
    slow = asyncio.create_task(world.push(case.id))
    await asyncio.sleep(0.2)
    world.clock.advance(60)
    await world.work()

    with pytest.raises(Exception, match="taken over"):
        await slow

    assert len(world.issues) == 1
    assert world.bodies() == ["one", "two"]
