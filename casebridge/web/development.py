"""The hidden page that shows every component in every state, and the preview of Markdown."""

from __future__ import annotations

from starlette.responses import HTMLResponse, Response

from casebridge.domain import limits
from casebridge.domain.errors import LimitExceeded
from casebridge.web import markdown, people
from casebridge.web.routing import Page, Visit, text


async def _components(visit: Visit) -> Response:
    return visit.render("components_page.html")


async def _preview(visit: Visit) -> Response:
    written = text(await visit.form(), "text")
    if len(written) > limits.COMMENT:
        raise LimitExceeded("text", limits.COMMENT, len(written), "characters")
    names = (await people.load(visit)).usernames if "@" in written else ()
    return HTMLResponse(markdown.render(written, names, visit.url("/app/people/")) or "<p>Nothing to preview.</p>")


PAGES = (
    Page("GET", "/dev/components", _components),
    Page("POST", "/app/preview", _preview),
)
