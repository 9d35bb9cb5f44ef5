"""What a connector type is: declared keys, single calls that a push drives one at a time, and sub-actions.

A type reads its system's answers and nothing else does: whatever goes wrong leaves here as a ConnectorError that says
whether waiting helps and whether a write may have been done. It knows no case, no store and no clock of a push.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

import msgspec

from casebridge.connectors.calls import Caller
from casebridge.connectors.fields import BadValue, BoolField, Field, ObjectField, fill
from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.errors import ConnectorError, InvalidInput

PUSH = "pushToService"
LEGACY_CONFIG = (
    ObjectField("incidentConfiguration", required=False, nullable=True),
    BoolField("isCaseOwned", required=False, nullable=True),
)
"""Keys of `config` that clients of 7.10 may send: stored and returned, without effect (dialect-7.10.md 9)."""

Params = TypeVar("Params", bound=msgspec.Struct)


class InvalidParams(InvalidInput):
    """The params of a direct run cannot be used."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.args = (f"The params are invalid: {field}: {reason}",)


class BadIncident(ValueError):
    """The fields of an incident break a rule of their type."""


class CommentGone(ConnectorError):
    """The comment to be edited is not there any more: it has to be added again."""


@dataclass(frozen=True)
class Record:
    """An external record as it is now; `raw` is the system's own answer."""

    external_id: str
    title: str
    url: str
    raw: Mapping[str, Any]
    changed_at: datetime | None = None


@dataclass(frozen=True)
class ExternalComment:
    """A comment as it stands over there; some systems give it no id."""

    external_id: str | None
    text: str


@dataclass(frozen=True)
class SubAction:
    """What `_execute` may ask for: the shape of its params and the method that does it."""

    params: type[msgspec.Struct]
    run: Callable[[Any, Any], Awaitable[Any]]


class NoParams(msgspec.Struct, forbid_unknown_fields=True):
    """Params of a sub-action that takes none."""


class AnyParams(msgspec.Struct):
    """Params that are not looked at."""


