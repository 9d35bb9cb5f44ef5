"""The list of cases: table and board, filters, saved views, changes of many cases at once, export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

from starlette.responses import Response, StreamingResponse

from casebridge.domain.case import Case, CaseChanges
from casebridge.domain.errors import Forbidden, InvalidInput, NothingChanged, VersionConflict
from casebridge.domain.space import APP_ROUTES, OWNERS
from casebridge.domain.version import version_text
from casebridge.security.privileges import allowed
from casebridge.services import cases, mentions, push_states, views, walk
from casebridge.web import people, words
from casebridge.web.csv import line
from casebridge.web.listing import SIZES, Listing, read_listing
from casebridge.web.routing import Page, Visit, text, texts

_OWNER_OF = {route.removeprefix("/app/"): owner for owner, route in APP_ROUTES.items()}
_EXPORT_STEP = 500


async def _show(visit: Visit) -> Response:
    listing = read_listing(visit)
    found = await cases.find(visit.ground, visit.asking, listing.query, listing.owners)
    known = await people.load(visit, (uid for case in found.cases for uid in case.assignees))
    total = found.counts.open + found.counts.in_progress + found.counts.closed
    return visit.render(
        "cases.html",
        listing=listing,
        found=found,
        everything=total if listing.search is None else None,
        states=await push_states.list_of(visit.ground, found.cases),
        people=known,
        choices=await _choices(visit, listing, known),
        views=await views.list_usable(visit.ground, visit.asking),
        may=_may(visit),
        unseen=await mentions.list_unseen(visit.ground, visit.asking),
        sizes=SIZES,
        page_address=lambda number: visit.url("/app/cases", visit.query.but(page=str(number))),
        version_of=lambda case: version_text(case.version),
    )


def _may(visit: Visit) -> SimpleNamespace:
    """What of the list the visitor may use, for any owner at all."""
    asking = visit.asking
    operations = {"create": "createCase", "update": "updateCase", "delete": "deleteCase", "assign": "assignCase"}
    return SimpleNamespace(
        **{
            name: any(allowed(asking.actor, operation, owner, asking.space) for owner in OWNERS)
            for name, operation in operations.items()
        }
    )


async def _choices(visit: Visit, listing: Listing, known: people.People) -> dict[str, list[tuple[str, str]]]:
    """Values and words of every filter."""
    ground, asking = visit.ground, visit.asking
    reporters = await cases.list_reporters(ground, asking, listing.owners)
    return {
        "severity": list(words.SEVERITY.items()),
        "assignees": [("none", "Nobody"), *((each.uid, each.name) for each in known.known)],
        "tags": [(each, each) for each in (await cases.list_tags(ground, asking, listing.owners))[:500]],
        "category": [(each, each) for each in (await cases.list_categories(ground, asking, listing.owners))[:500]],
        "reporters": [(each.username, each.display_name) for each in reporters[:500] if each.username],
        "owner": list(words.OWNER.items()),
    }


async def _of_owner(visit: Visit) -> Response:
    owner = _OWNER_OF[visit.path["app"]]
    return visit.redirect(visit.url("/app/cases", visit.query.but(owner=owner)))


# Changing many


async def _change(visit: Visit) -> Response:
    form = await visit.form()
    chosen = dict(each.rpartition("@")[::2] for each in texts(form, "case"))
    back = visit.url("/app/cases", text(form, "back"))
    if not chosen:
        return visit.redirect(back, "No case was selected.")
    if text(form, "act") == "delete":
        return await _ask_before_deleting(visit, list(chosen), text(form, "back"))
    stored = (await cases.get_many(visit.ground, visit.asking, list(chosen))).cases
    wanted = [
        cases.WantedChange(case.id, chosen[case.id], changes)
        for case in stored
        if (changes := _changes(case, form)).given()
    ]
    if not wanted:
        return visit.redirect(back, "Nothing was chosen that would change these cases.")
    try:
        changed = await cases.change(visit.ground, visit.asking, wanted)
    except NothingChanged:
        return visit.redirect(back, "These cases are like that already.")
    except VersionConflict as conflict:
        titles = ", ".join(f"“{case.title}”" for case in stored if case.id in conflict.ids)
        return visit.render("conflict_many.html", status=409, titles=titles, count=len(conflict.ids), back=back)
    return visit.redirect(back, f"{words.plural(len(changed), 'case')} changed.")


def _changes(case: Case, form: Any) -> CaseChanges:
    values: dict[str, Any] = {}
    for name in ("status", "severity"):
        if text(form, name):
            values[name] = text(form, name)
    add, remove = _listed(text(form, "tags_add")), set(_listed(text(form, "tags_remove")))
    if add or remove:
        values["tags"] = tuple(each for each in dict.fromkeys((*case.tags, *add)) if each not in remove)
    assignee = text(form, "assignee")
    if assignee == "-":
        values["assignees"] = ()
    elif assignee:
        values["assignees"] = tuple(dict.fromkeys((*case.assignees, assignee)))
    return CaseChanges(**values)


def _listed(given: str) -> list[str]:
    return [each.strip() for each in given.split(",") if each.strip()]


async def _ask_before_deleting(visit: Visit, ids: Sequence[str], back: str, fault: str = "") -> Response:
    found = (await cases.get_many(visit.ground, visit.asking, ids)).cases
    lacking = [case for case in found if not allowed(visit.asking.actor, "deleteCase", case.owner, visit.asking.space)]
    if lacking:
        raise Forbidden("deleteCase", {case.owner for case in lacking}, what="delete case")
    return visit.render("delete.html", cases=found, sentence=_sentence(len(found)), back=back, fault=fault)


def _sentence(count: int) -> str:
    return "delete" if count == 1 else f"delete {count} cases"


async def _delete(visit: Visit) -> Response:
    form = await visit.form()
    ids = texts(form, "case")
    if text(form, "sentence").strip().lower() != _sentence(len(ids)):
        return await _ask_before_deleting(visit, ids, text(form, "back"), fault=f"Type “{_sentence(len(ids))}”.")
    await cases.delete(visit.ground, visit.asking, ids)
    to = visit.url("/app/cases", text(form, "back"))
    return visit.redirect(to, f"{words.plural(len(ids), 'case')} deleted.")


async def _move(visit: Visit) -> Response:
    """A card of the board to another status."""
    form = await visit.form()
    wanted = cases.WantedChange(visit.path["case_id"], text(form, "version"), CaseChanges(status=text(form, "status")))
    if wanted.changes.status not in words.STATUS:
        raise InvalidInput("status", "expected open, in-progress or closed.")
    back = visit.url("/app/cases", text(form, "back"))
    try:
        case = (await cases.change(visit.ground, visit.asking, [wanted]))[0]
    except NothingChanged:
        return visit.redirect(back)
    except VersionConflict:
        return visit.redirect(back, "Somebody changed this case meanwhile. Here it is as it stands now; try again.")
    return visit.redirect(back, f"“{case.title}” is {words.STATUS[case.status].lower()} now.")


# Views and export


async def _save_view(visit: Visit) -> Response:
    form = await visit.form()
    view = await views.save(
        visit.ground, visit.asking, text(form, "name"), text(form, "query"), shared=text(form, "shared") == "yes"
    )
    return visit.redirect(visit.url("/app/cases", view.query), f"The view “{view.name}” was saved.")


async def _delete_view(visit: Visit) -> Response:
    form = await visit.form()
    await views.delete(visit.ground, visit.asking, visit.path["view_id"])
    return visit.redirect(visit.url("/app/cases", text(form, "back")), "The view was deleted.")


async def _export(visit: Visit) -> Response:
    listing = read_listing(visit)
    known = await people.load(visit)
    first = await _step(visit, listing, None)
    name = f"cases-{visit.ground.now():%Y-%m-%d}.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_rows(visit, listing, known, first), media_type="text/csv; charset=utf-8", headers=headers)


async def _step(visit: Visit, listing: Listing, cursor: str | None) -> walk.Step:
    return await walk.step(
        visit.ground,
        visit.asking,
        listing.wanted,
        listing.owners,
        limit=_EXPORT_STEP,
        cursor=cursor,
        search=listing.search,
    )


_HEADINGS = (
    "number", "id", "title", "status", "severity", "owner", "category", "tags", "assignees", "comments", "alerts",
    "opened", "opened by", "updated", "closed", "connector", "external record", "external address",
)  # fmt: skip


async def _rows(visit: Visit, listing: Listing, known: people.People, step: walk.Step) -> AsyncIterator[str]:
    """Every match, oldest first, however many there are; cases that change meanwhile come once."""
    yield line(_HEADINGS)
    while True:
        yield "".join(line(_row(case, known)) for case in step.cases)
        if step.next_cursor is None:
            return
        step = await _step(visit, listing, step.next_cursor)


def _row(case: Case, known: people.People) -> Sequence[Any]:
    external = case.external_service
    times = (case.created_at, case.updated_at, case.closed_at)
    opened, updated, closed = ("" if each is None else each.isoformat(timespec="seconds") for each in times)
    return (
        case.incremental_id, case.id, case.title, case.status, case.severity, case.owner, case.category,
        "; ".join(case.tags), "; ".join(known.names(case.assignees)), case.counts.user_comments, case.counts.alerts,
        opened, case.created_by.display_name, updated, closed, case.connector.name,
        None if external is None else external.external_title, None if external is None else external.external_url,
    )  # fmt: skip


PAGES = (
    Page("GET", "/app/cases", _show, nav="Cases", icon="cases", key="c"),
    Page("POST", "/app/cases/change", _change),
    Page("POST", "/app/cases/delete", _delete),
    Page("POST", "/app/cases/views", _save_view),
    Page("POST", "/app/cases/views/{view_id}/delete", _delete_view),
    Page("GET", "/app/cases/export.csv", _export),
    Page("POST", "/app/cases/{case_id}/move", _move),
    Page("GET", "/app/{app:app}/cases", _of_owner),
)
