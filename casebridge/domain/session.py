"""A browser session: who signed in, when, and until when it holds."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session as stored. `stamp` stands for the password it was opened with: another password ends it.

    `agent` is what the browser called itself, `address` where it was.
    """

    username: str
    stamp: str
    created_at: datetime
    seen_at: datetime
    agent: str = ""
    address: str | None = None
    profile_uid: str | None = None


class SessionRule(msgspec.Struct, frozen=True):
    """How long a session holds without being used, and at most."""

    idle_s: float = 28_800.0
    lifetime_s: float = 604_800.0

    def is_over(self, session: Session, now: datetime) -> bool:
        """Whether the session must not be taken any more."""
        idle, lifetime = timedelta(seconds=self.idle_s), timedelta(seconds=self.lifetime_s)
        return now >= session.seen_at + idle or now >= session.created_at + lifetime


TOUCH_EVERY_S = 60.0
"""A session that was seen less long ago is not written again."""
MOST_PER_USER = 100
AGENT_LENGTH = 300
