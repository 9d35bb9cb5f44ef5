"""Browser sessions: signing in and out, what ends a session, and what the API takes of one."""

from __future__ import annotations

import httpx2
import msgspec

from casebridge.api.front import Front
from casebridge.domain.user import Account
from casebridge.security.authentication import Passwords
from casebridge.security.proxies import Proxies
from casebridge.security.sessions import COOKIE
from casebridge.security.throttle import Doorkeeper
from casebridge.services.ground import Ground
from casebridge.storage import accounts
from casebridge.storage.session import Database
from casebridge.web.site import Site, WebSettings
from tests.web.site import PASSWORD, browser, sign_in, token_of

PAGE = "/dev/components"


async def is_in(client: httpx2.AsyncClient) -> bool:
    return (await client.get(PAGE)).status_code == 200


async def test_a_page_sends_strangers_to_the_form_and_back_to_where_they_wanted(visitor: httpx2.AsyncClient):
    refused = await visitor.get(f"{PAGE}?x=1")
    form = await visitor.get(refused.headers["location"])
    fields = {"csrf": token_of(form), "username": "admin", "password": PASSWORD, "next": f"{PAGE}?x=1"}
    answer = await visitor.post("/login", data=fields)

    assert refused.status_code == 303
    assert refused.headers["location"] == "/login?next=%2Fdev%2Fcomponents%3Fx%3D1"
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?x=1")


async def test_nobody_is_sent_to_another_server_after_signing_in(visitor: httpx2.AsyncClient):
    for wanted in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/\tx"):
        form = await visitor.get("/login")
        fields = {"csrf": token_of(form), "username": "admin", "password": PASSWORD, "next": wanted}
        answer = await visitor.post("/login", data=fields)
        assert answer.headers["location"] == "/app/cases"
        visitor.cookies.clear()


async def test_who_signs_in_and_who_could_not_is_in_the_audit_trail(visitor: httpx2.AsyncClient, database: Database):
    await sign_in(visitor, password="nope-planted")
    await sign_in(visitor)

    docs = [row[0] for row in await database.read("SELECT doc FROM audit_event ORDER BY seq")]
    told = [(each["event"], each["user"]["name"]) for each in map(msgspec.json.decode, docs)]
    authentication = {"category": ["authentication"]}
    assert told == [
        ({"action": "sign_in", "outcome": "failure", **authentication}, "admin"),
        ({"action": "session_create", "outcome": "success", **authentication}, "admin"),
    ]
    assert "nope-planted" not in "".join(docs)


async def test_a_wrong_password_and_an_unknown_user_read_the_same(visitor: httpx2.AsyncClient):
    wrong = await sign_in(visitor, password="nope")
    unknown = await sign_in(visitor, username="nobody")

    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert "User name or password is wrong." in wrong.text
    assert "User name or password is wrong." in unknown.text
    assert COOKIE not in visitor.cookies


async def test_guessing_is_slowed_down(site: Site, database: Database, password_hash: str):
    await accounts.create(database, Account("guessed", password_hash, ()))
    # No time goes by, however slow the machine.
    site.callers.door.keeper = Doorkeeper(lambda: 0.0)
    async with browser(site) as client:
        answers = [await sign_in(client, "guessed", f"guess {number}") for number in range(6)]
        right = await sign_in(client, "guessed")

    assert [each.status_code for each in answers] == [401, 401, 401, 401, 401, 429]
    assert right.status_code == 429


async def test_signing_in_needs_the_form_of_this_browser(site: Site, visitor: httpx2.AsyncClient):
    async with browser(site) as other:
        foreign = token_of(await other.get("/login"))
    await visitor.get("/login")
    answer = await visitor.post("/login", data={"csrf": foreign, "username": "admin", "password": PASSWORD})

    assert answer.status_code == 403
    assert COOKIE not in visitor.cookies


async def test_the_cookie_is_kept_from_scripts_and_other_sites_and_goes_over_https_alone(site: Site):
    for base, secure in (("http://127.0.0.1", False), ("https://cases.example.org", True), ("http://x.example", True)):
        async with browser(site, base=base) as client:
            form = await client.get("/login")
            own = {"cookie": f"casebridge_form={form.cookies.get('casebridge_form') or _value(form)}"}
            fields = {"csrf": token_of(form), "username": "admin", "password": PASSWORD}
            answer = await client.post("/login", data=fields, headers=own)
            header = next(each for each in answer.headers.get_list("set-cookie") if each.startswith(COOKIE))
            assert "HttpOnly" in header
            assert "SameSite=Lax" in header
            assert ("Secure" in header) is secure, base


def _value(form: httpx2.Response) -> str:
    return form.headers["set-cookie"].partition("=")[2].partition(";")[0]


async def test_over_plain_http_the_form_says_that_signing_in_cannot_last(site: Site):
    async with browser(site, base="http://cases.example.org") as client:
        assert "session_cookie_secure" in (await client.get("/login")).text


