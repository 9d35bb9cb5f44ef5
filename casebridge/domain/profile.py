"""Profiles: users as those who work with cases see them, under ids that never change (access.md 7)."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from casebridge.domain.user import Account

_COLORS = ("#4477aa", "#228833", "#aa3377", "#ee6677", "#66a0cc", "#bb8800", "#555566", "#117733")
_WORD = re.compile(r"[^\W_]+")


class Profile(msgspec.Struct, frozen=True):
    """A stored profile: the user as of the last sign-in, which stays when the user is removed."""

    uid: str
    username: str
    synchronized_at: datetime
    roles: tuple[str, ...] = ()
    full_name: str | None = None
    email: str | None = None
    enabled: bool = True

    @property
    def initials(self) -> str:
        """Two letters for an avatar.

        >>> Profile("u", "aone", datetime(2026, 1, 1), full_name="Analyst One").initials
        'AO'
        """
        words: list[str] = _WORD.findall(self.full_name or "") or _WORD.findall(self.username) or ["?"]
        return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()

    @property
    def color(self) -> str:
        """The colour of an avatar, always the same for a profile."""
        return _COLORS[sum(self.uid.encode()) % len(_COLORS)]


def refreshed(profile: Profile, account: Account | None) -> Profile:
    """The profile with what the account says now; without an account it is that of a user who is gone."""
    if account is None:
        return msgspec.structs.replace(profile, enabled=False)
    return msgspec.structs.replace(
        profile, roles=account.roles, full_name=account.full_name, email=account.email, enabled=account.enabled
    )


def matches(profile: Profile, name: str) -> bool:
    """Whether every word of `name` begins a word of user name, full name or email; the empty text fits everybody.

    >>> ada = Profile("u", "ada.l", datetime(2026, 1, 1), full_name="Ada Lovelace", email="ada@example.org")
    >>> matches(ada, "LOVE ada"), matches(ada, "ada@ex"), matches(ada, "lace")
    (True, True, False)
    """
    texts = [text.casefold() for text in (profile.username, profile.full_name, profile.email) if text]
    starts = [text[at:] for text in texts for at in _starts(text)]
    return all(any(start.startswith(wanted) for start in starts) for wanted in name.casefold().split())


def _starts(text: str) -> list[int]:
    return [0, *(found.start() for found in _WORD.finditer(text))]
