"""Pages in process: a client that keeps cookies and sends forms as a browser without scripts does."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

PASSWORD = "correct horse battery"
HTML = {"accept": "text/html"}


@asynccontextmanager
async def browser(site: Any, *, base: str = "http://127.0.0.1") -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that has not signed in."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(site), base_url=base, headers=HTML) as client:
        yield client


async def sign_in(client: httpx2.AsyncClient, username: str = "admin", password: str = PASSWORD) -> httpx2.Response:
    """The answer to the form for signing in."""
    page = await client.get("/login")
    fields = {"csrf": token_of(page), "username": username, "password": password, "next": ""}
    return await client.post("/login", data=fields)


def token_of(page: httpx2.Response) -> str:
    """The token that forms of this page carry."""
    found = re.search(r'name="csrf" value="([^"]*)"', page.text)
    assert found, page.text[:500]
    return html.unescape(found[1])


def fields_of(page: httpx2.Response, action: str) -> dict[str, str]:
    """What the first form with this action has in its hidden fields."""
    found = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', page.text, re.DOTALL)
    assert found, page.text[:2_000]
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', found[1])
    return {name: html.unescape(value) for name, value in hidden}
