"""Which route an address means."""

from __future__ import annotations

from typing import Any

import pytest

from casebridge.api.routing import Address, Call, Route, Router


async def _nothing(call: Call) -> None: ...


def a_route(method: str, path: str, **other: Any) -> Route:
    return Route(method, path, _nothing, name=f"{method} {path}", summary="", tag="", **other)


ROUTES = (
    a_route("GET", "/api/cases/{case_id}"),
    a_route("GET", "/api/cases/_find"),
    a_route("GET", "/api/cases/{case_id}/comments/{comment_id}"),
    a_route("GET", "/api/cases/configure"),
    a_route("PATCH", "/api/cases/configure", dialect="both"),
    a_route("POST", "/api/cases/{case_id}/_push", dialect="7.10"),
    a_route("POST", "/internal/cases/_search"),
    a_route("GET", "/healthz/live"),
    a_route("DELETE", "/api/cases/{case_id}"),
)


def found(method: str, path: str, base_path: str = "") -> tuple[str, Address] | None:
    address = Router(ROUTES, base_path).find(method, path)
    return None if address is None else (ROUTES[address.place].path, address)


def where(method: str, path: str, base_path: str = "") -> str | None:
    both = found(method, path, base_path)
    return None if both is None else both[0]


def test_a_literal_segment_wins_over_a_parameter():
    assert where("GET", "/api/cases/_find") == "/api/cases/_find"
    assert where("GET", "/api/cases/_finds") == "/api/cases/{case_id}"


def test_a_literal_of_another_method_does_not_hide_the_parameter():
    assert where("DELETE", "/api/cases/configure") == "/api/cases/{case_id}"


def test_a_literal_that_leads_nowhere_is_tried_as_a_parameter():
    path, address = found("GET", "/api/cases/_find/comments/1")
    assert path == "/api/cases/{case_id}/comments/{comment_id}"
    assert address.params == {"case_id": "_find", "comment_id": "1"}


def test_parameters_are_decoded_once_and_an_escaped_slash_does_not_split():
    _, address = found("GET", "/api/cases/a%2Fb%252F/comments/%C3%A9%20+")
    assert address.params == {"case_id": "a/b%2F", "comment_id": "é +"}


@pytest.mark.parametrize(
    "path",
    [
        "/api/cases/",
        "/api/cases/configure/",
        "//api/cases/configure",
        "/api//cases/configure",
        "/api/cases/./configure",
        "/api/cases/x/../configure",
        "/api/cases/..",
        "/api/cases/%2e%2E",
        "/api/cases",
        "/API/cases/configure",
        "/api/cases/configure/x",
        "api/cases/configure",
        "/",
        "",
        "*",
    ],
)
def test_paths_are_not_tidied_up(path: str):
    assert found("GET", path) is None


def test_head_is_served_wherever_get_is():
    assert where("HEAD", "/api/cases/1") == "/api/cases/{case_id}"
    assert where("HEAD", "/internal/cases/_search") is None


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "TRACE", "get"])
def test_any_other_method_is_no_route(method: str):
    assert found(method, "/api/cases/1") is None


@pytest.mark.parametrize(
    ("path", "space", "dialect"),
    [
        ("/api/cases/configure", "default", "today"),
        ("/s/default/api/cases/configure", "default", "today"),
        ("/s/fin-1_x/api/cases/configure", "fin-1_x", "today"),
        ("/7.10/api/cases/configure", "default", "7.10"),
        ("/7.10/s/fin/api/cases/configure", "fin", "7.10"),
        ("/s/fin/7.10/api/cases/configure", "fin", "7.10"),
    ],
)
def test_space_and_dialect_stand_before_the_route_in_either_order(path: str, space: str, dialect: str):
    _, address = found("PATCH", path)
    assert (address.space_id, address.dialect) == (space, dialect)


@pytest.mark.parametrize(
    "path",
    [
        "/s/a/s/b/api/cases/configure",
        "/7.10/7.10/api/cases/configure",
        "/s/a/healthz/live",
        "/7.10/healthz/live",
        "/s/api/cases/configure",
        "/s/a",
        "/s/a/7.10",
        "/7.10",
        "/api/7.10/cases/configure",
    ],
)
def test_prefixes_elsewhere_are_no_route(path: str):
    assert found("GET", path) is None
    assert found("PATCH", path) is None


def test_each_dialect_has_only_its_own_routes():
    assert where("POST", "/7.10/api/cases/1/_push") == "/api/cases/{case_id}/_push"
    assert where("POST", "/api/cases/1/_push") is None
    assert where("GET", "/7.10/api/cases/_find") is None


def test_everything_follows_the_base_path():
    assert where("GET", "/kbn/s/x/api/cases/1", "/kbn") == "/api/cases/{case_id}"
    assert where("GET", "/kbn/api/cases/_find", "/kbn/") == "/api/cases/_find"
    assert where("GET", "/api/cases/1", "/kbn") is None
    assert where("GET", "/kbnx/api/cases/1", "/kbn") is None


@pytest.mark.parametrize("path", ["/api/cases/a%00b", "/api/cases/%ff", "/api/cases/%ed%a0%80"])
def test_nul_and_bytes_that_are_no_text_are_told_apart(path: str):
    _, address = found("GET", path)
    assert not address.is_clean


def test_two_routes_for_one_address_are_a_mistake():
    with pytest.raises(ValueError, match="two routes"):
        Router([a_route("GET", "/api/{a}"), a_route("GET", "/api/{b}")])
