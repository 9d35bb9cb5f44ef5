"""What the ServiceNow types take in: incidents, params of sub-actions, and the limits of ServiceNow's columns."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from casebridge.connectors.jira_text import cut

ADDITIONAL_FIELDS = 20
RULE_CORRELATION = "{{rule.id}}:{{alert.id}}"
"""What a direct push without `correlation_id` is given: rules put their ids in (contract connectors.md 6.1)."""
SET_BY_US = frozenset({"externalId", "elastic_incident_id", "u_correlation_id", "work_notes", "u_work_notes"})
CHOICE = 40
LIMITS = {"short_description": 160, "description": 4_000, "correlation_id": 100, "correlation_display": 100}
"""Beyond its limit the platform cuts a value in silence, or does not, by column."""
CHOICES = ("severity", "urgency", "impact", "category", "subcategory", "priority")


class ItsmIncident(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent to ITSM. `additional_fields` may come as JSON text and is an object afterwards."""

    short_description: str
    description: str | None = None
    severity: str | None = None
    urgency: str | None = None
    impact: str | None = None
    category: str | None = None
    subcategory: str | None = None
    correlation_id: str | None = RULE_CORRELATION
    correlation_display: str | None = None
    additional_fields: dict[str, Any] | str | None = None

    def __post_init__(self) -> None:
        self.additional_fields = additional(self.additional_fields, self.__struct_fields__)


Observables = str | list[str] | None


class SirIncident(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent to SecOps. Observables may come as text, split at blank, comma, pipe, tab and newline."""

    short_description: str
    description: str | None = None
    category: str | None = None
    subcategory: str | None = None
    priority: str | None = None
    correlation_id: str | None = None
    correlation_display: str | None = None
    dest_ip: Observables = None
    source_ip: Observables = None
    malware_hash: Observables = None
    malware_url: Observables = None
    additional_fields: dict[str, Any] | str | None = None

    def __post_init__(self) -> None:
        self.additional_fields = additional(self.additional_fields, self.__struct_fields__)


class NoParams(msgspec.Struct, forbid_unknown_fields=True):
    """Params of `getFields`."""


class ByFields(msgspec.Struct, forbid_unknown_fields=True):
    """Params of `getChoices`: names of columns."""

    fields: list[str]

    def __post_init__(self) -> None:
        for each in self.fields:
            if not re.fullmatch(r"[\w.]+", each):
                raise ValueError(f"fields: {each[:80]!r} is not the name of a column.")


class ByExternalId(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Params that name a record."""

    external_id: str


class Closing(msgspec.Struct, forbid_unknown_fields=True):
    """The record to close, by its id or else by its correlation id."""

    external_id: str | None = msgspec.field(default=None, name="externalId")
    correlation_id: str | None = None

    def __post_init__(self) -> None:
        if not (self.external_id or "").strip() and not (self.correlation_id or "").strip():
            raise ValueError("expected externalId or correlation_id.")


class CloseIncident(msgspec.Struct, forbid_unknown_fields=True):
    """Params of `closeIncident`."""

    incident: Closing


def additional(given: dict[str, Any] | str | None, named: tuple[str, ...]) -> dict[str, Any] | None:
    """Additional fields as an object, None when there are none. ValueError when they break a rule."""
    if isinstance(given, str):
        given = _parsed(given)
    names = set(given or ())
    if len(names) > ADDITIONAL_FIELDS:
        raise ValueError(f"additional_fields: at most {ADDITIONAL_FIELDS} keys are allowed, given {len(names)}.")
    if repeated := sorted(names & SET_BY_US.union(named)):
        raise ValueError(f"additional_fields: {', '.join(repeated)} must not be repeated here.")
    return given or None


def _parsed(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any] | None)
    except ValueError:
        raise ValueError("additional_fields: expected an object, or the JSON text of one.") from None


def fitting(name: str, value: Any) -> Any:
    """A value no longer than its column, cut visibly."""
    most = LIMITS.get(name, CHOICE if name in CHOICES else None)
    if most is None or not isinstance(value, str):
        return value
    return cut(value, most, " […]" if name == "description" else "…")


def as_note(text: str) -> str:
    """A text for a journal field, where `[code]` would switch to HTML.

    >>> as_note("see [code]<b>x</b>[/code]")
    'see [ code ]<b>x</b>[ /code ]'
    """
    return re.sub(r"\[\s*(/?\s*code)\s*\]", r"[ \1 ]", text, flags=re.IGNORECASE)


def term(name: str, value: str) -> str:
    """An equality of an encoded query. A caret in the value must not start another condition."""
    return f"{name}={value.replace('^', '^^')}"
