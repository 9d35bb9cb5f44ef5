"""A connector's circuit: after some passing faults in a row it is left alone, but for a probe now and then."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

CircuitState = Literal["closed", "open", "half-open"]


class LastError(msgspec.Struct, frozen=True):
    """The last passing fault of a connector; `code` as in ConnectorError."""

    code: str
    message: str
    permanent: bool
    at: datetime


class ConnectorHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How a connector is: passing faults since its last success, and when an open circuit may be probed."""

    faults: int = 0
    probe_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: LastError | None = None

    def state(self, most_faults: int, now: datetime) -> CircuitState:
        """`open`: left alone until `probe_at`; `half-open`: the next delivery is the probe."""
        if self.faults < most_faults or self.probe_at is None:
            return "closed"
        return "open" if now < self.probe_at else "half-open"
