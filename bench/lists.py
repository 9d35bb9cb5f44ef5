"""Lists, counts and searches at growing numbers of cases: what grows with the store, and what must not.

Stores are made once and kept in `.bench/` and in databases `casebridge_bench_*`: at the sizes of
`CASEBRIDGE_BENCH_SIZES` (or `--sizes 10k,100k,1m`), with five comments a case (`CASEBRIDGE_BENCH_COMMENTS`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from bench import activity, searches
from bench.client import Client
from bench.rig import Row
from bench.stores import KINDS, served, sizes, store
from bench.times import Question, bounded, compared, in_turns
from casebridge.domain.cursor import cursor_text

SORTS = ("createdAt", "updatedAt", "closedAt", "title", "category", "status", "severity")
LIST = "/api/cases/_find?owner=securitySolution&status=closed&tags=vpn&perPage=20"
NEWEST = "/api/cases/_find?owner=securitySolution&sortOrder=desc&perPage=20"
WALK = "/api/casebridge/cases?limit=20"


def run() -> Iterator[Row]:
    """Rows for every database: the largest size beside the smallest."""
    for kind in KINDS:
        stores = [store(kind, size) for size in sizes()]
        small, large = stores[0], stores[-1]
        title = f"{kind}, {large.size:,} cases"
        with ExitStack() as held:
            few = held.enter_context(served(small))
            many = few if large is small else held.enter_context(served(large))
            for rows in (
                _lists(f"{title} against {small.size:,}", few, many),
                _depths(title, many, large.size),
                _counters(f"{title} against {small.size:,}", few, many),
                activity.rows(kind, few, small.data),
            ):
                yield from rows
        yield from searches.rows(title, large)


def _lists(title: str, few: Client, many: Client) -> Iterator[Row]:
    """Owner, status and tag, with the exact total, in every order."""
    for sort in SORTS:
        for order in ("desc", "asc"):
            path = f"{LIST}&sortField={sort}&sortOrder={order}"
            large, small = in_turns(_get(many, path), _get(few, path))
            what = f"{title}: page of 20 by {sort} {order}"
            yield compared(what, large, small, 1.3)
            yield bounded(what, large, 10)


def _depths(title: str, client: Client, size: int) -> Iterator[Row]:
    """Far down a list, and half-way through a walk."""
    # The wire's window ends at row 10,000; a smaller store has no such row.
    page = min(500, size * 6 // 10 // 20)
    half_way = f"{WALK}&cursor={cursor_text(size // 2)}"
    deep, first = in_turns(_get(client, f"{NEWEST}&page={page}"), _get(client, NEWEST))
    yield compared(f"{title}: page at row {(page - 1) * 20:,} against page 1", deep, first, 3)
    half, begin = in_turns(_get(client, half_way), _get(client, WALK))
    yield compared(f"{title}: walk half-way against its begin", half, begin, 2)


def _counters(title: str, few: Client, many: Client) -> Iterator[Row]:
    """Counts of statuses, and the tags in use."""
    for what, path in (("status counts", "/api/cases/status"), ("tag list", "/api/cases/tags")):
        large, small = in_turns(_get(many, path), _get(few, path))
        yield compared(f"{title}: {what}", large, small, 2)


def _get(client: Client, path: str) -> Question:
    return Question(lambda: client.ask("GET", path), client.spent)
