"""What each error becomes on a page: a status, a heading, and what to do. A refusal is shown in its own words."""

from __future__ import annotations

import msgspec

from casebridge.domain.errors import (
    Conflict,
    ConnectorError,
    FileTooLarge,
    Forbidden,
    InvalidInput,
    NotFound,
    NothingChanged,
    PushFailed,
    Refused,
    StorageUnavailable,
    TooManyTries,
)


class NoSuchPage(Refused):
    """No page lives at an address."""

    def __init__(self, path: str) -> None:
        super().__init__(f"There is no page at {path}.")


class WrongMethod(Refused):
    """A page is there, but not for this method."""

    def __init__(self) -> None:
        super().__init__("This address only takes forms that were sent from a page.")


class TooLarge(Refused):
    """A form has more bytes than this server takes."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The form is too large: at most {limit_bytes} bytes are taken.")


class Trouble(msgspec.Struct, frozen=True):
    """How an error is shown."""

    status: int
    heading: str
    advice: str = ""


_TROUBLES: dict[type[BaseException], Trouble] = {
    NoSuchPage: Trouble(404, "Page not found", "Check the address, or start again from the list of cases."),
    NotFound: Trouble(404, "Not found", "It may have been deleted, or it lives in another space."),
    WrongMethod: Trouble(405, "Nothing to see here"),
    Forbidden: Trouble(403, "You may not do this", "Ask an administrator for the privilege if you need it."),
    TooLarge: Trouble(413, "Too large"),
    FileTooLarge: Trouble(413, "File too large"),
    TooManyTries: Trouble(429, "Too many attempts"),
    InvalidInput: Trouble(400, "That did not fit"),
    NothingChanged: Trouble(400, "Nothing to change"),
    Conflict: Trouble(409, "Not possible right now"),
    PushFailed: Trouble(424, "The push did not succeed"),
    ConnectorError: Trouble(424, "The external system did not answer as expected"),
    StorageUnavailable: Trouble(503, "The store cannot be used", "Nothing was written. Try again soon."),
}
UNFORESEEN = Trouble(500, "Something went wrong", "It is our fault. The server's log tells more.")


def trouble_of(error: BaseException) -> Trouble:
    """How to show an error; its nearest known ancestor decides."""
    return next((_TROUBLES[each] for each in type(error).__mro__ if each in _TROUBLES), UNFORESEEN)
