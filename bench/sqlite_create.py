"""Create over HTTP on SQLite against a loop in C that commits the same rows one transaction after the other."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from pathlib import Path

from bench.rig import CASE_BODY, Row, casebridge, drive
from bench.statements import literal, writes_of_a_create
from casebridge.storage.migrations import migrate
from casebridge.storage.session import Write

_ROUNDS, _SECONDS, _BATCH = 3, 4.0, 200


def run() -> list[Row]:
    """Rows for many clients and for one."""
    ours, alone_ms, limit = [], [], []
    with tempfile.TemporaryDirectory() as folder, casebridge(Path(folder) / "data") as (port, _):
        loop = _Loop(Path(folder) / "limit.sqlite")
        drive(port, "POST", "/api/cases", CASE_BODY, seconds=1)
        # Rounds take turns, because the machine's speed drifts.
        for _ in range(_ROUNDS):
            ours.append(drive(port, "POST", "/api/cases", CASE_BODY, connections=32, seconds=_SECONDS)["rate"])
            limit.append(loop.rate(_SECONDS))
            alone_ms.append(drive(port, "POST", "/api/cases", CASE_BODY, connections=1, seconds=2)["p50_ms"])
    rate, best = _median(ours), _median(limit)
    one_ms, commit_ms = _median(alone_ms), 1000 / best
    return [
        Row("create, SQLite, 32 clients", f"{rate:,.0f}/s", f"{best:,.0f}/s C loop", rate / best, ">= 1.5"),
        Row(
            "create, SQLite, 1 client, p50",
            f"{one_ms:.2f} ms",
            f"{commit_ms:.2f} ms C loop",
            one_ms / commit_ms,
            "<= 3",
        ),
    ]


class _Loop:
    """SQLite's own shell loop: `executescript` runs whole batches of transactions without coming back to Python."""

    def __init__(self, path: Path) -> None:
        migrate(path)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._number = 0

    def rate(self, seconds: float) -> float:
        """Transactions a second."""
        scripts = []
        done, spent = 0, 0.0
        while spent < seconds:
            scripts = [self._transaction() for _ in range(_BATCH)]
            script = "\n".join(scripts)
            started = time.perf_counter()
            self._db.executescript(script)
            spent += time.perf_counter() - started
            done += _BATCH
        return done / spent

    def _transaction(self) -> str:
        self._number += 1
        number = str(self._number)
        statements = [literal(write) for write in writes_template()]
        text = ";\n".join(statements)
        for name in ("next_version()", "next_pk()", "next_incremental('default')", "next_audit()", "present_pk()"):
            text = text.replace(name, number)
        return f"BEGIN IMMEDIATE;\n{text.replace('case-id', f'case-{number}')};\nCOMMIT;"


_template: list[Write] = []


def writes_template() -> list[Write]:
    """The writes of one create, made once; the id is the word `case-id`."""
    if not _template:
        _template.extend(writes_of_a_create("sqlite", "case-id"))
    return _template


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
