"""The chain of the audit trail on both databases: what is sealed, in which order, and every way of tampering."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.audit_chain import START, Event, Head, digest_of
from casebridge.domain.user import Actor, User
from casebridge.push.sealer import Sealer
from casebridge.security.vault import Vault
from casebridge.services import audit_trail
from casebridge.services.ground import Ground
from casebridge.storage import audit, audit_chain
from casebridge.storage.audit_copy import FileCopy, StandardOutput
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database, Write

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ANN = Actor(User("ann", None, None), ("superuser",), "10.0.0.1", "r-1")


@pytest.fixture
def ground(database: Database) -> Ground:
    return ground_of(database)


def ground_of(database: Database) -> Ground:
    outbound = Outbound(AllowedHosts(()), timeout_s=1.0)
    return Ground(
        database=database, vault=Vault({b"k" * 8: b"v" * 32}), outbound=outbound, allowed_hosts=AllowedHosts(())
    )


def an_event(number: int = 0, **more: Any) -> Write:
    return audit.event_write("case_update", ANN, "default", "cases", [f"case-{number}"], AT, **more)


async def write(database: Database, count: int) -> None:
    for number in range(count):
        await database.commit([an_event(number)])


async def seal_all(ground: Ground, sealer: str = "me") -> None:
    while await audit_trail.seal_some(ground, sealer):
        pass


async def change(database: Database, sql: str, **params: Any) -> None:
    await database.commit([Write(sql, params)])


async def test_events_are_sealed_in_places_without_gaps_and_the_chain_is_whole(ground: Ground):
    await write(ground.database, 5)
    await ground.database.commit([an_event(9, owners=["cases"], share=1.5, text="ä \U0001f600 \u2028")])
    before = await audit_trail.verify(ground.database)
    assert (before.head.place, before.tail.count) == (0, 6)

    await seal_all(ground)

    report = await audit_trail.verify(ground.database)
    assert report.fault is None
    assert (report.head.place, report.tail.count) == (6, 0)
    rows = await ground.database.read("SELECT seq, place, sealed FROM audit_event ORDER BY place")
    assert [(row[1], bool(row[2])) for row in rows] == [(place, True) for place in range(1, 7)]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


async def test_many_batches_make_one_chain(ground: Ground, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit_trail, "BATCH", 3)
    await write(ground.database, 8)
    await seal_all(ground)
    await write(ground.database, 2)
    await seal_all(ground)
    report = await audit_trail.verify(ground.database)
    assert (report.fault, report.head.place) == (None, 10)


_OTHER_DOC = 'CAST(\'{"event": {"action": "nothing"}}\' AS {doc})'

TAMPERING = {
    "changed": ("UPDATE audit_event SET doc = {other} WHERE place = 4", 4, "does not say"),
    "time changed": ("UPDATE audit_event SET at = at + 1 WHERE place = 4", 4, "does not say"),
    "space changed": ("UPDATE audit_event SET space = 'other' WHERE place = 4", 4, "does not say"),
    "digest changed": ("UPDATE audit_event SET digest = 'x' WHERE place = 4", 4, "does not say"),
    "deleted": ("DELETE FROM audit_event WHERE place = 4", 4, "places 4 to 4 are missing"),
    "first deleted": ("DELETE FROM audit_event WHERE place < 3", 1, "places 1 to 2 are missing"),
    "newest deleted": ("DELETE FROM audit_event WHERE place > 6", 7, "the newest events were deleted"),
    "all deleted": ("DELETE FROM audit_event", 1, "the newest events were deleted"),
    "reordered": (
        "UPDATE audit_event SET seq = CASE WHEN place = 4 THEN 1005 ELSE 1004 END WHERE place IN (4, 5)",
        4,
        "does not say",
    ),
    "unsealed": ("UPDATE audit_event SET sealed = false, place = NULL, digest = NULL WHERE place = 8", 8, "newest"),
    "moved away": ("UPDATE audit_event SET place = place + 100 WHERE place = 4", 4, "places 4 to 4 are missing"),
    "inserted at the end": (
        "INSERT INTO audit_event (seq, at, space, doc, sealed, place, digest) "
        "VALUES (99, 0, NULL, {other}, true, NULL, NULL)",
        0,
        "1 events call themselves sealed",
    ),
    "head cut back": ("UPDATE audit_chain SET place = 5, seq = 5", 5, "the noted head has another digest"),
    "head deleted": ("DELETE FROM audit_chain", 0, "head of the chain was deleted"),
}


@pytest.mark.parametrize("way", TAMPERING)
async def test_tampering_is_found_and_the_first_broken_link_named(ground: Ground, way: str):
    sql, place, reason = TAMPERING[way]
    database = ground.database
    await write(database, 8)
    await seal_all(ground)
    other = _OTHER_DOC.replace("{doc}", "text" if database.dialect == "sqlite" else "jsonb")

    await change(database, sql.replace("{other}", other))

    fault = (await audit_trail.verify(database)).fault
    assert fault is not None
    assert fault.place == place
    assert reason in fault.reason


async def test_an_event_put_between_others_is_found_even_with_a_digest_that_fits_before_it(ground: Ground):
    database = ground.database
    await write(database, 8)
    await seal_all(ground)
    await change(database, "UPDATE audit_event SET place = place + 100 WHERE place > 4")
    await change(database, "UPDATE audit_event SET place = place - 99 WHERE place > 100")
    [link] = await audit_chain.links(database, 3, 1)
    doc = {"event": {"action": "forged"}}
    digest = digest_of(link.digest, 5, Event(77, 0, None, doc))
    kind = "text" if database.dialect == "sqlite" else "jsonb"
    await change(
        database,
        "INSERT INTO audit_event (seq, at, space, doc, sealed, place, digest) "
        f"VALUES (77, 0, NULL, CAST(CAST(:doc AS text) AS {kind}), true, 5, :digest)",
        doc=json.dumps(doc),
        digest=digest,
    )
    fault = (await audit_trail.verify(database)).fault
    assert fault is not None
    assert fault.place == 6


async def test_a_chain_made_anew_is_found_by_a_head_noted_before(ground: Ground):
    database = ground.database
    await write(database, 6)
    await seal_all(ground)
    noted = (await audit_trail.verify(database)).head
    await change(database, "DELETE FROM audit_event WHERE place = 2")
    await change(database, "UPDATE audit_event SET sealed = false, place = NULL, digest = NULL")
    await change(database, "UPDATE audit_chain SET place = 0, seq = 0, lease_until = 0, digest = :zero", zero="0" * 64)
    await write(database, 3)
    await seal_all(ground)

    assert (await audit_trail.verify(database)).fault is None
    fault = (await audit_trail.verify(database, noted)).fault
    assert fault is not None
    assert fault.place == 6
    assert (await audit_trail.verify(database, Head(99, "0" * 64))).fault is not None


async def test_a_head_noted_before_is_met_again_when_nobody_meddled(ground: Ground):
    await write(ground.database, 4)
    await seal_all(ground)
    noted = (await audit_trail.verify(ground.database)).head
    await write(ground.database, 4)
    await seal_all(ground)
    assert (await audit_trail.verify(ground.database, noted)).fault is None


async def test_a_change_committed_late_gets_a_later_place(postgresql_target: str):
    database = await open_database(postgresql_target)
    late = await asyncpg.connect(postgresql_target)
    try:
        ground = ground_of(database)
        await database.commit([an_event(1)])
        transaction = late.transaction()
        await transaction.start()
        await late.execute(
            "INSERT INTO audit_event (seq, at, space, doc, sealed) VALUES (next_audit(), 0, NULL, '{}', false)"
        )
        await late.execute("SELECT next_audit()")
        await database.commit([an_event(2)])
        await seal_all(ground)
        await transaction.commit()
        await database.commit([an_event(3)])
        await seal_all(ground)

        rows = await database.read("SELECT seq FROM audit_event ORDER BY place")
        assert [row[0] for row in rows] == [1, 4, 2, 5]
        report = await audit_trail.verify(database)
        assert (report.fault, report.head.place, report.tail.count) == (None, 4, 0)
    finally:
        await late.close()
        await database.close()


async def test_many_writers_and_many_sealers_make_one_whole_chain(database: Database, database_target: str):
    others = [await open_database(database_target) for _ in range(3)]
    sealers = [Sealer(ground_of(each), every_s=0.01) for each in others]
    running = [asyncio.create_task(each.run()) for each in sealers]
    try:
        await asyncio.gather(*(write(database, 25) for _ in range(8)))
        async with asyncio.timeout(30):
            while (await audit_chain.tail(database)).count:
                await asyncio.sleep(0.05)
    finally:
        for each in sealers:
            each.stop()
        await asyncio.gather(*running)
        for other in others:
            await other.close()
    report = await audit_trail.verify(database)
    assert (report.fault, report.head.place, report.tail.count) == (None, 200, 0)


async def test_one_process_seals_at_a_time_and_another_goes_on_when_it_is_gone(ground: Ground):
    await write(ground.database, 1)
    await audit_trail.seal_some(ground, "first")
    await write(ground.database, 1)
    with pytest.raises(audit_chain.SealedMeanwhile):
        await audit_trail.seal_some(ground, "second")

    later = datetime.now(UTC) + audit_trail.LEASE + timedelta(seconds=1)
    await audit_trail.seal_some(ground_at(ground, later), "second")
    assert (await audit_trail.verify(ground.database)).head.place == 2
    # A clock that was far ahead does not stop the sealing for as long as it was wrong.
    await write(ground.database, 2)
    await audit_trail.seal_some(ground_at(ground, later + timedelta(days=3)), "third")
    await write(ground.database, 1)
    await audit_trail.seal_some(ground, "fourth")
    assert (await audit_trail.verify(ground.database)).head.place == 5


def ground_at(ground: Ground, now: datetime) -> Ground:
    return msgspec.structs.replace(ground, now=lambda: now)


_WORK = """
import asyncio, sys
from base64 import b64decode
from pathlib import Path
from tests.storage.test_audit_chain import Sealer, ground_of, write, open_database, FileCopy

