"""The connector types there are: every module of this folder that registers one, found at the first question."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TypeVar

import casebridge.connectors as room
from casebridge.connectors.base import ConnectorType

T = TypeVar("T", bound=type[ConnectorType])

_types: dict[str, type[ConnectorType]] = {}
_searched = False


def register(type_: T) -> T:
    """Make a connector type known by its `type_id`; ValueError when another one has it."""
    other = _types.get(type_.type_id)
    if other is not None and other is not type_:
        raise ValueError(f"{type_.type_id} is registered by {other.__name__} already")
    _types[type_.type_id] = type_
    return type_


def types() -> dict[str, type[ConnectorType]]:
    """All connector types by id, in order of their ids."""
    global _searched
    if not _searched:
        for module in pkgutil.iter_modules(room.__path__):
            importlib.import_module(f"{room.__name__}.{module.name}")
        _searched = True
    return dict(sorted(_types.items()))
