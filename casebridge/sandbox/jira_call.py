"""What every call to the simulated Jira is given: the settings and the data (`Desk`), and the request (`Call`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from starlette.datastructures import QueryParams
from starlette.responses import Response

from casebridge.sandbox.jira_answers import NO_SUCH_ISSUE, Mode, Refusal, Wording
from casebridge.sandbox.jira_state import Book, Issue
from casebridge.sandbox.journal import Entry


@dataclass
class Desk:
    """One simulated Jira. `book` is replaced by a reset; `page_size` is the longest page of any list."""

    mode: Mode
    projects: tuple[str, ...]
    email: str
    book: Book
    page_size: int = 50
    search_lag_s: float = 0.0
    resolution_required: bool = False


@dataclass(frozen=True)
class Call:
    """One request that has passed the gate. `payload` is its decoded JSON body, None if it has none."""

    params: dict[str, str]
    query: QueryParams
    payload: Any
    entry: Entry
    wording: Wording
    now: datetime
    search_lag_s: float = 0.0

    def issue(self, desk: Desk) -> Issue:
        """The issue named in the path. Raises Refusal."""
        issue = desk.book.find(self.params["issue"])
        if issue is None:
            raise Refusal(404, [NO_SUCH_ISSUE])
        return issue

    def object(self) -> dict[str, Any]:
        """The body, if it is a JSON object. Raises Refusal."""
        if not isinstance(self.payload, dict):
            raise Refusal(400, ["The body must be a JSON object."])
        return self.payload

    def page(self, desk: Desk) -> tuple[int, int]:
        """`startAt` and `maxResults` from the query, within what the desk allows."""
        return whole(self.query.get("startAt"), 0), page_size(self.query.get("maxResults"), desk)


class Step(NamedTuple):
    """One call of the API. The path is relative to `/rest/api/2`; several may share a name."""

    name: str
    method: str
    path: str
    answer: Callable[[Desk, Call], Response]


def page_size(given: Any, desk: Desk) -> int:
    """The number of rows asked for, or as many as a page may have."""
    return min(whole(given, desk.page_size) or desk.page_size, desk.page_size)


def whole(given: Any, default: int) -> int:
    """A number from 0 that came as a number or as text; the default if there is none. Raises Refusal."""
    if given is None:
        return default
    try:
        return max(int(given), 0)
    except (TypeError, ValueError) as wrong:
        raise Refusal(400, [f"{given!r} is not a whole number."]) from wrong
