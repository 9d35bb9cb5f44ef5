"""Pages of a search, without the total, as the store chooses them: no counter covers a total of a search.

The page is asked of the storage layer, since the API answers no page without its total.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

from bench.rig import Row
from bench.stores import Store
from bench.times import Question, bounded, cpu_ms, in_turns
from casebridge.domain.query import CaseFilter, CaseQuery, Page
from casebridge.domain.search import read_search
from casebridge.domain.space import DEFAULT_SPACE_ID, GENERAL, OBSERVABILITY, SECURITY
from casebridge.storage import cases
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database

# Words of the seeded texts: in most cases, in a fifth of them, in one of some four thousand.
WORDS = {"common": "the", "middling": "Nairobi", "rare": "campaign-007"}
MOST_MS = {"sqlite": 10, "postgresql": 100}
_FILTER = CaseFilter(space=DEFAULT_SPACE_ID, owners=(SECURITY, OBSERVABILITY, GENERAL))


def rows(title: str, kept: Store) -> Iterator[Row]:
    """The newest 20 cases with a word, for words of every frequency."""
    with asyncio.Runner() as runner:
        database = runner.run(open_database(kept.target, pool_size=1))
        try:
            for what, word in WORDS.items():
                search = read_search(f'"{word}"')
                query = CaseQuery(filter=_FILTER, search=search, descending=True, page=Page(1, 20))
                number = runner.run(cases.count_found(database, _FILTER, search))
                (page,) = in_turns(_page(runner, database, query))
                yield bounded(f"{title}: newest 20 of {number:,} with a {what} word", page, MOST_MS[kept.kind])
        finally:
            runner.run(database.close())


def _page(runner: asyncio.Runner, database: Database, query: CaseQuery) -> Question:
    return Question(lambda: runner.run(cases.find(database, query)), lambda: cpu_ms(os.getpid()))
