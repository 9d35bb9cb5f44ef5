"""Templates: what every page is given, and how values read in them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

import casebridge
from casebridge.domain.space import DEFAULT_SPACE, DEFAULT_SPACE_ID, OWNERS
from casebridge.security.privileges import allowed
from casebridge.security.sessions import form_token
from casebridge.web import markdown, words
from casebridge.web.people import People

if TYPE_CHECKING:
    from casebridge.web.routing import Page, Visit
    from casebridge.web.site import Site

TEMPLATES = Path(__file__).parent / "templates"
THEMES = ("auto", "light", "dark")
_HUES = 8


class Rendering:
    """Renders templates of this folder."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._nav = [each for each in site.pages if each.nav]
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "markdown": _markdown,
            "hue": hue,
            "initials": initials,
            "size": words.size,
            "span": words.span,
            "plural": words.plural,
        }
        self._environment.globals |= {
            "asset": self._asset,
            "version": casebridge.__version__,
            "words": words,
        }

    def _asset(self, name: str) -> str | None:
        hashed = self._site.assets.name(name)
        return None if hashed is None else f"{self._site.base_path}/static/{hashed}"

    def page(self, visit: Visit, template: str, *, status: int, **context: Any) -> Response:
        """A page; what is shown once, such as a notice, is taken off the browser with it."""
        cookies = visit.request.cookies
        notice = unquote(cookies.get("casebridge_notice", ""))
        shown = {**self._common(visit), "notice": notice, **context}
        response = HTMLResponse(self._environment.get_template(template).render(shown), status)
        if notice:
            response.headers.append("set-cookie", self._site.cookie(visit, "casebridge_notice", "", max_age_s=0))
        return response

    def _common(self, visit: Visit) -> dict[str, Any]:
        clock = Clock(visit.ground.now(), visit.request.cookies.get("casebridge_zone", ""))
        theme = visit.request.cookies.get("casebridge_theme", "auto")
        return {
            "visit": visit,
            "url": visit.url,
            "case_url": visit.case_url,
            "query": visit.query,
            "me": None if visit.caller is None else visit.caller.actor.user,
            "space": DEFAULT_SPACE if visit.caller is None else visit.caller.space,
            "default_space": DEFAULT_SPACE_ID,
            "csrf": "" if visit.token is None else form_token(visit.token),
            "theme": theme if theme in THEMES else "auto",
            "nav": [each for each in self._nav if _leads_somewhere(visit, each)],
            "clock": clock,
            "when": clock.when,
            "day": clock.day,
        }


@pass_context
def _markdown(context: Context, text: str) -> Markup:
    """A text of a user; on pages that know people, mentions of them are links."""
    known = context.get("people")
    names = known.usernames if isinstance(known, People) else ()
    return markdown.render(text, names, context["url"]("/app/people/"))


class Clock:
    """Times as one viewer reads them: relative, with the exact time at hand, in the zone of the browser."""

    def __init__(self, now: datetime, zone: str) -> None:
        self.now = now
        try:
            self._zone = ZoneInfo(unquote(zone)) if zone else UTC
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._zone = UTC

    def exact(self, at: datetime) -> str:
        """Such as `17 May 2026, 14:03:21 CEST`."""
        local = at.astimezone(self._zone)
        return f"{local.day} {local:%b %Y, %H:%M:%S} {local.tzname() or ''}".strip()

    def when(self, at: datetime | None) -> Markup:
        """A time, relative to now; the exact one on hover and for machines."""
        if at is None:
            return Markup('<span class="quiet">–</span>')
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z", self.exact(at), words.ago(at, self.now)
        )

    def day(self, at: datetime | None) -> str:
        """The date alone, as the viewer's calendar has it."""
        return "" if at is None else f"{at.astimezone(self._zone):%Y-%m-%d}"


def _leads_somewhere(visit: Visit, page: Page) -> bool:
    if visit.caller is None or not page.needs:
        return True
    actor, space = visit.asking.actor, visit.asking.space
    return any(allowed(actor, page.needs, owner, space) for owner in (None, *OWNERS))


def hue(name: str) -> int:
    """One of a few colours for a name, always the same."""
    return sum(place * ord(each) for place, each in enumerate(name, 1)) % _HUES


def initials(name: str) -> str:
    """One or two letters for a name.

    >>> initials("Ada Lovelace"), initials("admin"), initials("")
    ('AL', 'AD', '?')
    """
    parts: Iterable[str] = [each for each in name.replace(".", " ").replace("_", " ").split() if each]
    letters = [each[0] for each in parts]
    if len(letters) == 1:
        return name.strip()[:2].upper()
    return "".join((letters[:1] + letters[-1:]) or ["?"]).upper()
