"""Faults on demand: which request goes wrong, how, and how often.

This module decides; `faulty` carries it out. It knows no external system: a simulated system brings the
names of its steps (`create`, `comment`, ...), so that later ones get the same faults and the same syntax.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

ANY_STEP = "any"
EXPECTED = "STEP=KIND[:VALUE][*TIMES][@AFTER], for example create=drop-after or comment=status:503*2"


class BadFault(ValueError):
    """A fault that cannot be understood. The message says what was given and what is expected."""


class Kind(msgspec.Struct, frozen=True):
    """A way to go wrong. `value` says what follows the colon: seconds, a status, or nothing."""

    value: str
    meaning: str
    lasting: bool = False


KINDS: dict[str, Kind] = {
    "status": Kind("status", "answers with this status and an error body; nothing is done"),
    "delay": Kind("seconds", "waits, then does the work and answers"),
    "slow-answer": Kind("seconds", "does the work, waits, then answers"),
    "drop-before": Kind("", "closes the connection; nothing is done"),
    "drop-after": Kind("", "does the work, then closes the connection without an answer"),
    "half-body": Kind("", "does the work, then breaks off in the middle of the answer"),
    "html": Kind("", "answers 200 with a login page; nothing is done"),
    "html-after": Kind("", "does the work, then answers 200 with a login page"),
    "no-id": Kind("", "does the work and answers without the id"),
    "rate-limit": Kind("seconds", "answers 429 with this Retry-After; nothing is done"),
    "search-lag": Kind("seconds", "searches see the data as it was this long ago", lasting=True),
    "hang": Kind("", "never answers and does nothing, until the caller gives up"),
}


class Match(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which requests a fault is for. What is left out matches everything; `path` is searched as a pattern."""

    step: str | None = None
    method: str | None = None
    path: str | None = None

    def fits(self, step: str | None, method: str, path: str) -> bool:
        """Whether a request is meant."""
        return (
            self.step in (None, ANY_STEP, step)
            and self.method in (None, method)
            and (self.path is None or re.search(self.path, path) is not None)
        )


class Fault(msgspec.Struct):
    """One fault and its counters. `times` None means always; `seen` counts the requests it was meant for."""

    id: int
    match: Match
    kind: str
    value: str = ""
    times: int | None = 1
    after: int = 0
    body: Any = None
    seen: int = 0
    fired: int = 0

    @property
    def name(self) -> str:
        """The kind with its value, as in `status:503`."""
        return f"{self.kind}:{self.value}" if self.value else self.kind

    @property
    def seconds(self) -> float:
        """The value of a kind that takes seconds."""
        return float(self.value)

    @property
    def spent(self) -> bool:
        """Whether it has fired as often as it may."""
        return self.times is not None and self.fired >= self.times

    def due(self) -> bool:
        """Count one more request it is meant for; whether it is to fire on this one."""
        self.seen += 1
        return self.seen > self.after and not self.spent


class Faults:
    """The faults that are set, in the order they were set."""

    def __init__(self, steps: Sequence[str]) -> None:
        """`steps` are the names that a fault may give instead of a method and a path."""
        self.steps = tuple(steps)
        self.all: list[Fault] = []
        self._next_id = 1

    def add(self, spec: str) -> Fault:
        """Set the fault described by text such as `comment=status:503*2`. Raises BadFault."""
        return self._set(spec, **parse(spec))

    def add_json(self, given: Any) -> Fault:
        """Set the fault described by a decoded JSON value: a spec string, or an object. Raises BadFault."""
        if isinstance(given, str):
            return self.add(given)
        return self._set(msgspec.json.encode(given).decode(), **parse_object(given))

    def strike(self, step: str | None, method: str, path: str) -> tuple[Fault | None, float]:
        """What befalls a request: the oldest fault that is due, and the search lag in seconds.

        Every fault the request is meant for counts it, also those that have to wait for their turn.
        """
        due = [fault for fault in self.all if fault.match.fits(step, method, path) and fault.due()]
        lags = [fault for fault in due if fault.kind == "search-lag"]
        striking = next((fault for fault in due if fault.kind != "search-lag"), None)
        for fault in [*lags, striking]:
            if fault is not None:
                fault.fired += 1
        return striking, max((fault.seconds for fault in lags), default=0.0)

    def remove(self, fault_id: int) -> bool:
        """Take one fault away; whether it was there."""
        kept = [fault for fault in self.all if fault.id != fault_id]
        found = len(kept) < len(self.all)
        self.all = kept
        return found

    def clear(self) -> None:
        """Take all faults away."""
        self.all = []

    def _set(self, given: str, **parts: Any) -> Fault:
        step = parts["match"].step
        if step not in (None, ANY_STEP, *self.steps):
            raise BadFault(
                f"Fault {given!r}: there is no step {step!r}. Expected one of {', '.join(self.steps)}, "
                f"{ANY_STEP}, or a path with or without a method, such as 'POST /comment$'."
            )
        fault = Fault(id=self._next_id, **parts)
        self._next_id += 1
        self.all.append(fault)
        return fault


