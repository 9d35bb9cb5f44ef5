"""Date expressions of `from` and `to` (contract find.md 1.2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from casebridge.domain.date_expression import read_date
from casebridge.domain.errors import InvalidInput
from casebridge.wire.base import time_text

NOW = datetime(2024, 5, 17, 8, 3, 59, 120_000, UTC)
"""A Friday."""


def read(text: str, *, upper: bool = False) -> str:
    return time_text(read_date("from", text, NOW, upper=upper))


@pytest.mark.parametrize(
    ("text", "from_", "to"),
    [
        ("2024", "2024-01-01T00:00:00.000Z", "2024-01-01T23:59:59.999Z"),
        ("2024-05", "2024-05-01T00:00:00.000Z", "2024-05-01T23:59:59.999Z"),
        ("2024-05-17", "2024-05-17T00:00:00.000Z", "2024-05-17T23:59:59.999Z"),
        ("2024-05-17T08", "2024-05-17T08:00:00.000Z", "2024-05-17T08:59:59.999Z"),
        ("2024-05-17T08:03", "2024-05-17T08:03:00.000Z", "2024-05-17T08:03:59.999Z"),
        ("2024-05-17T08:03:59", "2024-05-17T08:03:59.000Z", "2024-05-17T08:03:59.999Z"),
        ("2024-05-17T08:03:59Z", "2024-05-17T08:03:59.000Z", "2024-05-17T08:03:59.999Z"),
        ("2024-02-29", "2024-02-29T00:00:00.000Z", "2024-02-29T23:59:59.999Z"),
        ("2024-05-17+02:00", "2024-05-16T22:00:00.000Z", "2024-05-17T21:59:59.999Z"),
        ("now/d", "2024-05-17T00:00:00.000Z", "2024-05-17T23:59:59.999Z"),
        ("now/w", "2024-05-13T00:00:00.000Z", "2024-05-19T23:59:59.999Z"),
        ("now/M", "2024-05-01T00:00:00.000Z", "2024-05-31T23:59:59.999Z"),
        ("now/y", "2024-01-01T00:00:00.000Z", "2024-12-31T23:59:59.999Z"),
        ("now/h", "2024-05-17T08:00:00.000Z", "2024-05-17T08:59:59.999Z"),
        ("now/H", "2024-05-17T08:00:00.000Z", "2024-05-17T08:59:59.999Z"),
        ("now/m", "2024-05-17T08:03:00.000Z", "2024-05-17T08:03:59.999Z"),
        ("now/s", "2024-05-17T08:03:59.000Z", "2024-05-17T08:03:59.999Z"),
        ("now-1d/d", "2024-05-16T00:00:00.000Z", "2024-05-16T23:59:59.999Z"),
        ("2024-02-10||/M", "2024-02-01T00:00:00.000Z", "2024-02-29T23:59:59.999Z"),
    ],
)
def test_missing_parts_and_roundings_go_down_for_from_and_up_for_to(text: str, from_: str, to: str):
    assert (read(text), read(text, upper=True)) == (from_, to)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-17T08:00:00.5Z", "2024-05-17T08:00:00.500Z"),
        ("2024-05-17T08:00:00.123456789Z", "2024-05-17T08:00:00.123Z"),
        ("2024-05-17T08:00:00,120", "2024-05-17T08:00:00.120Z"),
        ("2024-05-17T08:00:00.000+02:00", "2024-05-17T06:00:00.000Z"),
        ("2024-05-17T08:00:00.000-0530", "2024-05-17T13:30:00.000Z"),
        ("2024-05-17T08:00:00.000+02", "2024-05-17T06:00:00.000Z"),
        ("1715933039120", "2024-05-17T08:03:59.120Z"),
        ("0", "1970-01-01T00:00:00.000Z"),
        ("999", "1970-01-01T00:00:00.999Z"),
        ("-1", "1969-12-31T23:59:59.999Z"),
        ("-2024", "1969-12-31T23:59:57.976Z"),
        ("now", "2024-05-17T08:03:59.120Z"),
        ("now+d", "2024-05-18T08:03:59.120Z"),
        ("now-2h+30m-10s", "2024-05-17T06:33:49.120Z"),
        ("now-1w", "2024-05-10T08:03:59.120Z"),
        ("2024-05-31||+1M", "2024-06-30T00:00:00.000Z"),
        ("2024-01-31||-2M", "2023-11-30T00:00:00.000Z"),
        ("2024-02-29||-1y", "2023-02-28T00:00:00.000Z"),
        ("2024-05-17T08:00:00.000Z||+1H", "2024-05-17T09:00:00.000Z"),
        ("1715933039120||/d", "2024-05-17T00:00:00.000Z"),
    ],
)
def test_a_whole_moment_is_the_same_for_from(text: str, expected: str):
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "<", "yesterday", "NOW", "now ", " now", "now\n", "nowhere", "now+", "now+1", "now+1x", "now/",
        "now/1d", "now+1dd", "now||+1d", "||+1d", "2024-05-17 ", "2024-05-17\n", "2024-5-17", "2024-13",
        "2024-02-30", "2023-02-29",
        "2024-05-17T24", "2024-05-17T08:60", "2024-05-17T08:00:60", "2024-05-17 08:00", "2024-05-17T08:00:00.",
        "2024-05-17T08:00:00+19", "2024-05-17T08:00:00+02:60", "2024-05-17+1d", "20240517T08", "0000",
        "1.5", "1e5", "--5", "2024-0530", "2024Z", "2024-05Z", "2024-05+02:00", "٢٠٢٤-05-17", "٢٠٢٤", "١٢٣", "now+٣d",
        "now-999999999y", "now+999999999w", "9999-12-31||+1d", "999999999999999", "99999999999999999999",
        "0001-01-01T00:00:00+02:00",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str):
    with pytest.raises(InvalidInput) as refused:
        read(text)

    assert refused.value.field == "from"


PARTS = st.sampled_from(
    ["now", "2024", "-05", "-17", "T08", ":00", ".5", "Z", "+02:00", "||", "+1d", "-9M", "/w", "/y", "-99y", "/M", "0",
     "9999", "-12-31", "0001-01-01", "+3h", "/d", "/s", "T23:59:59", "-", "+", "٣", " "]
)  # fmt: skip
EXPRESSIONS = st.lists(PARTS, max_size=6).map("".join) | st.text(max_size=12)


@given(EXPRESSIONS)
@example("9999-12-31||/y")
@example("0001-01-01||-1d")
def test_every_text_is_a_moment_or_invalid_and_from_never_lies_after_to(text: str):
    found = []
    for upper in (False, True):
        try:
            found.append(read_date("from", text, NOW, upper=upper))
        except InvalidInput:
            continue
    assert all(each.utcoffset() == timedelta() and each.microsecond % 1000 == 0 for each in found)
    assert found == sorted(found)


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))
def test_a_moment_as_the_wire_spells_it_reads_back_as_itself(at: datetime):
    whole = at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)

    assert read_date("from", time_text(whole), NOW, upper=True) == whole
