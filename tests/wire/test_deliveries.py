"""Deliveries on the wire (contract extensions.md 1)."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from casebridge.domain.delivery import STATES, Attempt, Call, CommentState, DeliveryError
from casebridge.wire.deliveries import DeliveriesQuery, DeliveryShape, Nothing, State
from tests.builders import AT, a_delivery, later


def test_a_queued_delivery_shows_every_key_and_null_where_nothing_is_known():
    assert msgspec.to_builtins(DeliveryShape.of(a_delivery())) == {
        "id": "delivery-1",
        "version": "WzkxLDFd",
        "case_id": "case-1",
        "connector_id": "jira-1",
        "connector_type": ".jira",
        "owner": "cases",
        "origin": "manual",
        "state": "queued",
        "action": "create",
        "external_id": None,
        "external_url": None,
        "created_at": "2024-05-17T08:03:59.120Z",
        "created_by": {"username": "dana", "full_name": "Dana Lee", "email": "dana@example.org"},
        "updated_at": None,
        "next_attempt_at": None,
        "attempt_count": 0,
        "error": None,
        "comments": [],
    }


def test_one_delivery_asked_for_by_its_id_shows_its_attempts():
    delivery = a_delivery(
        "waiting",
        error=DeliveryError("timeout", "timed out", permanent=False),
        comments=(CommentState("c-1", "accepted", "77"), CommentState("c-2", "pending")),
        next_attempt_at=later(30),
        attempt_count=1,
        lease_id="secret-lease",
    )
    calls = (Call("POST", "https://jira.example.org/rest/api/2/issue", None, 5000),)
    attempt = Attempt(started_at=AT, duration_ms=5001, outcome="passing_fault", calls=calls)

    read = msgspec.to_builtins(DeliveryShape.of(delivery, [attempt]))

    assert read["error"] == {"code": "timeout", "message": "timed out", "permanent": False}
    assert read["next_attempt_at"] == "2024-05-17T08:04:29.120Z"
    assert read["comments"] == [
        {"comment_id": "c-1", "external_id": "77", "state": "accepted"},
        {"comment_id": "c-2", "external_id": None, "state": "pending"},
    ]
    assert read["attempts"] == [
        {
            "started_at": "2024-05-17T08:03:59.120Z",
            "duration_ms": 5001,
            "outcome": "passing_fault",
            "calls": [
                {
                    "method": "POST",
                    "url": "https://jira.example.org/rest/api/2/issue",
                    "status": None,
                    "duration_ms": 5000,
                }
            ],
        }
    ]
    assert "secret-lease" not in str(read)


def test_the_wire_knows_the_states_of_the_domain():
    assert get_args(State) == STATES


@pytest.mark.parametrize("query", [{"state": ["done"]}, {"state": ["queued", ""]}, {"case_id": "x"}, {"page": "1"}])
def test_unknown_values_and_keys_of_a_query_are_refused(query: dict[str, Any]):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(query, DeliveriesQuery)


def test_an_empty_body_holds_nothing():
    assert msgspec.json.decode(b"{}", type=Nothing) == Nothing()
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"a":1}', type=Nothing)
