"""Running Alembic on one connection, in one transaction, one process at a time. Never imported by the server."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.ext.asyncio import create_async_engine

from casebridge.domain.errors import StorageUnavailable
from casebridge.storage.opening import is_postgresql
from casebridge.storage.postgresql import CONNECT_TIMEOUT_S, said, shown, unreachable

LOCK = 0x63617365  # "case": the advisory lock of whoever migrates
LOCK_TIMEOUT_S = 60.0


def configuration(connection: sa.Connection | None = None) -> Config:
    """Alembic's settings: where the revisions are, and the connection to use."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(target: str | Path) -> None:
    """Bring the database to the newest revision; StorageUnavailable when that cannot be done."""
    name = shown(str(target)) if is_postgresql(target) else str(target)
    try:
        if is_postgresql(target):
            asyncio.run(_upgrade_postgresql(str(target)))
        else:
            _upgrade_sqlite(Path(target).absolute())
    except (sa.exc.SQLAlchemyError, CommandError, asyncpg.PostgresError, sqlite3.Error, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise StorageUnavailable(f"The database {name} could not be migrated: {said(cause)}") from error


async def _upgrade_postgresql(dsn: str) -> None:
    async def connect() -> Any:
        try:
            return await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)
        except ValueError as error:
            raise unreachable(error, dsn) from None

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=sa.NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S:.0f}s'"))
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _upgrade_sqlite(path: Path) -> None:
    """BEGIN IMMEDIATE is the lock; the write-ahead log is switched on when the file is whole."""
    engine = sa.create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None)
    )
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA synchronous = FULL")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            _upgrade(connection)
            connection.exec_driver_sql("COMMIT")
            _keep_log(connection)
    finally:
        engine.dispose()


def _keep_log(connection: sa.Connection) -> None:
    """Write-ahead log from now on. SQLite does not wait by itself for another process to let go of the file."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            return
        except sa.exc.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _upgrade(connection: sa.Connection) -> None:
    command.upgrade(configuration(connection), "head")
