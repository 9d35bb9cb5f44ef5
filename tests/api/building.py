"""Cases, comments and connectors made through the API, for tests that are about something else."""

from __future__ import annotations

from typing import Any

NO_CONNECTOR = {"id": "none", "name": "none", "type": ".none", "fields": None}
JIRA_FIELDS = {"issueType": "10001", "priority": "High", "parent": None}


def jira(id_: str = "jira-1", name: str = "Ops Jira", **fields: Any) -> dict[str, Any]:
    """A connector as a case names it."""
    return {"id": id_, "name": name, "type": ".jira", "fields": {**JIRA_FIELDS, **fields}}


async def open_case(client: Any, *, at: str = "", **given: Any) -> dict[str, Any]:
    """A new case; `at` is the prefix of its space."""
    body = {
        "title": "Odd logons",
        "description": "seen on two hosts",
        "tags": [],
        "connector": NO_CONNECTOR,
        "settings": {"syncAlerts": False},
        "owner": "cases",
        **given,
    }
    return await _done(client.post(f"{at}/api/cases", json=body))


async def change(client: Any, case_id: str, **changes: Any) -> dict[str, Any]:
    """The case after a change of these fields."""
    present = await _done(client.get(f"/api/cases/{case_id}"))
    body = {"cases": [{"id": case_id, "version": present["version"], **changes}]}
    changed: list[dict[str, Any]] = await _done(client.patch("/api/cases", json=body))
    return changed[0]


async def comment(client: Any, case_id: str, text: str) -> str:
    """The id of a new comment."""
    body = {"type": "user", "owner": "cases", "comment": text}
    case = await _done(client.post(f"/api/cases/{case_id}/comments", json=body))
    return str(case["comments"][-1]["id"])


async def edit_comment(client: Any, case_id: str, id_: str, text: str) -> None:
    """Replace the text of a comment."""
    stored = await _done(client.get(f"/api/cases/{case_id}/comments/{id_}"))
    body = {"id": id_, "version": stored["version"], "type": "user", "owner": "cases", "comment": text}
    await _done(client.patch(f"/api/cases/{case_id}/comments", json=body))


async def delete_comment(client: Any, case_id: str, id_: str) -> None:
    """Delete a comment."""
    response = await client.delete(f"/api/cases/{case_id}/comments/{id_}")
    assert response.status_code == 204, response.text


async def get(client: Any, path: str, **query: Any) -> Any:
    """What a GET answers with 200."""
    return await _done(client.get(path, params=query))


async def _done(request: Any) -> Any:
    response = await request
    assert response.status_code == 200, response.text
    return response.json()
