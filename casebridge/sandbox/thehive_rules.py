"""What the simulated TheHive takes and what it refuses, in the words of the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from casebridge.sandbox.thehive_state import PAPS, SEVERITIES, STAGES, TLPS, Case

TITLE, TAG, DESCRIPTION = 512, 128, 1_048_576
KINDS = {400: "BadRequest", 401: "AuthenticationError", 403: "AuthorizationError", 404: "NotFoundError"}


class Refusal(Exception):
    """A request that the rules turn down."""

    def __init__(self, status: int, message: str, kind: str | None = None, headers: dict[str, str] | None = None):
        super().__init__(status, message)
        self.status, self.message, self.headers = status, message, headers or {}
        self.kind = kind or KINDS.get(status, "InternalError" if status >= 500 else "BadRequest")


def reply(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def refused(refusal: Refusal) -> Response:
    """The answer to a request that was turned down."""
    body = msgspec.json.encode({"type": refusal.kind, "message": refusal.message})
    return Response(body, refusal.status, refusal.headers, media_type="application/json")


def text(most: int) -> Callable[[str, Any], None]:
    """A check for a text of 1 to `most` characters."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str) or not value.strip():
            raise Refusal(400, f"{name}: expected a string that is not empty")
        if len(value) > most:
            raise Refusal(400, f"{name}: at most {most} characters, got {len(value)}")

    return check


def number(allowed: Mapping[int, str]) -> Callable[[str, Any], None]:
    """A check for one of a few numbers."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
            raise Refusal(400, f"{name}: expected one of {', '.join(map(str, allowed))}")

    return check


def tags(name: str, value: Any) -> None:
    """A list of tags."""
    if not isinstance(value, list):
        raise Refusal(400, f"{name}: expected an array")
    for each in value:
        text(TAG)(f"{name}[]", each)


def flag(name: str, value: Any) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise Refusal(400, f"{name}: expected a boolean")


def status(name: str, value: Any) -> None:
    """One of the statuses of this instance."""
    if value not in STAGES:
        raise Refusal(400, f"{name}: there is no case status {value}")


CREATE: dict[str, Callable[[str, Any], None]] = {
    "title": text(TITLE),
    "description": text(DESCRIPTION),
    "severity": number(SEVERITIES),
    "tlp": number(TLPS),
    "pap": number(PAPS),
    "tags": tags,
    "flag": flag,
    "status": status,
    "summary": text(DESCRIPTION),
}
UPDATE = {**CREATE, "impactStatus": text(TAG), "addTags": tags, "removeTags": tags}
COMMENT = {"message": text(DESCRIPTION)}
ALERT = {
    **{name: CREATE[name] for name in ("title", "description", "severity", "tlp", "pap", "tags", "flag", "summary")},
    "type": text(32),
    "source": text(64),
    "sourceRef": text(128),
    "externalLink": text(512),
}


def checked(payload: Any, fields: Mapping[str, Callable[[str, Any], None]], *required: str) -> dict[str, Any]:
    """The body, once each key is known and each value may stand there. A null may stand nowhere."""
    if not isinstance(payload, dict):
        raise Refusal(400, "Invalid json")
    for name in required:
        if name not in payload:
            raise Refusal(400, f"{name}: attribute is missing")
    for name, value in payload.items():
        if name not in fields:
            raise Refusal(400, f"{name}: unknown attribute")
        fields[name](name, value)
    return payload


def change(case: Case, fields: Mapping[str, Any]) -> None:
    """Set checked fields. A tag is there once, however often it was sent."""
    for name, value in fields.items():
        if name == "tags":
            case.tags = list(dict.fromkeys(value))
        elif name == "addTags":
            case.tags = list(dict.fromkeys([*case.tags, *value]))
        elif name == "removeTags":
            case.tags = [each for each in case.tags if each not in value]
        else:
            setattr(case, "impact" if name == "impactStatus" else name, value)
