"""The pages of connectors: how each is, adding, changing, trying and deleting them; and that no secret comes back."""

from __future__ import annotations

import re

import httpx2
import pytest

from casebridge.connectors import registry
from casebridge.domain.circuit import LastError
from casebridge.domain.connector import CASE_CONNECTOR_TYPES
from casebridge.domain.role import Role, RoleEntry
from casebridge.domain.user import Account
from casebridge.services import connectors as services
from casebridge.services.ground import Ground
from casebridge.storage import accounts, connector_care, connectors, outbox, roles
from casebridge.storage.session import Database
from casebridge.web.site import Site
from tests.builders import a_delivery
from tests.web.chromium import needs_htmx, visiting
from tests.web.site import browser, fields_of, sign_in, token_of

PATH = "/app/connectors"
SECRET = "s3cret-token"
JIRA = {
    "type": ".jira",
    "name": "Ops Jira",
    "config.apiUrl": "http://127.0.0.1:9",
    "config.projectKey": "OPS",
    "secrets.email": "bot@example.org",
    "secrets.apiToken": SECRET,
}
sqlite_only = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


async def added(client: httpx2.AsyncClient, **more: str) -> str:
    """The address of the page of a connector that was added by the form."""
    form = await client.get(f"{PATH}/new?type=.jira")
    answer = await client.post(f"{PATH}/new", data={**fields_of(form, f"{PATH}/new"), **JIRA, **more})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def test_a_connector_is_added_by_a_form_made_from_its_fields(
    signed_in: httpx2.AsyncClient, ground: Ground, database: Database
):
    page = await added(signed_in)
    stored = await connectors.get(database, "default", page.rpartition("/")[2])
    shown = await signed_in.get(page)
    listed = await signed_in.get(PATH)

    assert (stored.name, stored.config) == ("Ops Jira", {"apiUrl": "http://127.0.0.1:9", "projectKey": "OPS"})
    assert services.secrets_of(ground, stored) == {"email": "bot@example.org", "apiToken": SECRET}
    assert SECRET not in shown.text + listed.text
    assert "Not used yet" in listed.text


async def test_a_refused_form_keeps_what_was_typed_but_no_secret(signed_in: httpx2.AsyncClient):
    form = await signed_in.get(f"{PATH}/new?type=.jira")
    sent = {**fields_of(form, f"{PATH}/new"), **JIRA, "config.apiUrl": "http://evil.example"}
    answer = await signed_in.post(f"{PATH}/new", data=sent)

    assert answer.status_code == 400
    assert 'value="OPS"' in answer.text
    assert 'id="config.apiUrl-fault"' in answer.text
    assert SECRET not in answer.text


@pytest.mark.parametrize("type_id", CASE_CONNECTOR_TYPES)
async def test_the_form_of_every_type_has_every_declared_field(signed_in: httpx2.AsyncClient, type_id: str):
    page = await signed_in.get(f"{PATH}/new?type={type_id}")
    type_ = registry.get(type_id)
    names = [f"config.{each.name}" for each in type_.config] + [f"secrets.{each.name}" for each in type_.secrets]

    assert [each for each in names if f'name="{each}"' not in page.text] == []


async def test_a_webhook_with_headers_and_bodies_is_added(signed_in: httpx2.AsyncClient, database: Database):
    form = await signed_in.get(f"{PATH}/new?type=.cases-webhook")
    url = "http://127.0.0.1:9/tickets"
    given = {
        "name": "Tickets",
        "config.createIncidentUrl": url,
        "config.createIncidentJson": '{"title": {{{case.title}}}}',
        "config.createIncidentResponseKey": "id",
        "config.getIncidentUrl": url + "/{{{external.system.id}}}",
        "config.getIncidentResponseExternalTitleKey": "title",
        "config.viewIncidentUrl": url + "/{{{external.system.id}}}",
        "config.updateIncidentUrl": url + "/{{{external.system.id}}}",
        "config.updateIncidentJson": '{"title": {{{case.title}}}}',
        "config.headers": "X-Team: soc\nX-Site: b",
        "config.createIncidentMethod": "post",
    }
    answer = await signed_in.post(f"{PATH}/new", data={**fields_of(form, f"{PATH}/new"), **given})
    assert answer.status_code == 303, answer.text
    stored = await connectors.get(database, "default", answer.headers["location"].rpartition("/")[2])
    shown = await signed_in.get(answer.headers["location"])

    assert stored.config["headers"] == {"X-Team": "soc", "X-Site": "b"}
    assert stored.config["hasAuth"] is False
    assert {"X-Team: soc", "X-Site: b"} <= set(re.findall(r"^X-\w+: \w+", shown.text, re.MULTILINE))


async def test_secrets_left_empty_stay(signed_in: httpx2.AsyncClient, ground: Ground, database: Database):
    page = await added(signed_in)
    sent = {**fields_of(await signed_in.get(page), page), **JIRA, "secrets.email": "", "secrets.apiToken": ""}
    await signed_in.post(page, data={**sent, "name": "Renamed"})
    stored = await connectors.get(database, "default", page.rpartition("/")[2])

    assert stored.name == "Renamed"
    assert services.secrets_of(ground, stored)["apiToken"] == SECRET


