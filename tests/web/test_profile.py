"""One's own account: password, sessions, API keys."""

from __future__ import annotations

import re

import httpx2
import pytest

from casebridge.security.sessions import COOKIE
from casebridge.security.throttle import Doorkeeper
from casebridge.storage import api_keys
from casebridge.storage.session import Database
from casebridge.web.site import Site
from tests.web.chromium import visiting
from tests.web.site import HTML, PASSWORD, browser, fields_of, sign_in

PATH = "/app/profile"
NEW = "another fine password"
sqlite_only = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


async def test_a_new_password_keeps_this_session_and_ends_the_others(site: Site, signed_in: httpx2.AsyncClient):
    fields = fields_of(await signed_in.get(PATH), f"{PATH}/password")
    sent = {**fields, "current": PASSWORD, "new": NEW, "again": NEW}
    async with browser(site) as other:
        await sign_in(other)
        answer = await signed_in.post(f"{PATH}/password", data=sent)
        assert answer.status_code == 303
        assert (await other.get(PATH)).status_code == 303
        assert (await sign_in(other, password=NEW)).status_code == 303
    assert (await signed_in.get(PATH)).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"current": "guessed wrongly"},
        {"again": "typed wrongly"},
        {"new": "x", "again": "x"},
        {"new": "Welcome-2026!", "again": "Welcome-2026!"},
    ],
)
async def test_a_password_is_not_changed_by_who_does_not_know_it_or_mistypes(
    site: Site, signed_in: httpx2.AsyncClient, wrong: dict[str, str]
):
    fields = fields_of(await signed_in.get(PATH), f"{PATH}/password")
    answer = await signed_in.post(
        f"{PATH}/password", data={**fields, "current": PASSWORD, "new": NEW, "again": NEW, **wrong}
    )
    assert answer.status_code == 400
    assert NEW not in answer.text
    async with browser(site) as other:
        assert (await sign_in(other)).status_code == 303


async def test_guessing_the_present_password_is_slowed_down(site: Site, signed_in: httpx2.AsyncClient):
    site.callers.door.keeper = Doorkeeper(lambda: 0.0)
    fields = fields_of(await signed_in.get(PATH), f"{PATH}/password")
    sent = {**fields, "current": "guess", "new": NEW, "again": NEW}
    answers = [await signed_in.post(f"{PATH}/password", data=sent) for _ in range(6)]

    assert [each.status_code for each in answers] == [400] * 5 + [429]


async def test_sessions_are_listed_and_ended(site: Site, signed_in: httpx2.AsyncClient):
    async with browser(site) as other:
        await sign_in(other)
        page = await signed_in.get(PATH)
        action = re.search(rf'action="({PATH}/sessions/[^"]+/end)"', page.text)[1]
        answer = await signed_in.post(action, data=fields_of(page, action))
        assert answer.status_code == 303
        assert (await other.get(PATH)).status_code == 303
    assert signed_in.cookies[COOKIE] not in page.text
    assert (await signed_in.post(f"{PATH}/sessions/unknown/end", data=fields_of(page, action))).status_code == 404


async def test_a_key_is_shown_once_works_and_is_invalidated(
    site: Site, signed_in: httpx2.AsyncClient, database: Database
):
    page = await signed_in.get(PATH)
    sent = {**fields_of(page, f"{PATH}/keys"), "name": "nightly <export>", "lifetime": "7"}
    made = await signed_in.post(f"{PATH}/keys", data=sent)
    key = re.search(r'id="made" readonly value="([^"]+)"', made.text)[1]
    later = await signed_in.get(PATH)
    (stored,) = await api_keys.find(database, username="admin")
    headers = {"authorization": f"ApiKey {key}"}
    async with browser(site) as program:
        before = await program.get("/api/cases/status", headers=headers)
        action = f"{PATH}/keys/{stored.key.id}/end"
        await signed_in.post(action, data=fields_of(later, action))
        after = await program.get("/api/cases/status", headers=headers)

    assert key not in later.text
    assert "nightly &lt;export&gt;" in later.text
    assert (stored.key.expires_at - stored.key.created_at).days == 7
    assert (before.status_code, after.status_code) == (200, 401)


@pytest.mark.parametrize("wrong", [{"name": " "}, {"lifetime": "8"}, {"name": "x" * 300}])
async def test_a_key_that_makes_no_sense_is_not_made(
    signed_in: httpx2.AsyncClient, database: Database, wrong: dict[str, str]
):
    fields = fields_of(await signed_in.get(PATH), f"{PATH}/keys")
    answer = await signed_in.post(f"{PATH}/keys", data={**fields, "name": "fine", "lifetime": "7", **wrong})

    assert answer.status_code == 400
    assert await api_keys.find(database, username="admin") == []


async def test_strangers_have_no_profile(visitor: httpx2.AsyncClient):
    assert (await visitor.get(PATH, headers=HTML)).headers["location"] == "/login?next=%2Fapp%2Fprofile"


@sqlite_only
async def test_in_a_browser_a_key_is_made_and_the_page_is_sound(site: Site):
    async with visiting(site) as visitor:
        page = await visitor.open(PATH)
        await visitor.check()
        await page.fill("#name", "nightly export")
        await page.click("text=Make key")
        assert await page.input_value("#made")
        await visitor.check()


@sqlite_only
async def test_a_password_is_changed_without_a_script(site: Site):
    async with visiting(site, script=False) as visitor:
        page = await visitor.open(PATH)
        for name, value in (("current", PASSWORD), ("new", NEW), ("again", NEW)):
            await page.fill(f"#{name}", value)
        await page.click("text=Change password")
        assert "All other sessions have ended" in await page.inner_text("#flash")
