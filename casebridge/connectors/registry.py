"""The connector types there are: every class in this folder that is marked with `@register`.

A new type needs nothing but its own module; importing this one finds it.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TypeVar

import casebridge.connectors as folder
from casebridge.connectors.base import ConnectorType

Type = TypeVar("Type", bound=type[ConnectorType])

_TYPES: dict[str, type[ConnectorType]] = {}


def register(type_: Type) -> Type:
    """Make a connector type known under its id. ValueError if another one has it, or a declaration is missing."""
    missing = [
        name
        for name in ("type_id", "label", "minimum_license_required", "supported_feature_ids", "incident")
        if not hasattr(type_, name)
    ]
    if missing:
        raise ValueError(f"{type_.__name__} does not declare {', '.join(missing)}.")
    known = _TYPES.setdefault(type_.type_id, type_)
    if known is not type_:
        raise ValueError(f"{type_.type_id} is declared twice: by {known.__name__} and {type_.__name__}.")
    return type_


def types() -> dict[str, type[ConnectorType]]:
    """Every connector type by its id, in the order of their labels."""
    return dict(sorted(_TYPES.items(), key=lambda known: known[1].label.casefold()))


def get(type_id: str) -> type[ConnectorType]:
    """The connector type of that id; KeyError when there is none."""
    return _TYPES[type_id]


for _module in pkgutil.iter_modules(folder.__path__):
    importlib.import_module(f"{folder.__name__}.{_module.name}")
