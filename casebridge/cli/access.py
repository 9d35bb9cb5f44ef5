"""`casebridge user|role|space|apikey`: who may do what, in the local store, also while a server runs on it.

A running server knows of it from its next request on. Passwords come from a prompt or from standard input, never from
the command line, and nothing prints one.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import App, Parameter

from casebridge.cli.options import StoreOptions, read
from casebridge.domain.errors import InvalidInput

if TYPE_CHECKING:
    from casebridge.services.ground import Asking, Ground

Roles = Annotated[list[str] | None, Parameter(name="--role", help="A role of the user; repeat it for several.")]
Work = Callable[["Ground", "Asking"], Awaitable[Any]]


def _run(options: object | None, work: Work) -> Any:
    """What the work gives, done in the name of who runs the command."""
    from casebridge.app import ground_beside, start_logs
    from casebridge.domain.space import DEFAULT_SPACE
    from casebridge.domain.user import SUPERUSER, Actor, User
    from casebridge.services.ground import Asking

    loaded = read(options)
    start_logs(loaded)
    asking = Asking(Actor(User("casebridge command", None, None), (SUPERUSER,)), DEFAULT_SPACE)

    async def run() -> Any:
        async with ground_beside(loaded.settings) as ground:
            return await work(ground, asking)

    return asyncio.run(run())


def _new_password(username: str, options: object | None) -> str:
    """Asked for twice at a terminal, else the first line of standard input.

    What a person chooses here must be hard to guess; scripts over HTTP may choose otherwise.
    """
    from casebridge.security.passwords import check_new_password

    if sys.stdin.isatty():
        password = getpass.getpass("New password: ")
        if getpass.getpass("The same again: ") != password:
            raise InvalidInput("password", "the two differ; nothing was changed.")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    check_new_password(password, least=read(options).settings.password_min_length, username=username)
    return password


def _table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


# Users


def user_add(
    username: str,
    *,
    role: Roles = None,
    full_name: Annotated[str | None, Parameter(help="What the user is called.")] = None,
    email: Annotated[str | None, Parameter(help="Mail address.")] = None,
    options: StoreOptions = None,
) -> int:
    """Make a user. The password is asked for, or is the first line of standard input."""
    from casebridge.security.authentication import Passwords
    from casebridge.services import users

    wanted = users.WantedUser(
        username=username,
        roles=tuple(role or ()),
        password=_new_password(username, options),
        full_name=full_name,
        email=email,
    )
    _run(options, lambda ground, asking: users.put(ground, asking, wanted, Passwords(), create_only=True))
    print(f"The user {username} was made.")
    return 0


def user_list(*, options: StoreOptions = None) -> int:
    """Show every user with roles and whether the user may come in."""
    from casebridge.services import users

    found = _run(options, users.list_all)
    rows = [(each.username, "enabled" if each.enabled else "disabled", ", ".join(each.roles)) for each in found]
    _table([("user", "state", "roles"), *rows])
    return 0


def user_roles(username: str, *, role: Roles = None, options: StoreOptions = None) -> int:
    """Give a user these roles in place of the present ones; without any, all are taken."""
    from casebridge.security.authentication import Passwords
    from casebridge.services import users

    async def change(ground: Ground, asking: Asking) -> None:
        [present] = await users.get_many(ground, asking, [username])
        wanted = users.WantedUser(
            username=username,
            roles=tuple(role or ()),
            full_name=present.full_name,
            email=present.email,
            enabled=present.enabled,
            metadata=present.metadata,
        )
        await users.put(ground, asking, wanted, Passwords(), update_only=True)

    _run(options, change)
    print(f"{username} has {', '.join(role) if role else 'no roles'}.")
    return 0


def user_password(username: str, *, options: StoreOptions = None) -> int:
    """Set a user's password, which is asked for or is the first line of standard input."""
    from casebridge.security.authentication import Authenticator
    from casebridge.services import users

    password = _new_password(username, options)
    _run(options, lambda ground, asking: users.set_password(ground, asking, username, password, None, Authenticator()))
    print(f"The password of {username} was set.")
    return 0


def user_enable(username: str, *, options: StoreOptions = None) -> int:
    """Let a user in again."""
    from casebridge.services import users

    _run(options, lambda ground, asking: users.set_enabled(ground, asking, username, enabled=True))
    print(f"{username} is enabled.")
    return 0


def user_disable(username: str, *, options: StoreOptions = None) -> int:
    """Keep a user out, with sessions and keys."""
    from casebridge.services import users

    _run(options, lambda ground, asking: users.set_enabled(ground, asking, username, enabled=False))
    print(f"{username} is disabled.")
    return 0


def user_delete(username: str, *, options: StoreOptions = None) -> int:
    """Remove a user together with the user's keys."""
    from casebridge.services import users

    _run(options, lambda ground, asking: users.delete(ground, asking, username))
    print(f"The user {username} was deleted.")
    return 0


# Roles


