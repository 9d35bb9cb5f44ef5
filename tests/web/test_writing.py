"""While a comment is written, in a real browser: people offered after an @, a picture dropped into the text."""

from __future__ import annotations

import base64
import re
from random import Random

import httpx2
import pytest
from playwright.async_api import expect

from casebridge.cli.scene_files import picture
from casebridge.domain.user import Account
from casebridge.storage import accounts
from casebridge.storage.session import Database
from casebridge.web.site import Site
from tests.web.chromium import needs_htmx, visiting
from tests.web.site import browser, sign_in
from tests.web.test_cases import opened

sqlite_only = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)
_DROP = """([kind, data]) => {
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], "traffic.png", { type: "image/png" }));
  const more = kind === "paste" ? { clipboardData: carried } : { dataTransfer: carried };
  const event = kind === "paste" ? new ClipboardEvent(kind, { bubbles: true, ...more })
    : new DragEvent(kind, { bubbles: true, ...more });
  document.querySelector("#comment").dispatchEvent(event);
}"""


@sqlite_only
@needs_htmx
async def test_a_person_is_chosen_by_keyboard_while_the_name_is_typed(
    site: Site, signed_in: httpx2.AsyncClient, database: Database, password_hash: str
):
    case = await opened(signed_in, "Odd logons")
    await accounts.create(database, Account("grace", password_hash, ("superuser",), full_name="Grace Kim"))
    async with browser(site) as other:
        await sign_in(other, "grace")
    async with visiting(site) as visitor:
        page = await visitor.open(f"/app/security/cases/{case['id']}")
        await page.locator("#comment").press_sequentially("Ask @gr")
        await page.locator("#comment-offers [role=option]", has_text="Grace Kim").wait_for()
        await visitor.check()
        await page.press("#comment", "Enter")
        assert await page.input_value("#comment") == "Ask @grace "
        await page.press("#comment", "Control+Enter")
        link = page.locator(".entry.said a", has_text="@grace")
        await link.wait_for()
        assert await link.get_attribute("href") == "/app/people/grace"


@sqlite_only
@needs_htmx
@pytest.mark.parametrize("kind", ["paste", "drop"])
async def test_a_picture_goes_to_the_files_of_the_case_and_into_the_text(
    site: Site, signed_in: httpx2.AsyncClient, kind: str
):
    case = await opened(signed_in, "Odd traffic")
    async with visiting(site) as visitor:
        page = await visitor.open(f"/app/security/cases/{case['id']}")
        await page.fill("#comment", "See")
        await page.evaluate(_DROP, [kind, base64.b64encode(picture(Random(1))).decode()])
        await expect(page.locator("#comment")).to_have_value(re.compile(r"^See\n!\[traffic\.png\]"))
        await page.press("#comment", "Control+Enter")
        shown = page.locator(".entry.said .prose img")
        await expect(shown).to_have_js_property("naturalWidth", 720)
        await visitor.check()
    assert "traffic.png" in (await signed_in.get(f"/app/security/cases/{case['id']}?tabId=files")).text
