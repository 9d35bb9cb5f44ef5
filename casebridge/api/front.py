"""What every request passes first: who really sent it, where a proxy stands in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from casebridge.api.routing import Receive, Scope, Send
from casebridge.security.proxies import Proxies

Application = Callable[[Any, Any, Any], Awaitable[None]]


class Front:
    """Hands requests on with the address and the scheme of the client in place of the proxy's."""

    def __init__(self, inner: Application, proxies: Proxies) -> None:
        self._inner = inner
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; whatever is no request goes on as it is."""
        peer = scope.get("client")
        if scope["type"] == "http" and peer is not None and self._proxies.trusts(peer[0]):
            origin = self._proxies.origin(peer[0], scope["headers"])
            scope = {**scope, "client": (origin.address, 0), "scheme": origin.scheme or scope.get("scheme", "http")}
        await self._inner(scope, receive, send)
