"""Files of cases: their records, names, kinds of content and sizes (contract attachments.md 6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from casebridge.domain import limits
from casebridge.domain.errors import InvalidInput
from casebridge.domain.file_types import ALLOWED_TYPES, TYPE_OF_EXTENSION
from casebridge.domain.text import check_length, trimmed
from casebridge.domain.user import User

AWAITING, UPLOADING, READY, FAILED = "AWAITING_UPLOAD", "UPLOADING", "READY", "UPLOAD_ERROR"
KINDS = {
    "securitySolutionFilesCases": "securitySolution",
    "observabilityFilesCases": "observability",
    "casesFilesCases": "cases",
}
"""Kind of file -> owner."""

_MIB = 1_048_576
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a file; `size` in bytes and `sha256` are known once its content is there.

    `meta` holds what the maker gave; its `caseIds` and `owner` say which cases the file belongs to.
    """

    id: str
    space: str
    kind: str
    name: str
    extension: str | None
    mime_type: str | None
    created_at: datetime
    updated_at: datetime
    created_by: User
    status: str = AWAITING
    size: int | None = None
    sha256: str | None = None
    alt: str | None = None
    meta: dict[str, Any] = {}
    version: int = 0

    @property
    def owner(self) -> str:
        """The owner its kind stands for."""
        return KINDS[self.kind]

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The cases it says it belongs to."""
        listed = self.meta.get("caseIds")
        return tuple(each for each in listed if isinstance(each, str)) if isinstance(listed, list) else ()

    @property
    def download_name(self) -> str:
        """Name and extension."""
        return f"{self.name}.{self.extension}" if self.extension else self.name


class FileRules(msgspec.Struct, frozen=True):
    """What an operator may say about files: a size in place of both maxima, other content types."""

    max_bytes: int | None = None
    types: frozenset[str] = ALLOWED_TYPES

    def check_type(self, mime_type: str | None) -> None:
        """InvalidInput, naming the content type, unless it is allowed."""
        if mime_type is None:
            raise InvalidInput("file", "its name needs an extension that tells a known kind of content.")
        if mime_type not in self.types:
            raise InvalidInput("file", f"files of the type {mime_type} are not allowed.")

    def most_bytes(self, mime_type: str | None) -> int:
        """The largest content of that type."""
        if self.max_bytes is not None:
            return self.max_bytes
        return 10 * _MIB if mime_type is not None and mime_type.startswith("image/") else 100 * _MIB


class FileName(msgspec.Struct, frozen=True):
    """The parts of an uploaded file's name, and the type of content its extension stands for."""

    stem: str
    extension: str | None
    mime_type: str | None


def split_name(given: str) -> FileName:
    """The parts of a name as uploaded; folders before it do not count. InvalidInput for control characters.

    >>> split_name("C:\\\\captures\\\\Netflow.2.CSV")
    FileName(stem='Netflow.2', extension='csv', mime_type='text/csv')
    """
    name = re.split(r"[/\\]", given)[-1]
    if _CONTROL.search(name):
        raise InvalidInput("file", "its name holds control characters.")
    stem, dot, extension = name.rpartition(".")
    if not dot:
        return FileName(name, None, None)
    extension = extension.lower()
    return FileName(stem, extension or None, TYPE_OF_EXTENSION.get(extension))


def checked_name(name: str, field: str = "filename") -> str:
    """The trimmed name of a file; InvalidInput unless it has 1 to 160 characters, none of them a control character."""
    if _CONTROL.search(name):
        raise InvalidInput(field, "it holds control characters.")
    check_length(field, name, limits.FILE_NAME)
    return trimmed(name)


def file_payload(file: StoredFile, created: str) -> dict[str, Any]:
    """The attachment that stands for a file on its case; `created` as on the wire."""
    entry = {"name": file.name, "extension": file.extension, "mimeType": file.mime_type, "created": created}
    return {
        "type": "externalReference",
        "owner": file.owner,
        "externalReferenceAttachmentTypeId": ".files",
        "externalReferenceId": file.id,
        "externalReferenceMetadata": {"files": [entry]},
        "externalReferenceStorage": {"type": "savedObject", "soType": "file"},
    }


def matches(file: StoredFile, wanted: Mapping[str, Any]) -> bool:
    """Whether a file is among those asked for: `status`, `extension`, `name`, `mime_type` are lists, `meta` an object
    whose lists must share a value with the file's."""
    for key in ("status", "extension", "name", "mime_type"):
        if wanted.get(key) is not None and getattr(file, key) not in wanted[key]:
            return False
    meta: Mapping[str, Any] = wanted.get("meta") or {}
    return all(_shares(file.meta.get(key), value) for key, value in meta.items())


def _shares(has: Any, wanted: Any) -> bool:
    present = has if isinstance(has, list) else [has]
    return any(each in present for each in (wanted if isinstance(wanted, list) else [wanted]))
