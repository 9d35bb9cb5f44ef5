"""Single sign-on against a provider over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import pytest
from joserfc.jwk import RSAKey

from casebridge.sandbox.server import serving
from casebridge.security.oidc import TRIP_S, OidcSettings
from casebridge.security.sessions import COOKIE
from casebridge.services.ground import Ground
from casebridge.storage import accounts
from casebridge.storage.session import Database
from casebridge.web.site import Site
from tests.web.provider import CLIENT, SECRET, Provider
from tests.web.site import browser

US = "http://127.0.0.1"
PAGE = "/dev/components"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    async with serving(made.app) as url:
        made.url = url
        yield made


@pytest.fixture
def sso(site: Site, provider: Provider) -> Site:
    """The site, with single sign-on at the provider."""
    oidc = OidcSettings(
        issuer=provider.url,
        client_id=CLIENT,
        client_secret=SECRET,
        roles={"soc": ("superuser",), "guests": ("reader",)},
        default_roles=("everybody",),
        label="Acme account",
    )
    site.settings = msgspec.structs.replace(site.settings, public_base_url=US, oidc=oidc)
    return site


async def to_provider(client: httpx2.AsyncClient, wanted: str = PAGE) -> str:
    """Where the provider sends the browser back to."""
    begun = await client.get("/login/sso", params={"next": wanted})
    assert begun.status_code == 303, begun.text
    async with httpx2.AsyncClient() as outside:
        back = await outside.get(begun.headers["location"])
    return back.headers["location"].removeprefix(US)


async def sign_on(client: httpx2.AsyncClient, wanted: str = PAGE) -> httpx2.Response:
    return await client.get(await to_provider(client, wanted))


async def test_somebody_new_comes_in_with_the_roles_of_the_groups_and_opens_a_case(
    sso: Site, provider: Provider, visitor: httpx2.AsyncClient, database: Database
):
    provider.person |= {"groups": ["soc", "golf"], "email": "grace@example.org"}
    assert "Acme account" in (await visitor.get("/login")).text
    answer = await sign_on(visitor)
    stored = await accounts.get(database, "grace")
    body = {
        "title": "Odd logons", "description": "d", "tags": [], "owner": "cases", "settings": {"syncAlerts": False},
        "connector": {"id": "none", "name": "none", "type": ".none", "fields": None},
    }  # fmt: skip
    made = await visitor.post("/api/cases", json=body, headers={"kbn-xsrf": "x"})

    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    assert stored.account.roles == ("superuser", "everybody")
    assert (stored.account.full_name, stored.account.email) == ("Grace Hopper", "grace@example.org")
    assert made.status_code == 200
    assert made.json()["created_by"]["username"] == "grace"


async def test_groups_are_looked_at_again_with_every_sign_in(
    sso: Site, provider: Provider, visitor: httpx2.AsyncClient, database: Database
):
    provider.person["groups"] = ["soc"]
    await sign_on(visitor)
    first = await accounts.get(database, "grace")
    provider.person["groups"] = ["guests"]
    visitor.cookies.clear()
    await sign_on(visitor)
    second = await accounts.get(database, "grace")

    assert second.account.roles == ("reader", "everybody")
    assert second.account.id == first.account.id


async def test_groups_may_be_told_apart_from_the_token(
    sso: Site, provider: Provider, visitor: httpx2.AsyncClient, database: Database
):
    del provider.person["groups"]
    provider.userinfo = {"groups": ["soc"]}
    assert (await sign_on(visitor)).status_code == 303
    assert (await accounts.get(database, "grace")).account.roles == ("superuser", "everybody")


async def test_a_name_chosen_elsewhere_makes_nobody_a_user_of_ours(
    sso: Site, provider: Provider, visitor: httpx2.AsyncClient
):
    provider.person["preferred_username"] = "admin"
    answer = await sign_on(visitor)
    assert answer.status_code == 401
    assert "belongs to another user" in answer.text
    assert COOKIE not in visitor.cookies


async def test_a_name_that_was_given_to_somebody_else_there_is_not_taken_over(
    sso: Site, provider: Provider, visitor: httpx2.AsyncClient
):
    await sign_on(visitor)
    visitor.cookies.clear()
    provider.person["sub"] = "43"
    assert (await sign_on(visitor)).status_code == 401


async def test_who_is_disabled_here_stays_out(
    sso: Site, provider: Provider, visitor: httpx2.AsyncClient, database: Database
):
    await sign_on(visitor)
    stored = await accounts.get(database, "grace")
    await accounts.save(database, msgspec.structs.replace(stored.account, enabled=False), stored.version)
    visitor.cookies.clear()
    assert (await sign_on(visitor)).status_code == 401


async def test_there_is_no_password_to_guess(sso: Site, visitor: httpx2.AsyncClient):
    await sign_on(visitor)
    visitor.cookies.clear()
    assert (await visitor.get("/api/cases/status", auth=("grace", ""))).status_code == 401


@pytest.mark.parametrize(
    "lie",
    [
        {"iss": "https://evil.example"},
        {"aud": "another program"},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"exp": 1_600_000_000},
        {"exp": None},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"sub": None},
        {"preferred_username": None},
    ],
)
async def test_a_token_that_is_not_for_us_and_now_lets_nobody_in(
    sso: Site, provider: Provider, visitor: httpx2.AsyncClient, lie: dict[str, Any]
):
    provider.lie = lie
    answer = await sign_on(visitor)
    assert answer.status_code == 401
    assert COOKIE not in visitor.cookies


async def test_a_token_signed_by_somebody_else_lets_nobody_in(
    sso: Site, provider: Provider, visitor: httpx2.AsyncClient
):
    provider.key = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256"})
    assert (await sign_on(visitor)).status_code == 401


async def test_a_new_key_of_the_provider_is_asked_for(
    sso: Site, provider: Provider, visitor: httpx2.AsyncClient, ground: Ground
):
    await sign_on(visitor)
    provider.new_key("two")
    visitor.cookies.clear()
    ground.outbound.memory.forget(f"oidc keys {provider.url} new")
    assert (await sign_on(visitor)).status_code == 303
    assert provider.asked == ["description", "keys", "keys"]


async def test_a_return_counts_once_and_in_the_browser_that_began(
    sso: Site, provider: Provider, visitor: httpx2.AsyncClient
):
    back = await to_provider(visitor)
    async with browser(sso) as other:
        assert (await other.get(back)).status_code == 401
        await to_provider(other)
        assert (await other.get(back)).status_code == 401
    trip = visitor.cookies["casebridge_trip"]
    assert (await visitor.get(back)).status_code == 303
    visitor.cookies.clear()
    assert (await visitor.get(back)).status_code == 401
    assert (await visitor.get(back, headers={"cookie": f"casebridge_trip={trip}"})).status_code == 401


async def test_a_return_that_took_too_long_is_refused(sso: Site, visitor: httpx2.AsyncClient, ground: Ground):
    back = await to_provider(visitor)
    ground.now.move(TRIP_S + 1)
    assert (await visitor.get(back)).status_code == 401


async def test_signing_on_gives_a_session_of_its_own(sso: Site, visitor: httpx2.AsyncClient):
    """Whoever planted a cookie before knows none that is signed in."""
    visitor.cookies.set(COOKIE, "planted")
    answer = await sign_on(visitor)
    assert f"{COOKIE}=planted" not in str(answer.headers.get_list("set-cookie"))
    assert (await visitor.get(PAGE, headers={"cookie": f"{COOKIE}=planted"})).status_code == 303


async def test_a_refusal_of_the_provider_is_told_and_nobody_is_sent_elsewhere(sso: Site, visitor: httpx2.AsyncClient):
    await visitor.get("/login/sso", params={"next": "https://evil.example/"})
    begun = await visitor.get("/login/sso", params={"next": "//evil.example/"})
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    answer = await visitor.get("/login/sso/callback", params={"error": "access_denied<b>", "state": state})

    assert answer.status_code == 401
    assert "access_denied&lt;b&gt;" in answer.text
    assert (await sign_on(visitor, "//evil.example/")).headers["location"] == "/app/cases"


async def test_a_provider_that_is_away_is_told(sso: Site, visitor: httpx2.AsyncClient):
    oidc = msgspec.structs.replace(sso.settings.oidc, issuer="http://127.0.0.1:9")
    sso.settings = msgspec.structs.replace(sso.settings, oidc=oidc)
    answer = await visitor.get("/login/sso")
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text


async def test_without_the_setting_there_is_no_way(site: Site, visitor: httpx2.AsyncClient):
    assert (await visitor.get("/login/sso")).status_code == 404
    assert "/login/sso" not in (await visitor.get("/login")).text


async def test_signing_out_leads_out_of_the_provider_too(sso: Site, provider: Provider, visitor: httpx2.AsyncClient):
    answer = await visitor.get("/login/sso/out")
    place = urlsplit(answer.headers["location"])
    assert answer.headers["location"].startswith(f"{provider.url}/out?")
    assert parse_qs(place.query) == {"client_id": [CLIENT], "post_logout_redirect_uri": [f"{US}/login"]}
    assert "/login/sso/out" in (await visitor.get("/login?out=yes")).text


def test_nothing_shows_the_secret():
    assert SECRET not in repr(OidcSettings(issuer="x", client_id="y", client_secret=SECRET))
