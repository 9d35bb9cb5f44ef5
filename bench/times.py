"""Questions timed in turns, since the speed of a machine drifts while it is measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench.rig import Row

_ROUNDS, _IN_A_ROUND = 15, 4


class Question(NamedTuple):
    """What is asked, and what CPU time whoever answers has used so far, in milliseconds."""

    ask: Callable[[], Any]
    spent: Callable[[], float]


class Times(NamedTuple):
    """Milliseconds of answers, and of CPU that an answer took."""

    p50: float
    p95: float
    cpu: float


def in_turns(*questions: Question) -> list[Times]:
    """How long each question takes, none of them the first time it is asked."""
    taken: list[list[float]] = [[] for _ in questions]
    worked: list[list[float]] = [[] for _ in questions]
    for each in questions:
        each.ask()
    for _ in range(_ROUNDS):
        for (ask, spent), times, work in zip(questions, taken, worked, strict=True):
            before = spent()
            for _ in range(_IN_A_ROUND):
                started = time.perf_counter()
                ask()
                times.append(1000 * (time.perf_counter() - started))
            work.append((spent() - before) / _IN_A_ROUND)
    return [
        Times(statistics.median(times), sorted(times)[len(times) * 95 // 100], statistics.median(work))
        for times, work in zip(taken, worked, strict=True)
    ]


def compared(what: str, ours: Times, other: Times, most: float) -> Row:
    """Ours may take at most so many times as long as the other."""
    cpu = ours.cpu / other.cpu if other.cpu else None
    return Row(f"{what}, p50", f"{ours.p50:.2f} ms", f"{other.p50:.2f} ms", ours.p50 / other.p50, f"<= {most:g}", cpu)


def bounded(what: str, times: Times, most_ms: float) -> Row:
    """At most so many milliseconds, of 95 in 100 answers."""
    cpu = times.cpu / most_ms if times.cpu else None
    return Row(f"{what}, p95", f"{times.p95:.2f} ms", f"{most_ms:g} ms", times.p95 / most_ms, "<= 1", cpu)


def cpu_ms(pid: int) -> float:
    """CPU time of all threads of a process, by the scheduler's own clock; 0 where that is not told."""
    used_ns = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            used_ns += int(file.read_text().split()[0])
        except OSError:  # that thread has ended
            continue
    return used_ns / 1e6
