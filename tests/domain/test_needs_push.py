"""When a case has to be pushed again, told from its records alone (activity.md 2.6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from casebridge.domain.connector import CaseConnector
from casebridge.domain.needs_push import HISTORY_TYPES, ConnectorUse, connectors_named, uses
from casebridge.domain.user import User
from casebridge.domain.user_action import UserAction

START = datetime(2031, 4, 1, 12, tzinfo=UTC)
NONE = {"id": "none", "name": "none", "type": ".none", "fields": None}


def named(id_: str = "c1", type_: str = ".jira", **fields: Any) -> dict[str, Any]:
    return {"id": id_, "name": f"Name of {id_}", "type": type_, "fields": fields or None}


class Records:
    """The records of a case in the making; a second lies between any two, unless said otherwise."""

    def __init__(self, connector: dict[str, Any]) -> None:
        self.all: list[UserAction] = []
        self.read_points: dict[str, int] = {}
        self.add("create_case", {"connector": connector})

    def add(self, type_: str, payload: dict[str, Any] | None = None, *, at: datetime | None = None) -> Records:
        seq = len(self.all) + 1
        self.all.append(
            UserAction(
                id=str(seq),
                case_id="case",
                seq=seq,
                type=type_,
                action="update",
                payload=payload or {},
                owner="cases",
                created_at=at or START + timedelta(seconds=seq),
                created_by=User("anna", None, None),
            )
        )
        return self

    def connector(self, connector: dict[str, Any]) -> Records:
        return self.add("connector", {"connector": connector})

    def pushed(
        self, id_: str = "c1", *, read: int | None = None, ledger: bool = True, closing: bool = False
    ) -> Records:
        """A push that has read everything, or the first `read` records."""
        if ledger:
            self.read_points[id_] = len(self.all) if read is None else read
        now = START + timedelta(seconds=len(self.all) + 1)
        if closing:
            self.add("status", {"status": "closed"}, at=now)
        return self.add("pushed", {"externalService": {"connector_id": id_}}, at=now)

    @property
    def uses(self) -> dict[str, ConnectorUse]:
        history = [each for each in self.all if each.type in HISTORY_TYPES]
        return uses(history, {each.type: each.seq for each in self.all}, self.read_points)

    def needs_push(self, id_: str = "c1") -> bool:
        return self.uses[id_].needs_push


def test_a_connector_never_pushed_with_needs_a_push():
    use = Records(named()).uses["c1"]
    assert (use.needs_push, use.pushes) == (True, ())


def test_a_push_that_has_read_everything_suffices():
    records = Records(named()).add("comment").pushed()
    assert not records.needs_push()
    assert [each.seq for each in records.uses["c1"].pushes] == [3]


@pytest.mark.parametrize("type_", ["comment", "description", "tags", "title"])
@pytest.mark.parametrize("connector_type", [".jira", ".servicenow", ".cases-webhook", ".thehive"])
def test_these_make_a_push_necessary_with_every_connector(type_: str, connector_type: str):
    assert Records(named(type_=connector_type)).pushed().add(type_).needs_push()


@pytest.mark.parametrize(("type_", "payload"), [("severity", {}), ("status", {"status": "in-progress"})])
def test_severity_and_status_matter_only_where_they_are_sent(type_: str, payload: dict[str, Any]):
    for connector_type, expected in (
        (".jira", False),
        (".resilient", False),
        (".cases-webhook", True),
        (".thehive", True),
    ):
        assert Records(named(type_=connector_type)).pushed().add(type_, payload).needs_push() is expected


@pytest.mark.parametrize("type_", ["assignees", "settings", "category", "customFields", "observables", "pushed"])
def test_nothing_else_makes_a_push_necessary(type_: str):
    payload = {"externalService": {"connector_id": "other"}}
    assert not Records(named(type_=".thehive")).pushed().add(type_, payload).needs_push()


def test_what_was_added_while_a_push_was_under_way_is_newer_than_it():
    records = Records(named()).add("comment").add("comment").pushed(read=2)
    assert records.needs_push()
    assert not records.pushed().needs_push()


def test_a_connector_changed_while_a_push_was_under_way_needs_another():
    assert Records(named(priority="Low")).connector(named(priority="High")).pushed(read=1).needs_push()
    assert not Records(named(priority="Low")).connector(named(priority="High")).pushed(read=2).needs_push()


def test_a_connector_set_back_to_what_was_pushed_needs_none():
    records = Records(named(priority="Low")).pushed().connector(named(priority="High"))
    assert records.needs_push()
    assert not records.connector(named(priority="Low")).needs_push()


def test_closing_by_pushing_leaves_nothing_to_push():
    assert not Records(named(type_=".cases-webhook")).pushed(read=1, closing=True).needs_push()


def test_a_change_of_status_before_that_closing_was_not_sent():
    records = Records(named(type_=".cases-webhook")).add("status", {"status": "in-progress"})
    assert records.pushed(read=1, closing=True).needs_push()


def test_closing_by_hand_is_news():
    assert Records(named(type_=".cases-webhook")).pushed().add("status", {"status": "closed"}).needs_push()
    closed_meanwhile = Records(named(type_=".cases-webhook")).add("status", {"status": "closed"})
    assert closed_meanwhile.pushed(read=1).needs_push()


def test_closing_by_pushing_to_one_connector_is_news_to_another():
    records = Records(named("c1", ".cases-webhook")).pushed("c1").connector(named("c2", ".thehive"))
    records.pushed("c2", closing=True)
    assert records.needs_push("c1")
    assert not records.needs_push("c2")


def test_a_push_without_a_ledger_has_sent_all_that_came_before_it():
    records = Records(named()).add("comment").pushed(ledger=False)
    assert not records.needs_push()
    assert records.add("comment").needs_push()


def test_of_two_pushes_the_read_point_is_not_taken_for_the_one_without_ledger():
    records = Records(named()).pushed(read=1).add("comment").pushed(ledger=False)
    assert not records.needs_push()


def test_a_push_before_the_connector_was_ever_set_does_not_count():
    records = Records(NONE).pushed("c1").connector(named("c1"))
    use = records.uses["c1"]
    assert (use.needs_push, use.pushes) == (True, ())
    records.pushed("c1")
    assert not records.needs_push("c1")
    assert len(records.uses["c1"].pushes) == 2


def test_the_newest_naming_is_shown_and_none_is_no_connector():
    records = (
        Records(NONE).connector(named("c1", a=1)).connector(NONE).connector(named("c2")).connector(named("c1", a=2))
    )
    assert list(records.uses) == ["c1", "c2"]
    assert records.uses["c1"].connector == CaseConnector("c1", "Name of c1", ".jira", {"a": 2})
    assert len(connectors_named(records.all)["c1"]) == 2
