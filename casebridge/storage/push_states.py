"""What a list of cases has to know of their pushes, for many cases in one round trip."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casebridge.domain.user_action import PUSH_RELEVANT
from casebridge.storage.outbox import read_points_from_rows
from casebridge.storage.session import Database, Query
from casebridge.storage.where import Where


class PushFacts(msgspec.Struct, frozen=True):
    """By case id, or case and connector id: newest record worth a push, read point of the last one, newest state."""

    newest: dict[str, int]
    read_points: dict[tuple[str, str], int]
    states: dict[tuple[str, str], str]


async def find(database: Database, case_ids: Sequence[str]) -> PushFacts:
    """The facts of these cases."""
    ids = Where().among("case_id", case_ids)
    relevant = Where().among("case_id", case_ids).among("type", sorted(PUSH_RELEVANT | {"connector"}))
    newest, records, deliveries = await database.read_together(
        [
            Query(f"SELECT case_id, max(seq) FROM user_action WHERE {relevant.text} GROUP BY case_id", relevant.params),
            Query(f"SELECT case_id, connector_id, doc FROM external_record WHERE {ids.text}", ids.params),
            Query(
                "SELECT d.case_id, d.connector_id, d.state FROM delivery d JOIN (SELECT max(seq) AS seq FROM delivery "
                f"WHERE {ids.text} GROUP BY case_id, connector_id) newest ON newest.seq = d.seq",
                ids.params,
            ),
        ]
    )
    return PushFacts(
        newest=dict(newest),
        read_points={
            (case_id, connector_id): read_points_from_rows([(connector_id, doc)])[connector_id]
            for case_id, connector_id, doc in records
        },
        states={(case_id, connector_id): state for case_id, connector_id, state in deliveries},
    )
