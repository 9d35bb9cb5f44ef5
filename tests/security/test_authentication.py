"""Passwords and who may come in."""

from __future__ import annotations

import asyncio
import threading
import time
from base64 import b64encode

import msgspec
import pytest

from casebridge.domain.errors import Unauthenticated
from casebridge.domain.user import Account
from casebridge.security.authentication import (
    Authenticator,
    Credential,
    Credentials,
    KeyCredentials,
    Passwords,
    check_key,
    key_digest,
    read_authorization,
    read_credential,
)

OURS = "$argon2id$v=19$m=19456,t=2,p=1$"


def header(text: str | bytes) -> bytes:
    return b"Basic " + b64encode(text.encode() if isinstance(text, str) else text)


class Counting(Passwords):
    """Plain comparison that counts, so that tests need no 26 ms each."""

    def __init__(self) -> None:
        super().__init__()
        self.verified: list[tuple[str, str]] = []

    async def verify(self, password: str, stored: str) -> bool:
        self.verified.append((password, stored))
        return stored == f"hash of {password}"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def an_account(password: str = "secret", *, enabled: bool = True) -> Account:
    return Account("ada", f"hash of {password}", (), enabled=enabled)


async def test_a_password_is_stored_as_an_argon2_text_of_the_decided_cost():
    passwords = Passwords()
    stored = await passwords.hash("päss")
    assert stored.startswith(OURS)
    assert await passwords.hash("päss") != stored
    assert await passwords.verify("päss", stored)
    assert not await passwords.verify("pass", stored)
    assert not await passwords.verify("", stored)


async def test_a_damaged_stored_text_matches_nothing():
    assert not await Passwords().verify("x", "not a hash")


async def test_at_most_two_passwords_are_worked_on_at_once():
    passwords = Passwords()
    running = most = 0
    lock = threading.Lock()

    def slow(password: str, stored: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return True

    passwords._matches = slow  # type: ignore[method-assign]
    await asyncio.gather(*(passwords.verify("x", "y") for _ in range(6)))
    assert most == 2


@pytest.mark.parametrize(
    ("given", "username", "password"),
    [
        (header("ada:secret"), "ada", "secret"),
        (header("ada:a:b"), "ada", "a:b"),
        (header("ada:"), "ada", ""),
        (header("åda:pässwörd"), "åda", "pässwörd"),
        (b"  bASIC   " + b64encode(b"ada:x") + b" ", "ada", "x"),
    ],
)
def test_basic_credentials_are_read(given: bytes, username: str, password: str):
    assert read_authorization(given) == Credentials(username, password)


@pytest.mark.parametrize(
    "given",
    [
        None,
        b"",
        b"Basic",
        b"Basic !!!!",
        b"Basic YWRhOng",
        header("ada"),
        header(":x"),
        header(b"\xff\xfe:x"),
        header("a\0da:x"),
        header("ada:\0"),
        b"Digest " + b64encode(b"ada:x"),
    ],
)
def test_anything_else_is_refused(given: bytes | None):
    with pytest.raises(Unauthenticated):
        read_authorization(given)


@pytest.mark.parametrize("scheme", [b"ApiKey", b"apikey", b"APIKEY", b"Bearer", b"bearer"])
def test_the_id_and_secret_of_a_key_are_read(scheme: bytes):
    headers = {b"authorization": scheme + b" " + b64encode(b"k-1:s:2")}
    assert read_credential(headers) == KeyCredentials("k-1", "s:2")


def test_a_request_without_the_header_shows_nothing():
    with pytest.raises(Unauthenticated):
        read_credential({})


@pytest.mark.parametrize("shown", [Credentials("ada", "secret"), KeyCredentials("ada", "secret")])
def test_credentials_do_not_show_what_is_secret(shown: Credential):
    assert "secret" not in repr(shown)


@pytest.mark.parametrize("digest", [None, "", key_digest("other")])
def test_a_key_that_is_unknown_or_wrong_is_refused(digest: str | None):
    with pytest.raises(Unauthenticated):
        check_key(KeyCredentials("k", "secret"), digest)


def test_the_right_secret_of_a_key_is_taken_and_not_stored_as_it_is():
    check_key(KeyCredentials("k", "secret"), key_digest("secret"))
    assert "secret" not in key_digest("secret")


async def test_a_verified_password_is_remembered_for_a_minute():
    passwords, clock = Counting(), Clock()
    door = Authenticator(passwords, clock)
    account = an_account()
    for _ in range(3):
        assert await door.check(Credentials("ada", "secret"), account) is account
    assert len(passwords.verified) == 1
    clock.now += 59
    await door.check(Credentials("ada", "secret"), account)
    assert len(passwords.verified) == 1
    clock.now += 2
    await door.check(Credentials("ada", "secret"), account)
    assert len(passwords.verified) == 2


async def test_a_wrong_password_is_never_remembered():
    passwords = Counting()
    door = Authenticator(passwords)
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await door.check(Credentials("ada", "wrong"), an_account())
    assert len(passwords.verified) == 2


async def test_a_new_password_counts_at_once():
    door = Authenticator(Counting())
    await door.check(Credentials("ada", "secret"), an_account())
    with pytest.raises(Unauthenticated):
        await door.check(Credentials("ada", "secret"), an_account("new"))
    assert await door.check(Credentials("ada", "new"), an_account("new"))


async def test_a_disabled_user_is_refused_though_remembered():
    door = Authenticator(Counting())
    account = an_account()
    await door.check(Credentials("ada", "secret"), account)
    with pytest.raises(Unauthenticated):
        await door.check(Credentials("ada", "secret"), msgspec.structs.replace(account, enabled=False))


async def test_an_unknown_user_costs_as_much_as_a_wrong_password():
    passwords = Counting()
    with pytest.raises(Unauthenticated):
        await Authenticator(passwords).check(Credentials("nobody", "x"), None)
    [(_, stored)] = passwords.verified
    assert stored.startswith(OURS)
    assert not await Passwords().verify("x", stored)


async def test_what_is_remembered_is_of_one_user():
    door = Authenticator(Counting())
    await door.check(Credentials("ada", "secret"), an_account())
    with pytest.raises(Unauthenticated):
        await door.check(Credentials("bob", "secret"), None)


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("casebridge.security.authentication.MOST_REMEMBERED", 3)
    passwords = Counting()
    door = Authenticator(passwords)
    for number in range(5):
        await door.check(Credentials(f"u{number}", "secret"), an_account())
    await door.check(Credentials("u4", "secret"), an_account())
    assert len(passwords.verified) == 5
    await door.check(Credentials("u0", "secret"), an_account())
    assert len(passwords.verified) == 6
