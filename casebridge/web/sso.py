"""Single sign-on in the browser: off to the provider, and in when it sends the browser back."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from casebridge.domain.errors import ConnectorError, Refused
from casebridge.security.oidc import TRIP_S, OidcSettings
from casebridge.security.sessions import COOKIE
from casebridge.services import oidc, sessions
from casebridge.services.outsiders import admit
from casebridge.web.errors import NoSuchPage
from casebridge.web.login import inner_path, show_form
from casebridge.web.routing import Page, Visit

TRIP_COOKIE = "casebridge_trip"
MOST_VALUE = 4_096


def _settings(visit: Visit) -> OidcSettings:
    found = visit.site.settings.oidc
    if found is None:
        raise NoSuchPage(visit.request.url.path)
    return found


def _address(visit: Visit, path: str) -> str:
    """The address of a path of ours as people, and the provider, know it."""
    return f"{(visit.site.settings.public_base_url or '').rstrip('/')}{path}"


async def _begin(visit: Visit) -> Response:
    settings = _settings(visit)
    wanted = inner_path(visit, visit.query.one("next"))[:MOST_VALUE]
    try:
        url, kept = await oidc.begin(visit.ground, settings, _address(visit, "/login/sso/callback"), wanted)
    except ConnectorError as fault:
        return _refused(visit, f"The provider cannot be reached: {fault}.", 503)
    response = RedirectResponse(url, 303)
    response.headers.append("set-cookie", visit.site.cookie(visit, TRIP_COOKIE, kept, max_age_s=TRIP_S))
    return response


async def _return(visit: Visit) -> Response:
    settings = _settings(visit)
    kept = visit.request.cookies.get(TRIP_COOKIE, "")
    query = {
        key: visit.query.one(key)[:MOST_VALUE] for key in ("code", "state", "iss", "error") if visit.query.one(key)
    }
    address = visit.site.address(visit.request)
    try:
        who, wanted = await oidc.finish(visit.ground, settings, _address(visit, "/login/sso/callback"), kept, query)
        account = await admit(visit.ground, who, address)
    except ConnectorError as fault:
        return _refused(visit, f"The provider cannot be reached: {fault}.", 503)
    except Refused as fault:
        return _refused(visit, str(fault) or "You may not sign in here.", 401)
    agent = visit.request.headers.get("user-agent", "")
    token = await sessions.open_session(visit.ground, account, agent=agent, address=address, old=visit.token)
    response = visit.redirect(inner_path(visit, wanted))
    most = int(visit.ground.sessions.lifetime_s)
    response.headers.append("set-cookie", visit.site.cookie(visit, COOKIE, token, max_age_s=most))
    response.headers.append("set-cookie", visit.site.cookie(visit, TRIP_COOKIE, "", max_age_s=0))
    return response


async def _sign_out(visit: Visit) -> Response:
    back = _address(visit, "/login")
    try:
        url = await oidc.sign_out_url(visit.ground, _settings(visit), back)
    except ConnectorError as fault:
        return _refused(visit, f"The provider cannot be reached: {fault}.", 503)
    return RedirectResponse(url or visit.url("/login", space="default"), 303)


def _refused(visit: Visit, why: str, status: int) -> Response:
    response = show_form(visit, wanted="", fault=why, status=status)
    response.headers.append("set-cookie", visit.site.cookie(visit, TRIP_COOKIE, "", max_age_s=0))
    return response


PAGES = (
    Page("GET", "/login/sso", _begin, access="open"),
    Page("GET", "/login/sso/callback", _return, access="open"),
    Page("GET", "/login/sso/out", _sign_out, access="open"),
)
