"""A ticket system behind HTTP calls that an administrator describes (contract external/webhook.md).

There is no call that searches, so nothing can be looked up after a lost answer. Creates and comments carry a header
`Idempotency-Key` instead, which a receiver may use to tell a repeat.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from casebridge.connectors.base import ConnectorType, Record
from casebridge.connectors.fields import BadValue, BoolField, ChoiceField, Field, ObjectField, SecretField, UrlField
from casebridge.connectors.fields import TextField as Text
from casebridge.connectors.hosts import AllowedHosts
from casebridge.connectors.http import Answer, Effect, Outbound
from casebridge.connectors.registry import register
from casebridge.connectors.tls import Tls, TlsFault, context_of
from casebridge.connectors.webhook_text import encoded, normalised, rendered, value_at
from casebridge.domain.errors import ConnectorError

BASIC, CERTIFICATE = "webhook-authentication-basic", "webhook-authentication-ssl"
CRT_KEY, PFX = "ssl-crt-key", "ssl-pfx"
CREDENTIALS = ("user", "password", "crt", "key", "pfx", "clientSecret")
_CERTIFICATES = {"crt": "Certificate, base64", "key": "Private key, base64", "pfx": "PFX, base64"}
COMBINATIONS = (
    frozenset[str](), frozenset({"user", "password"}), frozenset({"crt", "key"}), frozenset({"crt", "key", "password"}),
    frozenset({"pfx"}), frozenset({"pfx", "password"}),
)  # fmt: skip
SET_BY_US = frozenset({"content-type", "idempotency-key", "host", "content-length", "transfer-encoding"})
"""Headers that a connector cannot choose."""
WRITTEN = ("title", "description", "id", "severity", "status")


@dataclass(frozen=True)
class HeadersField(ObjectField):
    """An object of texts by the names of headers."""

    def check_value(self, path: str, value: Any, allowed: AllowedHosts) -> None:
        super().check_value(path, value, allowed)
        for name, text in value.items():
            if not isinstance(text, str):
                raise BadValue(f"{path}.{name[:80]}", "expected a text.")


def _optional(kind: type[Field], name: str, label: str, default: Any = None, **more: Any) -> Field:
    return kind(name, label, required=False, nullable=True, default=default, **more)


def _method(name: str, label: str, default: str, *choices: str, nullable: bool = False) -> Field:
    return ChoiceField(name, label, required=False, nullable=nullable, default=default, choices=choices)


class WebhookIncident(msgspec.Struct, forbid_unknown_fields=True):
    """What templates may use of a case."""

    title: str
    description: str | None = None
    id: str | None = None
    severity: str | None = None
    status: str | None = None
    tags: list[str] | None = None


@register
class Webhook(ConnectorType):
    """Calls as configured. No look-up: after a lost answer a person decides whether to repeat."""

    type_id = ".cases-webhook"
    label = "Webhook - Case Management"
    minimum_license_required = "gold"
    supported_feature_ids = ("cases",)
    config = (
        UrlField("createIncidentUrl", "Create: URL"),
        _method("createIncidentMethod", "Create: method", "post", "post", "put"),
        Text("createIncidentJson", "Create: body", is_long=True),
        Text("createIncidentResponseKey", "Create: path of the id in the answer"),
        _method("getIncidentMethod", "Get: method", "get", "get", "post"),
        UrlField("getIncidentUrl", "Get: URL"),
        _optional(Text, "getIncidentJson", "Get: body", is_long=True),
        Text("getIncidentResponseExternalTitleKey", "Get: path of the title in the answer"),
        UrlField("viewIncidentUrl", "View: URL"),
        UrlField("updateIncidentUrl", "Update: URL"),
        _method("updateIncidentMethod", "Update: method", "put", "post", "patch", "put"),
        Text("updateIncidentJson", "Update: body", is_long=True),
        _optional(UrlField, "createCommentUrl", "Comment: URL"),
        _method("createCommentMethod", "Comment: method", "put", "post", "put", "patch", nullable=True),
        _optional(Text, "createCommentJson", "Comment: body", is_long=True),
        _optional(HeadersField, "headers", "Headers"),
        BoolField("hasAuth", "Sign in", required=False, default=True),
        _method("authType", "Sign-in", BASIC, BASIC, CERTIFICATE, nullable=True),
        ChoiceField("certType", "Kind of certificate", required=False, choices=(CRT_KEY, PFX)),
        Text("ca", "Certificate authority, base64 of PEM", required=False, is_long=True),
        ChoiceField("verificationMode", "Check of TLS", required=False, choices=("none", "certificate", "full")),
    )
    secrets = (
        _optional(Text, "user", "User name"),
        _optional(SecretField, "password", "Password"),
        *(_optional(SecretField, name, told, is_long=True) for name, told in _CERTIFICATES.items()),
        _optional(SecretField, "clientSecret", "Client secret"),
        _optional(HeadersField, "secretHeaders", "Secret headers", is_secret=True),
    )
    incident = WebhookIncident

    def __init__(
        self,
        config: Mapping[str, Any],
        secrets: Mapping[str, Any],
        http: Outbound,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(config, secrets, http, settings)
        self._http = self._door("sign in")
        self.takes_comments = bool(self._config.get("createCommentUrl") and self._config.get("createCommentJson"))

    @classmethod
    def check_together(cls, config: Mapping[str, Any], secrets: Mapping[str, Any]) -> None:
        given = frozenset(name for name in CREDENTIALS if secrets.get(name) is not None)
        if given not in COMBINATIONS:
            reason = "the connector type secrets may hold user and password, or crt and key, or pfx, or none of them."
            raise BadValue("secrets", reason)
        if not config["hasAuth"]:
            return
        if not given and not secrets.get("secretHeaders"):
            raise BadValue("secrets", "hasAuth is true, so the connector type secrets must not be empty.")
        if config.get("authType") == CERTIFICATE:
            kind = config.get("certType")
            needed = {CRT_KEY: "crt", PFX: "pfx"}.get(str(kind))
            if needed is None:
                raise BadValue("config.certType", f"is needed for {CERTIFICATE}.")
            if needed not in given:
                raise BadValue(f"secrets.{needed}", f"is needed for {kind}.")

    # As whom, and over which connection

    def headers(self) -> dict[str, str]:
        return {"content-type": "application/json"}

    def credentials(self) -> dict[str, str]:
        """The configured headers, which may hold tokens; a later one replaces an earlier one of the same name."""
        given = {**(self._config.get("headers") or {}), **(self._secrets.get("secretHeaders") or {})}
        found = {name.lower(): str(text) for name, text in given.items() if name.lower() not in SET_BY_US}
        for name, text in found.items():
            if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII) or not re.fullmatch(r"[ -~]*", text):
                reason = f"the header {name!r} holds characters that a header cannot have"
                raise self.trouble("sign in", reason, code="configuration", permanent=True)
        user, password = self._secrets.get("user"), self._secrets.get("password")
        if self._config.get("hasAuth", True) and user is not None and password is not None:
            found["authorization"] = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        return found

    def login_trouble(self, answer: Answer) -> str | None:
        return "the credentials were not accepted" if answer.status == 401 else None

    def own_words(self, answer: Answer) -> str | None:
        return encoded(answer.value) if isinstance(answer.value, dict | list) else None

    def _door(self, doing: str) -> Outbound:
        config, secrets = self._config, self._secrets
        shows_certificate = config.get("hasAuth", True) and config.get("authType") == CERTIFICATE
        wanted = Tls(
            mode=config.get("verificationMode"),
            ca=config.get("ca"),
            **{name: secrets.get(name) for name in ("crt", "key", "pfx", "password") if shows_certificate},
        )
        if wanted == Tls():
            return self._http
        try:
            return self._http.trusting(wanted.fingerprint, lambda: context_of(wanted))
        except TlsFault as fault:
            raise self.trouble(doing, str(fault), code="configuration", permanent=True) from None

    # Calls

    def _url(self, doing: str, template: str, external_id: str | None = None, title: str = "") -> str:
        """An address; id and title as one segment of a path each."""
        values = {"external.system.title": _segment(title)}
        if external_id is not None:
            self.segment(doing, external_id)
            values["external.system.id"] = _segment(external_id)
        url = normalised(rendered(template, values))
        refusal = self._http.allowed.refusal(url)
        if refusal is not None:
            raise self.trouble(doing, refusal, code="configuration", permanent=True)
        return url

    def _body(self, doing: str, what: str, template: str, values: Mapping[str, str]) -> msgspec.Raw:
        text = rendered(template, values)
        try:
            msgspec.json.decode(text)
        except ValueError:
            reason = f"JSON Error: {what} JSON body must be valid JSON"
            raise self.trouble(doing, reason, code="configuration", permanent=True) from None
        return msgspec.Raw(text.encode())

    async def _ask(self, doing: str, method: str, url: str, effect: Effect, body: Any, **more: Any) -> Answer:
        """One call; what comes back is an object or a list, or 204 without anything where nothing is needed."""
        answer = await self.call(doing, method.upper(), url, effect=effect, payload=body, **more)
        if isinstance(answer.value, dict | list) or answer.status == 204:
            return answer
        reason = f"{self.label} answered {answer.status} with neither an object nor a list"
        unknown = effect is Effect.ADDS
        raise self.trouble(doing, reason, code="bad_answer", unknown=unknown, status=answer.status)

    def _key_header(self) -> dict[str, str]:
        """What tells a repeat of a create or comment; a direct run, which nobody repeats, makes one up."""
        return {"idempotency-key": self.idempotency_key or str(uuid.uuid4())}

    def _read_out(self, doing: str, answer: Answer, path: str, effect: Effect = Effect.READS) -> str:
        found = value_at(answer.value, path)
        if isinstance(found, str | int | float) and str(found).strip():
            return str(found)
        text, reason = f"the answer has no key {path}", f"Response is missing the expected field: {path}"
        raise self.trouble(doing, text, reason, code="bad_answer", unknown=effect is Effect.ADDS)

    def _values(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """What templates may use of a case, as JSON text."""
        texts = {f"case.{name}": encoded(fields.get(name) or "") for name in WRITTEN}
        return {**texts, "case.tags": encoded(fields.get("tags") or [])}

    async def create(self, fields: dict[str, Any], marker: str) -> str:
        doing, effect = "create case", Effect.ADDS
        body = self._body(doing, "Create case", self._config["createIncidentJson"], self._values(fields))
        url, method = self._url(doing, self._config["createIncidentUrl"]), self._config.get("createIncidentMethod")
        answer = await self._ask(doing, method or "post", url, effect, body, headers=self._key_header())
        return self._read_out(doing, answer, self._config["createIncidentResponseKey"], effect)

    async def update(self, external_id: str, fields: dict[str, Any], marker: str) -> None:
        doing = "update case"
        values = {**self._values(fields), "external.system.id": encoded(external_id)}
        body = self._body(doing, "Update case", self._config["updateIncidentJson"], values)
        url, method = self._url(doing, self._config["updateIncidentUrl"], external_id), "updateIncidentMethod"
        await self._ask(doing, self._config.get(method) or "put", url, Effect.OVERWRITES, body, needs_body=False)

    async def read(self, external_id: str) -> Record:
        doing, config = "get case", self._config
        url, method, body = (
            self._url(doing, config["getIncidentUrl"], external_id),
            config.get("getIncidentMethod"),
            None,
        )
        if method == "post" and config.get("getIncidentJson"):
            body = self._body(
                doing, "Get case", config["getIncidentJson"], {"external.system.id": encoded(external_id)}
            )
        answer = await self._ask(doing, method or "get", url, Effect.READS, body)
        title = self._read_out(doing, answer, config["getIncidentResponseExternalTitleKey"])
        page = self._url("view case", config["viewIncidentUrl"], external_id, title)
        raw = answer.value if isinstance(answer.value, dict) else {}
        return Record(external_id, title, re.sub(r"//[^/@]*@", "//", page), raw)

    async def add_comment(self, external_id: str, text: str) -> str | None:
        if not text.strip():
            return None
        doing, config = "create comment", self._config
        if not self.takes_comments:
            raise self.trouble(doing, "no address or body is configured for it", code="configuration", permanent=True)
        values = {"case.comment": encoded(text), "external.system.id": encoded(external_id)}
        body = self._body(doing, "Create comment", config["createCommentJson"], values)
        url, method = self._url(doing, config["createCommentUrl"], external_id), config.get("createCommentMethod")
        more = {"headers": self._key_header(), "needs_body": False}
        await self._ask(doing, method or "put", url, Effect.ADDS, body, **more)
        return None

    def outgoing(self, fields: dict[str, Any], marker: str) -> dict[str, Any]:
        return {name: fields.get(name) for name in (*WRITTEN, "tags")}

    def present(self, record: Record, names: Iterable[str]) -> dict[str, Any]:
        """Only the title is known of an answer whose shape is somebody else's."""
        return {name: record.title if name == "title" else None for name in names}

    async def test(self) -> str:
        doing = "test the connection"
        names = ("createIncidentUrl", "getIncidentUrl", "updateIncidentUrl", "createCommentUrl")
        urls = [self._url(doing, self._config[name], "1") for name in names if self._config.get(name)]
        for url in {"/".join(each.split("/")[:3]): each for each in urls}.values():
            try:
                await self._http.reach(url)
            except ConnectorError as fault:
                raise self.trouble(doing, fault.message, code=fault.code, permanent=fault.permanent) from None
        return "All addresses can be read, are allowed and can be connected to; no call was made, so no more is known."


def _segment(text: str) -> str:
    """A text as one segment of a path, as `encodeURIComponent` writes it."""
    return quote(text, safe="!~*'()")