async def main():
    target, file = b64decode(sys.argv[1]).decode(), sys.argv[2]
    database = await open_database(target)
    copy = FileCopy(database, Path(file))
    sealer = asyncio.create_task(Sealer(ground_of(database), [copy], every_s=0.001).run())
    print("up", flush=True)
    while True:
        await write(database, 1)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_process_killed_anywhere_leaves_a_whole_chain_and_a_whole_copy(database_target: str, tmp_path: Path):
    file = tmp_path / "audit.jsonl"
    for round_ in range(4):
        target = b64encode(database_target.encode()).decode()
        process = subprocess.Popen(
            [sys.executable, "-c", _WORK, target, str(file)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)
        await asyncio.sleep(0.3 + 0.17 * round_)
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
        process.stdout.close()
    database = await open_database(database_target)
    try:
        ground = ground_of(database)
        await asyncio.sleep(audit_trail.LEASE.total_seconds())
        await seal_all(ground)
        report = await audit_trail.verify(database)
        assert (report.fault, report.tail.count) == (None, 0)
        assert report.head.place > 4
        await FileCopy(database, file).catch_up()
        assert places_of(file) == list(range(1, report.head.place + 1))
    finally:
        await database.close()


def places_of(file: Path) -> list[int]:
    return [json.loads(line)["seal"]["place"] for line in file.read_text().splitlines()]


async def test_a_copy_goes_on_where_it_ended_also_when_a_line_was_cut_short_or_the_file_moved_away(
    ground: Ground, tmp_path: Path
):
    file = tmp_path / "audit.jsonl"
    await write(ground.database, 3)
    await seal_all(ground)
    await FileCopy(ground.database, file).catch_up()
    assert places_of(file) == [1, 2, 3]
    assert file.stat().st_mode & 0o777 == 0o600

    whole = file.read_bytes()
    (tmp_path / "audit.jsonl.place").unlink()
    file.write_bytes(whole[:-20])
    copy = FileCopy(ground.database, file)
    await copy.catch_up()
    assert file.read_bytes() == whole

    file.rename(tmp_path / "audit.jsonl.1")
    await write(ground.database, 2)
    await seal_all(ground)
    await copy.catch_up()
    assert places_of(file) == [4, 5]


async def test_a_copy_says_enough_to_follow_the_chain_in_it(ground: Ground, tmp_path: Path):
    file = tmp_path / "audit.jsonl"
    await write(ground.database, 3)
    await seal_all(ground)
    await FileCopy(ground.database, file).catch_up()
    before = START
    for text in file.read_text().splitlines():
        doc = json.loads(text)
        seal = doc.pop("seal")
        event = Event(seal["seq"], seal["at"], doc["casebridge"]["space"], doc)
        before = digest_of(before, seal["place"], event)
        assert seal["digest"] == before


async def test_what_others_wrote_into_the_file_of_the_copy_stays_there(ground: Ground, tmp_path: Path):
    file = tmp_path / "audit.jsonl"
    file.write_text("a note of somebody")
    await write(ground.database, 1)
    await seal_all(ground)
    await FileCopy(ground.database, file).catch_up()
    assert file.read_text().startswith("a note of somebody")


async def test_standard_output_gets_every_event_once_from_whichever_process(ground: Ground, tmp_path: Path):
    file = tmp_path / "out"
    with file.open("wb") as out:
        first, second = StandardOutput(ground.database, out), StandardOutput(ground.database, out)
        await write(ground.database, 2)
        await seal_all(ground)
        await first.catch_up()
        await write(ground.database, 1)
        await seal_all(ground)
        await second.catch_up()
        with suppress(audit_chain.SealedMeanwhile):
            await first.catch_up()
    assert places_of(file) == [1, 2, 3]
