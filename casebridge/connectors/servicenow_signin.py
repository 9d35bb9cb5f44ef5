"""Signing in to ServiceNow by OAuth: a signed assertion, and the access token it is exchanged for."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_LIFE_S = 3_600
EARLY_S = 10.0
"""A token is renewed so long before it runs out: the call that uses it takes time too."""


class BadKey(ValueError):
    """The private key cannot be used; the text says why and repeats nothing of it."""


def assertion(config: Mapping[str, Any], secrets: Mapping[str, Any], now_s: int) -> str:
    """A signed assertion (RS256) that the client acts for the user; `now_s` in Unix seconds. Raises BadKey."""
    client = config["clientId"]
    head = {"alg": "RS256", "typ": "JWT", "kid": config["jwtKeyId"]}
    claims = {
        "iss": client,
        "aud": client,
        "sub": config["userIdentifierValue"],
        "iat": now_s,
        "exp": now_s + ASSERTION_LIFE_S,
    }
    signed = ".".join(_packed(msgspec.json.encode(part)) for part in (head, claims))
    key = _private_key(str(secrets["privateKey"]), secrets.get("privateKeyPassword"))
    return f"{signed}.{_packed(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def token_form(config: Mapping[str, Any], secrets: Mapping[str, Any], signed: str) -> dict[str, str]:
    """The form of a request for a token."""
    return {
        "assertion": signed,
        "client_id": str(config["clientId"]),
        "client_secret": str(secrets["clientSecret"]),
        "grant_type": GRANT,
    }


def token_key(config: Mapping[str, Any], secrets: Mapping[str, Any]) -> str:
    """Under which name a token is remembered: another one as soon as anything of the connector changes."""
    known = [sorted((name, str(value)) for name, value in each.items()) for each in (config, secrets)]
    return hashlib.sha256(msgspec.json.encode(known)).hexdigest()


def _private_key(pem: str, password: str | None) -> rsa.RSAPrivateKey:
    """The key of a PEM text (PKCS#1 or PKCS#8), opened with the password if it is encrypted. Raises BadKey."""
    is_encrypted = "ENCRYPTED" in pem
    if is_encrypted and password is None:
        raise BadKey("the secret privateKey is encrypted, and privateKeyPassword is not set")
    try:
        key = load_pem_private_key(pem.encode(), str(password).encode() if is_encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("the secret privateKey cannot be opened; expected PEM and, if needed, its password") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadKey("the secret privateKey is no RSA key")
    return key


def _packed(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")
