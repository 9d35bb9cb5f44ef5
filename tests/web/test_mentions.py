"""Mentions of people in comments, and files put into a text while it is written."""

from __future__ import annotations

import re

import httpx2
import pytest

from casebridge.domain.user import Account
from casebridge.storage import accounts
from casebridge.storage.session import Database
from casebridge.web import markdown
from casebridge.web.site import Site
from tests.web.site import browser, sign_in, token_of
from tests.web.test_cases import LIST, opened

PANEL = "You were mentioned"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000 1f15c489".replace(" ", "")
) + bytes.fromhex("0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082")


@pytest.fixture
async def grace(database: Database, password_hash: str) -> Account:
    account = Account("grace", password_hash, ("superuser",), full_name="Grace Kim")
    await accounts.create(database, account)
    return account


def here(case: dict[str, str]) -> str:
    return f"/app/security/cases/{case['id']}"


async def comment(client: httpx2.AsyncClient, case: dict[str, str], text: str) -> httpx2.Response:
    token = token_of(await client.get(here(case)))
    return await client.post(f"{here(case)}/comments", data={"csrf": token, "comment": text})


async def test_a_mention_stands_on_the_start_page_until_the_case_was_opened(
    site: Site, signed_in: httpx2.AsyncClient, grace: Account
):
    case = await opened(signed_in, "Odd logons")
    await comment(signed_in, case, "@grace can you look? Not `@admin`, mail a@grace.example")
    async with browser(site) as other:
        await sign_in(other, "grace")
        before = (await other.get(LIST)).text
        page = (await other.get(here(case))).text
        after = (await other.get(LIST)).text

    assert PANEL in before
    assert re.search(r"Ada Admin</span> in <a href=\"/app/security/cases/[^\"]+#comment-", before)
    assert 'href="/app/people/grace"' in page
    assert PANEL not in after
    assert PANEL not in (await signed_in.get(LIST)).text


async def test_a_mention_goes_with_its_words(site: Site, signed_in: httpx2.AsyncClient, grace: Account):
    first, second, third = [await opened(signed_in, f"Case {number}") for number in range(3)]
    for case in (first, second, third):
        await comment(signed_in, case, "@grace please")
    page = await signed_in.get(here(first))
    id_ = re.search(r'id="comment-([^"]+)"', page.text)[1]
    version = re.search(r'name="version" value="([^"]+)"', page.text)[1]
    fields = {"csrf": token_of(page), "comment": "nobody", "version": version}
    await signed_in.post(f"{here(first)}/comments/{id_}", data=fields)
    gone = re.search(r'id="comment-([^"]+)"', (await signed_in.get(here(second))).text)[1]
    await signed_in.post(f"{here(second)}/comments/{gone}/delete", data={"csrf": token_of(page)})
    async with browser(site) as other:
        await sign_in(other, "grace")
        seen = (await other.get(LIST)).text
        await signed_in.delete("/api/cases", params={"ids": f'["{third["id"]}"]'}, headers={"kbn-xsrf": "true"})
        last = (await other.get(LIST)).text

    panel = seen.split(PANEL)[1].split("</section>")[0]
    assert "Case 2" in panel
    assert "Case 0" not in panel
    assert "Case 1" not in panel
    assert PANEL not in last


async def test_a_description_mentions_people_too_but_never_its_author(
    site: Site, signed_in: httpx2.AsyncClient, grace: Account
):
    await opened(signed_in, "Told at once", description="For @grace and @admin.")
    async with browser(site) as other:
        await sign_in(other, "grace")
        assert "Told at once" in (await other.get(LIST)).text.split(PANEL)[1].split("</section>")[0]
    assert PANEL not in (await signed_in.get(LIST)).text


async def test_people_are_offered_by_the_beginning_of_their_name(
    site: Site, signed_in: httpx2.AsyncClient, grace: Account
):
    async with browser(site) as other:
        await sign_in(other, "grace")
    answer = await signed_in.get("/app/people", params={"q": "gra", "owner": "securitySolution"})

    assert answer.json() == [{"username": "grace", "name": "Grace Kim"}]
    assert (await signed_in.get("/app/people", params={"q": "gra"})).json() == []
    assert "assignees=u_" in (await signed_in.get("/app/people/grace")).headers["location"]
    assert (await signed_in.get("/app/people/nobody")).status_code == 404


def test_only_known_people_are_links_and_never_within_code_or_links():
    made = markdown.render("@ada, `@ada` and [ask @ada](https://a.example), @nobody", {"ada"}, "/app/people/")

    assert made.count("/app/people/ada") == 1
    assert "@nobody" in made


def test_a_picture_of_elsewhere_is_a_link_and_one_of_this_server_is_shown():
    made = markdown.render("![one](https://evil.example/p.png) ![two](/app/x.png) ![three](//evil.example/q)")

    assert '<img src="/app/x.png" alt="two">' in made
    assert made.count("<img") == 1
    assert 'href="https://evil.example/p.png"' in made


@pytest.mark.parametrize(("name", "shown"), [("shot.png", True), ("drawing.svg", False), ("log.txt", False)])
async def test_a_file_put_into_a_text_is_shown_there_only_if_it_is_a_safe_picture(
    signed_in: httpx2.AsyncClient, name: str, shown: bool
):
    case = await opened(signed_in, "With a picture")
    token = token_of(await signed_in.get(here(case)))
    answer = await signed_in.post(
        f"{here(case)}/files", data={"csrf": token}, files={"file": (name, PNG)}, headers={"accept": "application/json"}
    )
    if answer.status_code == 400:
        assert "not allowed" in answer.json()["message"]
        assert not shown
        return
    written = answer.json()["markdown"]
    address = re.search(r"\((.+)\)", written)[1]
    content = await signed_in.get(address)

    assert written.startswith("![") == shown
    assert content.content == PNG
    assert content.headers["content-type"].startswith("image/png" if shown else "application/octet-stream")
    assert content.headers["content-disposition"].startswith("inline" if shown else "attachment")
    assert "sandbox" in content.headers["content-security-policy"]


async def test_an_observable_is_changed_where_it_stands(signed_in: httpx2.AsyncClient):
    case = await opened(signed_in, "With an address")
    token = token_of(await signed_in.get(here(case)))
    fields = {"csrf": token, "type": "observable-type-ipv4", "value": "10.0.0.8", "description": ""}
    await signed_in.post(f"{here(case)}/observables", data=fields)
    tab = f"{here(case)}?tabId=observables"
    action = re.search(r'action="([^"]+/observables/[0-9a-f-]+)"', (await signed_in.get(tab)).text)[1]
    await signed_in.post(action, data={"csrf": token, "value": "10.0.0.9", "description": "the gateway"})
    refused = await signed_in.post(action, data={"csrf": token, "value": "ten", "description": ""})
    page = (await signed_in.get(tab)).text

    assert "10.0.0.9" in page
    assert "the gateway" in page
    assert "10.0.0.8" not in page
    assert refused.headers["location"].endswith("tabId=observables")
    assert "expected" in page
