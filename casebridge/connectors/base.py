"""What a connector is: declared fields, a handful of single calls that a push drives one at a time, and sub-actions.

A connector type does one call per method, so that whoever drives it can write down what is about to leave and what
came of it. It alone knows how to read its system's refusals; it knows nothing of cases, ledgers or retries.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from casebridge.connectors.fields import Field, checked
from casebridge.connectors.http import AllowedHosts, Answer, Door, Fault
from casebridge.domain.errors import ConnectorError, InvalidInput

CONFIG, SECRETS, BOTH = "connector type config", "connector type secrets", "action type connector"
LEGACY_CONFIG = ("incidentConfiguration", "isCaseOwned")

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_UNKNOWN = frozenset({408, 502, 503, 504})
_UNAVAILABLE = frozenset({429, 500, 502, 503, 504})


class InvalidParams(InvalidInput):
    """The parameters of a direct run do not fit its sub-action."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"the params are invalid: {field}", reason)


class CommentGone(ConnectorError):
    """The comment to be edited is not there any more."""


class Record(msgspec.Struct, frozen=True):
    """An external record: its id, what people call it, where it is shown, and the record as the system gave it."""

    external_id: str
    title: str
    url: str
    raw: Any = None


class ExternalComment(msgspec.Struct, frozen=True):
    """A comment as the external system holds it."""

    external_id: str
    text: str


class CommentParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A comment of a direct `pushToService`."""

    comment: str
    commentId: str  # noqa: N815


SubAction = Callable[[Any, Any], Awaitable[Any]]


class ConnectorType(ABC):
    """One kind of external system. An instance is one connector at work."""

    type_id: ClassVar[str]
    label: ClassVar[str]
    minimum_license_required: ClassVar[str] = "gold"
    supported_feature_ids: ClassVar[tuple[str, ...]] = ("cases",)
    config: ClassVar[tuple[Field, ...]] = ()
    secrets: ClassVar[tuple[Field, ...]] = ()
    incident: ClassVar[type[msgspec.Struct]]
    sub_actions: ClassVar[Mapping[str, tuple[type[msgspec.Struct], SubAction]]] = {}
    can_find_incidents: ClassVar[bool] = False
    can_list_comments: ClassVar[bool] = False
    can_edit_comments: ClassVar[bool] = False
    takes_comments: ClassVar[bool] = True

    def __init__(
        self,
        config: Mapping[str, Any],
        secrets: Mapping[str, Any],
        door: Door,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._config = config
        self._secrets = secrets
        self._door = door
        self._settings = settings or {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @classmethod
    def validate(
        cls, config: Mapping[str, Any], secrets: Mapping[str, Any], allowed: AllowedHosts, *, legacy: bool = False
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Config and secrets with defaults filled in; InvalidInput says which part failed and where.

        `legacy`: config may hold the two keys of dialect-7.10.md 9, which are kept and mean nothing.
        """
        full_config = checked(CONFIG, cls.config, config, allowed, also=LEGACY_CONFIG if legacy else ())
        cls.check_config(full_config, allowed)
        full_secrets = checked(SECRETS, cls.secrets, secrets, allowed)
        cls.check_both(full_config, full_secrets)
        return full_config, full_secrets

    @classmethod
    def check_config(cls, config: Mapping[str, Any], allowed: AllowedHosts) -> None:
        """InvalidInput for what single fields cannot tell; nothing to check unless a type says so."""
        return None

    @classmethod
    def check_both(cls, config: Mapping[str, Any], secrets: Mapping[str, Any]) -> None:
        """InvalidInput when config and secrets do not fit each other; any do unless a type says otherwise."""
        return None

    # What a push does, one call at a time. Every method raises ConnectorError.

    @abstractmethod
    async def create(self, fields: dict[str, Any], marker: str | None) -> str:
        """Create a record, findable by `marker`; its id. One write and nothing else."""

    @abstractmethod
    async def update(self, external_id: str, fields: dict[str, Any], marker: str | None) -> None:
        """Overwrite a record's fields, `marker` kept."""

    @abstractmethod
    async def read(self, external_id: str) -> Record:
        """The record as it is."""

    @abstractmethod
    async def add_comment(self, external_id: str, text: str) -> str | None:
        """Add a comment; its id where the system gives one."""

    async def prepare(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields to create with, after any reads that a create needs first."""
        return fields

    async def edit_comment(self, external_id: str, comment_id: str, text: str) -> None:
        """Replace a comment's text; CommentGone when it is not there any more."""
        raise self._no_way("edit comments")

    async def find_incidents(self, marker: str) -> list[Record]:
        """Records that carry the marker, oldest first."""
        raise self._no_way("look incidents up")

    async def list_comments(self, external_id: str) -> list[ExternalComment]:
        """All comments of a record, oldest first."""
        raise self._no_way("list comments")

    async def test(self) -> str:
        """Try credentials and reachability without writing; what was found, for people."""
        raise self._no_way("be tried without writing")

    def _no_way(self, doing: str) -> ConnectorError:
        return ConnectorError(f"{self.label} offers no way to {doing}.", code="configuration", permanent=True)

    def same_text(self, there: str, sent: str) -> bool:
        """Whether a comment over there is the one that was sent, line ends and outer white space aside."""
        return _plain(there) == _plain(sent)

    def check_fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The incident of a push as the type takes it; ConnectorError when it does not."""
        try:
            return self._incident(fields)
        except InvalidInput as fault:
            text = f"[Action][{self.label}]: the incident is invalid: {fault}"
            raise ConnectorError(self.scrubbed(text), code="configuration", permanent=True) from None

    def _incident(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        try:
            incident = msgspec.convert(dict(fields), self.incident)
        except msgspec.ValidationError as fault:
            raise InvalidParams("incident", str(fault)) from None
        return self.refined(msgspec.to_builtins(incident))

    def refined(self, incident: dict[str, Any]) -> dict[str, Any]:
        """The incident after rules that shapes cannot tell; InvalidParams when one is broken."""
        return incident

    # Direct runs

    async def execute(self, sub_action: str, params: dict[str, Any]) -> Any:
        """What a sub-action gives, or None; InvalidParams and ConnectorError as they say."""
        if sub_action == "pushToService":
            return await self._push_to_service(params)
        if sub_action == "handshake":
            raise InvalidParams("subAction", "handshake is not implemented.")
        known = self.sub_actions.get(sub_action)
        if known is None:
            names = ", ".join(("pushToService", *self.sub_actions))
            raise InvalidParams(
                "subAction", f"{sub_action} is not supported by {self.type_id}; expected one of {names}."
            )
        shape, action = known
        return await action(self, _converted(params, shape))

    async def _push_to_service(self, params: dict[str, Any]) -> dict[str, Any]:
        incident, comments = _push_params(params)
        external_id = incident.pop("externalId", None)
        if external_id is not None and not isinstance(external_id, str):
            raise InvalidParams("subActionParams.incident.externalId", "expected a text or null.")
        fields = self._incident(incident)
        if external_id is None:
            external_id = await self.create(await self.prepare(fields), None)
        else:
            await self.update(external_id, fields, None)
        seen = await self.read(external_id)
        result: dict[str, Any] = {"id": seen.external_id, "title": seen.title, "url": seen.url, "pushedDate": _now()}
        if comments and self.takes_comments:
            result["comments"] = [await self._add(external_id, each) for each in comments if each.comment.strip()]
        return result

    async def _add(self, external_id: str, comment: CommentParams) -> dict[str, Any]:
        added = await self.add_comment(external_id, comment.comment)
        entry = {"commentId": comment.commentId, "pushedDate": _now()}
        return entry if added is None else {**entry, "externalCommentId": added}

    # Calls and what their failures mean

    async def call(
        self, doing: str, method: str, url: str, *, want_json: bool = True, write: bool | None = None, **sent: Any
    ) -> Answer:
        """A usable answer, or ConnectorError saying what could not be done and why.

        `doing` completes "Unable to …"; `write` False marks a POST that only reads.
        """
        writes = method not in ("GET", "HEAD") if write is None else write
        try:
            answer = await self._door.call(method, url, headers=self.headers(), **sent)
        except Fault as fault:
            raise self.failed(
                doing, fault.message, code=fault.code, permanent=fault.permanent, unknown=fault.unknown and writes
            ) from None
        if answer.is_success:
            if want_json and answer.status != 204 and (not answer.says_json or answer.json is None):
                raise self.failed(
                    doing, "the answer is no JSON", code="bad_answer", unknown=writes, status=answer.status
                )
            return answer
        raise self.refusal(doing, answer, writes)

    def headers(self) -> dict[str, str]:
        """Headers of every call, credentials among them."""
        return {}

    def refusal(self, doing: str, answer: Answer, writes: bool) -> ConnectorError:
        """What an answer that is no success means: whether waiting heals it, and whether it was done all the same."""
        status = answer.status
        own_body = isinstance(answer.json, dict | list)
        unknown = writes and (status in _UNKNOWN or (status >= 500 and not own_body))
        reason = self.reason(answer)
        text = f"Request failed with status code {status}" + (f" Reason: {reason}" if reason else "")
        return self.failed(
            doing,
            text,
            code="unavailable" if status in _UNAVAILABLE or status >= 500 else "refused",
            permanent=status not in _PASSING and status < 500,
            unknown=unknown,
            retry_after_s=answer.retry_after_s,
            status=status,
        )

    def reason(self, answer: Answer) -> str:
        """The system's own words for a refusal; empty when it said nothing fit to be shown."""
        body = answer.json
        message = body.get("message") if isinstance(body, dict) else None
        return message if isinstance(message, str) else ""

    def failed(self, doing: str, text: str, **more: Any) -> ConnectorError:
        """The error of a call, its text free of secrets."""
        return ConnectorError(self.scrubbed(f"[Action][{self.label}]: Unable to {doing}. Error: {text}"), **more)

    def missing(self, doing: str, path: str, *, writes: bool) -> ConnectorError:
        """The error of an answer that lacks what it must have."""
        return self.failed(doing, f"the answer has no {path}", code="bad_answer", unknown=writes)

    def scrubbed(self, text: str) -> str:
        """The text with every secret in it, and its usual encodings, taken out."""
        for secret in sorted(self._secret_texts(), key=len, reverse=True):
            text = text.replace(secret, "[redacted]")
        return text

    def _secret_texts(self) -> set[str]:
        values = [value for value in self._secrets.values() if isinstance(value, str) and value]
        pairs = [f"{one}:{other}" for one in values for other in values if one != other]
        encoded = [base64.b64encode(each.encode()).decode() for each in (*values, *pairs)]
        return {*values, *encoded}


def basic(user: str, password: str) -> str:
    """The value of a Basic `Authorization` header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def text_at(value: Any, *path: str | int) -> str | None:
    """The text or number found by following keys, as text; None when there is none."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _converted(params: Mapping[str, Any], shape: type[msgspec.Struct]) -> Any:
    try:
        return msgspec.convert(dict(params), shape)
    except msgspec.ValidationError as fault:
        raise InvalidParams("subActionParams", str(fault)) from None


def _push_params(params: Mapping[str, Any]) -> tuple[dict[str, Any], Sequence[CommentParams]]:
    if unknown := set(params) - {"incident", "comments"}:
        raise InvalidParams("subActionParams", f"unknown keys: {', '.join(sorted(unknown))}.")
    incident = params.get("incident")
    if not isinstance(incident, dict):
        raise InvalidParams("subActionParams.incident", "expected an object.")
    try:
        comments = msgspec.convert(params.get("comments") or [], list[CommentParams])
    except msgspec.ValidationError as fault:
        raise InvalidParams("subActionParams.comments", str(fault)) from None
    return dict(incident), comments


def own_keys(field: str, given: Any, most: int, taken: Iterable[str]) -> dict[str, Any] | None:
    """Free fields given as an object or its JSON text; InvalidParams when they are too many or repeat named ones."""
    if isinstance(given, str):
        try:
            given = msgspec.json.decode(given) if given.strip() else None
        except msgspec.DecodeError:
            raise InvalidParams(f"incident.{field}", "expected a JSON object.") from None
    if given is None:
        return None
    if not isinstance(given, dict):
        raise InvalidParams(f"incident.{field}", "expected a JSON object.")
    if len(given) > most:
        raise InvalidParams(f"incident.{field}", f"at most {most} keys are allowed, given {len(given)}.")
    if repeated := sorted(set(given) & set(taken)):
        raise InvalidParams(f"incident.{field}", f"these have fields of their own: {', '.join(repeated)}.")
    return given


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
