"""Browser sessions: signing in and out, and whose session a token is."""

from __future__ import annotations

import msgspec

from casebridge.domain.errors import NotFound, Unauthenticated
from casebridge.domain.session import AGENT_LENGTH, TOUCH_EVERY_S, Session
from casebridge.domain.space import DEFAULT_SPACE_ID
from casebridge.domain.user import Account, Actor
from casebridge.security.authentication import Authenticator, Credentials
from casebridge.security.sessions import digest, new_token, stamp
from casebridge.services.activation import activate
from casebridge.services.attempts import note_failed_sign_in
from casebridge.services.ground import Ground
from casebridge.storage import accounts, audit, sessions
from casebridge.storage import sign_in as sign_in_reads
from casebridge.storage.session import Write


async def sign_in(
    ground: Ground, door: Authenticator, credentials: Credentials, *, agent: str, address: str | None, old: str | None
) -> str:
    """The token of a new session; Unauthenticated unless the credentials are right. `old`, if any, ends with it.

    TooManyTries when this address must not try now.
    """
    stored = await accounts.get(ground.database, credentials.username)
    try:
        account = await door.check(credentials, None if stored is None else stored.account, address)
    except Unauthenticated:
        await note_failed_sign_in(ground, credentials, address=address, request_id=None)
        raise
    return await open_session(ground, account, agent=agent, address=address, old=old)


async def open_session(ground: Ground, account: Account, *, agent: str, address: str | None, old: str | None) -> str:
    """The token of a new session of somebody who has just proved who it is; `old`, if any, ends with it."""
    profile = await activate(ground, account)
    now, token = ground.now(), new_token()
    session = Session(
        username=account.username,
        stamp=stamp(account.password_hash),
        created_at=now,
        seen_at=now,
        agent=agent[:AGENT_LENGTH],
        address=address,
        profile_uid=profile.uid,
    )
    writes = [*sessions.purge_writes(account.username, ground.sessions, now)]
    if old is not None:
        writes.append(sessions.delete_write(digest(old)))
    await ground.database.commit(writes)
    actor = Actor(account.user, account.roles, address=address)
    await ground.database.commit(
        [sessions.insert_write(digest(token), session), _event(ground, actor, "session_create", account.username)]
    )
    return token


async def check(ground: Ground, token: str, found: sign_in_reads.Found) -> tuple[Session, Account]:
    """The session that was found for this token and its account; Unauthenticated unless it still holds."""
    account = found.account
    if found.session is None or account is None or not account.enabled:
        raise Unauthenticated
    session = sessions.from_doc(found.session)
    now = ground.now()
    if session.stamp != stamp(account.password_hash) or ground.sessions.is_over(session, now):
        raise Unauthenticated
    if (now - session.seen_at).total_seconds() >= TOUCH_EVERY_S:
        session = msgspec.structs.replace(session, seen_at=now)
        await ground.database.commit([sessions.touch_write(digest(token), session)])
    return session, account


async def sign_out(ground: Ground, actor: Actor, token: str) -> None:
    """End this session."""
    username = actor.user.username or ""
    await ground.database.commit(
        [sessions.delete_write(digest(token)), _event(ground, actor, "session_delete", username)]
    )


async def sign_out_everywhere(ground: Ground, actor: Actor, *, but: str | None = None) -> None:
    """End all sessions of the caller, except the one with the token `but`."""
    username = actor.user.username or ""
    kept = () if but is None else (digest(but),)
    await ground.database.commit(
        [sessions.delete_of_write(username, but=kept), _event(ground, actor, "session_delete", username)]
    )


async def list_own(ground: Ground, actor: Actor) -> list[tuple[str, Session]]:
    """The caller's sessions by the digest of their token, the one seen last first."""
    now = ground.now()
    found = await sessions.list_of(ground.database, actor.user.username or "")
    return [(id_, each) for id_, each in found if not ground.sessions.is_over(each, now)]


async def end(ground: Ground, actor: Actor, id_: str) -> None:
    """End one of the caller's sessions, named by the digest of its token."""
    if id_ not in {each for each, _ in await list_own(ground, actor)}:
        raise NotFound("session", id_)
    await ground.database.commit(
        [sessions.delete_write(id_), _event(ground, actor, "session_delete", actor.user.username or "")]
    )


async def renew(ground: Ground, actor: Actor, token: str) -> None:
    """Let this session go on after the caller's own password was changed; all others of the user have ended."""
    stored = await accounts.get(ground.database, actor.user.username or "")
    held = await sessions.get(ground.database, digest(token))
    if stored is None or held is None or held.username != stored.account.username:
        raise Unauthenticated
    fresh = msgspec.structs.replace(held, stamp=stamp(stored.account.password_hash))
    await ground.database.commit([sessions.touch_write(digest(token), fresh)])


def _event(ground: Ground, actor: Actor, action: str, username: str) -> Write:
    return audit.event_write(
        action, actor, DEFAULT_SPACE_ID, "session", [username], ground.now(), category="authentication"
    )
