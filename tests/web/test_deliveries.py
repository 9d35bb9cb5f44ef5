"""The ledger of pushes as pages: filters, tries, trying again, withdrawing."""

from __future__ import annotations

import re

import httpx2
import pytest

from casebridge.domain.delivery import Attempt, Call, DeliveryError
from casebridge.domain.role import Role, RoleEntry
from casebridge.domain.user import Account
from casebridge.storage import accounts, outbox, roles
from casebridge.storage.session import Database
from casebridge.web.site import Site
from tests.builders import AT, a_delivery
from tests.web.chromium import needs_htmx, visiting
from tests.web.site import browser, fields_of, sign_in, token_of

PATH = "/app/deliveries"
sqlite_only = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


async def stored(database: Database, **given: object) -> str:
    """The id of a delivery of that kind."""
    delivery = a_delivery(**{"case_id": f"case-{given['id']}", "owner": "cases", **given})
    await database.commit([outbox.insert_write(delivery)])
    return delivery.id


def shown(page: httpx2.Response) -> list[str]:
    """The ids of the deliveries that a page lists."""
    return re.findall(rf'href="{PATH}/(\w+)" data-open', page.text)


@pytest.fixture
async def four(database: Database, signed_in: httpx2.AsyncClient) -> None:
    """A delivery in each of four states, one of another connector, one of another owner."""
    error = DeliveryError("status", "the <b>tracker</b> refused", True)
    await stored(database, id="d1", state="delivered", external_id="9", external_title="OPS-9", connector_id="other")
    await stored(database, id="d2", state="failed", error=error, attempt_count=1)
    await stored(database, id="d3", state="waiting")
    await stored(database, id="d4", state="uncertain", owner="observability")


@pytest.mark.usefixtures("four")
async def test_deliveries_are_listed_newest_first_and_filtered(signed_in: httpx2.AsyncClient):
    expected = {
        "": ["d4", "d3", "d2", "d1"],
        "?state=failed&state=uncertain": ["d4", "d2"],
        "?connector=other": ["d1"],
        "?owner=observability": ["d4"],
        "?case=case-d3": ["d3"],
        "?state=cancelled": [],
    }
    pages = {query: await signed_in.get(PATH + query) for query in expected}

    assert {query: shown(page) for query, page in pages.items()} == expected
    assert "the &lt;b&gt;tracker&lt;/b&gt; refused" in pages[""].text
    assert "Nothing fits" in pages["?state=cancelled"].text


@pytest.mark.parametrize("query", ["?state=lost", "?page=x", "?page=0", "?page=9999"])
async def test_a_filter_that_makes_no_sense_is_told(signed_in: httpx2.AsyncClient, query: str):
    assert (await signed_in.get(PATH + query)).status_code == 400


@pytest.mark.usefixtures("four")
async def test_every_try_is_shown_with_its_calls_and_times(signed_in: httpx2.AsyncClient, database: Database):
    call = Call("POST", "https://jira.example.org/rest/api/2/issue", 503, 41)
    lost = Call("GET", "https://jira.example.org/rest/api/2/search", None, 60_000)
    tried = Attempt(started_at=AT, duration_ms=57, outcome="passing_fault", calls=(call, lost))
    await database.commit([outbox.attempt_write("d2", 1, tried)])
    page = await signed_in.get(f"{PATH}/d2")

    assert page.status_code == 200
    for part in ("Try 1", "took 57 ms", "Passing fault", call.url, ">503<", "no answer", "41 ms"):
        assert part in page.text
    assert (await signed_in.get(f"{PATH}/unknown")).status_code == 404


@pytest.mark.usefixtures("four")
async def test_a_failed_one_is_queued_again_and_a_waiting_one_withdrawn(
    signed_in: httpx2.AsyncClient, database: Database
):
    page = await signed_in.get(f"{PATH}?state=failed")
    fields = fields_of(page, f"{PATH}/d2/retry")
    retried = await signed_in.post(f"{PATH}/d2/retry", data=fields)
    again = await signed_in.post(f"{PATH}/d2/retry", data=fields)
    cancelled = await signed_in.post(f"{PATH}/d3/cancel", data={**fields, "next": "https://evil.example/"})
    states = [(await outbox.get(database, "default", each)).state for each in ("d2", "d3")]

    assert states == ["queued", "cancelled"]
    assert (retried.status_code, retried.headers["location"]) == (303, f"{PATH}?state=failed")
    assert again.status_code == 409
    assert cancelled.headers["location"] == "/app/cases"


@pytest.mark.usefixtures("four")
async def test_only_what_can_be_done_has_a_button(signed_in: httpx2.AsyncClient):
    page = await signed_in.get(PATH)
    buttons = re.findall(rf'action="{PATH}/(d\d)/(\w+)"', page.text)

    assert sorted(buttons) == [("d2", "retry"), ("d3", "cancel"), ("d3", "retry"), ("d4", "cancel"), ("d4", "retry")]


@pytest.mark.usefixtures("four")
async def test_who_may_only_read_one_owners_cases_sees_those_alone_and_no_buttons(
    site: Site, database: Database, password_hash: str
):
    entry = RoleEntry(feature={"generalCasesV3": ("read",)})
    await database.commit([roles.put_write(Role("readers", entries=(entry,)), create_only=True)])
    await accounts.create(database, Account("reader", password_hash, ("readers",)))
    async with browser(site) as reader:
        await sign_in(reader, "reader")
        page = await reader.get(PATH)
        refused = await reader.post(f"{PATH}/d2/retry", data={"csrf": token_of(page)})
        other = await reader.get(f"{PATH}/d4")

    assert shown(page) == ["d3", "d2", "d1"]
    assert "/retry" not in page.text
    assert (refused.status_code, other.status_code) == (403, 403)


@needs_htmx
@sqlite_only
@pytest.mark.usefixtures("four")
async def test_in_a_browser_a_filter_applies_when_it_is_chosen(site: Site):
    async with visiting(site) as visitor:
        page = await visitor.open(PATH)
        await visitor.check()
        await page.select_option("#owner", "observability")
        await page.wait_for_url("**owner=observability**")
        assert await page.locator("[data-row]").count() == 1
        await page.click("[data-open]")
        await page.wait_for_selector("text=It was not tried yet")
        await visitor.check()


@sqlite_only
@pytest.mark.usefixtures("four")
async def test_filtering_and_retrying_need_no_script(site: Site, database: Database):
    async with visiting(site, script=False) as visitor:
        page = await visitor.open(PATH)
        await page.select_option("#owner", "cases")
        await page.click("text=Filter")
        assert await page.locator("[data-row]").count() == 3
        await page.click("text=Retry >> nth=1")
    assert (await outbox.get(database, "default", "d2")).state == "queued"
