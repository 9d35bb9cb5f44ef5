"""The document that describes every route is valid, strict and complete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import pytest
from jsonschema import Draft202012Validator
from msgspec import UNSET, UnsetType
from schemathesis.specs.openapi.definitions import OPENAPI_31

from casebridge.api.openapi import describe
from casebridge.api.routing import Call, Route
from casebridge.api.table import ROUTES
from casebridge.wire.base import Body, JsonList, Shape


class Jira(Body, tag=".jira", tag_field="type"):
    name: str


class Webhook(Body, tag=".webhook", tag_field="type"):
    url: str


class Sent(Body):
    connector: Jira | Webhook
    tags: list[str] = []


class One(Shape):
    one: str
    maybe: str | UnsetType = UNSET


class Two(Shape):
    two: int


class Wanted(Body):
    page: int = 1
    owner: list[str] | None = None
    order: Literal["asc", "desc"] | None = None
    from_: str | None = msgspec.field(default=None, name="from")


class Ids(Body):
    ids: JsonList


async def _nothing(call: Call) -> None: ...


TRIAL = (
    Route(
        "POST", "/api/x/{id}", _nothing, name="make", summary="s", tag="t", body=Sent, answer=One | Two, errors=(409,)
    ),
    Route("GET", "/api/x", _nothing, name="find", summary="s", tag="t", query=Wanted, answer=list[One], dialect="both"),
    Route("DELETE", "/api/x", _nothing, name="drop", summary="s", tag="t", query=Ids, status=204, also={202: Two}),
    Route("PUT", "/api/x/{id}", _nothing, name="put", summary="s", tag="t", body=Sent, body_optional=True, answer=One),
    Route("POST", "/api/file", _nothing, name="file", summary="s", tag="t", upload=True, answer=One),
)


@pytest.mark.parametrize("routes", [ROUTES, TRIAL], ids=["served", "trial"])
def test_the_document_is_valid_openapi_3_1(routes: Any):
    document = describe(routes, "1.2.3", "/kbn")
    Draft202012Validator(OPENAPI_31).validate(document)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in references(document):
        assert reference.startswith("#/components/")
        _, _, kind, name = reference.split("/")
        assert name in document["components"][kind], reference


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for below in part.values():
            yield from references(below)
    elif isinstance(part, list):
        for below in part:
            yield from references(below)


def test_operation_ids_are_unique_and_every_operation_can_be_refused():
    document = describe(ROUTES, "1")
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all({"400", "500", "503"} <= set(operation["responses"]) for operation in operations)


TOLERANT = {"OldServiceNowPush", "OldJiraPush", "OldResilientPush", "OldComment", "OldAuthor"}
"""What 7.10 sent to push: keys nobody knows are ignored there (dialect-7.10.md 6.1)."""


def test_every_schema_of_ours_is_strict():
    for name, schema in describe(ROUTES, "1")["components"]["schemas"].items():
        if schema.get("type") == "object" and "properties" in schema and name not in TOLERANT:
            assert schema.get("additionalProperties") is False, name


def test_two_routes_of_one_name_are_a_mistake():
    with pytest.raises(ValueError, match="named find"):
        describe((TRIAL[1], Route("GET", "/api/y", _nothing, name="find", summary="", tag="")), "1")


def test_bodies_keep_their_discriminator_and_refuse_more():
    document = describe(TRIAL, "1")
    connector = document["components"]["schemas"]["Sent"]["properties"]["connector"]
    assert connector["discriminator"]["propertyName"] == "type"
    assert document["components"]["schemas"]["Sent"]["additionalProperties"] is False
    assert document["paths"]["/api/x/{id}"]["post"]["requestBody"]["required"] is True
    assert document["paths"]["/api/x/{id}"]["put"]["requestBody"]["required"] is False


def test_query_parameters_say_how_they_are_written():
    document = describe(TRIAL, "1")
    parameters = {each["name"]: each for each in document["paths"]["/api/x"]["get"]["parameters"]}
    assert parameters["page"]["schema"] == {"type": "integer", "default": 1}
    assert parameters["owner"]["schema"] == {"type": "array", "items": {"type": "string"}}
    assert parameters["owner"]["explode"] is True
    assert parameters["order"]["schema"]["enum"] == ["asc", "desc"]
    assert parameters["from"]["schema"] == {"type": "string"}
    assert not any(each["required"] for each in parameters.values())
    ids = document["paths"]["/api/x"]["delete"]["parameters"][0]
    assert (ids["required"], list(ids["content"])) == (True, ["application/json"])


def test_unsafe_methods_ask_for_the_xsrf_header():
    paths = describe(TRIAL, "1")["paths"]
    reference = {"$ref": "#/components/parameters/kbn-xsrf"}
    assert reference in paths["/api/x/{id}"]["post"]["parameters"]
    assert reference not in paths["/api/x"]["get"]["parameters"]


def test_both_dialects_are_described():
    paths = describe(TRIAL, "1")["paths"]
    assert paths["/7.10/api/x"]["get"]["operationId"] != paths["/api/x"]["get"]["operationId"]
    assert "/7.10/api/x/{id}" not in paths


def test_several_kinds_of_answer_are_all_named():
    responses = describe(TRIAL, "1")["paths"]["/api/x/{id}"]["post"]["responses"]
    assert len(responses["200"]["content"]["application/json"]["schema"]["anyOf"]) == 2
    assert {"400", "401", "404", "409", "413", "415", "500", "503"} <= set(responses)
    deleting = describe(TRIAL, "1")["paths"]["/api/x"]["delete"]["responses"]
    assert "content" not in deleting["204"]
    assert deleting["202"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Two"}


async def test_the_document_is_served_to_those_who_sign_in(client: Any, anonymous: Any):
    response = await client.get("/api/casebridge/openapi.json")
    assert response.status_code == 200
    assert response.json()["openapi"] == "3.1.0"
    assert set(response.json()["paths"]) == {
        (f"/7.10{route.path}" if dialect == "7.10" else route.path) for route in ROUTES for dialect in route.dialects
    }
    assert (await anonymous.get("/api/casebridge/openapi.json")).status_code == 401
