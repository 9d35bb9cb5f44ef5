"""Signing in and out, and the choice of a theme."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from starlette.responses import Response

from casebridge.domain.errors import InvalidInput, TooManyTries, Unauthenticated
from casebridge.security.authentication import Credentials
from casebridge.security.sessions import COOKIE, form_token, is_form_token, read_cookie, wants_secure
from casebridge.services import sessions
from casebridge.web.rendering import THEMES
from casebridge.web.routing import Page, Visit, text

FORM_COOKIE = "casebridge_form"
MOST_PASSWORD = 4_096
_YEAR_S = 31_536_000


def inner_path(visit: Visit, wanted: str) -> str:
    """A path of this server that somebody may be sent to; the list of cases for anything else."""
    parts = urlsplit(wanted)
    is_ours = wanted.startswith(f"{visit.site.base_path}/") and not wanted.startswith("//") and "\\" not in wanted
    if not is_ours or parts.scheme or parts.netloc or any(ord(each) < 32 for each in wanted):
        return visit.url("/app/cases")
    return wanted


async def _show(visit: Visit) -> Response:
    if visit.caller is not None:
        return visit.redirect(inner_path(visit, visit.query.one("next")))
    return show_form(visit, wanted=visit.query.one("next"))


def show_form(visit: Visit, *, wanted: str, username: str = "", fault: str = "", status: int = 200) -> Response:
    """The form for signing in, with what went wrong."""
    token = visit.request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    response = visit.render(
        "login.html",
        status=status,
        next=wanted,
        username=username,
        fault=fault,
        form_token=form_token(token),
        warning=_warning(visit),
        oidc=visit.site.settings.oidc,
        is_out=bool(visit.query.one("out")),
    )
    response.headers.append("set-cookie", visit.site.cookie(visit, FORM_COOKIE, token))
    return response


def _warning(visit: Visit) -> str:
    """Why signing in cannot work here, where that can be seen beforehand."""
    request = visit.request
    scheme, host = visit.site.scheme(request), request.headers.get("host", "")
    if scheme != "https" and wants_secure(scheme, host, setting=visit.site.settings.cookie_secure):
        return (
            "This page came over plain HTTP, and the session cookie is only sent over HTTPS: signing in will not last. "
            "Use HTTPS, or set session_cookie_secure to false."
        )
    return ""


async def _sign_in(visit: Visit) -> Response:
    form = await visit.site.read_form(visit.request)
    username, password, wanted = text(form, "username"), text(form, "password"), text(form, "next")
    proof = visit.request.cookies.get(FORM_COOKIE, "")
    if not proof or not is_form_token(text(form, "csrf"), proof):
        return show_form(visit, wanted=wanted, username=username, fault="The page was too old. Try again.", status=403)
    if len(password) > MOST_PASSWORD or not username or "\0" in username + password:
        raise InvalidInput("password", "User name or password cannot be right.")
    address = visit.site.address(visit.request)
    try:
        token = await sessions.sign_in(
            visit.ground,
            visit.site.callers.door,
            Credentials(username, password),
            agent=visit.request.headers.get("user-agent", ""),
            address=address,
            old=visit.token,
        )
    except TooManyTries as refused:
        response = show_form(visit, wanted=wanted, username=username, fault=str(refused), status=429)
        response.headers["retry-after"] = str(refused.wait_s)
        return response
    except Unauthenticated:
        return show_form(visit, wanted=wanted, username=username, fault="User name or password is wrong.", status=401)
    response = visit.redirect(inner_path(visit, wanted))
    site, most = visit.site, int(visit.ground.sessions.lifetime_s)
    response.headers.append("set-cookie", site.cookie(visit, COOKIE, token, max_age_s=most))
    response.headers.append("set-cookie", site.cookie(visit, FORM_COOKIE, "", max_age_s=0))
    return response


async def _sign_out(visit: Visit) -> Response:
    form = await visit.form()
    token = read_cookie(visit.request.headers.get("cookie", "").encode("latin-1"), COOKIE)
    if text(form, "everywhere"):
        await sessions.sign_out_everywhere(visit.ground, visit.asking.actor)
    elif token is not None:
        await sessions.sign_out(visit.ground, visit.asking.actor, token)
    out = "out=yes" if visit.site.settings.oidc else ""
    response = visit.redirect(visit.url("/login", out, space="default"))
    response.headers.append("set-cookie", visit.site.cookie(visit, COOKIE, "", max_age_s=0))
    return response


async def _theme(visit: Visit) -> Response:
    form = await visit.form()
    theme = text(form, "theme")
    if theme not in THEMES:
        raise InvalidInput("theme", f"expected one of {', '.join(THEMES)}.")
    response = visit.redirect(inner_path(visit, text(form, "next")))
    response.headers.append("set-cookie", visit.site.cookie(visit, "casebridge_theme", theme, max_age_s=_YEAR_S))
    return response


async def _start(visit: Visit) -> Response:
    return visit.redirect(visit.url("/app/cases"))


PAGES = (
    Page("GET", "/", _start),
    Page("GET", "/app", _start),
    Page("GET", "/login", _show, access="open"),
    Page("POST", "/login", _sign_in, access="open"),
    Page("POST", "/logout", _sign_out),
    Page("POST", "/theme", _theme),
)
