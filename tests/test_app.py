"""The composition root, in process: what it opens, in which order it lets go, and what goes on beside requests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from casebridge import app
from casebridge.app import Program, StoreRefused, asgi, build, holding, is_current
from casebridge.services.ground import Ground
from casebridge.settings import Settings
from casebridge.storage.migrations import HEAD
from tests.s3 import KEYS, S3Server

PASSWORD = "correct horse battery"


class Work:
    """Background work that notes what happens to it; `faults` times it fails at first."""

    def __init__(self, faults: int = 0) -> None:
        self.faults = faults
        self.runs = 0
        self.is_done = False
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        self.runs += 1
        if self.runs <= self.faults:
            raise RuntimeError("stumbled")
        await self._stopping.wait()
        await asyncio.sleep(0.01)
        self.is_done = True

    def stop(self) -> None:
        self._stopping.set()


@pytest.fixture(autouse=True)
def logs_stay(monkeypatch: pytest.MonkeyPatch):
    """Logging is set up for whole processes; a test must not do that for those after it, nor notice those before."""
    monkeypatch.setattr(app, "start_logs", lambda loaded: None)
    monkeypatch.setattr(app, "log", structlog.get_logger())


@pytest.fixture
def settings(tmp_path: Path, sqlite_template: Path) -> Settings:
    """Settings over a migrated store of this test's own."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "casebridge.sqlite").write_bytes(sqlite_template.read_bytes())
    return Settings(data=data, admin_password=PASSWORD, drain_s=1)


async def start(settings: Settings, *work: Work) -> Program:
    def background(ground: Ground, settings: Settings) -> list[Work]:
        return list(work)

    return await build(settings, background=background)


async def level(program: Program) -> str:
    """How the server says it is."""
    transport = httpx2.ASGITransport(program.api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://casebridge.test") as client:
        answer = await client.get("/api/status")
    return str(answer.json()["status"]["overall"]["level"])


async def test_background_work_is_finished_before_the_database_is_closed(settings: Settings):
    work = Work()
    program = await start(settings, work)
    closed_after: list[bool] = []
    close = program.ground.database.close

    async def noting() -> None:
        closed_after.append(work.is_done)
        await close()

    program._held.push_async_callback(noting)
    await asyncio.sleep(0)
    await program.close()
    await program.close()

    assert closed_after == [True]


async def test_work_that_fails_starts_again_and_is_told_by_the_status(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("casebridge.push.crew.RESTART_AFTER_S", 0.2)
    work = Work(faults=1)
    program = await start(settings, work)
    await asyncio.sleep(0.05)
    during = await level(program)
    await asyncio.sleep(0.3)
    after = await level(program)
    await program.close()

    assert (during, after) == ("degraded", "available")
    assert work.runs == 2


async def test_work_that_does_not_end_is_cut_off_after_the_drain_time(settings: Settings):
    class Stubborn(Work):
        def stop(self) -> None:
            pass

    program = await start(settings, Stubborn())
    await asyncio.wait_for(program.close(), 3)


async def test_without_a_worker_the_server_says_it_is_degraded(settings: Settings):
    program = await start(settings)

    assert await level(program) == "degraded"
    await program.close()


async def test_nothing_stays_open_when_the_start_fails(settings: Settings):
    def background(ground: Ground, settings: Settings) -> list[Work]:
        raise RuntimeError("stumbled")

    with pytest.raises(RuntimeError):
        await build(settings, background=background)

    program = await start(settings)
    await program.close()


def test_one_server_holds_a_data_folder(tmp_path: Path):
    with holding(tmp_path), pytest.raises(StoreRefused, match="served by another process"), holding(tmp_path):
        pass
    with holding(tmp_path):
        pass


def test_schemas_are_compared_by_number():
    assert is_current(HEAD, Settings())
    assert not is_current(None, Settings())
    assert not is_current("0000", Settings())
    for newer in ("9999", "abc"):
        with pytest.raises(StoreRefused, match="newer"):
            is_current(newer, Settings())


async def test_the_application_lives_as_long_as_its_server(settings: Settings):
    served = asgi({"CASEBRIDGE_DATA": str(settings.data), "CASEBRIDGE_ADMIN_PASSWORD": PASSWORD})
    told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    sent: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    life = asyncio.create_task(served({"type": "lifespan"}, told.get, sent.put))
    await told.put({"type": "lifespan.startup"})
    assert (await sent.get())["type"] == "lifespan.startup.complete"

    transport = httpx2.ASGITransport(served)
    async with httpx2.AsyncClient(transport=transport, base_url="http://casebridge.test") as client:
        answer = await client.get("/api/spaces/space", auth=("admin", PASSWORD))

    await told.put({"type": "lifespan.shutdown"})
    assert (await sent.get())["type"] == "lifespan.shutdown.complete"
    await life
    assert answer.status_code == 200


async def test_an_application_that_cannot_start_says_why(settings: Settings):
    served = asgi({"CASEBRIDGE_DATA": str(settings.data)})
    told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    sent: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    await told.put({"type": "lifespan.startup"})
    with holding(settings.data):
        await served({"type": "lifespan"}, told.get, sent.put)

    failed = await sent.get()
    assert failed["type"] == "lifespan.startup.failed"
    assert "served by another process" in failed["message"]


async def test_what_a_crash_left_of_files_is_put_in_order_at_start(settings: Settings):
    folder = settings.data / "files"
    folder.mkdir()
    (folder / "half.part").write_bytes(b"x")

    program = await start(settings)
    await program.close()

    assert list(folder.iterdir()) == []


async def test_a_bucket_that_cannot_be_reached_does_not_keep_the_server_from_starting(settings: Settings):
    away = msgspec.structs.replace(
        settings,
        files_bucket="files",
        files_endpoint="http://127.0.0.1:9",
        files_access_key_id="key",
        files_secret_access_key="hunter2",
    )

    with capture_logs() as logs:
        program = await start(away)
    await program.close()

    (told,) = [each["reason"] for each in logs if each["event"].startswith("files cannot be used")]
    assert "files_endpoint" in told
    assert "hunter2" not in str(logs)


async def test_what_a_crash_left_in_a_bucket_is_put_in_order_at_start(settings: Settings, s3: S3Server):
    place = s3.new_bucket("casebridge")
    s3.broken_off(place, "casebridge/half")
    here = msgspec.structs.replace(
        settings,
        files_bucket=place.name,
        files_endpoint=place.endpoint,
        files_region=place.region,
        files_access_key_id=KEYS.id,
        files_secret_access_key=KEYS.secret,
    )

    program = await start(here)
    await program.close()

    assert s3.uploads(place) == []
