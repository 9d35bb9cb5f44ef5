"""What an owner's cases do by themselves: automatic push, and which changes ask for one (extensions.md 2)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from casebridge.domain.errors import InvalidInput
from casebridge.domain.text import repeated
from casebridge.domain.user_action import Activity

TRIGGERS = ("title", "description", "comments", "status", "severity", "tags", "connector")
"""What `on` may name."""


class AutoPush(msgspec.Struct, frozen=True):
    """When a change queues a push by itself. `create` False: only cases that were pushed already are kept in step."""

    enabled: bool = False
    on: tuple[str, ...] = TRIGGERS
    create: bool = True

    def check(self) -> None:
        """InvalidInput when `on` names something twice, or something that is no trigger."""
        if again := repeated(self.on):
            raise InvalidInput("auto_push.on", f"names more than once: {', '.join(again)}.")
        if unknown := [each for each in self.on if each not in TRIGGERS]:
            raise InvalidInput("auto_push.on", f"expected some of {', '.join(TRIGGERS)}, given {unknown[0]!r}.")

    def asks(self, activity: Iterable[Activity]) -> bool:
        """Whether a change that leaves these records asks for a push.

        >>> AutoPush(enabled=True, on=("tags",)).asks([Activity("tags", "add", {}), Activity("title", "update", {})])
        True
        """
        return self.enabled and any(_is_asked_for(each, self.on) for each in activity)


class Automation(msgspec.Struct, frozen=True):
    """The automation of an owner's cases; no version: none was ever saved."""

    owner: str
    version: int | None = None
    auto_push: AutoPush = AutoPush()


def _is_asked_for(record: Activity, on: tuple[str, ...]) -> bool:
    if record.type == "create_case":
        return bool(on)
    if record.type == "comment":
        # What is deleted here stays over there (push.md 2.2).
        return "comments" in on and record.action != "delete"
    return record.type in on
