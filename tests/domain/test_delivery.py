"""States of a delivery, its arrows and the retry rule (contract extensions.md 1)."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casebridge.domain.delivery import STATES, RetryRule, Step, check_arrow, marker, may_become, next_attempt
from casebridge.domain.errors import Conflict, ConnectorError
from tests.builders import AT, a_delivery, later

TABLE = {
    "queued": {"sending", "cancelled"},
    "sending": {"delivered", "waiting", "uncertain", "failed"},
    "waiting": {"sending", "queued", "cancelled"},
    "uncertain": {"sending", "delivered", "failed", "queued", "cancelled"},
    "delivered": set(),
    "failed": {"queued"},
    "cancelled": {"queued"},
}


def a_fault(*, permanent: bool = False, retry_after_s: float | None = None) -> ConnectorError:
    return ConnectorError("503", code="unavailable", permanent=permanent, retry_after_s=retry_after_s)


@pytest.mark.parametrize("old", STATES)
@pytest.mark.parametrize("new", STATES)
def test_a_delivery_moves_along_the_arrows_of_the_table_only(old: str, new: str):
    assert may_become(old, new) == (new in TABLE[old])


def test_a_move_against_the_arrows_names_the_delivery_and_both_states():
    check_arrow(a_delivery("queued"), "sending")
    with pytest.raises(Conflict) as refused:
        check_arrow(a_delivery("delivered"), "queued")

    assert all(word in str(refused.value) for word in ("[deliveries/delivery-1]", "delivered", "queued"))


@given(st.lists(st.sampled_from(STATES)))
def test_nothing_is_sent_again_once_it_is_delivered(wanted: list[str]):
    state = "queued"
    for new in wanted:
        state, before = (new if may_become(state, new) else state), state
        assert before != "delivered" or state == "delivered"


# When it is tried again

RULES = st.builds(RetryRule, first_s=st.floats(0.01, 1e3), most_s=st.floats(0.01, 1e6), attempts=st.integers(1, 10_000))
DRAWS = st.floats(0, 1, exclude_max=True)


def wait_s(attempts: int, fault: ConnectorError, draw: float, rule: RetryRule) -> float | None:
    again = next_attempt(attempts, fault, AT, draw, rule)
    return None if again is None else (again - AT).total_seconds()


@pytest.mark.parametrize(
    ("attempts", "whole_s"),
    [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (9, 3600), (11, 3600)],
)
def test_the_wait_doubles_from_30_seconds_to_an_hour(attempts: int, whole_s: float):
    assert wait_s(attempts, a_fault(), 0.0, RetryRule()) == whole_s / 2
    assert whole_s * 0.99 < (wait_s(attempts, a_fault(), 0.999, RetryRule()) or 0) < whole_s


def test_after_12_tries_or_a_permanent_fault_it_has_failed_for_good():
    assert wait_s(11, a_fault(), 0.5, RetryRule()) is not None
    assert wait_s(12, a_fault(), 0.5, RetryRule()) is None
    assert wait_s(1, a_fault(permanent=True, retry_after_s=5), 0.5, RetryRule()) is None


@given(st.integers(1, 12_000), DRAWS, RULES)
def test_the_wait_lies_between_half_and_the_whole_and_tries_are_bounded(attempts: int, draw: float, rule: RetryRule):
    waited = wait_s(attempts, a_fault(), draw, rule)

    if attempts >= rule.attempts:
        assert waited is None
    else:
        whole = rule.most_s if attempts > 60 else min(rule.first_s * 2 ** (attempts - 1), rule.most_s)
        assert waited is not None
        assert whole / 2 - 1e-6 <= waited <= whole + 1e-6


@given(st.integers(1, 12), DRAWS, st.floats(0, 1e9))
def test_the_systems_own_wish_is_obeyed_but_never_shortens_the_wait(attempts: int, draw: float, wish_s: float):
    usual = wait_s(attempts, a_fault(), draw, RetryRule(attempts=13))
    waited = wait_s(attempts, a_fault(retry_after_s=wish_s), draw, RetryRule(attempts=13))

    assert usual is not None
    assert waited == pytest.approx(max(usual, wish_s), abs=1e-3)


@pytest.mark.parametrize("wish_s", [1e12, 1e300, float("inf")])
def test_a_wait_beyond_any_calendar_is_no_crash(wish_s: float):
    again = next_attempt(1, a_fault(retry_after_s=wish_s), AT, 0.5, RetryRule())

    assert again is not None
    assert again.year == 9999


# Small things


def test_a_step_is_as_old_as_the_last_moment_it_may_have_been_on_its_way():
    step = Step(kind="create", sent_at=AT)

    assert step.age_s(later(12)) == 12
    assert Step(kind="create", sent_at=AT, gave_up_at=later(5)).age_s(later(12)) == 7


def test_the_mark_names_the_case():
    assert marker("5d1f") == "casebridge-5d1f"


def test_a_new_delivery_has_not_been_tried():
    delivery = a_delivery()

    assert (delivery.attempt_count, delivery.external_id, delivery.error, delivery.step) == (0, None, None, None)
    assert isinstance(delivery.created_at, datetime)
