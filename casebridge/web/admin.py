"""The care of users, roles, API keys and spaces, and a look at the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from starlette.responses import Response

from casebridge.domain.errors import InvalidInput, Refused
from casebridge.domain.role import Role
from casebridge.domain.space import OWNERS, Space
from casebridge.domain.user import Account
from casebridge.security.features import MANAGE_SECURITY, MANAGE_SPACES, entry_rights
from casebridge.security.privileges import allowed, require
from casebridge.services import api_keys, audit_trail, roles, spaces, users
from casebridge.services.api_keys import Selection
from casebridge.services.users import WantedUser
from casebridge.storage.audit import Wanted
from casebridge.web.forms import SHOWN_AGAIN, status_of
from casebridge.web.login import MOST_PASSWORD
from casebridge.web.routing import Page, Visit, text, texts

PATH = "/app/admin"
EVENTS = 50
TABS = (
    ("", "Users", MANAGE_SECURITY),
    ("/roles", "Roles", MANAGE_SECURITY),
    ("/keys", "API keys", MANAGE_SECURITY),
    ("/spaces", "Spaces", MANAGE_SPACES),
    ("/audit", "Audit trail", MANAGE_SECURITY),
)
GRID = {
    "getCase": "Read",
    "createCase": "Create",
    "updateCase": "Edit",
    "createComment": "Comment",
    "assignCase": "Assign",
    "pushCase": "Push",
    "reopenCase": "Reopen",
    "deleteCase": "Delete",
    "updateConfiguration": "Configure",
}
"""Operation -> heading of its column."""


class GridEntry(msgspec.Struct, frozen=True):
    """What an entry of a role grants: its spaces, per owner whether each operation of GRID, and the rest in words."""

    spaces: tuple[str, ...]
    rows: list[tuple[str, list[bool]]]
    others: list[str]


def _render(visit: Visit, template: str, tab: str, **context: Any) -> Response:
    actor, space = visit.asking.actor, visit.asking.space
    tabs = [(visit.url(PATH + more), name) for more, name, needs in TABS if allowed(actor, needs, None, space)]
    fault = context.get("fault")
    status = 200 if fault is None else status_of(fault)
    return visit.render(template, status=status, tabs=tabs, tab=tab, **{"fault": None, **context})


# Users


async def _users(visit: Visit) -> Response:
    actor, space = visit.asking.actor, visit.asking.space
    if not allowed(actor, MANAGE_SECURITY, None, space) and allowed(actor, MANAGE_SPACES, None, space):
        return visit.redirect(visit.url(f"{PATH}/spaces"))
    found = await users.list_all(visit.ground, visit.asking)
    return _render(visit, "admin_users.html", "Users", found=found)


async def _user(visit: Visit) -> Response:
    name = visit.query.one("name")
    require(visit.asking.actor, MANAGE_SECURITY, None, visit.asking.space)
    account = (await users.get_many(visit.ground, visit.asking, [name]))[0] if name else Account("", "", ())
    return await _user_form(visit, account, is_new=not name)


async def _user_form(visit: Visit, account: Account, *, is_new: bool, fault: Refused | None = None) -> Response:
    known = [each.name for each in await roles.list_all(visit.ground, visit.asking)]
    return _render(
        visit,
        "admin_user.html",
        "Users",
        account=account,
        known=[*known, *(each for each in account.roles if each not in known)],
        is_new=is_new,
        is_self=account.username == visit.asking.actor.user.username,
        fault=fault,
    )


async def _save_user(visit: Visit) -> Response:
    form = await visit.form()
    is_new = text(form, "new") == "yes"
    username, password = text(form, "username").strip(), text(form, "password")
    wanted = WantedUser(
        username=username,
        roles=tuple(texts(form, "roles")),
        password=password or None,
        full_name=text(form, "full_name").strip() or None,
        email=text(form, "email").strip() or None,
        enabled=text(form, "enabled") == "yes",
    )
    try:
        if len(password) > MOST_PASSWORD:
            raise InvalidInput("password", f"at most {MOST_PASSWORD} characters are allowed.")
        if not is_new:
            present = (await users.get_many(visit.ground, visit.asking, [username]))[0]
            wanted = msgspec.structs.replace(wanted, metadata=present.metadata)
        await users.put(
            visit.ground,
            visit.asking,
            wanted,
            visit.site.callers.door.passwords,
            create_only=is_new,
            update_only=not is_new,
        )
    except SHOWN_AGAIN as fault:
        typed = Account(username, "", wanted.roles, wanted.full_name, wanted.email, wanted.enabled)
        return await _user_form(visit, typed, is_new=is_new, fault=fault)
    return visit.redirect(visit.url(PATH), f"The user {username} was saved.")


async def _delete_user(visit: Visit) -> Response:
    form = await visit.form()
    await users.delete(visit.ground, visit.asking, text(form, "username"))
    return visit.redirect(visit.url(PATH), "The user was deleted, with all keys.")


# Roles


async def _roles(visit: Visit) -> Response:
    found = await roles.list_all(visit.ground, visit.asking)
    shown = [(role, grid(role)) for role in found]
    return _render(visit, "admin_roles.html", "Roles", found=shown, columns=list(GRID.values()))


def grid(role: Role) -> list[GridEntry]:
    """What a role grants, entry by entry."""
    made = []
    for entry in role.entries:
        rights = entry_rights(entry)
        rows = [(owner, [(each, owner) in rights for each in GRID]) for owner in reversed(OWNERS)]
        others = [
            said
            for operation, said in (
                ("useConnectors", "use connectors"),
                ("manageConnectors", "manage connectors"),
                (MANAGE_SPACES, "manage spaces"),
            )
            if (operation, None) in rights
        ]
        made.append(GridEntry(entry.spaces, [row for row in rows if any(row[1])], others))
    return made


# Keys


async def _keys(visit: Visit) -> Response:
    require(visit.asking.actor, MANAGE_SECURITY, None, visit.asking.space)
    found = await api_keys.find(visit.ground, visit.asking, Selection())
    now = visit.ground.now()
    return _render(visit, "admin_keys.html", "API keys", found=[(each, each.is_valid(now)) for each in reversed(found)])


async def _end_key(visit: Visit) -> Response:
    form = await visit.form()
    require(visit.asking.actor, MANAGE_SECURITY, None, visit.asking.space)
    await api_keys.invalidate(visit.ground, visit.asking, Selection(ids=[text(form, "id")]))
    return visit.redirect(visit.url(f"{PATH}/keys"), "The key is of no use any more.")


# Spaces


async def _spaces(visit: Visit) -> Response:
    return await _space_page(visit, Space("", ""))


async def _space_page(visit: Visit, typed: Space, fault: Refused | None = None) -> Response:
    require(visit.asking.actor, MANAGE_SPACES, None, visit.asking.space)
    found = await spaces.list_usable(visit.ground, visit.asking)
    return _render(visit, "admin_spaces.html", "Spaces", found=found, typed=typed, fault=fault)


async def _make_space(visit: Visit) -> Response:
    form = await visit.form()
    about = text(form, "description").strip() or None
    wanted = Space(text(form, "id").strip(), text(form, "name").strip(), description=about)
    try:
        await spaces.create(visit.ground, visit.asking, wanted)
    except SHOWN_AGAIN as fault:
        return await _space_page(visit, wanted, fault)
    return visit.redirect(visit.url(f"{PATH}/spaces"), f"The space {wanted.name} was made.")


# Audit trail


async def _audit(visit: Visit) -> Response:
    query = visit.query
    outcome = query.one("outcome")
    if outcome not in ("", "success", "failure"):
        raise InvalidInput("outcome", "expected success or failure.")
    before = query.one("before")
    if before and not (before.isdecimal() and len(before) < 19):
        raise InvalidInput("before", "expected a number.")
    wanted = Wanted(
        user=query.one("user") or None,
        action=query.one("action") or None,
        outcome=outcome or None,  # type: ignore[arg-type]
        object_id=query.one("object") or None,
    )
    found = await audit_trail.find(visit.ground, visit.asking, wanted, int(before) if before else None, EVENTS)
    return _render(
        visit,
        "admin_audit.html",
        "Audit trail",
        found=[(each.doc, datetime.fromisoformat(each.doc["@timestamp"])) for each in found.records],
        older="" if found.before is None else visit.url(f"{PATH}/audit", query.but(before=str(found.before))),
        is_filtered=bool(query.pairs),
    )


PAGES = (
    Page("GET", PATH, _users, nav="Admin", icon="people", key="a", needs=MANAGE_SPACES),
    Page("GET", f"{PATH}/user", _user),
    Page("POST", f"{PATH}/user", _save_user),
    Page("POST", f"{PATH}/user/delete", _delete_user),
    Page("GET", f"{PATH}/roles", _roles),
    Page("GET", f"{PATH}/keys", _keys),
    Page("POST", f"{PATH}/keys", _end_key),
    Page("GET", f"{PATH}/spaces", _spaces),
    Page("POST", f"{PATH}/spaces", _make_space),
    Page("GET", f"{PATH}/audit", _audit),
)
