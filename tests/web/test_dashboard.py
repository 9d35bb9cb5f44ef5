"""Figures of cases over time: what is counted, for whom, and as CSV."""

from __future__ import annotations

import csv
import io
import re

import httpx2
import pytest

from casebridge.domain.role import Role, RoleEntry
from casebridge.domain.user import Account
from casebridge.services.ground import Ground
from casebridge.storage import accounts, outbox, roles
from casebridge.storage.session import Database
from casebridge.web.site import Site
from tests.builders import a_delivery
from tests.web.chromium import visiting
from tests.web.site import browser, sign_in

PATH = "/app/dashboard"
DAY_S = 86_400
NO_CONNECTOR = {"id": "none", "name": "none", "type": ".none", "fields": None}
sqlite_only = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


async def opened(client: httpx2.AsyncClient, **given: object) -> dict:
    """A case that was opened now."""
    body = {
        "title": "Odd login", "description": "x", "tags": [], "owner": "cases", "connector": NO_CONNECTOR,
        "settings": {"syncAlerts": False}, **given,
    }  # fmt: skip
    answer = await client.post("/api/cases", json=body, headers={"kbn-xsrf": "true"})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def closed(client: httpx2.AsyncClient, case: dict) -> None:
    change = {"cases": [{"id": case["id"], "version": case["version"], "status": "closed"}]}
    answer = await client.patch("/api/cases", json=change, headers={"kbn-xsrf": "true"})
    assert answer.status_code == 200, answer.text


async def again(client: httpx2.AsyncClient) -> None:
    """Sign in anew: the session ended, for a long time passed."""
    client.cookies.clear()
    await sign_in(client)


async def figures(client: httpx2.AsyncClient, query: str = "") -> dict[tuple[str, str], str]:
    """The CSV by its first two columns."""
    answer = await client.get(f"{PATH}/export.csv{query}")
    assert answer.status_code == 200, answer.text
    return {(figure, of): value for figure, of, value in csv.reader(io.StringIO(answer.text))}


@pytest.fixture
async def history(signed_in: httpx2.AsyncClient, ground: Ground) -> None:
    """Cases of ten days: two opened at first, of which one is closed after three hours and one a week later."""
    ground.now.at = ground.now.at.replace(year=2026, month=5, day=10, hour=8, minute=0)
    assignees = [{"uid": "u_dana_0"}]
    await again(signed_in)
    first = await opened(signed_in, severity="high", category="Phishing", assignees=assignees)
    second = await opened(signed_in, severity="low", category="=SUM(A1)", owner="observability")
    ground.now.move(3 * 3_600)
    await closed(signed_in, first)
    ground.now.move(7 * DAY_S - 3 * 3_600)
    await again(signed_in)
    await closed(signed_in, second)
    await opened(signed_in, title="Still <b>open</b>", severity="high", assignees=assignees)


@pytest.mark.usefixtures("history")
async def test_cases_are_counted_by_day_and_by_what_they_are(signed_in: httpx2.AsyncClient):
    told = await figures(signed_in, "?from=2026-05-08&to=2026-05-17")

    assert (told["now", "open"], told["now", "closed"]) == ("1", "2")
    assert (told["opened", "2026-05-10"], told["opened", "2026-05-11"], told["opened", "2026-05-17"]) == ("2", "0", "1")
    assert (told["closed", "2026-05-10"], told["closed", "2026-05-17"]) == ("1", "1")
    assert (told["severity", "high"], told["severity", "low"], told["severity", "critical"]) == ("2", "1", "0")
    assert (told["owner", "cases"], told["owner", "observability"]) == ("2", "1")
    assert (told["category", "Phishing"], told["category", "'=SUM(A1)"], told["category", ""]) == ("1", "1", "1")
    assert told["assignee", "u_dana_0"] == "2"
    assert ("oldest open", "Still <b>open</b>") in told


@pytest.mark.usefixtures("history")
async def test_times_are_told_as_median_and_ninetieth_percentile(signed_in: httpx2.AsyncClient):
    told = await figures(signed_in, "?from=2026-05-08&to=2026-05-17")
    short, long = 3 * 3_600, 7 * DAY_S

    assert float(told["time_to_resolve_s, median", "2 cases"]) == (short + long) / 2
    assert float(told["time_to_resolve_s, 90th percentile", "2 cases"]) == short + 0.9 * (long - short)


@pytest.mark.usefixtures("history")
async def test_only_what_lies_in_the_span_counts(signed_in: httpx2.AsyncClient):
    told = await figures(signed_in, "?from=2026-05-11&to=2026-05-17")

    assert [value for (figure, _), value in told.items() if figure == "opened"] == ["0"] * 6 + ["1"]
    assert "1 cases" in {of for figure, of in told if figure == "time_to_resolve_s, median"}
    assert (told["severity", "high"], told["severity", "low"]) == ("1", "0")


