"""TLS of our own server: from TLS 1.2 upwards, with the ciphers Python recommends; renewed certificates are noticed."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from casebridge.settings import Settings, SettingsError

LOOK_EVERY_S = 10.0
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Https:
    """Certificate and key; makes the context of each server process."""

    cert_file: Path
    key_file: Path | None
    key_password: str | None
    least: str

    def __repr__(self) -> str:
        return f"Https({str(self.cert_file)!r})"

    def __call__(self, *_: Any) -> ssl.SSLContext:
        """A context whose connections use the newest files, looked for with the first handshake after a while."""
        newest, stamp, looked_at = self.context(), self._stamp(), time.monotonic()

        def renew(connection: ssl.SSLObject, *_: Any) -> None:
            nonlocal newest, stamp, looked_at
            now = time.monotonic()
            if now - looked_at >= LOOK_EVERY_S:
                looked_at = now
                if (found := self._stamp()) != stamp:
                    try:
                        newest, stamp = self.context(), found
                        _log.info("a new certificate is used", file=str(self.cert_file))
                    except SettingsError as error:
                        # Half written, perhaps; the old one is good for now.
                        _log.warning("the new certificate cannot be used", reason=str(error))
            connection.context = newest

        first = self.context()
        first.sni_callback = renew
        return first

    def context(self) -> ssl.SSLContext:
        """A context from the files as they are; SettingsError when they cannot be used."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = VERSIONS[self.least]
        made.options |= ssl.OP_NO_RENEGOTIATION
        try:
            # A function, so that OpenSSL never asks on the terminal.
            made.load_cert_chain(self.cert_file, self.key_file, lambda: self.key_password or "")
        except OSError as error:
            raise SettingsError(
                f"https_cert_file: {self.cert_file} and its key cannot be used: {_why(error)}."
            ) from None
        return made

    def _stamp(self) -> tuple[float, ...]:
        files = [each for each in (self.cert_file, self.key_file) if each is not None]
        return tuple(each.stat().st_mtime if each.exists() else 0.0 for each in files)


def https_of(settings: Settings) -> Https | None:
    """What the settings say of it, tried out; None for plain HTTP."""
    if settings.https_cert_file is None:
        return None
    https = Https(
        settings.https_cert_file, settings.https_key_file, settings.https_key_password, settings.https_min_version
    )
    https.context()
    return https


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return {
            "KEY_VALUES_MISMATCH": "the key belongs to another certificate",
            "NO_START_LINE": "expected PEM",
        }.get(error.reason or "", "the key has another password, or a file is no PEM")
    return error.strerror or "they cannot be read"
