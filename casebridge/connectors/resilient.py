"""IBM Resilient, also called QRadar SOAR (contract external/resilient.md)."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from casebridge.connectors.base import CommentGone, ConnectorType, ExternalComment, NoParams, Record, SubAction
from casebridge.connectors.fields import ChoiceField, SecretField, TextField, UrlField
from casebridge.connectors.html_text import cut, to_html, to_text
from casebridge.connectors.http import Answer, Effect
from casebridge.connectors.registry import register
from casebridge.connectors.resilient_fields import (
    BUILT_IN,
    NAME,
    BadField,
    ResilientIncident,
    change_of,
    checked_fields,
    held,
    plain_ids,
)
from casebridge.domain.errors import ConnectorError

DISCOVERED = "discovered_date"
UNDER_PROPERTIES = "under_properties"
"""Key of a prepared incident: names of the additional fields that an incident keeps under `properties`."""
KEPT_OF_A_FIELD = ("name", "input_type", "read_only", "required", "text", "prefix", "values")
OBJECTS = {"text_content_output_format": "objects_convert"}
PAGE = 50
PAGES = 200
CLOCKS_APART_MS = 24 * 3600 * 1000
"""How far our clock and theirs may differ: a lost incident is looked for among those created since then."""
_LAST_USED_S = 3600.0


@register
class Resilient(ConnectorType):
    """An organisation of a Resilient. An incident is found again by its `discovered_date`, a comment by its text."""

    type_id = ".resilient"
    label = "IBM Resilient"
    minimum_license_required = "platinum"
    supported_feature_ids = ("alerting", "cases", "siem")
    config = (UrlField("apiUrl", "URL"), TextField("orgId", "Organization ID"))
    secrets = (SecretField("apiKeyId", "API key ID"), SecretField("apiKeySecret", "API key secret"))
    settings = (
        ChoiceField("edited_comments", "Edited comments", required=False, default="edit", choices=("edit", "append")),
    )
    incident = ResilientIncident
    marks = (DISCOVERED,)
    can_find_incidents = True
    can_list_comments = True
    can_edit_comments = True

    # Where, and as whom

    @property
    def _root(self) -> str:
        return str(self._config["apiUrl"]).rstrip("/")

    def _url(self, doing: str, *segments: str) -> str:
        organisation = self.segment(doing, str(self._config["orgId"]))
        path = "/".join(self.segment(doing, each) for each in segments)
        return f"{self._root}/rest/orgs/{organisation}/{path}"

    def credentials(self) -> dict[str, str]:
        pair = f"{self._secrets['apiKeyId']}:{self._secrets['apiKeySecret']}"
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    # What an answer says

    def own_words(self, answer: Answer) -> str | None:
        body = answer.value
        if not isinstance(body, dict) or not body.keys() & {"message", "error_code", "title"}:
            return None
        hints = [str(each) for each in body.get("hints") or ()]
        return " ".join([str(body.get("message") or body.get("title") or ""), *hints]).strip()

    def login_trouble(self, answer: Answer) -> str | None:
        return "Unauthorized API Error, the credentials were not accepted" if answer.status == 401 else None

    def refusal(self, doing: str, answer: Answer, effect: Effect) -> ConnectorError:
        """A 409 is a clash in their database: nothing was done, and the same call may do next time."""
        refused = super().refusal(doing, answer, effect)
        refused.permanent = refused.permanent and answer.status != 409
        return refused

    # Single calls of a push

    async def prepare(self, fields: dict[str, Any], marks: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """With the moment of the first attempt, which no other incident of this connector shares."""
        prepared = dict(fields)
        additional = fields.get("additionalFields")
        if additional:
            doing = "create incident"
            metadata = await self._fields_by_name(doing)
            prepared["additionalFields"] = self._checked_fields(doing, additional, metadata)
            prepared[UNDER_PROPERTIES] = [
                name for name in prepared["additionalFields"] if metadata[name].get("prefix") == "properties"
            ]
        return {**prepared, DISCOVERED: (marks or {}).get(DISCOVERED) or self._moment_ms()}

    def _moment_ms(self) -> int:
        """Now, or as many milliseconds later as it takes to be the only one."""
        remembered = f"{DISCOVERED} {self._root} {self._config['orgId']}"
        moment = max(int(time.time() * 1000), (self._http.memory.get(remembered) or 0) + 1)
        self._http.memory.put(remembered, moment, _LAST_USED_S)
        return moment

    async def create(self, fields: dict[str, Any], marker: str) -> str:
        doing, url = "create incident", self._url("create incident", "incidents")
        sent = self.outgoing(fields, marker)
        sent.setdefault(DISCOVERED, self._moment_ms())
        answer = await self.call(doing, "POST", url, effect=Effect.ADDS, params=OBJECTS, payload=sent)
        return str(self.key(doing, answer.value, "id", Effect.ADDS))

    async def update(self, external_id: str, fields: dict[str, Any], marker: str) -> None:
        """Overwrite the fields that differ from those of the incident as it is now."""
        doing = "update incident"
        record = await self._incident(doing, external_id)
        metadata = await self._fields_by_name(doing)
        wanted = self.outgoing({**fields, "additionalFields": None}, marker)
        wanted |= self._checked_fields(doing, fields.get("additionalFields") or {}, metadata)
        changes = []
        for name, value in wanted.items():
            kind = str((metadata.get(name) or {}).get("input_type") or BUILT_IN.get(name, "text"))
            changes.append(change_of(name, kind, held(record, name), plain_ids(kind, value)))
        await self.apply(external_id, changes)

    async def apply(self, external_id: str, changes: list[dict[str, Any]]) -> None:
        """Send changes in one call; ConnectorError also when somebody else was quicker, and nothing was changed."""
        doing, url = "update incident", self._url("update incident", "incidents", external_id)
        answer = await self.call(doing, "PATCH", url, effect=Effect.OVERWRITES, payload={"changes": changes})
        if self.key(doing, answer.value, "success") is not True:
            rows = [each for each in answer.value.get("field_failures") or () if isinstance(each, dict)]
            names = ", ".join(_field_name(each.get("field")) for each in rows)
            text = f"{self.label} changed nothing{f', because of {names}' if names else ''}"
            raise self.trouble(doing, text, self.own_words(answer), code="refused", status=answer.status)

    def outgoing(self, fields: dict[str, Any], marker: str) -> dict[str, Any]:
        description, types, severity = (fields.get(name) for name in ("description", "incidentTypes", "severityCode"))
        named = {
            "name": _name(fields),
            DISCOVERED: fields.get(DISCOVERED),
            "description": {"format": "html", "content": to_html(description)} if description else None,
            "incident_type_ids": [{"id": each} for each in types] if types else None,
            "severity_code": None if severity is None else {"id": severity},
        }
        additional, below = fields.get("additionalFields") or {}, set(fields.get(UNDER_PROPERTIES) or ())
        named |= {name: value for name, value in additional.items() if name not in below}
        named["properties"] = {name: additional[name] for name in additional if name in below} or None
        return {name: value for name, value in named.items() if value is not None}

    def present(self, record: Record, names: Iterable[str]) -> dict[str, Any]:
        return {name: _as_sent(name, held(record.raw, name)) for name in names}

    async def read(self, external_id: str) -> Record:
        doing = "get incident"
        return self._record(doing, await self._incident(doing, external_id))

    async def _incident(self, doing: str, external_id: str) -> Any:
        url = self._url(doing, "incidents", external_id)
        incident = (await self.call(doing, "GET", url, params=OBJECTS)).value
        self.key(doing, incident, "id")
        return incident

    def _record(self, doing: str, incident: Any) -> Record:
        id_ = str(self.key(doing, incident, "id"))
        shown = re.sub(r"//[^/@]*@", "//", self._root)
        changed_at = _time(incident.get("inc_last_modified_date")) or _time(incident.get("create_date"))
        return Record(id_, id_, f"{shown}/#incidents/{id_}", incident, changed_at)

    # Comments

    async def add_comment(self, external_id: str, text: str) -> str | None:
        if not text.strip():
            return None
        doing, url = "create comment", self._url("create comment", "incidents", external_id, "comments")
        answer = await self.call(doing, "POST", url, effect=Effect.ADDS, payload=_comment(text))
        return str(self.key(doing, answer.value, "id", Effect.ADDS))

    async def edit_comment(self, external_id: str, comment_external_id: str, text: str) -> None:
        doing = "update comment"
        url = self._url(doing, "incidents", external_id, "comments", comment_external_id)
        answer = await self.call(
            doing, "PUT", url, effect=Effect.OVERWRITES, payload=_comment(text), needs_body=False, may_be_missing=True
        )
        if answer.status == 404:
            gone = self.refusal(doing, answer, Effect.OVERWRITES)
            raise CommentGone(gone.message, code=gone.code, permanent=True, status=404)

    async def list_comments(self, external_id: str) -> list[ExternalComment]:
        doing, url = "get comments", self._url("get comments", "incidents", external_id, "comments")
        rows = (await self.call(doing, "GET", url, params=OBJECTS)).value
        if not isinstance(rows, list):
            raise self.trouble(doing, f"the answer of {self.label} has no key [0], it is no list", code="bad_answer")
        found = sorted(_with_replies(rows), key=lambda each: (each.get("create_date") or 0, each.get("id") or 0))
        return [ExternalComment(str(self.key(doing, each, "id")), _text_of(each.get("text"))) for each in found]

    # Look-up

    async def find_incidents(self, marker: str, sent: Mapping[str, Any] | None = None) -> list[Record]:
        """By name as sent, then, should it have been renamed since, by `discovered_date` alone."""
        moment = (sent or {}).get(DISCOVERED)
        doing = "find incidents"
        if not isinstance(moment, int):
            text = f"the create that is looked for was sent without {DISCOVERED}"
            raise self.trouble(doing, text, code="configuration", permanent=True)
        since = {"field_name": "create_date", "method": "gte", "value": moment - CLOCKS_APART_MS}
        same_name = {"field_name": "name", "method": "equals", "value": _name(sent or {})}
        same_moment = [{"field_name": DISCOVERED, "method": how, "value": moment} for how in ("gte", "lte")]
        attempts: tuple[list[dict[str, Any]], ...] = ([same_name, since], [*same_moment, since])
        for conditions in attempts:
            rows = [each async for each in self._query(doing, conditions) if each.get(DISCOVERED) == moment]
            if rows:
                rows.sort(key=lambda each: (each.get("create_date") or 0, each.get("id") or 0))
                return [self._record(doing, each) for each in rows]
        return []

    async def _query(self, doing: str, conditions: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        url, seen = self._url(doing, "incidents", "query_paged"), 0
        for _ in range(PAGES):
            asked = {
                "start": seen,
                "length": PAGE,
                "filters": [{"conditions": conditions}],
                "sorts": [{"field_name": "create_date", "type": "desc"}],
            }
            params = {"return_level": "full"}
            page = (await self.call(doing, "POST", url, effect=Effect.READS, params=params, payload=asked)).value
            rows = self.key(doing, page, "data")
            for row in rows:
                yield row
            seen += len(rows)
            total = page.get("recordsFiltered")
            if not rows or (seen >= total if isinstance(total, int) else len(rows) < PAGE):
                return
        raise self.trouble(doing, f"the answer has more than {PAGES} pages", code="bad_answer", permanent=True)

    async def test(self) -> str:
        doing = "test the connection"
        await self.call(doing, "GET", f"{self._root}/rest/session")
        url = self._url(doing, "types", "incident", "fields", "severity_code")
        severities = self.key(doing, (await self.call(doing, "GET", url)).value, "values")
        organisation = self._config["orgId"]
        return f"{self.label} accepted the API key; organization {organisation} has {len(severities)} severities."

    # Sub-actions

    async def _choices(self, doing: str, field: str) -> list[dict[str, str]]:
        url = self._url(doing, "types", "incident", "fields", field)
        rows = self.key(doing, (await self.call(doing, "GET", url)).value, "values")
        return [
            {"id": str(self.key(doing, each, "value")), "name": str(self.key(doing, each, "label"))} for each in rows
        ]

    async def _incident_types(self, params: NoParams) -> list[dict[str, str]]:
        return await self._choices("get incident types", "incident_type_ids")

    async def _severities(self, params: NoParams) -> list[dict[str, str]]:
        return await self._choices("get severities", "severity_code")

    async def _get_fields(self, params: NoParams) -> list[dict[str, Any]]:
        rows = await self._field_rows("get fields")
        return [{name: each.get(name) for name in KEPT_OF_A_FIELD} for each in rows]

    sub_actions = {
        "incidentTypes": SubAction(NoParams, _incident_types),
        "severity": SubAction(NoParams, _severities),
        "getFields": SubAction(NoParams, _get_fields),
    }

    async def _field_rows(self, doing: str) -> list[dict[str, Any]]:
        rows = (await self.call(doing, "GET", self._url(doing, "types", "incident", "fields"))).value
        if not isinstance(rows, list):
            raise self.trouble(doing, f"the answer of {self.label} is no list of fields", code="bad_answer")
        return [each for each in rows if isinstance(each, dict)]

    async def _fields_by_name(self, doing: str) -> dict[str, dict[str, Any]]:
        return {str(each.get("name")): each for each in await self._field_rows(doing)}

    def _checked_fields(
        self, doing: str, given: Mapping[str, Any], metadata: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        try:
            return checked_fields(given, metadata)
        except BadField as fault:
            raise self.trouble(doing, str(fault), code="configuration", permanent=True) from None


def _name(fields: Mapping[str, Any]) -> str:
    return cut(str(fields["name"]), NAME)


def _comment(text: str) -> dict[str, Any]:
    return {"text": {"format": "text", "content": text}}


def _with_replies(rows: list[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for each in rows:
        if isinstance(each, dict):
            found += [each, *_with_replies(each.get("children") or [])]
    return found


def _text_of(given: Any) -> str:
    """The words of a text, which comes as a string or with its format."""
    if not isinstance(given, dict):
        return to_text(given) if str(given).startswith('<div class="rte">') else str(given or "")
    content = str(given.get("content") or "")
    return to_text(content) if given.get("format") == "html" else content


def _field_name(field: Any) -> str:
    return str(field.get("name") if isinstance(field, dict) else field)


def _as_sent(name: str, value: Any) -> Any:
    """A value of an incident in the form in which it is sent: without the frame the server puts around HTML."""
    if name == "description" and isinstance(value, dict):
        content = re.sub(r'^<div class="rte">(.*)</div>$', r"\1", str(value.get("content") or ""), flags=re.DOTALL)
        return {"format": value.get("format"), "content": content}
    kind = BUILT_IN.get(name, "")
    plain = plain_ids(kind, value)
    if kind == "multiselect" and isinstance(plain, list):
        return [{"id": each} for each in plain] or None
    return {"id": plain} if kind == "select" and plain is not None else plain


def _time(ms: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC) if isinstance(ms, int | float) else None
    except (OverflowError, ValueError, OSError):
        return None
