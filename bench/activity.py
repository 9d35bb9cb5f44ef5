"""Cases with much activity: opening one, and attaching much at once."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.rig import Row
from bench.times import Question, compared, in_turns
from casebridge.domain.limits import ATTACHMENTS_PER_BULK_CREATE, USER_ACTIONS

COMMENT = {"type": "user", "comment": "Checked the proxy logs.", "owner": "cases"}
CASE = {
    "owner": "cases",
    "title": "Bench",
    "description": "A case to measure with.",
    "tags": [],
    "settings": {"syncAlerts": False},
    "connector": {"id": "none", "name": "none", "type": ".none", "fields": None},
}
_PAGE = "user_actions/_find?perPage=20&sortOrder=desc"
_FEW = 10
_ROUNDS = 3


def rows(kind: str, client: Client, data: Path) -> Iterator[Row]:
    """The first page of a long case beside that of a short one, and bulk beside single."""
    long, short = _long_and_short(client, data)
    many, few = in_turns(
        Question(lambda: client.ask("GET", f"/api/cases/{long}/{_PAGE}"), client.spent),
        Question(lambda: client.ask("GET", f"/api/cases/{short}/{_PAGE}"), client.spent),
    )
    yield compared(f"{kind}: newest page of {USER_ACTIONS:,} user actions against {_FEW}", many, few, 1.5)
    yield _bulk(kind, client)


def _bulk(kind: str, client: Client) -> Row:
    """A hundred comments in one request, and in a hundred."""
    number = ATTACHMENTS_PER_BULK_CREATE
    together, alone = [], []
    for _ in range(_ROUNDS):
        one, other = _new_case(client), _new_case(client)
        started = time.perf_counter()
        _attach(client, one, number)
        together.append(time.perf_counter() - started)
        started = time.perf_counter()
        for _ in range(number):
            client.ask("POST", f"/api/cases/{other}/comments", COMMENT)
        alone.append(time.perf_counter() - started)
        client.ask("DELETE", f'/api/cases?ids=["{one}","{other}"]')
    ours, limit = number / statistics.median(together), number / statistics.median(alone)
    title = f"{kind}: {number} attachments in one request against {number} requests"
    return Row(title, f"{ours:,.0f}/s", f"{limit:,.0f}/s", ours / limit, ">= 5")


def _long_and_short(client: Client, data: Path) -> tuple[str, str]:
    """Ids of a case with as many records as it may have, and of one with few; kept with the store."""
    kept = data / "long-and-short.json"
    if not kept.exists():
        kept.write_text(json.dumps([_case_with(client, USER_ACTIONS), _case_with(client, _FEW)]))
    long, short = json.loads(kept.read_text())
    return long, short


def _case_with(client: Client, records: int) -> str:
    """A case with so many records: that of its creation, and one of each comment."""
    id_, left = _new_case(client), records - 1
    while left:
        some = min(ATTACHMENTS_PER_BULK_CREATE, left)
        _attach(client, id_, some)
        left -= some
    return id_


def _new_case(client: Client) -> str:
    return str(client.ask("POST", "/api/cases", CASE)["id"])


def _attach(client: Client, id_: str, comments: int) -> Any:
    return client.ask("POST", f"/internal/cases/{id_}/attachments/_bulk_create", [COMMENT] * comments)
