"""Contents of files, in a folder and in a bucket alike: whole under their own name, or not there at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path

import pytest

from casebridge.domain.errors import FileTooLarge, StorageUnavailable
from casebridge.storage.blobs import Blobs, FileStore
from casebridge.storage.bucket import Bucket

MIB = 1_048_576


async def pieces(*given: bytes, fault: BaseException | None = None) -> AsyncIterator[bytes]:
    for each in given:
        yield each
    if fault is not None:
        raise fault


async def read_whole(store: FileStore, id_: str) -> bytes | None:
    found = await store.read(id_)
    return None if found is None else b"".join([each async for each in found])


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    """An empty store of each kind."""
    if request.param == "folder":
        return Blobs(tmp_path)
    return Bucket(request.getfixturevalue("s3").new_bucket())


@pytest.fixture(params=["folder", "bucket"])
def unreachable(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    """A store that is not there."""
    if request.param == "folder":
        return Blobs(tmp_path / "missing")
    place = request.getfixturevalue("s3").new_bucket()
    return Bucket(type(place)(name="no-such-bucket", endpoint=place.endpoint, region=place.region, keys=place.keys))


async def test_what_was_received_is_read_back(store: FileStore):
    whole = [b"a" * 300_000, b"", b"b" * 300_000]

    content = await store.receive("one", pieces(*whole), 600_000)

    assert (content.size, content.sha256) == (600_000, sha256(b"".join(whole)).hexdigest())
    assert await read_whole(store, "one") == b"".join(whole)
    assert await store.names() == {"one"}
    await store.check()


async def test_an_empty_content_is_a_content(store: FileStore):
    content = await store.receive("one", pieces(), 10)

    assert (content.size, content.sha256) == (0, sha256(b"").hexdigest())
    assert await read_whole(store, "one") == b""


async def test_a_content_of_many_parts_is_read_back_in_pieces(store: FileStore):
    whole = [bytes([number]) * MIB for number in range(13)]

    content = await store.receive("one", pieces(*whole), 13 * MIB)

    assert content.sha256 == sha256(b"".join(whole)).hexdigest()
    found = await store.read("one")
    assert found is not None
    sizes, digest = [], sha256()
    async for piece in found:
        sizes.append(len(piece))
        digest.update(piece)
    assert digest.hexdigest() == content.sha256
    assert max(sizes) <= MIB


async def test_a_content_one_byte_too_long_leaves_nothing(store: FileStore):
    with pytest.raises(FileTooLarge) as refused:
        await store.receive("one", pieces(b"x" * 9, b"y" * 2), 10)
    assert refused.value.limit_bytes == 10
    assert await store.names() == set()


@pytest.mark.parametrize("sent", [9, 12 * MIB], ids=["before the first part", "after two parts"])
async def test_a_stream_that_breaks_off_leaves_nothing(store: FileStore, sent: int):
    with pytest.raises(RuntimeError, match="gone"):
        await store.receive("one", pieces(b"x" * sent, fault=RuntimeError("gone")), 20 * MIB)
    assert await store.names() == set()


async def test_an_upload_that_is_cancelled_leaves_nothing(store: FileStore):
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield b"x" * MIB
        begun.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(store.receive("one", endless(), 20 * MIB))
    await begun.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert await store.names() == set()


async def test_a_content_may_be_replaced_as_a_whole(store: FileStore):
    await store.receive("one", pieces(b"first"), 10)
    await store.receive("one", pieces(b"second"), 10)
    assert await read_whole(store, "one") == b"second"


async def test_what_is_not_there_is_not_read_and_may_be_removed(store: FileStore):
    await store.receive("two", pieces(b"x"), 10)
    assert await store.read("one") is None

    await store.remove("one", "two", "three.part")
    assert await store.names() == set()


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.receive("one", pieces(b"x"), 10),
        lambda store: store.names(),
        lambda store: store.check(),
    ],
    ids=["receive", "names", "check"],
)
async def test_a_store_that_is_not_there_is_unavailable(unreachable: FileStore, use: Callable[[FileStore], object]):
    with pytest.raises(StorageUnavailable):
        await use(unreachable)  # type: ignore[misc]


async def test_the_folder_is_for_its_owner_alone(tmp_path: Path):
    await Blobs(tmp_path).receive("one", pieces(b"x"), 10)

    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
