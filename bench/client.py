"""One client with one connection that sends one request after the other, in the administrator's name."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any


class Client:
    """Raises SystemExit when an answer is not a good one, since a figure of failures would be worth nothing."""

    def __init__(self, port: int, password: str, spent: Callable[[], float] = lambda: 0.0) -> None:
        self.spent = spent
        """CPU time that the server has used, in milliseconds."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self._headers = {
            "kbn-xsrf": "true",
            "content-type": "application/json",
            "x-elastic-internal-origin": "bench",
            "authorization": "Basic " + b64encode(f"admin:{password}".encode()).decode(),
        }

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The parsed answer."""
        sent = None if body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, path, sent, self._headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            # The server hangs up on a client that was silent for some seconds.
            self._connection.close()
            self._connection.request(method, path, sent, self._headers)
            answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path} was answered with {answer.status}: {content[:300]!r}")
        return json.loads(content or b"null")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
