"""Keys that stand for tags where an index holds them."""

from __future__ import annotations

import pytest

from casebridge.storage.tags import LONGEST, is_whole, tag_key


@pytest.mark.parametrize("tag", ["vpn", " ", "x" * LONGEST])
def test_a_tag_of_todays_length_is_its_own_key(tag: str):
    assert tag_key(tag) == tag
    assert is_whole(tag_key(tag))


def test_no_two_tags_share_a_key_and_none_is_longer_than_an_index_takes():
    long = "𝕏" * 30_000
    tags = ["", " ", " " * LONGEST, " " * (LONGEST + 1), long, long[:-1], long[:-1] + "y", tag_key(long)]

    keys = [tag_key(tag) for tag in tags]

    assert len(set(keys)) == len(tags)
    assert all(key and len(key.encode()) < 2_000 for key in keys)
