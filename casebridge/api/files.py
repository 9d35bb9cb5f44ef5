"""Routes of files: attaching one to a case, the store behind it, deleting them."""

from __future__ import annotations

from msgspec import UnsetType

from casebridge.api.attachments import written
from casebridge.api.multipart import download_headers, read_upload
from casebridge.api.routing import Answer, Call, Route
from casebridge.domain.query import check_page
from casebridge.services import files
from casebridge.wire.cases import CaseShape
from casebridge.wire.files import (
    FileIds,
    FilesFilter,
    FileShape,
    FilesPage,
    FilesQuery,
    NewFile,
    OneFile,
    Uploaded,
)


async def _attach(call: Call) -> CaseShape:
    upload = await read_upload(call.stream(), call.headers)
    return written(await files.attach(call.ground, call.asking, call.path["case_id"], upload))


async def _delete_many(call: Call) -> None:
    body: FileIds = call.body
    await files.delete_many(call.ground, call.asking, call.path["case_id"], body.ids)


async def _make(call: Call) -> OneFile:
    body: NewFile = call.body
    made = await files.make(
        call.ground,
        call.asking,
        call.path["kind"],
        name=body.name,
        alt=None if isinstance(body.alt, UnsetType) else body.alt,
        mime_type=None if isinstance(body.mimeType, UnsetType) else body.mimeType,
        meta={} if isinstance(body.meta, UnsetType) else body.meta,
    )
    return OneFile(file=FileShape.of(made))


async def _put_content(call: Call) -> Uploaded:
    stored = await files.put_content(call.ground, call.asking, call.path["kind"], call.path["id"], call.stream())
    return Uploaded(ok=True, size=stored.size or 0)


async def _get(call: Call) -> OneFile:
    found = await files.read(call.ground, call.asking, call.path["kind"], call.path["id"])
    return OneFile(file=FileShape.of(found))


async def _list(call: Call) -> FilesPage:
    query: FilesQuery = call.query
    wanted: FilesFilter = call.body or FilesFilter()
    page = check_page(query.page, query.perPage)
    found, total = await files.find(call.ground, call.asking, call.path["kind"], wanted.to_domain(), page)
    return FilesPage(files=[FileShape.of(each) for each in found], total=total)


async def _download(call: Call) -> Answer:
    file, pieces = await files.open_content(call.ground, call.asking, call.path["kind"], call.path["id"])
    return Answer(pieces, headers=download_headers(file.download_name, file.mime_type, file.size))


_TAG = "files"
_KIND = "/api/files/files/{kind}"

ROUTES = (
    Route(
        "POST", "/api/cases/{case_id}/files", _attach,
        name="attachFile", summary="Attach a file to a case", tag=_TAG, upload=True, answer=CaseShape, errors=(403,),
    ),
    Route(
        "POST", "/internal/cases/{case_id}/attachments/files/_bulk_delete", _delete_many,
        name="bulkDeleteFiles", summary="Delete files of a case", tag=_TAG, body=FileIds, status=204, errors=(403,),
    ),
    Route(
        "POST", _KIND, _make,
        name="createFile", summary="Make a file record", tag=_TAG, body=NewFile, answer=OneFile, errors=(403,),
    ),
    Route(
        "POST", f"{_KIND}/list", _list,
        name="listFiles", summary="A page of the files of a kind", tag=_TAG,
        query=FilesQuery, body=FilesFilter, body_optional=True, answer=FilesPage, errors=(403,),
    ),
    Route(
        "GET", f"{_KIND}/{{id}}", _get,
        name="getFile", summary="A file record", tag=_TAG, answer=OneFile, errors=(403,),
    ),
    Route(
        "PUT", f"{_KIND}/{{id}}/blob", _put_content,
        name="uploadFile", summary="Give a file its content", tag=_TAG, upload=True, upload_type="*/*",
        answer=Uploaded, errors=(403, 409),
    ),
    Route(
        "GET", f"{_KIND}/{{id}}/blob", _download,
        name="downloadFile", summary="The content of a file", tag=_TAG, errors=(403,),
    ),
    Route(
        "GET", f"{_KIND}/{{id}}/blob/{{file_name}}", _download,
        name="downloadFileByName", summary="The content of a file, under any name", tag=_TAG, errors=(403,),
    ),
)  # fmt: skip
