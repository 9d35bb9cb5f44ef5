"""TheHive 5, by version 1 of its API (contract external/thehive.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from casebridge.connectors.base import CommentGone, ConnectorType, ExternalComment, InvalidParams, Record, SubAction
from casebridge.connectors.fields import ChoiceField, SecretField, TextField, UrlField
from casebridge.connectors.http import Answer, Effect
from casebridge.connectors.registry import register

TITLE = 512
TAG = 128
PAGE = 50
COMMENT_PAGE = 25
"""Comments are long: so many of them stay below the limit of an answer."""
PAGES = 400
OUR_MARK, THEIR_MARK = "casebridge-", "casebridge:"


class TheHiveIncident(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent to TheHive."""

    title: str
    description: str
    severity: int | float | None = None
    tlp: int | float | None = None
    tags: list[str] | None = None

    def __post_init__(self) -> None:
        self.severity, self.tlp = _whole(self.severity), _whole(self.tlp)


def _whole(number: int | float | None) -> int | float | None:
    """2.0 is 2: TheHive takes whole numbers only."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


class ByExternalId(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Params that name a case."""

    external_id: str


class NewAlert(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Params of `createAlert`. `body` is the JSON text of an object with more fields of the alert."""

    title: str
    description: str
    type: str
    source: str
    source_ref: str
    severity: int | None = None
    tlp: int | None = None
    tags: list[str] | None = None
    body: str | None = None
    is_rule_severity: bool | None = None


@register
class TheHive(ConnectorType):
    """An organisation of a TheHive. The marker is a tag; cases are found by it, comments by their text."""

    type_id = ".thehive"
    label = "TheHive"
    minimum_license_required = "platinum"
    supported_feature_ids = ("alerting", "siem", "uptime", "cases")
    config = (
        UrlField("url", "URL"),
        TextField("organisation", "Organisation", required=False, nullable=True, default=None),
    )
    secrets = (SecretField("apiKey", "API key"),)
    settings = (
        ChoiceField("edited_comments", "Edited comments", required=False, default="edit", choices=("edit", "append")),
    )
    incident = TheHiveIncident
    can_find_incidents = True
    can_list_comments = True
    can_edit_comments = True

    # Where, and as whom

    @property
    def _base(self) -> str:
        return str(self._config["url"]).removesuffix("/")

    def _url(self, doing: str, *segments: str) -> str:
        return "/".join([f"{self._base}/api/v1", *(self.segment(doing, each) for each in segments)])

    def headers(self) -> dict[str, str]:
        organisation = self._config.get("organisation")
        if organisation is None:
            return {}
        return {"x-organisation": self._as_header("the organisation", str(organisation))}

    def credentials(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._as_header('the secret apiKey', str(self._secrets['apiKey']))}"}

    def _as_header(self, what: str, value: str) -> str:
        if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
            text = f"{what} holds characters that a header cannot have"
            raise self.trouble("sign in", text, code="configuration", permanent=True)
        return value

    # What an answer says

    def own_words(self, answer: Answer) -> str | None:
        body = answer.value
        if not isinstance(body, dict) or "type" not in body:
            return None
        said = body.get("message")
        if said is None and isinstance(body.get("errors"), list):
            said = ", ".join(_fault_of(each) for each in body["errors"])
        return f"API Error: {body['type']} - {said}" if said else f"API Error: {body['type']}"

    def login_trouble(self, answer: Answer) -> str | None:
        return "the credentials were not accepted" if answer.status == 401 else None

    # Single calls of a push

    async def create(self, fields: dict[str, Any], marker: str) -> str:
        doing = "create incident"
        payload = self.outgoing(fields, marker)
        answer = await self.call(doing, "POST", self._url(doing, "case"), effect=Effect.ADDS, payload=payload)
        return str(self.key(doing, answer.value, "_id", Effect.ADDS))

    async def update(self, external_id: str, fields: dict[str, Any], marker: str) -> None:
        doing = "update incident"
        url, payload = self._url(doing, "case", external_id), self.outgoing(fields, marker)
        await self.call(doing, "PATCH", url, effect=Effect.OVERWRITES, payload=payload, needs_body=False)

    def outgoing(self, fields: dict[str, Any], marker: str) -> dict[str, Any]:
        named = {
            "title": _cut(fields["title"], TITLE),
            "description": fields["description"],
            "severity": fields.get("severity"),
            "tlp": fields.get("tlp"),
            "tags": _tags(fields.get("tags"), marker),
        }
        return {name: value for name, value in named.items() if value is not None}

    def present(self, record: Record, names: Iterable[str]) -> dict[str, Any]:
        return {name: record.raw.get(name) for name in names}

    async def read(self, external_id: str) -> Record:
        doing = "get incident"
        case = (await self.call(doing, "GET", self._url(doing, "case", external_id))).value
        return self._record(doing, case)

    async def as_pushed(self, external_id: str, fields: dict[str, Any]) -> Record:
        """No call: the title is the one just sent, and the address follows from the id."""
        return Record(external_id, _cut(fields["title"], TITLE), self._page(external_id), {})

    def _record(self, doing: str, case: Any) -> Record:
        id_ = str(self.key(doing, case, "_id"))
        return Record(id_, str(self.key(doing, case, "title")), self._page(id_), case)

    def _page(self, id_: str) -> str:
        shown = re.sub(r"//[^/@]*@", "//", self._base)
        return f"{shown}/cases/{id_}/details"

    async def add_comment(self, external_id: str, text: str) -> str | None:
        if not text.strip():
            return None
        doing = "create comment"
        url = self._url(doing, "case", external_id, "comment")
        answer = await self.call(doing, "POST", url, effect=Effect.ADDS, payload={"message": text})
        return str(self.key(doing, answer.value, "_id", Effect.ADDS))

    async def edit_comment(self, external_id: str, comment_external_id: str, text: str) -> None:
        doing, effect = "update comment", Effect.OVERWRITES
        url, payload = self._url(doing, "comment", comment_external_id), {"message": text}
        answer = await self.call(
            doing, "PATCH", url, effect=effect, payload=payload, needs_body=False, may_be_missing=True
        )
        if answer.status == 404:
            gone = self.refusal(doing, answer, effect)
            raise CommentGone(gone.message, code=gone.code, permanent=True, status=404)

    async def list_comments(self, external_id: str) -> list[ExternalComment]:
        doing = "get comments"
        case = {"_name": "getCase", "idOrName": external_id}
        rows = await self._rows(doing, [case, {"_name": "comments"}], COMMENT_PAGE)
        return [ExternalComment(str(self.key(doing, each, "_id")), str(each.get("message") or "")) for each in rows]

    async def find_incidents(self, marker: str, sent: Mapping[str, Any] | None = None) -> list[Record]:
        doing, tag = "find incidents", _tag(marker)
        marked = {"_name": "filter", "_eq": {"_field": "tags", "_value": tag}}
        rows = await self._rows(doing, [{"_name": "listCase"}, marked], PAGE)
        # A system that ignored the condition would hand us somebody else's case.
        return [self._record(doing, each) for each in rows if tag in self.key(doing, each, "tags")]

    async def _rows(self, doing: str, query: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
        """All rows of a query, oldest first."""
        url = self._url(doing, "query")
        found: dict[str, dict[str, Any]] = {}
        oldest_first = {"_name": "sort", "_fields": [{"_createdAt": "asc"}]}
        for _ in range(PAGES):
            page = {"_name": "page", "from": len(found), "to": len(found) + size}
            payload = {"query": [*query, oldest_first, page]}
            rows = (await self.call(doing, "POST", url, effect=Effect.READS, payload=payload)).value
            if not isinstance(rows, list):
                raise self.trouble(doing, f"the answer of {self.label} has no key [0]", code="bad_answer")
            known = len(found)
            for each in rows:
                found.setdefault(str(self.key(doing, each, "_id")), each)
            if len(found) == known:
                return list(found.values())
        raise self.trouble(doing, f"the answer has more than {PAGES} pages", code="bad_answer", permanent=True)

    async def test(self) -> str:
        doing = "test the connection"
        user = (await self.call(doing, "GET", self._url(doing, "user", "current"))).value
        login, organisation = self.key(doing, user, "login"), user.get("organisation")
        return f"TheHive accepted the credentials of {login} in the organisation {organisation or 'of its choice'}."

    # Sub-actions

    async def _incident(self, params: ByExternalId) -> dict[str, Any]:
        return dict((await self.read(params.external_id)).raw)

    async def _create_alert(self, params: NewAlert) -> None:
        doing = "create alert"
        given = msgspec.to_builtins(params)
        more = _parsed(given.pop("body"))
        del given["isRuleSeverity"]
        payload = {**more, **{name: value for name, value in given.items() if value is not None}}
        await self.call(doing, "POST", self._url(doing, "alert"), effect=Effect.ADDS, payload=payload)

    sub_actions = {
        "getIncident": SubAction(ByExternalId, _incident),
        "createAlert": SubAction(NewAlert, _create_alert),
    }


def _parsed(body: str | None) -> dict[str, Any]:
    if body is None or not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except ValueError:
        raise InvalidParams("subActionParams.body", "expected the JSON text of an object.") from None


def _fault_of(fault: Any) -> str:
    """One of the errors of an answer that has several."""
    if not isinstance(fault, dict):
        return str(fault)
    return str(fault.get("message") or " ".join(str(fault[name]) for name in ("name", "type") if name in fault))


def _cut(text: str, most: int) -> str:
    """A text of at most `most` characters; one that had to be cut says so at its end."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _tag(marker: str) -> str:
    """Our mark in TheHive's own form: `casebridge:` and the case id."""
    return f"{THEIR_MARK}{marker.removeprefix(OUR_MARK)}"


def _tags(tags: list[str] | None, marker: str) -> list[str] | None:
    """The tags with the marker among them; None when there is nothing to say about tags."""
    if tags is None and not marker:
        return None
    mark = [_tag(marker)] if marker else []
    return list(dict.fromkeys([*(_cut(each, TAG) for each in tags or ()), *mark]))
