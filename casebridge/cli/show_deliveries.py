"""Deliveries for people: a table of them, one in full, one line a change."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from casebridge.cli.remote import plain

_WIDE = 200
"""Columns of an output that is no terminal: a program that reads it wants nothing cut off."""
_COLOURS = {
    "queued": "blue",
    "sending": "cyan",
    "waiting": "yellow",
    "uncertain": "magenta",
    "delivered": "green",
    "failed": "red",
    "cancelled": "dim",
    "accepted": "green",
    "pending": "yellow",
    "passing_fault": "yellow",
    "permanent_fault": "red",
    "unknown": "magenta",
}


def console() -> Console:
    """Where it is shown."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


def show_page(page: dict[str, Any]) -> None:
    """A page of deliveries, and how many there are in all."""
    out, found = console(), page["deliveries"]
    if not found:
        out.print("No deliveries." if page["total"] == 0 else f"No deliveries on page {page['page']}.", style="dim")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Delivery", no_wrap=True, min_width=36)
    for name in ("State", "Connector", "Record", "Tries", "Changed"):
        table.add_column(name, no_wrap=name in ("State", "Tries", "Changed"), overflow="fold")
    is_wide = out.width >= 140
    if is_wide:
        table.add_column("Case", no_wrap=True, min_width=36)
        table.add_column("Error", overflow="fold")
    for each in found:
        row = [
            Text(plain(each["id"])),
            _state(each["state"]),
            Text(plain(each["connector_id"])),
            Text(plain(each["external_id"] or "-")),
            Text(str(each["attempt_count"]), justify="right"),
            Text(_ago(each["updated_at"] or each["created_at"])),
        ]
        if is_wide:
            row += [Text(plain(each["case_id"])), Text(plain((each["error"] or {}).get("message", "")), style="dim")]
        table.add_row(*row)
    out.print(table)
    first = (page["page"] - 1) * page["per_page"] + 1
    out.print(f"{first} to {first + len(found) - 1} of {page['total']}", style="dim")


def show_one(delivery: dict[str, Any]) -> None:
    """All there is to know of a delivery."""
    out = console()
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("Delivery", Text(plain(delivery["id"]), style="bold"))
    facts.add_row("State", _state(delivery["state"]))
    for name, value in _facts(delivery):
        facts.add_row(name, Text(plain(value)))
    out.print(facts)
    if delivery["error"]:
        error = delivery["error"]
        heals = "will not heal by waiting" if error["permanent"] else "may pass"
        out.print(Text.assemble(("\nError ", "bold red"), f"{plain(error['message'])} ", (f"({heals})", "dim")))
    if delivery["comments"]:
        out.print("\nComments", style="bold")
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 2))
        for each in delivery["comments"]:
            table.add_row(_state(each["state"]), plain(each["comment_id"]), Text(plain(each["external_id"] or "")))
        out.print(table)
    for number, attempt in enumerate(delivery.get("attempts", ()), 1):
        _show_attempt(out, number, attempt)


def _facts(delivery: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Case", f"{delivery['case_id']} ({delivery['owner']})"
    yield "Connector", f"{delivery['connector_id']} ({delivery['connector_type']})"
    by = delivery["created_by"].get("username") or delivery["created_by"].get("full_name") or "nobody"
    yield "Asked for", f"{delivery['created_at']}, by {by}, {delivery['origin']}, {delivery['action']}"
    if delivery["updated_at"]:
        yield "Changed", f"{delivery['updated_at']} ({_ago(delivery['updated_at'])})"
    if delivery["external_id"]:
        yield "Record", f"{delivery['external_id']} {delivery['external_url'] or ''}".strip()
    if delivery["next_attempt_at"]:
        yield "Next try", delivery["next_attempt_at"]
    yield "Tries", str(delivery["attempt_count"])


def _show_attempt(out: Console, number: int, attempt: dict[str, Any]) -> None:
    colour = _COLOURS.get(attempt["outcome"], "")
    took = f"{attempt['started_at']}, {attempt['duration_ms']} ms"
    out.print(Text.assemble((f"\nTry {number} ", "bold"), (attempt["outcome"].replace("_", " "), colour), f"  {took}"))
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(justify="right")
    table.add_column()
    table.add_column(overflow="fold")
    for each in attempt["calls"]:
        status = Text("no answer", style="red") if each["status"] is None else Text(str(each["status"]))
        table.add_row(status, plain(each["method"]), Text(plain(each["url"])), f"{each['duration_ms']} ms")
    out.print(table)


def show_change(delivery: dict[str, Any]) -> None:
    """A delivery in one line."""
    line = Text.assemble(
        (f"{datetime.now():%H:%M:%S} ", "dim"),
        (f"{delivery['state']:<9} ", _COLOURS.get(delivery["state"], "")),
        f"{plain(delivery['id'])}  {plain(delivery['connector_id'])}",
    )
    if delivery["external_id"]:
        line.append(f" → {plain(delivery['external_id'])}")
    if delivery["error"]:
        line.append(f"  {plain(delivery['error']['message'])}", style="dim")
    if delivery["next_attempt_at"] and delivery["state"] in ("waiting", "uncertain"):
        line.append(f"  next {_ago(delivery['next_attempt_at'])}", style="dim")
    console().print(line, soft_wrap=True)


@contextmanager
def watching(*, quiet: bool) -> Iterator[Callable[[Sequence[dict[str, Any]]], None]]:
    """Keep a line with the number of open deliveries below what is printed; nothing where there is no terminal."""
    out = console()
    if quiet or not out.is_terminal:
        yield lambda found: None
        return
    with out.status("looking …") as status:

        def tell(found: Sequence[dict[str, Any]]) -> None:
            counts = Counter(each["state"] for each in found)
            shown = [f"{state} {counts[state]}" for state in ("queued", "sending", "waiting", "uncertain")]
            status.update("  ".join(shown) + "  (Ctrl+C ends)")

        yield tell


def _state(state: str) -> Text:
    return Text(plain(state), style=_COLOURS.get(state, ""))


def _ago(text: str) -> str:
    """A moment as people say it from now."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()
    amount = abs(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if amount >= size:
            shown = f"{amount / size:.0f} {unit}"
            break
    else:
        shown = f"{amount:.0f} s"
    return f"{shown} ago" if seconds >= 0 else f"in {shown}"
