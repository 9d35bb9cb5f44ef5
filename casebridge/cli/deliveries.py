"""`casebridge deliveries`: the ledger of pushes of a running server, read and steered from a shell."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from casebridge.cli.remote import AsJson, NotDone, Remote, Server, connected, plain, print_json

if TYPE_CHECKING:
    from casebridge.client import Client

State = Literal["queued", "sending", "waiting", "uncertain", "delivered", "failed", "cancelled"]
OPEN: tuple[State, ...] = ("queued", "sending", "waiting", "uncertain")
_PAGE = 100
_MOST_OPEN = 2_000
"""So many open deliveries are watched at most; the newest ones."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which deliveries are meant."""

    case: Annotated[str | None, Parameter(help="Only those of this case.", metavar="ID")] = None
    connector: Annotated[str | None, Parameter(help="Only those through this connector.", metavar="ID")] = None
    state: Annotated[tuple[State, ...], Parameter(help="Only those in this state; may be repeated.", negative="")] = ()
    owner: Annotated[
        tuple[str, ...], Parameter(help="Only those of this owner; may be repeated.", negative="", metavar="NAME")
    ] = ()


Filters = Annotated[Wanted | None, Parameter(name="*")]
Ids = Annotated[tuple[str, ...], Parameter(help="Ids of deliveries.", negative="")]


def app() -> App:
    """The command with its subcommands."""
    made = App("deliveries", help="Read and steer the ledger of pushes of a running server.")
    for command in (list_, show, retry, cancel, watch):
        made.command(command, name=command.__name__.rstrip("_"))
    return made


def list_(
    wanted: Filters = None,
    *,
    page: Annotated[int, Parameter(help="Which page, from 1.")] = 1,
    per_page: Annotated[int, Parameter(help="How many a page holds, 100 at most.")] = 20,
    as_json: AsJson = False,
    server: Server = None,
) -> int:
    """List deliveries, the newest first."""
    with connected(server) as client:
        found = client.send(_find(wanted or Wanted(), page=page, per_page=per_page))
    if as_json:
        print_json(found)
        return 0
    from casebridge.cli.show_deliveries import show_page

    show_page(found)
    return 0


def show(
    id_: Annotated[str, Parameter(name="ID", help="Id of the delivery.")],
    /,
    *,
    as_json: AsJson = False,
    server: Server = None,
) -> int:
    """Show one delivery: what it is about, its comments, and every attempt with its calls."""
    from casebridge.client import calls

    with connected(server) as client:
        found = client.send(calls.get_delivery(id_))
    if as_json:
        print_json(found)
        return 0
    from casebridge.cli.show_deliveries import show_one

    show_one(found)
    return 0


def retry(ids: Ids, /, *, as_json: AsJson = False, server: Server = None) -> int:
    """Queue deliveries again; what is uncertain is still looked up before anything is sent.

    Where the external system has nothing to look up, this is your decision to send the same request once more.
    """
    from casebridge.client import calls

    return _each(ids, calls.retry_delivery, as_json, server)


def cancel(ids: Ids, /, *, as_json: AsJson = False, server: Server = None) -> int:
    """Withdraw deliveries that are not being sent at this moment."""
    from casebridge.client import calls

    return _each(ids, calls.cancel_delivery, as_json, server)


def watch(
    id_: Annotated[
        str | None, Parameter(name="ID", help="A delivery to wait for; without it, all are watched.")
    ] = None,
    /,
    wanted: Filters = None,
    *,
    interval_s: Annotated[float, Parameter(help="Seconds between two looks.")] = 1.0,
    for_s: Annotated[float | None, Parameter(help="End after so many seconds; without it, at Ctrl+C.")] = None,
    as_json: AsJson = False,
    server: Server = None,
) -> int:
    """Print each delivery whenever it changes; with an id, until that one has ended.

    With an id the exit code is 0 once it is delivered and 1 when it ended otherwise, needs a person, or did not end in
    time. With `--json` every change is a delivery in one line.
    """
    from casebridge.cli.show_deliveries import show_change, watching

    until = None if for_s is None else time.monotonic() + for_s
    wanted = wanted or Wanted()
    seen: dict[str, str] = {}
    first = True
    with connected(server) as client, watching(quiet=as_json) as tell:
        while True:
            now = [_get(client, id_)] if id_ is not None else list(_watched(client, wanted, seen))
            for each in now:
                is_news = seen.get(each["id"]) != each["version"] and (
                    not wanted.state or each["state"] in wanted.state
                )
                if is_news and (not first or id_ is not None or each["state"] in OPEN):
                    print_json(each, as_line=True) if as_json else show_change(each)
            seen = {each["id"]: each["version"] for each in now}
            first = False
            if id_ is not None and (ended := _ended(now[0])) is not None:
                return ended
            tell(now)
            if until is not None and time.monotonic() >= until:
                return 0 if id_ is None else 1
            time.sleep(max(0.05, interval_s))


def _ended(delivery: dict[str, Any]) -> int | None:
    """The exit code for a delivery on which nothing more happens by itself; None while something does."""
    if delivery["state"] == "delivered":
        return 0
    stays = delivery["state"] == "uncertain" and delivery["next_attempt_at"] is None
    return 1 if delivery["state"] in ("failed", "cancelled") or stays else None


def _find(wanted: Wanted, *, page: int, per_page: int, states: Sequence[State] | None = None) -> Any:
    from casebridge.client import calls

    return calls.find_deliveries(
        wanted.case,
        connector_id=wanted.connector,
        states=wanted.state if states is None else states,
        owners=wanted.owner,
        page=page,
        per_page=per_page,
    )


def _get(client: Client, id_: str) -> Any:
    from casebridge.client import calls

    return client.send(calls.get_delivery(id_))


def _watched(client: Client, wanted: Wanted, seen: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The newest deliveries, all open ones however old, and those that were open at the last look; oldest first."""
    found: dict[str, dict[str, Any]] = {}
    for page in range(1, _MOST_OPEN // _PAGE + 1):
        some = client.send(_find(wanted, page=page, per_page=_PAGE, states=OPEN))
        found |= {each["id"]: each for each in some["deliveries"]}
        if page * _PAGE >= some["total"]:
            break
    found |= {each["id"]: each for each in client.send(_find(wanted, page=1, per_page=_PAGE, states=()))["deliveries"]}
    for id_ in seen.keys() - found.keys():
        found[id_] = _get(client, id_)
    recent = sorted(found.values(), key=lambda each: each["created_at"])
    closed = [each for each in recent if each["state"] not in OPEN][:-_PAGE]
    dropped = {each["id"] for each in closed if seen.get(each["id"]) == each["version"]}
    return (each for each in recent if each["id"] not in dropped)


def _each(ids: Sequence[str], call: Any, as_json: bool, server: Remote | None) -> int:
    """Do the same to several deliveries; one that is refused does not keep the others from it."""
    from casebridge.cli.show_deliveries import show_change
    from casebridge.client import ApiError

    failed = 0
    with connected(server) as client:
        for id_ in dict.fromkeys(ids):
            try:
                moved = client.send(call(id_))
            except ApiError as refused:
                if refused.status == 401 or len(ids) == 1:
                    raise
                failed += 1
                show_refusal(id_, refused.message)
                continue
            print_json(moved, as_line=True) if as_json else show_change(moved)
    if failed:
        raise NotDone(f"{failed} of {len(dict.fromkeys(ids))} deliveries were refused.")
    return 0


def show_refusal(id_: str, message: str) -> None:
    """Tell that one of several was refused."""
    import sys

    print(f"casebridge: {plain(id_)}: {plain(message)}", file=sys.stderr)
