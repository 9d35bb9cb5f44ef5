"""Every route against what its OpenAPI document allows and forbids: no fault of ours, no answer beyond the document.

Made-up ids lead nowhere, so every other request is led to things that exist.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.calls import CASES, JIRA, NO_CONNECTOR, a_body
from tests.api.living import Living, living

EXAMPLES = 24
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
HEADERS = {
    "authorization": "Basic " + b64encode(b"admin:correct horse battery").decode(),
    "kbn-xsrf": "true",
}
REGION = {"key": "region", "label": "Region", "type": "text", "required": False}
ADDRESS = {"typeKey": "observable-type-ipv4", "value": "10.0.0.8", "description": None}
TRACKER = {
    "name": "Tracker",
    "connector_type_id": ".jira",
    "config": {"apiUrl": "http://127.0.0.1:9", "projectKey": "OPS"},
    "secrets": {"email": "a@example.org", "apiToken": "t"},
}


@pytest.fixture
def server(database_target: str, password_hash: str) -> Iterator[Living]:
    with living(database_target, password_hash) as opened:
        yield opened


class Known:
    """Things that exist: made anew for each route, since some routes delete them."""

    def __init__(self, server: Living, client: Any) -> None:
        self._server = server
        self._client = client
        body = {"connector": NO_CONNECTOR, "closure_type": "close-by-user", "owner": "cases", "customFields": [REGION]}
        configuration = self._ask("POST", f"{CASES}/configure", body)["id"]
        self.connector = self._ask("POST", "/api/actions/connector", TRACKER)["id"]
        self.case = self._ask("POST", CASES, a_body(connector=JIRA | {"id": self.connector}))["id"]
        comment = {"type": "user", "owner": "cases", "comment": "hello"}
        commented = self._ask("POST", f"{CASES}/{self.case}/comments", comment)
        observed = self._ask("POST", f"/internal/cases/{self.case}/observables", {"observable": ADDRESS})
        self._ask("POST", f"{CASES}/{self.case}/connector/{self.connector}/_push", None, status=424)
        self.ids = {
            "case_id": self.case,
            "comment_id": commented["comments"][0]["id"],
            "connector_id": self.connector,
            "configuration_id": configuration,
            "custom_field_id": REGION["key"],
            "observable_id": observed["observables"][0]["id"],
            "delivery_id": self._ask("GET", "/api/casebridge/deliveries?perPage=1", None)["deliveries"][0]["id"],
        }

    def lead(self, case: Any) -> None:
        """Let a request mean things that exist, at their present versions, and hold no blank text."""
        path, body = case.operation.path, case.body
        for name in case.path_parameters or {}:
            known = self.connector if "/actions/" in path else self.ids.get(name)
            if known is not None:
                case.path_parameters[name] = known
        if isinstance(body, dict):
            if path.startswith("/api/actions/") and "config" in body:
                body |= {key: value for key, value in TRACKER.items() if key in body and key != "name"}
            if path == CASES and case.method == "PATCH":
                self._lead_entry(body.get("cases"))
            self._settle(path, body)

    def _lead_entry(self, entries: Any) -> None:
        if isinstance(entries, list) and entries and isinstance(entries[0], dict):
            entries[0] |= {"id": self.case, "version": self._stored().get("version", "gone")}
            entries[0].pop("owner", None)
            del entries[1:]
            self._settle(CASES, entries[0])

    def _settle(self, path: str, body: dict[str, Any]) -> None:
        body.pop("customFields", None)
        if isinstance(body.get("owner"), str):
            body["owner"] = "cases"
        if isinstance(body.get("ids"), list):
            body["ids"] = [self.case, *map(str, body["ids"])]
        if "caseVersion" in body:
            body["caseVersion"] = self._stored().get("version", "gone")
        if "version" in body and path.endswith("/comments"):
            comments = self._stored().get("comments") or [{"version": "gone"}]
            body |= {"id": self.ids["comment_id"], "version": comments[0]["version"]}
        if "version" in body and "configure" in path:
            mine = self._ask("GET", f"{CASES}/configure?owner=cases", None)
            body["version"] = mine[0]["version"] if mine else "gone"
        for key in ("title", "description", "comment", "category"):
            if isinstance(body.get(key), str) and not body[key].strip():
                body[key] = "something"
        if isinstance(body.get("tags"), list):
            body["tags"] = [each for each in body["tags"] if each != ""]

    def _stored(self) -> Any:
        return self._ask("GET", f"{CASES}/{self.case}?includeComments=true", None, status=None)

    def _ask(self, method: str, path: str, body: Any, status: int | None = 200) -> Any:
        answer = self._server.run(self._client.request(method, path, json=body))
        assert status is None or answer.status_code == status, answer.text
        return answer.json()


@pytest.mark.slow
def test_no_request_leads_outside_the_document(server: Living, connect: Any) -> None:
    client = connect(server.app)
    document = json.loads(server.app.kernel.openapi_json)
    schema = schemathesis.openapi.from_dict(without_credentials(document))
    schema.app = server.bridge
    operations = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    assert len(operations) == sum(map(len, document["paths"].values()))

    for operation in operations:
        stay_inside(operation, Known(server, client))


def without_credentials(document: Any) -> Any:
    """The same document, so that credentials are not what is tried."""
    for each in (document, *(operation for path in document["paths"].values() for operation in path.values())):
        each.pop("security", None)
    return document


def stay_inside(operation: Any, known: Known) -> None:
    """Send requests of one route: well-formed ones and spoilt ones, to things made up and to known ones."""
    modes = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(modes), st.sampled_from([True, True, True, False]))
    def ask(case: Any, leads: bool) -> None:
        if leads:
            known.lead(case)
        case.call_and_validate(headers=HEADERS, checks=CHECKS)

    ask()
