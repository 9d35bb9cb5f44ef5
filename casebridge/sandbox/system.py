"""What the smaller simulated systems have in common: steps, gate, journal and pages. Nothing outlives the process.

A system brings its steps, who may come in, and how it words a refusal; the rest of `server.Sandbox` is here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from casebridge.sandbox.faults import Faults
from casebridge.sandbox.faulty import ENTRY, SEARCH_LAG
from casebridge.sandbox.journal import Entry, Journal
from casebridge.sandbox.pages import Notice, RecordPages, Sheet


class Refusal(Exception):
    """A request that the rules turn down: status and body (None: no body at all)."""

    def __init__(self, status: int, body: Any = None) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


@dataclass(frozen=True)
class Call:
    """One request that has passed the gate. `payload` is its decoded JSON body, None if it has none."""

    params: dict[str, str]
    query: dict[str, str]
    payload: Any
    entry: Entry
    now: datetime
    search_lag_s: float


class Step(NamedTuple):
    """One call of the API, with its whole path. The answer is the JSON of a 200, None for one without a body."""

    name: str
    method: str
    path: str
    answer: Callable[[Call], Any]


class System(ABC):
    """A simulated system, as `server.Sandbox` wants it."""

    notice: Notice
    """What its pages say about it."""

    def __init__(self, faults: Sequence[str], now: Callable[[], datetime]) -> None:
        """`faults` are texts such as `create=drop-after`. Raises BadFault."""
        self._now = now
        self.journal = Journal()
        self.faults = Faults(tuple(dict.fromkeys(step.name for step in self.steps())))
        for spec in faults:
            self.faults.add(spec)

    # What a system brings along

    @abstractmethod
    def steps(self) -> Sequence[Step]:
        """The calls it knows."""

    @abstractmethod
    def check(self, request: Request) -> None:
        """Let a caller in, or raise Refusal."""

    @abstractmethod
    def refusal(self, status: int) -> Refusal:
        """A refusal of this status in the words of the system."""

    @abstractmethod
    def sheets(self) -> list[Sheet]:
        """Its records for the pages, oldest first."""

    @abstractmethod
    def clear(self) -> None:
        """Forget all records."""

    @abstractmethod
    def state(self, request: Request) -> dict[str, Any]:
        """Its records for tests, with `counts` of all that was ever made."""

    @abstractmethod
    def record_of(self, params: dict[str, Any]) -> str | None:
        """The record a request is about."""

    # What all of them are

    def now(self) -> datetime:
        """The time of day in the sandbox."""
        return self._now()

    def reset(self) -> None:
        """Start afresh; ids start over."""
        self.journal = Journal()
        self.clear()

    def api(self) -> list[Route]:
        """A route per step."""
        return [Route(each.path, self._endpoint(each), methods=[each.method], name=each.name) for each in self.steps()]

    def unknown(self, scope: Scope) -> Response:
        """The answer to an address it does not have."""
        return answered(self.refusal(404))

    def refuse(self, status: int, headers: dict[str, str]) -> Response:
        """A refusal that a fault asked for."""
        return answered(self.refusal(status), headers)

    def pages(self) -> list[Route]:
        """The list of records, and one of them."""
        return RecordPages(self.notice, self.sheets, lambda: self.journal, self.faults).routes()

    def _endpoint(self, step: Step) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            return self._answer(step, request, await request.body())

        return answer

    def _answer(self, step: Step, request: Request, body: bytes) -> Response:
        """Gate and rules. Runs without a pause, so nothing interleaves."""
        try:
            self.check(request)
            writes = request.method in ("POST", "PUT", "PATCH")
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if writes and kind != "application/json":
                raise self.refusal(415)
            payload = self._decoded(body) if writes else None
            entry, lag = request.scope[ENTRY], request.scope[SEARCH_LAG]
            value = step.answer(Call(request.path_params, dict(request.query_params), payload, entry, self.now(), lag))
        except Refusal as refusal:
            return answered(refusal)
        return Response(status_code=200) if value is None else reply(value)

    def _decoded(self, body: bytes) -> dict[str, Any]:
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self.refusal(400) from None


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


def answered(refusal: Refusal, headers: dict[str, str] | None = None) -> Response:
    """The answer to a request that was turned down."""
    if refusal.body is None:
        return Response(status_code=refusal.status, headers=headers)
    return reply(refusal.body, refusal.status, headers)
