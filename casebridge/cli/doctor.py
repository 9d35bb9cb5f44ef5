"""`casebridge doctor`: looks the whole installation over and says in plain words what to do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from casebridge.cli.options import AllOptions, read
from casebridge.cli.remote import plain, print_json
from casebridge.domain.errors import CasebridgeError
from casebridge.settings import Loaded, Settings

if TYPE_CHECKING:
    from casebridge.services.checkup import Finding

_MARKS: dict[str, Any] = {
    "ok": ("ok      ", "green"),
    "warning": ("warning ", "yellow"),
    "problem": ("PROBLEM ", "red"),
}


def doctor(
    options: AllOptions = None,
    *,
    offline: Annotated[
        bool, Parameter(help="Do not call connectors, alert sinks and the place of files.", negative="")
    ] = False,
    patience_s: Annotated[float, Parameter(help="Seconds that each of them has to answer.")] = 10.0,
    as_json: Annotated[bool, Parameter(name="--json", help="Print JSON.", negative="")] = False,
) -> int:
    """Look over files, keys, clock, database, passwords, TLS and what is reached; 0 without problems, else 1.

    Give it the options, variables and file of the server, and run it as the server's user; the server may go on
    running. It changes nothing, and writes nothing at the systems it calls. Warnings do not change the exit code.
    """
    from casebridge import logs

    loaded = read(options)
    # What it would log is told as findings, more plainly.
    logs.set_up("error", loaded.settings.log_format)
    found = asyncio.run(_examine(loaded, reach_out=not offline, patience_s=max(0.1, patience_s)))
    _tell(found, as_json=as_json)
    return 1 if any(each.level == "problem" for each in found) else 0


async def _examine(loaded: Loaded, *, reach_out: bool, patience_s: float) -> list[Finding]:
    from casebridge.cli.checks import look_around
    from casebridge.services.checkup import Finding

    found = list(look_around(loaded))
    database = await _database(loaded.settings)
    found.append(database)
    if database.level == "ok" and not any(each.topic in ("key", "tls") and each.level == "problem" for each in found):
        from casebridge.app import ground_beside
        from casebridge.services.checkup import examine

        try:
            async with ground_beside(loaded.settings) as ground:
                found += await examine(ground, reach_out=reach_out, patience_s=patience_s)
        except CasebridgeError as error:
            found.append(Finding("store", "problem", str(error)))
    return found


async def _database(settings: Settings) -> Finding:
    """Whether the database can be reached and has our schema. It is not made here."""
    from casebridge.app import StoreRefused, is_current
    from casebridge.services.checkup import Finding
    from casebridge.storage.migrations import HEAD, schema_number
    from casebridge.storage.opening import open_database

    target = settings.database_target
    if isinstance(target, Path) and not target.exists():
        return Finding(
            "database", "problem", f"There is no database {target}.", "Start the server once, or check --data."
        )
    try:
        database = await open_database(target, pool_size=1)
        try:
            number = await schema_number(database)
        finally:
            await database.close()
        if is_current(number, settings):
            return Finding("database", "ok", f"It can be reached and has schema {HEAD}, which is ours.")
    except StoreRefused as error:
        return Finding("database", "problem", str(error))
    except CasebridgeError as error:
        advice = "Is it running, and are address, user and password right?" if settings.database_url else None
        return Finding("database", "problem", str(error), advice)
    return Finding(
        "database", "problem", f"It has schema {number}, ours is {HEAD}.", "Back it up; the next start migrates it."
    )


def _tell(found: list[Finding], *, as_json: bool) -> None:
    if as_json:
        levels: list[str] = [each.level for each in found]
        counts = {level: levels.count(level) for level in ("ok", "warning", "problem")}
        print_json({"healthy": not counts["problem"], "counts": counts, "findings": found})
        return
    from rich.text import Text

    from casebridge.cli.show_deliveries import console

    out = console()
    for each in found:
        line = Text.assemble(_MARKS[each.level], (f"{plain(each.topic)}: ", "bold"), plain(each.text))
        out.print(line, soft_wrap=True)
        if each.advice is not None:
            out.print(Text(f"          {plain(each.advice)}"), soft_wrap=True)
