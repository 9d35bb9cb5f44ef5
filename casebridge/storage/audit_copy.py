"""Copies of the sealed audit trail as JSON lines: in a file, or on standard output.

A line holds the event with its seal, so the chain can be followed in the copy too. The file knows by itself how far it
goes: its last line says so, and a note beside it when the file was moved away. Nothing is lost and nothing is doubled
when the process is killed at any moment; a line cut short is written anew. Standard output cannot be asked: what it was
told is kept in the database, and a kill in the very moment repeats a batch.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from casebridge.domain.audit_chain import Sealed
from casebridge.storage import audit_chain
from casebridge.storage.session import Database

BATCH = 256
_LAST_LINE = 1_048_576
_BEGIN = b'{"@timestamp":'

_encoder = msgspec.json.Encoder()


class _Seal(msgspec.Struct):
    place: int


class _Line(msgspec.Struct):
    seal: _Seal


def line(link: Sealed) -> bytes:
    """An event with its seal as one line."""
    event = link.event
    seal = {"place": link.place, "seq": event.seq, "at": event.at, "digest": link.digest}
    # The time first: by that a line is known as ours.
    return _encoder.encode({"@timestamp": event.doc.get("@timestamp"), **event.doc, "seal": seal}) + b"\n"


class FileCopy:
    """A copy in a file, which may be moved away at any time; any number of processes may be given the same one."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._path = path
        self._known: tuple[tuple[int, ...], int] = ((), 0)

    async def catch_up(self) -> None:
        """Append what was sealed since; OSError when the file cannot be written."""
        while True:
            after = await asyncio.to_thread(self._reached)
            links = await audit_chain.links(self._database, after, BATCH)
            if not links or not await asyncio.to_thread(self._append, after, links):
                return

    def _reached(self) -> int:
        """The last place in the copy; read anew only when file or note have changed."""
        seen = (*_stamp(self._path), *_stamp(self._note))
        if seen != self._known[0]:
            self._known = (seen, self._read_place())
        return self._known[1]

    def _read_place(self) -> int:
        noted = 0
        with suppress(OSError, ValueError):
            noted = int(self._note.read_text("ascii"))
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            return max(noted, _last_place(file)[0])
        return noted

    def _append(self, after: int, links: Sequence[Sealed]) -> bool:
        """Whether these were written; not when another process is writing, or has written."""
        with self._held() as is_ours:
            if not is_ours or self._reached() != after:
                return False
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "r+b") as file:
                file.seek(_last_place(file)[1])
                file.truncate()
                file.write(b"".join(map(line, links)))
                file.flush()
                os.fsync(file.fileno())
            beside = self._note.with_name(self._note.name + ".new")
            beside.write_text(f"{links[-1].place}\n", "ascii")
            beside.replace(self._note)
            return True

    @property
    def _note(self) -> Path:
        return self._path.with_name(self._path.name + ".place")

    @contextmanager
    def _held(self) -> Iterator[bool]:
        """Whether nobody else writes until the block ends."""
        lock = self._path.with_name(self._path.name + ".lock")
        handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(handle)


def _stamp(path: Path) -> tuple[int, ...]:
    """What differs once a file has changed."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return found.st_ino, found.st_mtime_ns, found.st_size


def _last_place(file: BinaryIO) -> tuple[int, int]:
    """The place in the last whole line, 0 without one; and where to write on: a line of ours cut short goes."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _LAST_LINE)
    file.seek(start)
    text = file.read()
    end = text.rfind(b"\n") + 1
    last = text[:end].rstrip(b"\n").rpartition(b"\n")[2]
    is_cut_short = text[end : end + len(_BEGIN)] == _BEGIN[: len(text) - end]
    write_on = start + end if is_cut_short else size
    try:
        return msgspec.json.decode(last, type=_Line).seal.place, write_on
    except msgspec.DecodeError:
        return 0, write_on


class StandardOutput:
    """A copy on standard output, for whoever gathers it from there."""

    def __init__(self, database: Database, file: BinaryIO) -> None:
        self._database = database
        self._file = file

    async def catch_up(self) -> None:
        """Print what was sealed since; SealedMeanwhile when another process prints it."""
        while (chain := await audit_chain.get(self._database)) is not None:
            links = await audit_chain.links(self._database, chain.told, BATCH)
            if not links:
                return
            await asyncio.to_thread(self._print, links)
            await self._database.commit([audit_chain.told_write(chain, links[-1].place)])

    def _print(self, links: Sequence[Sealed]) -> None:
        self._file.write(b"".join(map(line, links)))
        self._file.flush()
