"""Lists, counts and searches at growing numbers of cases: what grows with the store, and what must not.

Stores are made once and kept in `.bench/` and in databases `casebridge_bench_lists_*`: at the sizes of
`CASEBRIDGE_BENCH_SIZES` (or `--sizes 10k,100k,1m`), with five comments a case (`CASEBRIDGE_BENCH_COMMENTS`).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import asyncpg

from bench.client import Client
from bench.rig import Row, casebridge

FOLDER = Path(os.environ.get("CASEBRIDGE_BENCH_FOLDER", Path(__file__).parent.parent / ".bench"))
DSN = os.environ.get("CASEBRIDGE_BENCH_PG_DSN", "postgresql://postgres@127.0.0.1:5432/postgres")
COMMENTS = os.environ.get("CASEBRIDGE_BENCH_COMMENTS", "5")
KINDS = os.environ.get("CASEBRIDGE_BENCH_DATABASES", "sqlite,postgresql").split(",")
SORTS = ("createdAt", "updatedAt", "closedAt", "title", "category", "status", "severity")
# Words of the seeded texts: in nearly all cases, in a tenth, in a few hundred of a million.
WORDS = {"common": "the", "middling": "Nairobi", "rare": "campaign-007"}
LIST = "/api/cases/_find?owner=securitySolution&status=closed&tags=vpn&perPage=20"
_ROUNDS, _REQUESTS = 5, 12


def sizes() -> list[int]:
    """The sizes asked for, smallest first."""
    text = os.environ.get("CASEBRIDGE_BENCH_SIZES", "10k,100k,1m").lower()
    try:
        found = sorted({int(each.strip().replace("k", "000").replace("m", "000000")) for each in text.split(",")})
    except ValueError:
        found = []
    if not found or found[0] < 1:
        raise SystemExit(f"--sizes takes numbers of cases such as 10k,100k,1m, given {text!r}")
    return found


def run() -> list[Row]:
    """Rows for every database: the largest size beside the smallest."""
    return [row for kind in KINDS for row in _measure(kind)]


def _measure(kind: str) -> list[Row]:
    wanted = sizes()
    stores = {size: _store(kind, size) for size in wanted}
    with ExitStack() as held:
        clients = {size: held.enter_context(_served(*store)) for size, store in stores.items()}
        bench = _Bench(kind, clients, wanted[0], wanted[-1])
        return [*bench.lists(), *bench.depths(), *bench.counters(), *bench.searches(), *bench.activity(), *bench.bulk()]


@contextmanager
def _served(data: Path, url: str | None) -> Iterator[Client]:
    password = _password()
    with casebridge(data, url, settings={"CASEBRIDGE_ADMIN_PASSWORD": password}) as (port, _):
        client = Client(port, password)
        yield client
        client.close()


class Times(NamedTuple):
    """Milliseconds of answers."""

    p50: float
    p95: float


class _Bench:
    def __init__(self, kind: str, clients: dict[int, Client], small: int, large: int) -> None:
        self._kind = kind
        self._clients = clients
        self._small, self._large = small, large
        self._grown = f"{large:,} against {small:,}"

    def _title(self, what: str) -> str:
        return f"{self._kind}: {what}"

    def _beside(self, *asked: tuple[int, Callable[[Client], Any]]) -> list[Times]:
        """Several questions in turns, since the machine's speed drifts; each of its own store."""
        taken: list[list[float]] = [[] for _ in asked]
        for size, ask in asked:
            ask(self._clients[size])
        for _ in range(_ROUNDS):
            for (size, ask), times in zip(asked, taken, strict=True):
                for _ in range(_REQUESTS):
                    started = time.perf_counter()
                    ask(self._clients[size])
                    times.append(1000 * (time.perf_counter() - started))
        return [Times(statistics.median(each), sorted(each)[len(each) * 95 // 100]) for each in taken]

    def _grows(self, what: str, path: str, most: float) -> tuple[Row, Times]:
        """The same question at the largest and the smallest size."""
        ask = _get(path)
        large, small = self._beside((self._large, ask), (self._small, ask))
        title = self._title(f"{what}, {self._grown}, p50")
        row = Row(title, f"{large.p50:.2f} ms", f"{small.p50:.2f} ms", large.p50 / small.p50, f"<= {most}")
        return row, large

    def _bounded(self, what: str, times: Times, most_ms: float) -> Row:
        title = self._title(f"{what}, {self._large:,} cases, p95")
        return Row(title, f"{times.p95:.2f} ms", f"{most_ms:g} ms", times.p95 / most_ms, "<= 1")

    def lists(self) -> list[Row]:
        """Owner, status and tag, with the exact total, in every order."""
        rows = []
        for sort in SORTS:
            for order in ("desc", "asc"):
                row, times = self._grows(
                    f"page of 20 by {sort} {order}", f"{LIST}&sortField={sort}&sortOrder={order}", 1.3
                )
                rows += [row, self._bounded(f"page of 20 by {sort} {order}", times, 10)]
        return rows

    def depths(self) -> list[Row]:
        """Far down a list, and half-way through a walk."""
        newest = "/api/cases/_find?owner=securitySolution&sortOrder=desc&perPage=20"
        # The wire's window ends at row 10,000; a smaller store has no such row.
        page = min(500, self._large * 6 // 10 // 20)
        cursor = self._half_way()
        walk = "/api/casebridge/cases?limit=20"
        asked = [_get(f"{newest}&page={page}"), _get(newest), _get(f"{walk}&cursor={cursor}"), _get(walk)]
        deep, first, half, begin = self._beside(*((self._large, each) for each in asked))
        row_number = (page - 1) * 20
        return [
            Row(
                self._title(f"page at row {row_number:,} against page 1, p50"),
                f"{deep.p50:.2f} ms",
                f"{first.p50:.2f} ms",
                deep.p50 / first.p50,
                "<= 3",
            ),
            Row(
                self._title("walk half-way against its begin, p50"),
                f"{half.p50:.2f} ms",
                f"{begin.p50:.2f} ms",
                half.p50 / begin.p50,
                "<= 2",
            ),
        ]

    def _half_way(self) -> str:
        from casebridge.domain.cursor import cursor_text

        return cursor_text(self._large // 2)

    def counters(self) -> list[Row]:
        """Counts of statuses, and the tags in use."""
        paths = (("status counts", "/api/cases/status"), ("tag list", "/api/cases/tags"))
        return [self._grows(what, path, 2)[0] for what, path in paths]

    def searches(self) -> list[Row]:
        """The newest 20 cases with a word, without the total: a step of ours that counts nothing is the page itself."""
        most_ms = 10 if self._kind == "sqlite" else 100
        rows = []
        for what, word in WORDS.items():
            path = f"/api/cases/_find?sortOrder=desc&perPage=20&search={quote(chr(34) + word + chr(34))}"
            (whole,) = self._beside((self._large, _get(path)))
            (count,) = self._beside((self._large, _get(path.replace("perPage=20", "perPage=0"))))
            page = Times(max(0.0, whole.p50 - count.p50), max(0.0, whole.p95 - count.p50))
            rows.append(
                self._bounded(f"search for a {what} word (page {page.p50:.2f}, total {count.p50:.2f})", page, most_ms)
            )
        return rows

    def activity(self) -> list[Row]:
        """A case with 10,000 records, and one with ten."""
        client = self._clients[self._small]
        long, short = _case_with(client, 9_999), _case_with(client, 9)
        asked = [
            (self._small, _get(f"/api/cases/{id_}/user_actions/_find?perPage=20&sortOrder=desc"))
            for id_ in (long, short)
        ]
        many, few = self._beside(*asked)
        title = self._title("first page of 10,000 user actions against 10, p50")
        return [Row(title, f"{many.p50:.2f} ms", f"{few.p50:.2f} ms", many.p50 / few.p50, "<= 1.5")]

    def bulk(self) -> list[Row]:
        """A hundred comments in one request, and in a hundred."""
        client = self._clients[self._small]
        comment = {"type": "user", "comment": "Checked the proxy logs.", "owner": "cases"}
        together, alone = [], []
        for _ in range(3):
            one, other = _new_case(client), _new_case(client)
            started = time.perf_counter()
            client.ask("POST", f"/internal/cases/{one}/attachments/_bulk_create", [comment] * 100)
            together.append(time.perf_counter() - started)
            started = time.perf_counter()
            for _ in range(100):
                client.ask("POST", f"/api/cases/{other}/comments", comment)
            alone.append(time.perf_counter() - started)
        ours, limit = 100 / statistics.median(together), 100 / statistics.median(alone)
        title = self._title("100 attachments in one request against 100 requests")
        return [Row(title, f"{ours:,.0f}/s", f"{limit:,.0f}/s", ours / limit, ">= 5")]


def _get(path: str) -> Callable[[Client], Any]:
    return lambda client: client.ask("GET", path)


def _new_case(client: Client) -> str:
    body = {
        "owner": "cases",
        "title": "Bench",
        "description": "A case to measure with.",
        "tags": [],
        "settings": {"syncAlerts": False},
        "connector": {"id": "none", "name": "none", "type": ".none", "fields": None},
    }
    return str(client.ask("POST", "/api/cases", body)["id"])


def _case_with(client: Client, comments: int) -> str:
    """A case with so many comments, of which each leaves one record beside that of the creation."""
    id_ = _new_case(client)
    comment = {"type": "user", "comment": "Noted.", "owner": "cases"}
    while comments:
        some = min(100, comments)
        client.ask("POST", f"/internal/cases/{id_}/attachments/_bulk_create", [comment] * some)
        comments -= some
    return id_


# Stores


def _password() -> str:
    """The administrator's of all kept stores."""
    file = FOLDER / "password"
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(12))
    return file.read_text()


def _store(kind: str, size: int) -> tuple[Path, str | None]:
    """Data folder and address of a store with so many cases, made if it is not there."""
    data = FOLDER / f"{kind}-{size}"
    parts = urlsplit(DSN)
    name = f"casebridge_bench_lists_{size}"
    url = f"{parts.scheme}://{parts.netloc}/{name}" if kind == "postgresql" else None
    done = data / "seeded"
    if done.exists() and (url is None or asyncio.run(_exists(name))):
        return data, url
    if url is None:
        (data / "casebridge.sqlite").unlink(missing_ok=True)
    else:
        asyncio.run(_make(name))
    arguments = ["seed", "--cases", str(size), "--comments", COMMENTS, "--data", str(data)]
    if url:
        arguments += ["--database-url", url]
    if subprocess.run([sys.executable, "-m", "casebridge", *arguments], stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"the {kind} store of {size:,} cases could not be made")
    done.touch()
    return data, url


async def _exists(name: str) -> bool:
    connection = await asyncpg.connect(DSN)
    try:
        return bool(await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name))
    finally:
        await connection.close()


async def _make(name: str) -> None:
    connection = await asyncpg.connect(DSN)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
