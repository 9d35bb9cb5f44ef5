"""Stores of many made-up cases for the benchmarks: made once by `casebridge seed`, kept, and served."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg

from bench.client import Client
from bench.rig import casebridge
from bench.times import cpu_ms

FOLDER = Path(os.environ.get("CASEBRIDGE_BENCH_FOLDER", Path(__file__).parent.parent / ".bench"))
DSN = os.environ.get("CASEBRIDGE_BENCH_PG_DSN", "postgresql://postgres@127.0.0.1:5432/postgres")
COMMENTS = int(os.environ.get("CASEBRIDGE_BENCH_COMMENTS", "5"))
KINDS = tuple(os.environ.get("CASEBRIDGE_BENCH_DATABASES", "sqlite,postgresql").split(","))


class Store(NamedTuple):
    """A data folder and, on PostgreSQL, the address of a database."""

    kind: str
    size: int
    data: Path
    url: str | None

    @property
    def target(self) -> str:
        """What `open_database` takes."""
        return self.url or str(self.data / "casebridge.sqlite")


def sizes() -> list[int]:
    """The numbers of cases asked for, smallest first."""
    text = os.environ.get("CASEBRIDGE_BENCH_SIZES", "10k,100k,1m").lower()
    try:
        found = sorted({int(each.strip().replace("k", "000").replace("m", "000000")) for each in text.split(",")})
    except ValueError:
        found = []
    if not found or found[0] < 1:
        raise SystemExit(f"--sizes takes numbers of cases such as 10k,100k,1m, given {text!r}")
    return found


def store(kind: str, size: int) -> Store:
    """The store with so many cases, made if it is not there."""
    name = f"casebridge_bench_{size}_{COMMENTS}"
    parts = urlsplit(DSN)
    url = f"{parts.scheme}://{parts.netloc}/{name}" if kind == "postgresql" else None
    kept = Store(kind, size, FOLDER / f"{kind}-{size}-{COMMENTS}", url)
    done = kept.data / "seeded"
    if not done.exists() or (url is not None and not asyncio.run(_exists(name))):
        _make(kept, name)
        done.touch()
    return kept


@contextmanager
def served(kept: Store) -> Iterator[Client]:
    """A client of the real server on a store."""
    password = _password()
    with casebridge(kept.data, kept.url, settings={"CASEBRIDGE_ADMIN_PASSWORD": password}) as (port, pid):
        client = Client(port, password, lambda: sum(map(cpu_ms, (pid, *backends))))
        client.ask("GET", "/api/cases/_find?perPage=1")
        backends = asyncio.run(_backends(kept.url)) if kept.url else []
        yield client
        client.close()


def _make(kept: Store, name: str) -> None:
    if kept.url is None:
        for file in kept.data.glob("casebridge.sqlite*"):
            file.unlink()
    else:
        asyncio.run(_create(name))
    arguments = ["seed", "--cases", str(kept.size), "--comments", str(COMMENTS), "--data", str(kept.data)]
    if kept.url:
        arguments += ["--database-url", kept.url]
    begun = time.monotonic()
    if subprocess.run([sys.executable, "-m", "casebridge", *arguments], stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"the {kept.kind} store of {kept.size:,} cases could not be made")
    taken_s = time.monotonic() - begun
    print(f"the {kept.kind} store of {kept.size:,} cases was made in {taken_s:,.0f} s", file=sys.stderr, flush=True)


def _password() -> str:
    """The administrator's of all kept stores."""
    file = FOLDER / "password"
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(12))
    return file.read_text()


async def _backends(url: str) -> list[int]:
    """Processes of a PostgreSQL server on this machine that serve the connections of ours."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'casebridge'"
        )
        return [row["pid"] for row in rows]
    finally:
        await connection.close()


async def _exists(name: str) -> bool:
    connection = await asyncpg.connect(DSN)
    try:
        return bool(await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name))
    finally:
        await connection.close()


async def _create(name: str) -> None:
    connection = await asyncpg.connect(DSN)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
