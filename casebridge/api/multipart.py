"""An upload as a form of parts, read piece by piece: the whole of it is never in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from casebridge.api.errors import WrongMediaType
from casebridge.domain.errors import InvalidInput
from casebridge.services.files import Upload

MOST_FIELD_BYTES = 16_384
_FORM = b"multipart/form-data"


async def read_upload(stream: AsyncIterator[bytes], headers: Mapping[str, str]) -> Upload:
    """The upload, as soon as its file begins: its content goes on with the stream. InvalidInput when there is no file.

    The form has the parts `file`, with a file name, and `filename`, which may come before or after it.
    """
    form = _Form(stream, _boundary(headers.get("content-type", "")))
    async for name, piece in form.parts():
        if name == "file":
            assert form.filename is not None
            return Upload(form.filename, form.content(piece), form.given_name)
    raise InvalidInput("file", "a part of this name, with a file name, is required.")


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind.lower() != _FORM:
        raise WrongMediaType(f"Expected content-type multipart/form-data, given {content_type[:80] or 'none'}.")
    boundary = options.get(b"boundary")
    if not boundary:
        raise InvalidInput("content-type", "the boundary of the form is missing.")
    return boundary


class _Form:
    """The parts of a form in the order in which they come."""

    def __init__(self, stream: AsyncIterator[bytes], boundary: bytes) -> None:
        self.filename: str | None = None
        self._stream = stream
        self._events: list[tuple[str, bytes]] = []
        self._header: list[bytes] = [b"", b""]
        self._disposition = b""
        self._name = ""
        self._given: bytearray | None = None
        self._seen: set[str] = set()
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_part_data": self._take_data,
                "on_header_field": lambda data, start, end: self._take_header(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._take_header(1, data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_end": self._end,
            },
        )
        self._left = self._read()

    def given_name(self) -> str | None:
        """The text of the part `filename`, if it came yet."""
        if self._given is None:
            return None
        return _text(bytes(self._given), "filename")

    def parts(self) -> AsyncIterator[tuple[str, bytes]]:
        """Pieces of the file under the name `file`, an empty one first; other parts are kept apart."""
        return self._left

    async def content(self, first: bytes) -> AsyncIterator[bytes]:
        """The file's pieces up to the end of the form."""
        yield first
        async for _, piece in self._left:
            yield piece

    async def _read(self) -> AsyncIterator[tuple[str, bytes]]:
        async for data in self._stream:
            if data:
                try:
                    self._parser.write(data)
                except FormParserError as error:
                    raise InvalidInput("", f"The body is not a readable form: {error}.") from None
            events, self._events = self._events, []
            for event in events:
                yield event
        if not self._ended:
            raise InvalidInput("", "The form ends before its last part does.")

    def _begin_part(self) -> None:
        self._disposition = b""
        self._header = [b"", b""]

    def _take_header(self, place: int, data: bytes) -> None:
        self._header[place] += data

    def _end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = [b"", b""]

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = _text(options.get(b"name", b""), "content-disposition")
        if self._name not in ("file", "filename") or self._name in self._seen:
            raise InvalidInput(self._name, "this form takes the parts file and filename, each once.")
        self._seen.add(self._name)
        if self._name == "filename":
            self._given = bytearray()
        elif b"filename" not in options:
            raise InvalidInput("file", "its part needs a file name.")
        else:
            self.filename = _text(options[b"filename"], "file")
            self._events.append(("file", b""))

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == "file":
            self._events.append(("file", data[start:end]))
        elif self._given is not None:
            self._given += data[start:end]
            if len(self._given) > MOST_FIELD_BYTES:
                raise InvalidInput("filename", "the name is too long.")

    def _end(self) -> None:
        self._ended = True


def _text(raw: bytes, field: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidInput(field, "it is not UTF-8 text.") from None


def download_headers(name: str, mime_type: str | None, size: int | None) -> dict[str, Any]:
    """Headers under which content leaves us: to be saved, never to be shown or run in our name."""
    from urllib.parse import quote

    plain = "".join(each if each.isascii() and each.isprintable() and each not in '"\\' else "_" for each in name)
    headers = {
        "content-type": mime_type or "application/octet-stream",
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
    }
    return headers if size is None else headers | {"content-length": str(size)}
