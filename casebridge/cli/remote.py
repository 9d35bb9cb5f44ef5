"""What commands that ask a running server have in common: where it is, who asks, and how a refusal is told."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from cyclopts import Group, Parameter

from casebridge.domain.errors import CasebridgeError
from casebridge.settings import PASSWORD_VARIABLE, SPACE_VARIABLE, URL_VARIABLE, USER_VARIABLE, SettingsError

if TYPE_CHECKING:
    from casebridge.client import Client

_SERVER = Group.create_ordered("Server")


class NotDone(CasebridgeError):
    """The server refused, or did not answer."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A server to ask, and in whose name. The password comes from a variable or a prompt, never from an option."""

    url: Annotated[
        str | None, Parameter(help=f"Address of the server. Variable {URL_VARIABLE}.", group=_SERVER, metavar="URL")
    ] = None
    user: Annotated[
        str | None,
        Parameter(
            help=f"Who asks; the password is {PASSWORD_VARIABLE}, or is asked for. Variable {USER_VARIABLE}.",
            group=_SERVER,
            metavar="NAME",
        ),
    ] = None
    space: Annotated[
        str | None,
        Parameter(
            help=f"Space to look in; without it the default one. Variable {SPACE_VARIABLE}.", group=_SERVER,
            metavar="ID",
        ),
    ] = None  # fmt: skip


Server = Annotated[Remote | None, Parameter(name="*")]
AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON, as the server answers it.", negative="")]


@contextmanager
def connected(remote: Remote | None) -> Iterator[Client]:
    """A client of the server that options and variables name; what goes wrong with it is told in one line."""
    from casebridge.client import ApiError, Client, ClientError

    given = remote or Remote()
    url = given.url or os.environ.get(URL_VARIABLE) or "http://127.0.0.1:5601"
    user = given.user or os.environ.get(USER_VARIABLE) or "admin"
    space = given.space if given.space is not None else os.environ.get(SPACE_VARIABLE, "")
    _check_url(url)
    with Client(url, user, _password(user), space="" if space == "default" else space) as client:
        try:
            yield client
        except ApiError as refused:
            if refused.status == 401:
                raise NotDone(f"{url} did not let {user} in: check --user and {PASSWORD_VARIABLE}.") from None
            raise NotDone(plain(refused.message) or f"{url} answered {refused.status}.") from None
        except ClientError as fault:
            raise NotDone(f"{plain(str(fault))}. Is the server running, and is --url right?") from None


def print_json(value: Any, *, as_line: bool = False) -> None:
    """Print a value for other programs, in one line or laid out."""
    import msgspec

    text = msgspec.json.encode(value)
    print((text if as_line else msgspec.json.format(text, indent=2)).decode(), flush=True)


def plain(text: str) -> str:
    """A text from afar as a terminal may show it, in one line."""
    return "".join(each if each.isprintable() else " " for each in text).strip()


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or parts.username is not None or parts.query or parts.fragment or not url.isprintable():
        raise SettingsError(f"--url: expected http:// or https://, a host and no user, such as {URL_EXAMPLE}.")


URL_EXAMPLE = "https://cases.example.org"


def _password(user: str) -> str:
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise SettingsError(f"There is nobody to ask for the password of {user}: set {PASSWORD_VARIABLE}.")
    try:
        return getpass.getpass(f"Password of {user}: ")
    except EOFError:
        raise SettingsError("No password was given.") from None