@pytest.mark.usefixtures("history")
async def test_days_are_those_of_the_visitors_calendar(signed_in: httpx2.AsyncClient):
    told = {}
    for zone in ("UTC", "Pacific%2FKiritimati", "Pacific%2FHonolulu"):
        signed_in.cookies.set("casebridge_zone", zone)
        told[zone] = await figures(signed_in, "?from=2026-05-09&to=2026-05-11")

    # Opened at 08:00 and closed at 11:00 in UTC: 01:00 of the next day in one zone, 22:00 of the last in another.
    assert [each["closed", "2026-05-10"] for each in told.values()] == ["1", "0", "1"]
    assert [each["closed", "2026-05-11"] for each in told.values()] == ["0", "1", "0"]
    assert [each["opened", "2026-05-09"] for each in told.values()] == ["0", "0", "2"]


@pytest.mark.usefixtures("history")
async def test_a_span_in_which_clocks_go_back_loses_no_case(signed_in: httpx2.AsyncClient, ground: Ground):
    ground.now.at = ground.now.at.replace(month=10, day=25, hour=22, minute=30)
    await again(signed_in)
    await opened(signed_in, title="In the extra hour")
    signed_in.cookies.set("casebridge_zone", "Europe%2FBerlin")
    told = await figures(signed_in, "?from=2026-10-25&to=2026-10-25")

    assert told["opened", "2026-10-25"] == "1"


@pytest.mark.usefixtures("history")
async def test_the_page_has_charts_with_titles_and_a_table_of_them(signed_in: httpx2.AsyncClient):
    page = await signed_in.get(f"{PATH}?from=2026-05-08&to=2026-05-17")

    assert "<title>10 May: 2 opened</title>" in page.text
    assert len(re.findall(r'<rect class="opened"', page.text)) == 10
    assert "As a table" in page.text
    assert "Still &lt;b&gt;open&lt;/b&gt;" in page.text
    assert "style=" not in page.text


async def test_pushes_are_told_per_connector(signed_in: httpx2.AsyncClient, ground: Ground, database: Database):
    for number, state in enumerate(["delivered", "delivered", "failed", "waiting"]):
        made = a_delivery(id=f"d{number}", case_id=f"c{number}", state=state, created_at=ground.now())
        await database.commit([outbox.insert_write(made)])
    await database.commit([outbox.insert_write(a_delivery(id="old", case_id="old", state="failed"))])
    told = await figures(signed_in)

    assert (told["deliveries, delivered", "jira-1"], told["deliveries, failed", "jira-1"]) == ("2", "1")
    assert "66 %" in (await signed_in.get(PATH)).text


@pytest.mark.parametrize("query", ["?days=31", "?from=yesterday", "?from=2026-05-02&to=2026-05-01", "?owner=x",
                                   "?from=1990-01-01&to=2026-01-01"])  # fmt: skip
async def test_a_span_that_makes_no_sense_is_told(signed_in: httpx2.AsyncClient, query: str):
    assert (await signed_in.get(PATH + query)).status_code == 400


@pytest.mark.usefixtures("history")
async def test_only_cases_that_one_may_read_are_counted(site: Site, database: Database, password_hash: str):
    entry = RoleEntry(feature={"generalCasesV3": ("read",)})
    await database.commit([roles.put_write(Role("readers", entries=(entry,)), create_only=True)])
    await accounts.create(database, Account("reader", password_hash, ("readers",)))
    async with browser(site) as reader:
        await sign_in(reader, "reader")
        told = await figures(reader, "?from=2026-05-08&to=2026-05-17")

    assert told["opened", "2026-05-10"] == "1"
    assert ("owner", "observability") not in told
    assert told["now", "closed"] == "1"


@sqlite_only
@pytest.mark.usefixtures("history")
async def test_in_a_browser_the_dashboard_is_sound_with_and_without_figures(site: Site):
    async with visiting(site) as visitor:
        page = await visitor.open(PATH)
        await visitor.check()
        await page.fill("#from", "2020-01-01")
        await page.fill("#to", "2020-01-05")
        await page.click("main form >> text=Show")
        await page.wait_for_selector("text=No case was closed in this time")
        await visitor.check()


@sqlite_only
async def test_choosing_a_time_needs_no_script(site: Site):
    async with visiting(site, script=False) as visitor:
        page = await visitor.open(PATH)
        await page.click("text=90 days")
        assert "days=90" in page.url
        await page.click("main form >> text=Show")
        assert "from=" in page.url
