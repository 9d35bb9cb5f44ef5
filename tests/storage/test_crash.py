"""What was acknowledged survives a process that is killed while it writes."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from casebridge.storage.opening import open_database

WRITER = """
import asyncio, itertools, sys
from casebridge.storage.opening import open_database
from casebridge.storage.session import Write

numbers = itertools.count()

def keep(key):
    return Write("INSERT INTO meta (key, value) VALUES (:key, '')", {"key": key})

async def write(database):
    for number in numbers:
        await database.commit([keep(f"{number}a"), keep(f"{number}b")])
        print(number, flush=True)

async def main():
    database = await open_database(sys.argv[1])
    await asyncio.gather(*(write(database) for _ in range(16)))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged_at_least", [1, 400])
async def test_a_killed_process_loses_nothing_it_acknowledged(database_target: str, acknowledged_at_least: int) -> None:
    acknowledged = await asyncio.to_thread(write_until_killed, database_target, acknowledged_at_least)
    database = await open_database(database_target)
    stored = {row[0] for row in await database.read("SELECT key FROM meta WHERE key NOT IN ('uuid', 'access')")}
    await database.close()
    assert len(acknowledged) >= acknowledged_at_least
    assert {f"{number}{half}" for number in acknowledged for half in "ab"} <= stored
    assert {key[:-1] for key in stored if key[-1] == "a"} == {key[:-1] for key in stored if key[-1] == "b"}


def write_until_killed(target: str, lines: int) -> list[str]:
    """The numbers a writing process printed before it was killed in full flight."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, target], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return [line.strip() for line in acknowledged if line.endswith("\n")]
