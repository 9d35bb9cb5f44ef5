"""Swimlane (contract external/swimlane.md)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from casebridge.connectors.base import ConnectorType, ExternalComment, Record, iso
from casebridge.connectors.fields import ChoiceField, ObjectField, SecretField, TextField, UrlField
from casebridge.connectors.hosts import AllowedHosts
from casebridge.connectors.html_text import escaped, to_text
from casebridge.connectors.http import Answer, Effect
from casebridge.connectors.registry import register

PAGE = 50
PAGES = 200
MAPPED = {
    "ruleNameConfig": "ruleName",
    "alertIdConfig": "alertId",
    "caseIdConfig": "caseId",
    "caseNameConfig": "caseName",
    "severityConfig": "severity",
    "descriptionConfig": "description",
}
"""Key of `mappings` -> field of an incident."""
MAPPING_KEYS = (*MAPPED, "commentsConfig")
MEANINGS = {
    2003: "application not found",
    3000: "duplicate value",
    3001: "date not valid",
    3002: "record not found",
    3003: "field not found",
    4001: "filter not valid",
    5008: "validation failed",
    5010: "a required value is missing",
    5013: "value of the wrong type",
}
_FIELD = tuple(TextField(name) for name in ("id", "key", "name", "fieldType"))


class SwimlaneIncident(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What is sent to Swimlane."""

    alert_id: str | None = None
    rule_name: str | None = None
    case_id: str | None = None
    case_name: str | None = None
    severity: str | None = None
    description: str | None = None


