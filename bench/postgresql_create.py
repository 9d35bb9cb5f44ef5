"""Create over HTTP on PostgreSQL against pgbench running the same statements, one round trip each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.rig import CASE_BODY, Row, casebridge, drive
from bench.statements import literal, writes_of_a_create
from casebridge.storage.migrations import migrate

DSN = os.environ.get("CASEBRIDGE_BENCH_PG_DSN", "postgresql://postgres@127.0.0.1:5432/postgres")
_ROUNDS, _SECONDS, _CLIENTS = 3, 5.0, 16


def run() -> list[Row]:
    """One row for one worker, one for two."""
    pgbench = shutil.which("pgbench") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/pgbench")), None)
    if pgbench is None:
        raise SystemExit("pgbench is not installed (Debian: postgresql)")
    with a_database("ours") as ours, a_database("limit") as limit:
        return _measure(pgbench, ours, limit)


@contextmanager
def a_database(purpose: str) -> Iterator[str]:
    """The address of a new database on the server at `DSN`; SystemExit when that cannot be reached."""
    name = f"casebridge_bench_{purpose}"
    _make(name)
    try:
        yield f"{_server()}/{name}"
    finally:
        _psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _measure(pgbench: str, ours_dsn: str, limit_dsn: str) -> list[Row]:
    one, two, limit = [], [], []
    migrate(limit_dsn)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "create.sql"
        script.write_text(_script())
        for _ in range(_ROUNDS):
            for workers, rates in ((1, one), (2, two)):
                with casebridge(Path(folder) / "data", ours_dsn, workers=workers) as (port, _):
                    drive(port, "POST", "/api/cases", CASE_BODY, connections=_CLIENTS, seconds=1)
                    load = drive(port, "POST", "/api/cases", CASE_BODY, connections=_CLIENTS, seconds=_SECONDS)
                    rates.append(load["rate"])
            limit.append(_pgbench(pgbench, script, limit_dsn))
    best = _median(limit)
    return [
        Row(
            f"create, PostgreSQL, {name}, {_CLIENTS} clients",
            f"{_median(rates):,.0f}/s",
            f"{best:,.0f}/s pgbench",
            _median(rates) / best,
            goal,
        )
        for name, rates, goal in (("1 worker", one, ">= 0.40"), ("2 workers", two, ">= 0.60"))
    ]


def _script() -> str:
    """The statements of one create as a pgbench script, in one transaction: ids and counter slots drawn each time."""
    writes = writes_of_a_create("postgresql", "case-id")
    slots = {name: ":slot" for write in writes for name in write.params if name.startswith("slot_")}
    instead = {"case-id": "'case-' || :rnd", **slots}
    statements = [re.sub(r" RETURNING [a-z_, ]+$", "", literal(write, instead).replace("\n", " ")) for write in writes]
    head = "\\set rnd random(1, 1000000000000000000)\n\\set slot random(0, 15)\nBEGIN;\n"
    return head + ";\n".join(statements) + ";\nCOMMIT;\n"


def _pgbench(pgbench: str, script: Path, dsn: str) -> float:
    done = subprocess.run(
        [
            pgbench,
            "-n",
            "-M",
            "simple",
            "-c",
            str(_CLIENTS),
            "-j",
            "2",
            "-T",
            str(round(_SECONDS)),
            "-f",
            str(script),
            dsn,
        ],
        capture_output=True,
        text=True,
    )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if found is None:
        raise SystemExit(f"pgbench said: {done.stderr[-1000:]}")
    return float(found[1])


def _server() -> str:
    parts = urlsplit(DSN)
    return f"{parts.scheme}://{parts.netloc}"


def _make(name: str) -> None:
    _psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    _psql(f'CREATE DATABASE "{name}"')


def _psql(sql: str) -> None:
    import asyncio

    import asyncpg

    async def execute() -> None:
        try:
            connection = await asyncpg.connect(DSN)
        except OSError as error:
            raise SystemExit(f"there is no PostgreSQL at {_server()}: {error}") from None
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    asyncio.run(execute())


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
