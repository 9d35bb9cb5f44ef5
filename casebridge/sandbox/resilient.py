"""A simulated IBM Resilient over real HTTP: `resilient_app` builds it, `serve_resilient` runs it.

It knows the calls that a connector needs, refuses what Resilient would refuse, and rewrites HTML as Resilient does.
"""

from __future__ import annotations

import base64
import hmac
import html
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from casebridge.sandbox.journal import wall_clock
from casebridge.sandbox.pages import Notice, Remark, Sheet
from casebridge.sandbox.resilient_fields import BUILT_IN, FIELDS, BadValue, column, matches, plain, to_plain
from casebridge.sandbox.server import run, sandbox_app
from casebridge.sandbox.system import Call, Refusal, Step, System

SANDBOX_ORG = "201"
SANDBOX_KEY_ID = "sandbox-key"
SANDBOX_KEY_SECRET = "sandbox-secret"  # noqa: S105 (opens nothing but the sandbox)
FIRST_INCIDENT = 2_101
FIRST_COMMENT = 501
UNLISTED = ("id", "name", "description", "properties", "create_date", "inc_last_modified_date")
"""Keys of an incident that its page shows in places of their own."""


def resilient_app(
    org_id: str = SANDBOX_ORG,
    api_key_id: str = SANDBOX_KEY_ID,
    api_key_secret: str = SANDBOX_KEY_SECRET,
    *,
    faults: Sequence[str] = (),
    now: Callable[[], datetime] = wall_clock,
) -> Starlette:
    """The ASGI app of a simulated Resilient; `app.state.sandbox` is the `Resilient` behind it. Raises BadFault."""
    return sandbox_app(Resilient(org_id, api_key_id, api_key_secret, faults, now))


