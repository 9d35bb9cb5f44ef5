"""Accounts: the first administrator of an empty store."""

from __future__ import annotations

import secrets

from casebridge.domain.user import SUPERUSER, Account
from casebridge.security.authentication import Passwords
from casebridge.storage import accounts
from casebridge.storage.session import Database

ADMIN = "admin"
GENERATED_PASSWORD_BYTES = 18


async def ensure_admin(database: Database, password: str | None, passwords: Passwords | None = None) -> str | None:
    """Make the user `admin` if the store knows no user yet; the password if it had to be made up, to be told once."""
    if await accounts.any_exists(database):
        return None
    chosen = password or secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)
    stored = await (passwords or Passwords()).hash(chosen)
    is_made = await accounts.create_first_admin(database, Account(ADMIN, stored, (SUPERUSER,)))
    return chosen if is_made and not password else None
