"""Bodies and calls that tests of the API share: a test names only what matters to it."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from casebridge.storage.session import Database, Write

CASES = "/api/cases"
NO_CONNECTOR = {"id": "none", "name": "none", "type": ".none", "fields": None}
JIRA = {
    "id": "jira-1",
    "name": "Tracker",
    "type": ".jira",
    "fields": {"issueType": "10001", "priority": None, "parent": None},
}
ADMIN = {"username": "admin", "full_name": "Ada Admin", "email": "ada@example.org"}
START = datetime(2024, 5, 17, 8, 3, 59, 120_000, UTC)


class Clock:
    """The server's time: it stands still until a test moves it."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        """Move on, or back."""
        self.at += timedelta(seconds=seconds)


def a_body(**given: Any) -> dict[str, Any]:
    """Body of a new case."""
    return {
        "title": "Badge reader offline",
        "description": "Door 4 stopped answering.",
        "tags": ["doors", "site-b"],
        "connector": NO_CONNECTOR,
        "settings": {"syncAlerts": True},
        "owner": "cases",
    } | given


def without(body: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """The same without some keys."""
    return {key: value for key, value in body.items() if key not in keys}


async def opened(client: Any, space: str = "", **given: Any) -> dict[str, Any]:
    """A new case; `space` is the prefix of the address, such as `/s/ops`."""
    answer = await client.post(space + CASES, json=a_body(**given))
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def patch(client: Any, case: Mapping[str, Any], space: str = "", **changes: Any) -> Any:
    """The answer to a PATCH of one case, at the version given."""
    entry = {"id": case["id"], "version": case["version"], **changes}
    return await client.patch(space + CASES, json={"cases": [entry]})


async def changed(client: Any, case: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """The changed case."""
    answer = await patch(client, case, **changes)
    assert answer.status_code == 200, answer.text
    (only,) = answer.json()
    return only  # type: ignore[no-any-return]


async def fetched(client: Any, case: Mapping[str, Any]) -> dict[str, Any]:
    """The case as it reads now."""
    answer = await client.get(f"{CASES}/{case['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def commented(client: Any, case: Mapping[str, Any], text: str = "on my way") -> dict[str, Any]:
    """The case with one more comment."""
    body = {"type": "user", "owner": case["owner"], "comment": text}
    answer = await client.post(f"{CASES}/{case['id']}/comments", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def activity(client: Any, case: Mapping[str, Any], **params: Any) -> list[dict[str, Any]]:
    """Up to a hundred records of the case, oldest first."""
    answer = await client.get(f"{CASES}/{case['id']}/user_actions/_find", params={"perPage": 100, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()["userActions"]  # type: ignore[no-any-return]


async def trail(client: Any, case: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Type, action and payload of every record but the first, oldest first."""
    return [(each["type"], each["action"], each["payload"]) for each in (await activity(client, case))[1:]]


async def configured(client: Any, *fields: Mapping[str, Any], owner: str = "cases") -> None:
    """A configuration with these custom fields, in place of any earlier one."""
    body = {"connector": NO_CONNECTOR, "closure_type": "close-by-user", "owner": owner, "customFields": list(fields)}
    answer = await client.post(f"{CASES}/configure", json=body)
    assert answer.status_code == 200, answer.text


async def with_space(client: Any, id_: str, *disabled: str) -> str:
    """Makes a space, or replaces it, and gives the prefix of its addresses."""
    body = {"id": id_, "name": id_, "disabledFeatures": list(disabled)}
    answer = await client.post("/api/spaces/space", json=body)
    if answer.status_code == 409:
        answer = await client.put(f"/api/spaces/space/{id_}", json=body)
    assert answer.status_code == 200, answer.text
    return f"/s/{id_}"


async def set_actions(database: Database, case: Mapping[str, Any], number: int) -> None:
    """Let the store believe that a case has that many user actions."""
    ((doc,),) = await database.read("SELECT doc FROM cases WHERE id = :id", {"id": case["id"]})
    stored = json.loads(doc)
    stored["counts"]["actions"] = number
    params = {"id": case["id"], "doc": json.dumps(stored)}
    await database.commit([Write("UPDATE cases SET doc = :doc WHERE id = :id", params)])


def number_of(version: str) -> int:
    """The number inside a version; AssertionError unless it has the form of contract README 8."""
    number, term = json.loads(b64decode(version, validate=True))
    assert term == 1
    assert isinstance(number, int)
    return number


def message_of(answer: Any, status: int) -> str:
    """The message of a refusal of that status."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    body = answer.json()
    assert body["statusCode"] == status
    return body["message"]  # type: ignore[no-any-return]
