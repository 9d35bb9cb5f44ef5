"""A simulated Swimlane over real HTTP: `swimlane_app` builds it, `serve_swimlane` runs it.

It has one application, knows the calls that a connector needs, and refuses what Swimlane would refuse.
"""

from __future__ import annotations

import hmac
import html
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from casebridge.sandbox.journal import wall_clock
from casebridge.sandbox.pages import Notice, Remark, Sheet
from casebridge.sandbox.server import run, sandbox_app
from casebridge.sandbox.system import Call, Refusal, Step, System

SANDBOX_APP = "aX3k"
SANDBOX_TOKEN = "sandbox-token"  # noqa: S105 (opens nothing but the sandbox)
ACRONYM = "ET"
COMMENTS = "ahu7v"


def _field(id_: str, key: str, name: str, kind: str = "text") -> dict[str, str]:
    return {"id": id_, "key": key, "name": name, "fieldType": kind}


FIELDS = (
    _field("a6ide", "case-id", "Case Id"),
    _field("adnlas", "case-name", "Case Name"),
    _field("a6fdf", "description", "Description"),
    _field(COMMENTS, "comments", "Comments", "comments"),
    _field("adnbd", "severity", "Severity"),
    _field("adnjs", "rule-name", "Rule Name"),
    _field("adbf4", "alert-id", "Alert Id"),
    _field("aq9no", "number", "Case Number", "numeric"),
)
"""The fields of the application; the case name is required."""
_BY_ID = {each["id"]: each for each in FIELDS}
_REQUIRED, _DESCRIPTION = "adnlas", "a6fdf"
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda held, value: bool(held == value),
    "doesNotEqual": lambda held, value: bool(held != value),
    "contains": lambda held, value: str(value) in str(held or ""),
    "excludes": lambda held, value: str(value) not in str(held or ""),
    "lessThan": lambda held, value: held is not None and bool(held < value),
    "greaterThan": lambda held, value: held is not None and bool(held > value),
    "lessThanOrEqual": lambda held, value: held is not None and bool(held <= value),
    "greaterThanOrEqual": lambda held, value: held is not None and bool(held >= value),
}


def swimlane_app(
    app_id: str = SANDBOX_APP,
    api_token: str = SANDBOX_TOKEN,
    *,
    faults: Sequence[str] = (),
    now: Callable[[], datetime] = wall_clock,
) -> Starlette:
    """The ASGI app of a simulated Swimlane; `app.state.sandbox` is the `Swimlane` behind it. Raises BadFault."""
    return sandbox_app(Swimlane(app_id, api_token, faults, now))


