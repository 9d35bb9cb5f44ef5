"""`casebridge audit`: checking the chain of the audit trail, also while servers run."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from casebridge.cli.options import StoreOptions, read
from casebridge.cli.remote import print_json
from casebridge.settings import Settings, SettingsError

if TYPE_CHECKING:
    from casebridge.domain.audit_chain import Head
    from casebridge.services.audit_trail import Report

LATE_S = 60
_HEAD = re.compile(r"([1-9][0-9]{0,18}):([0-9a-f]{64})")


def app() -> App:
    """The command with its subcommands."""
    made = App("audit", help="Check the audit trail of the local store.")
    made.command(verify)
    return made


def verify(
    options: StoreOptions = None,
    *,
    expect: Annotated[
        str | None,
        Parameter(
            help="A head printed by an earlier check: it must still be part of the chain. Without it, who can write "
            "to the database may have made a whole new chain.",
            metavar="PLACE:DIGEST",
        ),
    ] = None,
    as_json: Annotated[bool, Parameter(name="--json", help="Print JSON.", negative="")] = False,
) -> int:
    """Follow the chain of the audit trail; 0 when it is whole, 1 with the first broken link when it is not.

    Servers may go on running. Events that are not sealed yet are counted: there are some for a moment only, while a
    server runs. Note the head that is printed, outside of this machine, and give it with `--expect` the next time.
    """
    loaded = read(options)
    report = asyncio.run(_verify(loaded.settings, _head(expect)))
    if as_json:
        print_json(_told(report))
    else:
        _print(report)
    return 0 if report.is_whole else 1


async def _verify(settings: Settings, expected: Head | None) -> Report:
    from casebridge.app import open_existing
    from casebridge.services import audit_trail

    database = await open_existing(settings)
    try:
        return await audit_trail.verify(database, expected)
    finally:
        await database.close()


def _head(text: str | None) -> Head | None:
    from casebridge.domain.audit_chain import Head

    if text is None:
        return None
    found = _HEAD.fullmatch(text)
    if found is None:
        raise SettingsError(f"--expect: expected PLACE:DIGEST as an earlier check printed it, given {text[:40]!r}.")
    return Head(int(found[1]), found[2])


def _told(report: Report) -> dict[str, Any]:
    fault = report.fault
    return {
        "whole": report.is_whole,
        "head": {"place": report.head.place, "digest": report.head.digest},
        "fault": None if fault is None else {"place": fault.place, "seq": fault.seq, "reason": fault.reason},
        "unsealed": {"count": report.tail.count, "oldest": _time(report.tail.oldest_ms)},
    }


def _print(report: Report) -> None:
    fault, tail = report.fault, report.tail
    if fault is None:
        print(f"The audit trail is whole: {report.head.place} events are sealed.")
        if report.head.place:
            print(f"Its head is {report.head.place}:{report.head.digest}")
    else:
        event = "" if fault.seq is None else f" (event {fault.seq})"
        print(f"The audit trail is broken at place {fault.place}{event}: {fault.reason}.")
        print(f"It holds up to place {report.head.place}.")
    if not tail.count:
        return
    print(f"{tail.count} events are not sealed yet, the oldest of {_time(tail.oldest_ms)}.")
    if tail.oldest_ms is not None and datetime.now(UTC).timestamp() - tail.oldest_ms / 1000 > LATE_S:
        print("They are sealed while a server or a worker runs; if one does, look at its log.")


def _time(ms: int | None) -> str | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