def serve_resilient(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    org_id: str = SANDBOX_ORG,
    api_key_id: str = SANDBOX_KEY_ID,
    api_key_secret: str = SANDBOX_KEY_SECRET,
    faults: Sequence[str] = (),
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run a simulated Resilient until a signal asks to stop; `ready` is called with its base URL once it listens.

    Port 0 picks a free one. Raises BadFault, and OSError when the address cannot be had.
    """
    run(resilient_app(org_id, api_key_id, api_key_secret, faults=faults), host, port, ready)


class Resilient(System):
    """One organisation. Incidents are kept as the API shows them, with `comments` beside."""

    def __init__(
        self, org_id: str, key_id: str, key_secret: str, faults: Sequence[str], now: Callable[[], datetime]
    ) -> None:
        self.org_id, self._pair = org_id, f"{key_id}:{key_secret}"
        connect = (
            ("URL", "{base}"),
            ("Organization ID", org_id),
            ("API key ID", key_id),
            ("API key secret", "the one the sandbox was started with"),
        )
        self.notice = Notice("IBM Resilient", "incident", "incidents", "/records/{id}", connect)
        self.incidents: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self._comment_count = 0
        super().__init__(faults, now)

    def steps(self) -> Sequence[Step]:
        org = "/rest/orgs/{org}"
        incident = f"{org}/incidents/{{incident}}"
        return (
            Step("session", "GET", "/rest/session", self._session),
            Step("search", "POST", f"{org}/incidents/query_paged", self._search),
            Step("create", "POST", f"{org}/incidents", self._create),
            Step("get", "GET", incident, self._get),
            Step("update", "PATCH", incident, self._update),
            Step("comment", "POST", f"{incident}/comments", self._comment),
            Step("list_comments", "GET", f"{incident}/comments", self._list_comments),
            Step("edit_comment", "PUT", f"{incident}/comments/{{comment}}", self._edit_comment),
            Step("fields", "GET", f"{org}/types/incident/fields", self._fields),
            Step("field", "GET", f"{org}/types/incident/fields/{{field}}", self._field),
        )

    # Who comes in, and what is refused

    def check(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        expected = base64.b64encode(self._pair.encode()).decode()
        if scheme.lower() != "basic" or not hmac.compare_digest(given.encode(), expected.encode()):
            raise self.refusal(401)
        if request.path_params.get("org", self.org_id) != self.org_id:
            raise refused(403, "You do not have access to this organization.")

    def refusal(self, status: int) -> Refusal:
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unnamed status"
        return refused(status, f"{phrase} (simulated).")

    def record_of(self, params: dict[str, Any]) -> str | None:
        return params.get("incident")

    # Incidents

    def _session(self, call: Call) -> Any:
        return {"orgs": [{"id": int(self.org_id), "name": "Sandbox", "enabled": True}], "user_email": None}

    def _create(self, call: Call) -> Any:
        given = dict(call.payload)
        for name in ("name", "discovered_date"):
            if given.get(name) in (None, ""):
                raise refused(400, f"The required field {name} is missing.")
        properties = given.pop("properties", None) or {}
        values = [
            *((name, value, None) for name, value in given.items()),
            *((name, value, "properties") for name, value in properties.items()),
        ]
        incident: dict[str, Any] = dict.fromkeys(BUILT_IN)
        incident["properties"] = {each["name"]: None for each in FIELDS if each["prefix"] == "properties"}
        for name, value, prefix in values:
            self._set(incident, name, value, prefix)
        at = ms(call.now)
        id_ = FIRST_INCIDENT + len(self.incidents)
        incident |= {"id": id_, "create_date": at, "inc_last_modified_date": at, "plan_status": "A", "vers": 1}
        self.incidents[id_], self.comments[id_] = incident, []
        call.entry.record = str(id_)
        self.journal.created("incident", str(id_), call.entry, call.now)
        return self._wire(incident, call)

    def _set(self, incident: dict[str, Any], name: str, value: Any, prefix: str | None) -> None:
        field = column(name)
        if field is None or field["prefix"] != prefix or field["read_only"]:
            raise refused(400, f"The field {name} is not a field of an incident that can be set here.")
        try:
            kept = plain(field, value)
        except BadValue as fault:
            raise refused(400, str(fault)) from None
        (incident["properties"] if prefix else incident)[name] = kept

    def _incident(self, call: Call) -> dict[str, Any]:
        given = call.params["incident"]
        found = self.incidents.get(int(given)) if given.isdigit() else None
        if found is None:
            raise refused(404, f"Unable to find object with ID {given}")
        return found

    def _get(self, call: Call) -> Any:
        return self._wire(self._incident(call), call)

    def _wire(self, incident: dict[str, Any], call: Call) -> dict[str, Any]:
        """An incident with its texts as objects or as strings, as asked for."""
        asked = call.query.get("text_content_output_format", "default")
        shown = {**incident, "properties": dict(incident["properties"])}
        for each in FIELDS:
            place = shown["properties"] if each["prefix"] else shown
            if each["input_type"] == "textarea" and isinstance(place.get(each["name"]), dict):
                place[each["name"]] = text_shown(place[each["name"]], asked)
        return shown

    def _update(self, call: Call) -> Any:
        incident = self._incident(call)
        changes = call.payload.get("changes")
        if not isinstance(changes, list) or not changes:
            raise refused(400, "The changes are missing.")
        wanted, failures = [], []
        for change in changes:
            place, name, old, new = self._change(incident, change)
            if old != place.get(name):
                failures.append({"field": name, "your_original_value": old, "actual_current_value": place.get(name)})
            wanted.append((place, name, new))
        if failures:
            text = "The incident was changed by somebody else."
            return {"success": False, "title": None, "message": text, "hints": [], "field_failures": failures}
        for place, name, new in wanted:
            place[name] = new
        incident |= {"inc_last_modified_date": ms(call.now), "vers": incident["vers"] + 1}
        return {"success": True, "title": None, "message": None, "hints": [], "field_failures": []}

    def _change(self, incident: dict[str, Any], change: Any) -> tuple[dict[str, Any], str, Any, Any]:
        """Where a change belongs, the name of its field, and both its values."""
        given = change.get("field") if isinstance(change, dict) else None
        name = str(given.get("name") if isinstance(given, dict) else given)
        field = column(name)
        if field is None or field["read_only"]:
            raise refused(400, f"The field {name} cannot be changed.")
        place = incident["properties"] if field["prefix"] else incident
        try:
            return place, name, to_plain(field, change["old_value"]), to_plain(field, change["new_value"])
        except (BadValue, KeyError) as fault:
            raise refused(400, f"The change of {name} is not valid: {fault}") from None

    def _search(self, call: Call) -> Any:
        asked = call.payload
        start, length = asked.get("start", 0), min(asked.get("length", 50), 1_000)
        filters = asked.get("filters") or []
        seen_until = ms(call.now) - call.search_lag_s * 1000
        known = [each for each in self.incidents.values() if each["create_date"] <= seen_until]
        try:
            found = [each for each in known if not filters or any(all_match(each, one) for one in filters)]
        except BadValue as fault:
            raise refused(400, str(fault)) from None
        for sort in reversed(asked.get("sorts") or []):
            found.sort(key=lambda each: each.get(sort["field_name"]) or 0, reverse=sort.get("type") == "desc")
        data = [self._wire(each, call) for each in found[start : start + length]]
        return {"recordsTotal": len(known), "recordsFiltered": len(found), "data": data}

    # Comments

    def _text(self, call: Call) -> dict[str, Any]:
        given = call.payload.get("text")
        given = {"format": "text", "content": given} if isinstance(given, str) else given
        if not isinstance(given, dict) or not str(given.get("content") or "").strip():
            raise refused(400, "The text of the comment is missing.")
        return {"format": given.get("format") or "text", "content": str(given["content"])}

    def _comment(self, call: Call) -> Any:
        incident, text, at = self._incident(call), self._text(call), ms(call.now)
        comment: dict[str, Any] = {"id": FIRST_COMMENT + self._comment_count, "parent_id": None, "text": text}
        self._comment_count += 1
        comment |= {"create_date": at, "modify_date": at, "children": []}
        self.comments[incident["id"]].append(comment)
        self.journal.created("comment", str(comment["id"]), call.entry, call.now)
        return self._comment_wire(comment, call)

    def _comment_wire(self, comment: dict[str, Any], call: Call) -> dict[str, Any]:
        asked = call.query.get("text_content_output_format", "default")
        return {**comment, "text": text_shown(comment["text"], asked)}

    def _list_comments(self, call: Call) -> Any:
        incident = self._incident(call)
        return [self._comment_wire(each, call) for each in self.comments[incident["id"]]]

    def _edit_comment(self, call: Call) -> Any:
        incident, wanted = self._incident(call), call.params["comment"]
        for each in self.comments[incident["id"]]:
            if str(each["id"]) == wanted:
                each |= {"text": self._text(call), "modify_date": ms(call.now)}
                return self._comment_wire(each, call)
        raise refused(404, f"Unable to find object with ID {wanted}")

    # Fields

    def _fields(self, call: Call) -> Any:
        return list(FIELDS)

    def _field(self, call: Call) -> Any:
        found = column(call.params["field"])
        if found is None:
            raise refused(404, f"Unable to find field {call.params['field']}")
        return found

    # For pages and tests

    def sheets(self) -> list[Sheet]:
        return [self._sheet(each) for each in self.incidents.values()]

    def _sheet(self, incident: dict[str, Any]) -> Sheet:
        id_ = str(incident["id"])
        return Sheet(
            id=id_,
            name=id_,
            title=str(incident["name"]),
            status="Active",
            tone="new",
            labels=(),
            text=words((incident["description"] or {}).get("content") or ""),
            facts=[
                (name, str(value))
                for name, value in {**incident, **incident["properties"]}.items()
                if value not in (None, []) and name not in UNLISTED
            ],
            created=moment(incident["create_date"]),
            updated=moment(incident["inc_last_modified_date"]),
            remarks=[
                Remark(each["text"]["content"], moment(each["create_date"]), moment(each["modify_date"]))
                for each in self.comments[incident["id"]]
            ],
        )

    def state(self, request: Request) -> dict[str, Any]:
        incidents = [{**each, "comments": self.comments[each["id"]]} for each in self.incidents.values()]
        return {
            "system": "resilient",
            "incidents": incidents,
            "counts": self.journal.counts(("incident", "comment")),
        }

    def clear(self) -> None:
        self.incidents, self.comments, self._comment_count = {}, {}, 0


def refused(status: int, message: str) -> Refusal:
    """A refusal in the shape of Resilient's errors."""
    body: dict[str, Any] = {"success": False, "title": None, "message": message, "hints": [], "error_code": "generic"}
    return Refusal(status, {**body, "error_payload": None})


def ms(at: datetime) -> int:
    """A moment in milliseconds."""
    return int(at.timestamp() * 1000)


def moment(at_ms: int) -> datetime:
    """A moment from milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def text_shown(text: dict[str, Any], asked: str) -> Any:
    """A text as a string, or as an object when the caller asked for that."""
    return dict(text) if asked.startswith("objects") else text["content"]


def words(markup: str) -> str:
    """The words of a piece of HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<br\s*/?>|</(?:li|h\d|div)>", "\n", markup)))


def all_match(incident: dict[str, Any], one: Any) -> bool:
    """Whether an incident meets all conditions of a filter. Raises BadValue."""
    return all(matches(incident, each) for each in one.get("conditions") or [])
