"""The documents of a simulated Elasticsearch: indices, aliases, versions, and what a search may see of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

FORBIDDEN = frozenset('\\/*?"<>| ,#:')
VERSIONS_KEPT = 10


class Fault(Exception):
    """An operation that is refused: status, the type of the exception there, and its reason."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(status, kind, reason)
        self.status, self.kind, self.reason = status, kind, reason

    @property
    def error(self) -> dict[str, Any]:
        """The error as the API shows it."""
        return {"type": self.kind, "reason": self.reason}


@dataclass(frozen=True)
class Version:
    """One state of a document. `visible`: a search sees it at once."""

    number: int
    seq_no: int
    at: datetime
    source: dict[str, Any]
    visible: bool


@dataclass
class Doc:
    """A document with its newest versions, oldest first."""

    index: str
    id: str
    versions: list[Version] = field(default_factory=list)

    @property
    def now(self) -> Version:
        return self.versions[-1]

    def seen(self, until: datetime) -> Version | None:
        """What a search finds that sees nothing newer than `until`, but for what was refreshed."""
        return next((each for each in reversed(self.versions) if each.visible or each.at <= until), None)


class Shelves:
    """All indices."""

    def __init__(self) -> None:
        self.indices: dict[str, dict[str, Doc]] = {}
        self.aliases: dict[str, list[str]] = {}
        self._seq_no = -1

    @property
    def docs(self) -> list[Doc]:
        """Every document, by index and age."""
        return [doc for shelf in self.indices.values() for doc in shelf.values()]

    def alias(self, index: str, name: str) -> None:
        """One more name for an index."""
        if index not in self.indices:
            raise missing_index(index)
        names = self.aliases.setdefault(name, [])
        if index not in names:
            names.append(index)

    def resolved(self, expression: str) -> list[str]:
        """The indices a search names: names, aliases, patterns, commas between them."""
        found: list[str] = []
        for each in expression.split(","):
            if "*" in each or each == "_all":
                found += [name for name in self.indices if each == "_all" or fnmatchcase(name, each)]
            elif each in self.aliases:
                found += self.aliases[each]
            elif each in self.indices:
                found.append(each)
            else:
                raise missing_index(each)
        return list(dict.fromkeys(found))

    def written(self, name: str) -> str:
        """The index a write to this name goes to."""
        targets = self.aliases.get(name, [name])
        if len(targets) > 1:
            raise Fault(
                400,
                "illegal_argument_exception",
                f"no write index is defined for alias [{name}]. The write index may be explicitly disabled using "
                "is_write_index=false or the alias points to multiple indices without one being designated as a "
                "write index",
            )
        return targets[0]

    def get(self, name: str, id_: str) -> Doc | None:
        """A document, as it is this moment; Fault without the index."""
        index = self.written(name)
        if index not in self.indices:
            raise missing_index(name)
        return self.indices[index].get(id_)

    def put(
        self, name: str, id_: str, source: dict[str, Any], at: datetime, *, create: bool = False, refresh: bool = False
    ) -> tuple[Doc, bool]:
        """The document with this source, and whether it is new. A missing index is made."""
        index = self.written(name)
        check_name(index)
        if len(id_.encode()) > 512:
            raise Fault(
                400, "illegal_argument_exception",
                f"id is too long, must be no longer than 512 bytes but was: {len(id_.encode())}",
            )  # fmt: skip
        shelf = self.indices.setdefault(index, {})
        known = shelf.get(id_)
        if known is not None and create:
            raise conflict(id_, f"document already exists (current version [{known.now.number}])")
        doc = known or shelf.setdefault(id_, Doc(index, id_))
        self._add(doc, source, at, refresh)
        return doc, known is None

    def update(
        self,
        name: str,
        id_: str,
        partial: dict[str, Any],
        at: datetime,
        guard: tuple[int, int] | None,
        *,
        refresh: bool,
    ) -> tuple[Doc, bool]:
        """The document with `partial` merged into it, and whether that changed it. `guard`: sequence number, term."""
        index = self.written(name)
        doc = self.indices.get(index, {}).get(id_)
        if index not in self.indices:
            raise missing_index(name)
        if doc is None:
            raise Fault(404, "document_missing_exception", f"[{id_}]: document missing")
        if guard is not None and guard != (doc.now.seq_no, 1):
            raise conflict(
                id_,
                f"required seqNo [{guard[0]}], primary term [{guard[1]}]. current document has seqNo "
                f"[{doc.now.seq_no}] and primary term [1]",
            )
        merged = merge(doc.now.source, partial)
        if merged == doc.now.source:
            return doc, False
        self._add(doc, merged, at, refresh)
        return doc, True

    def delete(self, name: str, id_: str) -> bool:
        """Whether there was such a document; it is gone now."""
        index = self.written(name)
        if index not in self.indices:
            raise missing_index(name)
        return self.indices[index].pop(id_, None) is not None

    def search(self, expression: str, ids: list[str], now: datetime, lag_s: float) -> list[tuple[Doc, Version]]:
        """The documents of these ids that a search sees, as it sees them."""
        until = now - timedelta(seconds=lag_s)
        found = []
        for index in self.resolved(expression):
            shelf = self.indices[index]
            docs = [shelf[id_] for id_ in dict.fromkeys(ids) if id_ in shelf]
            found += [(doc, version) for doc in docs if (version := doc.seen(until)) is not None]
        return found

    def _add(self, doc: Doc, source: dict[str, Any], at: datetime, refresh: bool) -> None:
        self._seq_no += 1
        number = doc.now.number + 1 if doc.versions else 1
        doc.versions.append(Version(number, self._seq_no, at, source, refresh))
        del doc.versions[:-VERSIONS_KEPT]


def merge(source: dict[str, Any], partial: dict[str, Any]) -> dict[str, Any]:
    """Objects are merged key by key; anything else is replaced."""
    merged = dict(source)
    for name, value in partial.items():
        held = merged.get(name)
        merged[name] = merge(held, value) if isinstance(held, dict) and isinstance(value, dict) else value
    return merged


def only(source: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
    """The fields of a source that are asked for, by their dotted names, spelled as the source spells them."""

    def kept(value: dict[str, Any], prefix: str) -> dict[str, Any]:
        found = {}
        for name, each in value.items():
            path = f"{prefix}{name}"
            if any(path == one or path.startswith(f"{one}.") or fnmatchcase(path, one) for one in wanted):
                found[name] = each
            elif isinstance(each, dict) and (below := kept(each, f"{path}.")):
                found[name] = below
        return found

    return kept(source, "")


def check_name(index: str) -> None:
    """Fault for a name that no index can have."""
    bad = index != index.lower() or set(index) & FORBIDDEN or index[:1] in ("_", "-", "+") or index in (".", "..", "")
    if bad or len(index.encode()) > 255:
        raise Fault(400, "invalid_index_name_exception", f"Invalid index name [{index}]")


def missing_index(name: str) -> Fault:
    """There is no such index."""
    return Fault(404, "index_not_found_exception", f"no such index [{name}]")


def conflict(id_: str, why: str) -> Fault:
    """Somebody else was there first."""
    return Fault(409, "version_conflict_engine_exception", f"[{id_}]: version conflict, {why}")
