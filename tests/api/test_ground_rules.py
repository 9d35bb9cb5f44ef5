"""The rules every route obeys: headers, order of checks, credentials, limits (contract README 2 and 3)."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casebridge.api.routing import Answer, Call, Route
from casebridge.domain.user import Account
from casebridge.storage import accounts
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database
from casebridge.wire.base import Body


class Note(Body):
    text: str


class Wanted(Body):
    page: int = 1


async def _echo(call: Call) -> dict[str, Any]:
    return {
        "path": call.path,
        "page": getattr(call.query, "page", None),
        "text": getattr(call.body, "text", None),
        "user": call.asking.actor.user.username,
        "address": call.asking.actor.address,
        "space": call.asking.space.id,
        "dialect": call.dialect,
    }


async def _nothing(call: Call) -> None: ...


async def _pieces(call: Call) -> Answer:
    async def both() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    return Answer(both(), headers={"content-type": "text/plain"})


async def _count(call: Call) -> dict[str, int]:
    sizes = [len(piece) async for piece in call.stream()]
    return {"bytes": sum(sizes), "pieces": len(sizes)}


def a_route(method: str, path: str, handler: Any = _echo, **other: Any) -> Route:
    return Route(
        method, path, handler, name=f"{method}{path}", summary="Try it", tag="trial", **{"answer": dict, **other}
    )


ROUTES = (
    a_route("GET", "/api/trial/{id}", query=Wanted, dialect="both"),
    a_route("GET", "/api/free"),
    a_route("POST", "/api/trial", body=Note),
    a_route("POST", "/api/perhaps", body=Note, body_optional=True),
    a_route("POST", "/api/bodiless"),
    a_route("DELETE", "/api/trial/{id}", _nothing, answer=None, status=204),
    a_route("POST", "/internal/trial", body=Note, query=Wanted),
    a_route("GET", "/api/pieces", _pieces, answer=None),
    a_route("POST", "/api/upload", _count, upload=True),
)
NOTE = b'{"text":"hello"}'


@pytest.fixture
async def database(sqlite_target: Path) -> AsyncIterator[Database]:
    """One kind is enough here: all the kernel asks of a database is who signs in, which has tests of its own."""
    opened = await open_database(sqlite_target)
    yield opened
    await opened.close()


@pytest.fixture
def app(serve: Any) -> Any:
    return serve(ROUTES)


def basic(text: str, scheme: str = "Basic") -> str:
    return f"{scheme} {b64encode(text.encode()).decode()}"


async def test_the_handler_sees_who_asks_what_from_where(app: Any, ask: Any):
    heard = await ask(app, "GET", "/api/trial/a%2Fb?page=2")
    assert heard.json == {
        "path": {"id": "a/b"},
        "page": 2,
        "text": None,
        "user": "admin",
        "address": "192.0.2.7",
        "space": "default",
        "dialect": "today",
    }


async def test_every_public_answer_names_server_and_version(app: Any, ask: Any):
    for heard in (
        await ask(app, "GET", "/api/trial/1"),
        await ask(app, "GET", "/api/trial/1?page=x"),
        await ask(app, "GET", "/api/trial/1", auth=None),
        await ask(app, "DELETE", "/api/trial/1"),
        await ask(app, "POST", "/api/trial", NOTE, xsrf=False),
    ):
        assert heard.headers["elastic-api-version"] == "2023-10-31"
        assert heard.headers["kbn-name"] == "casebridge"
        assert heard.headers["cache-control"] == "private, no-cache, no-store, must-revalidate"


async def test_internal_and_unknown_routes_announce_no_version(app: Any, ask: Any):
    for heard in (await ask(app, "POST", "/internal/trial", NOTE), await ask(app, "GET", "/api/nowhere")):
        assert "elastic-api-version" not in heard.headers
        assert heard.headers["kbn-name"] == "casebridge"


async def test_json_answers_say_what_they_are_and_empty_ones_nothing(app: Any, ask: Any):
    full = await ask(app, "GET", "/api/trial/1")
    assert full.headers["content-type"] == "application/json; charset=utf-8"
    assert full.headers["content-length"] == str(len(full.body))
    empty = await ask(app, "DELETE", "/api/trial/1")
    assert (empty.status, empty.body) == (204, b"")
    assert "content-type" not in empty.headers


async def test_head_answers_as_get_without_the_body(app: Any, ask: Any):
    head, get = await ask(app, "HEAD", "/api/trial/1", xsrf=False), await ask(app, "GET", "/api/trial/1")
    assert (head.status, head.body) == (200, b"")
    assert head.headers == get.headers


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "BREW"])
@pytest.mark.parametrize("auth", [None, "admin:correct horse battery"])
async def test_an_unknown_method_is_404_with_or_without_credentials(app: Any, ask: Any, method: str, auth: str | None):
    heard = await ask(app, method, "/api/trial/1", auth=auth)
    assert heard.status == 404
    assert heard.json["error"] == "Not Found"
    assert heard.json["statusCode"] == 404


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic %%%",
        "Basic YWRtaW4",
        basic("admin"),
        basic(":correct horse battery"),
        basic("admin:wrong"),
        basic("admin:"),
        basic("Admin:correct horse battery"),
        basic("nobody:correct horse battery"),
        basic("ad\0min:correct horse battery"),
        "Basic " + b64encode(b"\xff:\xff").decode(),
        basic("admin:correct horse battery", "Bearer"),
        basic("admin:correct horse battery", "Basicx"),
        basic("admin:correct horse battery", "ApiKey"),
        "Negotiate abc",
    ],
)
async def test_every_bad_credential_gets_the_same_401(app: Any, ask: Any, header: str | None):
    headers = {} if header is None else {"authorization": header}
    heard = await ask(app, "GET", "/api/trial/1", auth=None, headers=headers)
    assert heard.status == 401
    assert heard.headers["www-authenticate"].startswith('Basic realm="')
    assert heard.json == {
        "statusCode": 401,
        "error": "Unauthorized",
        "message": "Unable to authenticate with the given credentials.",
    }


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "bAsIc"])
async def test_the_scheme_is_case_insensitive(app: Any, ask: Any, scheme: str):
    headers = {"authorization": basic("admin:correct horse battery", scheme)}
    assert (await ask(app, "GET", "/api/trial/1", auth=None, headers=headers)).status == 200


async def test_a_disabled_user_and_an_old_password_stop_working_at_once(
    app: Any, ask: Any, database: Database, admin: Account
):
    assert (await ask(app, "GET", "/api/trial/1")).status == 200
    stored = await accounts.get(database, "admin")
    await accounts.save(database, msgspec.structs.replace(admin, enabled=False), stored.version)
    assert (await ask(app, "GET", "/api/trial/1")).status == 401
    stored = await accounts.get(database, "admin")
    other = await app.kernel.callers.door.passwords.hash("new")
    await accounts.save(database, msgspec.structs.replace(admin, password_hash=other), stored.version)
    assert (await ask(app, "GET", "/api/trial/1")).status == 401
    assert (await ask(app, "GET", "/api/trial/1", auth="admin:new")).status == 200
    await accounts.delete(database, "admin")
    assert (await ask(app, "GET", "/api/trial/1", auth="admin:new")).status == 401


async def test_credentials_come_before_xsrf_and_xsrf_before_the_body(app: Any, ask: Any):
    bad = b"{"
    assert (await ask(app, "POST", "/api/trial", bad, auth=None, xsrf=False)).status == 401
    without_xsrf = await ask(app, "POST", "/s/nowhere/api/trial?x=%ff", bad, xsrf=False)
    assert (without_xsrf.status, "kbn-xsrf" in without_xsrf.json["message"]) == (400, True)
    assert (await ask(app, "POST", "/s/nowhere/api/trial", bad)).status == 400
    assert (await ask(app, "POST", "/s/nowhere/api/trial", NOTE)).status == 404


async def test_nobody_learns_which_spaces_exist_without_credentials(app: Any, ask: Any):
    assert (await ask(app, "GET", "/s/nowhere/api/trial/1", auth=None)).status == 401
    heard = await ask(app, "GET", "/s/nowhere/api/trial/1")
    assert heard.status == 404
    assert "[space/nowhere]" in heard.json["message"]


@pytest.mark.parametrize("name", ["kbn-xsrf", "kbn-version"])
async def test_either_header_satisfies_the_xsrf_rule_even_when_empty(app: Any, ask: Any, name: str):
    assert (await ask(app, "POST", "/api/trial", NOTE, xsrf=False, headers={name: ""})).status == 200
    assert (await ask(app, "DELETE", "/api/trial/1", xsrf=False, headers={name: ""})).status == 204


async def test_reading_needs_no_xsrf_header(app: Any, ask: Any):
    assert (await ask(app, "GET", "/api/trial/1", xsrf=False)).status == 200


async def test_another_kbn_version_is_refused_only_when_switched_on(serve: Any, ask: Any):
    headers = {"kbn-version": "8.0.0"}
    assert (await ask(serve(ROUTES), "POST", "/api/trial", NOTE, headers=headers)).status == 200
    strict = serve(ROUTES, check_kbn_version=True, version="9.1.0")
    heard = await ask(strict, "POST", "/api/trial", NOTE, headers=headers)
    assert heard.status == 400
    assert heard.json["attributes"] == {"expected": "9.1.0", "got": "8.0.0"}
    assert (await ask(strict, "GET", "/api/trial/1", headers={"kbn-version": "9.1.0"})).status == 200


async def test_internal_routes_ask_for_their_origin_only_when_switched_on(serve: Any, ask: Any):
    assert (await ask(serve(ROUTES), "POST", "/internal/trial", NOTE)).status == 200
    strict = serve(ROUTES, require_internal_origin=True)
    assert (await ask(strict, "POST", "/internal/trial", NOTE)).status == 400
    headers = {"x-elastic-internal-origin": "Kibana"}
    assert (await ask(strict, "POST", "/internal/trial", NOTE, headers=headers)).status == 200
    assert (await ask(strict, "POST", "/internal/trial?elasticInternalOrigin=true", NOTE)).status == 200
    assert (await ask(strict, "POST", "/api/trial", NOTE)).status == 200


async def test_two_query_parameters_never_count_as_unknown(app: Any, ask: Any):
    assert (await ask(app, "GET", "/api/trial/1?apiVersion=2023-10-31&elasticInternalOrigin=true")).status == 200
    assert (await ask(app, "GET", "/api/trial/1?apiVersion=1&nope=1")).status == 400


async def test_unknown_query_keys_are_ignored_where_none_are_documented_and_in_7_10(app: Any, ask: Any):
    assert (await ask(app, "GET", "/api/free?nope=1")).status == 200
    assert (await ask(app, "GET", "/7.10/api/trial/1?nope=1")).status == 200
    assert (await ask(app, "GET", "/7.10/api/trial/1?page=x")).status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/api/free?a=%ff",
        "/api/free?a=%00",
        "/api/trial/a%00b",
        "/api/trial/%ff",
        "/s/%ff/api/free",
        "/s/%00/api/free",
    ],
)
async def test_text_that_cannot_be_stored_is_refused_everywhere(app: Any, ask: Any, path: str):
    assert (await ask(app, "GET", path)).status == 400


async def test_paths_are_taken_as_sent(app: Any, ask: Any):
    assert (await ask(app, "GET", "/api/trial/\u00e9".encode())).json["path"] == {"id": "é"}
    for path in ("/api/trial/", "//api/trial/1", "/api/./trial/1", "/api/x/../trial/1", "/api/trial/1/"):
        assert (await ask(app, "GET", path)).status == 404


async def test_a_base_path_goes_in_front_of_everything(serve: Any, ask: Any):
    app = serve(ROUTES, base_path="/kbn")
    assert (await ask(app, "GET", "/kbn/s/default/api/trial/1")).status == 200
    assert (await ask(app, "GET", "/api/trial/1")).status == 404


@pytest.mark.parametrize("path", ["/7.10/s/default/api/trial/1", "/s/default/7.10/api/trial/1"])
async def test_the_dialect_stands_before_or_after_the_space(app: Any, ask: Any, path: str):
    assert (await ask(app, "GET", path)).json["dialect"] == "7.10"


async def test_a_required_body_must_be_there(app: Any, ask: Any):
    for body in (b"", [b""]):
        heard = await ask(app, "POST", "/api/trial", body)
        assert (heard.status, "required" in heard.json["message"]) == (400, True)
    assert (await ask(app, "POST", "/api/trial", b"null")).status == 400


@pytest.mark.parametrize("body", [b"", [b""], b"null", b" null\n"])
async def test_an_optional_body_may_be_absent_or_null(app: Any, ask: Any, body: Any):
    assert (await ask(app, "POST", "/api/perhaps", body, headers={"content-type": "application/json"})).status == 200


async def test_an_optional_body_is_checked_when_it_is_there(app: Any, ask: Any):
    assert (await ask(app, "POST", "/api/perhaps", NOTE)).json["text"] == "hello"
    assert (await ask(app, "POST", "/api/perhaps", b'{"nope":1}')).status == 400
    assert (await ask(app, "POST", "/api/perhaps", NOTE, headers={"content-type": "text/plain"})).status == 415


async def test_a_route_without_body_does_not_look_at_one(app: Any, ask: Any):
    assert (await ask(app, "POST", "/api/bodiless", b"{", headers={"content-type": "text/plain"})).status == 200


async def test_other_media_types_are_415(app: Any, ask: Any):
    for body in (NOTE, [NOTE, b""]):
        heard = await ask(app, "POST", "/api/trial", body, headers={"content-type": "text/plain"})
        assert (heard.status, heard.json["error"]) == (415, "Unsupported Media Type")
    assert (await ask(app, "POST", "/api/trial", NOTE)).status == 200


async def test_a_body_at_the_limit_is_read_and_one_byte_more_is_413(serve: Any, ask: Any):
    app = serve(ROUTES, body_limit_bytes=len(NOTE))
    assert (await ask(app, "POST", "/api/trial", NOTE)).status == 200
    for body in (NOTE + b" ", [NOTE, b" "], [NOTE + b" "]):
        heard = await ask(app, "POST", "/api/trial", body)
        assert (heard.status, heard.json["error"]) == (413, "Payload Too Large")
        assert heard.headers["connection"] == "close"


async def test_the_default_limit_is_a_mebibyte(app: Any, ask: Any):
    frame = len(b'{"text":""}')
    assert (await ask(app, "POST", "/api/trial", b'{"text":"%s"}' % (b"a" * (1_048_576 - frame)))).status == 200
    assert (await ask(app, "POST", "/api/trial", b'{"text":"%s"}' % (b"a" * (1_048_577 - frame)))).status == 413


async def test_an_upload_is_handed_to_the_handler_in_pieces(app: Any, ask: Any):
    heard = await ask(app, "POST", "/api/upload", [b"ab", b"cd", b"e"], headers={"content-type": "image/png"})
    assert heard.json == {"bytes": 5, "pieces": 3}


async def test_an_answer_may_come_in_pieces(app: Any, ask: Any):
    heard = await ask(app, "GET", "/api/pieces")
    assert (heard.status, heard.body, heard.headers["content-type"]) == (200, b"one two", "text/plain")
    assert (await ask(app, "HEAD", "/api/pieces")).body == b""


async def test_parallel_first_requests_all_come_in(app: Any, ask: Any):
    heard = await asyncio.gather(*(ask(app, "GET", f"/api/trial/{number}") for number in range(8)))
    assert [each.status for each in heard] == [200] * 8
