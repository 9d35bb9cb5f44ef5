"""`casebridge seed --scene soc`: a team with forty cases, as if people had worked on them for weeks."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from casebridge.cli import main
from casebridge.domain.case import Case
from casebridge.domain.query import CaseFilter, CaseQuery, Page
from casebridge.domain.space import OWNERS, SECURITY
from casebridge.security.authentication import Authenticator, Credentials
from casebridge.services import push_states
from casebridge.storage import accounts, cases, configurations, files, outbox, user_actions
from casebridge.storage import push_states as stored_states
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database

EVERYTHING = CaseQuery(filter=CaseFilter(space="default", owners=OWNERS), page=Page(1, 100))


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("casebridge.app.start_logs", lambda loaded: None)


@pytest.fixture(params=["sqlite", "postgresql"])
def played(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """The target of a store in which the scene was played, and what the command said."""
    options = ["seed", "--scene", "soc", "--data", str(tmp_path / "data")]
    target = str(tmp_path / "data" / "casebridge.sqlite")
    if request.param == "postgresql":
        target = request.getfixturevalue("postgresql_target")
        options += ["--database-url", target]
    assert main(options) == 0
    return target, capsys.readouterr().out


async def states(database: Database, found: list[Case]) -> Counter[str]:
    """How many cases stand how with their external system."""
    facts = await stored_states.find(database, [case.id for case in found])
    return Counter(push_states.state_of(case, facts) for case in found)


async def everything(database: Database) -> list[Case]:
    return await cases.find(database, EVERYTHING)


def test_forty_cases_of_many_weeks_have_all_that_hangs_on_cases(played: tuple[str, str], tmp_path: Path):
    async def check() -> None:
        database = await open_database(played[0])
        try:
            found = await everything(database)
            assert len(found) == 40
            assert {case.status for case in found} == {"open", "in-progress", "closed"}
            assert {case.severity for case in found} == {"low", "medium", "high", "critical"}
            assert {case.owner for case in found} == set(OWNERS)
            age = max(case.created_at for case in found) - min(case.created_at for case in found)
            assert age > timedelta(weeks=5)
            assert all(case.updated_at is None or case.updated_at <= datetime.now(UTC) for case in found)
            assert sum(case.counts.user_comments for case in found) > 50
            assert sum(case.counts.alerts for case in found) > 30
            assert sum(len(case.observables) for case in found) > 25
            assert any(value.key == "notifiable" and value.value for case in found for value in case.custom_fields)
            stored = await files.list_everywhere(database)
            assert len(stored) == sum(case.counts.files for case in found) > 15
            kept = [each for each in (tmp_path / "data" / "files").rglob("*") if each.is_file()]
            assert len(kept) == len(stored)
            for case in found:
                actions = await user_actions.list_all(database, case.id)
                assert case.counts.actions == len(actions)
                assert [each.created_at for each in actions] == sorted(each.created_at for each in actions)
            configuration = await configurations.of_owner(database, "default", SECURITY)
            assert configuration is not None
            assert len(configuration.templates) == len(configuration.custom_fields) == 3
        finally:
            await database.close()

    asyncio.run(check())


def test_pushes_are_in_every_state_that_a_person_may_meet(played: tuple[str, str]):
    async def check() -> None:
        database = await open_database(played[0])
        try:
            tally = await outbox.tally(database)
            assert tally["delivered"] > 12
            assert (tally["failed"], tally["waiting"], tally["uncertain"]) == (2, 2, 1)
            found = await everything(database)
            facts = await states(database, found)
            assert facts["needs-push"] >= 4
            assert facts["in-step"] >= 8
            assert facts["under-way"] == 2
            assert facts["failed"] == 3
        finally:
            await database.close()

    asyncio.run(check())


@pytest.mark.parametrize("played", ["sqlite"], indirect=True)
def test_who_is_told_the_password_comes_in_and_works_on_cases(played: tuple[str, str]):
    told = re.search(r"sign in with the password (\S+)", played[1])
    assert told

    async def check() -> None:
        database = await open_database(played[0])
        try:
            stored = await accounts.get(database, "amara")
            assert stored is not None
            account = await Authenticator().check(Credentials("amara", told[1]), stored.account)
            assert account.roles == ("soc-analyst",)
            found = await everything(database)
            people = {case.created_by.username for case in found}
            assert len(people) > 4
            assert all(case.created_by.profile_uid for case in found)
        finally:
            await database.close()

    asyncio.run(check())


def test_a_scene_is_not_played_twice_in_one_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    options = ["seed", "--scene", "soc", "--data", str(tmp_path / "data")]
    assert main(options) == 0
    assert main(options) == 1

    assert "played in the space default already" in capsys.readouterr().err
