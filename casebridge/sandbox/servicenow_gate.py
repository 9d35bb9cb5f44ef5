"""Who gets in at the simulated ServiceNow: a user with a password, or with a token for a signed assertion."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from starlette.datastructures import Headers

from casebridge.sandbox.servicenow_answers import OAuthRefusal, Refusal, too_many, unauthenticated

WINDOW = timedelta(hours=1)
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True)
class OAuthClient:
    """An application that may ask for tokens; `public_key` is PEM and belongs to the key `key_id`."""

    client_id: str
    client_secret: str
    key_id: str
    public_key: str


@dataclass
class Gate:
    """The checks before any rule of ServiceNow is asked."""

    username: str
    password: str
    oauth: OAuthClient | None = None
    token_life_s: float = 1_799
    rate_limit_per_hour: int | None = None
    tokens: dict[str, datetime] = field(default_factory=dict)
    recent: deque[datetime] = field(default_factory=deque)

    def reset(self) -> None:
        """Forget earlier callers; their tokens are worth nothing any more."""
        self.tokens.clear()
        self.recent.clear()

    def count(self, now: datetime) -> None:
        """Let one more request through the rate limit. Raises Refusal."""
        limit = self.rate_limit_per_hour
        if limit is None:
            return
        while self.recent and self.recent[0] <= now - WINDOW:
            self.recent.popleft()
        if len(self.recent) >= limit:
            until = self.recent[0] + WINDOW
            raise too_many(int((until - now).total_seconds()) + 1, limit, int(until.timestamp()) + 1)
        self.recent.append(now)

    def check(self, headers: Headers, now: datetime) -> None:
        """Raises Refusal unless the caller is known."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.tokens.get(given, now) > now:
            return
        if scheme.lower() != "basic":
            raise unauthenticated()
        try:
            user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise unauthenticated() from None
        if user != self.username or not same(password, self.password):
            raise unauthenticated()

    def token(self, body: bytes, headers: Headers, now: datetime) -> dict[str, Any]:
        """An access token for the form of a token request. Raises OAuthRefusal."""
        if headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise OAuthRefusal(401, "invalid_request", "The request is not form encoded")
        form = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
        client = self.oauth
        known = client is not None and form.get("client_id") == client.client_id
        if client is None or not known or not same(form.get("client_secret", ""), client.client_secret):
            raise OAuthRefusal(401, "invalid_client", "access_denied")
        if form.get("grant_type") != GRANT:
            raise OAuthRefusal(401, "unsupported_grant_type", "access_denied")
        self._check_assertion(form.get("assertion", ""), client, now)
        token = secrets.token_urlsafe(32)
        self.tokens[token] = now + timedelta(seconds=self.token_life_s)
        return {
            "access_token": token,
            "scope": "useraccount",
            "token_type": "Bearer",
            "expires_in": int(self.token_life_s),
        }

    def _check_assertion(self, assertion: str, client: OAuthClient, now: datetime) -> None:
        try:
            head, claims = verified(assertion, client.public_key)
            right = (
                (head["alg"], head["kid"]) == ("RS256", client.key_id)
                and claims["iss"] == claims["aud"] == client.client_id
                and claims["sub"] == self.username
                and claims["iat"] <= now.timestamp() + 60
                and now.timestamp() < claims["exp"] <= claims["iat"] + 3600
            )
        except (ValueError, KeyError, TypeError, InvalidSignature):
            right = False
        if not right:
            raise OAuthRefusal(401, "invalid_grant", "The assertion was not accepted")


def verified(assertion: str, public_key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a signed assertion. ValueError or InvalidSignature when it is none."""
    signed, _, signature = assertion.rpartition(".")
    head, _, claims = signed.partition(".")
    key = load_pem_public_key(public_key.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA key")
    key.verify(unpacked(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return msgspec.json.decode(unpacked(head), type=dict), msgspec.json.decode(unpacked(claims), type=dict)


def unpacked(part: str) -> bytes:
    """The bytes of a part of an assertion."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def check_content_type(method: str, headers: Headers) -> None:
    """Writes bring JSON and say so. Raises Refusal."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method in ("POST", "PUT", "PATCH") and kind != "application/json":
        raise Refusal(415, "Unsupported Media Type", f"The content type {kind!r} is not supported")


def same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())
