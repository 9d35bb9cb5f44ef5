"""The OpenAPI 3.1 document of everything served, made from the route table: what is checked is what is published."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from types import UnionType
from typing import Any, get_args

import msgspec
from msgspec import inspect

from casebridge.api.errors import REASONS
from casebridge.api.queries import query_kind
from casebridge.api.routing import LEGACY, SAFE_METHODS, Answer, Call, Dialect, Route
from casebridge.wire.base import ErrorShape

_Schema = dict[str, Any]

_XSRF = {
    "name": "kbn-xsrf",
    "in": "header",
    "required": True,
    "description": "Any value. The header kbn-version serves as well.",
    "schema": {"type": "string"},
}


def describe(routes: Sequence[Route], version: str, base_path: str = "") -> _Schema:
    """The whole document. ValueError when two routes share a name in one dialect."""
    types = _types(routes)
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    book = dict(zip(map(_key, types), schemas, strict=True))
    paths: dict[str, _Schema] = {}
    names: set[str] = set()
    for route in routes:
        for dialect in route.dialects:
            operation = _operation(route, dialect, book)
            if operation["operationId"] in names:
                raise ValueError(f"two routes are named {operation['operationId']}")
            names.add(operation["operationId"])
            path = f"/{LEGACY}{route.path}" if dialect == LEGACY else route.path
            paths.setdefault(path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Casebridge",
            "version": version,
            "description": "The Cases API, its dialect of release 7.10 under /7.10, and what is Casebridge's own.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": _servers(base_path),
        "security": [{"basic": []}],
        "tags": [{"name": name} for name in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": components,
            "parameters": {"kbn-xsrf": _XSRF},
            "responses": {str(status): _error_response(status) for status in REASONS},
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
    }


def _servers(base_path: str) -> list[_Schema]:
    base = base_path.rstrip("/")
    space = {"default": "default", "description": "Id of a space."}
    return [
        {"url": base or "/", "description": "The default space."},
        {"url": f"{base}/s/{{space_id}}", "description": "Any space.", "variables": {"space_id": space}},
    ]


def _types(routes: Iterable[Route]) -> list[Any]:
    """Every type of a body or an answer, once."""
    types: list[Any] = [ErrorShape]
    for route in routes:
        for answer in (route.answer, *route.also.values()):
            types += _choices(answer)
        if route.body is not None:
            types.append(route.body)
    return list({_key(each): each for each in types}.values())


def _key(type_: Any) -> str:
    return f"{getattr(type_, '__module__', '')} {type_!r}"


def _choices(type_: Any) -> tuple[Any, ...]:
    """The types an answer may have; msgspec itself takes no union of untagged objects."""
    if isinstance(type_, tuple):
        return type_
    if isinstance(type_, UnionType):
        return get_args(type_)
    return () if type_ is None else (type_,)


def _operation(route: Route, dialect: Dialect, book: dict[str, _Schema]) -> _Schema:
    suffix = "In710" if dialect == LEGACY and route.dialect == "both" else ""
    operation: _Schema = {
        "operationId": f"{route.name}{suffix}",
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": _responses(route, book),
    }
    if route.method not in SAFE_METHODS:
        operation["parameters"].append({"$ref": "#/components/parameters/kbn-xsrf"})
    if route.upload:
        operation["requestBody"] = {"required": True, "content": {route.upload_type: {"schema": _form_schema(route)}}}
    elif route.body is not None:
        content = {"application/json": {"schema": book[_key(route.body)]}}
        operation["requestBody"] = {"required": not route.body_optional, "content": content}
    if route.credentials != "required":
        operation["security"] = [{}, {"basic": []}] if route.credentials == "optional" else [{}]
    return operation


def _form_schema(route: Route) -> _Schema:
    return {"type": "object"} if route.upload_type.startswith("multipart/") else {}


def _path_parameters(route: Route) -> list[_Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query_parameters(route: Route) -> list[_Schema]:
    if route.query is None:
        return []
    info = inspect.type_info(route.query)
    assert isinstance(info, inspect.StructType)
    schema = msgspec.json.schema(route.query)
    properties = schema["$defs"][route.query.__name__]["properties"]
    return [_query_parameter(each, properties[each.encode_name]) for each in info.fields]


def _query_parameter(field: inspect.Field, schema: _Schema) -> _Schema:
    kind, _ = query_kind(field.type)
    parameter: _Schema = {"name": field.encode_name, "in": "query", "required": field.required}
    schema = _without_null(schema)
    if kind == "json":
        return parameter | {"content": {"application/json": {"schema": {"type": "array", "items": {"type": "string"}}}}}
    if kind == "list":
        parameter |= {"style": "form", "explode": True}
    return parameter | {"schema": schema}


def _without_null(schema: _Schema) -> _Schema:
    """A query parameter is there or not; there is no way to write null."""
    schema = {key: value for key, value in schema.items() if key != "default" or value is not None}
    choices = schema.get("anyOf")
    if choices is None:
        if None in schema.get("enum", ()):
            schema["enum"] = [each for each in schema["enum"] if each is not None]
        return schema
    rest = [each for each in choices if each != {"type": "null"}]
    others = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**rest[0], **others} if len(rest) == 1 else {**others, "anyOf": rest}


def _responses(route: Route, book: dict[str, _Schema]) -> _Schema:
    answers = {route.status: route.answer, **route.also}
    refused = {400, 404, 500, 503, *route.errors}
    if route.credentials == "required":
        refused |= {401, 429}
    if route.body is not None or route.upload:
        refused |= {413, 415}
    responses = {
        str(status): _response(status, [book[_key(each)] for each in _choices(answer)])
        for status, answer in answers.items()
    }
    for status in sorted(refused - set(answers)):
        responses[str(status)] = (
            {"$ref": f"#/components/responses/{status}"} if status >= 400 else {"description": "Accepted"}
        )
    return responses


def _response(status: int, schemas: list[_Schema]) -> _Schema:
    response: _Schema = {"description": HTTPStatus(status).phrase}
    if schemas:
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        response["content"] = {"application/json": {"schema": schema}}
    elif status != HTTPStatus.NO_CONTENT:
        response["content"] = {"*/*": {}}
    return response


def _error_response(status: int) -> _Schema:
    schema = {"$ref": "#/components/schemas/ErrorShape"}
    return {"description": REASONS[status], "content": {"application/json": {"schema": schema}}}


async def _document(call: Call) -> Answer:
    return Answer(call.kernel.openapi_json, headers={"content-type": "application/json; charset=utf-8"})


ROUTES = (
    Route(
        "GET",
        "/api/casebridge/openapi.json",
        _document,
        name="getOpenApi",
        summary="The OpenAPI 3.1 document of this server",
        tag="server",
        answer=dict[str, Any],
    ),
)
