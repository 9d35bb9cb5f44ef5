"""Contents of files: what a place for them can do, and the place that needs nothing else, a folder.

In the folder each content is one file of the system, named by its id. It is written under a temporary name, flushed to
the disk and renamed; so whatever has its own name is whole. This module knows no records: which contents belong to one
is asked of `storage/files.py`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from casebridge.domain.errors import FileTooLarge, StorageUnavailable

PART = ".part"
"""Behind the id of a content that is not whole: one on its way, or one that was broken off."""

_PIECE = 262_144


class Content(msgspec.Struct, frozen=True):
    """What was received: bytes and their digest in hexadecimal."""

    size: int
    sha256: str


class FileStore(Protocol):
    """A place for contents. Ids are those this server makes: they hold nothing that means something in a path.

    Every method raises StorageUnavailable when the place cannot be used.
    """

    async def receive(self, id_: str, pieces: AsyncIterator[bytes], most_bytes: int) -> Content:
        """Take in a content and have it stored; FileTooLarge, and nothing left behind, when it is too long.

        What `pieces` raises is passed on, and nothing is left behind either.
        """
        ...

    async def read(self, id_: str) -> AsyncIterator[bytes] | None:
        """The content piece by piece; None when there is none."""
        ...

    async def remove(self, *names: str) -> None:
        """Delete contents, also unfinished ones named with PART; what is not there is no error."""
        ...

    async def names(self) -> set[str]:
        """The ids of all contents, and of unfinished ones with PART behind them."""
        ...

    async def check(self) -> None:
        """StorageUnavailable, saying what to look at, when the place cannot be used."""
        ...


class Blobs:
    """A folder of contents."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def receive(self, id_: str, pieces: AsyncIterator[bytes], most_bytes: int) -> Content:
        """Take in a content and have it on the disk."""
        path, part = self._folder / id_, self._folder / f"{id_}{PART}"
        digest, size = sha256(), 0
        try:
            with await asyncio.to_thread(_create, part) as file:
                buffer = bytearray()
                async for piece in pieces:
                    size += len(piece)
                    if size > most_bytes:
                        raise FileTooLarge(most_bytes)
                    buffer += piece
                    if len(buffer) >= _PIECE:
                        digest.update(buffer)
                        await asyncio.to_thread(file.write, bytes(buffer))
                        buffer.clear()
                digest.update(buffer)
                await asyncio.to_thread(_finish, file, bytes(buffer), part, path)
        except BaseException as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise StorageUnavailable(f"The folder of files cannot be written to: {error.strerror}.") from error
            raise
        return Content(size, digest.hexdigest())

    async def read(self, id_: str) -> AsyncIterator[bytes] | None:
        """The content piece by piece; None when there is none."""
        path = self._folder / id_
        # Opened only when somebody takes the first piece: an answer to HEAD never does.
        return _pieces(path) if await asyncio.to_thread(path.is_file) else None

    async def remove(self, *names: str) -> None:
        """Delete contents."""
        await asyncio.to_thread(self._remove, names)

    def _remove(self, names: tuple[str, ...]) -> None:
        for name in names:
            with suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)

    async def names(self) -> set[str]:
        """What is in the folder."""
        try:
            return set(await asyncio.to_thread(os.listdir, self._folder))
        except OSError as error:
            raise StorageUnavailable(f"The folder of files cannot be read: {error.strerror}.") from error

    async def check(self) -> None:
        """StorageUnavailable when the folder is not there or takes nothing."""
        if not await asyncio.to_thread(os.access, self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise StorageUnavailable(f"The folder of files {self._folder} cannot be read and written to.")


def _create(part: Path) -> BinaryIO:
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    return os.fdopen(handle, "wb")


def _finish(file: BinaryIO, rest: bytes, part: Path, path: Path) -> None:
    """Nothing is reported as stored before the disk has it, its name included."""
    file.write(rest)
    file.flush()
    os.fsync(file.fileno())
    os.replace(part, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
