"""Bodies and calls of the 7.10 dialect that its tests share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from casebridge.domain.attachment import Attachment
from casebridge.domain.space import DEFAULT_SPACE
from casebridge.domain.user import SUPERUSER, Actor, User
from casebridge.domain.user_action import Activity
from casebridge.storage import cases
from casebridge.storage.session import Database
from casebridge.storage.unit import Unit
from tests.api.calls import NO_CONNECTOR, START

OLD = "/7.10/api/cases"
SECURITY = "securitySolution"
ADMIN = {"email": "ada@example.org", "full_name": "Ada Admin", "username": "admin"}
CASE_KEYS = {
    "id", "version", "comments", "totalComment", "title", "description", "tags", "status", "connector", "settings",
    "external_service", "created_at", "created_by", "updated_at", "updated_by", "closed_at", "closed_by",
}  # fmt: skip
COMMENT_KEYS = {
    "id", "version", "type", "comment", "created_at", "created_by", "pushed_at", "pushed_by", "updated_at",
    "updated_by",
}  # fmt: skip


def an_old_body(**given: Any) -> dict[str, Any]:
    """Body of a new case of that time."""
    return {
        "title": "Odd logons",
        "description": "seen on two hosts",
        "tags": ["vpn", "night"],
        "connector": NO_CONNECTOR,
    } | given


async def old_case(client: Any, base: str = OLD, **given: Any) -> dict[str, Any]:
    """A new case."""
    answer = await client.post(base, json=an_old_body(**given))
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def old_patch(client: Any, case: Mapping[str, Any], **changes: Any) -> Any:
    """The answer to a PATCH of one case, at the version given."""
    return await client.patch(OLD, json={"cases": [{"id": case["id"], "version": case["version"], **changes}]})


async def old_changed(client: Any, case: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """The changed case."""
    answer = await old_patch(client, case, **changes)
    assert answer.status_code == 200, answer.text
    (only,) = answer.json()
    return only  # type: ignore[no-any-return]


async def old_get(client: Any, case: Mapping[str, Any]) -> dict[str, Any]:
    """The case with its comments, as it reads now."""
    answer = await client.get(f"{OLD}/{case['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def old_comment(client: Any, case: Mapping[str, Any], text: str = "on my way") -> dict[str, Any]:
    """The case with one more comment."""
    answer = await client.post(f"{OLD}/{case['id']}/comments", json={"type": "user", "comment": text})
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def old_activity(client: Any, case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All records of the case in the old form."""
    answer = await client.get(f"{OLD}/{case['id']}/user_actions")
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def attach(database: Database, case: Mapping[str, Any], payload: dict[str, Any], id_: str) -> None:
    """Have the store hold an attachment that a newer client made, with its record."""
    stored = await cases.get(database, "default", case["id"])
    assert stored is not None
    by = User("omar", "Omar Diaz", None)
    attachment = Attachment(
        id=id_, case_id=stored.id, seq=stored.counts.actions + 1, type=payload["type"], owner=SECURITY,
        payload={"owner": SECURITY, **payload}, created_at=START, created_by=by,
    )  # fmt: skip
    counts = msgspec.structs.replace(stored.counts, attachments=stored.counts.attachments + 1)
    work = Unit(database, Actor(by, (SUPERUSER,)), DEFAULT_SPACE.id, START, lambda: f"record-{id_}")
    activity = Activity("comment", "create", {"comment": attachment.payload}, id_)
    work.update(stored, msgspec.structs.replace(stored, counts=counts), [activity])
    work.attach(attachment)
    await work.save()
