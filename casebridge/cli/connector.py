"""`casebridge connector`: looking after the connectors of a running server."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from casebridge.cli.remote import AsJson, Server, connected, plain, print_json


def app() -> App:
    """The command with its subcommands."""
    made = App("connector", help="Look after the connectors of a running server.")
    made.command(try_out, name="test")
    return made


def try_out(
    id_: Annotated[str, Parameter(name="ID", help="Id of the connector.")],
    /,
    *,
    as_json: AsJson = False,
    server: Server = None,
) -> int:
    """Try a connector's address and credentials without writing anything over there; 0 if all is well, else 1."""
    from casebridge.client import calls

    with connected(server) as client:
        tried = client.send(calls.try_connector(id_))
    if as_json:
        print_json(tried)
    else:
        from rich.text import Text

        from casebridge.cli.show_deliveries import console

        mark = ("works", "bold green") if tried["ok"] else ("does not work", "bold red")
        took = (f" ({tried['latency_ms']} ms)", "dim")
        console().print(Text.assemble(f"{plain(id_)} ", mark, f": {plain(tried['detail'])}", took), soft_wrap=True)
    return 0 if tried["ok"] else 1
