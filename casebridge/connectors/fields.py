"""Declared fields of a connector type: they check, fill defaults, and say what is secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from casebridge.connectors.http import AllowedHosts
from casebridge.domain.errors import InvalidInput


class Field(msgspec.Struct, frozen=True):
    """One key of `config` or `secrets`. Without a default it is required; `nullable` ones may be null."""

    name: str
    label: str = ""
    default: Any = UNSET
    nullable: bool = False

    @property
    def is_secret(self) -> bool:
        return False

    def check(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        """InvalidInput, which never repeats the value, unless the value fits."""
        if value is None and self.nullable:
            return
        self.check_kind(path, value, allowed)

    def check_kind(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        """The part of `check` that differs from kind to kind."""
        if not isinstance(value, str):
            raise InvalidInput(path, "expected a text.")


class TextField(Field, frozen=True):
    """A text."""


class SecretField(Field, frozen=True):
    """A text that is never shown."""

    @property
    def is_secret(self) -> bool:
        return True


class UrlField(Field, frozen=True):
    """An http or https address of an allowed host."""

    def check_kind(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        if not isinstance(value, str):
            raise InvalidInput(path, "expected a text with a URL.")
        allowed.check_url(path, value)


class BoolField(Field, frozen=True):
    """True or false."""

    def check_kind(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        if not isinstance(value, bool):
            raise InvalidInput(path, "expected true or false.")


class ChoiceField(Field, frozen=True):
    """One of a few words."""

    choices: tuple[str, ...] = ()

    def check_kind(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        if value not in self.choices:
            raise InvalidInput(path, f"expected one of {', '.join(self.choices)}.")


def checked(
    part: str, fields: Iterable[Field], given: Mapping[str, Any], allowed: AllowedHosts, *, also: Iterable[str] = ()
) -> dict[str, Any]:
    """The given values with defaults filled in; InvalidInput names `part` and the key that is wrong.

    `also`: further keys that are kept as they are.
    """
    known = {each.name: each for each in fields}
    refuse_empty(part, given)
    extra = frozenset(also)
    if unknown := [name for name in given if name not in known and name not in extra]:
        raise InvalidInput(part, f"unknown keys: {', '.join(sorted(unknown))}; expected {', '.join(known) or 'none'}.")
    filled = dict(given)
    for name, field in known.items():
        if name not in filled:
            if field.default is UNSET:
                raise InvalidInput(f"{part}.{name}", "is required.")
            filled[name] = field.default
        field.check(f"{part}.{name}", filled[name], allowed)
    return filled


def refuse_empty(path: str, value: Any) -> None:
    """InvalidInput for a text that is empty or only white space, at any depth."""
    if isinstance(value, str):
        if not value.strip():
            raise InvalidInput(path, "must not be empty or only white space.")
    elif isinstance(value, Mapping):
        for name, each in value.items():
            refuse_empty(f"{path}.{name}", each)
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            refuse_empty(f"{path}[{number}]", each)
