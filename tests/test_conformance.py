"""The list of the contract's routes is true: served or not, shown by tests that exist and really call the route."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from casebridge.api.routing import Call, Route
from casebridge.api.table import ROUTES
from tests.conformance.recorder import VARIABLE
from tests.conformance.table import LIST, PAGE, ROOT, differences, has_test, nameless, page, read

LINES = read(LIST.read_text("utf-8"))


def test_what_is_served_is_listed_and_what_is_listed_with_a_test_is_served():
    assert differences(LINES, ROUTES) == []


def test_every_test_of_the_list_exists():
    assert [each.test for each in LINES if each.test is not None and not has_test(each.test)] == []


def test_the_page_is_fresh():
    assert PAGE.read_text("utf-8") == page(LINES), "run make conformance"


async def _answer(call: Call) -> None:
    """Nothing: no request is made."""


def _route(method: str, path: str, **given: object) -> Route:
    return Route(method, path, _answer, name="x", summary="x", tag="x", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("list_", "told"),
    [
        ("", ["GET /a/{} today is served but not listed", "GET /b 7.10 is served but not listed"]),
        ("GET /a/{x} today m#1 -\nGET /b 7.10 m#1 t", ["GET /a/{x} (today) is served, but its line names no test"]),
        (
            "GET /a/{x} today m#1 t\nGET /b 7.10 m#1 t\nGET /c today m#1 t",
            ["GET /c (today) is listed with a test, but not served"],
        ),
        (
            "GET /a/{x} today m#1 t\nGET /a/{y} today m#1 t\nGET /b 7.10 m#1 t",
            ["GET /a/{x} (today) is listed twice"],
        ),
        ("GET /a/{x} today m#1 t\nGET /b 7.10 m#1 t\nGET /c today m#1 -", []),
    ],
)
def test_list_and_server_may_not_disagree(list_: str, told: list[str]):
    routes = (_route("GET", "/a/{id}"), _route("GET", "/b", dialect="7.10"))

    assert differences(read(list_), routes) == told


@pytest.mark.parametrize("line", ["GET /a today m#1", "GET /a 8.0 m#1 t", "GET /a today m 1 t u"])
def test_a_line_that_is_not_as_it_should_be_is_refused(line: str):
    with pytest.raises(ValueError, match="expected METHOD"):
        read(line)


def test_tests_are_looked_up_in_their_files_and_classes():
    assert has_test("tests/test_conformance.py::test_the_page_is_fresh")
    assert has_test("tests/api/test_cases.py::TestDeleting::test_a_case_is_deleted_once")
    assert not has_test("tests/api/test_cases.py::test_a_case_is_deleted_once")
    assert not has_test("tests/api/test_cases.py")
    assert not has_test("tests/missing.py::test_a_case_is_deleted_once")


@pytest.mark.slow
def test_every_test_of_the_list_has_its_route_answered(tmp_path: Path):
    """Each of these tests is run once more and what it called is noted; pages of errors do not count."""
    shown = [each for each in LINES if each.test is not None]
    heard = tmp_path / "heard"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conformance.recorder", "-p", "no:cacheprovider",
               "-p", "no:xdist", "-k", "not postgresql", *sorted({str(each.test) for each in shown})]  # fmt: skip
    plain = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    run = subprocess.run(command, cwd=ROOT, env={**plain, VARIABLE: str(heard)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]

    rows = {tuple(line.split("\t")) for line in heard.read_text("utf-8").splitlines()}
    called = {(test, method, nameless(path), dialect) for test, method, path, dialect in rows}
    assert [str(each) for each in shown if (each.test, *each.key) not in called] == []
