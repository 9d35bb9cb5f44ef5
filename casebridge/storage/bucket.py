"""Contents of files in a bucket of a store that speaks S3: one object each, named by its id behind the prefix.

An object is there whole or not at all: it is sent in parts, which become the object together at the end. A crash in
between leaves parts that no list of objects shows; `storage/bucket_parts.py` finds them. No more than a few parts of a
content are in memory at a time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256

import msgspec
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from casebridge.domain.errors import FileTooLarge, StorageUnavailable
from casebridge.storage.blobs import PART, Content
from casebridge.storage.bucket_parts import BucketParts, Keys

_PIECE = 262_144
_PART_BYTES = 5 * 1_048_576
_AT_ONCE = 2
_TRIES = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
_CLIENT = {
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=30),
    # A download lasts as long as its reader takes.
    "timeout": timedelta(hours=6),
}


class BucketPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bucket is. Without `endpoint` it is Amazon's in that region; without `keys` they come from the machine's
    surroundings (its role, or the usual variables)."""

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str = "us-east-1"
    keys: Keys | None = None

    def __repr__(self) -> str:
        return f"BucketPlace({self.name!r})"


class _BrokenOff(Exception):
    """Ends an upload whose content will not come to its end."""


class Bucket:
    """A bucket of contents, a `FileStore`."""

    def __init__(self, place: BucketPlace) -> None:
        self._place = place
        self._store = _store(place)
        self._parts = None if place.keys is None else _parts(place, place.keys)

    async def receive(self, id_: str, pieces: AsyncIterator[bytes], most_bytes: int) -> Content:
        """Take in a content and have it in the bucket."""
        digest, size, buffer = sha256(), 0, bytearray()
        handed: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        sending = asyncio.create_task(self._send(id_, handed))
        try:
            async for piece in pieces:
                size += len(piece)
                if size > most_bytes:
                    raise FileTooLarge(most_bytes)
                buffer += piece
                if len(buffer) >= _PIECE:
                    digest.update(buffer)
                    await _hand(handed, bytes(buffer), sending)
                    buffer.clear()
            digest.update(buffer)
            await _hand(handed, bytes(buffer), sending)
            await _hand(handed, b"", sending)
            await asyncio.shield(sending)
        except BaseException:
            await asyncio.shield(_break_off(handed, sending))
            raise
        return Content(size, digest.hexdigest())

    async def _send(self, id_: str, handed: asyncio.Queue[bytes | None]) -> None:
        """Send what is handed over: an empty piece ends it well, None breaks it off and leaves nothing behind."""

        async def taken() -> AsyncIterator[bytes]:
            while (piece := await handed.get()) != b"":
                if piece is None:
                    raise _BrokenOff
                yield piece

        with self._explained("written to"):
            await obstore.put_async(
                self._store, id_, taken(), use_multipart=True, chunk_size=_PART_BYTES, max_concurrency=_AT_ONCE
            )

    async def read(self, id_: str) -> AsyncIterator[bytes] | None:
        """The content piece by piece; None when there is none."""
        try:
            with self._explained("read"):
                found = await obstore.get_async(self._store, id_)
        except _Missing as error:
            if error.code == "NoSuchBucket":
                raise StorageUnavailable(str(error)) from None
            return None
        return self._pieces(found)

    async def _pieces(self, found: obstore.GetResult) -> AsyncIterator[bytes]:
        with self._explained("read"):
            async for piece in found.stream(min_chunk_size=_PIECE):
                yield bytes(piece)

    async def remove(self, *names: str) -> None:
        """Delete contents, and parts of unfinished ones."""
        whole = [each for each in names if not each.endswith(PART)]
        with self._explained("written to"):
            if whole:
                await obstore.delete_async(self._store, whole)
        unfinished = {each.removesuffix(PART) for each in names if each.endswith(PART)}
        if unfinished and self._parts is not None:
            await self._parts.abort(unfinished)

    async def names(self) -> set[str]:
        """What is in the bucket behind the prefix."""
        found: set[str] = set()
        with self._explained("read"):
            async for page in self._store.list():
                found.update(each["path"] for each in page)
        if self._parts is not None:
            found.update(f"{each.id}{PART}" for each in await self._parts.find())
        return found

    async def check(self) -> None:
        """StorageUnavailable when the bucket cannot be reached, or its keys do not open it."""
        with self._explained("read"):
            await self._store.list_with_delimiter_async()

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        """What the client raises as StorageUnavailable; its own texts hold keys and addresses."""
        try:
            yield
        except (BaseError, OSError) as error:
            text = str(error)
            found = re.search(r"<Code>(\w+)</Code>", text)
            code = found[1] if found else None
            message = f"The bucket {self._place.name} cannot be {done}: {_reason(code, text)}."
            if isinstance(error, FileNotFoundError):
                raise _Missing(message, code) from None
            raise StorageUnavailable(message) from None


class _Missing(StorageUnavailable):
    """The object or its bucket is not there."""

    def __init__(self, message: str, code: str | None) -> None:
        super().__init__(message)
        self.code = code


def _store(place: BucketPlace) -> S3Store:
    keys = {}
    if place.keys is not None:
        keys = {"access_key_id": place.keys.id, "secret_access_key": place.keys.secret}
    if place.endpoint is not None:
        keys["endpoint"] = place.endpoint
    return S3Store(
        place.name,
        prefix=place.prefix.strip("/") or None,
        region=place.region,
        # Stores of other makers are often reached by one host name only.
        virtual_hosted_style_request=place.endpoint is None,
        client_options={**_CLIENT, "allow_http": (place.endpoint or "").startswith("http://")},  # type: ignore[arg-type]
        retry_config=_TRIES,  # type: ignore[arg-type]
        **keys,  # type: ignore[arg-type]
    )


def _parts(place: BucketPlace, keys: Keys) -> BucketParts:
    endpoint = place.endpoint or f"https://s3.{place.region}.amazonaws.com"
    prefix = f"{place.prefix.strip('/')}/".lstrip("/")
    return BucketParts(endpoint.rstrip("/"), place.name, prefix, place.region, keys)


async def _hand(handed: asyncio.Queue[bytes | None], piece: bytes, sending: asyncio.Task[None]) -> None:
    """Give the sender a piece, or raise what stopped it."""
    giving = asyncio.ensure_future(handed.put(piece))
    try:
        await asyncio.wait((giving, sending), return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not giving.done():
            giving.cancel()
    if sending.done():
        await sending


async def _break_off(handed: asyncio.Queue[bytes | None], sending: asyncio.Task[None]) -> None:
    """See the sender to its end, and what it had sent taken back."""
    while not handed.empty():
        handed.get_nowait()
    handed.put_nowait(None)
    await asyncio.wait([sending])
    if not sending.cancelled():
        sending.exception()


def _reason(code: str | None, text: str) -> str:
    """In words what is wrong, as far as the store told."""
    if code == "NoSuchBucket":
        return "there is no such bucket; make it, or correct files_bucket"
    if code is not None:
        return f"the store answers {code}; check files_endpoint, files_region and the keys"
    if "403 Forbidden" in text or "401 Unauthorized" in text:
        return "the store refuses the keys; check them, and what they may do"
    return "the store gives no usable answer; check files_endpoint and the way to it"
