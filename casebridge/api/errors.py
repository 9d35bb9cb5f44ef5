"""What each error becomes on the wire: one table, one body (contract README 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from casebridge.api.routing import Answer
from casebridge.domain.errors import (
    Conflict,
    ConnectorError,
    FileTooLarge,
    Forbidden,
    InvalidInput,
    NotFound,
    NothingChanged,
    PushFailed,
    Refused,
    StorageUnavailable,
    TooManyTries,
    Unauthenticated,
)
from casebridge.wire.base import ErrorShape

RETRY_AFTER_S = 5

_log = structlog.get_logger(__name__)


class NoSuchRoute(Refused):
    """Nothing is served under this method and path."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"There is no route {method} {path}")


class BodyTooLarge(Refused):
    """The body has more bytes than this server takes."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is too large: at most {limit_bytes} bytes are taken.")


class WrongMediaType(Refused):
    """The body is not of a kind this route reads."""


class WrongVersion(InvalidInput):
    """The client was made for another version of the server."""

    def __init__(self, expected: str, got: str) -> None:
        self.attributes = {"expected": expected, "got": got}
        super().__init__("kbn-version", f"this server speaks version {expected}, the client {got!r}.")


STATUS: dict[type[Exception], int] = {
    InvalidInput: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    NoSuchRoute: 404,
    NothingChanged: 406,
    Conflict: 409,
    BodyTooLarge: 413,
    FileTooLarge: 413,
    WrongMediaType: 415,
    PushFailed: 424,
    ConnectorError: 424,
    TooManyTries: 429,
    StorageUnavailable: 503,
}
"""Error class -> status; a class that is not named has that of its nearest named ancestor, else 500."""

REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    406: "Not Acceptable",
    409: "Conflict",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    424: "Failed Dependency",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}

_HEADERS: dict[int, Mapping[str, str]] = {
    401: {"www-authenticate": 'Basic realm="Authorization Required", charset="UTF-8"'},
    413: {"connection": "close"},
    503: {"retry-after": str(RETRY_AFTER_S)},
}


def status_of(error: BaseException) -> int:
    """The HTTP status of an error; 500 for what nobody foresaw."""
    return next((STATUS[each] for each in type(error).__mro__ if each in STATUS), 500)


def render(error: Exception, request_id: str, request: str) -> Answer:
    """The answer to an error. What is our fault, or the store's, is logged and told without internals.

    `request` is method and path, for the log.
    """
    status = status_of(error)
    message = str(error)
    if status == 500:
        _log.error("request failed", request_id=request_id, request=request, exc_info=error)
        message = f"Something went wrong on our side; the server's log tells more under request {request_id}."
    elif status == 503:
        _log.warning("store unavailable", request_id=request_id, request=request, reason=message)
        message = "The store cannot be used at the moment; nothing was written. Try again soon."
    headers = _HEADERS.get(status, {})
    if isinstance(error, TooManyTries):
        headers = {"retry-after": str(error.wait_s)}
    return Answer(error_body(status, message, getattr(error, "attributes", None)), status, headers)


def error_body(status: int, message: str, attributes: dict[str, Any] | None = None) -> ErrorShape:
    """The one body of every error."""
    shape = ErrorShape(statusCode=status, error=REASONS[status], message=message or REASONS[status])
    if attributes is not None:
        shape.attributes = attributes
    return shape
