"""The command line: finds the command, and turns what goes wrong into one line and an exit code.

Each command lives in a file of its own, which imports what it needs when it is called.

Exit codes: 0 done; 1 it could not be done; 2 wrong settings or arguments, and nothing was opened; 3 the store must not
be used as things are; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

import casebridge
from casebridge.cli import access, audit, connector, deliveries, sandbox
from casebridge.cli.config import config
from casebridge.cli.doctor import doctor
from casebridge.cli.keys import rotate
from casebridge.cli.migrate import migrate
from casebridge.cli.seed import seed
from casebridge.cli.serve import serve
from casebridge.cli.worker import worker
from casebridge.domain.errors import CasebridgeError
from casebridge.settings import SettingsError

DONE, FAILED, WRONG_SETTINGS, INTERRUPTED = 0, 1, 2, 130

_HELP = """Self-hosted case management on the wire of Kibana's Cases API.

`casebridge serve` starts a server; `casebridge COMMAND --help` tells about a command."""

_EXIT_CODES = (
    "Exit codes: 0 done, 1 it could not be done, 2 wrong settings or arguments, 3 the store must not be used as things "
    "are, 130 interrupted. See docs/running.md."
)


def demo() -> int:
    """Show the main job: configure a connector, open a case, push it, see it closed.

    It starts a server and a simulated Jira of its own, shows each request with what came back, and leaves nothing
    behind.
    """
    from casebridge.cli.demo import run_demo

    return run_demo()


def command_line() -> App:
    """Every command."""
    app = App(
        "casebridge",
        help=_HELP,
        help_epilogue=_EXIT_CODES,
        help_format="markdown",
        version=casebridge.__version__,
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
    )
    for command in (serve, worker, demo, config, doctor, migrate, seed):
        app.command(command)
    keys = App("keys", help="Change the keys that seal secrets.")
    keys.command(rotate)
    app.command(keys)
    for each in access.apps():
        app.command(each)
    app.command(audit.app())
    app.command(deliveries.app())
    app.command(connector.app())
    app.command(sandbox.app())
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    try:
        outcome = command_line()(list(sys.argv[1:] if arguments is None else arguments))
    except CycloptsError as error:
        return _complain(f"{' '.join(str(error).split())} Try casebridge --help.", WRONG_SETTINGS)
    except SettingsError as error:
        return _complain(str(error), WRONG_SETTINGS)
    except CasebridgeError as error:
        return _complain(str(error), getattr(error, "exit_code", FAILED))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return FAILED
    except OSError as error:
        return _complain(str(error), FAILED)
    return outcome if isinstance(outcome, int) else DONE


def _complain(line: str, code: int) -> int:
    print(f"casebridge: {line}", file=sys.stderr)
    return code
