"""One's own account: who one is here, the password, the sessions and the API keys."""

from __future__ import annotations

import base64
from datetime import timedelta
from urllib.parse import unquote

import msgspec
from starlette.responses import Response

from casebridge.domain.api_key import NAME_LENGTH
from casebridge.domain.errors import InvalidInput, NotFound, Refused
from casebridge.security.passwords import check_new_password
from casebridge.security.sessions import digest
from casebridge.services import api_keys, sessions, users
from casebridge.services.api_keys import NewKey, Selection, WantedKey
from casebridge.web.forms import SHOWN_AGAIN, status_of
from casebridge.web.login import MOST_PASSWORD
from casebridge.web.routing import Page, Visit, text

PATH = "/app/profile"
LIFETIMES = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "A year", "": "For ever"}


class Shown(msgspec.Struct, kw_only=True):
    """What the page shows beside what is stored: a refusal of one of its parts, and a key that was just made."""

    part: str = ""
    fault: Refused | None = None
    made: NewKey | None = None
    name: str = ""


async def _show(visit: Visit) -> Response:
    return await _page(visit, Shown())


async def _page(visit: Visit, shown: Shown) -> Response:
    actor = visit.asking.actor
    now = visit.ground.now()
    keys = await api_keys.find(visit.ground, visit.asking, Selection(owner=True))
    made = shown.made
    return visit.render(
        "profile.html",
        status=200 if shown.fault is None else status_of(shown.fault),
        actor=actor,
        zone=unquote(visit.request.cookies.get("casebridge_zone", "")) or "UTC",
        sessions=await sessions.list_own(visit.ground, actor),
        present="" if visit.token is None else digest(visit.token),
        keys=[(each, each.is_valid(now)) for each in reversed(keys)],
        lifetimes=LIFETIMES,
        most_name=NAME_LENGTH,
        shown=shown,
        encoded="" if made is None else base64.b64encode(f"{made.key.id}:{made.secret}".encode()).decode(),
    )


async def _set_password(visit: Visit) -> Response:
    form = await visit.form()
    actor = visit.asking.actor
    old, new = text(form, "current"), text(form, "new")
    username, door = actor.user.username or "", visit.site.callers.door
    try:
        if max(len(old), len(new)) > MOST_PASSWORD:
            raise InvalidInput("password", f"at most {MOST_PASSWORD} characters are allowed.")
        if new != text(form, "again"):
            raise InvalidInput("password", "the new password was typed differently the second time.")
        check_new_password(new, least=visit.ground.password_min_length, username=username)
        # Whoever sits at an open session does not thereby know the password, whatever else the user may do.
        await users.check_own_password(visit.ground, visit.asking, old, door)
        await users.set_password(visit.ground, visit.asking, username, new, old, door)
    except SHOWN_AGAIN as fault:
        return await _page(visit, Shown(part="password", fault=fault))
    if visit.token is not None:
        await sessions.renew(visit.ground, actor, visit.token)
    return visit.redirect(visit.url(PATH), "The password was changed. All other sessions have ended.")


async def _end_session(visit: Visit) -> Response:
    await visit.form()
    await sessions.end(visit.ground, visit.asking.actor, visit.path["session_id"])
    return visit.redirect(visit.url(PATH), "The session has ended.")


async def _end_others(visit: Visit) -> Response:
    await visit.form()
    await sessions.sign_out_everywhere(visit.ground, visit.asking.actor, but=visit.token)
    return visit.redirect(visit.url(PATH), "All other sessions have ended.")


async def _make_key(visit: Visit) -> Response:
    form = await visit.form()
    name, days = text(form, "name").strip(), text(form, "lifetime")
    try:
        if days not in LIFETIMES:
            raise InvalidInput("lifetime", f"expected one of {', '.join(filter(None, LIFETIMES))} days, or nothing.")
        lifetime = timedelta(days=int(days)) if days else None
        made = await api_keys.create(visit.ground, visit.asking, WantedKey(name=name, expires_in=lifetime))
    except SHOWN_AGAIN as fault:
        return await _page(visit, Shown(part="key", fault=fault, name=name))
    # No redirect: the secret is told in this one answer, and kept nowhere it could be asked for again.
    return await _page(visit, Shown(made=made))


async def _end_key(visit: Visit) -> Response:
    await visit.form()
    id_ = visit.path["key_id"]
    ended = await api_keys.invalidate(visit.ground, visit.asking, Selection(ids=[id_], owner=True))
    if not ended.now and not ended.before:
        raise NotFound("api_key", id_)
    return visit.redirect(visit.url(PATH), "The key is of no use any more.")


PAGES = (
    Page("GET", PATH, _show),
    Page("POST", f"{PATH}/password", _set_password),
    Page("POST", f"{PATH}/sessions", _end_others),
    Page("POST", PATH + "/sessions/{session_id}/end", _end_session),
    Page("POST", f"{PATH}/keys", _make_key),
    Page("POST", PATH + "/keys/{key_id}/end", _end_key),
)