def parse(spec: str) -> dict[str, Any]:
    """The parts of a fault written as `STEP=KIND[:VALUE][*TIMES][@AFTER]`. Raises BadFault.

    STEP may also be a pattern for the path, which has a slash in it, with a method in front or without:
    `PUT /issue/[0-9]+$=drop-before`. TIMES is a number, or `*` (so `**`) for always.
    """
    known = "|".join(sorted(KINDS, key=len, reverse=True))
    split = re.match(rf"(?P<match>.+?)=(?P<kind>{known})(?![\w-])(?P<rest>.*)$", spec.strip(), re.DOTALL)
    if split is None:
        where, equals, kind = spec.partition("=")
        if not equals or not where.strip():
            raise BadFault(f"Fault {spec!r} is not of the form {EXPECTED}.")
        raise BadFault(f"Fault {spec!r}: there is no kind {kind_word(kind)!r}. Expected one of {', '.join(KINDS)}.")
    rest = re.match(r"(?::(?P<value>.*?))?(?P<times>\*(\d+|\*)?)?(?:@(?P<after>\d+))?$", split["rest"], re.DOTALL)
    if rest is None:
        raise BadFault(f"Fault {spec!r}: {split['rest']!r} after {split['kind']!r} is not [:VALUE][*TIMES][@AFTER].")
    value, _, body = (rest["value"] or "").partition(":")
    times = None if rest["times"] is None else rest["times"][1:] or "*"
    return checked(
        spec, match_of(spec, split["match"].strip()), split["kind"], value, times, int(rest["after"] or 0), body or None
    )


def parse_object(given: Any) -> dict[str, Any]:
    """The parts of a fault given as an object with `match`, `kind`, `times`, `after`, `body`. Raises BadFault."""
    shown = msgspec.json.encode(given).decode()
    if not isinstance(given, dict) or not isinstance(given.get("kind"), str):
        raise BadFault(
            f"Fault {shown}: expected a text of the form {EXPECTED}, or an object such as "
            '{"match": {"step": "create"}, "kind": "status:503", "times": 2, "after": 0}.'
        )
    unknown = sorted(set(given) - {"match", "kind", "times", "after", "body"})
    if unknown:
        raise BadFault(f"Fault {shown}: unknown keys {', '.join(unknown)}. Expected match, kind, times, after, body.")
    kind, _, value = given["kind"].partition(":")
    if kind not in KINDS:
        raise BadFault(f"Fault {shown}: there is no kind {kind!r}. Expected one of {', '.join(KINDS)}.")
    try:
        match = msgspec.convert(given.get("match", {}), Match)
        after = msgspec.convert(given.get("after", 0), int)
    except msgspec.ValidationError as wrong:
        raise BadFault(f"Fault {shown}: {wrong}") from wrong
    if match.path is not None:
        match_path(shown, match.path)
    return checked(shown, match, kind, value, given.get("times"), after, given.get("body"))


def checked(given: str, match: Match, kind: str, value: str, times: object, after: int, body: Any) -> dict[str, Any]:
    """The parts of a fault once value and counts are known to make sense. Raises BadFault."""
    wanted = KINDS[kind].value
    if wanted == "" and value:
        raise BadFault(f"Fault {given!r}: {kind} takes no value, {value!r} was given.")
    if wanted == "status" and not re.fullmatch(r"[2-5]\d\d", value):
        raise BadFault(f"Fault {given!r}: {kind} needs a status from 200 to 599, such as {kind}:503; got {value!r}.")
    if wanted == "seconds" and not re.fullmatch(r"\d+(\.\d+)?", value):
        raise BadFault(f"Fault {given!r}: {kind} needs seconds, such as {kind}:2.5; got {value!r}.")
    if times is None:
        allowed = None if KINDS[kind].lasting else 1
    elif times == "*":
        allowed = None
    elif isinstance(times, int | str) and not isinstance(times, bool) and re.fullmatch(r"[1-9]\d*", str(times)):
        allowed = int(times)
    else:
        raise BadFault(f"Fault {given!r}: times is a number from 1, or * for always; got {times!r}.")
    if after < 0:
        raise BadFault(f"Fault {given!r}: after is a number from 0; got {after}.")
    return {"match": match, "kind": kind, "value": value, "times": allowed, "after": after, "body": body}


def match_of(spec: str, where: str) -> Match:
    """What stands before the equals sign: a step, a path pattern, or a method and a path pattern."""
    if "/" not in where:
        return Match(step=where)
    method, blank, path = where.partition(" ")
    if not blank:
        return Match(path=match_path(spec, where))
    return Match(method=method.upper(), path=match_path(spec, path.strip()))


def match_path(given: str, pattern: str) -> str:
    """The pattern, if it is one. Raises BadFault."""
    try:
        re.compile(pattern)
    except re.error as wrong:
        raise BadFault(f"Fault {given!r}: {pattern!r} is not a regular expression ({wrong}).") from wrong
    return pattern


def kind_word(text: str) -> str:
    """The part of a misspelt fault that stands where its kind should be."""
    return re.split(r"[:*@]", text)[0]
