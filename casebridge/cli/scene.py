"""`casebridge seed --scene soc`: a team with forty cases, played through the services as people would have done it.

Nothing is written past a rule: the clock is moved, and pushes go to simulated systems within this process, whose
records are kept in the data folder, so that `casebridge sandbox` can go on with them.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
from starlette.applications import Starlette

from casebridge.cli import scene_people, scene_texts
from casebridge.cli.scene_files import content_of
from casebridge.cli.scene_texts import CASES, Told
from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.attachment import ALERT, USER
from casebridge.domain.case import OPEN, Case, CaseChanges, NewCase
from casebridge.domain.connector import NO_CONNECTOR, CaseConnector
from casebridge.domain.custom_field import CustomFieldValue
from casebridge.domain.errors import Conflict, PushFailed
from casebridge.domain.role import Role, RoleEntry
from casebridge.domain.space import GENERAL, OBSERVABILITY, SECURITY, Space
from casebridge.domain.user import SUPERUSER, Actor, User
from casebridge.domain.version import version_text
from casebridge.sandbox import fleet
from casebridge.sandbox.in_process import InProcess
from casebridge.sandbox.jira import jira_app
from casebridge.sandbox.servicenow import servicenow_app
from casebridge.sandbox.webhook import webhook_app
from casebridge.security.authentication import Passwords
from casebridge.services import (
    activation,
    attachments,
    cases,
    configure,
    connectors,
    files,
    observables,
    push,
    push_take_up,
    roles,
    users,
)
from casebridge.services.ground import Asking, Ground
from casebridge.storage import accounts, configurations, outbox
from casebridge.storage import connectors as stored_connectors
from casebridge.web.case_parts import recognised

ANALYST = "soc-analyst"
_HOST = "127.0.0.1"
_NAMES = {"jira": "SOC Jira", "servicenow": "Service desk", "webhook": "Partner tickets"}
_SYSTEMS = tuple(each for each in fleet.MEMBERS if each.name in _NAMES)
_RULES = ("Suspicious process tree", "Unusual outbound traffic", "Sign-in from a new country", "Known bad address")


class Taken(Conflict):
    """The space holds something of a scene, or of its own, that playing it would mix with or replace."""


class _Clock:
    """The time of the scene; only the scene moves it."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


