"""Contents of files on the disk: whole under their own name, or not there at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from casebridge.domain.errors import FileTooLarge, StorageUnavailable
from casebridge.storage.blobs import Blobs


async def pieces(*given: bytes, fault: Exception | None = None) -> AsyncIterator[bytes]:
    for each in given:
        yield each
    if fault is not None:
        raise fault


def listed(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def test_what_was_received_is_read_back_and_only_for_the_owner(tmp_path: Path):
    blobs, whole = Blobs(tmp_path), [b"a" * 300_000, b"", b"b" * 300_000]

    content = await blobs.receive("one", pieces(*whole), 600_000)

    assert (content.size, content.sha256) == (600_000, sha256(b"".join(whole)).hexdigest())
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    read = await blobs.read("one")
    assert read is not None
    assert b"".join([each async for each in read]) == b"".join(whole)
    assert listed(tmp_path) == ["one"]


async def test_a_content_one_byte_too_long_leaves_nothing(tmp_path: Path):
    with pytest.raises(FileTooLarge) as refused:
        await Blobs(tmp_path).receive("one", pieces(b"x" * 9, b"y" * 2), 10)
    assert refused.value.limit_bytes == 10
    assert listed(tmp_path) == []


async def test_a_stream_that_breaks_off_leaves_nothing(tmp_path: Path):
    with pytest.raises(RuntimeError, match="gone"):
        await Blobs(tmp_path).receive("one", pieces(b"x" * 9, fault=RuntimeError("gone")), 10)
    assert listed(tmp_path) == []


async def test_a_folder_that_takes_nothing_makes_the_store_unavailable(tmp_path: Path):
    with pytest.raises(StorageUnavailable):
        await Blobs(tmp_path / "missing").receive("one", pieces(b"x"), 10)


async def test_what_is_not_there_is_not_read_and_may_be_removed(tmp_path: Path):
    blobs = Blobs(tmp_path)
    assert await blobs.read("one") is None
    await blobs.remove("one", "two")
