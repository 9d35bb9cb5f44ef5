"""Who gets in at the simulated Jira: credentials, rate limit, content type."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.datastructures import Headers

from casebridge.sandbox.jira_answers import Mode, Refusal, bad_credentials, too_many

WINDOW = timedelta(minutes=1)


@dataclass
class Gate:
    """The checks before any rule of Jira is asked.

    `anonymous_on_bad_token`: Cloud lets a caller with a wrong token in as nobody, who sees nothing.
    `captcha_after`: so many wrong passwords in a row, and Data Center refuses everybody until a reset.
    """

    mode: Mode
    email: str
    api_token: str
    rate_limit_per_minute: int | None = None
    anonymous_on_bad_token: bool = False
    captcha_after: int | None = None
    failures: int = 0
    recent: deque[datetime] = field(default_factory=deque)

    def reset(self) -> None:
        """Forget earlier callers."""
        self.failures = 0
        self.recent.clear()

    def count(self, now: datetime) -> dict[str, str]:
        """Let one more request through the rate limit; what its answer says about the limit. Raises Refusal."""
        limit = self.rate_limit_per_minute
        if limit is None:
            return {}
        while self.recent and self.recent[0] <= now - WINDOW:
            self.recent.popleft()
        if len(self.recent) >= limit:
            wait = WINDOW - (now - self.recent[0])
            raise too_many(self.mode, int(wait.total_seconds()) + 1, limit, now)
        self.recent.append(now)
        left = limit - len(self.recent)
        headers = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left)}
        return headers | ({"X-RateLimit-NearLimit": "true"} if left * 5 < limit else {})

    def known(self, headers: Headers) -> bool:
        """Whether the caller is the account; False for nobody in particular. Raises Refusal."""
        if self.captcha_after is not None and self.failures >= self.captcha_after:
            reason = {"X-Authentication-Denied-Reason": "CAPTCHA_CHALLENGE; login-url=/login.jsp"}
            raise Refusal(403, ["Basic Authentication Failure - Reason : AUTHENTICATION_DENIED"], None, reason, True)
        if self._right(headers.get("authorization", "")):
            self.failures = 0
            return True
        self.failures += 1
        if self.anonymous_on_bad_token and self.mode == "cloud":
            return False
        raise bad_credentials(self.mode)

    def _right(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self.mode == "datacenter" and same(given.strip(), self.api_token)
        try:
            user, colon, secret = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        names = {self.email.lower()} | ({self.email.lower().partition("@")[0]} if self.mode == "datacenter" else set())
        return scheme.lower() == "basic" and bool(colon) and user.lower() in names and same(secret, self.api_token)


def check_content_type(method: str, headers: Headers) -> None:
    """Writes bring JSON and say so. Raises Refusal."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method in ("POST", "PUT") and kind != "application/json":
        raise Refusal(415, ["Unsupported Media Type"], plain=True)


def same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())
