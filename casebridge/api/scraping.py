"""Where metrics can be had (extensions.md 4): a route of the API when the operator opened it, and a port of their own.

Neither asks for credentials. This module knows nothing of the metrics themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from casebridge.api.errors import NoSuchRoute
from casebridge.api.routing import Answer, Call, Receive, Route, Scope, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Scrape = Callable[[], Awaitable[bytes]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = structlog.get_logger(__name__)


class MetricsApp:
    """An ASGI application that answers GET /metrics, and nothing else."""

    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        status, body = await self._answer(scope["method"], scope["path"])
        headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, method: str, path: str) -> tuple[int, bytes]:
        if path != "/metrics" or method not in ("GET", "HEAD"):
            return 404, b"Only GET /metrics is answered on this port.\n"
        try:
            return 200, await self._scrape()
        except Exception:
            _log.exception("metrics could not be told")
            return 500, b"The metrics could not be told; the server's log says why.\n"


def by_port(port: int, application: Application, otherwise: Application) -> Application:
    """One application for what came in by a port of this machine, another for all else."""

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        server = scope.get("server")
        chosen = application if server is not None and server[1] == port else otherwise
        await chosen(scope, receive, send)

    return choose


async def _metrics(call: Call) -> Answer:
    scrape = call.kernel.settings.metrics
    if scrape is None:
        raise NoSuchRoute(call.scope["method"], call.scope["path"])
    return Answer(await scrape(), headers={"content-type": CONTENT_TYPE})


ROUTES = (
    Route(
        "GET",
        "/metrics",
        _metrics,
        name="getMetrics",
        summary="Metrics for Prometheus, when the operator opened them on this port",
        tag="server",
        public=False,
        credentials="none",
    ),
)
