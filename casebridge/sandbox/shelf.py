"""Where a simulated system keeps its data between two starts: one JSON file, or nowhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from casebridge.sandbox.journal import Journal

JOURNAL_KEPT = 1_000
"""Newest requests that survive a restart; creations survive all."""


class Kept(Protocol):
    """All that a simulated system remembers: a msgspec struct with the journal in it."""

    journal: Journal


Book = TypeVar("Book", bound=Kept)


class Shelf(Generic[Book]):
    """The file of one simulated system."""

    def __init__(self, path: Path | None, book: type[Book], system: str) -> None:
        """`book` is what stands on the shelf; `system` its name for people."""
        self.path, self.book, self.system = path, book, system

    def load(self) -> Book:
        """The book as last saved; an empty one if there is none. ValueError: the file is something else."""
        if self.path is None or not self.path.exists():
            return self.book()
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=self.book)
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            raise ValueError(
                f"{self.path} is not the state of a simulated {self.system} ({wrong}). "
                "Delete it to start afresh, or name another file."
            ) from wrong

    def save(self, book: Book) -> None:
        """Write the whole book; a reader sees the old file or the new one, never a part."""
        if self.path is None:
            return
        kept = msgspec.structs.replace(book, journal=book.journal.tail(JOURNAL_KEPT))  # type: ignore[type-var]
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        draft.write_bytes(msgspec.json.encode(kept))
        draft.replace(self.path)
