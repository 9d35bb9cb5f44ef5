"""Every example in a docstring of the rooms below runs and shows what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

ROOMS = ("casebridge.domain", "casebridge.wire", "casebridge.storage")


def with_examples() -> Iterator[str]:
    """Names of the modules that show something."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for room in ROOMS:
        package = importlib.import_module(room)
        for found in pkgutil.iter_modules(package.__path__, f"{room}."):
            if any(each.examples for each in finder.find(importlib.import_module(found.name))):
                yield found.name


@pytest.mark.parametrize("name", sorted(with_examples()))
def test_examples_in_docstrings_hold(name: str):
    failed, tried = doctest.testmod(importlib.import_module(name))

    assert tried
    assert not failed


def test_examples_are_found():
    assert {"casebridge.domain.version", "casebridge.storage.where", "casebridge.wire.base"} <= set(with_examples())
