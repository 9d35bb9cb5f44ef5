"""Files on the wire (contract attachments.md 6.2)."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from casebridge.domain.file import StoredFile
from casebridge.wire.base import Body, Shape, time_text

Status = Literal["AWAITING_UPLOAD", "UPLOADING", "READY", "UPLOAD_ERROR", "DELETED"]


class NewFile(Body):
    """A file record to be made; its content comes later."""

    name: str
    alt: str | UnsetType = UNSET
    mimeType: str | UnsetType = UNSET
    meta: dict[str, Any] | UnsetType = UNSET


class FileIds(Body):
    """Body of the bulk delete of files."""

    ids: list[str]


class FilesQuery(Body):
    """Query of the list of files."""

    page: int = 1
    perPage: int = 100


class FilesFilter(Body):
    """Which files are listed: each key one value or several."""

    status: Status | list[Status] | UnsetType = UNSET
    extension: str | list[str] | UnsetType = UNSET
    name: str | list[str] | UnsetType = UNSET
    mimeType: str | list[str] | UnsetType = UNSET
    meta: dict[str, Any] | UnsetType = UNSET

    def to_domain(self) -> dict[str, Any]:
        """What `domain.file.matches` understands."""
        keys = {"status": self.status, "extension": self.extension, "name": self.name, "mime_type": self.mimeType}
        given = {key: [value] if isinstance(value, str) else value for key, value in keys.items() if value is not UNSET}
        return given if isinstance(self.meta, UnsetType) else given | {"meta": self.meta}


class FileUser(Shape):
    """Who made a file."""

    id: str | None
    name: str | None


class FileHash(Shape):
    """Digests of the content."""

    sha256: str


class FileShape(Shape):
    """A file's record."""

    id: str
    created: str
    updated: str
    name: str
    extension: str | None
    mimeType: str | None
    size: int | None
    alt: str | None
    meta: dict[str, Any]
    fileKind: str
    status: Status
    user: FileUser
    hash: FileHash | UnsetType = UNSET

    @classmethod
    def of(cls, file: StoredFile) -> FileShape:
        """The shape of a record."""
        return cls(
            id=file.id,
            created=time_text(file.created_at),
            updated=time_text(file.updated_at),
            name=file.name,
            extension=file.extension,
            mimeType=file.mime_type,
            size=file.size,
            alt=file.alt,
            meta=file.meta,
            fileKind=file.kind,
            status=file.status,  # type: ignore[arg-type]
            user=FileUser(id=file.created_by.profile_uid or file.created_by.username, name=file.created_by.username),
            hash=UNSET if file.sha256 is None else FileHash(sha256=file.sha256),
        )


class OneFile(Shape):
    """Answer of the routes that make and read a record."""

    file: FileShape


class FilesPage(Shape):
    """Answer of the list of files."""

    files: list[FileShape]
    total: int


class Uploaded(Shape):
    """Answer to content that was taken."""

    ok: bool
    size: int
