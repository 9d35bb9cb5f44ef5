"""A simulated Elasticsearch for alert sinks: `elasticsearch_app` builds it, `serve_elasticsearch` runs it.

It keeps documents, takes them one by one or in bulk, finds them by their ids, and is strict about sequence numbers.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from casebridge.sandbox.elasticsearch_docs import Doc, Fault, Shelves, Version, only
from casebridge.sandbox.faulty import ENTRY, SEARCH_LAG
from casebridge.sandbox.journal import wall_clock
from casebridge.sandbox.pages import Notice, RecordPages, Sheet
from casebridge.sandbox.server import run, sandbox_app
from casebridge.sandbox.system import Call, Refusal, Step, System, reply

SANDBOX_USER, SANDBOX_PASSWORD = "casebridge", "sandbox-password"
SANDBOX_API_KEY = base64.b64encode(b"casebridge:sandbox-key").decode()
VERSION = "8.17.0"
MOST_HITS = 10_000

_TYPES = re.compile(r"application/(vnd\.elasticsearch\+)?(json|x-ndjson)$")
_ACTIONS = ("index", "create", "update", "delete")


def elasticsearch_app(
    user: str = SANDBOX_USER,
    password: str = SANDBOX_PASSWORD,
    api_key: str = SANDBOX_API_KEY,
    *,
    faults: Sequence[str] = (),
    now: Callable[[], datetime] = wall_clock,
) -> Starlette:
    """The ASGI app of a simulated Elasticsearch; `app.state.sandbox` is the `Elasticsearch` behind it.

    `api_key` as it stands in the header, the base64 of id and key. Raises BadFault.
    """
    return sandbox_app(Elasticsearch(user, password, api_key, faults, now))


def serve_elasticsearch(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    user: str = SANDBOX_USER,
    password: str = SANDBOX_PASSWORD,
    api_key: str = SANDBOX_API_KEY,
    faults: Sequence[str] = (),
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run a simulated Elasticsearch until a signal asks to stop; `ready` is called with its base URL once it listens.

    Port 0 picks a free one. Raises BadFault, and OSError when the address cannot be had.
    """
    run(elasticsearch_app(user, password, api_key, faults=faults), host, port, ready)


