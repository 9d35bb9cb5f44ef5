"""Sends calls and waits for their answers."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

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
    """Speaks to one server in the name of one user; `seen` is told of every exchange.

    `space` is the id of the space that all calls are about, empty for the default one.
    """

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        *,
        space: str = "",
        timeout_s: float = 90.0,
        seen: Callable[[Exchange], None] = lambda exchange: None,
    ) -> None:
        self._http = httpx2.Client(
            base_url=base_url.rstrip("/") + (f"/s/{quote(space, safe='')}" if space else ""),
            auth=(username, password),
            headers={"kbn-xsrf": "true"},
            timeout=timeout_s,
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
        answer = _decoded(response)
        self._seen(Exchange(call, response.status_code, answer))
        if not response.is_success:
            message = answer.get("message") if isinstance(answer, dict) else None
            raise ApiError(response.status_code, str(message or response.reason_phrase))
        return answer


def _decoded(response: httpx2.Response) -> Any:
    """The JSON of an answer, None for an empty one. Unreachable when a success brings anything else: it is not ours."""
    try:
        return msgspec.json.decode(response.content) if response.content else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        if response.is_success:
            raise Unreachable(f"{response.url.host} answered with something other than JSON") from None
        return None
