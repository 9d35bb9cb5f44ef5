"""Metrics of all cases and of one (contract metrics.md), at both addresses."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from casebridge.connectors.http import AllowedHosts, Outbound
from casebridge.domain.attachment import Attachment
from casebridge.domain.user import Actor, User
from casebridge.security.vault import Vault
from casebridge.services.ground import Ground
from casebridge.storage import cases
from casebridge.storage.session import Database
from casebridge.storage.unit import Unit
from tests.api.building import NO_CONNECTOR, change, comment, get, jira, open_case

NOON = datetime(2031, 4, 1, 12, tzinfo=UTC)
BOTH = pytest.mark.parametrize("base", ["/internal/cases/metrics", "/api/cases/metrics"])


class Clock:
    """The server's present time, which a test moves on."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ground(database: Database, allowed_hosts: AllowedHosts, clock: Clock) -> AsyncIterator[Ground]:
    outbound = Outbound(allowed_hosts, timeout_s=10.0)
    vault = Vault({b"k" * 8: b"v" * 32})
    yield Ground(database=database, vault=vault, outbound=outbound, allowed_hosts=allowed_hosts, now=clock)
    await outbound.close()


async def refusal(client: Any, path: str) -> str:
    response = await client.get(path)
    assert response.status_code == 400, response.text
    return str(response.json()["message"])


# All cases


async def closed_after(client: Any, clock: Clock, seconds: float, **given: Any) -> str:
    """The id of a case that is closed so long after it was opened."""
    case = await open_case(client, **given)
    clock.advance(seconds)
    await change(client, case["id"], status="closed")
    return str(case["id"])


@BOTH
async def test_the_mean_time_to_resolve_is_that_of_closed_cases(client: Any, clock: Clock, base: str):
    await closed_after(client, clock, 10)
    await closed_after(client, clock, 21.9)
    await open_case(client)
    assert await get(client, base, features="mttr") == {"mttr": 15.5}


async def test_without_a_closed_case_there_is_no_mean(client: Any, clock: Clock):
    await open_case(client)
    assert await get(client, "/internal/cases/metrics", features="mttr") == {"mttr": None}


async def test_a_reopened_case_does_not_count_until_it_is_closed_again(client: Any, clock: Clock):
    id_ = await closed_after(client, clock, 10)
    await change(client, id_, status="open")
    assert await get(client, "/internal/cases/metrics", features="mttr") == {"mttr": None}
    clock.advance(20)
    await change(client, id_, status="closed")
    assert await get(client, "/internal/cases/metrics", features="mttr") == {"mttr": 30}


async def test_a_deleted_case_does_not_count(client: Any, clock: Clock):
    id_ = await closed_after(client, clock, 10)
    await closed_after(client, clock, 30)
    response = await client.delete("/api/cases", params={"ids": f'["{id_}"]'})
    assert response.status_code == 204
    assert await get(client, "/internal/cases/metrics", features="mttr") == {"mttr": 30}


@BOTH
async def test_cases_are_counted_per_status(client: Any, base: str):
    for status in ("open", "in-progress", "closed", "closed"):
        case = await open_case(client)
        if status != "open":
            await change(client, case["id"], status=status)
    counted = {"status": {"open": 1, "inProgress": 1, "closed": 2}}
    assert await get(client, base, features="status") == counted
    both = await get(client, base, features=["status", "mttr", "status"])
    assert set(both) == {"status", "mttr"}
    assert both["status"] == counted["status"]


async def test_metrics_can_be_narrowed_to_owners(client: Any, clock: Clock):
    await closed_after(client, clock, 10)
    await closed_after(client, clock, 20, owner="observability")
    await closed_after(client, clock, 60, owner="securitySolution")
    path = "/internal/cases/metrics"
    assert await get(client, path, features="mttr") == {"mttr": 30}
    assert await get(client, path, features="mttr", owner="observability") == {"mttr": 20}
    assert await get(client, path, features="mttr", owner=["cases", "observability"]) == {"mttr": 15}
    assert await get(client, path, features=["mttr", "status"], owner="nobody") == {
        "mttr": None, "status": {"open": 0, "inProgress": 0, "closed": 0},
    }  # fmt: skip


async def test_bounds_are_on_the_time_of_creation_and_inclusive(client: Any, clock: Clock):
    for seconds in (10, 20, 40):
        clock.now = NOON + timedelta(days=seconds / 10)
        await closed_after(client, clock, seconds)
    path = "/internal/cases/metrics"
    query = {"features": ["mttr", "status"], "from": "2031-04-02T12:00:00.000Z", "to": "2031-04-03T12:00:00.000Z"}
    found = await get(client, path, **query)
    assert found == {"mttr": 15, "status": {"open": 0, "inProgress": 0, "closed": 2}}
    assert await get(client, path, features="mttr", **{"from": "now-1d"}) == {"mttr": 40}
    assert await get(client, path, features="mttr", to="2031-04-02") == {"mttr": 10}


async def test_another_space_has_its_own_metrics(client: Any, clock: Clock):
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    await closed_after(client, clock, 10)
    found = await get(client, "/s/ops/internal/cases/metrics", features=["mttr", "status"])
    assert found == {"mttr": None, "status": {"open": 0, "inProgress": 0, "closed": 0}}


@BOTH
async def test_a_feature_of_the_other_scope_is_refused_with_the_valid_ones(client: Any, base: str):
    said = await refusal(client, f"{base}?features=mttr&features=lifespan&features=nonsense")
    assert "'lifespan', 'nonsense'" in said
    assert "mttr, status" in said
    said = await refusal(client, f"{base}/unknown?features=mttr&features=lifespan&features=status")
    assert "'mttr', 'status'" in said
    valid = "actions.isolateHost, alerts.count, alerts.hosts, alerts.users, connectors, lifespan"
    assert valid in said


