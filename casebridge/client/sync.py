"""Sends calls and waits for their answers."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx2
import msgspec

from casebridge.client.calls import Call
from casebridge.client.errors import ApiError, Unreachable


class Exchange(msgspec.Struct, frozen=True):
    """A call that was sent, and what came back."""

    call: Call
    status: int
    answer: Any


class Client:
    """Speaks to one server in the name of one user; `seen` is told of every exchange."""

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        *,
        timeout_s: float = 90.0,
        seen: Callable[[Exchange], None] = lambda exchange: None,
    ) -> None:
        self._http = httpx2.Client(
            base_url=base_url, auth=(username, password), headers={"kbn-xsrf": "true"}, timeout=timeout_s
        )
        self._seen = seen

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, call: Call) -> Any:
        """The answer, decoded; ApiError when the server refused, Unreachable when it did not answer."""
        body = None if call.body is None else msgspec.json.encode(call.body)
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            response = self._http.request(call.method, call.path, content=body, headers=headers)
        except httpx2.TransportError as fault:
            raise Unreachable(f"{self._http.base_url} did not answer: {fault}") from fault
        answer = msgspec.json.decode(response.content) if response.content else None
        self._seen(Exchange(call, response.status_code, answer))
        if response.is_error:
            message = answer.get("message", "") if isinstance(answer, dict) else response.reason_phrase
            raise ApiError(response.status_code, message)
        return answer
