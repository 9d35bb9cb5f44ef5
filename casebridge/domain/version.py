"""The opaque `version` of an object: base64 of the compact JSON array [number, 1] (contract README 8)."""

from __future__ import annotations

from base64 import b64encode


def version_text(number: int) -> str:
    """The version on the wire.

    >>> version_text(202)
    'WzIwMiwxXQ=='
    """
    return b64encode(b"[%d,1]" % number).decode("ascii")
