"""In words: what will happen to an owner's cases, given closing rule, connector and automatic push."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup, escape

from casebridge.domain.automation import TRIGGERS, AutoPush
from casebridge.domain.connector import MAPPINGS, MappingRow
from casebridge.web.forms import label

TRIGGER_WORDS = {
    "title": "the title",
    "description": "the description",
    "comments": "comments",
    "status": "the status",
    "severity": "the severity",
    "tags": "tags",
    "connector": "the connector",
}
assert set(TRIGGER_WORDS) == set(TRIGGERS)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen. `connector` is its name and `type` its type's id; both empty: none. `auto` None: not told."""

    connector: str = ""
    type: str = ""
    closes: bool = False
    auto: AutoPush | None = None
    quiet_s: float = 0.0


def sentences(plan: Plan) -> list[Markup]:
    """One sentence on pushes by people, one on closing, one on pushes that changes ask for."""
    told = [_pushing(plan), _closing(plan)]
    return told if plan.auto is None else [*told, _automatic(plan, plan.auto)]


def _pushing(plan: Plan) -> Markup:
    if not plan.connector:
        return Markup("New cases name no connector: nothing leaves until somebody chooses one in a case and pushes it.")
    begin = Markup("When someone pushes a case to <strong>{}</strong>, ").format(plan.connector)
    rows = MAPPINGS.get(plan.type, ())
    if not rows:
        return begin + Markup("the calls are made that its connector describes.")
    return begin + listed([_row(each) for each in rows]) + "."


def _row(row: MappingRow) -> Markup:
    verb = "are added to" if row.action_type == "append" else "overwrite" if row.source == "tags" else "overwrites"
    whose = "new" if row.action_type == "append" else "its"
    return Markup("{} {} {} <em>{}</em>").format(whose, row.source, verb, label(row.target))


def _closing(plan: Plan) -> Markup:
    if plan.closes:
        return Markup("The case is then <strong>closed</strong>, once the incident was accepted over there.")
    return Markup("The case <strong>stays open</strong> until somebody closes it.")


def _automatic(plan: Plan, auto: AutoPush) -> Markup:
    if not auto.enabled:
        return Markup("<strong>Nothing is pushed by itself.</strong>")
    if not auto.on:
        return Markup("Automatic push is on, but no change is chosen, so <strong>nothing is pushed by itself</strong>.")
    where = Markup("") if plan.connector else Markup(" of a case that names a connector")
    changes = listed([TRIGGER_WORDS[each] for each in TRIGGERS if each in auto.on], "or")
    said = Markup("A change of {}{} is <strong>pushed by itself</strong>, about {:g} seconds after the last one")
    begin = said.format(changes, where, plan.quiet_s)
    first = (
        "; a case that was never pushed gets its incident that way"
        if auto.create
        else "; a case that was never pushed waits until somebody pushes it"
    )
    return begin + first + (". Such a push never closes a case." if plan.closes else ".")


def listed(parts: Sequence[str], word: str = "and") -> Markup:
    """Parts as a sentence lists them.

    >>> str(listed(["a"])), str(listed(["a", "b"])), str(listed(["a", "b", "c"], "or"))
    ('a', 'a and b', 'a, b or c')
    """
    safe = [escape(each) for each in parts]
    if len(safe) < 2:
        return Markup("").join(safe)
    return Markup(", ").join(safe[:-1]) + f" {word} " + safe[-1]
