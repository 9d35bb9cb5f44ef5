"""Parts of contents that a crash left in a bucket: finding uploads that were never ended, and aborting them.

No client of objects lists these, so the two calls of S3 are made here, signed with version 4 of Amazon's signature
(docs.aws.amazon.com, "Signature Version 4 signing process").
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, unquote, urlsplit

import msgspec

from casebridge.domain.errors import StorageUnavailable

_TIMEOUT_S = 30.0
_NOTHING = hashlib.sha256(b"").hexdigest()


class Keys(msgspec.Struct, frozen=True):
    """What opens a bucket."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return "Keys(...)"


class Unfinished(msgspec.Struct, frozen=True):
    """An upload that was begun: the id of its content, and what the store calls the upload."""

    id: str
    upload: str


class BucketParts:
    """The unfinished uploads behind a prefix, which is empty or ends with `/`."""

    def __init__(self, endpoint: str, bucket: str, prefix: str, region: str, keys: Keys) -> None:
        self._endpoint = urlsplit(endpoint)
        self._path = f"{self._endpoint.path}/{quote(bucket)}"
        self._prefix = prefix
        self._region = region
        self._keys = keys

    async def find(self) -> list[Unfinished]:
        """All of them."""
        return await asyncio.to_thread(self._find)

    async def abort(self, ids: Collection[str]) -> None:
        """End those of these contents, so that the store forgets their parts."""
        for each in await self.find():
            if each.id in ids:
                path = f"{self._path}/{quote(self._prefix + each.id)}"
                await asyncio.to_thread(self._call, "DELETE", path, {"uploadId": each.upload}, missing_ok=True)

    def _find(self) -> list[Unfinished]:
        found: list[Unfinished] = []
        query = {"uploads": "", "prefix": self._prefix, "encoding-type": "url"}
        while True:
            page = self._call("GET", self._path, query)
            for each in re.findall(r"<Upload>(.*?)</Upload>", page, re.S):
                key, upload = unquote(_text(each, "Key")), _text(each, "UploadId")
                found.append(Unfinished(key.removeprefix(self._prefix), upload))
            if _text(page, "IsTruncated") != "true":
                return found
            query["key-marker"] = unquote(_text(page, "NextKeyMarker"))
            query["upload-id-marker"] = _text(page, "NextUploadIdMarker")

    def _call(self, method: str, path: str, query: Mapping[str, str], *, missing_ok: bool = False) -> str:
        """The text of an answer; StorageUnavailable when there is none that says all is well."""
        host = self._endpoint.netloc.rpartition("@")[2]
        kind = HTTPSConnection if self._endpoint.scheme == "https" else HTTPConnection
        text = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in sorted(query.items()))
        headers = signed(method, host, path, text, self._region, self._keys, datetime.now(UTC))
        try:
            connection = kind(host, timeout=_TIMEOUT_S)
            try:
                connection.request(method, f"{path}?{text}", headers=headers)
                answer = connection.getresponse()
                body = answer.read().decode("utf-8", "replace")
            finally:
                connection.close()
        except (OSError, HTTPException) as error:
            raise StorageUnavailable(f"Unfinished uploads cannot be looked for: {type(error).__name__}.") from error
        if answer.status >= 300 and not (missing_ok and answer.status == 404):
            raise StorageUnavailable(f"Unfinished uploads cannot be looked for: the store answers {answer.status}.")
        return body


def _text(of: str, name: str) -> str:
    """What stands in the first element of that name; empty when there is none."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", of)
    return found[1] if found else ""


def signed(method: str, host: str, path: str, query: str, region: str, keys: Keys, at: datetime) -> dict[str, str]:
    """The headers of a call without a body; `path` and `query` are encoded, the query sorted."""
    time, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    given = {"host": host, "x-amz-content-sha256": _NOTHING, "x-amz-date": time}
    names = ";".join(given)
    lines = "".join(f"{name}:{value}\n" for name, value in given.items())
    call = hashlib.sha256(f"{method}\n{path}\n{query}\n{lines}\n{names}\n{_NOTHING}".encode()).hexdigest()
    scope = f"{day}/{region}/s3/aws4_request"
    key = f"AWS4{keys.secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{call}".encode(), "sha256").hex()
    authorization = f"AWS4-HMAC-SHA256 Credential={keys.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**given, "authorization": authorization}
