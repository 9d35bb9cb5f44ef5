"""Saved views of the list of cases: one's own, and those that others share."""

from __future__ import annotations

from casebridge.domain.errors import LimitExceeded
from casebridge.domain.saved_view import VIEWS_MOST, SavedView, check_view
from casebridge.domain.text import trimmed
from casebridge.security.privileges import permitted_owners
from casebridge.services.ground import Asking, Ground
from casebridge.storage import audit, views


async def list_usable(ground: Ground, asking: Asking) -> list[SavedView]:
    """Views the caller may open, by name."""
    return await views.list_usable(ground.database, asking.space.id, asking.actor.user.username or "")


async def save(ground: Ground, asking: Asking, name: str, query: str, *, shared: bool) -> SavedView:
    """A new view of the caller's; Conflict when there is one of that name."""
    permitted_owners(asking.actor, "getCase", asking.space)
    username = asking.actor.user.username or ""
    view = SavedView(ground.new_id(), username, trimmed(name), shared, query)
    check_view(view)
    own = [each for each in await list_usable(ground, asking) if each.username == username]
    if len(own) >= VIEWS_MOST:
        raise LimitExceeded("name", VIEWS_MOST, len(own) + 1, "saved views")
    event = audit.event_write("view_create", asking.actor, asking.space.id, "view", [view.id], ground.now())
    await ground.database.commit([views.insert_write(asking.space.id, view), event])
    return view


async def delete(ground: Ground, asking: Asking, id_: str) -> None:
    """Delete one of the caller's own views."""
    event = audit.event_write("view_delete", asking.actor, asking.space.id, "view", [id_], ground.now())
    write = views.delete_write(asking.space.id, asking.actor.user.username or "", id_)
    await ground.database.commit([write, event])
