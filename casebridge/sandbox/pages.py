"""Pages of simulated systems: what arrived, for somebody who watches. They change nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus

import jinja2
import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from casebridge.sandbox.faults import Faults
from casebridge.sandbox.journal import Journal

REFRESH_S = 5
SHOWN_REQUESTS = 50
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Remark:
    """A comment as a page shows it."""

    text: str
    created: datetime
    updated: datetime


@dataclass(frozen=True)
class Sheet:
    """A record as the pages show it: `name` is what people call it, `tone` the colour of its status."""

    id: str
    name: str
    title: str
    status: str
    tone: str
    labels: Sequence[str]
    text: str
    facts: Sequence[tuple[str, str]]
    created: datetime
    updated: datetime
    remarks: Sequence[Remark]


@dataclass(frozen=True)
class Notice:
    """What the pages of one system say about it: its nouns, where a record's page is, and how to connect."""

    system: str
    record: str
    records: str
    path: str
    connect: Sequence[tuple[str, str]]

    def link(self, record_id: str) -> str:
        """Where the page of a record is."""
        return self.path.format(id=quote(record_id, safe="~"))


class RecordPages:
    """The list of records, and one record with its requests."""

    def __init__(
        self,
        notice: Notice,
        sheets: Callable[[], list[Sheet]],
        journal: Callable[[], Journal],
        faults: Faults,
    ) -> None:
        """`sheets` gives all records, oldest first."""
        self.notice, self.sheets, self.journal, self.faults = notice, sheets, journal, faults
        self.templates = templates()

    def routes(self) -> list[Route]:
        """The two pages."""
        return [
            Route("/", self.all, methods=["GET"], name="records"),
            Route(self.notice.path, self.one, methods=["GET"], name="record"),
        ]

    async def all(self, request: Request) -> Response:
        """All records, newest first, and how to connect."""
        sheets, entries = self.sheets(), self.journal().entries
        return self._page(
            request,
            "records.html",
            sheets=sheets[::-1],
            remarks=sum(len(each.remarks) for each in sheets),
            faults=self.faults.all,
            requests=entries[: -SHOWN_REQUESTS - 1 : -1],
            asked=len(entries),
        )

    async def one(self, request: Request) -> Response:
        """One record: text, comments, and every request about it."""
        wanted: str = request.path_params["id"]
        sheet = next((each for each in self.sheets() if each.id == wanted), None)
        if sheet is None:
            return self._page(request, "no_record.html", 404, wanted=wanted)
        return self._page(request, "record.html", sheet=sheet, requests=self.journal().of(sheet.id)[::-1])

    def _page(self, request: Request, template: str, status: int = 200, **shown: Any) -> Response:
        page = self.templates.get_template(template).render(
            mode=self.notice.system,
            system=self.notice.system,
            notice=self.notice,
            link=self.notice.link,
            base=f"{request.url.scheme}://{request.url.netloc}",
            refresh_s=REFRESH_S,
            paused="paused" in request.query_params,
            **shown,
        )
        return HTMLResponse(page, status, HEADERS)


def templates() -> jinja2.Environment:
    """The templates of all systems, with what they need to show times and JSON."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.filters.update(clock=clock, iso=iso, pretty=pretty, phrase=phrase, plain=unquote_plus)
    return found


def clock(at: datetime) -> str:
    """A moment to the second, in UTC, for people."""
    return f"{at:%d %b %H:%M:%S}"


def iso(at: datetime) -> str:
    """A moment for machines."""
    return at.isoformat(timespec="seconds")


def pretty(value: Any) -> str:
    """JSON over several lines."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def phrase(status: int) -> str:
    """A status in words."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
