"""The pages that set up the cases of an owner."""

from __future__ import annotations

import html
import re

import httpx2
import pytest

from casebridge.domain.automation import AutoPush
from casebridge.domain.role import Role, RoleEntry
from casebridge.domain.user import Account
from casebridge.services.ground import Ground
from casebridge.storage import accounts, automation, configurations, roles
from casebridge.storage.session import Database
from casebridge.web import told
from casebridge.web.site import Site
from tests.web.chromium import needs_htmx, visiting
from tests.web.site import browser, fields_of, sign_in

PATH = "/app/configure"
SECURITY = "securitySolution"
sqlite_only = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)


async def a_connector(client: httpx2.AsyncClient) -> None:
    body = {
        "name": "Ops Jira",
        "connector_type_id": ".jira",
        "config": {"apiUrl": "http://127.0.0.1:9", "projectKey": "OPS"},
        "secrets": {"email": "bot@example.org", "apiToken": "s3cret-token"},
    }
    answer = await client.post("/api/actions/connector/ops", json=body, headers={"kbn-xsrf": "true"})
    assert answer.status_code == 200, answer.text


def plain(page: httpx2.Response) -> str:
    """What a page says, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", page.text)).split())


async def test_closing_rule_and_connector_are_saved_and_said_in_words(
    signed_in: httpx2.AsyncClient, database: Database
):
    await a_connector(signed_in)
    page = await signed_in.get(PATH)
    sent = {**fields_of(page, PATH), "connector": "ops", "closure": "close-by-pushing"}
    answer = await signed_in.post(PATH, data=sent)
    after = await signed_in.get(answer.headers["location"])
    stored = await configurations.of_owner(database, "default", SECURITY)

    assert "New cases name no connector" in plain(page)
    assert (answer.status_code, stored.connector.id, stored.closure_type) == (303, "ops", "close-by-pushing")
    assert "When someone pushes a case to Ops Jira, its title overwrites Summary" in plain(after)
    assert "The case is then closed" in plain(after)


async def test_automatic_push_is_saved_for_the_owner_alone(signed_in: httpx2.AsyncClient, database: Database):
    page = await signed_in.get(f"{PATH}?owner=cases")
    base = fields_of(page, f"{PATH}/automation")
    sent = {**base, "enabled": "yes", "on": ["title", "tags"], "create": ""}
    answer = await signed_in.post(f"{PATH}/automation", data=sent)
    stored = await automation.get(database, "default", "cases")

    assert answer.headers["location"] == f"{PATH}?owner=cases"
    assert stored.auto_push == AutoPush(enabled=True, on=("title", "tags"), create=False)
    assert not (await automation.get(database, "default", SECURITY)).auto_push.enabled


async def test_what_somebody_else_saved_meanwhile_is_not_overwritten(signed_in: httpx2.AsyncClient, database: Database):
    old = fields_of(await signed_in.get(PATH), PATH)
    await signed_in.post(PATH, data={**old, "connector": "none", "closure": "close-by-pushing"})
    late = await signed_in.post(PATH, data={**old, "connector": "none", "closure": "close-by-user"})
    stored = await configurations.of_owner(database, "default", SECURITY)

    assert late.status_code == 409
    assert stored.closure_type == "close-by-pushing"


@pytest.mark.parametrize(
    ("kind", "sent", "listed", "wrong"),
    [
        ("fields", {"label": "Asset number", "type": "number", "default": "7", "required": "yes"}, "custom_fields",
         {"default": "seven"}),
        ("types", {"label": "Badge number"}, "observable_types", {"label": " "}),
        ("templates", {"name": "Phishing", "case.title": "Phishing: ", "case.severity": "high", "case.tags": "a, b"},
         "templates", {"case.severity": "dire"}),
    ],
)  # fmt: skip
async def test_entries_are_added_changed_and_deleted(
    signed_in: httpx2.AsyncClient, database: Database, kind: str, sent: dict, listed: str, wrong: dict
):
    path = f"{PATH}/{kind}"
    fresh = await signed_in.get(f"{path}?owner=cases")
    refused = await signed_in.post(path, data={**fields_of(fresh, path), **sent, **wrong})
    added = await signed_in.post(path, data={**fields_of(fresh, path), **sent})
    first = getattr(await configurations.of_owner(database, "default", "cases"), listed)[0]
    key, name = (first["key"], "name") if isinstance(first, dict) else (first.key, "label")
    edit = await signed_in.get(f"{path}?owner=cases&key={key}")
    await signed_in.post(path, data={**fields_of(edit, path), **sent, name: "Renamed"})
    shown = await signed_in.get(f"{PATH}?owner=cases")
    again = await signed_in.get(f"{path}?owner=cases&key={key}")
    gone = await signed_in.post(path, data={**fields_of(again, path), "delete": "yes"})
    left = getattr(await configurations.of_owner(database, "default", "cases"), listed)

    assert refused.status_code == 400
    assert html.escape(next(iter(sent.values()))) in refused.text or wrong.get("label")
    assert (added.status_code, gone.status_code) == (303, 303)
    assert key in ("asset-number", "badge-number", "phishing")
    assert "Renamed" in shown.text
    assert left == ()


async def test_a_deleted_field_leaves_the_templates_too(signed_in: httpx2.AsyncClient, database: Database):
    for kind, sent in (
        ("fields", {"label": "Cost", "type": "number", "default": ""}),
        ("templates", {"name": "One", "custom.cost": "12"}),
        ("fields", {"key": "cost", "delete": "yes"}),
    ):
        path = f"{PATH}/{kind}"
        page = await signed_in.get(f"{path}?owner=cases")
        answer = await signed_in.post(path, data={**fields_of(page, path), **sent})
        assert answer.status_code == 303, answer.text
    stored = await configurations.of_owner(database, "default", "cases")

    assert stored.custom_fields == ()
    assert stored.templates[0]["caseFields"]["customFields"] == []


async def test_who_may_only_read_finds_no_buttons_and_is_refused(
    site: Site, signed_in: httpx2.AsyncClient, database: Database, password_hash: str
):
    entry = RoleEntry(feature={"securitySolutionCasesV3": ("read",)})
    await database.commit([roles.put_write(Role("readers", entries=(entry,)), create_only=True)])
    await accounts.create(database, Account("reader", password_hash, ("readers",)))
    async with browser(site) as reader:
        await sign_in(reader, "reader")
        page = await reader.get(PATH)
        token = re.search(r'name="csrf" value="([^"]*)"', page.text)[1]
        sent = {"csrf": token, "owner": SECURITY, "connector": "none", "closure": "close-by-pushing", "version": ""}
        saved = await reader.post(PATH, data=sent)
        form = await reader.get(f"{PATH}/fields?owner={SECURITY}")
        other = await reader.get(f"{PATH}?owner=cases")

    assert page.status_code == 200
    assert '<button class="button primary">' not in page.text
    assert "Add field" not in page.text
    assert (saved.status_code, form.status_code) == (403, 403)
    assert other.status_code == 403
    assert "owner=cases" not in page.text
    assert await configurations.of_owner(database, "default", SECURITY) is None


def test_names_in_the_sentence_are_text():
    said = told.sentences(told.Plan(connector="<b>x</b>", type=".jira"))
    assert "&lt;b&gt;x&lt;/b&gt;" in said[0]


@needs_htmx
@sqlite_only
async def test_the_sentence_follows_what_is_chosen(site: Site, ground: Ground, signed_in: httpx2.AsyncClient):
    await a_connector(signed_in)
    async with visiting(site) as visitor:
        page = await visitor.open(PATH)
        await page.select_option("#connector", label="Ops Jira (Jira)")
        await page.locator("#told", has_text="Ops Jira").wait_for()
        await page.check("text=When it is pushed")
        await page.locator("#told", has_text="then closed").wait_for()
        await visitor.check()


@sqlite_only
async def test_saving_needs_no_script(site: Site, database: Database):
    async with visiting(site, script=False) as visitor:
        page = await visitor.open(PATH)
        await page.check("text=When it is pushed")
        await page.click("section[aria-labelledby=pushing-title] button.primary")
        assert "then closed" in await page.inner_text("#told")
        await page.click("text=Add field")
        await page.fill("#label", "Asset number")
        await page.click("main button.primary")
        assert await page.is_visible("text=Asset number")
    assert (await configurations.of_owner(database, "default", SECURITY)).custom_fields[0].key == "asset-number"
