"""What the API does about guessed passwords."""

from __future__ import annotations

from typing import Any

import pytest

from casebridge.api.dispatch import FAILURES_NOTED_A_MINUTE
from casebridge.security.throttle import Doorkeeper
from casebridge.storage.session import Database
from tests.api.access import PASSWORD, add_user, make_key

STATUS = "/api/cases/status"


@pytest.fixture(autouse=True)
def no_time_goes_by(app: Any) -> None:
    """However slow the machine is."""
    app.kernel.callers.door.keeper = Doorkeeper(lambda: 0.0)


async def test_guessing_is_answered_with_429_and_when_to_come_again(app: Any, ask: Any):
    answers = [await ask(app, "GET", STATUS, auth=f"admin:guess {number}") for number in range(6)]

    assert [each.status for each in answers] == [401, 401, 401, 401, 401, 429]
    assert answers[-1].headers["retry-after"] == "1"
    assert answers[-1].json["error"] == "Too Many Requests"
    assert "guess" not in answers[-1].body.decode()


async def test_who_signed_in_before_works_on_while_somebody_guesses(app: Any, ask: Any):
    assert (await ask(app, "GET", STATUS)).status == 200
    for number in range(8):
        await ask(app, "GET", STATUS, auth=f"admin:guess {number}")
    assert (await ask(app, "GET", STATUS)).status == 200


async def test_keys_are_not_slowed_down(app: Any, ask: Any, client: Any, anonymous: Any):
    headers = await make_key(client)
    for number in range(8):
        await ask(app, "GET", STATUS, auth=f"admin:guess {number}")
    assert (await anonymous.get(STATUS, headers=headers)).status_code == 200


async def test_a_key_may_be_shown_as_a_bearer_token(client: Any, anonymous: Any):
    headers = await make_key(client)
    bearer = {"authorization": headers["authorization"].replace("ApiKey", "Bearer")}
    wrong = {"authorization": "Bearer bm9ib2R5Om5vdGhpbmc="}

    assert (await anonymous.get(STATUS, headers=bearer)).status_code == 200
    assert (await anonymous.get(STATUS, headers=wrong)).status_code == 401


async def test_the_status_is_told_to_who_has_to_wait(app: Any, ask: Any):
    for number in range(6):
        await ask(app, "GET", STATUS, auth=f"admin:guess {number}")
    answer = await ask(app, "GET", "/api/status", auth="admin:guess 7")
    assert (answer.status, list(answer.json)) == (200, ["status"])


async def test_ones_own_password_cannot_be_guessed_to_change_it(
    client: Any, connect: Any, app: Any, database: Database, password_hash: str
):
    auth = await add_user(database, password_hash, "grace")
    async with connect(app, auth=auth) as grace:
        path = "/_security/user/grace/_password"
        guesses = [
            (
                await grace.put(path, json={"password": "new-password", "current_password": f"guess {number}"})
            ).status_code
            for number in range(6)
        ]
        body = {"password": "new-password", "current_password": PASSWORD}
        assert (await grace.put(path, json=body)).status_code == 200
    assert guesses == [403, 403, 403, 403, 403, 429]


async def test_a_flood_of_failures_does_not_fill_the_audit_trail(app: Any, ask: Any, database: Database):
    wrong = {"authorization": "ApiKey bm9ib2R5Om5vdGhpbmc="}
    for _ in range(FAILURES_NOTED_A_MINUTE + 20):
        assert (await ask(app, "GET", STATUS, auth=None, headers=wrong)).status == 401
    [(count,)] = await database.read("SELECT count(*) FROM audit_event")
    # The minute may turn meanwhile.
    assert FAILURES_NOTED_A_MINUTE <= count <= FAILURES_NOTED_A_MINUTE + 20


async def test_every_answer_keeps_browsers_from_showing_running_and_framing_it(app: Any, ask: Any):
    for path, auth in ((STATUS, "admin:correct horse battery"), (STATUS, None), ("/api/nothing", None)):
        headers = (await ask(app, "GET", path, auth=auth)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["referrer-policy"] == "no-referrer"


async def test_browsers_that_came_by_tls_are_told_to_come_by_it_alone(serve: Any, connect: Any):
    app = serve(hsts_s=60)
    async with connect(app) as plain:
        assert "strict-transport-security" not in (await plain.get(STATUS)).headers
        secure = await plain.get(f"https://casebridge.test{STATUS}")
    assert secure.headers["strict-transport-security"] == "max-age=60"
