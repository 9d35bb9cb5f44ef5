"""The keys of a connector's `config` and `secrets`, declared once.

Validation, defaults, what is secret, and later the form and the docs table come from these declarations. This module
knows no external system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from casebridge.connectors.hosts import AllowedHosts


class Unset:
    """The default of a key that is simply left out."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()


class BadValue(ValueError):
    """A value breaks its field's rule. `path` leads to it; the text never repeats the value of a secret."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


@dataclass(frozen=True)
class Field:
    """A key. One that is not required takes `default` when it is missing, or stays out if that is UNSET."""

    name: str
    label: str = ""
    _: KW_ONLY
    required: bool = True
    nullable: bool = False
    default: Any = UNSET
    is_secret: bool = False
    is_long: bool = False
    """Whether a form gives it several lines."""

    def check(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        """BadValue unless the value may stand here."""
        if value is None:
            if not self.nullable:
                raise BadValue(path, f"expected {self.expected}, given null.")
            return
        self.check_value(path, value, allowed)

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        return "a value"

    def check_value(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        """BadValue unless the value, which is not null, may stand here."""

    def _require(self, path: str, value: Any, kind: type | tuple[type, ...]) -> None:
        if not isinstance(value, kind):
            raise BadValue(path, f"expected {self.expected}, given {_kind(value)}.")


@dataclass(frozen=True)
class TextField(Field):
    """A text that is not blank."""

    @property
    def expected(self) -> str:
        return "a text"

    def check_value(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        self._require(path, value, str)


@dataclass(frozen=True)
class SecretField(TextField):
    """A text that a form hides while it is typed."""

    is_secret: bool = True


@dataclass(frozen=True)
class UrlField(TextField):
    """An http or https address whose host is allowed."""

    def check_value(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        self._require(path, value, str)
        reason = allowed.refusal(value)
        if reason is not None:
            raise BadValue(path, reason)


@dataclass(frozen=True)
class BoolField(Field):
    """True or false."""

    @property
    def expected(self) -> str:
        return "true or false"

    def check_value(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        self._require(path, value, bool)


@dataclass(frozen=True)
class ChoiceField(Field):
    """One of a few texts."""

    choices: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        return f"one of {', '.join(self.choices)}"

    def check_value(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        self._require(path, value, str)
        if value not in self.choices:
            raise BadValue(path, f"expected {self.expected}.")


@dataclass(frozen=True)
class ObjectField(Field):
    """An object; with `fields` just these keys, without them any."""

    fields: tuple[Field, ...] = ()

    @property
    def expected(self) -> str:
        return "an object"

    def check_value(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        self._require(path, value, dict)
        if self.fields:
            check_keys(path, value, self.fields, allowed)


def fill(path: str, given: Mapping[str, Any], fields: Sequence[Field], allowed: AllowedHosts) -> dict[str, Any]:
    """The given keys as they are, plus the defaults of those that are missing. Raises BadValue."""
    check_not_blank(path, given)
    check_keys(path, given, fields, allowed)
    defaults = {
        each.name: each.default for each in fields if each.name not in given and not isinstance(each.default, Unset)
    }
    return {**given, **defaults}


def check_keys(path: str, given: Mapping[str, Any], fields: Sequence[Field], allowed: AllowedHosts) -> None:
    """BadValue unless exactly the declared keys are there, each with a value that may stand there."""
    names = {each.name for each in fields}
    for name in given:
        if name not in names:
            known = f"expected one of {', '.join(sorted(names))}" if names else "expected none"
            raise BadValue(f"{path}.{name[:80]}", f"this key is not known; {known}.")
    for each in fields:
        if each.name in given:
            each.check(f"{path}.{each.name}", given[each.name], allowed)
        elif each.required:
            raise BadValue(f"{path}.{each.name}", f"this key is missing; expected {each.expected}.")


def check_not_blank(path: str, value: Any) -> None:
    """BadValue if there is an empty text, white space alone included, at any depth."""
    if isinstance(value, str) and not value.strip():
        raise BadValue(path, "must not be empty or only white space.")
    if isinstance(value, Mapping):
        for name, each in value.items():
            check_not_blank(f"{path}.{name[:80]}", each)
    if isinstance(value, list):
        for place, each in enumerate(value):
            check_not_blank(f"{path}[{place}]", each)


_KINDS = {str: "a text", bool: "true or false", int: "a number", float: "a number", dict: "an object", list: "a list"}


def _kind(value: Any) -> str:
    return "null" if value is None else _KINDS.get(type(value), "something else")
