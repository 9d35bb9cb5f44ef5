"""The ledger of pushes across cases: what waits, what failed and why, every try; trying again and withdrawing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from casebridge.domain.delivery import (
    CANCELLED,
    DELIVERED,
    FAILED,
    QUEUED,
    SENDING,
    STATES,
    UNCERTAIN,
    WAITING,
    Delivery,
    may_become,
)
from casebridge.domain.errors import InvalidInput
from casebridge.domain.query import check_page
from casebridge.domain.space import OWNERS
from casebridge.security.privileges import allowed, permitted_owners
from casebridge.services import cases, connectors, deliveries
from casebridge.web.login import inner_path
from casebridge.web.routing import Page, Visit, text

PATH = "/app/deliveries"
SIZE = 25
TABS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("All", ()),
    ("Waiting", (QUEUED, SENDING, WAITING)),
    ("Needs somebody", (UNCERTAIN, FAILED)),
    ("Delivered", (DELIVERED,)),
    ("Cancelled", (CANCELLED,)),
)
OUTCOMES = {
    "delivered": ("Delivered", "good"),
    "passing_fault": ("Passing fault", "warn"),
    "permanent_fault": ("Refused", "bad"),
    "unknown": ("Unknown", "warn"),
}


class Names(msgspec.Struct, frozen=True):
    """What ids stand for, as far as the visitor may know: titles of cases, names of connectors."""

    cases: dict[str, str]
    connectors: dict[str, str]


async def _list(visit: Visit) -> Response:
    query = visit.query
    states = query.every("state")
    if unknown := [each for each in states if each not in STATES]:
        raise InvalidInput("state", f"expected some of {', '.join(STATES)}, given {unknown[0][:40]!r}.")
    page = check_page(_number(query.one("page", "1")), SIZE)
    found, total = await deliveries.find(
        visit.ground,
        visit.asking,
        page,
        case_id=query.one("case") or None,
        connector_id=query.one("connector") or None,
        states=states or None,
        owners=query.every("owner") or None,
    )
    return visit.render(
        "deliveries.html",
        found=found,
        total=total,
        page=page,
        names=await _names(visit, found),
        tabs=TABS,
        states=states,
        is_filtered=any(query.every(each) for each in ("state", "connector", "owner", "case")),
        owners=permitted_owners(visit.asking.actor, "getUserActions", visit.asking.space),
        here=visit.url(PATH, str(query)),
        address=lambda number: visit.url(PATH, query.but(page=str(number))),
        may_retry=lambda each: may_retry(visit, each),
        may_cancel=lambda each: may_cancel(visit, each),
    )


def _number(given: str) -> int:
    if not given.isdecimal() or len(given) > 6:
        raise InvalidInput("page", f"expected a number, given {given[:40]!r}.")
    return int(given)


async def _names(visit: Visit, found: Sequence[Delivery]) -> Names:
    actor, space = visit.asking.actor, visit.asking.space
    known = {}
    if allowed(actor, "useConnectors", None, space):
        known = {each.id: each.name for each in await connectors.list_all(visit.ground, visit.asking)}
    titles: dict[str, str] = {}
    if found and any(allowed(actor, "getCase", owner, space) for owner in OWNERS):
        ids = list(dict.fromkeys(each.case_id for each in found))
        titles = {each.id: each.title for each in (await cases.get_many(visit.ground, visit.asking, ids)).cases}
    return Names(titles, known)


def may_retry(visit: Visit, delivery: Delivery) -> bool:
    """Whether the visitor can have it tried again now."""
    return may_become(delivery.state, QUEUED) and _may_push(visit, delivery)


def may_cancel(visit: Visit, delivery: Delivery) -> bool:
    """Whether the visitor can withdraw it now."""
    return may_become(delivery.state, CANCELLED) and _may_push(visit, delivery)


def _may_push(visit: Visit, delivery: Delivery) -> bool:
    return allowed(visit.asking.actor, "pushCase", delivery.owner, visit.asking.space)


async def _show(visit: Visit) -> Response:
    delivery, attempts = await deliveries.get(visit.ground, visit.asking, visit.path["delivery_id"])
    return visit.render(
        "delivery.html",
        delivery=delivery,
        attempts=list(enumerate(attempts, 1))[::-1],
        names=await _names(visit, [delivery]),
        outcomes=OUTCOMES,
        here=visit.url(f"{PATH}/{delivery.id}"),
        may_retry=may_retry(visit, delivery),
        may_cancel=may_cancel(visit, delivery),
    )


async def _retry(visit: Visit) -> Response:
    form = await visit.form()
    await deliveries.retry(visit.ground, visit.asking, visit.path["delivery_id"])
    return visit.redirect(inner_path(visit, text(form, "next")), "It was queued again and will be tried in a moment.")


async def _cancel(visit: Visit) -> Response:
    form = await visit.form()
    await deliveries.cancel(visit.ground, visit.asking, visit.path["delivery_id"])
    return visit.redirect(inner_path(visit, text(form, "next")), "It was withdrawn: nothing more is sent for it.")


PAGES = (
    Page("GET", PATH, _list, nav="Deliveries", icon="push", key="d", needs="getUserActions"),
    Page("GET", PATH + "/{delivery_id}", _show),
    Page("POST", PATH + "/{delivery_id}/retry", _retry),
    Page("POST", PATH + "/{delivery_id}/cancel", _cancel),
)