def serve_swimlane(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    app_id: str = SANDBOX_APP,
    api_token: str = SANDBOX_TOKEN,
    faults: Sequence[str] = (),
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run a simulated Swimlane until a signal asks to stop; `ready` is called with its base URL once it listens.

    Port 0 picks a free one. Raises BadFault, and OSError when the address cannot be had.
    """
    run(swimlane_app(app_id, api_token, faults=faults), host, port, ready)


def case_mappings() -> dict[str, Any]:
    """The `mappings` of a connector whose lost records can be found again: the case id has a field of its own."""
    of = {each["id"]: each for each in FIELDS}
    return {
        "caseIdConfig": of["a6ide"],
        "caseNameConfig": of["adnlas"],
        "descriptionConfig": of["a6fdf"],
        "commentsConfig": of[COMMENTS],
    }


class Swimlane(System):
    """One application. Records are kept as the API shows them."""

    def __init__(self, app_id: str, api_token: str, faults: Sequence[str], now: Callable[[], datetime]) -> None:
        self.app_id, self._token = app_id, api_token
        fields = ", ".join(f"{each['name']} {each['id']}" for each in FIELDS)
        connect = (
            ("URL", "{base}"),
            ("Application ID", app_id),
            ("API token", "the one the sandbox was started with"),
            ("Fields", fields),
        )
        self.notice = Notice("Swimlane", "record", "records", f"/record/{app_id}/{{id}}", connect)
        self.records: dict[str, dict[str, Any]] = {}
        super().__init__(faults, now)

    def steps(self) -> Sequence[Step]:
        record = "/api/app/{app}/record"
        return (
            Step("application", "GET", "/api/app/{app}", self._application),
            Step("create", "POST", record, self._create),
            Step("get_by_tracking_id", "GET", f"{record}/tracking/{{name}}", self._get_by_name),
            Step("get", "GET", f"{record}/{{record}}", self._get),
            Step("update", "PATCH", f"{record}/{{record}}", self._update),
            Step("comment", "POST", f"{record}/{{record}}/{{field}}/comment", self._comment),
            Step("search", "POST", "/api/search", self._search),
        )

    # Who comes in, and what is refused

    def check(self, request: Request) -> None:
        given = request.headers.get("private-token", "")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise self.refusal(401)
        if request.path_params.get("app", self.app_id) != self.app_id:
            raise refused(404, 2003, request.path_params["app"])

    def refusal(self, status: int) -> Refusal:
        return Refusal(401) if status == 401 else refused(status, -1, "simulated")

    def record_of(self, params: dict[str, Any]) -> str | None:
        return params.get("record")

    # Records

    def _application(self, call: Call) -> Any:
        return {"id": self.app_id, "name": "Sandbox", "acronym": ACRONYM, "fields": list(FIELDS)}

    def _values(self, call: Call) -> dict[str, Any]:
        """The values of a write, once it is known that they may stand there."""
        if call.payload.get("applicationId") != self.app_id:
            raise refused(400, 2003, str(call.payload.get("applicationId")))
        values = call.payload.get("values")
        if not isinstance(values, dict):
            raise refused(400, 5008, "values")
        for id_, value in values.items():
            field = _BY_ID.get(id_)
            if field is None or field["fieldType"] == "comments":
                raise refused(400, 3003, id_)
            wanted: Any = int | float if field["fieldType"] == "numeric" else str
            if value is not None and (isinstance(value, bool) or not isinstance(value, wanted)):
                raise refused(400, 5013, id_)
        return values

    def _create(self, call: Call) -> Any:
        values = self._values(call)
        if not values.get(_REQUIRED):
            raise refused(400, 5010, _REQUIRED)
        number, at = len(self.records) + 1, stamp(call.now)
        id_ = f"r{number:06d}x"
        record = {
            "id": id_,
            "applicationId": self.app_id,
            "name": f"{ACRONYM}-{number}",
            "values": dict(values),
            "comments": {},
            "createdDate": at,
            "modifiedDate": at,
        }
        self.records[id_] = record
        call.entry.record = id_
        self.journal.created("record", id_, call.entry, call.now)
        return record

    def _record(self, call: Call) -> dict[str, Any]:
        found = self.records.get(call.params["record"])
        if found is None:
            raise refused(404, 3002, call.params["record"])
        return found

    def _get(self, call: Call) -> Any:
        return self._record(call)

    def _get_by_name(self, call: Call) -> Any:
        found = next((each for each in self.records.values() if each["name"] == call.params["name"]), None)
        if found is None:
            raise refused(404, 3002, call.params["name"])
        return found

    def _update(self, call: Call) -> Any:
        record, values = self._record(call), self._values(call)
        if call.payload.get("id") != record["id"]:
            raise refused(400, 3002, str(call.payload.get("id")))
        changed = {**record["values"], **values}
        if not changed.get(_REQUIRED):
            raise refused(400, 5010, _REQUIRED)
        record |= {"values": changed, "modifiedDate": stamp(call.now)}
        return record

    def _comment(self, call: Call) -> None:
        record, field, given = self._record(call), call.params["field"], call.payload
        if _BY_ID.get(field, {}).get("fieldType") != "comments" or given.get("fieldId") != field:
            raise refused(400, 3003, field)
        if not isinstance(given.get("message"), str) or not given["message"].strip():
            raise refused(400, 5010, "message")
        try:
            datetime.fromisoformat(str(given.get("createdDate")))
        except ValueError:
            raise refused(400, 3001, "createdDate") from None
        kept = {name: given.get(name) for name in ("message", "createdDate", "isRichText")}
        notes = record["comments"].setdefault(field, [])
        notes.append({**kept, "createdByUser": {"name": "sandbox"}})
        self.journal.created("comment", str(len(notes)), call.entry, call.now)

    def _search(self, call: Call) -> Any:
        asked = call.payload
        if self.app_id not in (asked.get("applicationIds") or []):
            raise refused(400, 2003, "applicationIds")
        seen_until = stamp(datetime.fromtimestamp(call.now.timestamp() - call.search_lag_s, call.now.tzinfo))
        known = [each for each in self.records.values() if each["createdDate"] <= seen_until]
        found = [each for each in known if all(self._meets(each, one) for one in asked.get("filters") or [])]
        size, page = int(asked.get("pageSize") or 50), int(asked.get("offset") or 0)
        rows = found[page * size : (page + 1) * size]
        return {"count": len(found), "offset": page, "results": {self.app_id: rows} if rows else {}}

    def _meets(self, record: dict[str, Any], one: dict[str, Any]) -> bool:
        test = _OPERATORS.get(str(one.get("filterType")))
        if test is None or one.get("fieldId") not in _BY_ID:
            raise refused(400, 4001, str(one.get("fieldId")))
        return test(record["values"].get(one["fieldId"]), one.get("value"))

    # For pages and tests

    def sheets(self) -> list[Sheet]:
        return [sheet_of(each) for each in self.records.values()]

    def state(self, request: Request) -> dict[str, Any]:
        counts = self.journal.counts(("record", "comment"))
        return {"system": "swimlane", "records": list(self.records.values()), "counts": counts}

    def clear(self) -> None:
        self.records = {}


def sheet_of(record: dict[str, Any]) -> Sheet:
    """A record as the pages show it."""
    values = record["values"]
    notes = record["comments"].get(COMMENTS, [])
    return Sheet(
        id=record["id"],
        name=record["name"],
        title=str(values.get(_REQUIRED)),
        status="",
        tone="",
        labels=(),
        text=str(values.get(_DESCRIPTION) or ""),
        facts=[
            (_BY_ID[key]["name"], str(value)) for key, value in values.items() if key not in (_REQUIRED, _DESCRIPTION)
        ],
        created=datetime.fromisoformat(record["createdDate"]),
        updated=datetime.fromisoformat(record["modifiedDate"]),
        remarks=[Remark(words(each["message"]), at, at) for each in notes for at in [_moment(each["createdDate"])]],
    )


def _moment(text: str) -> datetime:
    """When a caller says that a comment was made; without an offset it is taken for UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def refused(status: int, code: int, argument: str) -> Refusal:
    """A refusal in the shape of Swimlane's errors."""
    return Refusal(status, {"ErrorCode": code, "Argument": argument})


def stamp(at: datetime) -> str:
    """A moment as Swimlane writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def words(markup: str) -> str:
    """The words of a piece of HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<br\s*/?>", "\n", markup)))
