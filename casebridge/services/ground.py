"""What every service function stands on: the store, the clock, the outbound door; and who is asking."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.alert_update import SinkSettings
from casebridge.domain.attachment import AttachmentTypes
from casebridge.domain.connector import Connector
from casebridge.domain.delivery import RetryRule
from casebridge.domain.file import FileRules
from casebridge.domain.session import SessionRule
from casebridge.domain.space import Space
from casebridge.domain.user import Actor
from casebridge.security.passwords import LEAST
from casebridge.security.vault import Vault
from casebridge.storage.blobs import FileStore
from casebridge.storage.session import Database


class PushSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times of the durable outbox, in seconds (extensions.md 1.2)."""

    lease_s: float = 30.0
    wait_s: float = 20.0
    lookup_lag_s: float = 10.0
    call_timeout_s: float = 60.0
    worker_poll_s: float = 2.0
    auto_push_quiet_s: float = 2.0
    retry: RetryRule = RetryRule()
    circuit_faults: int = 5
    circuit_probe_s: float = 60.0


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _new_id() -> str:
    return str(uuid.uuid4())


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """The wired program as services see it.

    `preconfigured` maps ids to connectors of the server's own settings, `alert_sinks` ids of spaces to their stores of
    alerts.
    `now` gives aware UTC times in whole milliseconds, `new_id` UUID texts, `draw` numbers in [0, 1) for jitter.
    """

    database: Database
    vault: Vault
    outbound: Outbound
    allowed_hosts: AllowedHosts
    preconfigured: Mapping[str, Connector] = {}
    preconfigured_secrets: Mapping[str, dict[str, object]] = {}
    enabled_connector_types: tuple[str, ...] = ("*",)
    public_base_url: str | None = None
    push: PushSettings = PushSettings()
    attachment_types: AttachmentTypes = AttachmentTypes()
    blobs: FileStore | None = None
    file_rules: FileRules = FileRules()
    sessions: SessionRule = SessionRule()
    password_min_length: int = LEAST
    alert_sinks: Mapping[str, SinkSettings] = {}
    now: Callable[[], datetime] = _now
    new_id: Callable[[], str] = _new_id
    draw: Callable[[], float] = random.random


class Asking(msgspec.Struct, frozen=True):
    """Who asks, and in which space."""

    actor: Actor
    space: Space
