"""Tokens and cookies of browser sessions. What is stored of a token is its digest: the store gives nobody a session."""

from __future__ import annotations

import hmac
import secrets
from hashlib import blake2b, sha256
from http.cookies import CookieError, SimpleCookie

COOKIE = "casebridge_session"
_TOKEN_BYTES = 32
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


def new_token() -> str:
    """A token nobody can guess: 256 random bits."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def digest(token: str) -> str:
    """What to store in place of a token."""
    return sha256(token.encode()).hexdigest()


def stamp(password_hash: str) -> str:
    """What a session keeps of the password it was opened with: enough to see that it has changed, no more."""
    return blake2b(password_hash.encode(), digest_size=16, person=b"session stamp").hexdigest()


def form_token(token: str) -> str:
    """What a form carries to show that it came from a page of this session.

    >>> form_token("a") == form_token("a"), form_token("a") == form_token("b")
    (True, False)
    """
    return blake2b(token.encode(), digest_size=24, person=b"form token").hexdigest()


def is_form_token(given: str, token: str) -> bool:
    """Whether a form came from a page of the session with this token."""
    return hmac.compare_digest(given.encode(), form_token(token).encode())


def read_cookie(header: bytes | None, name: str) -> str | None:
    """A cookie of a `Cookie` header; None when it is not there, or the header cannot be read.

    >>> read_cookie(b"a=1; b=2", "b")
    '2'
    """
    if header is None:
        return None
    try:
        found = SimpleCookie(header.decode("latin-1")).get(name)
    except CookieError:
        return None
    return None if found is None else found.value


def cookie(
    name: str, value: str, *, path: str, secure: bool, max_age_s: int | None = None, script: bool = False
) -> str:
    """A `Set-Cookie` header; `script`: pages may read it. Without a maximum age it ends with the browser."""
    parts = [f"{name}={value}", f"Path={path or '/'}", "SameSite=Lax"]
    if max_age_s is not None:
        parts.append(f"Max-Age={max_age_s}")
    return "; ".join([*parts, *([] if script else ["HttpOnly"]), *(["Secure"] if secure else [])])


def wants_secure(scheme: str, host: str, *, setting: bool) -> bool:
    """Whether a cookie must be sent over HTTPS only.

    Over plain HTTP it may travel where the settings allow that, and to this machine itself, which no network sees.

    >>> wants_secure("http", "cases.example.org", setting=True), wants_secure("http", "127.0.0.1:5601", setting=True)
    (True, False)
    """
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return scheme == "https" or (setting and name.lower() not in _LOOPBACK)
