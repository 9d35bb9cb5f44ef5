"""`make bench`: run every benchmark, or those named, and print the report. The exit code tells nothing of the goals.

`--sizes 10k,100k` says how many cases the stores of `lists` have.
"""

from __future__ import annotations

import importlib
import os
import sys

from rich.console import Console
from rich.table import Table

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
    """Measure and show."""
    names = _names(arguments)
    table = Table("what", "ours", "limit", "ratio", "goal", "", box=None, header_style="bold")
    for name in names or BENCHMARKS:
        try:
            rows = importlib.import_module(f"bench.{name}").run()
        except SystemExit as missing:
            table.add_row(name, "-", f"not measured: {missing}", "", "", "")
            continue
        for row in rows:
            table.add_row(row.what, row.ours, row.limit, f"{row.ratio:.2f}", row.goal, _met(row))
    Console().print(table)


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
    return "[green]met[/]" if met else "[red]missed[/]"


if __name__ == "__main__":
    main(sys.argv[1:])
