"""A bucket of contents: what only a bucket can get wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec
import psutil
import pytest

from casebridge.domain.errors import StorageUnavailable
from casebridge.storage.bucket import Bucket, BucketPlace
from casebridge.storage.bucket_parts import BucketParts, signed
from tests.s3 import KEYS, REGION, S3Server
from tests.storage.test_blobs import MIB, pieces, read_whole


async def test_contents_live_behind_the_prefix_and_others_are_left_alone(s3: S3Server):
    place = s3.new_bucket("/cases/files/")
    s3.boto.put_object(Bucket=place.name, Key="cases/other", Body=b"not ours")
    bucket = Bucket(place)

    await bucket.receive("one", pieces(b"x"), 10)

    assert s3.objects(place) == ["cases/files/one", "cases/other"]
    assert await bucket.names() == {"one"}


async def test_without_a_prefix_the_bucket_is_ours_alone(s3: S3Server):
    place = s3.new_bucket("")
    bucket = Bucket(place)
    await bucket.receive("one", pieces(b"x"), 10)
    s3.broken_off(place, "two")

    assert await bucket.names() == {"one", "two.part"}
    await bucket.remove("one", "two.part")
    assert (s3.objects(place), s3.uploads(place)) == ([], [])


async def test_parts_that_a_crash_left_are_found_and_taken_away(s3: S3Server):
    place = s3.new_bucket()
    for key in ("cases/files/one", "cases/files/one", "cases/files/two", "elsewhere/three"):
        s3.broken_off(place, key)
    bucket = Bucket(place)

    assert await bucket.names() == {"one.part", "two.part"}
    await bucket.remove("one.part")

    assert s3.uploads(place) == ["cases/files/two", "elsewhere/three"]


class Pages(BaseHTTPRequestHandler):
    """A store that lists its unfinished uploads two at a time, as Amazon's does a thousand at a time."""

    def do_GET(self) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        after = (unquote(asked.get("key-marker", "")), asked.get("upload-id-marker", ""))
        all_ = [(f"p/a b&{number}", f"u{number}") for number in range(5)]
        left = [each for each in all_ if each > after]
        uploads = "".join(
            f"<Upload><Key>{quote(key)}</Key><UploadId>{id_}</UploadId></Upload>" for key, id_ in left[:2]
        )
        more = ""
        if is_cut := len(left) > 2:
            key, upload = left[1]
            more = f"<NextKeyMarker>{quote(key)}</NextKeyMarker><NextUploadIdMarker>{upload}</NextUploadIdMarker>"
        body = f"<R><IsTruncated>{str(is_cut).lower()}</IsTruncated>{more}{uploads}</R>".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


async def test_a_long_list_of_unfinished_uploads_is_read_to_its_end():
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        parts = BucketParts(f"http://127.0.0.1:{server.server_port}", "files", "p/", REGION, KEYS)
        found = await parts.find()
        server.shutdown()

    assert [(each.id, each.upload) for each in found] == [(f"a b&{number}", f"u{number}") for number in range(5)]


def test_calls_are_signed_as_a_client_of_others_signs_them():
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("GET", "http://127.0.0.1:9000/files?encoding-type=url&prefix=a%2Fb%20c&uploads=", data=b"")
    request.headers["host"] = "127.0.0.1:9000"
    S3SigV4Auth(Credentials(KEYS.id, KEYS.secret), "s3", REGION).add_auth(request)
    at = datetime.strptime(request.context["timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    query = "encoding-type=url&prefix=a%2Fb%20c&uploads="
    headers = signed("GET", "127.0.0.1:9000", "/files", query, REGION, KEYS, at)

    assert headers["authorization"] == request.headers["Authorization"]


async def test_a_large_content_never_is_in_memory_as_a_whole(s3: S3Server):
    bucket = Bucket(s3.new_bucket())
    process, piece, peak = psutil.Process(), b"x" * 65_536, 0
    await bucket.receive("warm", pieces(piece), MIB)
    before = process.memory_info().rss

    def look() -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss - before)

    async def long() -> AsyncIterator[bytes]:
        for _ in range(96 * 16):
            look()
            yield piece

    await bucket.receive("one", long(), 100 * MIB)
    found = await bucket.read("one")
    assert found is not None
    async for _ in found:
        look()

    assert peak < 48 * MIB


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "no-such-bucket"}, "there is no such bucket"),
        ({"endpoint": "http://127.0.0.1:9"}, "check files_endpoint"),
    ],
)
async def test_what_is_wrong_is_said_without_keys(s3: S3Server, change: dict[str, str], told: str):
    place = msgspec.structs.replace(s3.new_bucket(), **change)
    bucket = Bucket(place)
    uses = [bucket.check(), bucket.read("one"), bucket.names(), bucket.remove("one")]
    for use in uses:
        with pytest.raises(StorageUnavailable, match=told) as refused:
            await use
        shown = f"{refused.value}{refused.value.__cause__}{bucket!r}{place!r}{place.keys!r}"
        assert KEYS.id not in shown
        assert KEYS.secret not in shown


async def test_a_wrong_key_is_told_as_such():
    """Against a store that checks signatures, played by a port that refuses everything."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = f"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>{KEYS.id}</AWSAccessKeyId></Error>"
        writer.write(
            f"HTTP/1.1 403 Forbidden\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        bucket = Bucket(BucketPlace(name="files", endpoint=f"http://127.0.0.1:{port}", keys=KEYS))
        with pytest.raises(StorageUnavailable, match="InvalidAccessKeyId") as refused:
            await bucket.check()
    assert KEYS.id not in str(refused.value)


async def test_a_content_that_was_taken_away_meanwhile_is_not_there(s3: S3Server):
    place = s3.new_bucket()
    bucket = Bucket(place)
    await bucket.receive("one", pieces(b"x"), 10)
    s3.boto.delete_object(Bucket=place.name, Key="cases/files/one")

    assert await read_whole(bucket, "one") is None
