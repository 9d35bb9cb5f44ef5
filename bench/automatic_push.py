"""Creates over HTTP on SQLite with automatic push on, its worker stopped, against the same with it off."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.rig import CASE, CASE_BODY, Row, casebridge, drive, post

_ROUNDS, _SECONDS = 5, 3.0
_PATH = "/api/casebridge/automation"


def run() -> list[Row]:
    """One row."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    with (
        tempfile.TemporaryDirectory() as folder,
        casebridge(Path(folder) / "data", settings={"CASEBRIDGE_WORKER": "false"}) as (port, _),
    ):
        drive(port, "POST", "/api/cases", CASE_BODY, seconds=1)
        version = None
        # Rounds take turns, because the machine's speed drifts.
        for _ in range(_ROUNDS):
            for on in rates:
                body = {"owner": CASE["owner"], "version": version, "auto_push": {"enabled": on}}
                version = post(port, _PATH, body, "PUT")["version"]
                rates[on].append(drive(port, "POST", "/api/cases", CASE_BODY, seconds=_SECONDS)["rate"])
    ours, off = (sorted(rates[on])[_ROUNDS // 2] for on in (True, False))
    return [Row("create with automatic push, SQLite", f"{ours:,.0f}/s", f"{off:,.0f}/s off", ours / off, ">= 0.8")]
