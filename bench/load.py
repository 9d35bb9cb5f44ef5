"""A load generator of its own process: a few raw connections that send one request after the other.

It speaks just enough HTTP/1.1 to count answers, so that it costs far less than the server it measures.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from base64 import b64encode
from collections.abc import Callable


class _Connection(asyncio.Protocol):
    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        self._load.count(int(head[9:12]), time.perf_counter() - self._sent_at)
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.lost()

    def _next(self) -> None:
        assert self._transport is not None
        request = self._load.take()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


class Load:
    """Requests to send for a time, over some connections; counts what came back."""

    def __init__(self, make: Callable[[int], bytes], seconds: float) -> None:
        self._make = make
        self._until = time.perf_counter() + seconds
        self._sent = 0
        self._open = 0
        self.done = asyncio.Event()
        self.statuses: dict[int, int] = {}
        self.times_s: list[float] = []

    def take(self) -> bytes | None:
        if time.perf_counter() >= self._until:
            return None
        self._sent += 1
        return self._make(self._sent)

    def count(self, status: int, took_s: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.times_s.append(took_s)

    def lost(self) -> None:
        self._open -= 1
        if self._open == 0:
            self.done.set()

    async def run(self, host: str, port: int, connections: int) -> None:
        self._open = connections
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.create_connection(lambda: _Connection(self), host, port) for _ in range(connections))
        )
        await self.done.wait()


def request(method: str, path: str, body: bytes = b"", user: str | None = None) -> bytes:
    """One request as bytes, kept alive."""
    lines = [f"{method} {path} HTTP/1.1", "host: bench", "kbn-xsrf: true"]
    if user is not None:
        lines.append("authorization: Basic " + b64encode(user.encode()).decode())
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def main() -> None:
    """Read what to do as JSON from standard input, write what came of it as JSON to standard output."""
    given = json.loads(sys.stdin.read())
    sent = request(given["method"], given["path"], given["body"].encode(), given.get("user"))

    async def run() -> Load:
        load = Load(lambda _: sent, given["seconds"])
        started = time.perf_counter()
        await load.run("127.0.0.1", given["port"], given["connections"])
        load.took_s = time.perf_counter() - started  # type: ignore[attr-defined]
        return load

    load = asyncio.run(run())
    times = sorted(load.times_s) or [0.0]
    result = {
        "rate": len(load.times_s) / load.took_s,  # type: ignore[attr-defined]
        "statuses": load.statuses,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "requests": len(load.times_s),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
