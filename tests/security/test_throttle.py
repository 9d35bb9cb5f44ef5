"""Slowing down who guesses, and never for good who does not."""

from __future__ import annotations

import asyncio

import pytest

from casebridge.domain.errors import TooManyTries, Unauthenticated
from casebridge.domain.user import Account
from casebridge.security.authentication import Authenticator, Credentials, Passwords
from casebridge.security.throttle import (
    FREE_TRIES,
    LONGEST_S,
    MOST_AT_ONCE,
    MOST_OF_AN_ADDRESS,
    USER_LONGEST_S,
    Allowance,
    Doorkeeper,
    Throttle,
)

ADA = Account("ada", "hash of secret", ())
HERE, THERE = "192.0.2.7", "198.51.100.9"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Held(Passwords):
    """Compares plainly, and waits for a sign where a test wants to see who is waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.verified = 0
        self.sign = asyncio.Event()
        self.sign.set()

    async def verify(self, password: str, stored: str) -> bool:
        await self.sign.wait()
        self.verified += 1
        return stored == f"hash of {password}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def passwords() -> Held:
    return Held()


@pytest.fixture
def door(passwords: Held, clock: Clock) -> Authenticator:
    return Authenticator(passwords, clock)


async def guess(door: Authenticator, number: int, address: str = HERE, username: str = "ada") -> None:
    with pytest.raises(Unauthenticated):
        await door.check(Credentials(username, f"guess {number}"), ADA if username == "ada" else None, address)


async def wait_of(door: Authenticator, password: str = "another", address: str = HERE, username: str = "ada") -> int:
    with pytest.raises(TooManyTries) as refused:
        await door.check(Credentials(username, password), ADA if username == "ada" else None, address)
    return refused.value.wait_s


async def test_each_failure_after_the_free_ones_doubles_the_wait_up_to_a_limit(door: Authenticator, clock: Clock):
    for number in range(FREE_TRIES):
        await guess(door, number)
    waits = []
    for number in range(12):
        waits.append(await wait_of(door))
        clock.now += waits[-1]
        await guess(door, 100 + number)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST_S, LONGEST_S, LONGEST_S]


async def test_a_try_that_has_to_wait_is_not_even_looked_at(door: Authenticator, passwords: Held):
    for number in range(FREE_TRIES):
        await guess(door, number)
    done = passwords.verified
    await wait_of(door, "secret")
    assert passwords.verified == done


async def test_an_unknown_user_is_slowed_down_like_a_known_one(door: Authenticator):
    for number in range(FREE_TRIES):
        await guess(door, number, username="nobody")
    assert await wait_of(door, username="nobody") == 1


async def test_guesses_elsewhere_do_not_slow_down_the_user(door: Authenticator):
    for number in range(FREE_TRIES):
        await guess(door, number, THERE)
    assert await door.check(Credentials("ada", "secret"), ADA, HERE) is ADA


async def test_a_password_that_was_right_is_never_slowed_down(door: Authenticator, clock: Clock):
    """Not by guesses from the very same address either: what was verified before is no guess."""
    await door.check(Credentials("ada", "secret"), ADA, HERE)
    for number in range(FREE_TRIES):
        await guess(door, number)
    for later_s in (0, 59, 3600):
        clock.now += later_s
        assert await door.check(Credentials("ada", "secret"), ADA, HERE) is ADA


async def test_it_is_slowed_down_again_once_the_password_is_another(door: Authenticator):
    await door.check(Credentials("ada", "secret"), ADA, HERE)
    for number in range(FREE_TRIES):
        await guess(door, number)
    changed = Account("ada", "hash of new", ())
    with pytest.raises(TooManyTries):
        await door.check(Credentials("ada", "secret"), changed, HERE)


async def test_the_wait_ends_and_the_right_password_forgets_the_failures(door: Authenticator, clock: Clock):
    for number in range(FREE_TRIES):
        await guess(door, number)
    clock.now += await wait_of(door, "secret")
    await door.check(Credentials("ada", "secret"), ADA, HERE)
    for number in range(FREE_TRIES):
        await guess(door, 100 + number)


async def test_one_address_that_tries_many_names_is_slowed_down_and_its_known_users_are_not(door: Authenticator):
    await door.check(Credentials("ada", "secret"), ADA, HERE)
    for number in range(30):
        await guess(door, 0, username=f"user {number}")
    assert await wait_of(door, "guess 0", username="one more") > 0
    changed = Account("ada", "hash of new", ())
    assert await door.check(Credentials("ada", "new"), changed, HERE) is changed


async def test_many_addresses_that_try_one_name_are_slowed_down_a_little(door: Authenticator, clock: Clock):
    await door.check(Credentials("ada", "secret"), ADA, HERE)
    for number in range(60):
        await guess(door, number, f"203.0.113.{number}")
    assert 0 < await wait_of(door, address="203.0.113.200") <= USER_LONGEST_S
    assert await door.check(Credentials("ada", "secret"), ADA, HERE) is ADA
    clock.now += USER_LONGEST_S
    assert await door.check(Credentials("ada", "secret"), ADA, THERE) is ADA


async def test_of_ipv6_one_customer_counts_as_one_address(door: Authenticator):
    for number in range(FREE_TRIES):
        await guess(door, number, f"2001:db8::{number}")
    assert await wait_of(door, address="2001:db8::ffff:1") == 1


async def test_tries_sent_all_at_once_gain_nothing(door: Authenticator, passwords: Held):
    tries = [door.check(Credentials("ada", f"guess {number}"), ADA, HERE) for number in range(50)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert passwords.verified == FREE_TRIES
    assert sum(isinstance(each, TooManyTries) for each in outcomes) == 45


async def test_the_same_password_shown_many_times_at_once_is_verified_once(door: Authenticator, passwords: Held):
    found = await asyncio.gather(*(door.check(Credentials("ada", "secret"), ADA, HERE) for _ in range(200)))
    assert found == [ADA] * 200
    assert passwords.verified == 1


async def test_a_flood_from_everywhere_does_not_queue_without_bound(door: Authenticator, passwords: Held):
    passwords.sign.clear()
    tries = [
        asyncio.create_task(door.check(Credentials(f"u{number}", "x"), None, f"10.0.{number // 250}.{number % 250}"))
        for number in range(1000)
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    refused = [each for each in tries if each.done()]
    assert len(tries) - len(refused) == MOST_AT_ONCE
    assert all(isinstance(each.exception(), TooManyTries) and each.exception().wait_s == 1 for each in refused)
    passwords.sign.set()
    await asyncio.gather(*tries, return_exceptions=True)
    assert passwords.verified == MOST_AT_ONCE
    assert await door.check(Credentials("ada", "secret"), ADA, HERE) is ADA


async def test_a_flood_from_one_address_leaves_room_for_others(door: Authenticator, passwords: Held):
    passwords.sign.clear()
    flood = [asyncio.create_task(door.check(Credentials(f"u{number}", "x"), None, THERE)) for number in range(100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sum(not each.done() for each in flood) == MOST_OF_AN_ADDRESS
    honest = asyncio.create_task(door.check(Credentials("ada", "secret"), ADA, HERE))
    await asyncio.sleep(0)
    passwords.sign.set()
    assert await honest is ADA
    await asyncio.gather(*flood, return_exceptions=True)


async def test_who_came_in_before_gets_through_a_flood(door: Authenticator, passwords: Held, clock: Clock):
    await door.check(Credentials("ada", "secret"), ADA, HERE)
    clock.now += 61
    passwords.sign.clear()
    flood = [
        asyncio.create_task(door.check(Credentials(f"u{number}", "x"), None, f"10.0.0.{number}"))
        for number in range(200)
    ]
    await asyncio.sleep(0)
    honest = asyncio.create_task(door.check(Credentials("ada", "secret"), ADA, HERE))
    await asyncio.sleep(0)
    passwords.sign.set()
    assert await honest is ADA
    await asyncio.gather(*flood, return_exceptions=True)


async def test_who_gives_up_waiting_takes_nothing_from_the_others(door: Authenticator, passwords: Held):
    passwords.sign.clear()
    first, second = (asyncio.create_task(door.check(Credentials("ada", "secret"), ADA, HERE)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    passwords.sign.set()
    assert await second is ADA
    for number in range(FREE_TRIES):
        await guess(door, number, username="bob")


async def test_a_user_without_a_password_of_ours_costs_the_same_and_cannot_come_in(
    door: Authenticator, passwords: Held
):
    external = Account("ada", "", ())
    for shown in ("", "x"):
        with pytest.raises(Unauthenticated):
            await door.check(Credentials("ada", shown), external, HERE)
    assert passwords.verified == 2


def test_what_is_remembered_of_failures_is_bounded(monkeypatch: pytest.MonkeyPatch, clock: Clock):
    monkeypatch.setattr("casebridge.security.throttle.MOST_KEPT", 3)
    throttle = Throttle(clock, free=1)
    for who in "abcd":
        throttle.failed(who)
    assert [throttle.wait_s(who) > 0 for who in "abcd"] == [False, True, True, True]


def test_old_failures_are_forgotten(clock: Clock):
    throttle = Throttle(clock)
    for _ in range(FREE_TRIES - 1):
        throttle.failed("ada")
    clock.now += LONGEST_S + 1
    throttle.failed("ada")
    assert throttle.wait_s("ada") == 0


def test_a_keeper_forgets_who_left(clock: Clock):
    keeper = Doorkeeper(clock)
    for number in range(1000):
        keeper.enter(f"u{number}", HERE if number % 2 else THERE)
        keeper.leave(f"u{number}", HERE if number % 2 else THERE, came_in=None)
    assert not keeper._trying
    assert not keeper._waiting


def test_an_allowance_is_for_each_address_and_minute(clock: Clock):
    allowance = Allowance(2, clock)
    assert [allowance.take(HERE) for _ in range(3)] == [True, True, False]
    assert allowance.take(THERE)
    clock.now += 60
    assert allowance.take(HERE)
