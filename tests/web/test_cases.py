"""The list of cases: what its address asks for, saved views, export, changes of many, and what is not offered."""

from __future__ import annotations

from typing import Any

import httpx2

from casebridge.domain.user import Account
from casebridge.storage import accounts
from casebridge.storage.session import Database
from casebridge.web.site import Site
from tests.web.site import browser, sign_in, token_of

XSRF = {"kbn-xsrf": "true"}
LIST = "/app/cases"


async def opened(client: httpx2.AsyncClient, title: str, **more: Any) -> Any:
    body = {
        "title": title,
        "description": "seen",
        "tags": [],
        "connector": {"id": "none", "name": "none", "type": ".none", "fields": None},
        "settings": {"syncAlerts": True},
        "owner": "securitySolution",
        **more,
    }
    answer = await client.post("/api/cases", json=body, headers=XSRF)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_filters_search_and_order_stand_in_the_address(signed_in: httpx2.AsyncClient):
    await opened(signed_in, "Alpha phishing", severity="high", tags=["mail"])
    await opened(signed_in, "Beta phishing", severity="low")
    await opened(signed_in, "Gamma malware", severity="high")

    async def titles(query: str) -> list[str]:
        text = (await signed_in.get(f"{LIST}?{query}")).text
        found = [name for name in ("Alpha", "Beta", "Gamma") if f"Select {name}" in text]
        return sorted(found, key=lambda name: text.index(f"Select {name}"))

    assert await titles("") == ["Gamma", "Beta", "Alpha"]
    assert await titles("sort=title&order=asc") == ["Alpha", "Beta", "Gamma"]
    assert await titles("severity=high") == ["Gamma", "Alpha"]
    assert await titles("search=phish") == ["Beta", "Alpha"]
    assert await titles("tags=mail&severity=high") == ["Alpha"]
    assert await titles("status=closed") == []
    assert await titles("assignees=none&owner=cases") == []


async def test_an_address_that_means_nothing_is_refused(signed_in: httpx2.AsyncClient):
    for query in ("status=done", "severity=x", "sort=id", "order=up", "page=0", "per=1000", "from=yesterday", "page=x"):
        answer = await signed_in.get(f"{LIST}?{query}")
        assert answer.status_code == 400, query
        assert "That did not fit" in answer.text


async def test_the_pages_of_an_owner_lead_to_the_list_of_that_owner(signed_in: httpx2.AsyncClient):
    answer = await signed_in.get("/app/management/insightsAndAlerting/cases?status=open")
    assert answer.headers["location"] == "/app/cases?status=open&owner=cases"


async def test_a_case_lives_at_the_address_that_pushed_texts_name(signed_in: httpx2.AsyncClient):
    case = await opened(signed_in, "Linked", owner="observability")
    right = f"/app/observability/cases/{case['id']}"

    assert (await signed_in.get(right)).status_code == 200
    assert 'aria-current="page">Alerts' in (await signed_in.get(f"{right}/?tabId=alerts")).text
    assert (await signed_in.get(f"/app/security/cases/{case['id']}")).headers["location"] == right
    assert (await signed_in.get("/app/security/cases/no-such")).status_code == 404


async def test_the_export_holds_every_match_and_no_formula(signed_in: httpx2.AsyncClient):
    await opened(signed_in, "=1+1", tags=["mail"])
    await opened(signed_in, 'A "quoted", one')
    answer = await signed_in.get(f"{LIST}/export.csv")
    lines = answer.text.splitlines()

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(lines) == 3
    assert ",'=1+1," in lines[1]
    assert '"A ""quoted"", one"' in lines[2]
    assert len((await signed_in.get(f"{LIST}/export.csv?tags=mail")).text.splitlines()) == 2


async def test_a_view_is_ones_own_until_it_is_shared(
    site: Site, signed_in: httpx2.AsyncClient, database: Database, password_hash: str
):
    await accounts.create(database, Account("grace", password_hash, ("superuser",)))
    token = token_of(await signed_in.get(LIST))
    for name, shared in (("Mine alone", ""), ("For all of us", "yes")):
        fields = {"csrf": token, "name": name, "query": "severity=high", "shared": shared}
        answer = await signed_in.post(f"{LIST}/views", data=fields)
        assert answer.headers["location"] == f"{LIST}?severity=high"
    again = await signed_in.post(f"{LIST}/views", data={"csrf": token, "name": "Mine alone", "query": ""})
    async with browser(site) as other:
        await sign_in(other, "grace")
        seen = (await other.get(LIST)).text
        foreign = await database.read("SELECT id FROM saved_view WHERE shared = :yes", {"yes": True})
        refused = await other.post(
            f"{LIST}/views/{foreign[0][0]}/delete", data={"csrf": token_of(await other.get(LIST))}
        )

    assert again.status_code == 409
    assert "For all of us" in seen
    assert "Mine alone" not in seen
    assert refused.status_code == 404


async def test_many_cases_change_together_or_not_at_all(signed_in: httpx2.AsyncClient):
    first, second = await opened(signed_in, "One"), await opened(signed_in, "Two")
    chosen = [f"{each['id']}@{each['version']}" for each in (first, second)]
    fields = {"csrf": token_of(await signed_in.get(LIST)), "case": chosen, "status": "closed", "tags_add": "a, b"}
    done = await signed_in.post(f"{LIST}/change", data=fields)
    stale = await signed_in.post(f"{LIST}/change", data={**fields, "status": "open"})
    stored = (await signed_in.get(f"/api/cases/{first['id']}")).json()

    assert done.status_code == 303
    assert (stored["status"], stored["tags"]) == ("closed", ["a", "b"])
    assert stale.status_code == 409
    assert "One" in stale.text


async def test_a_reader_is_offered_no_change_and_is_refused_one_all_the_same(
    site: Site, signed_in: httpx2.AsyncClient, database: Database, password_hash: str
):
    role = {"elasticsearch": {}, "kibana": [{"spaces": ["*"], "feature": {"securitySolutionCasesV3": ["read"]}}]}
    await signed_in.put("/api/security/role/reader", json=role, headers=XSRF)
    await accounts.create(database, Account("reader", password_hash, ("reader",)))
    case = await opened(signed_in, "Only looked at")
    hidden = await opened(signed_in, "Of another owner", owner="cases")
    here = f"/app/security/cases/{case['id']}"
    async with browser(site) as reader:
        await sign_in(reader, "reader")
        listed, page = await reader.get(LIST), await reader.get(here)
        fields = {"csrf": token_of(page), "field": "title", "value": "Changed", "base": "x"}
        refused = [
            await reader.post(f"{here}/comments", data={**fields, "comment": "no"}),
            await reader.post(f"{LIST}/delete", data={**fields, "case": case["id"], "sentence": "delete"}),
            await reader.get("/app/cases/new"),
            await reader.get(f"/app/management/insightsAndAlerting/cases/{hidden['id']}"),
        ]

    assert "Only looked at" in listed.text
    assert "Of another owner" not in listed.text
    for offer in ("data-new", "data-bulk", "Edit title", "data-composer", '/connector"'):
        assert offer not in listed.text + page.text, offer
    assert [each.status_code for each in refused] == [403, 403, 403, 403]
