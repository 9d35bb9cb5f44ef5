"""Files of cases: uploading, downloading, the store's routes, deleting, and what a crash leaves (attachments.md 6)."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casebridge.api.dispatch import api_app
from casebridge.api.table import ROUTES
from casebridge.domain.file import FileRules
from casebridge.services import files as file_verbs
from casebridge.services.ground import Ground
from tests.api.conftest import Client

KIND = "/api/files/files/casesFilesCases"
FORM = {"content-type": "multipart/form-data; boundary=sep"}


async def upload(
    client: Client, case_id: str, name: str = "Netflow.csv", content: bytes = b"a,b\n", **fields: str
) -> Any:
    form = {"file": (name, content, "application/x-nonsense")}
    return await client.post(f"/api/cases/{case_id}/files", files=form, data=fields)


def file_of(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return answer.json()["comments"][-1]


def on_disk(tmp_path: Path) -> list[str]:
    return sorted(each.name for each in (tmp_path / "files").iterdir())


def form(*parts: tuple[str, bytes]) -> bytes:
    """A form of parts, each with what follows `form-data;` in its disposition."""
    pieces = [b"--sep\r\ncontent-disposition: form-data; " + a.encode() + b"\r\n\r\n" + b + b"\r\n" for a, b in parts]
    return b"".join([*pieces, b"--sep--\r\n"])


async def test_a_file_becomes_an_attachment_with_its_record_and_activity(client: Client, open_case: Any):
    case = await open_case()

    answer = await upload(client, case["id"])

    stored = file_of(answer)
    assert answer.json()["totalComment"] == 1
    assert (stored["type"], stored["externalReferenceAttachmentTypeId"]) == ("externalReference", ".files")
    assert stored["externalReferenceStorage"] == {"type": "savedObject", "soType": "file"}
    (entry,) = stored["externalReferenceMetadata"]["files"]
    assert {**entry, "created": ""} == {"name": "Netflow", "extension": "csv", "mimeType": "text/csv", "created": ""}
    action = (await client.get(f"/api/cases/{case['id']}/user_actions/_find")).json()["userActions"][-1]
    assert (action["action"], action["comment_id"]) == ("create", stored["id"])
    record = (await client.get(f"{KIND}/{stored['externalReferenceId']}")).json()["file"]
    assert (record["status"], record["size"], record["name"]) == ("READY", 4, "Netflow")
    assert record["hash"] == {"sha256": hashlib.sha256(b"a,b\n").hexdigest()}
    assert record["meta"] == {"caseIds": [case["id"]], "owner": ["cases"]}


async def test_a_download_is_to_be_saved_and_never_shown(client: Client, open_case: Any):
    case = await open_case()
    content = bytes(range(256)) * 4000
    id_ = file_of(await upload(client, case["id"], 'ä"x.SVG', content, filename=' Büro "1" '))["externalReferenceId"]

    for path in (f"{KIND}/{id_}/blob", f"{KIND}/{id_}/blob/anything.html"):
        answer = await client.get(path)
        assert answer.content == content
        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.headers["content-length"] == str(len(content))
        assert answer.headers["x-content-type-options"] == "nosniff"
        disposition = "attachment; filename=\"B_ro _1_.svg\"; filename*=UTF-8''B%C3%BCro%20%221%22.svg"
        assert answer.headers["content-disposition"] == disposition


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("anim.gif", "image/gif"),
        ("page.html", "text/html"),
        ("noextension", "extension"),
        ("what.unknownext", "extension"),
        ("dot.", "extension"),
        (".csv", "filename"),
        ("x" * 161 + ".csv", "160"),
        ("a\x07b.csv", "control"),
    ],
)
async def test_a_name_that_will_not_do_is_refused_and_nothing_is_kept(
    app: Any, ask: Any, open_case: Any, tmp_path: Path, name: str, word: str
):
    case = await open_case()
    body = form((f'name="file"; filename="{name}"', b"x"))

    heard = await ask(app, "POST", f"/api/cases/{case['id']}/files", body, headers=FORM)

    assert (heard.status, word in heard.json["message"]) == (400, True), heard.body
    assert on_disk(tmp_path) == []


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([], 400),
        ([('name="file"', b"x")], 400),
        ([('name="filename"', b"x")], 400),
        ([('name="file"; filename="a.txt"', b"x"), ('name="more"', b"x")], 400),
        ([('name="file"; filename="a.txt"', b"x"), ('name="file"; filename="b.txt"', b"x")], 400),
        ([('name="file"; filename="a.txt"', b"x"), ('name="filename"', b"  ")], 400),
        ([('name="file"; filename="a.txt"', b"x"), ('name="filename"', b"y" * 161)], 400),
        ([('name="file"; filename="a.txt"', b"x"), ('name="filename"', b"y" * 160)], 200),
        ([('name="filename"', b"  named  "), ('name="file"; filename="C:\\\\dir\\\\a.txt"', b"x")], 200),
    ],
)
async def test_the_form_has_a_file_and_maybe_a_name(
    app: Any, ask: Any, open_case: Any, tmp_path: Path, parts: Any, status: int
):
    case = await open_case()

    heard = await ask(app, "POST", f"/api/cases/{case['id']}/files", form(*parts), headers=FORM)

    assert heard.status == status, heard.body
    assert len(on_disk(tmp_path)) == (1 if status == 200 else 0)


async def test_a_form_may_come_in_the_smallest_pieces(app: Any, ask: Any, open_case: Any, client: Client):
    case = await open_case()
    body = form(('name="file"; filename="a.txt"', b"\r\n--se\r\n" * 9), ('name="filename"', "Büro".encode()))

    pieces = [body[at : at + 2] for at in range(0, len(body), 2)]
    heard = await ask(app, "POST", f"/api/cases/{case['id']}/files", pieces, headers=FORM)

    stored = heard.json["comments"][0]
    assert stored["externalReferenceMetadata"]["files"][0]["name"] == "Büro"
    content = await client.get(f"{KIND}/{stored['externalReferenceId']}/blob")
    assert content.content == b"\r\n--se\r\n" * 9


async def test_other_bodies_and_broken_forms_are_refused(app: Any, ask: Any, open_case: Any, tmp_path: Path):
    case = await open_case()
    path = f"/api/cases/{case['id']}/files"
    whole = form(('name="file"; filename="a.txt"', b"x" * 99))

    assert (await ask(app, "POST", path, b"{}", headers={"content-type": "application/json"})).status == 415
    assert (await ask(app, "POST", path, whole, headers={"content-type": "multipart/form-data"})).status == 400
    assert (await ask(app, "POST", path, whole[:-40], headers=FORM)).status == 400
    assert (await ask(app, "POST", path, b"nonsense" + whole, headers=FORM)).status == 400
    assert on_disk(tmp_path) == []


async def test_a_client_that_goes_away_leaves_nothing(
    app: Any, ask: Any, ground: Ground, client: Client, open_case: Any, tmp_path: Path
):
    case = await open_case()
    asked = client.build_request("POST", f"/api/cases/{case['id']}/files")
    body = form(('name="file"; filename="a.txt"', b"x" * 99))
    messages = [
        {"type": "http.request", "body": body[:-40], "more_body": True},
        {"type": "http.disconnect"},
    ]
    authorization = client.auth._auth_header.encode()  # type: ignore[union-attr]
    scope = {
        "type": "http",
        "method": "POST",
        "path": asked.url.path,
        "raw_path": asked.url.raw_path,
        "query_string": b"",
        "headers": [
            (b"kbn-xsrf", b"x"),
            (b"authorization", authorization),
            (b"content-type", FORM["content-type"].encode()),
        ],
        "client": ("192.0.2.7", 4000),
    }

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        raise AssertionError("there is nobody to answer")

    await app(scope, receive, send)

    assert on_disk(tmp_path) == []
    assert (await client.post(f"{KIND}/list")).json() == {"files": [], "total": 0}


async def test_content_over_the_limit_of_its_kind_is_413_and_leaves_nothing(
    ground: Ground, admin: Any, connect: Any, open_case: Any, tmp_path: Path
):
    case = await open_case()
    rules = FileRules()
    assert (rules.most_bytes("image/png"), rules.most_bytes("text/csv")) == (10_485_760, 104_857_600)
    app = api_app(msgspec.structs.replace(ground, file_rules=FileRules(max_bytes=1000)), ROUTES)
    async with connect(app) as client:
        assert (await upload(client, case["id"], content=b"x" * 1001)).status_code == 413
        assert on_disk(tmp_path) == []
        assert (await client.post(f"{KIND}/list")).json()["total"] == 0
        assert (await upload(client, case["id"], content=b"x" * 1000)).status_code == 200


async def test_an_operator_may_take_other_kinds_of_content(ground: Ground, admin: Any, connect: Any, open_case: Any):
    case = await open_case()
    rules = FileRules(types=frozenset({"image/gif"}))
    async with connect(api_app(msgspec.structs.replace(ground, file_rules=rules), ROUTES)) as client:
        assert (await upload(client, case["id"], "anim.gif")).status_code == 200
        assert (await upload(client, case["id"], "table.csv")).status_code == 400


async def test_refusals_come_in_their_order(client: Client, nobody: Client, open_case: Any):
    case = await open_case()
    assert (await upload(nobody, "unknown", "anim.gif")).status_code == 400
    assert (await upload(nobody, "unknown")).status_code == 404
    assert (await upload(nobody, case["id"])).status_code == 403


async def test_a_hundred_files_fit_also_when_they_come_together(client: Client, open_case: Any, tmp_path: Path):
    case = await open_case()
    for number in range(97):
        assert (await upload(client, case["id"], f"{number}.txt")).status_code == 200

    answers = await asyncio.gather(*(upload(client, case["id"]) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [400] * 3
    assert all("100 files" in answer.json()["message"] for answer in answers if answer.status_code == 400)
    assert len(on_disk(tmp_path)) == 100


async def test_the_store_takes_a_record_first_and_its_content_after(client: Client, open_case: Any):
    case = await open_case()
    meta = {"caseIds": [case["id"]], "owner": ["cases"]}
    body = {"name": " picture ", "mimeType": "image/png", "alt": "a door", "meta": meta}
    made = (await client.post(KIND, json=body)).json()["file"]
    assert (made["status"], made["name"], made["size"], made["alt"]) == ("AWAITING_UPLOAD", "picture", None, "a door")
    assert (await client.get(f"{KIND}/{made['id']}/blob")).status_code == 404

    answer = await client.put(f"{KIND}/{made['id']}/blob", content=b"png!", headers={"content-type": "image/png"})

    assert answer.json() == {"ok": True, "size": 4}
    assert (await client.get(f"{KIND}/{made['id']}/blob")).content == b"png!"
    assert (await client.put(f"{KIND}/{made['id']}/blob", content=b"again")).status_code == 400


async def test_files_are_listed_by_case_name_and_page(client: Client, open_case: Any):
    case, other = await open_case(), await open_case()
    for name in ("a.txt", "b.csv", "c.txt"):
        await upload(client, case["id"], name)
    await upload(client, other["id"], "a.txt")

    async def names(query: str = "", **body: Any) -> list[str]:
        answer = await client.post(f"{KIND}/list{query}", json=body)
        assert answer.status_code == 200, answer.text
        return [each["name"] for each in answer.json()["files"]]

    assert await names(meta={"caseIds": [case["id"]]}) == ["a", "b", "c"]
    assert await names(name="a") == ["a", "a"]
    assert await names(extension=["csv", "png"]) == ["b"]
    assert await names(mimeType="text/plain", status="READY", meta={"caseIds": [case["id"]]}) == ["a", "c"]
    assert await names("?page=2&perPage=3") == ["a"]
    assert (await client.post(f"{KIND}/list", json={"other": 1})).status_code == 400


async def test_only_the_headers_of_a_download_may_be_asked_for(client: Client, open_case: Any):
    case = await open_case()
    id_ = file_of(await upload(client, case["id"]))["externalReferenceId"]

    answer = await client.head(f"{KIND}/{id_}/blob")

    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "4", b"")


async def test_unknown_kinds_files_and_callers_are_refused(client: Client, nobody: Client, open_case: Any):
    case = await open_case()
    id_ = file_of(await upload(client, case["id"]))["externalReferenceId"]
    assert (await client.get(f"/api/files/files/otherKind/{id_}")).status_code == 404
    assert (await client.get(f"/api/files/files/observabilityFilesCases/{id_}")).status_code == 404
    assert (await client.get(f"{KIND}/unknown")).status_code == 404
    assert (await client.put(f"{KIND}/unknown/blob", content=b"x")).status_code == 404
    for path in (f"{KIND}/{id_}", f"{KIND}/{id_}/blob"):
        assert (await nobody.get(path)).status_code == 403
    assert (await nobody.post(f"{KIND}/list")).status_code == 403
    assert (await nobody.post(KIND, json={"name": "x"})).status_code == 403


async def bulk_delete(client: Client, case_id: str, *ids: str) -> Any:
    return await client.post(f"/internal/cases/{case_id}/attachments/files/_bulk_delete", json={"ids": ids})


async def test_a_bulk_delete_takes_files_and_their_attachments(client: Client, open_case: Any, tmp_path: Path):
    case = await open_case()
    first, second, third = [file_of(await upload(client, case["id"], f"{n}.txt")) for n in range(3)]
    loose = first | {"externalReferenceId": "no-such-file"}
    body = {key: loose[key] for key in loose if key.startswith("externalReference") or key in ("type", "owner")}
    await client.post(f"/api/cases/{case['id']}/comments", json=body)

    ids = [each["externalReferenceId"] for each in (first, second)]
    answer = await bulk_delete(client, case["id"], *ids, "no-such-file", "unknown")

    assert answer.status_code == 204
    left = (await client.get(f"/api/cases/{case['id']}/comments")).json()
    assert [each["id"] for each in left] == [third["id"]]
    assert on_disk(tmp_path) == [third["externalReferenceId"]]
    actions = (await client.get(f"/api/cases/{case['id']}/user_actions/_find?perPage=100")).json()["userActions"]
    assert [each["action"] for each in actions[-3:]] == ["delete"] * 3
    assert (await client.get(f"{KIND}/{ids[0]}")).status_code == 404


async def test_a_bulk_delete_is_refused_for_files_of_other_cases(client: Client, nobody: Client, open_case: Any):
    case, other = await open_case(), await open_case()
    foreign = file_of(await upload(client, other["id"]))["externalReferenceId"]
    own = file_of(await upload(client, case["id"]))["externalReferenceId"]

    assert (await bulk_delete(client, case["id"], own, foreign)).status_code == 400
    assert (await bulk_delete(client, case["id"])).status_code == 400
    assert (await bulk_delete(client, case["id"], "")).status_code == 400
    assert (await bulk_delete(client, case["id"], *["x"] * 11)).status_code == 400
    assert (await bulk_delete(client, "unknown", own)).status_code == 404
    assert (await bulk_delete(nobody, case["id"], own)).status_code == 403
    assert (await client.get(f"{KIND}/{own}/blob")).status_code == 200


async def test_deleting_the_attachment_keeps_the_file_and_deleting_the_case_does_not(
    client: Client, open_case: Any, tmp_path: Path
):
    case = await open_case()
    stored = file_of(await upload(client, case["id"]))
    await client.delete(f"/api/cases/{case['id']}/comments/{stored['id']}")
    assert (await client.get(f"{KIND}/{stored['externalReferenceId']}/blob")).status_code == 200

    await client.delete(f'/api/cases?ids=["{case["id"]}"]')

    assert (await client.get(f"{KIND}/{stored['externalReferenceId']}")).status_code == 404
    assert on_disk(tmp_path) == []


async def test_a_sweep_puts_right_what_a_crash_left(ground: Ground, client: Client, open_case: Any, tmp_path: Path):
    case = await open_case()
    lost, kept = [file_of(await upload(client, case["id"]))["externalReferenceId"] for _ in range(2)]
    folder = tmp_path / "files"
    (folder / lost).unlink()
    (folder / "orphan").write_bytes(b"x")
    (folder / "half.part").write_bytes(b"x")
    assert ground.blobs is not None

    assert await file_verbs.sweep(ground.database, ground.blobs, ground.now(), timedelta(0)) == 3

    assert on_disk(tmp_path) == [kept]
    assert (await client.get(f"{KIND}/{lost}")).json()["file"]["status"] == "UPLOAD_ERROR"
    assert (await client.get(f"{KIND}/{kept}")).json()["file"]["status"] == "READY"
    assert await file_verbs.sweep(ground.database, ground.blobs, ground.now(), timedelta(0)) == 0


async def test_a_sweep_ends_uploads_that_nobody_works_on_and_frees_their_place(
    ground: Ground, client: Client, open_case: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    case = await open_case()

    async def killed(*_: Any) -> None:
        """A process that was killed takes nothing back."""

    monkeypatch.setattr(file_verbs, "_take_back", killed)
    monkeypatch.setattr(file_verbs, "save_new", _dies)
    assert (await upload(client, case["id"])).status_code == 500
    listed = (await client.post(f"{KIND}/list", json={"status": "UPLOADING"})).json()
    assert (listed["total"], len(on_disk(tmp_path))) == (1, 1)
    assert ground.blobs is not None

    later = ground.now() + timedelta(minutes=30)
    assert await file_verbs.sweep(ground.database, ground.blobs, later, timedelta(hours=1)) == 0
    assert await file_verbs.sweep(ground.database, ground.blobs, later, timedelta(minutes=1)) == 1

    assert on_disk(tmp_path) == []
    assert (await client.post(f"{KIND}/list", json={"status": "UPLOAD_ERROR"})).json()["total"] == 1


async def _dies(*_: Any) -> bool:
    raise RuntimeError("killed")
