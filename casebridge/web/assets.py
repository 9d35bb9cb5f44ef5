"""Static files: bundled at start, served under names with a digest of their content, so that caches may keep them."""

from __future__ import annotations

import gzip
from hashlib import blake2b
from pathlib import Path

import msgspec

STATIC = Path(__file__).parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_GZIP_FROM = 1_000


class Asset(msgspec.Struct, frozen=True):
    """A file as it is served."""

    content: bytes
    packed: bytes | None
    type: str


class Assets:
    """Every static file by its hashed name, and hashed names by plain ones."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._served: dict[str, Asset] = {}
        self._names: dict[str, str] = {}
        self._add("app.css", _joined(folder / "css", ".css"))
        self._add("app.js", _joined(folder / "js", ".js"))
        for path in sorted(folder.glob("*.svg")):
            self._add(path.name, path.read_bytes())
        htmx = folder / "vendor" / "htmx.min.js"
        if htmx.exists():
            self._add("htmx.js", htmx.read_bytes())

    def name(self, plain: str) -> str | None:
        """The hashed name of a file, such as `app.1f2e3d4c.css`; None when it is not there."""
        return self._names.get(plain)

    def get(self, hashed: str) -> Asset | None:
        """The file of that hashed name."""
        return self._served.get(hashed)

    def _add(self, plain: str, content: bytes) -> None:
        stem, suffix = plain.rsplit(".", 1)
        hashed = f"{stem}.{blake2b(content, digest_size=6).hexdigest()}.{suffix}"
        packed = gzip.compress(content, 9, mtime=0) if len(content) >= _GZIP_FROM else None
        self._names[plain] = hashed
        self._served[hashed] = Asset(content, packed, _TYPES[f".{suffix}"])


def _joined(folder: Path, suffix: str) -> bytes:
    return b"\n".join(each.read_bytes() for each in sorted(folder.glob(f"*{suffix}")))
