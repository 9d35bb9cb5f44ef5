"""What `casebridge doctor` can see without opening the store: files and who may read them, disks, risky settings."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from casebridge.security.vault import VaultError, read_keys
from casebridge.services.checkup import Finding
from casebridge.settings import Loaded, Settings, SettingsError

SOON = timedelta(days=14)
LOW_BYTES, TIGHT_BYTES = 1_073_741_824, 104_857_600
_MIB = 1_048_576
_LOOPBACK = ("127.", "localhost", "::1")


def look_around(loaded: Loaded) -> Iterator[Finding]:
    """Every finding, in a fixed order."""
    settings = loaded.settings
    yield from _oddities(loaded)
    yield from _private(settings)
    yield from _key(settings)
    yield from _disks(settings)
    yield from _doors(settings)
    yield from _https(settings)
    yield from _tls(settings)


def _oddities(loaded: Loaded) -> Iterator[Finding]:
    named = "no file" if loaded.file is None else f"the file {loaded.file}"
    for warning in loaded.warnings:
        yield Finding("settings", "warning", warning)
    if not loaded.warnings:
        yield Finding("settings", "ok", f"Variables, options and {named} make sense.")


def _private(settings: Settings) -> Iterator[Finding]:
    """Folders and files that nobody else may look into, and that we must be able to write."""
    folder = settings.data
    if not folder.is_dir():
        yield Finding(
            "data folder", "problem", f"There is no folder {folder}.", "Start the server once, or check --data."
        )
        return
    own = [folder, folder / "files", settings.key_file]
    if settings.database_url is None:
        own += [settings.sqlite_path, *(Path(f"{settings.sqlite_path}-{end}") for end in ("wal", "shm"))]
    if settings.audit_file is not None:
        own.append(settings.audit_file)
        if not settings.audit_file.parent.is_dir():
            text = f"The folder of the audit trail's copy, {settings.audit_file.parent}, is not there."
            yield Finding("audit copy", "problem", text, "Make it; until then nothing is copied.")
    faults = [finding for path in own for finding in _access(path)]
    yield from faults
    if not faults:
        yield Finding("data folder", "ok", f"{folder} and what is in it is ours alone.")


def _access(path: Path) -> Iterator[Finding]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        yield Finding("permissions", "problem", f"{path} cannot be looked at: {error.strerror}.")
        return
    if found.st_mode & 0o077:
        mode = "700" if stat.S_ISDIR(found.st_mode) else "600"
        text = f"{path} is open to other users of this machine (mode {stat.S_IMODE(found.st_mode):04o})."
        yield Finding("permissions", "warning", text, f"chmod {mode} {path}")
    if not os.access(path, os.R_OK | os.W_OK):
        text = f"{path} cannot be read and written by this user."
        yield Finding("permissions", "problem", text, "Run this as the user of the server, or change the owner.")


def _key(settings: Settings) -> Iterator[Finding]:
    path = settings.key_file
    if not path.exists():
        text = f"There is no key file {path}."
        yield Finding("key", "problem", text, "The first start makes one; for a store with secrets, restore it.")
        return
    try:
        keys = read_keys(path)
    except VaultError as error:
        yield Finding("key", "problem", str(error), "Restore the key file from a backup.")
        return
    if not keys:
        yield Finding("key", "problem", f"The key file {path} is empty.", "Restore it from a backup.")
    elif len(keys) > 1:
        text = f"The key file holds {len(keys)} keys: a change of keys was not finished."
        yield Finding("key", "warning", text, "Run casebridge keys rotate again.")
    else:
        yield Finding(
            "key", "ok", f"The key file {path} holds one key. Is it in your backups, apart from the database?"
        )


def _disks(settings: Settings) -> Iterator[Finding]:
    folder = settings.data
    if not folder.is_dir():
        return
    free = shutil.disk_usage(folder).free
    text = f"{free // _MIB} MiB are free where {folder} is."
    if free < TIGHT_BYTES:
        yield Finding("disk", "problem", text, "Make room now: changes fail when the disk is full.")
    elif free < LOW_BYTES:
        yield Finding("disk", "warning", text, "Make room soon.")
    else:
        yield Finding("disk", "ok", text)


def _doors(settings: Settings) -> Iterator[Finding]:
    """Who gets in, and how."""
    is_open = not settings.host.startswith(_LOOPBACK)
    if not settings.security:
        text = "Security is switched off: everybody who reaches the server may do everything."
        yield Finding("access", "problem" if is_open else "warning", text, "Set security to true.")
    if not settings.session_cookie_secure:
        text = "The cookie of a browser session is sent over plain HTTP too."
        yield Finding("access", "warning", text, "Serve HTTPS and set session_cookie_secure to true.")
    if settings.public_base_url is not None and urlsplit(settings.public_base_url).scheme != "https":
        text = f"People reach this server over plain HTTP, at {settings.public_base_url}."
        yield Finding("access", "warning", text, "Put a proxy that speaks TLS before it.")
    if settings.admin_password is not None:
        text = "The password of the first user is still in the settings."
        yield Finding("access", "warning", text, "It is used at the first start only: remove it.")


def _https(settings: Settings) -> Iterator[Finding]:
    """Our own certificate: whether it can be used, for how long, and who may read its key."""
    from cryptography import x509

    from casebridge.cli.https import https_of

    if settings.https_cert_file is None:
        if not settings.host.startswith(_LOOPBACK) and not settings.trusted_proxies:
            text = f"Plain HTTP is served on {settings.host}: passwords can be read on their way."
            yield Finding("https", "warning", text, "Set https_cert_file, or put a proxy that speaks TLS before it.")
        return
    try:
        https_of(settings)
        ends = x509.load_pem_x509_certificates(settings.https_cert_file.read_bytes())[0].not_valid_after_utc
    except (SettingsError, OSError, ValueError) as error:
        yield Finding("https", "problem", str(error), "The server does not start like this.")
        return
    yield from _access(settings.https_key_file or settings.https_cert_file)
    left = ends - datetime.now(UTC)
    text = f"The certificate of this server ends on {ends:%Y-%m-%d %H:%M} UTC."
    if left <= timedelta(0):
        yield Finding("https", "problem", text, "Renew it now: nobody can reach the server without a warning.")
    elif left < SOON:
        yield Finding("https", "warning", text, "Renew it; a running server takes up the new files by itself.")
    else:
        yield Finding("https", "ok", text)


def _tls(settings: Settings) -> Iterator[Finding]:
    """How external systems are trusted."""
    from casebridge.app import CannotStart, outbound_tls

    lax = [each.name for each in settings.tls if each.verification != "full"]
    if settings.tls_verification != "full":
        lax.insert(0, "all hosts")
    for name in lax:
        text = f"TLS certificates of {name} are not fully checked."
        yield Finding("tls", "warning", text, "Give the authority as ca_file and set verification to full.")
    try:
        outbound_tls(settings)
    except CannotStart as error:
        yield Finding("tls", "problem", str(error), "The server does not start like this.")
        return
    if not lax:
        yield Finding("tls", "ok", "Certificates of external systems are fully checked.")
