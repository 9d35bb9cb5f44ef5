"""A pytest plugin that notes which routes each test had answered without an error.

`pytest -p tests.conformance.recorder` adds a line for each test and route to the file that the variable
CASEBRIDGE_ROUTES_OF_TESTS names: test, method, path and dialect, with tabs between.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from casebridge.api.dispatch import ApiApp

VARIABLE = "CASEBRIDGE_ROUTES_OF_TESTS"

_now_running = ""
_heard: set[str] = set()
_answer = ApiApp._answer


async def _noted(self: ApiApp, served: Any, address: Any, *rest: Any) -> Any:
    answer = await _answer(self, served, address, *rest)
    if answer.status < 400:
        _heard.add("\t".join((_now_running, served.route.method, served.route.path, address.dialect)))
    return answer


def pytest_configure() -> None:
    """Listen to every application of this process."""
    ApiApp._answer = _noted  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    """Know which test runs, its parameters left out."""
    global _now_running
    _now_running = item.nodeid.partition("[")[0]
    return (yield)


def pytest_unconfigure() -> None:
    """Write down what was heard."""
    with open(os.environ[VARIABLE], "a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in sorted(_heard))