class Scene:
    """Plays the cases on a ground, which it gives another clock and a network of its own."""

    def __init__(self, ground: Ground, space: Space, folder: Path, seed: int) -> None:
        """`folder` is where the simulated systems keep their records."""
        self.until = ground.now()
        self._clock = _Clock(self.until - timedelta(days=CASES[0].age + 2))
        self._apps = _apps(folder, self._clock)
        allowed = AllowedHosts([_HOST])
        ports = {each.port: self._apps[each.name] for each in _SYSTEMS}
        self._outbound = Outbound(allowed, transport=InProcess(ports))
        self._ground = msgspec.structs.replace(
            ground, now=self._clock, outbound=self._outbound, allowed_hosts=allowed, enabled_connector_types=("*",),
            alert_sinks={}, public_base_url=ground.public_base_url or "http://127.0.0.1:5601",
        )  # fmt: skip
        self._space = space
        self._dice = Random(seed)
        self._chief = Asking(Actor(User("admin", None, None), (SUPERUSER,)), space)
        self._team: list[Asking] = []
        self._through: dict[str, CaseConnector] = {}

    async def play(self) -> str:
        """All of it; the password with which everybody of the team signs in. Taken when the space is not free."""
        await self._check()
        password = secrets.token_urlsafe(9)
        try:
            await self._set_up(password)
            for told in CASES:
                await self._case(told)
        finally:
            await self._outbound.close()
        return password

    async def _check(self) -> None:
        database, space = self._ground.database, self._space.id
        for name in _NAMES:
            if await stored_connectors.get(database, space, f"scene-{name}") is not None:
                raise Taken(f"The scene was played in the space {space} already; name another one with --space.")
        for owner in (SECURITY, OBSERVABILITY):
            if await configurations.of_owner(database, space, owner) is not None:
                raise Taken(
                    f"The space {space} has a configuration for {owner}, which the scene would replace; "
                    "name another one with --space."
                )

    # The team

    async def _set_up(self, password: str) -> None:
        role = Role(ANALYST, (RoleEntry(base=("all",), spaces=("*",)),), "Works on cases of all kinds.")
        with contextlib.suppress(Conflict):
            await roles.put(self._ground, self._chief, role, create_only=True)
        passwords = Passwords()
        for username, name in scene_people.PEOPLE:
            wanted = users.WantedUser(
                username=username, roles=(ANALYST,), password=password, full_name=name,
                email=f"{username}@soc.example.org",
            )  # fmt: skip
            with contextlib.suppress(Conflict):
                await users.put(self._ground, self._chief, wanted, passwords, create_only=True)
            stored = await accounts.get(self._ground.database, username)
            assert stored is not None
            profile = await activation.activate(self._ground, stored.account)
            user = msgspec.structs.replace(stored.account.user, profile_uid=profile.uid)
            # The scene may do everything; what the role grants is for those who sign in.
            self._team.append(Asking(Actor(user, (SUPERUSER,)), self._space))
        for member in _SYSTEMS:
            made = next(iter(member.connectors(f"http://{_HOST}:{member.port}")))
            stored_connector = await connectors.create(
                self._ground, self._chief, name=_NAMES[member.name], type_id=made.connector_type_id,
                config=made.config, secrets=made.secrets, id_=f"scene-{member.name}",
            )  # fmt: skip
            self._through[member.name] = CaseConnector(
                stored_connector.id, stored_connector.name, stored_connector.type, _fields(member.name)
            )
        await configure.replace_configuration(
            self._ground, self._chief, owner=SECURITY, connector=self._through["jira"], closure_type="close-by-user",
            custom_fields=scene_people.FIELDS, templates=scene_people.TEMPLATES, observable_types=scene_people.KINDS,
        )  # fmt: skip
        await configure.replace_configuration(
            self._ground, self._chief, owner=OBSERVABILITY, connector=self._through["servicenow"],
            closure_type="close-by-pushing",
        )  # fmt: skip

    # One case

    async def _case(self, told: Told) -> None:
        by = self._team[told.by]
        self._clock.at = _whole_ms(self.until - timedelta(days=told.age))
        case = await cases.open_new(self._ground, by, self._new(told))
        steps = self._steps(told, case)
        # Worked on for some hours, but never beyond the present.
        pace = min(timedelta(hours=told.hours), (self.until - self._clock.at) * 0.96) / (len(steps) + 1)
        for step in steps:
            self._clock.at = _whole_ms(self._clock.at + pace * (0.7 + 0.5 * self._dice.random()))
            await step()

    def _new(self, told: Told) -> NewCase:
        values: tuple[CustomFieldValue, ...] | None = None
        if told.owner == SECURITY:
            asset = CustomFieldValue("affected-asset", "text", told.asset or None)
            values = (asset, CustomFieldValue("hosts", "number", max(1, told.alerts // 2)))
            values += (CustomFieldValue("notifiable", "toggle", told.category == "Data loss"),)
        return NewCase(
            owner=told.owner, title=told.title, description=told.text, tags=tuple(told.tags),
            connector=self._connector(told), severity=told.severity, category=told.category, custom_fields=values,
        )  # fmt: skip

    def _connector(self, told: Told) -> CaseConnector:
        if told.push == scene_texts.UNCERTAIN:
            return self._through["webhook"]
        if told.owner == GENERAL:
            return NO_CONNECTOR
        return self._through["servicenow" if told.owner == OBSERVABILITY else "jira"]

    def _steps(self, told: Told, case: Case) -> list[Callable[[], Awaitable[None]]]:
        """What happens to a case, in order."""
        id_, said = case.id, list(told.said)
        uids = tuple(self._team[place].actor.user.profile_uid or "" for place in told.on)
        on = [self._team[place] for place in told.on] or [self._team[told.by]]
        steps: list[Callable[[], Awaitable[None]]] = []
        if told.alerts or told.seen:
            steps.append(lambda: self._evidence(told, id_))
        if uids:
            steps.append(lambda: self._change(on[0], id_, CaseChanges(assignees=uids)))
        # What was pushed falls out of step by the last comment, if it shall.
        last = [said.pop()] if told.push == scene_texts.STALE and len(said) > 1 else []
        for number, text in enumerate(said):
            who = on[number % len(on)] if number % 3 else self._team[(told.by + number) % len(self._team)]
            steps.append(lambda who=who, text=text: self._comment(who, id_, told.owner, text))  # type: ignore[misc]
            if number == 0 and told.status != OPEN:
                steps.append(lambda: self._change(on[0], id_, CaseChanges(status="in-progress")))
        if told.files:
            steps.append(lambda: self._attach(on[0], case, told))
        if told.push:
            steps.append(lambda: self._push(on[0], id_, told))
        for text in last:
            steps.append(lambda text=text: self._comment(on[-1], id_, told.owner, text))  # type: ignore[misc]
        if told.status == "closed":
            steps.append(lambda: self._change(on[0], id_, CaseChanges(status="closed")))
        return steps

    async def _evidence(self, told: Told, id_: str) -> None:
        by = self._team[told.by]
        if told.alerts:
            rule = self._dice.choice(_RULES)
            payload = {
                "type": ALERT, "owner": told.owner, "alertId": [self._ground.new_id() for _ in range(told.alerts)],
                "index": [".alerts-security.alerts-default"] * told.alerts,
                "rule": {"id": self._ground.new_id(), "name": rule},
            }  # fmt: skip
            await attachments.add(self._ground, by, id_, payload)
        for type_key, value in recognised(told.seen):
            note = "Seen in the first alert" if told.alerts else None
            await observables.add(self._ground, by, id_, type_key=type_key, value=value, description=note)

    async def _comment(self, who: Asking, id_: str, owner: str, text: str) -> None:
        await attachments.add(self._ground, who, id_, {"type": USER, "owner": owner, "comment": text})

    async def _attach(self, who: Asking, case: Case, told: Told) -> None:
        for name in told.files:
            upload = files.Upload(name, _pieces(content_of(name, self._dice)), lambda: None)
            await files.attach(self._ground, who, case.id, upload)

    async def _change(self, who: Asking, id_: str, changes: CaseChanges) -> None:
        case = await cases.get(self._ground, who, id_)
        if changes.status == case.status:
            return  # the push has closed it
        await cases.change(self._ground, who, [cases.WantedChange(id_, version_text(case.version), changes)])

    async def _push(self, who: Asking, id_: str, told: Told) -> None:
        connector = self._connector(told).id
        system = self._apps[connector.removeprefix("scene-")].state.sandbox
        fault = {scene_texts.FAILED: "create=status:403", scene_texts.UNCERTAIN: "create=drop-after",
                 scene_texts.WAITING: "create=rate-limit:172800"}.get(told.push)  # fmt: skip
        if fault is not None:
            system.faults.add(fault)
        if told.push == scene_texts.WAITING:
            await push.queue(self._ground, who, id_, connector)
            for delivery in await outbox.due(self._ground.database, self._clock(), 50):
                if delivery.case_id == id_:
                    await push_take_up.take_up(self._ground, delivery)
        else:
            with contextlib.suppress(PushFailed):
                await push.push(self._ground, who, id_, connector)
        system.faults.clear()


def _apps(folder: Path, clock: _Clock) -> dict[str, Starlette]:
    def kept(name: str) -> Path:
        return folder / f"sandbox-{name}.json"

    return {
        "jira": jira_app(state_file=kept("jira"), now=clock),
        "servicenow": servicenow_app(state_file=kept("servicenow"), now=clock),
        "webhook": webhook_app(state_file=kept("webhook"), honours_keys=False, now=clock),
    }


def _fields(name: str) -> dict[str, object] | None:
    """What cases of the scene send along, as the simulated systems know it."""
    if name == "jira":
        return {"issueType": "10002", "priority": "High", "parent": None}
    return None


def _whole_ms(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content
