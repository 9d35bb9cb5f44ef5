"""Actions, external references and persistable states: shapes, registered type ids, limits (attachments.md 1, 3, 7)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from casebridge.api.dispatch import api_app
from casebridge.api.table import ROUTES
from casebridge.domain.attachment import AttachmentTypes
from casebridge.services.ground import Ground
from tests.api.conftest import Client

ACTIONS = {
    "type": "actions",
    "owner": "cases",
    "comment": "contain first",
    "actions": {"type": "isolate", "targets": [{"hostname": "ws-17", "endpointId": "ep-17"}]},
}
REFERENCE = {
    "type": "externalReference",
    "owner": "cases",
    "externalReferenceAttachmentTypeId": "indicator",
    "externalReferenceId": "ioc-4",
    "externalReferenceStorage": {"type": "elasticSearchDoc"},
    "externalReferenceMetadata": {"indicatorName": "203.0.113.9", "deep": [{"x": None, "n": 1.5}]},
}
STATE = {
    "type": "persistableState",
    "owner": "cases",
    "persistableStateAttachmentTypeId": ".lens",
    "persistableStateAttachmentState": {"attributes": {"title": "Errors per minute"}},
}
ENTRY = {"name": "netflow", "extension": "csv", "mimeType": "text/csv", "created": "2031-04-02T08:20:00.000Z"}
FILE = {
    **REFERENCE,
    "externalReferenceAttachmentTypeId": ".files",
    "externalReferenceId": "f-22",
    "externalReferenceMetadata": {"files": [ENTRY]},
    "externalReferenceStorage": {"type": "savedObject", "soType": "file"},
}


def files(*entries: Any) -> dict[str, Any]:
    return {"externalReferenceMetadata": {"files": list(entries)}}


async def post(client: Client, case: dict[str, Any], body: Any) -> Any:
    return await client.post(f"/api/cases/{case['id']}/comments", json=body)


@pytest.mark.parametrize("body", [ACTIONS, REFERENCE, STATE, FILE, {**STATE, "persistableStateAttachmentState": {}}])
async def test_an_attachment_reads_as_it_was_sent(client: Client, open_case: Any, body: dict[str, Any]):
    case = await open_case()

    stored = (await post(client, case, body)).json()

    (comment,) = stored["comments"]
    assert body.items() <= comment.items()
    assert (stored["totalComment"], stored["totalAlerts"]) == (1, 0)
    assert (await client.get(f"/api/cases/{case['id']}")).json()["totalComment"] == 0
    action = (await client.get(f"/api/cases/{case['id']}/user_actions/_find")).json()["userActions"][-1]
    assert action["payload"] == {"comment": body}


@pytest.mark.parametrize("body", [ACTIONS, REFERENCE, STATE])
async def test_every_key_is_needed_and_no_other_taken(client: Client, open_case: Any, body: dict[str, Any]):
    case = await open_case()
    for left in body:
        answer = await post(client, case, {key: value for key, value in body.items() if key != left})
        assert (answer.status_code, left in answer.json()["message"]) == (400, True)
    assert (await post(client, case, {**body, "created_at": "2024"})).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {**ACTIONS, "comment": "  "},
        {**ACTIONS, "comment": "x" * 30_001},
        {**ACTIONS, "actions": {"type": "isolate"}},
        {**ACTIONS, "actions": {"type": "isolate", "targets": [{"hostname": "ws-17"}]}},
        {**REFERENCE, "externalReferenceStorage": {"type": "savedObject"}},
        {**REFERENCE, "externalReferenceStorage": {"type": "elasticSearchDoc", "soType": "x"}},
        {**REFERENCE, "externalReferenceStorage": {"type": "disk"}},
        {**REFERENCE, "externalReferenceMetadata": []},
        {**STATE, "persistableStateAttachmentState": None},
    ],
)
async def test_another_shape_is_refused(client: Client, open_case: Any, body: dict[str, Any]):
    assert (await post(client, await open_case(), body)).status_code == 400


async def test_metadata_may_be_null_unless_it_is_a_file(client: Client, open_case: Any):
    case = await open_case()
    assert (await post(client, case, {**REFERENCE, "externalReferenceMetadata": None})).status_code == 200
    assert (await post(client, case, {**FILE, "externalReferenceMetadata": None})).status_code == 400


@pytest.mark.parametrize(
    "given",
    [
        files(),
        files(ENTRY, ENTRY),
        files({**ENTRY, "size": 3}),
        files({key: value for key, value in ENTRY.items() if key != "created"}),
        files({**ENTRY, "name": None}),
        files("netflow.csv"),
        {"externalReferenceMetadata": {}},
        {"externalReferenceMetadata": {"files": [ENTRY], "more": 1}},
        {"externalReferenceMetadata": {"files": ENTRY}},
        {"externalReferenceStorage": {"type": "elasticSearchDoc"}},
        {"externalReferenceStorage": {"type": "savedObject", "soType": "dashboard"}},
    ],
)
async def test_a_file_says_exactly_what_it_is(client: Client, open_case: Any, given: dict[str, Any]):
    case = await open_case()
    stored = (await post(client, case, FILE)).json()["comments"][0]
    of_it = {"id": stored["id"], "version": stored["version"]}

    patched = await client.patch(f"/api/cases/{case['id']}/comments", json={**FILE, **given, **of_it})
    bulk = await client.post(f"/internal/cases/{case['id']}/attachments/_bulk_create", json=[{**FILE, **given}])

    assert (await post(client, case, {**FILE, **given})).status_code == 400
    assert (patched.status_code, bulk.status_code) == (400, 400)


@pytest.mark.parametrize(
    "body",
    [
        {**REFERENCE, "externalReferenceAttachmentTypeId": "own-type"},
        {**STATE, "persistableStateAttachmentTypeId": "own-type"},
        {**STATE, "persistableStateAttachmentTypeId": "indicator"},
    ],
)
async def test_an_unregistered_type_id_is_named_and_refused_after_the_privilege(
    client: Client, nobody: Client, open_case: Any, body: dict[str, Any]
):
    answer = await post(client, {"id": "unknown"}, body)
    type_id = body.get("persistableStateAttachmentTypeId") or body["externalReferenceAttachmentTypeId"]

    assert (answer.status_code, type_id in answer.json()["message"]) == (400, True)
    assert (await post(nobody, {"id": "unknown"}, body)).status_code == 403


async def test_an_operator_may_register_more_type_ids(ground: Ground, admin: Any, connect: Any, open_case: Any):
    case = await open_case()
    types = AttachmentTypes().with_more(["own-type"], ["own-state"])
    app = api_app(msgspec.structs.replace(ground, attachment_types=types), ROUTES)
    async with connect(app) as client:
        reference = await post(client, case, {**REFERENCE, "externalReferenceAttachmentTypeId": "own-type"})
        state = await post(client, case, {**STATE, "persistableStateAttachmentTypeId": "own-state"})
        known = await post(client, case, REFERENCE)
    assert (reference.status_code, state.status_code, known.status_code) == (200, 200, 200)


async def test_the_storage_type_of_a_reference_cannot_change(client: Client, open_case: Any):
    case = await open_case()
    stored = (await post(client, case, REFERENCE)).json()["comments"][0]
    of_it = {"id": stored["id"], "version": stored["version"]}
    path = f"/api/cases/{case['id']}/comments"

    moved = {"externalReferenceStorage": {"type": "savedObject", "soType": "x"}}
    refused = await client.patch(path, json={**REFERENCE, **of_it, **moved})
    edited = await client.patch(path, json={**REFERENCE, **of_it, "externalReferenceId": "ioc-5"})

    assert refused.status_code == 400
    assert edited.json()["comments"][0]["externalReferenceId"] == "ioc-5"
    assert edited.json()["comments"][0]["updated_by"]["username"] == "admin"


async def test_a_hundred_references_and_states_fit_and_files_do_not_count(client: Client, open_case: Any):
    case = await open_case()
    bulk = f"/internal/cases/{case['id']}/attachments/_bulk_create"
    assert (await client.post(bulk, json=[REFERENCE, STATE] * 49)).status_code == 200
    assert (await post(client, case, FILE)).status_code == 200
    assert (await post(client, case, STATE)).status_code == 200

    answers = await asyncio.gather(*(post(client, case, REFERENCE) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    refused = next(answer.json()["message"] for answer in answers if answer.status_code == 400)
    assert "100" in refused
    assert "persistable state and external reference attachments" in refused
    assert (await post(client, case, ACTIONS)).status_code == 200


async def test_deleting_and_retyping_references_gives_their_places_back(client: Client, open_case: Any):
    case = await open_case()
    bulk = f"/internal/cases/{case['id']}/attachments/_bulk_create"
    as_object = {**REFERENCE, "externalReferenceStorage": {"type": "savedObject", "soType": "file"}}
    stored = (await client.post(bulk, json=[as_object] * 100)).json()
    first, second = stored["comments"][:2]
    assert (await post(client, case, STATE)).status_code == 400

    await client.delete(f"/api/cases/{case['id']}/comments/{first['id']}")
    of_it = {"id": second["id"], "version": second["version"]}
    assert (await client.patch(f"/api/cases/{case['id']}/comments", json={**FILE, **of_it})).status_code == 200

    answers = [(await post(client, case, STATE)).status_code for _ in range(3)]
    assert answers == [200, 200, 400]


async def test_a_hundred_files_fit_and_a_repeated_file_takes_no_place(client: Client, open_case: Any):
    case = await open_case()
    bulk = f"/internal/cases/{case['id']}/attachments/_bulk_create"
    many = [{**FILE, "externalReferenceId": f"f-{number}"} for number in range(100)]
    assert (await client.post(bulk, json=many)).status_code == 200

    refused = await post(client, case, {**FILE, "externalReferenceId": "f-new"})

    assert (refused.status_code, "100 files" in refused.json()["message"]) == (400, True)
    assert (await post(client, case, many[0])).status_code == 200