class Elasticsearch(System):
    """One node, as far as alerts need it."""

    def __init__(
        self, user: str, password: str, api_key: str, faults: Sequence[str], now: Callable[[], datetime]
    ) -> None:
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._accepted = (f"Basic {basic}", f"ApiKey {api_key}")
        connect = (
            ("alert_sink_url", "{base}"),
            ("alert_sink_username", user),
            ("alert_sink_password", "the one the sandbox was started with"),
            ("or alert_sink_api_key", "likewise"),
        )
        self.notice = Notice("Elasticsearch", "document", "documents", "/_view/{id}", connect)
        self.shelves = Shelves()
        super().__init__(faults, now)

    def steps(self) -> Sequence[Step]:
        document = "/{index}/_doc/{id}"
        return (
            Step("banner", "GET", "/", self._banner),
            Step("bulk", "POST", "/_bulk", self._bulk),
            Step("bulk", "PUT", "/_bulk", self._bulk),
            Step("bulk", "POST", "/{index}/_bulk", self._bulk),
            Step("search", "GET", "/_search", self._search),
            Step("search", "POST", "/_search", self._search),
            Step("search", "GET", "/{index}/_search", self._search),
            Step("search", "POST", "/{index}/_search", self._search),
            Step("index", "PUT", document, self._put),
            Step("index", "POST", document, self._put),
            Step("get", "GET", document, self._get),
            Step("delete", "DELETE", document, self._delete),
            Step("alias", "PUT", "/{index}/_alias/{alias}", self._alias),
        )

    # Who comes in, and what is refused

    def check(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        if not any(hmac.compare_digest(given, each.encode()) for each in self._accepted):
            raise self.refusal(401)

    def refusal(self, status: int) -> Refusal:
        kinds = {401: "security_exception", 403: "security_exception", 429: "circuit_breaking_exception"}
        reasons = {401: "unable to authenticate with provided credentials", 404: "no handler found for uri"}
        kind = kinds.get(status, "illegal_argument_exception" if status < 500 else "exception")
        return refused(Fault(status, kind, reasons.get(status, "this fault was asked for")))

    def record_of(self, params: dict[str, Any]) -> str | None:
        return f"{params['index']}:{params['id']}" if "id" in params and "index" in params else None

    def _answer(self, step: Step, request: Request, body: bytes) -> Response:
        """Gate and rules. Runs without a pause, so nothing interleaves."""
        try:
            self.check(request)
            payload = _decoded(request, body, lines=step.name == "bulk")
            entry, lag = request.scope[ENTRY], request.scope[SEARCH_LAG]
            call = Call(request.path_params, dict(request.query_params), payload, entry, self.now(), lag)
            status, value = step.answer(call)
            return _product(reply(value, status))
        except Refusal as refusal:
            challenge = {"WWW-Authenticate": 'Basic realm="security", ApiKey'} if refusal.status == 401 else {}
            return _product(reply(refusal.body, refusal.status, challenge))
        except Fault as fault:
            return _product(reply(refused(fault).body, fault.status))

    # Documents

    def _banner(self, call: Call) -> Any:
        return 200, {
            "name": "sandbox",
            "cluster_name": "casebridge-sandbox",
            "cluster_uuid": "c2FuZGJveC1jYXNlYnJpZGdl",
            "version": {"number": VERSION, "build_flavor": "default", "lucene_version": "9.12.0"},
            "tagline": "You Know, for Search",
        }

    def _put(self, call: Call) -> Any:
        create, refresh = call.query.get("op_type") == "create", _refreshes(call)
        index, id_ = call.params["index"], call.params["id"]
        doc, is_new = self.shelves.put(index, id_, _object(call.payload), call.now, create=create, refresh=refresh)
        if is_new:
            self.journal.created("document", f"{doc.index}:{doc.id}", call.entry, call.now)
        return (201, _shown(doc, "created")) if is_new else (200, _shown(doc, "updated"))

    def _get(self, call: Call) -> Any:
        index, id_ = call.params["index"], call.params["id"]
        doc = self.shelves.get(index, id_)
        if doc is None:
            return 404, {"_index": index, "_id": id_, "found": False}
        return 200, {**_numbers(doc, doc.now), "_version": doc.now.number, "found": True, "_source": doc.now.source}

    def _delete(self, call: Call) -> Any:
        index, id_ = call.params["index"], call.params["id"]
        was_there = self.shelves.delete(index, id_)
        result = "deleted" if was_there else "not_found"
        return (200 if was_there else 404), {"_index": index, "_id": id_, "result": result}

    def _alias(self, call: Call) -> Any:
        self.shelves.alias(call.params["index"], call.params["alias"])
        return 200, {"acknowledged": True}

    def _search(self, call: Call) -> Any:
        asked = _object(call.payload) if call.payload is not None else {}
        query = asked.get("query")
        ids = query.get("ids", {}).get("values") if isinstance(query, dict) and set(query) == {"ids"} else None
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            raise Fault(400, "parsing_exception", "the sandbox knows no query but ids, with a list of values")
        size = asked.get("size", 10)
        if not isinstance(size, int) or not 0 <= size <= MOST_HITS:
            raise Fault(400, "illegal_argument_exception", f"Result window is too large, at most {MOST_HITS}")
        expression = call.params.get("index", "_all")
        try:
            found = self.shelves.search(expression, ids, call.now, call.search_lag_s)
        except Fault:
            if call.query.get("ignore_unavailable") != "true":
                raise
            found = []
        hits = [_hit(doc, version, asked) for doc, version in found[:size]]
        total = {"value": len(found), "relation": "eq"}
        shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
        best = 1.0 if hits else None
        return 200, {
            "took": 1, "timed_out": False, "_shards": shards, "hits": {"total": total, "max_score": best, "hits": hits},
        }  # fmt: skip

    def _bulk(self, call: Call) -> Any:
        items, at = [], 0
        while at < len(call.payload):
            action, target = _action(call.payload[at], at + 1)
            takes = action != "delete"
            if takes and at + 1 >= len(call.payload):
                raise Fault(400, "illegal_argument_exception", "Validation Failed: 1: no requests added;")
            source = call.payload[at + 1] if takes else None
            items.append({action: self._do(call, action, target, source)})
            at += 2 if takes else 1
        bad = any("error" in each for item in items for each in item.values())
        return 200, {"took": 1, "errors": bad, "items": items}

    def _do(self, call: Call, action: str, target: dict[str, Any], source: Any) -> dict[str, Any]:
        """One line of a bulk request; what is refused refuses nothing but itself."""
        index, id_ = target.get("_index", call.params.get("index")), target.get("_id")
        try:
            if not isinstance(index, str) or not isinstance(id_, str):
                raise Fault(400, "illegal_argument_exception", "the sandbox wants _index and _id")
            return self._done(call, action, index, id_, target, source)
        except Fault as fault:
            return {"_index": index, "_id": id_, "status": fault.status, "error": fault.error}

    def _done(
        self, call: Call, action: str, index: str, id_: str, target: dict[str, Any], source: Any
    ) -> dict[str, Any]:
        refresh = _refreshes(call)
        if action == "delete":
            was_there = self.shelves.delete(index, id_)
            status, result = (200, "deleted") if was_there else (404, "not_found")
            return {"_index": index, "_id": id_, "status": status, "result": result}
        if action == "update":
            partial = source.get("doc") if isinstance(source, dict) else None
            if not isinstance(partial, dict):
                raise Fault(
                    400, "action_request_validation_exception", "Validation Failed: 1: script or doc is missing;"
                )
            guard = (int(target["if_seq_no"]), int(target.get("if_primary_term", 0))) if "if_seq_no" in target else None
            doc, changed = self.shelves.update(index, id_, partial, call.now, guard, refresh=refresh)
            return {**_shown(doc, "updated" if changed else "noop"), "status": 200}
        create = action == "create"
        doc, is_new = self.shelves.put(index, id_, _object(source), call.now, create=create, refresh=refresh)
        if is_new:
            self.journal.created("document", f"{doc.index}:{doc.id}", call.entry, call.now)
        return {**_shown(doc, "created" if is_new else "updated"), "status": 201 if is_new else 200}

    # For pages and tests

    def pages(self) -> list[Route]:
        """For browsers: a client that asks for JSON gets the banner at the same address."""
        shown = RecordPages(self.notice, self.sheets, lambda: self.journal, self.faults).routes()
        return [_ForBrowsers(each.path, each.endpoint, methods=["GET"], name=each.name) for each in shown]

    def sheets(self) -> list[Sheet]:
        return [sheet_of(each) for each in self.shelves.docs]

    def state(self, request: Request) -> dict[str, Any]:
        documents = [
            {"index": each.index, "id": each.id, "version": each.now.number, "source": each.now.source}
            for each in self.shelves.docs
        ]
        return {"system": "elasticsearch", "documents": documents, "counts": self.journal.counts(("document",))}

    def clear(self) -> None:
        self.shelves = Shelves()


class _ForBrowsers(Route):
    """A route that only those take who ask for HTML."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        accept = dict(scope.get("headers", ())).get(b"accept", b"")
        return super().matches(scope) if b"text/html" in accept else (Match.NONE, {})


def _decoded(request: Request, body: bytes, *, lines: bool) -> Any:
    """The JSON of a body, one value a line for a bulk request; None without a body."""
    if not body and not lines:
        return None
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _TYPES.match(given):
        raise Refusal(406, {"error": f"Content-Type header [{given}] is not supported", "status": 406})
    if lines and not body.strip():
        raise Fault(400, "parse_exception", "request body is required")
    if lines and not body.endswith(b"\n"):
        raise Fault(400, "illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]")
    try:
        if lines:
            return [msgspec.json.decode(each) for each in body.splitlines() if each.strip()]
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Fault(400, "parse_exception", "the body is not JSON") from None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Fault(400, "parse_exception", "request body is required")
    return value


def _action(line: Any, number: int) -> tuple[str, dict[str, Any]]:
    """The action of a bulk line and its target."""
    if isinstance(line, dict) and len(line) == 1:
        ((action, target),) = line.items()
        if action in _ACTIONS and isinstance(target, dict):
            return action, target
    raise Fault(400, "illegal_argument_exception", f"Malformed action/metadata line [{number}]")


def _refreshes(call: Call) -> bool:
    return call.query.get("refresh", "false") in ("", "true", "wait_for")


def _numbers(doc: Doc, version: Version) -> dict[str, Any]:
    return {"_index": doc.index, "_id": doc.id, "_seq_no": version.seq_no, "_primary_term": 1}


def _shown(doc: Doc, result: str) -> dict[str, Any]:
    """What a write answers."""
    shards = {"total": 1, "successful": 1, "failed": 0}
    return {**_numbers(doc, doc.now), "_version": doc.now.number, "result": result, "_shards": shards}


def _hit(doc: Doc, version: Version, asked: dict[str, Any]) -> dict[str, Any]:
    wanted = asked.get("_source", True)
    source = (
        only(version.source, [wanted] if isinstance(wanted, str) else wanted) if wanted not in (True, False) else {}
    )
    hit = {"_index": doc.index, "_id": doc.id, "_score": 1.0}
    if asked.get("seq_no_primary_term"):
        hit |= {"_seq_no": version.seq_no, "_primary_term": 1}
    return hit if wanted is False else {**hit, "_source": version.source if wanted is True else source}


def refused(fault: Fault) -> Refusal:
    """A refusal in the shape of the errors there."""
    return Refusal(fault.status, {"error": {"root_cause": [fault.error], **fault.error}, "status": fault.status})


def _product(response: Response) -> Response:
    """Clients look for this header before they believe that it is Elasticsearch."""
    response.headers["X-Elastic-Product"] = "Elasticsearch"
    return response


def sheet_of(doc: Doc) -> Sheet:
    """A document as a page shows it."""
    text = msgspec.json.format(msgspec.json.encode(doc.now.source), indent=2).decode()
    status = _status(doc.now.source)
    tones = {"acknowledged": "indeterminate", "closed": "done"}
    return Sheet(
        id=f"{doc.index}:{doc.id}",
        name=doc.id,
        title=doc.index,
        status=status,
        tone=tones.get(status, ""),
        labels=(),
        text=text,
        facts=[("Version", str(doc.now.number)), ("Sequence number", str(doc.now.seq_no))],
        created=doc.versions[0].at,
        updated=doc.now.at,
        remarks=(),
    )


def _status(source: dict[str, Any]) -> str:
    """The workflow status, dotted or nested, new or old."""
    for path in (("kibana.alert.workflow_status",), ("kibana", "alert", "workflow_status"), ("signal", "status")):
        value: Any = source
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str):
            return value
    return ""
