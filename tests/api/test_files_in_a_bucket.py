"""Files of cases whose contents are in a bucket: the same routes, the same order after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from casebridge.domain.errors import StorageUnavailable
from casebridge.services import files as file_verbs
from casebridge.services.ground import Ground
from casebridge.storage.bucket import Bucket, BucketPlace
from tests.api.conftest import Client
from tests.api.test_files import FORM, KIND, file_of, form, upload
from tests.s3 import S3Server


@pytest.fixture
def place(s3: S3Server) -> BucketPlace:
    """A bucket of this test's own."""
    return s3.new_bucket()


@pytest.fixture
async def ground(ground: Ground, place: BucketPlace) -> Ground:
    """The same as everywhere, but for the place of contents."""
    return msgspec.structs.replace(ground, blobs=Bucket(place))


async def sweep(ground: Ground, patience: timedelta = timedelta(0)) -> int:
    assert ground.blobs is not None
    return await file_verbs.sweep(ground.database, ground.blobs, ground.now(), patience)


async def test_a_file_goes_to_the_bucket_and_comes_back_whole(
    client: Client, open_case: Any, s3: S3Server, place: BucketPlace
):
    case = await open_case()
    content = bytes(range(256)) * 30_000

    id_ = file_of(await upload(client, case["id"], content=content))["externalReferenceId"]

    assert s3.objects(place) == [f"cases/files/{id_}"]
    answer = await client.get(f"{KIND}/{id_}/blob")
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-length"] == str(len(content))
    assert (await client.head(f"{KIND}/{id_}/blob")).headers["content-length"] == str(len(content))


async def test_refusals_and_deletions_leave_the_bucket_empty(
    client: Client, open_case: Any, s3: S3Server, place: BucketPlace
):
    case, other = await open_case(), await open_case()
    first = file_of(await upload(client, case["id"]))["externalReferenceId"]
    file_of(await upload(client, other["id"]))
    refused = await upload(client, case["id"], "big.png", b"x" * (10 * 1_048_576 + 1))
    assert refused.status_code == 413
    assert len(s3.objects(place)) == 2

    address = f"/internal/cases/{case['id']}/attachments/files/_bulk_delete"
    assert (await client.post(address, json={"ids": [first]})).status_code == 204
    assert (await client.delete(f'/api/cases?ids=["{other["id"]}"]')).status_code == 204

    assert (s3.objects(place), s3.uploads(place)) == ([], [])


async def test_a_client_that_goes_away_leaves_nothing_in_the_bucket(
    app: Any, client: Client, open_case: Any, s3: S3Server, place: BucketPlace
):
    case = await open_case()
    body = form(('name="file"; filename="a.txt"', b"x" * (7 * 1_048_576)))
    begun = {"type": "http.request", "body": body[:-100], "more_body": True}
    messages = iter([begun, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there to be answered")

    headers = {**FORM, "kbn-xsrf": "true", "authorization": client.auth._auth_header}  # type: ignore[union-attr]
    raw = [(key.encode(), value.encode()) for key, value in headers.items()]
    path = f"/api/cases/{case['id']}/files"
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": raw, "client": None}
    await app(scope, receive, send)

    assert (s3.objects(place), s3.uploads(place)) == ([], [])


async def test_a_sweep_puts_right_what_a_crash_left_in_the_bucket(
    ground: Ground, client: Client, open_case: Any, s3: S3Server, place: BucketPlace
):
    case = await open_case()
    lost, kept = [file_of(await upload(client, case["id"]))["externalReferenceId"] for _ in range(2)]
    s3.boto.delete_object(Bucket=place.name, Key=f"cases/files/{lost}")
    s3.boto.put_object(Bucket=place.name, Key="cases/files/orphan", Body=b"x")
    for name in ("half", kept):
        s3.broken_off(place, f"cases/files/{name}")

    assert await sweep(ground) == 4

    assert (s3.objects(place), s3.uploads(place)) == ([f"cases/files/{kept}"], [])
    assert (await client.get(f"{KIND}/{lost}")).json()["file"]["status"] == "UPLOAD_ERROR"
    assert (await client.get(f"{KIND}/{kept}/blob")).content == b"a,b\n"
    assert await sweep(ground) == 0


async def test_a_sweep_leaves_an_upload_under_way_alone_and_ends_one_that_nobody_works_on(
    ground: Ground, client: Client, open_case: Any, s3: S3Server, place: BucketPlace
):
    await open_case()
    made = (await client.post(KIND, json={"name": "a", "mimeType": "text/plain"})).json()["file"]
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * (12 * 1_048_576)
        begun.set()
        await go_on.wait()
        yield b"y"

    putting = asyncio.create_task(client.put(f"{KIND}/{made['id']}/blob", content=slow()))
    await begun.wait()
    assert await sweep(ground, timedelta(hours=1)) == 0
    go_on.set()
    assert (await putting).json() == {"ok": True, "size": 12 * 1_048_576 + 1}

    other = (await client.post(KIND, json={"name": "b", "mimeType": "text/plain"})).json()["file"]
    stored = await file_verbs.files.get(ground.database, "default", other["id"])
    assert stored is not None
    await file_verbs._move(ground, stored, "UPLOADING")
    s3.broken_off(place, f"cases/files/{other['id']}")
    assert await sweep(ground) == 1
    assert s3.uploads(place) == []
    assert (await client.put(f"{KIND}/{other['id']}/blob", content=b"again")).json() == {"ok": True, "size": 5}


async def test_a_sweep_touches_nothing_when_the_contents_are_those_of_another_database(
    ground: Ground, client: Client, open_case: Any, s3: S3Server, place: BucketPlace
):
    for number in range(3):
        s3.boto.put_object(Bucket=place.name, Key=f"cases/files/{number}", Body=b"x")
    with pytest.raises(StorageUnavailable, match="another folder, bucket, prefix or database"):
        await sweep(ground)
    assert len(s3.objects(place)) == 3

    case = await open_case()
    ids = [file_of(await upload(client, case["id"]))["externalReferenceId"] for _ in range(2)]
    elsewhere = msgspec.structs.replace(ground, blobs=Bucket(msgspec.structs.replace(place, prefix="other")))
    with pytest.raises(StorageUnavailable):
        await sweep(elsewhere)
    for id_ in ids:
        assert (await client.get(f"{KIND}/{id_}")).json()["file"]["status"] == "READY"


async def test_while_the_bucket_is_away_files_are_503_and_cases_go_on(
    ground: Ground, client: Client, open_case: Any, s3: S3Server, place: BucketPlace
):
    case = await open_case()
    id_ = file_of(await upload(client, case["id"]))["externalReferenceId"]
    s3.boto.delete_object(Bucket=place.name, Key=f"cases/files/{id_}")
    s3.boto.delete_bucket(Bucket=place.name)

    for answer in (await upload(client, case["id"]), await client.get(f"{KIND}/{id_}/blob")):
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
    listed = (await client.post(f"{KIND}/list", json={"status": ["UPLOADING", "READY"]})).json()
    assert [each["id"] for each in listed["files"]] == [id_]

    assert (await client.delete(f'/api/cases?ids=["{case["id"]}"]')).status_code == 204
    assert (await client.get(f"{KIND}/{id_}")).status_code == 404
