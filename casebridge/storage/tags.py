"""Tags as the store looks them up: a tag of any length by a key that an index can hold.

Clients of the 7.10 dialect may give tags of 30,000 characters, or none at all; an index of PostgreSQL takes some 2,700
bytes. The tags themselves are only in the case's document.
"""

from __future__ import annotations

import hashlib

LONGEST = 256
"""Tags up to this length are their own keys; every other key is longer, so no two tags share one."""

_EMPTY = " " * (LONGEST + 1)


def tag_key(tag: str) -> str:
    """What stands for a tag in columns and counts.

    >>> tag_key("vpn"), len(tag_key("x" * 30_000))
    ('vpn', 320)
    """
    if len(tag) > LONGEST:
        return tag[:LONGEST] + hashlib.sha256(tag.encode()).hexdigest()
    return tag or _EMPTY


def is_whole(key: str) -> bool:
    """Whether a key is the tag itself."""
    return len(key) <= LONGEST
