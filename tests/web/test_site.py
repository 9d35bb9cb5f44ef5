"""What every page carries, where pages end and the API begins, and static files."""

from __future__ import annotations

import re

import httpx2

from casebridge.web.assets import Assets
from casebridge.web.site import Site
from tests.web.site import token_of


async def test_pages_forbid_foreign_and_inline_scripts_frames_and_guessing_of_types(signed_in: httpx2.AsyncClient):
    page = await signed_in.get("/dev/components")
    policy = page.headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "private, no-store"
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page.text)


async def test_static_files_are_cached_for_ever_under_hashed_names(visitor: httpx2.AsyncClient):
    page = await visitor.get("/login")
    address = re.search(r'href="(/static/app\.[0-9a-f]+\.css)"', page.text)[1]
    answer = await visitor.get(address)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert (await visitor.get("/static/app.000000000000.css")).status_code == 404
    assert (await visitor.get("/static/../app.py")).status_code == 404


def test_the_style_sheet_stays_small():
    assets = Assets()
    assert len(assets.get(assets.name("app.css")).content) <= 40_000


async def test_a_lost_browser_gets_a_page_and_a_program_the_apis_answer(signed_in: httpx2.AsyncClient):
    page = await signed_in.get("/no/such/page")
    told = await signed_in.get("/no/such/page", headers={"accept": "application/json"})
    api = await signed_in.get("/api/no-such")

    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Page not found" in page.text
    assert told.json()["statusCode"] == 404
    assert api.json()["statusCode"] == 404


async def test_a_page_in_an_unknown_space_is_not_found(signed_in: httpx2.AsyncClient):
    answer = await signed_in.get("/s/nowhere/dev/components")

    assert answer.status_code == 404
    assert "[space/nowhere]" in answer.text


async def test_a_page_under_its_space_links_within_it(signed_in: httpx2.AsyncClient):
    body = {"id": "ops", "name": "Ops team"}
    await signed_in.post("/api/spaces/space", json=body, headers={"kbn-xsrf": "true"})
    page = await signed_in.get("/s/ops/dev/components")

    assert 'action="/s/ops/logout"' in page.text
    assert "Ops team" in page.text


async def test_an_unforeseen_fault_is_told_without_internals(site: Site, signed_in: httpx2.AsyncClient, monkeypatch):
    def broken(*args: object, **more: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("casebridge.web.markdown.render", broken)
    page = await signed_in.get("/dev/components")
    answer = await signed_in.post("/app/preview", data={"csrf": token_of(page), "text": "x"})

    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "Something went wrong" in answer.text


async def test_the_theme_is_kept_and_only_known_ones_are(signed_in: httpx2.AsyncClient):
    page = await signed_in.get("/dev/components")
    fields = {"csrf": token_of(page), "next": "/dev/components"}
    chosen = await signed_in.post("/theme", data={**fields, "theme": "dark"})
    refused = await signed_in.post("/theme", data={**fields, "theme": "pink"})

    assert chosen.headers["location"] == "/dev/components"
    assert 'data-theme="dark"' in (await signed_in.get("/dev/components")).text
    assert refused.status_code == 400


async def test_markdown_is_shown_without_anything_that_acts(signed_in: httpx2.AsyncClient):
    page = await signed_in.get("/dev/components")
    nasty = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) ![y](data:text/html;base64,x) <script>1</script>"
    answer = await signed_in.post("/app/preview", data={"csrf": token_of(page), "text": nasty})

    assert answer.status_code == 200
    assert "<img src=x" not in answer.text
    assert 'href="javascript' not in answer.text
    assert "<script" not in answer.text
