"""Who a request comes from: passwords, keys, and the `Authorization` header.

Accounts come in as values; this module does not know where they are kept. Every refusal is the same Unauthenticated,
and costs the same whether the user exists or not.
"""

from __future__ import annotations

import asyncio
import os
import time
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b, sha256
from hmac import compare_digest

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from casebridge.domain.errors import Unauthenticated
from casebridge.domain.user import Account
from casebridge.security.sessions import COOKIE, read_cookie
from casebridge.security.throttle import Doorkeeper

MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
AT_ONCE = 2
REMEMBERED_S = 60.0
MOST_REMEMBERED = 4096

# Of no password anybody knows; with the cost above, so that an unknown user takes as long as a wrong password.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$VLCuTOedpD0BfJBw3rhOtQ$AMeSc7SjUP1LLkJjlJgdMcKGh5FKtYMLbAo5hjd2ttw"


class Passwords:
    """argon2 in threads, at most two at once: a burst of sign-ins cannot take all memory and both cores."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def hash(self, password: str) -> str:
        """What to store in place of a password."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password: str, stored: str) -> bool:
        """Whether it is the password of which `stored` was made; about 26 ms of one core."""
        async with self._turn:
            return await asyncio.to_thread(self._matches, password, stored)

    def _matches(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


class Credentials(msgspec.Struct, frozen=True):
    """A user name and what is said to be its password."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r})"


class KeyCredentials(msgspec.Struct, frozen=True):
    """The id of an API key and what is said to be its secret."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyCredentials({self.id!r})"


class SessionToken(msgspec.Struct, frozen=True):
    """The token of a browser session."""

    token: str

    def __repr__(self) -> str:
        return "SessionToken()"


Credential = Credentials | KeyCredentials | SessionToken
"""What a request may show of itself. A further kind is added here, read below, and given its way in `callers`."""


def read_credential(headers: Mapping[bytes, bytes]) -> Credential:
    """What the headers of a request show; Unauthenticated for nothing, a malformed one and an unknown scheme.

    A browser's session counts where no credentials are sent along. That pages of others cannot write in its name is due
    to the header `kbn-xsrf`, which every write needs and a form of theirs cannot have.
    """
    if b"authorization" not in headers and (token := read_cookie(headers.get(b"cookie"), COOKIE)):
        return SessionToken(token)
    return read_authorization(headers.get(b"authorization"))


def read_authorization(header: bytes | None) -> Credential:
    """The credential of an `Authorization` header; Unauthenticated as above."""
    scheme, _, encoded = (header or b"").strip().partition(b" ")
    reader = _SCHEMES.get(scheme.lower())
    if reader is None:
        raise Unauthenticated
    try:
        text = b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        raise Unauthenticated from None
    name, colon, secret = text.partition(":")
    if not colon or not name or "\0" in text:
        raise Unauthenticated
    return reader(name, secret)


_SCHEMES: Mapping[bytes, Callable[[str, str], Credential]] = {
    b"basic": Credentials,
    b"apikey": KeyCredentials,
    # For clients that can send nothing else: the same encoded key.
    b"bearer": KeyCredentials,
}


def key_digest(secret: str) -> str:
    """What to store of the secret of a key: it is random and long, so that a plain digest cannot be turned round."""
    return sha256(secret.encode()).hexdigest()


_NO_DIGEST = key_digest(os.urandom(16).hex())


def check_key(given: KeyCredentials, digest: str | None) -> None:
    """Unauthenticated unless the digest, None for an unknown key, is that of the secret; as fast either way."""
    if not compare_digest(key_digest(given.secret), digest or _NO_DIGEST) or digest is None:
        raise Unauthenticated


class Authenticator:
    """Checks credentials against accounts, remembering what it has verified for a minute.

    A keeper bounds how many passwords are tried, and how many wait for their turn. Neither what is remembered nor a
    password that once was right and has not been changed since is held up by it: those are no guesses.

    What is remembered is a keyed digest, together with the stored hash it was verified against: a new password makes
    it worthless at once.
    """

    def __init__(self, passwords: Passwords | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.passwords = passwords or Passwords()
        self.keeper = Doorkeeper(clock)
        self._clock = clock
        self._key = os.urandom(32)
        self._until: dict[bytes, float] = {}
        self._running: dict[bytes, asyncio.Task[bool]] = {}
        self._proven: OrderedDict[bytes, None] = OrderedDict()

    async def check(self, credentials: Credentials, account: Account | None, address: str | None = None) -> Account:
        """The account, which must be the present one of that name, or None; Unauthenticated unless it may come in.

        TooManyTries, whether or not there is such a user, when this one must not be tried from this address now.
        """
        # Who signs in elsewhere has no password here, and that must not be told by a quicker answer either.
        stored = (None if account is None else account.password_hash) or _NOBODY
        proof = self._proof(credentials, stored)
        if self._until.get(proof, 0.0) <= self._clock():
            can_come_in = account is not None and bool(account.password_hash)
            if not await self._try(proof, credentials, stored, address, can_come_in=can_come_in):
                raise Unauthenticated
        if account is None or not account.enabled:
            raise Unauthenticated
        return account

    async def _try(
        self, proof: bytes, credentials: Credentials, stored: str, address: str | None, *, can_come_in: bool
    ) -> bool:
        """Whether the password is right. The same one shown several times at once is verified once for all."""
        running = self._running.get(proof)
        if running is None:
            if proof not in self._proven:
                self.keeper.enter(credentials.username, address)
            running = asyncio.create_task(self._verify(proof, credentials, stored, address, can_come_in=can_come_in))
            self._running[proof] = running
            running.add_done_callback(lambda _: self._running.pop(proof, None))
        # Whoever gives up waiting takes nothing from the others.
        return await asyncio.shield(running)

    async def _verify(
        self, proof: bytes, credentials: Credentials, stored: str, address: str | None, *, can_come_in: bool
    ) -> bool:
        is_guess, came_in = proof not in self._proven, None
        try:
            came_in = await self.passwords.verify(credentials.password, stored) and can_come_in
            if came_in:
                self._remember(proof)
            return came_in
        finally:
            if is_guess:
                self.keeper.leave(credentials.username, address, came_in=came_in)

    def _proof(self, credentials: Credentials, stored: str) -> bytes:
        # None of the three can hold NUL, so no two triples look alike.
        text = f"{credentials.username}\0{stored}\0{credentials.password}"
        return blake2b(text.encode(), key=self._key, digest_size=32).digest()

    def _remember(self, proof: bytes) -> None:
        """Oldest first out: all stay equally long, so the order of arrival is that of expiry."""
        now = self._clock()
        self._until.pop(proof, None)
        while self._until and (len(self._until) >= MOST_REMEMBERED or next(iter(self._until.values())) <= now):
            del self._until[next(iter(self._until))]
        self._until[proof] = now + REMEMBERED_S
        self._proven.pop(proof, None)
        self._proven[proof] = None
        if len(self._proven) > MOST_REMEMBERED:
            self._proven.popitem(last=False)
