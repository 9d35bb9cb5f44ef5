"""The opaque version of an object (contract README 8)."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casebridge.domain.version import version_text


@pytest.mark.parametrize(("number", "text"), [(202, "WzIwMiwxXQ=="), (203, "WzIwMywxXQ=="), (58, "WzU4LDFd")])
def test_a_version_is_the_base64_of_number_and_term(number: int, text: str):
    assert version_text(number) == text


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_different_numbers_have_different_versions(one: int, other: int):
    assert (version_text(one) == version_text(other)) == (one == other)
    assert b64decode(version_text(one), validate=True) == f"[{one},1]".encode()