class DirectComment(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A comment of a direct `pushToService`."""

    comment: str
    comment_id: str


class DirectPush(msgspec.Struct, forbid_unknown_fields=True):
    """The params of a direct `pushToService` (contract connectors.md 6.1)."""

    incident: dict[str, Any]
    comments: list[DirectComment] | None = None


class ConnectorType(Caller, ABC):
    """An external system. The class says what its connectors hold; an instance is one connector at work.

    `incident` is the shape of what is sent, without `externalId`, spelled as in connectors.md 6.1; it refuses unknown
    keys, and breaks of its rules by ValueError in `__post_init__`. `settings` are the keys of extensions.md 1.1.
    `marks` are fields that `prepare` adds to a create, the same in every repeat: by them a lost one is found again.
    """

    type_id: ClassVar[str]
    minimum_license_required: ClassVar[str]
    supported_feature_ids: ClassVar[tuple[str, ...]]
    config: ClassVar[tuple[Field, ...]] = ()
    secrets: ClassVar[tuple[Field, ...]] = ()
    settings: ClassVar[tuple[Field, ...]] = ()
    incident: ClassVar[type[msgspec.Struct]]
    sub_actions: ClassVar[Mapping[str, SubAction]] = {}
    can_find_incidents: bool = False
    can_list_comments: bool = False
    can_edit_comments: bool = False
    takes_comments: bool = True
    marks: ClassVar[tuple[str, ...]] = ()
    idempotency_key: str | None = None
    """Set before each create and comment, for systems that take such a key: a repeat is made with the same one."""

    def __init__(
        self,
        config: Mapping[str, Any],
        secrets: Mapping[str, Any],
        http: Outbound,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """`config` and `secrets` as `validate` gave them; `settings` as `check_settings` did."""
        super().__init__(secrets, http)
        self._config = dict(config)
        self._secrets = dict(secrets)
        self._settings = self.check_settings(settings or {})
        if self._settings.get("edited_comments") == "append":
            self.can_edit_comments = False

    def __repr__(self) -> str:
        return f"<{self.label} connector>"

    # What may be saved

    @classmethod
    def validate(
        cls, config: Mapping[str, Any], secrets: Mapping[str, Any], allowed: AllowedHosts, *, legacy: bool = False
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Config and secrets with defaults filled in. InvalidInput names part and key, never a secret's value.

        `legacy`: config may also hold the two old keys. Config is checked first, then secrets, then both together.
        """
        fields = (*cls.config, *LEGACY_CONFIG) if legacy else cls.config
        config = _part("config", config, fields, allowed, cls.check_config)
        secrets = _part("secrets", secrets, cls.secrets, allowed, cls.check_secrets)
        try:
            cls.check_together(config, secrets)
        except BadValue as fault:
            raise InvalidInput(fault.path, f"the action type connector is not valid: {fault.reason}") from None
        return config, secrets

    @classmethod  # hooks, empty for most types
    def check_config(cls, config: Mapping[str, Any]) -> None:
        """Rules between the keys of config, defaults filled in. Raises BadValue."""

    @classmethod
    def check_secrets(cls, secrets: Mapping[str, Any]) -> None:
        """Rules between the keys of secrets, defaults filled in. Raises BadValue."""

    @classmethod
    def check_together(cls, config: Mapping[str, Any], secrets: Mapping[str, Any]) -> None:
        """Rules that need config and secrets at once. Raises BadValue."""

    @classmethod
    def check_settings(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Settings with defaults filled in; InvalidInput for a key this type gives no meaning to, or a bad value."""
        try:
            return fill("settings", given, cls.settings, AllowedHosts([]))
        except BadValue as fault:
            raise InvalidInput(fault.path, fault.reason) from None

    # Single calls, in the order of a push; all raise ConnectorError

    def check_fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of an incident as they will be used; the same rules as for a direct `pushToService`."""
        try:
            return self._checked(fields)
        except BadIncident as fault:
            text = f"the fields of the incident are not valid: {fault}"
            raise self.trouble("push incident", text, code="configuration", permanent=True) from None

    @abstractmethod
    def outgoing(self, fields: dict[str, Any], marker: str) -> dict[str, Any]:
        """The fields of a create or update by the names and in the forms the external system uses."""

    @abstractmethod
    def present(self, record: Record, names: Iterable[str]) -> dict[str, Any]:
        """What a record holds under these names now, in the forms of `outgoing`; null where it holds nothing."""

    async def prepare(self, fields: dict[str, Any], marks: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Do the reads that a create needs first; the fields to create with. `marks`: those of an earlier try."""
        return fields

    @abstractmethod
    async def create(self, fields: dict[str, Any], marker: str) -> str:
        """Create a record by one call and give its id. `marker` is stored with it, an empty one is not."""

    @abstractmethod
    async def update(self, external_id: str, fields: dict[str, Any], marker: str) -> None:
        """Overwrite a record; the marker stays on it."""

    @abstractmethod
    async def read(self, external_id: str) -> Record:
        """The record as it is now."""

    async def as_pushed(self, external_id: str, fields: dict[str, Any]) -> Record:
        """The record right after a create or update with these fields; most systems have to be asked for it."""
        return await self.read(external_id)

    @abstractmethod
    async def add_comment(self, external_id: str, text: str) -> str | None:
        """Add a comment; its id over there, where the system gives one. A blank text is not sent."""

    async def edit_comment(self, external_id: str, comment_external_id: str, text: str) -> None:
        """Overwrite a comment; CommentGone when it is not there."""
        raise self.trouble("edit a comment", "this system offers no way to", code="configuration", permanent=True)

    def can_look_for(self, sent: Mapping[str, Any]) -> bool:
        """Whether a record created with these fields could be found again."""
        return self.can_find_incidents

    async def find_incidents(self, marker: str, sent: Mapping[str, Any] | None = None) -> list[Record]:
        """Every record that carries the marker, oldest first. `sent`: the fields of the create, as they were sent."""
        raise self.trouble("look an incident up", "this system offers no way to", code="configuration", permanent=True)

    async def list_comments(self, external_id: str) -> list[ExternalComment]:
        """All comments of a record, oldest first."""
        raise self.trouble("list comments", "this system offers no way to", code="configuration", permanent=True)

    async def finish(self, external_id: str, fields: dict[str, Any]) -> None:
        """What has to follow a create or update and its comments; it must be harmless when it is repeated."""

    def comment_as_sent(self, text: str) -> str:
        """What `add_comment` makes of a text before it sends it."""
        return text

    def same_text(self, theirs: str, ours: str) -> bool:
        """Whether a comment over there is the one we sent as `ours`: line ends and outer blanks aside."""
        return _plain(theirs) == _plain(self.comment_as_sent(ours))

    @abstractmethod
    async def test(self) -> str:
        """Try reachability and credentials without writing; what was found, in a sentence."""

    # Direct runs

    async def execute(self, sub_action: str, params: Mapping[str, Any]) -> Any | None:
        """Run a sub-action; InvalidParams or ConnectorError when it cannot be done."""
        if sub_action == PUSH:
            return await self._push_directly(params)
        if sub_action == "handshake":
            raise InvalidParams("subAction", "handshake is not implemented.")
        known = self.sub_actions.get(sub_action)
        if known is None:
            expected = ", ".join([PUSH, *self.sub_actions])
            raise InvalidParams("subAction", f"{sub_action[:80]} is not supported; expected one of {expected}.")
        return await known.run(self, _converted(params, known.params))

    async def _push_directly(self, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = _converted(params, DirectPush)
        given = dict(asked.incident)
        external_id = given.pop("externalId", None)
        if external_id is not None and not (isinstance(external_id, str) and external_id.strip()):
            raise InvalidParams("incident.externalId", "expected a text that is not empty, or null.")
        try:
            fields = self._checked(given)
        except BadIncident as fault:
            raise InvalidParams("incident", str(fault)) from None
        if external_id is None:
            external_id = await self.create(await self.prepare(fields), "")
        else:
            await self.update(external_id, fields, "")
        record = await self.as_pushed(external_id, fields)
        data: dict[str, Any] = {
            "id": record.external_id,
            "title": record.title,
            "url": record.url,
            "pushedDate": iso(record.changed_at),
        }
        comments = await self._comment_directly(external_id, asked.comments or [])
        await self.finish(external_id, fields)
        return {**data, "comments": comments} if comments else data

    async def _comment_directly(self, external_id: str, comments: list[DirectComment]) -> list[dict[str, str]]:
        sent: list[dict[str, str]] = []
        for each in comments:
            if not self.takes_comments or not each.comment.strip():
                continue
            known_as = await self.add_comment(external_id, each.comment)
            noted = {"commentId": each.comment_id, "pushedDate": iso()}
            sent.append(noted if known_as is None else {**noted, "externalCommentId": known_as})
        return sent

    def _checked(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields in the type's own shape. Raises BadIncident."""
        try:
            checked: dict[str, Any] = msgspec.to_builtins(msgspec.convert(dict(fields), self.incident))
        except msgspec.ValidationError as fault:
            raise BadIncident(str(fault)) from None
        return checked


def iso(at: datetime | None = None) -> str:
    """A time, or now, as the wire spells it."""
    given = (at or datetime.now(UTC)).astimezone(UTC)
    return given.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _part(
    name: str,
    given: Mapping[str, Any],
    fields: tuple[Field, ...],
    allowed: AllowedHosts,
    check: Callable[[Mapping[str, Any]], None],
) -> dict[str, Any]:
    try:
        filled = fill(name, given, fields, allowed)
        check(filled)
        return filled
    except BadValue as fault:
        raise InvalidInput(fault.path, f"the connector type {name} is not valid: {fault.reason}") from None


def _converted(params: Mapping[str, Any], shape: type[Params]) -> Params:
    try:
        return msgspec.convert(dict(params), shape)
    except msgspec.ValidationError as fault:
        raise InvalidParams("subActionParams", str(fault)) from None


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n"))
