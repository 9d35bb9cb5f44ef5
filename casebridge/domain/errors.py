"""Everything that can be refused, drawn as one tree.

    CasebridgeError
    ├─ Refused                      the caller asked for something we will not do
    │  ├─ NotFound                  · InvalidInput · LimitExceeded · NothingChanged · FileTooLarge
    │  ├─ Conflict                  ─ VersionConflict
    │  ├─ Unauthenticated           · Forbidden · TooManyTries
    │  └─ PushFailed                the external system, or the connector, did not do what a push asked
    ├─ ConnectorError               raised by connectors, read by push
    └─ StorageUnavailable           raised by storage, the driver's error as its cause

What status each becomes on the wire is said in one table, `api/errors.py`.
"""

from __future__ import annotations

from collections.abc import Iterable


class CasebridgeError(Exception):
    """The root: whatever this program raises on purpose."""


class Refused(CasebridgeError):
    """The caller asked for something we will not do; the text is written for that caller."""


class NotFound(Refused):
    """An object does not exist in this space. `kind` is the stored kind, such as `cases` or `action`."""

    def __init__(self, kind: str, ids: str | Iterable[str]) -> None:
        self.kind = kind
        self.ids = (ids,) if isinstance(ids, str) else tuple(ids)
        named = ", ".join(f"[{kind}/{each}]" for each in self.ids)
        super().__init__(f"{named} not found; check the id and the space.")


class InvalidInput(Refused):
    """A value breaks a rule. `field` is the key or path as the caller wrote it."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}" if field else reason)


class LimitExceeded(InvalidInput):
    """A named maximum would be passed: `limit` is what is allowed, `given` what the request would lead to."""

    def __init__(self, field: str, limit: int, given: int, noun: str) -> None:
        self.limit = limit
        self.given = given
        super().__init__(field, f"at most {limit} {noun} are allowed, this request would make {given}.")


class NothingChanged(Refused):
    """A cases PATCH in which every given value is already the stored one."""

    def __init__(self) -> None:
        super().__init__("All given values are already stored: there is nothing to update.")


class Conflict(Refused):
    """The object is not in a state in which this can be done now."""


class VersionConflict(Conflict):
    """The object was written after the caller read it."""

    def __init__(self, kind: str, ids: str | Iterable[str]) -> None:
        self.kind = kind
        self.ids = (ids,) if isinstance(ids, str) else tuple(ids)
        named = ", ".join(f"[{kind}/{each}]" for each in self.ids)
        super().__init__(f"{named} changed meanwhile; fetch it again and repeat with its present version.")


class Unauthenticated(Refused):
    """No credentials, or wrong ones: the text never says which."""

    def __init__(self) -> None:
        super().__init__("Unable to authenticate with the given credentials.")


class TooManyTries(Refused):
    """Passwords are tried too often, or too many at once; after `wait_s` seconds one may be tried again."""

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(f"Too many attempts to sign in. Try again in {wait_s} second{'' if wait_s == 1 else 's'}.")


class Forbidden(Refused):
    """The caller is known but may not do this. `owners` empty: of any owner; `is_owned` false: it belongs to none."""

    def __init__(self, operation: str, owners: Iterable[str] = (), *, what: str = "", is_owned: bool = True) -> None:
        self.operation = operation
        self.owners = tuple(owners)
        self.kind = "cases" if is_owned else "security"
        of = f' with owners: "{", ".join(self.owners)}"' if self.owners else " of any owner"
        super().__init__(f"Unauthorized to {what or operation}{of if is_owned else ''}")


class FileTooLarge(Refused):
    """A file has more bytes than its kind may have."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"The file is too large: at most {limit_bytes} bytes are taken for this kind of content.")


class PushFailed(Refused):
    """A push did not succeed; `delivery_id` names the ledger entry that holds the attempt, if one was made."""

    def __init__(self, message: str, delivery_id: str | None = None) -> None:
        self.delivery_id = delivery_id
        super().__init__(message)


class ConnectorError(CasebridgeError):
    """An external system or its connector failed.

    `code` is one of `connection`, `timeout`, `refused`, `unavailable`, `bad_answer`, `configuration`, `crashed`;
    `permanent` says that waiting does not heal it; `unknown` that a write may have been done all the same;
    `retry_after_s` is the system's own wish, in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        permanent: bool = False,
        unknown: bool = False,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        self.message = message
        self.code = code
        self.permanent = permanent
        self.unknown = unknown
        self.retry_after_s = retry_after_s
        self.status = status
        super().__init__(message)


class StorageUnavailable(CasebridgeError):
    """The database is away, read-only or full: nothing was written. The driver's error is the cause."""
