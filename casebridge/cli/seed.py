"""`casebridge seed`: fill a store with made-up cases, for trying things out and for measuring."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from casebridge.cli.options import StoreOptions, read
from casebridge.domain import limits
from casebridge.domain.errors import NotFound
from casebridge.domain.space import DEFAULT_SPACE_ID
from casebridge.settings import Settings, SettingsError

if TYPE_CHECKING:
    from casebridge.cli.seed_cases import Plan
    from casebridge.domain.space import Space
    from casebridge.storage.session import Database, Write

MOST_CASES = 10_000_000
_IN_ONE_PROCESS = 2_000
"""So few cases are made before a second process would be up."""


def seed(
    *,
    cases: Annotated[int, Parameter(help="How many cases to make.")] = 1_000,
    comments: Annotated[int, Parameter(help="Comments of each case.")] = 5,
    space: Annotated[str, Parameter(help="The space to put them in, which must exist.")] = DEFAULT_SPACE_ID,
    seed: Annotated[int, Parameter(help="Number that all chance comes from: the same one makes the same texts.")] = 1,
    scene: Annotated[
        Literal["soc"] | None, Parameter(help="Instead of many cases, play a team with forty believable ones.")
    ] = None,
    options: StoreOptions = None,
) -> int:
    """Fill the store with made-up cases of a security team, spread over the last two years.

    They come on top of what is there, straight into the database: stop the server first. The scene `soc` has users,
    templates, custom fields, files and pushes in every state; it is told in docs/running.md.
    """
    from casebridge.app import holding, make_data_folder, start_logs
    from casebridge.cli.seed_cases import Plan

    _check("--cases", cases, 1, MOST_CASES)
    _check("--comments", comments, 0, limits.USER_ACTIONS - 2)
    loaded = read(options)
    settings = loaded.settings
    start_logs(loaded)
    plan = Plan(cases, comments, seed, space, datetime.now(UTC).replace(microsecond=0))
    make_data_folder(settings.data)
    with holding(settings.data) if settings.database_url is None else nullcontext():
        if scene is not None:
            _tell_scene(settings, asyncio.run(_play(settings, plan)))
            return 0
        asyncio.run(_fill(settings, plan))
    print(f"{cases:,} cases with {comments:,} comments each are in the space {space}.")
    return 0


def _check(option: str, given: int, least: int, most: int) -> None:
    if not least <= given <= most:
        raise SettingsError(f"{option}: expected a number from {least} to {most}, given {given}.")


@asynccontextmanager
async def _opened(settings: Settings, space_id: str) -> AsyncIterator[tuple[Database, Space]]:
    """The database, which nobody else uses, and the space of the cases."""
    import msgspec

    from casebridge.app import StoreRefused, open_current
    from casebridge.storage import seeding, spaces

    database = await open_current(msgspec.structs.replace(settings, database_pool_size=1))
    try:
        if await seeding.is_in_use(database):
            raise StoreRefused("Another process is connected to this database; stop the server and its workers first.")
        space = await spaces.get(database, space_id)
        if space is None:
            raise NotFound("space", space_id)
        await seeding.prepare(database)
        yield database, space
        await seeding.settle(database)
    finally:
        await database.close()


async def _fill(settings: Settings, plan: Plan) -> None:
    async with _opened(settings, plan.space) as (database, _):
        await _load(database, plan)


async def _play(settings: Settings, plan: Plan) -> str:
    from casebridge.app import ground_on
    from casebridge.cli.scene import Scene

    async with _opened(settings, plan.space) as (database, space), ground_on(settings, database) as ground:
        return await Scene(ground, space, settings.data, plan.seed).play()


def _tell_scene(settings: Settings, password: str) -> None:
    folder = settings.data
    print(
        f"A team of eight and its forty cases are in place; amara and the others sign in with the password {password}\n"
        "Their incidents live on in simulated systems, if you start them:\n"
        f"  casebridge sandbox jira --state-file {folder / 'sandbox-jira.json'}\n"
        f"  casebridge sandbox servicenow --state-file {folder / 'sandbox-servicenow.json'}\n"
        f"  casebridge sandbox webhook --state-file {folder / 'sandbox-webhook.json'}\n"
        "Start the server with --allowed-hosts 127.0.0.1, so that it may reach them."
    )


async def _load(database: Database, plan: Plan) -> None:
    """Batch after batch, shown as it goes."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("cases"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("cases", total=plan.cases)
        async for number, writes in _batches(plan, database.dialect):
            await database.load(writes)
            progress.update(task, completed=min(plan.cases, (number + 1) * plan.batch))


async def _batches(plan: Plan, dialect: Literal["sqlite", "postgresql"]) -> AsyncIterator[tuple[int, list[Write]]]:
    """The writes of each batch in order, made in other processes while earlier ones are being stored."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from casebridge.cli.seed_cases import batch_writes

    if plan.cases <= _IN_ONE_PROCESS:
        for number in range(plan.batches):
            yield number, batch_writes(plan, number, dialect)
        return
    workers = max(1, (os.cpu_count() or 2) - 1)
    waiting: deque[asyncio.Future[list[Write]]] = deque()
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            for number in range(plan.batches + workers + 1):
                if number < plan.batches:
                    waiting.append(loop.run_in_executor(pool, batch_writes, plan, number, dialect))
                if number > workers:
                    yield number - workers - 1, await waiting.popleft()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
