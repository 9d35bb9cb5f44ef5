"""Who acts: the user as cases remember one, and the actor behind a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from casebridge.domain.errors import InvalidInput
from casebridge.domain.grants import Grants


class User(msgspec.Struct, frozen=True):
    """A user as copied into an object at the moment of writing; never refreshed (contract README 7)."""

    username: str | None
    full_name: str | None
    email: str | None
    profile_uid: str | None = None

    @property
    def display_name(self) -> str:
        """Full name, else user name, else `Unknown`; empty texts count as absent (push.md 2.1)."""
        return self.full_name or self.username or "Unknown"


class Account(msgspec.Struct, frozen=True):
    """A stored user of this server. `password_hash` is an argon2 text."""

    username: str
    password_hash: str
    roles: tuple[str, ...]
    full_name: str | None = None
    email: str | None = None
    enabled: bool = True
    metadata: Mapping[str, Any] = {}
    id: str = ""
    """Tells the user from an earlier one of the same name."""
    realm: str = ""
    """Where the user signs in, when that is elsewhere; `subject` is who the user is there."""
    subject: str = ""

    @property
    def user(self) -> User:
        """How cases remember this user, without a profile."""
        return User(self.username, self.full_name, self.email)

    @property
    def is_superuser(self) -> bool:
        """Whether the role that grants everything is among the user's."""
        return SUPERUSER in self.roles

    def __repr__(self) -> str:
        return f"Account({self.username!r})"


class Actor(msgspec.Struct, frozen=True):
    """Who asks, from where, and under which request id (for the audit trail).

    `grants` is what the roles, or the key that was used, come to. Without it only the role `superuser` counts: enough
    for who acts inside of this server. `key_id` names the API key that was used, if one was.
    """

    user: User
    roles: tuple[str, ...]
    address: str | None = None
    request_id: str | None = None
    grants: Grants | None = None
    key_id: str | None = None


SUPERUSER = "superuser"

PASSWORD_LEAST = 6
PASSWORD_MOST = 1_024
USERNAME_MOST = 507
ROLES_MOST = 100
TEXT_MOST = 1_024

_USERNAME = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def check_username(username: str) -> None:
    """InvalidInput unless it is visible ASCII (so that no two names look alike) without `:` and `,`.

    A colon ends the name in Basic credentials, a comma in lists of names.
    """
    if len(username) > USERNAME_MOST:
        raise InvalidInput("username", f"at most {USERNAME_MOST} characters are allowed, given {len(username)}.")
    if not _USERNAME.fullmatch(username) or ":" in username or "," in username:
        raise InvalidInput(
            "username",
            f"{username!r} may hold only ASCII signs and inner blanks, and neither colon nor comma.",
        )


def check_password(password: str, least: int = PASSWORD_LEAST) -> None:
    """InvalidInput when a password is too short or too long; the text never holds it."""
    if len(password) < least:
        raise InvalidInput("password", f"expected at least {least} characters, given {len(password)}.")
    if len(password) > PASSWORD_MOST:
        raise InvalidInput("password", f"at most {PASSWORD_MOST} characters are allowed, given {len(password)}.")
    if "\0" in password:
        raise InvalidInput("password", "must not hold the character NUL.")


def check_account(account: Account) -> Account:
    """The same account, or InvalidInput naming what of it breaks a rule."""
    check_username(account.username)
    if len(account.roles) > ROLES_MOST:
        raise InvalidInput("roles", f"at most {ROLES_MOST} are allowed, given {len(account.roles)}.")
    for key, text in (("full_name", account.full_name), ("email", account.email)):
        if text is not None and len(text) > TEXT_MOST:
            raise InvalidInput(key, f"at most {TEXT_MOST} characters are allowed, given {len(text)}.")
    return account
