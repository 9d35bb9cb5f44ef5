"""`make bench`: run every benchmark, or those named, and print the report. The exit code tells nothing of the goals."""

from __future__ import annotations

import importlib
import sys

from rich.console import Console
from rich.table import Table

from bench.rig import Row

BENCHMARKS = ("handler", "sqlite_create", "postgresql_create", "outbox", "automatic_push")


def main(names: list[str]) -> None:
    """Measure and show."""
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


def _met(row: Row) -> str:
    sign, _, bound = row.goal.partition(" ")
    met = row.ratio >= float(bound) if sign == ">=" else row.ratio <= float(bound)
    return "[green]met[/]" if met else "[red]missed[/]"


if __name__ == "__main__":
    main(sys.argv[1:])
