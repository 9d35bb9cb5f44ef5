"""TLS as one connector wants it: a certificate of its own, another authority, a laxer check."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import ssl
import tempfile
from dataclasses import astuple, dataclass

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from casebridge.connectors.hosts import tls_context


class TlsFault(ValueError):
    """A certificate or key cannot be used. The text shows nothing of it."""


@dataclass(frozen=True, repr=False)
class Tls:
    """`mode` is `none`, `certificate` (any host name) or `full`; the files are base64, `password` opens the key."""

    mode: str | None = None
    ca: str | None = None
    crt: str | None = None
    key: str | None = None
    pfx: str | None = None
    password: str | None = None

    @property
    def fingerprint(self) -> str:
        """The same for the same wishes, and nothing can be read from it."""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()


def context_of(wanted: Tls) -> ssl.SSLContext:
    """A context that does as is wanted. Raises TlsFault."""
    context = tls_context()
    if wanted.mode in ("none", "certificate"):
        context.check_hostname = False
    if wanted.mode == "none":
        context.verify_mode = ssl.CERT_NONE
    try:
        if wanted.ca is not None:
            context.load_verify_locations(cadata=_bytes("ca", wanted.ca).decode("ascii"))
        if wanted.pfx is not None:
            _load(context, _pem_of_pfx(wanted.pfx, wanted.password), None)
        elif wanted.crt is not None and wanted.key is not None:
            _load(context, _bytes("crt", wanted.crt) + b"\n" + _bytes("key", wanted.key), wanted.password)
    except (ssl.SSLError, UnicodeDecodeError, OSError):
        raise TlsFault(
            "the certificate, its key or the authority cannot be used; check them and the password"
        ) from None
    return context


def _bytes(name: str, text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise TlsFault(f"{name} is not base64") from None


def _pem_of_pfx(text: str, password: str | None) -> bytes:
    """Key and certificates of a PKCS #12 file, as PEM."""
    try:
        key, certificate, others = load_key_and_certificates(
            _bytes("pfx", text), None if password is None else password.encode()
        )
    except ValueError:
        raise TlsFault("pfx cannot be opened; check it and the password") from None
    if key is None or certificate is None:
        raise TlsFault("pfx holds no key with a certificate")
    parts = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())]
    return b"".join([*parts, *(each.public_bytes(Encoding.PEM) for each in [certificate, *others])])


def _load(context: ssl.SSLContext, pem: bytes, password: str | None) -> None:
    """Python reads certificates from files only: one that nobody else can read, and not for long."""
    handle, path = tempfile.mkstemp()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        context.load_cert_chain(path, password=password or "")
    finally:
        os.unlink(path)