@BOTH
async def test_what_is_not_understood_is_refused(client: Any, base: str):
    assert "features" in await refusal(client, base)
    assert "features" in await refusal(client, f"{base}/unknown")
    for query in ("features=", "features=mttr&from=<", "features=mttr&to=soon", "features=mttr&colour=red"):
        await refusal(client, f"{base}?{query}")
    for query in ("features=", "features=lifespan&owner=cases", "features=alerts"):
        await refusal(client, f"{base}/unknown?{query}")


# One case


@BOTH
async def test_a_life_is_told_in_milliseconds(client: Any, clock: Clock, base: str):
    case = await open_case(client)
    for seconds, status in ((1.5, "in-progress"), (2, "closed"), (100, "open"), (4, "in-progress"), (8, "open")):
        clock.advance(seconds)
        await change(client, case["id"], status=status)
    clock.advance(16)

    found = await get(client, f"{base}/{case['id']}", features="lifespan")

    assert found == {
        "lifespan": {
            "creationDate": "2031-04-01T12:00:00.000Z",
            "closeDate": None,
            "statusInfo": {
                "openDuration": 21_500,
                "inProgressDuration": 10_000,
                "reopenDates": ["2031-04-01T12:01:43.500Z"],
            },
        }
    }


async def test_a_closed_case_has_an_end_and_grows_no_older(client: Any, clock: Clock):
    id_ = await closed_after(client, clock, 5)
    clock.advance(1000)
    life = (await get(client, f"/internal/cases/metrics/{id_}", features="lifespan"))["lifespan"]
    assert life["closeDate"] == "2031-04-01T12:00:05.000Z"
    assert life["statusInfo"] == {"openDuration": 5_000, "inProgressDuration": 0, "reopenDates": []}


async def test_every_reopening_is_listed(client: Any, clock: Clock):
    case = await open_case(client)
    for status in ("closed", "in-progress", "closed", "open"):
        clock.advance(1)
        await change(client, case["id"], status=status)
    life = (await get(client, f"/internal/cases/metrics/{case['id']}", features="lifespan"))["lifespan"]
    assert life["statusInfo"]["reopenDates"] == ["2031-04-01T12:00:02.000Z", "2031-04-01T12:00:04.000Z"]


async def test_connectors_ever_set_are_counted_once(client: Any):
    case = await open_case(client, connector=jira("jira-1"))
    for connector in (jira("jira-2"), NO_CONNECTOR, jira("jira-1", priority="Low")):
        await change(client, case["id"], connector=connector)
    path = f"/internal/cases/metrics/{case['id']}"
    assert await get(client, path, features="connectors") == {"connectors": {"total": 2}}
    other = await open_case(client)
    assert await get(client, f"/internal/cases/metrics/{other['id']}", features="connectors") == {
        "connectors": {"total": 0}
    }


async def test_features_of_alerts_become_one_object(client: Any, database: Database):
    case = await open_case(client)
    stored = await cases.get(database, "default", case["id"])
    assert stored is not None
    with_alerts = msgspec.structs.replace(stored, counts=msgspec.structs.replace(stored.counts, alerts=3))
    work = unit(database)
    work.update(stored, with_alerts, ())
    await work.save()

    path = f"/internal/cases/metrics/{case['id']}"
    nothing = {"total": 0, "values": []}
    everything = await get(client, path, features=["alerts.users", "alerts.count", "alerts.hosts"])
    assert everything == {"alerts": {"count": 3, "hosts": nothing, "users": nothing}}
    assert await get(client, path, features="alerts.count") == {"alerts": {"count": 3}}
    assert await get(client, path, features="alerts.hosts") == {"alerts": {"hosts": nothing}}


async def test_isolated_and_released_hosts_are_counted(client: Any, database: Database):
    case = await open_case(client)
    await comment(client, case["id"], "not an action")
    stored = await cases.get(database, "default", case["id"])
    assert stored is not None
    work = unit(database)
    work.update(stored, stored, ())
    for seq, type_ in enumerate(("isolate", "unisolate", "isolate", "other"), 100):
        work.attach(an_action(case["id"], seq, type_))
    await work.save()

    found = await get(client, f"/api/cases/metrics/{case['id']}", features="actions.isolateHost")

    assert found == {"actions": {"isolateHost": {"isolate": {"total": 2}, "unisolate": {"total": 1}}}}


def an_action(case_id: str, seq: int, type_: str) -> Attachment:
    targets = [{"hostname": "web-1", "endpointId": "e-1"}]
    payload = {"type": "actions", "comment": "", "actions": {"targets": targets, "type": type_}, "owner": "cases"}
    return Attachment(
        id=str(uuid.uuid4()),
        case_id=case_id,
        seq=seq,
        type="actions",
        owner="cases",
        payload=payload,
        created_at=NOON,
        created_by=User("ada", None, None),
    )


def unit(database: Database) -> Unit:
    actor = Actor(User("ada", None, None), ("superuser",))
    return Unit(database, actor, "default", NOON, lambda: str(uuid.uuid4()))


@BOTH
async def test_an_unknown_case_has_no_metrics(client: Any, base: str):
    response = await client.get(f"{base}/unknown?features=lifespan")
    assert response.status_code == 404
    assert "[cases/unknown]" in response.json()["message"]
