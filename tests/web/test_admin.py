"""The care of users, roles, keys and spaces as pages, and the audit trail."""

from __future__ import annotations

import re

import httpx2
import pytest

from casebridge.domain.role import Role, RoleEntry
from casebridge.domain.user import Account
from casebridge.storage import accounts, api_keys, roles, spaces
from casebridge.storage.session import Database
from casebridge.web.admin import grid
from casebridge.web.site import Site
from tests.web.chromium import visiting
from tests.web.site import PASSWORD, browser, fields_of, sign_in, token_of

PATH = "/app/admin"
TABS = ("", "/user", "/roles", "/keys", "/spaces", "/audit")
sqlite_only = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


@pytest.fixture
async def readers(database: Database) -> None:
    """A role that reads the cases of one owner."""
    entry = RoleEntry(spaces=("default",), feature={"generalCasesV3": ("read",)})
    await database.commit([roles.put_write(Role("readers", entries=(entry,)), create_only=True)])


@pytest.mark.usefixtures("readers")
async def test_a_user_is_made_signs_in_and_is_kept_out(site: Site, signed_in: httpx2.AsyncClient, database: Database):
    form = f"{PATH}/user"
    sent = {"username": "dana", "full_name": "Dana Lee", "password": PASSWORD, "roles": "readers", "enabled": "yes"}
    made = await signed_in.post(form, data={**fields_of(await signed_in.get(form), form), **sent})
    async with browser(site) as dana:
        entered = await sign_in(dana, "dana")
        page = await signed_in.get(f"{form}?name=dana")
        kept = {**fields_of(page, form), "full_name": "Dana Lee", "roles": "readers", "password": ""}
        await signed_in.post(form, data=kept)
        out = await dana.get("/app/cases")
    stored = (await accounts.get(database, "dana")).account

    assert (made.status_code, entered.status_code, out.status_code) == (303, 303, 303)
    assert (stored.roles, stored.enabled, stored.full_name) == (("readers",), False, "Dana Lee")
    assert "Dana Lee" in (await signed_in.get(PATH)).text


async def test_a_refused_user_keeps_what_was_typed_but_no_password(signed_in: httpx2.AsyncClient):
    form = f"{PATH}/user"
    fields = fields_of(await signed_in.get(form), form)
    short = await signed_in.post(form, data={**fields, "username": "dana", "full_name": "Dana", "password": "tiny"})
    taken = await signed_in.post(form, data={**fields, "username": "admin", "password": PASSWORD})

    assert (short.status_code, taken.status_code) == (400, 409)
    assert 'value="Dana"' in short.text
    assert "tiny" not in short.text


async def test_a_deleted_user_is_gone(signed_in: httpx2.AsyncClient, database: Database, password_hash: str):
    await accounts.create(database, Account("dana", password_hash, ()))
    page = await signed_in.get(f"{PATH}/user?name=dana")
    await signed_in.post(f"{PATH}/user/delete", data=fields_of(page, f"{PATH}/user/delete"))

    assert await accounts.get(database, "dana") is None
    assert "Delete this user" not in (await signed_in.get(f"{PATH}/user?name=admin")).text


def test_a_role_reads_as_a_grid():
    entry = RoleEntry(feature={"generalCasesV3": ("minimal_all", "cases_delete"), "actions": ("read",)})
    (shown,) = grid(Role("some", entries=(entry,)))

    assert shown.others == ["use connectors"]
    ((owner, may),) = shown.rows
    assert (owner, may) == ("cases", [True, True, True, False, False, True, False, True, False])


@pytest.mark.usefixtures("readers")
async def test_roles_are_listed_with_what_they_grant(signed_in: httpx2.AsyncClient):
    page = await signed_in.get(f"{PATH}/roles")

    assert "In default" in page.text
    assert "manage connectors" in page.text


async def test_keys_of_everybody_are_listed_and_ended(signed_in: httpx2.AsyncClient, database: Database):
    profile = await signed_in.get("/app/profile")
    sent = {**fields_of(profile, "/app/profile/keys"), "name": "export", "lifetime": ""}
    await signed_in.post("/app/profile/keys", data=sent)
    page = await signed_in.get(f"{PATH}/keys")
    await signed_in.post(f"{PATH}/keys", data=fields_of(page, f"{PATH}/keys"))
    (stored,) = await api_keys.find(database)

    assert "export" in page.text
    assert stored.key.invalidated_at is not None


