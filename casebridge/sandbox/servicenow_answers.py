"""How the simulated ServiceNow words its answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

NOT_THERE = ("No Record found", "Record doesn't exist or ACL restricts the record retrieval")
NO_RESOURCE = "Requested URI does not represent any resource"


class Refusal(Exception):
    """A request that the rules turn down."""

    def __init__(
        self, status: int, message: str, detail: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, message)
        self.status, self.message, self.detail, self.headers = status, message, detail, headers or {}

    @property
    def answer(self) -> Response:
        """What the caller gets to see."""
        body = {"error": {"message": self.message, "detail": self.detail}, "status": "failure"}
        return reply(body, self.status, self.headers)


class OAuthRefusal(Refusal):
    """A refusal of the token route, which has words of its own."""

    @property
    def answer(self) -> Response:
        return reply({"error": self.message, "error_description": self.detail}, self.status, self.headers)


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json;charset=UTF-8")


def result(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer whose content stands under `result`."""
    return reply({"result": value}, status, headers)


def unauthenticated() -> Refusal:
    """The refusal of a caller whose credentials are not the right ones."""
    headers = {"WWW-Authenticate": 'BASIC realm="Service-now"'}
    return Refusal(401, "User Not Authenticated", "Required to provide Auth information", headers)


def missing() -> Refusal:
    """The refusal of a record that is not there."""
    return Refusal(404, *NOT_THERE)


def too_many(retry_after_s: int, limit: int, reset: int) -> Refusal:
    """The refusal of a caller that asks too often; `reset` is in Unix seconds."""
    headers = {
        "Retry-After": str(retry_after_s),
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Reset": str(reset),
        "X-RateLimit-Rule": "Sandbox",
    }
    return Refusal(429, "Rate limit exceeded", f"Rate limit of {limit} requests per hour exceeded", headers)


def any_refusal(status: int, now: float, retry_after: str | None) -> Refusal:
    """A refusal with a status somebody asked for, worded as ServiceNow would; `now` is in Unix seconds."""
    if status == 401:
        return unauthenticated()
    if status == 404:
        return missing()
    if status == 429:
        wait_s = int(float(retry_after or "1"))
        return too_many(wait_s, 1_000, int(now) + wait_s)
    if status == 403:
        return Refusal(403, "Operation Failed", "ACL Exception Insert Failed due to security constraints")
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unnamed status"
    return Refusal(status, phrase, "This answer is simulated")
