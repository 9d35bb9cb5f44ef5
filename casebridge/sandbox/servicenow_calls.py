"""The calls of the simulated ServiceNow: rows of tables, import sets, applications, and what is looked up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from starlette.datastructures import QueryParams
from starlette.responses import Response

from casebridge.sandbox import servicenow_catalogue as catalogue
from casebridge.sandbox.journal import Entry
from casebridge.sandbox.servicenow_answers import NO_RESOURCE, Refusal, missing, reply, result
from casebridge.sandbox.servicenow_query import select
from casebridge.sandbox.servicenow_state import Book, Row, shown, time_text

MOST = 10_000
OBSERVABLE_TYPES = frozenset({"ipv4-addr", "URL", "SHA256"})
STAMPS = ("sys_id", "sys_created_on", "sys_updated_on", "sys_created_by", "sys_updated_by", "sys_mod_count")


@dataclass
class Desk:
    """One simulated ServiceNow. `book` is replaced by a reset; `applications` are the scopes that are installed."""

    username: str
    applications: frozenset[str]
    book: Book = field(default_factory=Book)
    strict_queries: bool = False


@dataclass(frozen=True)
class Call:
    """One request that has passed the gate. `base` is the address of the sandbox."""

    params: dict[str, str]
    query: QueryParams
    payload: Any
    entry: Entry
    base: str
    now: datetime
    path: str

    @property
    def is_v2(self) -> bool:
        """Whether version 2 of the Table API was asked."""
        return self.path.startswith("/api/now/v2/")

    @property
    def is_bulk(self) -> bool:
        """Whether the call is about many things at once."""
        return self.path.endswith("/bulk")

    def object(self) -> dict[str, Any]:
        """The body, if it is a JSON object. Raises Refusal."""
        if not isinstance(self.payload, dict):
            raise Refusal(400, "Exception while reading request", "The payload is not valid JSON")
        return self.payload


class Step(NamedTuple):
    """One call of the API. Several may share a name."""

    name: str
    method: str
    path: str
    answer: Callable[[Desk, Call], Response]


# Rows


def create(desk: Desk, call: Call) -> Response:
    row = new_row(desk, call, table_of(call), texts(call.object()))
    location = f"{call.base}/api/now/v2/table/{row.table}/{row.sys_id}"
    return result(as_shown(desk, call, row), 201, {"Location": location})


def get(desk: Desk, call: Call) -> Response:
    return result(as_shown(desk, call, row_of(desk, call)))


def update(desk: Desk, call: Call) -> Response:
    row = row_of(desk, call)
    change_row(desk, call, row, texts(call.object()))
    return result(as_shown(desk, call, row))


def delete(desk: Desk, call: Call) -> Response:
    del desk.book.rows[row_of(desk, call).sys_id]
    return Response(status_code=204)


def find(desk: Desk, call: Call) -> Response:
    table = table_of(call)
    rows = [shown(row, call.base, desk.username) for row in desk.book.rows.values() if row.table == table]
    return listed(desk, call, rows, {*catalogue.TABLES[table].columns, *STAMPS})


def new_row(desk: Desk, call: Call, table: str, given: dict[str, str]) -> Row:
    """A new row and the notes that came with it. Raises Refusal."""
    if not given.get("short_description", "").strip():
        text = "Data Policy Exception: The following fields are mandatory: Short description"
        raise Refusal(403, "Operation Failed", text)
    check_closing(table, {}, given)
    row = desk.book.add(table, call.now)
    call.entry.record = row.number
    desk.book.journal.created("incident", row.sys_id, call.entry, call.now)
    change_row(desk, call, row, given)
    row.mod_count = 0
    return row


def change_row(desk: Desk, call: Call, row: Row, given: dict[str, str]) -> bool:
    """Set columns and append notes; whether anything changed. Raises Refusal."""
    check_closing(row.table, row.values, given)
    columns = catalogue.TABLES[row.table].columns
    fitting = {name: value[: columns.get(name)] for name, value in given.items() if name not in ("number", *STAMPS)}
    before = row.mod_count
    for note in desk.book.change(row, fitting, call.now):
        desk.book.journal.created("note", note.sys_id, call.entry, call.now)
    return row.mod_count != before


def check_closing(table: str, held: dict[str, str], given: dict[str, str]) -> None:
    """A closed state needs both close fields. Raises Refusal."""
    after = {**held, **given}
    if after.get("state") in catalogue.TABLES[table].closed and not (
        after.get("close_code") and after.get("close_notes")
    ):
        text = "Data Policy Exception: The following fields are mandatory: Close code, Close notes"
        raise Refusal(403, "Operation Failed", text)


def table_of(call: Call) -> str:
    """The table named in the path. Raises Refusal."""
    table = call.params["table"]
    if table not in catalogue.TABLES:
        raise Refusal(400, f"Invalid table {table}")
    return table


def row_of(desk: Desk, call: Call) -> Row:
    """The row named in the path. Raises Refusal."""
    row = desk.book.find(table_of(call), call.params["sys_id"])
    if row is None:
        raise missing()
    return row


def as_shown(desk: Desk, call: Call, row: Row) -> dict[str, Any]:
    return trimmed(call, shown(row, call.base, desk.username))


def texts(given: dict[str, Any]) -> dict[str, str]:
    """Values as columns hold them: everything is a text, and null is none."""
    spelled = {True: "true", False: "false"}
    return {
        name: "" if value is None else spelled[value] if isinstance(value, bool) else str(value)
        for name, value in given.items()
    }


# Look-ups


def notes(desk: Desk, call: Call) -> Response:
    rows = [
        {
            "sys_id": note.sys_id,
            "element_id": note.element_id,
            "name": note.table,
            "element": note.element,
            "value": note.value,
            "sys_created_on": time_text(note.at),
            "sys_created_by": desk.username,
        }
        for note in desk.book.notes
    ]
    return listed(desk, call, rows, {"element_id", "name", "element", "value", *STAMPS})


def choices(desk: Desk, call: Call) -> Response:
    return listed(desk, call, list(catalogue.CHOICES), set(catalogue.CHOICES[0]))


def columns(desk: Desk, call: Call) -> Response:
    return listed(desk, call, list(catalogue.DICTIONARY), set(catalogue.DICTIONARY[0]))


def listed(desk: Desk, call: Call, rows: list[dict[str, Any]], known: set[str]) -> Response:
    """One page of the rows that the query finds. Version 1 answers 404 where there is none."""
    found = select(rows, call.query.get("sysparm_query", ""), known, strict=desk.strict_queries)
    if not found and not call.is_v2:
        raise missing()
    start = whole(call, "sysparm_offset", 0)
    page = found[start : start + whole(call, "sysparm_limit", MOST)]
    return result([trimmed(call, row) for row in page], headers={"X-Total-Count": str(len(found))})


def trimmed(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    """A row with the fields asked for, all if none are; references without their links if that is asked for."""
    wanted = [name for name in call.query.get("sysparm_fields", "").split(",") if name]
    kept = {name: row[name] for name in wanted if name in row} if wanted else row
    if call.query.get("sysparm_exclude_reference_link") == "true":
        return {name: {"value": value["value"]} if isinstance(value, dict) else value for name, value in kept.items()}
    return kept


def whole(call: Call, name: str, default: int) -> int:
    """A number from 0 in the query. Raises Refusal."""
    given = call.query.get(name, str(default))
    if not given.isdigit():
        raise Refusal(400, f"Invalid value {given} for {name}")
    return int(given)


# Applications


def health(desk: Desk, call: Call) -> Response:
    application = application_of(desk, call)
    return result({"name": "Elastic", "scope": application.scope, "version": "1.0.0"})


def import_row(desk: Desk, call: Call) -> Response:
    """Whatever goes wrong in the transformation is told inside a 201."""
    known = next((each for each in catalogue.APPLICATIONS if each.import_table == call.params["import_table"]), None)
    if known is None or known.scope not in desk.applications:
        raise Refusal(400, f"Invalid table {call.params['import_table']}")
    try:
        outcome = transformed(desk, call, known, call.object())
    except Refusal as refusal:
        if refusal.status == 400:
            raise
        outcome = {
            "transform_map": "Elastic Incident",
            "status": "error",
            "error_message": refusal.detail or refusal.message,
            "status_message": refusal.message,
        }
    return reply({"import_set": "ISET0010001", "staging_table": known.import_table, "result": [outcome]}, 201)


def transformed(desk: Desk, call: Call, application: catalogue.Application, given: dict[str, Any]) -> dict[str, Any]:
    """The row of the target table that an import makes or changes. Raises Refusal.

    Empty values are not copied, and columns of the staging table begin with `u_`.
    """
    table, sys_id = application.table, given.get("elastic_incident_id")
    known = {*catalogue.TABLES[table].columns, *catalogue.JOURNAL_FIELDS}
    values = {
        name if name in known else name.removeprefix("u_"): value
        for name, value in texts(given).items()
        if name.startswith("u_") and value
    }
    if sys_id:
        row = desk.book.find(table, str(sys_id))
        if row is None:
            raise missing()
        call.entry.record = row.number
        status = "updated" if change_row(desk, call, row, values) else "ignored"
    else:
        row, status = new_row(desk, call, table, values), "inserted"
    return {
        "transform_map": "Elastic Incident",
        "table": table,
        "display_name": "number",
        "display_value": row.number,
        "record_link": f"{call.base}/api/now/table/{table}/{row.sys_id}",
        "status": status,
        "sys_id": row.sys_id,
    }


def observables(desk: Desk, call: Call) -> Response:
    """Link observables to a security incident; one that is known is linked again, not copied."""
    application = application_of(desk, call)
    row = desk.book.find(application.table, call.params["sys_id"])
    if row is None or application.scope != "x_elas2_sir_int":
        raise missing()
    is_bulk = call.is_bulk
    given = call.payload if is_bulk else [call.payload]
    if not isinstance(given, list) or not all(is_observable(each) for each in given):
        text = "Expected an array of objects" if is_bulk else "Expected an object"
        raise Refusal(400, "Invalid observables", f"{text} with value and type (ipv4-addr, URL, SHA256)")
    answer = []
    for each in given:
        if each not in row.observables:
            row.observables.append(each)
            desk.book.journal.created("observable", each["value"], call.entry, call.now)
        place = row.observables.index(each)
        answer.append({"value": each["value"], "observable_sys_id": f"{row.sys_id[:24]}{place:08x}"})
    return result(answer if is_bulk else answer[0])


def is_observable(given: Any) -> bool:
    """Whether a value has the shape of an observable."""
    return (
        isinstance(given, dict)
        and given.keys() == {"value", "type"}
        and isinstance(given["value"], str)
        and given["type"] in OBSERVABLE_TYPES
    )


def application_of(desk: Desk, call: Call) -> catalogue.Application:
    """The application named in the path, if it is installed. Raises Refusal."""
    for each in catalogue.APPLICATIONS:
        if each.scope == call.params["scope"] and each.scope in desk.applications:
            return each
    raise Refusal(400, NO_RESOURCE)


def steps() -> tuple[Step, ...]:
    """Every call; the Table API in both versions."""
    tables = [
        ("find_notes", "GET", "/sys_journal_field", notes),
        ("choices", "GET", "/sys_choice", choices),
        ("fields", "GET", "/sys_dictionary", columns),
        ("find", "GET", "/{table}", find),
        ("create", "POST", "/{table}", create),
        ("get", "GET", "/{table}/{sys_id}", get),
        ("update", "PATCH", "/{table}/{sys_id}", update),
        ("update", "PUT", "/{table}/{sys_id}", update),
        ("delete", "DELETE", "/{table}/{sys_id}", delete),
    ]
    versions = ("/api/now/v2/table", "/api/now/table", "/api/now/v1/table")
    return (
        *(Step(name, method, f"{api}{path}", answer) for api in versions for name, method, path, answer in tables),
        Step("import", "POST", "/api/now/import/{import_table}", import_row),
        Step("health", "GET", "/api/{scope}/elastic_api/health", health),
        *(
            Step("observables", "POST", f"/api/{{scope}}/elastic_api/incident/{{sys_id}}/observables{end}", observables)
            for end in ("", "/bulk")
        ),
    )