@register
class Swimlane(ConnectorType):
    """An application of a Swimlane. A record is found again by its case id field, a comment by its text."""

    type_id = ".swimlane"
    label = "Swimlane"
    minimum_license_required = "gold"
    supported_feature_ids = ("alerting", "cases", "siem")
    config = (
        UrlField("apiUrl", "URL"),
        TextField("appId", "Application ID"),
        ChoiceField("connectorType", "Connector type", choices=("all", "alerts", "cases")),
        ObjectField(
            "mappings",
            "Field mappings",
            fields=tuple(ObjectField(each, required=False, nullable=True, fields=_FIELD) for each in MAPPING_KEYS),
        ),
    )
    secrets = (SecretField("apiToken", "API token"),)
    incident = SwimlaneIncident
    can_find_incidents = True
    can_list_comments = True
    _comments_at: str | None = None

    @classmethod
    def validate(
        cls, config: Mapping[str, Any], secrets: Mapping[str, Any], allowed: AllowedHosts, *, legacy: bool = False
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As for all types; a field that is not mapped is null afterwards."""
        checked, hidden = super().validate(config, secrets, allowed, legacy=legacy)
        checked["mappings"] = {**dict.fromkeys(MAPPING_KEYS), **checked["mappings"]}
        return checked, hidden

    # Where, and as whom

    @property
    def _root(self) -> str:
        return str(self._config["apiUrl"]).rstrip("/")

    @property
    def _app_id(self) -> str:
        return str(self._config["appId"])

    def _url(self, doing: str, *segments: str) -> str:
        api = self._root if self._root.endswith("api") else f"{self._root}/api"
        return "/".join([api, *(self.segment(doing, each) for each in segments)])

    def _record_url(self, doing: str, *segments: str) -> str:
        return self._url(doing, "app", self._app_id, "record", *segments)

    def credentials(self) -> dict[str, str]:
        return {"private-token": str(self._secrets["apiToken"])}

    def _mapped(self, key: str) -> dict[str, Any] | None:
        field: dict[str, Any] | None = self._config["mappings"].get(key)
        return field

    # What an answer says

    def own_words(self, answer: Answer) -> str | None:
        body = answer.value
        if not isinstance(body, dict) or not body.keys() & {"ErrorCode", "Argument"}:
            return None
        code = body.get("ErrorCode")
        meaning = MEANINGS.get(code) if isinstance(code, int) else None
        text = f"{body.get('Argument') or 'unknown'} ({-1 if code is None else code})"
        return f"{text}: {meaning}" if meaning else text

    def login_trouble(self, answer: Answer) -> str | None:
        return "the API token was not accepted" if answer.status == 401 else None

    # Single calls of a push

    def outgoing(self, fields: dict[str, Any], marker: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, name in MAPPED.items():
            field, value = self._mapped(key), fields.get(name)
            if field is not None and value not in (None, ""):
                values[field["id"]] = _number(value) if field["fieldType"] == "numeric" else value
        return values

    def present(self, record: Record, names: Iterable[str]) -> dict[str, Any]:
        held = record.raw.get("values") or {}
        return {name: held.get(name) for name in names}

    async def create(self, fields: dict[str, Any], marker: str) -> str:
        doing, url = "create incident", self._record_url("create incident")
        sent = {"applicationId": self._app_id, "values": self.outgoing(fields, marker)}
        answer = await self.call(doing, "POST", url, effect=Effect.ADDS, payload=sent)
        return str(self.key(doing, answer.value, "id", Effect.ADDS))

    async def update(self, external_id: str, fields: dict[str, Any], marker: str) -> None:
        doing, url = "update incident", self._record_url("update incident", external_id)
        sent = {"applicationId": self._app_id, "id": external_id, "values": self.outgoing(fields, marker)}
        await self.call(doing, "PATCH", url, effect=Effect.OVERWRITES, payload=sent, needs_body=False)

    async def read(self, external_id: str) -> Record:
        doing, url = "get incident", self._record_url("get incident", external_id)
        return self._record(doing, (await self.call(doing, "GET", url)).value)

    def _record(self, doing: str, record: Any) -> Record:
        id_, name = str(self.key(doing, record, "id")), str(self.key(doing, record, "name"))
        shown = re.sub(r"//[^/@]*@", "//", self._root)
        changed_at = _time(record.get("modifiedDate")) or _time(record.get("createdDate"))
        return Record(id_, name, f"{shown}/record/{self._app_id}/{id_}", record, changed_at)

    async def add_comment(self, external_id: str, text: str) -> str | None:
        """Swimlane gives a comment no id."""
        if not text.strip():
            return None
        doing = "create comment"
        field = self._comments_field(doing)
        self._comments_at = self._comments_at or iso()
        message = {
            "message": escaped(text),
            "fieldId": field,
            "createdDate": self._comments_at,
            "isRichText": True,
        }
        url = self._record_url(doing, external_id, field, "comment")
        await self.call(doing, "POST", url, effect=Effect.ADDS, payload=message, needs_body=False)
        return None

    def _comments_field(self, doing: str) -> str:
        field = self._mapped("commentsConfig")
        if field is None:
            raise self.trouble(doing, "No comment field mapped", code="configuration", permanent=True)
        return str(field["id"])

    async def list_comments(self, external_id: str) -> list[ExternalComment]:
        doing = "get comments"
        field = self._comments_field(doing)
        record = (await self.call(doing, "GET", self._record_url(doing, external_id))).value
        self.key(doing, record, "id")
        rows = (record.get("comments") or {}).get(field) or []
        rows = sorted((each for each in rows if isinstance(each, dict)), key=lambda each: str(each.get("createdDate")))
        return [ExternalComment(None, _text_of(each)) for each in rows]

    # Look-up

    def can_look_for(self, sent: Mapping[str, Any]) -> bool:
        """Only with a case id in a field that tells cases apart: text that is no number becomes 0 in a numeric one."""
        field, value = self._mapped("caseIdConfig"), sent.get("caseId")
        if field is None or value in (None, ""):
            return False
        return field["fieldType"] != "numeric" or _is_number(str(value))

    async def find_incidents(self, marker: str, sent: Mapping[str, Any] | None = None) -> list[Record]:
        """The records whose case id field holds the value that was sent."""
        doing, field = "find incidents", self._mapped("caseIdConfig")
        if field is None or not self.can_look_for(sent or {}):
            text = "no case id was sent in a field of its own, so the record cannot be found"
            raise self.trouble(doing, text, code="configuration", permanent=True)
        value = self.outgoing(dict(sent or {}), marker)[field["id"]]
        found = [each async for each in self._search(doing, field["id"], value)]
        # A system that ignored the filter would hand us somebody else's record.
        ours = [each for each in found if str((each.get("values") or {}).get(field["id"], value)) == str(value)]
        ours.sort(key=lambda each: str(each.get("createdDate") or ""))
        return [self._record(doing, each) for each in ours]

    async def _search(self, doing: str, field: str, value: Any) -> AsyncIterator[dict[str, Any]]:
        url, seen = self._url(doing, "search"), 0
        for page in range(PAGES):
            asked = {
                "applicationIds": [self._app_id],
                "filters": [{"fieldId": field, "filterType": "equals", "value": value}],
                "columns": [],
                "sorts": {},
                "pageSize": PAGE,
                "offset": page,
                "keywords": "",
                "groupBys": [],
                "aggregates": [],
            }
            answer = (await self.call(doing, "POST", url, effect=Effect.READS, payload=asked)).value
            rows = self.key(doing, answer, "results").get(self._app_id) or []
            for row in rows:
                yield row
            seen += len(rows)
            total = answer.get("count")
            if not rows or (seen >= total if isinstance(total, int) else len(rows) < PAGE):
                return
        raise self.trouble(doing, f"the answer has more than {PAGES} pages", code="bad_answer", permanent=True)

    async def test(self) -> str:
        doing = "test the connection"
        application = (await self.call(doing, "GET", self._url(doing, "app", self._app_id))).value
        name = self.key(doing, application, "name")
        return f"Swimlane accepted the API token; the application is {name}."


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*[+-]?\d{1,15}(\.\d{1,15})?\s*", text) is not None


def _number(text: str) -> int | float:
    """A text as a number; 0 if it is none."""
    if not _is_number(text):
        return 0
    return float(text) if "." in text else int(text)


def _text_of(comment: Mapping[str, Any]) -> str:
    message = str(comment.get("message") or "")
    return message if comment.get("isRichText") is False else to_text(message)


def _time(text: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
