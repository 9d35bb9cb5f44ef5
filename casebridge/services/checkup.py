"""A check-up of a store and what it reaches: each check gives findings, changes nothing, and never tells a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, timedelta
from typing import Literal

import msgspec

from casebridge.connectors.alert_store import AlertStore
from casebridge.domain.errors import CasebridgeError, StorageUnavailable
from casebridge.domain.space import DEFAULT_SPACE, Space
from casebridge.domain.user import SUPERUSER, Account, Actor, User
from casebridge.security.authentication import Passwords
from casebridge.security.vault import VaultError
from casebridge.services import connector_care
from casebridge.services.connectors import about
from casebridge.services.ground import Asking, Ground
from casebridge.storage import accounts, audit, connectors, spaces

Level = Literal["ok", "warning", "problem"]

GUESSES = ("changeme", "password", "casebridge", "elastic", "kibana", "admin", "123456", "12345678", "secret")
MOST_SUPERUSERS = 20
MOST_CONNECTORS = 200
AT_ONCE = 8
CLOCK_SLACK = timedelta(seconds=5)
_NOBODY = "casebridge-doctor"


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, what was found, and what to do about it, if anything."""

    topic: str
    level: Level
    text: str
    advice: str | None = None


async def examine(ground: Ground, *, reach_out: bool, patience_s: float) -> list[Finding]:
    """All findings, in a fixed order; without `reach_out` nothing outside of the store is called."""
    found = [*await clock(ground), *await secrets(ground), *await administrators(ground)]
    if reach_out:
        found += [*await files(ground, patience_s), *await reach_connectors(ground, patience_s)]
        found += await reach_sinks(ground, patience_s)
    return found


async def clock(ground: Ground) -> list[Finding]:
    """Whether this machine's clock agrees with the database's and with what was written last."""
    now = ground.now()
    advice = "Keep the clocks right with NTP: leases, sessions and times of cases depend on them."
    if ground.database.dialect == "postgresql":
        [(there,)] = await ground.database.read("SELECT clock_timestamp()")
        apart = abs(there - now)
        if apart > CLOCK_SLACK:
            text = f"The clocks of this machine and of PostgreSQL are {apart.total_seconds():.0f} s apart."
            return [Finding("clock", "problem", text, advice)]
    newest = await audit.newest(ground.database)
    if newest is not None and newest > now + CLOCK_SLACK:
        text = f"The newest change was made at {newest:%Y-%m-%d %H:%M:%S} UTC, but now it is {now:%Y-%m-%d %H:%M:%S}."
        return [Finding("clock", "problem", text, advice)]
    return [Finding("clock", "ok", f"It is {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC.")]


async def secrets(ground: Ground) -> list[Finding]:
    """Whether the keys open every sealed secret."""
    sealed = await connectors.list_sealed(ground.database)
    unopened = []
    for space, id_, envelope in sealed:
        named = about(space, id_)
        try:
            ground.vault.open(envelope, named)
        except VaultError:
            unopened.append(named)
    if unopened:
        text = f"The keys do not open the secrets of {len(unopened)} connectors: {', '.join(unopened[:5])}."
        return [Finding("secrets", "problem", text, "Restore the key file, or set these secrets again.")]
    return [Finding("secrets", "ok", f"The keys open the secrets of all {len(sealed)} connectors that have any.")]


async def administrators(ground: Ground) -> list[Finding]:
    """Whether somebody can manage this server, and nobody does with a password that everybody tries first."""
    supers = [each for each in await accounts.list_all(ground.database) if each.enabled and each.is_superuser]
    if not supers:
        advice = f"Enable a user with the role {SUPERUSER}, or make one with casebridge user add."
        return [Finding("passwords", "problem", "No enabled user may manage this server.", advice)]
    weak = [each.username for each in supers[:MOST_SUPERUSERS] if await _is_guessed(each)]
    if weak:
        text = f"The password of {', '.join(weak)} is one that everybody tries first."
        return [Finding("passwords", "problem", text, "Set another one at once: casebridge user password.")]
    return [Finding("passwords", "ok", f"{len(supers)} users may manage this server, none with an obvious password.")]


async def _is_guessed(account: Account) -> bool:
    passwords, name = Passwords(), account.username
    for guess in (*GUESSES, name, f"{name}123", f"{name}{name}"):
        if await passwords.verify(guess, account.password_hash):
            return True
    return False


async def files(ground: Ground, patience_s: float) -> list[Finding]:
    """Whether the place of files can be used."""
    assert ground.blobs is not None
    try:
        async with asyncio.timeout(patience_s):
            await ground.blobs.check()
    except StorageUnavailable as error:
        return [Finding("files", "problem", str(error), "Until then cases work, but their files do not.")]
    except TimeoutError:
        return [Finding("files", "problem", f"The place of files did not answer within {patience_s:g} s.")]
    return [Finding("files", "ok", "The place of files can be used.")]


async def reach_connectors(ground: Ground, patience_s: float) -> list[Finding]:
    """Whether each connector, of every space and of the settings, reaches its system with its credentials."""
    actor = Actor(User(_NOBODY, None, None), (SUPERUSER,))
    wanted = [(DEFAULT_SPACE, id_) for id_ in ground.preconfigured]
    for space in await spaces.list_all(ground.database):
        stored = await connectors.list_all(ground.database, space.id, MOST_CONNECTORS)
        wanted += [(space, each.id) for each in stored]
    tried = wanted[:MOST_CONNECTORS]
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(space: Space, id_: str) -> Finding:
        topic = f"connector {id_}" if space.id == DEFAULT_SPACE.id else f"connector {space.id}/{id_}"
        async with turn:
            return await _patiently(topic, _try(ground, Asking(actor, space), topic, id_), patience_s)

    found = list(await asyncio.gather(*(one(space, id_) for space, id_ in tried)))
    if len(wanted) > len(tried):
        found.append(Finding("connectors", "warning", f"Only the first {len(tried)} of {len(wanted)} were tried."))
    return found


async def _try(ground: Ground, asking: Asking, topic: str, id_: str) -> Finding:
    trial = await connector_care.try_out(ground, asking, id_)
    if trial.ok:
        return Finding(topic, "ok", f"{trial.detail} ({trial.latency_ms} ms)")
    return Finding(topic, "warning", trial.detail, "Pushes through it wait or fail; look at its address and secrets.")


async def reach_sinks(ground: Ground, patience_s: float) -> list[Finding]:
    """Whether each store of alerts answers and lets us in."""

    async def one(space: str) -> Finding:
        sink = ground.alert_sinks[space]

        async def ask() -> Finding:
            await AlertStore(sink, ground.outbound).find(sink.indices[0], [_NOBODY])
            return Finding(f"alert sink {space}", "ok", "It answers and lets us read.")

        return await _patiently(f"alert sink {space}", ask(), patience_s)

    return list(await asyncio.gather(*map(one, sorted(ground.alert_sinks))))


async def _patiently(topic: str, asked: Awaitable[Finding], patience_s: float) -> Finding:
    """What was found, or that it was not to be had."""
    try:
        async with asyncio.timeout(patience_s):
            return await asked
    except TimeoutError:
        return Finding(topic, "warning", f"No answer within {patience_s:g} s.", "Is it up, and is it let through?")
    except CasebridgeError as error:
        return Finding(topic, "warning", str(error), "Look at its address, credentials and TLS settings.")
