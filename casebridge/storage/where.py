"""A condition in the making: fragments of SQL and the values they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Where:
    """Conditions joined by AND. Fragments are ours; whatever a user gave goes into `params`.

    >>> where = Where().also("space = :space", space="default").among("owner", ("cases", "x"))
    >>> where.text
    'space = :space AND owner IN (:owner_0, :owner_1)'
    """

    def __init__(self) -> None:
        self._fragments: list[str] = []
        self.params: dict[str, Any] = {}

    @property
    def text(self) -> str:
        return " AND ".join(self._fragments) or "1 = 1"

    @property
    def has_any(self) -> bool:
        return bool(self._fragments)

    def also(self, fragment: str, **params: Any) -> Where:
        """Add a fragment and its values."""
        self._fragments.append(fragment)
        self.params.update(params)
        return self

    def among(self, column: str, values: Sequence[Any], name: str | None = None) -> Where:
        """The column equals one of the values; none of them: nothing matches."""
        return self.also(*self.listed(column, values, name))

    def listed(self, column: str, values: Sequence[Any], name: str | None = None) -> tuple[str]:
        """The fragment of `among`, its values already taken in, for use inside a larger fragment."""
        if not values:
            return ("1 = 0",)
        stem = name or column.rpartition(".")[2]
        places = []
        for number, value in enumerate(values):
            self.params[f"{stem}_{number}"] = value
            places.append(f":{stem}_{number}")
        return (f"{column} IN ({', '.join(places)})",)