async def test_a_trusted_proxy_tells_that_the_browser_came_by_https(site: Site):
    proxied = {"x-forwarded-proto": "https"}
    site.settings = WebSettings(cookie_secure=False, hsts_s=60)
    async with browser(Front(site, Proxies(["127.0.0.1"]))) as client:
        told = await client.get("/login", headers=proxied)
    async with browser(Front(site, Proxies(["192.0.2.1"]))) as client:
        untold = await client.get("/login", headers=proxied)

    assert "Secure" in told.headers["set-cookie"]
    assert "Secure" not in untold.headers["set-cookie"]
    assert told.headers["strict-transport-security"] == "max-age=60"
    assert "strict-transport-security" not in untold.headers


async def test_failures_count_for_the_address_behind_the_proxy(site: Site):
    site.callers.door.keeper = Doorkeeper(lambda: 0.0)
    async with browser(Front(site, Proxies(["127.0.0.1"]))) as client:
        client.headers["x-forwarded-for"] = "192.0.2.7"
        guesses = [await sign_in(client, password=f"guess {number}") for number in range(6)]
        client.headers["x-forwarded-for"] = "192.0.2.8"
        elsewhere = await sign_in(client)

    assert guesses[-1].status_code == 429
    assert guesses[-1].headers["retry-after"] == "1"
    assert elsewhere.status_code == 303


async def test_signing_in_again_gives_another_session_and_ends_the_first(signed_in: httpx2.AsyncClient):
    first = signed_in.cookies[COOKIE]
    page = await signed_in.get(PAGE)
    await signed_in.post("/logout", data={"csrf": token_of(page)})
    await sign_in(signed_in)
    second = signed_in.cookies[COOKIE]
    signed_in.cookies.clear()

    assert first != second
    for token, status in ((first, 303), (second, 200)):
        assert (await signed_in.get(PAGE, headers={"cookie": f"{COOKIE}={token}"})).status_code == status


async def test_the_store_keeps_no_token(signed_in: httpx2.AsyncClient, database: Database):
    token = signed_in.cookies[COOKIE]
    rows = await database.read("SELECT id, username, doc FROM session")

    assert len(rows) == 1
    assert token not in str(rows)


async def test_signing_out_ends_this_session_alone(site: Site, signed_in: httpx2.AsyncClient):
    async with browser(site) as other:
        await sign_in(other)
        page = await other.get(PAGE)
        answer = await other.post("/logout", data={"csrf": token_of(page)})
        assert answer.headers["location"] == "/login"
        assert not await is_in(other)
    assert await is_in(signed_in)


async def test_signing_out_everywhere_ends_all(site: Site, signed_in: httpx2.AsyncClient):
    async with browser(site) as other:
        await sign_in(other)
        page = await other.get(PAGE)
        await other.post("/logout", data={"csrf": token_of(page), "everywhere": "yes"})
    assert not await is_in(signed_in)


async def test_a_session_ends_when_it_is_not_used(signed_in: httpx2.AsyncClient, ground: Ground):
    for _ in range(3):
        ground.now.move(ground.sessions.idle_s - 60)
        assert await is_in(signed_in)
    ground.now.move(ground.sessions.idle_s + 1)
    assert not await is_in(signed_in)


async def test_a_session_ends_after_its_lifetime_however_much_it_is_used(signed_in: httpx2.AsyncClient, ground: Ground):
    steps = int(ground.sessions.lifetime_s // 20_000)
    for _ in range(steps):
        ground.now.move(20_000)
        assert await is_in(signed_in)
    ground.now.move(20_000)
    assert not await is_in(signed_in)


async def test_a_disabled_user_is_out_at_once(signed_in: httpx2.AsyncClient, database: Database):
    stored = await accounts.get(database, "admin")
    await accounts.save(database, msgspec.structs.replace(stored.account, enabled=False), stored.version)

    assert not await is_in(signed_in)
    assert (await signed_in.get("/api/cases/status")).status_code == 401


async def test_a_new_password_ends_every_session(signed_in: httpx2.AsyncClient, database: Database):
    stored = await accounts.get(database, "admin")
    changed = msgspec.structs.replace(stored.account, password_hash=await Passwords().hash("another one"))
    await accounts.save(database, changed, stored.version)

    assert not await is_in(signed_in)


async def test_the_api_takes_a_session_and_writes_only_with_its_header(signed_in: httpx2.AsyncClient):
    read = await signed_in.get("/api/cases/status")
    body = {"id": "ops", "name": "Ops"}
    bare = await signed_in.post("/api/spaces/space", json=body)
    meant = await signed_in.post("/api/spaces/space", json=body, headers={"kbn-xsrf": "true"})

    assert read.status_code == 200
    assert (bare.status_code, meant.status_code) == (400, 200)


async def test_credentials_beat_a_session(signed_in: httpx2.AsyncClient):
    assert (await signed_in.get("/api/cases/status", auth=("admin", "wrong"))).status_code == 401


async def test_a_form_from_elsewhere_does_nothing(signed_in: httpx2.AsyncClient):
    page = await signed_in.get(PAGE)
    fields = {"csrf": token_of(page)}
    refused = [
        await signed_in.post("/logout"),
        await signed_in.post("/logout", data={"csrf": "x"}),
        await signed_in.post("/logout", data=fields, headers={"origin": "https://evil.example"}),
        await signed_in.post("/logout", data=fields, headers={"sec-fetch-site": "cross-site"}),
    ]

    assert [each.status_code for each in refused] == [403, 403, 403, 403]
    assert await is_in(signed_in)
