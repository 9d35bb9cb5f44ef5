"""What a call can come back with instead of an answer.

ClientError
├─ Unreachable      no answer: the server is away or too slow
└─ ApiError         the server refused
"""

from __future__ import annotations


class ClientError(Exception):
    """The root: whatever a call can end with but an answer."""


class Unreachable(ClientError):
    """The server did not answer."""


class ApiError(ClientError):
    """The server refused a call: `status` and `message` are those of its error body."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status}: {message}")
