"""Secrets at rest: AES-256-GCM, the connector's id as associated data, the key's id in the envelope.

An envelope is `1 | key id (8) | nonce (12) | ciphertext and tag`. A file of keys holds one line per key,
`<key id> <base64 of 32 bytes>`, the newest last: it seals, all of them open. Who changes the file holds a lock on the
`.lock` file beside it; who reads it needs none, since it is only ever replaced whole.
"""

from __future__ import annotations

import fcntl
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from casebridge.domain.errors import CasebridgeError

_FORMAT, _KEY_ID, _NONCE, _KEY = b"\x01", 8, 12, 32


class VaultError(CasebridgeError):
    """A sealed secret cannot be opened, or the key file is unusable; the text never holds key or secret."""


class Vault:
    """Seals and opens secrets with the keys it was given."""

    def __init__(self, keys: Mapping[bytes, bytes]) -> None:
        """`keys` maps key ids of 8 bytes to keys of 32 bytes, in order of age: the last one seals."""
        self._ciphers: dict[bytes, AESGCM] = {}
        self._take(keys)

    def _take(self, keys: Mapping[bytes, bytes]) -> None:
        """Use these keys from now on; one that is not among them any more still opens what it sealed."""
        if not keys:
            raise VaultError("There is no encryption key.")
        self._ciphers |= {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._newest = list(keys)[-1]

    def __repr__(self) -> str:
        return f"Vault({len(self._ciphers)} keys)"

    def seal(self, secrets: Mapping[str, Any], about: str) -> bytes:
        """The envelope of `secrets`, to be opened only for the same `about` (space and id of a connector)."""
        nonce = os.urandom(_NONCE)
        text = self._ciphers[self._newest].encrypt(nonce, msgspec.json.encode(secrets), about.encode())
        return _FORMAT + self._newest + nonce + text

    def open(self, envelope: bytes, about: str) -> dict[str, Any]:
        """What was sealed; VaultError when the key is missing or the envelope was not made for `about`."""
        key_id = envelope[1 : 1 + _KEY_ID]
        cipher = self._ciphers.get(key_id)
        if envelope[:1] != _FORMAT or cipher is None:
            raise VaultError(f"No key {key_id.hex()} to open the secrets of {about}; restore the key file.")
        nonce, text = envelope[1 + _KEY_ID :][:_NONCE], envelope[1 + _KEY_ID + _NONCE :]
        try:
            secrets: dict[str, Any] = msgspec.json.decode(cipher.decrypt(nonce, text, about.encode()))
        except InvalidTag:
            raise VaultError(f"The secrets of {about} were sealed for another connector or damaged.") from None
        return secrets

    def is_newest(self, envelope: bytes) -> bool:
        """Whether the envelope was sealed with the key in use."""
        return envelope[1 : 1 + _KEY_ID] == self._newest


class KeyFile(Vault):
    """The vault of a key file, which is read again when it was replaced: a new key needs no restart."""

    def __init__(self, path: Path) -> None:
        """VaultError when the file cannot be read or holds no key."""
        self._path = path
        self._seen: tuple[int, ...] = ()
        super().__init__(read_keys(path))

    def seal(self, secrets: Mapping[str, Any], about: str) -> bytes:
        """The envelope of `secrets`; VaultError while the file cannot be read, since its key might be lost."""
        self._look()
        return super().seal(secrets, about)

    def open(self, envelope: bytes, about: str) -> dict[str, Any]:
        """What was sealed; the file is looked at only for a key that is not known yet."""
        if envelope[1 : 1 + _KEY_ID] not in self._ciphers:
            self._look()
        return super().open(envelope, about)

    def is_newest(self, envelope: bytes) -> bool:
        """Whether the envelope was sealed with the key now in use."""
        self._look()
        return super().is_newest(envelope)

    def _look(self) -> None:
        try:
            found = self._path.stat()
        except OSError as error:
            raise VaultError(f"The key file {self._path} cannot be read: {error.strerror}.") from None
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            self._take(read_keys(self._path))
            self._seen = seen


def read_keys(path: Path) -> dict[bytes, bytes]:
    """Keys of a key file; VaultError for a line that is none, and when the file cannot be read."""
    keys: dict[bytes, bytes] = {}
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError as error:
        raise VaultError(f"The key file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise VaultError(f"{path} is no key file.") from None
    for number, line in enumerate(lines, 1):
        try:
            key_id, key = line.split()
            keys[bytes.fromhex(key_id)] = b64decode(key, validate=True)
        except ValueError:
            raise VaultError(f"{path}, line {number}: expected a key id and a key in base64.") from None
    if any(len(key_id) != _KEY_ID or len(key) != _KEY for key_id, key in keys.items()):
        raise VaultError(f"{path}: a key has the wrong length.")
    return keys


def add_key(path: Path) -> bytes:
    """Append a new random key to the file, making it (mode 0600) if need be; the new key's id.

    The file is replaced in one step and on disk when this returns, so a crash leaves the old or the new one.
    """
    old = path.read_text("ascii") if path.exists() else ""
    key_id, key = os.urandom(_KEY_ID), os.urandom(_KEY)
    text = f"{old}{key_id.hex()} {b64encode(key).decode('ascii')}\n"
    _replace(path, text)
    return key_id


def keep_newest(path: Path) -> None:
    """Drop all keys but the newest, once nothing is sealed with the others any more."""
    _replace(path, path.read_text("ascii").splitlines()[-1] + "\n")


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Be the only one who changes a key file, waiting for whoever does."""
    handle = os.open(path.with_name(path.name + ".lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def ensure_key(path: Path) -> bool:
    """Make the key file if there is none; whether it was made. Of several processes at once one makes it."""
    if path.exists():
        return False
    with changing(path):
        if path.exists():
            return False
        add_key(path)
    return True


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
