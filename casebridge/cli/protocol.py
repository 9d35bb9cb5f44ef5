"""HTTP as uvicorn speaks it, with bounds on what a client may cost before anybody knows who it is.

A head has a length and a time, a body and an answer have to get on, and connections are counted, in all and by address.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from casebridge.security.proxies import Proxies
from casebridge.security.throttle import place_of

MOST_HEAD_BYTES = 131_072
"""Of a request line and its headers together, and of trailers: more fills the memory before anybody signed in."""
LEAST_BYTES_A_SECOND = 1_000
"""What a body, or an answer on its way, must get on by: slower than the slowest modem."""


@dataclass(frozen=True)
class Bounds:
    """What clients may take: `slow_s` for a head and between signs of progress, and connections."""

    slow_s: float = 30.0
    connections: int = 1_000
    connections_per_address: int = 200
    trusted_proxies: tuple[str, ...] = ()


@dataclass
class Protocols:
    """Makes the protocol of each connection of one process; can be sent to another process, where it begins anew."""

    bounds: Bounds = Bounds()
    open: Counter[str] = field(default_factory=Counter)
    """Connections by address."""

    def __post_init__(self) -> None:
        self.proxies = Proxies(self.bounds.trusted_proxies)

    def __call__(self, *args: Any, **kwargs: Any) -> BoundedHttp:
        return BoundedHttp(self, *args, **kwargs)

    def has_room(self, address: str) -> bool:
        """Whether one more connection from there is taken; behind a proxy of ours stand many clients."""
        if self.open.total() >= self.bounds.connections:
            return False
        return self.open[place_of(address)] < self.bounds.connections_per_address or self.proxies.trusts(address)


class BoundedHttp(HttpToolsProtocol):
    """Refuses a head that does not end, and who is too slow; the length of a body is bounded by whoever reads it."""

    def __init__(self, protocols: Protocols, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._protocols = protocols
        self._slow_s = protocols.bounds.slow_s
        self._place: str | None = None
        self._pending_bytes = 0
        self._is_head = True
        self._received = 0
        self._was_held = False
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None

    # Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self._protocols.has_room(address):
            self._end(b"503 Service Unavailable", b"Too many connections; try again soon.", b"retry-after: 5\r\n")
            return
        self._place = place_of(address)
        self._protocols.open[self._place] += 1
        self._reading = self.loop.call_later(self._slow_s, self._late_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._read_in_time()
        self._written_in_time()
        if self._place is not None:
            self._protocols.open[self._place] -= 1
            if self._protocols.open[self._place] <= 0:
                del self._protocols.open[self._place]
            self._place = None
        super().connection_lost(exc)

    # What comes in

    def data_received(self, data: bytes) -> None:
        """Count what has come since the last part of a request that was understood."""
        if self.transport.is_closing():
            return
        self._pending_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._pending_bytes > MOST_HEAD_BYTES:
            self.send_400_response("The request line and headers are too long.")
        elif self._is_head and self._pending_bytes and self._reading is None:
            # The next head on this connection has begun, or something that never becomes one.
            self._reading = self.loop.call_later(self._slow_s, self._late_head)

    def on_headers_complete(self) -> None:
        self._pending_bytes = 0
        self._is_head = False
        self._received, self._was_held = 0, False
        self._read_in_time()
        self._reading = self.loop.call_later(self._slow_s, self._look_at_body)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._pending_bytes = 0
        self._received += len(body)
        super().on_body(body)
        self._was_held = self._was_held or self.flow.read_paused

    def on_message_complete(self) -> None:
        self._pending_bytes = 0
        self._is_head = True
        self._read_in_time()
        super().on_message_complete()

    def _late_head(self) -> None:
        self._reading = None
        if self.transport.is_closing():
            return
        if self._pending_bytes:
            self._end(b"408 Request Timeout", b"The request line and headers took too long.")
        else:
            self.transport.close()

    def _look_at_body(self) -> None:
        """End a body that does not get on, unless it is us who do not read it."""
        is_held = self._was_held or self.flow.read_paused or not self._is_read()
        if not is_held and self._received < self._slow_s * LEAST_BYTES_A_SECOND:
            self._reading = None
            self._end(b"408 Request Timeout", b"The body took too long.")
            return
        self._received, self._was_held = 0, self.flow.read_paused
        self._reading = self.loop.call_later(self._slow_s, self._look_at_body)

    def _is_read(self) -> bool:
        """Whether the request is being worked on, rather than waiting behind another one of the connection."""
        return not self.pipeline

    def _read_in_time(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    # What goes out

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._writing is None:
            self._wait_for_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._written_in_time()
        super().resume_writing()

    def _wait_for_reader(self, left: int) -> None:
        self._writing = self.loop.call_later(self._slow_s, self._look_at_answer, left)

    def _look_at_answer(self, before: int) -> None:
        """Drop a client that does not take its answer."""
        left = self.transport.get_write_buffer_size()
        if before - left < self._slow_s * LEAST_BYTES_A_SECOND:
            self._writing = None
            self.transport.abort()
        else:
            self._wait_for_reader(left)

    def _written_in_time(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _end(self, status: bytes, text: bytes, more: bytes = b"") -> None:
        """Say why, where no answer has begun, and hang up."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(
                b"HTTP/1.1 %s\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n%sconnection: close\r\n\r\n%s"
                % (status, len(text), more, text)
            )
        self.transport.close()