async def test_secrets_do_not_follow_to_another_address(signed_in: httpx2.AsyncClient, database: Database):
    page = await added(signed_in)
    sent = {**fields_of(await signed_in.get(page), page), **JIRA, "secrets.email": "", "secrets.apiToken": ""}
    refused = await signed_in.post(page, data={**sent, "config.apiUrl": "http://localhost:9"})
    moved = await signed_in.post(page, data={**sent, **JIRA, "config.apiUrl": "http://localhost:9"})
    stored = await connectors.get(database, "default", page.rpartition("/")[2])

    assert (refused.status_code, moved.status_code) == (400, 303)
    assert stored.config["apiUrl"] == "http://localhost:9"


async def test_our_own_settings_are_saved_beside(signed_in: httpx2.AsyncClient, database: Database):
    page = await added(signed_in)
    action = f"{page}/settings"
    sent = {"settings.auth": "bearer", "settings.text": "unchanged", "settings.edited_comments": "append"}
    first = fields_of(await signed_in.get(page), action)
    saved = await signed_in.post(action, data={**first, **sent})
    late = await signed_in.post(action, data={**first, **sent})
    _, values = await connector_care.get_settings(database, "default", page.rpartition("/")[2])

    assert (saved.status_code, late.status_code) == (303, 400)
    assert (values["auth"], values["edited_comments"]) == ("bearer", "append")


async def test_trying_tells_what_went_wrong_without_leaving_the_page(signed_in: httpx2.AsyncClient):
    page = await added(signed_in)
    answer = await signed_in.post(f"{page}/test", data=fields_of(await signed_in.get(page), f"{page}/test"))

    assert answer.status_code == 200
    assert "It does not work" in answer.text
    assert "Connection" in answer.text


async def test_the_list_tells_health_and_what_waits(signed_in: httpx2.AsyncClient, ground: Ground, database: Database):
    id_ = (await added(signed_in)).rpartition("/")[2]
    error = LastError("unreachable", "no connection to 127.0.0.1", False, ground.now())
    faults = [connector_care.fault_write("default", id_, error, ground.now()) for _ in range(5)]
    waiting = [
        outbox.insert_write(a_delivery(id=f"d{number}", case_id=f"c{number}", connector_id=id_, state=state))
        for number, state in enumerate(["waiting", "queued", "failed", "delivered"])
    ]
    for each in (*faults, *waiting):
        await database.commit([each])
    page = await signed_in.get(PATH)
    row = page.text[page.text.index("<tr data-row>") :]

    assert "About to be tried" in row
    assert re.findall(r'state=[a-z]+">(\d+)</a>', row) == ["2", "1"]


async def test_a_deleted_connector_is_gone(signed_in: httpx2.AsyncClient, database: Database):
    page = await added(signed_in)
    answer = await signed_in.post(f"{page}/delete", data=fields_of(await signed_in.get(page), f"{page}/delete"))

    assert answer.headers["location"] == PATH
    assert await connectors.get(database, "default", page.rpartition("/")[2]) is None


async def test_who_may_only_use_connectors_finds_no_buttons_and_is_refused(
    site: Site, signed_in: httpx2.AsyncClient, database: Database, password_hash: str
):
    page = await added(signed_in)
    entry = RoleEntry(feature={"actions": ("read",)})
    await database.commit([roles.put_write(Role("users", entries=(entry,)), create_only=True)])
    await accounts.create(database, Account("user", password_hash, ("users",)))
    async with browser(site) as user:
        await sign_in(user, "user")
        shown = await user.get(page)
        fields = {"csrf": token_of(shown), **JIRA}
        refused = [
            await user.get(f"{PATH}/new"),
            *[await user.post(each, data=fields) for each in (f"{PATH}/new", page, f"{page}/test", f"{page}/delete")],
        ]

    assert shown.status_code == 200
    assert "button primary" not in shown.text
    assert f'action="{page}/delete"' not in shown.text
    assert [each.status_code for each in refused] == [403] * 5


async def test_the_navigation_leaves_out_what_one_may_not_see(
    site: Site, signed_in: httpx2.AsyncClient, database: Database, password_hash: str
):
    entry = RoleEntry(feature={"generalCasesV3": ("read",)})
    await database.commit([roles.put_write(Role("readers", entries=(entry,)), create_only=True)])
    await accounts.create(database, Account("reader", password_hash, ("readers",)))
    async with browser(site) as reader:
        await sign_in(reader, "reader")
        theirs = await reader.get("/app/configure")

    assert f'href="{PATH}"' in (await signed_in.get("/app/configure")).text
    assert f'href="{PATH}"' not in theirs.text


@needs_htmx
@sqlite_only
async def test_in_a_browser_a_connector_is_added_and_tried(site: Site):
    async with visiting(site) as visitor:
        page = await visitor.open(PATH)
        await visitor.check()
        await page.click("main >> text=Add connector")
        await page.click("text=Jira")
        for name in JIRA:
            if name != "type":
                await page.fill(f"[name='{name}']", JIRA[name])
        await visitor.check()
        await page.click("main button.primary")
        await page.click("text=Test")
        await page.wait_for_selector("#trial .notice.bad")
        await visitor.check()


@sqlite_only
async def test_adding_needs_no_script(site: Site):
    async with visiting(site, script=False) as visitor:
        page = await visitor.open(f"{PATH}/new?type=.jira")
        for name in JIRA:
            if name != "type":
                await page.fill(f"[name='{name}']", JIRA[name])
        await page.click("main button.primary")
        await page.click("text=Test")
        assert "It does not work" in await page.inner_text("#trial")
