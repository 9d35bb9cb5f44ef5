"""Pages in a real browser: the site on a port of its own, Chromium before it, and what it complained about.

Chromium is the one that is installed, or that of the variable CASEBRIDGE_CHROMIUM. Where there is none, tests fail.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import BrowserContext, Page, async_playwright

from casebridge.web.assets import STATIC
from tests.web.site import PASSWORD

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WORST = ("serious", "critical")
needs_htmx = pytest.mark.skipif(
    not (STATIC / "vendor" / "htmx.min.js").exists(), reason="this checkout was never built: `make setup` brings htmx"
)


def executable() -> str:
    """Where Chromium is."""
    given = os.environ.get("CASEBRIDGE_CHROMIUM")
    found = given or next((path for each in _NAMES if (path := shutil.which(each))), None)
    if found is None:
        pytest.fail("No Chromium was found: install it (Debian: apt-get install chromium), or set CASEBRIDGE_CHROMIUM.")
    return found


class Visitor:
    """A browser that is signed in, and a page of it."""

    def __init__(self, context: BrowserContext, page: Page, base: str) -> None:
        self.context, self.page, self.base = context, page, base
        self.complaints: list[str] = []
        page.on("console", lambda told: self.complaints.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def open(self, path: str) -> Page:
        """A page of the site."""
        await self.page.goto(self.base + path)
        return self.page

    async def check(self) -> None:
        """The page shown has no serious fault of accessibility, does not overflow, and nothing was complained about."""
        found = await Axe().run(self.page)
        serious = [
            (each["id"], [node["html"][:200] for node in each["nodes"]][:3])
            for each in found.response["violations"]
            if each["impact"] in WORST
        ]
        wide, shown = await self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert not serious
        assert wide <= shown
        assert not self.complaints


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """The address of a site, served over real HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await task


@asynccontextmanager
async def visiting(site: Any, *, script: bool = True, username: str = "admin") -> AsyncIterator[Visitor]:
    """A signed-in browser before a site, with or without scripts."""
    async with serving(site) as base, async_playwright() as tools:
        browser = await tools.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        context = await browser.new_context(java_script_enabled=script, viewport={"width": 1280, "height": 900})
        page = await context.new_page()
        await page.goto(f"{base}/login")
        await page.fill("#username", username)
        await page.fill("#password", PASSWORD)
        await page.press("#password", "Enter")
        await page.wait_for_url(lambda url: "/login" not in url)
        yield Visitor(context, page, base)
        await browser.close()
