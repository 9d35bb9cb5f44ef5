"""`make bench`: run every benchmark, or those named, and print the report. The exit code tells nothing of the goals.

`--sizes 10k,100k` says how many cases the stores of `lists` have.
"""

from __future__ import annotations

import importlib
import os
import sys

from bench.rig import Row

BENCHMARKS = (
    "handler",
    "authorisation",
    "sqlite_create",
    "postgresql_create",
    "outbox",
    "automatic_push",
    "deliveries",
    "lists",
)


def main(arguments: list[str]) -> None:
    """Measure and show, each row as soon as it is known: a run that is stopped has shown what it measured."""
    names = _names(arguments)
    print(_line("what", "ours", "limit", "ratio", "by CPU", "goal", ""), flush=True)
    for name in names or BENCHMARKS:
        try:
            for row in importlib.import_module(f"bench.{name}").run():
                print(_shown(row), flush=True)
        except SystemExit as missing:
            print(f"{name} was not measured: {missing}", flush=True)


def _shown(row: Row) -> str:
    by_cpu = "" if row.cpu is None else f"{row.cpu:.2f}"
    return _line(row.what, row.ours, row.limit, f"{row.ratio:.2f}", by_cpu, row.goal, _met(row))


def _line(what: str, ours: str, limit: str, ratio: str, by_cpu: str, goal: str, met: str) -> str:
    return f"{what:<86} {ours:>12} {limit:>12} {ratio:>6} {by_cpu:>6} {goal:>7} {met}".rstrip()


def _names(arguments: list[str]) -> list[str]:
    """The benchmarks named; the option becomes the variable that `lists` reads."""
    names = []
    rest = iter(arguments)
    for each in rest:
        option, equals, value = each.partition("=")
        if option == "--sizes":
            os.environ["CASEBRIDGE_BENCH_SIZES"] = value if equals else next(rest, "")
        elif each in BENCHMARKS:
            names.append(each)
        else:
            raise SystemExit(f"there is no benchmark {each}; there are {', '.join(BENCHMARKS)}, and the option --sizes")
    return names


def _met(row: Row) -> str:
    sign, _, bound = row.goal.partition(" ")
    met = row.ratio >= float(bound) if sign == ">=" else row.ratio <= float(bound)
    return "met" if met else "missed"


if __name__ == "__main__":
    main(sys.argv[1:])
