"""People in texts: offered while `@` is being typed, and where a mention leads."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from casebridge.domain.errors import NotFound
from casebridge.domain.space import OWNERS
from casebridge.services import profiles
from casebridge.web import people
from casebridge.web.routing import Page, Visit

_OFFERED = 8


async def _suggest(visit: Visit) -> Response:
    """Who may be mentioned in a case of an owner: whoever may read it, by the beginning of a name."""
    owner = visit.query.one("owner")
    found = await profiles.suggest(
        visit.ground,
        visit.asking,
        visit.query.one("q")[:100],
        [owner] if owner in OWNERS else [],
        _OFFERED,
        visit.site.callers,
    )
    return JSONResponse([{"username": each.username, "name": each.full_name or each.username} for each in found])


async def _person(visit: Visit) -> Response:
    """From a mention to the cases of who was mentioned."""
    username = visit.path["username"]
    known = await people.load(visit)
    uid = next((each.uid for each in known.known if each.username == username), None)
    if uid is None:
        raise NotFound("user", username)
    return visit.redirect(visit.url("/app/cases", visit.query.but(assignees=uid)))


PAGES = (
    Page("GET", "/app/people", _suggest),
    Page("GET", "/app/people/{username}", _person),
)