async def test_a_space_is_made(signed_in: httpx2.AsyncClient, database: Database):
    fields = fields_of(await signed_in.get(f"{PATH}/spaces"), f"{PATH}/spaces")
    made = await signed_in.post(f"{PATH}/spaces", data={**fields, "id": "ops", "name": "Ops"})
    wrong = await signed_in.post(f"{PATH}/spaces", data={**fields, "id": "No Good", "name": "Other"})

    assert (made.status_code, wrong.status_code) == (303, 400)
    assert (await spaces.get(database, "ops")).name == "Ops"
    assert 'value="No Good"' in wrong.text


async def test_the_audit_trail_is_read_and_filtered(signed_in: httpx2.AsyncClient):
    await signed_in.post("/api/spaces/space", json={"id": "ops", "name": "Ops"}, headers={"kbn-xsrf": "true"})
    everything = await signed_in.get(f"{PATH}/audit")
    narrowed = await signed_in.get(f"{PATH}/audit?action=session_create")
    nothing = await signed_in.get(f"{PATH}/audit?user=nobody")

    assert "session_create" in everything.text
    assert re.findall(r'class="mono">(\w+_\w+)<', narrowed.text) == ["session_create"]
    assert "Nothing fits" in nothing.text
    for query in ("?outcome=maybe", "?before=x"):
        assert (await signed_in.get(f"{PATH}/audit{query}")).status_code == 400


@pytest.mark.usefixtures("readers")
async def test_others_find_no_way_in_and_are_refused(
    site: Site, signed_in: httpx2.AsyncClient, database: Database, password_hash: str
):
    await accounts.create(database, Account("reader", password_hash, ("readers",)))
    async with browser(site) as reader:
        await sign_in(reader, "reader")
        page = await reader.get("/app/profile")
        token = {"csrf": token_of(page)}
        seen = [(await reader.get(PATH + each)).status_code for each in TABS]
        sent = {
            "/user": {**token, "new": "yes", "username": "mole", "password": PASSWORD, "enabled": "yes"},
            "/user/delete": {**token, "username": "admin"},
            "/keys": {**token, "id": "x"},
            "/spaces": {**token, "id": "mole", "name": "Mole"},
        }
        refused = [(await reader.post(PATH + each, data=fields)).status_code for each, fields in sent.items()]

    assert f'href="{PATH}"' not in page.text
    assert seen == [403] * len(TABS)
    assert refused == [403] * len(sent)
    assert await accounts.get(database, "mole") is None


@pytest.mark.usefixtures("readers")
async def test_what_a_page_denied_and_who_could_not_sign_in_stands_in_the_audit_trail(
    site: Site, signed_in: httpx2.AsyncClient, database: Database, password_hash: str
):
    await accounts.create(database, Account("reader", password_hash, ("readers",)))
    async with browser(site) as reader:
        await sign_in(reader, "reader", "a wrong one")
        await sign_in(reader, "reader")
        await reader.get(f"{PATH}/roles")
    page = await signed_in.get(f"{PATH}/audit?user=reader&outcome=failure")

    assert re.findall(r'class="mono">(\w+)</span>', page.text) == ["manageSecurity", "sign_in"]
    assert "a wrong one" not in page.text


@sqlite_only
@pytest.mark.usefixtures("readers")
async def test_in_a_browser_every_page_of_admin_is_sound(site: Site):
    async with visiting(site) as visitor:
        for each in TABS:
            await visitor.open(PATH + each)
            await visitor.check()
        await visitor.page.set_viewport_size({"width": 360, "height": 800})
        for each in TABS:
            await visitor.open(PATH + each)
            assert await visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), each


@sqlite_only
async def test_a_user_is_made_without_a_script(site: Site, database: Database):
    async with visiting(site, script=False) as visitor:
        page = await visitor.open(f"{PATH}/user")
        await page.fill("#username", "dana")
        await page.fill("#password", PASSWORD)
        await page.check("text=superuser")
        await page.click("main button.primary")
        assert "was saved" in await page.inner_text("#flash")
    assert (await accounts.get(database, "dana")).account.roles == ("superuser",)