def role_put(
    name: str,
    file: Annotated[
        Path | None, Parameter(help="A file of JSON as PUT /api/security/role takes it; without it, standard input.")
    ] = None,
    *,
    options: StoreOptions = None,
) -> int:
    """Make or replace a role."""
    from casebridge.services import roles
    from casebridge.wire.roles import PutRole

    text = sys.stdin.buffer.read() if file is None else file.read_bytes()
    try:
        role = msgspec.json.decode(text, type=PutRole).to_domain(name)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(str(file or "standard input"), f"this is no role: {error}.") from None
    _run(options, lambda ground, asking: roles.put(ground, asking, role))
    print(f"The role {name} was stored.")
    return 0


def role_list(*, options: StoreOptions = None) -> int:
    """Show every role as JSON, one a line."""
    from casebridge.services import roles
    from casebridge.wire.roles import RoleShape

    for role in _run(options, roles.list_all):
        print(msgspec.json.encode(RoleShape.of(role)).decode())
    return 0


def role_delete(name: str, *, options: StoreOptions = None) -> int:
    """Remove a role."""
    from casebridge.services import roles

    _run(options, lambda ground, asking: roles.delete(ground, asking, name))
    print(f"The role {name} was deleted.")
    return 0


# Spaces


def space_add(
    id_: str,
    name: Annotated[str | None, Parameter(help="What the space is called; its id if not given.")] = None,
    *,
    options: StoreOptions = None,
) -> int:
    """Make a space."""
    from casebridge.domain.space import Space
    from casebridge.services import spaces

    _run(options, lambda ground, asking: spaces.create(ground, asking, Space(id_, name or id_)))
    print(f"The space {id_} was made.")
    return 0


def space_list(*, options: StoreOptions = None) -> int:
    """Show every space."""
    from casebridge.services import spaces

    rows = [(space.id, space.name) for space in _run(options, spaces.list_usable)]
    _table([("space", "name"), *rows])
    return 0


def space_delete(
    id_: str,
    *,
    yes: Annotated[bool, Parameter(help="Really: everything in the space is deleted too.", negative="")] = False,
    options: StoreOptions = None,
) -> int:
    """Delete a space and everything in it."""
    from casebridge.services import spaces

    if not yes:
        raise InvalidInput("--yes", f"is required: everything in the space {id_} would be deleted.")
    _run(options, lambda ground, asking: spaces.delete(ground, asking, id_))
    print(f"The space {id_} was deleted.")
    return 0


# API keys


def apikey_add(
    username: str,
    name: str,
    *,
    expires: Annotated[str | None, Parameter(help="When it ends, such as 30d; without it, never.")] = None,
    descriptors: Annotated[
        Path | None, Parameter(help="A file of role descriptors, as JSON, that the key is narrowed to.")
    ] = None,
    options: StoreOptions = None,
) -> int:
    """Make a key of a user, and print it this once: what belongs after `Authorization: ApiKey`."""
    from casebridge.domain.api_key import read_duration
    from casebridge.services import api_keys
    from casebridge.wire.api_keys import CreatedKey, RoleDescriptor

    narrowed: dict[str, Any] = {}
    if descriptors is not None:
        try:
            given = msgspec.json.decode(descriptors.read_bytes(), type=dict[str, RoleDescriptor])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(str(descriptors), f"these are no role descriptors: {error}.") from None
        narrowed = msgspec.to_builtins(given)
    wanted = api_keys.WantedKey(
        name=name,
        expires_in=None if expires is None else read_duration(expires, "--expires"),
        role_descriptors=narrowed,
    )
    made = _run(options, lambda ground, asking: api_keys.create(ground, asking, wanted, username=username))
    print(CreatedKey.of(made.key, made.secret).encoded)
    return 0


def apikey_list(
    *,
    user: Annotated[str | None, Parameter(help="Only this user's.")] = None,
    options: StoreOptions = None,
) -> int:
    """Show keys, as JSON, one a line, without what is secret."""
    from casebridge.services import api_keys
    from casebridge.wire.api_keys import KeyShape

    for key in _run(options, lambda ground, asking: api_keys.find(ground, asking, api_keys.Selection(username=user))):
        print(json.dumps(msgspec.to_builtins(KeyShape.of(key))))
    return 0


def apikey_end(id_: str, *, options: StoreOptions = None) -> int:
    """End a key at once."""
    from casebridge.domain.errors import NotFound
    from casebridge.services import api_keys

    wanted = api_keys.Selection(ids=[id_])
    done = _run(options, lambda ground, asking: api_keys.invalidate(ground, asking, wanted))
    if not done.now and not done.before:
        raise NotFound("api_key", id_)
    print(f"The key {id_} has ended.")
    return 0


def apps() -> list[App]:
    """The four groups of commands."""
    groups: dict[str, tuple[str, dict[str, Callable[..., int]]]] = {
        "user": ("Users of the local store.", {
            "add": user_add, "list": user_list, "roles": user_roles, "password": user_password,
            "enable": user_enable, "disable": user_disable, "delete": user_delete,
        }),
        "role": ("Roles of the local store.", {"put": role_put, "list": role_list, "delete": role_delete}),
        "space": ("Spaces of the local store.", {"add": space_add, "list": space_list, "delete": space_delete}),
        "apikey": ("API keys of the local store.", {"add": apikey_add, "list": apikey_list, "end": apikey_end}),
    }  # fmt: skip
    made = []
    for group, (told, commands) in groups.items():
        app = App(group, help=told)
        for name, command in commands.items():
            app.command(command, name=name)
        made.append(app)
    return made
