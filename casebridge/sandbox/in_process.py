"""Simulated systems without a network: calls to their addresses are answered in this process."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2
from starlette.types import ASGIApp


class InProcess(httpx2.AsyncBaseTransport):
    """Carries a call to the system that stands for its port; what leaves for another port finds nobody."""

    def __init__(self, systems: Mapping[int, ASGIApp]) -> None:
        self._ways = {port: httpx2.ASGITransport(app) for port, app in systems.items()}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer of the simulated system."""
        way = self._ways.get(request.url.port or 0)
        if way is None:
            raise httpx2.ConnectError("nobody listens there", request=request)
        # Who asks wants to know that something left: after that a lost answer is an unknown outcome.
        if (trace := request.extensions.get("trace")) is not None:
            await trace("in_process.send_request_headers.started", {})
        return await way.handle_async_request(request)
