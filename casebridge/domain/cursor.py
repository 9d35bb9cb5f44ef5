"""The opaque cursor of a walk over cases: how far it has come (extensions.md 5)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from casebridge.domain.errors import InvalidInput

_POSITION = re.compile(rb"after:([1-9][0-9]{0,18})")
_LARGEST = 2**63 - 1


def cursor_text(pk: int) -> str:
    """The cursor that goes on after the case of this running number.

    >>> cursor_text(7)
    'YWZ0ZXI6Nw'
    """
    return urlsafe_b64encode(b"after:%d" % pk).rstrip(b"=").decode("ascii")


def read_cursor(text: str) -> int:
    """The running number to go on after; InvalidInput for what `cursor_text` never gave.

    >>> read_cursor("YWZ0ZXI6Nw")
    7
    """
    try:
        found = _POSITION.fullmatch(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
    except ValueError:
        found = None
    pk = int(found[1]) if found else 0
    if not 0 < pk <= _LARGEST or cursor_text(pk) != text:
        raise InvalidInput(
            "cursor", f"{text[:40]!r} is no cursor; send the next_cursor of an answer, or none to begin."
        )
    return pk
