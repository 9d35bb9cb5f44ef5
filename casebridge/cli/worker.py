"""`casebridge worker`: the worker of pushes apart from the server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from casebridge.cli.metrics_folder import FOLDER_VARIABLE
from casebridge.cli.options import WorkerOptions, read
from casebridge.cli.serve import listen_for_metrics, uvicorn_config
from casebridge.settings import Settings, SettingsError


def worker(
    options: WorkerOptions = None,
    *,
    check: Annotated[
        bool, Parameter(help="Only list the workers that are alive; 0 if there is one, else 1.", negative="")
    ] = False,
) -> int:
    """Send queued pushes until SIGTERM or Ctrl+C, apart from the server and beside any number of others.

    It needs the PostgreSQL database and the key file of the server. Servers may go on working too, or leave it to this
    with `--worker false`. At a stop it finishes what it is sending, for `--drain-s` seconds at most; the rest goes back
    into the queue.
    """
    loaded = read(options)
    settings = loaded.settings
    if settings.database_url is None:
        raise SettingsError(
            "casebridge worker needs PostgreSQL: give --database-url or CASEBRIDGE_DATABASE_URL. "
            "With SQLite the server itself is the worker."
        )
    from casebridge.app import start_logs

    start_logs(loaded)
    if check:
        return asyncio.run(_list(settings))
    import uvloop

    os.environ.pop(FOLDER_VARIABLE, None)
    with ExitStack() as bound:
        listener = None if settings.metrics_port is None else bound.enter_context(listen_for_metrics(settings))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_work(settings, listener))
    return 0


async def _work(settings: Settings, listener: socket.socket | None) -> None:
    import structlog

    import casebridge
    from casebridge.app import working_apart

    log = structlog.get_logger(__name__)
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    async with working_apart(settings) as metrics, _serving(metrics, settings, listener):
        log.info("working", version=casebridge.__version__)
        await stop.wait()
        log.info("stopping")
    log.info("stopped")


@asynccontextmanager
async def _serving(metrics: Any, settings: Settings, listener: socket.socket | None) -> AsyncIterator[None]:
    """Answer for metrics, if they are wanted, until the block ends; signals are the worker's own affair."""
    if listener is None:
        yield
        return
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    server = Server(uvicorn_config(metrics, settings, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


async def _list(settings: Settings) -> int:
    from casebridge.app import open_existing
    from casebridge.services.status import ALIVE
    from casebridge.storage import workers

    database = await open_existing(settings)
    try:
        now = datetime.now(UTC)
        alive = [each for each in await workers.list_signs(database) if now - each.seen_at <= ALIVE]
    finally:
        await database.close()
    for each in alive:
        seen_s = max(0.0, (now - each.seen_at).total_seconds())
        print(
            f"{each.command} on {each.host}, process {each.pid}, version {each.version}, "
            f"since {each.started_at:%Y-%m-%d %H:%M:%S} UTC, last sign {seen_s:.0f} s ago"
        )
    if not alive:
        print("No worker is alive.")
    return 0 if alive else 1
