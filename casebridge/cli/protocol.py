"""HTTP as uvicorn speaks it, with a bound on what may come before a request is understood."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 131_072
"""Of a request line and its headers together, and of trailers: more fills the memory before anybody signed in."""


class BoundedHead(HttpToolsProtocol):
    """Refuses a head that does not end; a body is bounded by whoever reads it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pending_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Count what has come since the last part of a request that was understood."""
        self._pending_bytes += len(data)
        super().data_received(data)
        if self._pending_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request line and headers are too long.")

    def on_headers_complete(self) -> None:
        self._pending_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._pending_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._pending_bytes = 0
        super().on_message_complete()
