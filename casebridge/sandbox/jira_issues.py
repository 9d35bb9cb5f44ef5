"""The calls of the simulated Jira that are about one issue: itself, comments, transitions, properties, links."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from casebridge.sandbox import jira_catalogue as catalogue
from casebridge.sandbox.jira_answers import Refusal, paged, reply, resolution
from casebridge.sandbox.jira_call import Call, Desk, Step
from casebridge.sandbox.jira_fields import BadValue, FieldRules, comment_text
from casebridge.sandbox.jira_state import Comment, Issue

PROPERTY_KEY_LIMIT = 255
PROPERTY_SIZE_BYTES = 32_768


def create(desk: Desk, call: Call) -> Response:
    payload = call.object()
    draft = FieldRules(desk.projects, desk.book).read(payload)
    properties = properties_of(payload)
    changes = {name: value for name, value in draft.changes.items() if value is not None}
    issue = desk.book.add_issue(draft.project, draft.type_id, changes, call.now)
    issue.properties = properties
    call.entry.record = issue.key
    desk.book.journal.created("issue", issue.id, call.entry, call.now)
    for text in draft.comments:
        new_comment(desk, call, issue, text, {})
    return reply({"id": issue.id, "key": issue.key, "self": f"{call.wording.rest}/issue/{issue.id}"}, 201)


def get(desk: Desk, call: Call) -> Response:
    issue = call.issue(desk)
    wanted = [name for given in call.query.getlist("fields") for name in given.split(",") if name]
    return reply(call.wording.issue(issue, desk.book, wanted or ["*all"]))


def update(desk: Desk, call: Call) -> Response:
    issue = call.issue(desk)
    payload = call.object()
    draft = FieldRules(desk.projects, desk.book).read(payload, issue)
    properties = properties_of(payload)
    desk.book.change(issue, draft.changes, call.now)
    issue.properties |= properties
    for text in draft.comments:
        new_comment(desk, call, issue, text, {})
    return Response(status_code=204)


def delete(desk: Desk, call: Call) -> Response:
    issue = call.issue(desk)
    if desk.book.subtasks(issue):
        raise Refusal(400, [f"The issue '{issue.key}' has subtasks. Delete them first."])
    del desk.book.issues[issue.id]
    return Response(status_code=204)


def list_comments(desk: Desk, call: Call) -> Response:
    issue = call.issue(desk)
    with_properties = "properties" in call.query.get("expand", "")
    rows = [call.wording.comment(issue, comment, with_properties) for comment in issue.comments]
    if call.query.get("orderBy") == "-created":
        rows.reverse()
    start, size = call.page(desk)
    return reply(paged(rows, start, size, "comments"))


def get_comment(desk: Desk, call: Call) -> Response:
    issue, comment = comment_of(desk, call)
    return reply(call.wording.comment(issue, comment, "properties" in call.query.get("expand", "")))


def comment(desk: Desk, call: Call) -> Response:
    issue = call.issue(desk)
    added = new_comment(desk, call, issue, checked_text(call), properties_of(call.object()))
    return reply(call.wording.comment(issue, added), 201)


def edit_comment(desk: Desk, call: Call) -> Response:
    issue, comment = comment_of(desk, call)
    text, properties = checked_text(call), properties_of(call.object())
    comment.body, comment.updated = text, call.now
    comment.properties |= properties
    issue.touch(call.now)
    return reply(call.wording.comment(issue, comment))


def delete_comment(desk: Desk, call: Call) -> Response:
    issue, comment = comment_of(desk, call)
    issue.comments.remove(comment)
    issue.touch(call.now)
    return Response(status_code=204)


def list_transitions(desk: Desk, call: Call) -> Response:
    issue = call.issue(desk)
    rows = []
    for status in ways_out(issue):
        row = {
            "id": status.transition,
            "name": status.name,
            "to": call.wording.status(status),
            "hasScreen": needs_resolution(desk, status),
            "isGlobal": True,
        }
        if "transitions.fields" in call.query.get("expand", ""):
            row["fields"] = resolution_field() if needs_resolution(desk, status) else {}
        rows.append(row)
    return reply({"expand": "transitions", "transitions": rows})


def transition(desk: Desk, call: Call) -> Response:
    issue = call.issue(desk)
    payload = call.object()
    given = payload.get("transition")
    wanted = given.get("id") if isinstance(given, dict) else None
    status = next((status for status in ways_out(issue) if status.transition == str(wanted)), None)
    if status is None:
        raise Refusal(400, [f"Transition id '{wanted}' is not valid for this issue."])
    fields = payload.get("fields") or {}
    chosen = fields["resolution"].get("name") if isinstance(fields.get("resolution"), dict) else None
    if chosen is None and needs_resolution(desk, status):
        raise Refusal(400, errors={"resolution": "Resolution is required."})
    if chosen is not None and chosen not in catalogue.RESOLUTIONS:
        raise Refusal(400, errors={"resolution": "The resolution selected is invalid."})
    done = status.category == "done"
    issue.status_id = status.id
    issue.resolution, issue.resolved = (chosen or "Done", call.now) if done else (None, None)
    issue.touch(call.now)
    return Response(status_code=204)


def list_properties(desk: Desk, call: Call) -> Response:
    issue = call.issue(desk)
    base = f"{call.wording.rest}/issue/{issue.id}/properties"
    return reply({"keys": [{"self": f"{base}/{key}", "key": key} for key in issue.properties]})


def get_property(desk: Desk, call: Call) -> Response:
    issue, key = call.issue(desk), call.params["key"]
    if key not in issue.properties:
        raise Refusal(404, [f"The property {key} does not exist."])
    return reply({"key": key, "value": issue.properties[key]})


def set_property(desk: Desk, call: Call) -> Response:
    issue, key = call.issue(desk), call.params["key"]
    status = 200 if key in issue.properties else 201
    issue.properties[key] = property_value(key, call.payload)
    return reply({}, status)


def delete_property(desk: Desk, call: Call) -> Response:
    issue, key = call.issue(desk), call.params["key"]
    if key not in issue.properties:
        raise Refusal(404, [f"The property {key} does not exist."])
    del issue.properties[key]
    return Response(status_code=204)


def list_links(desk: Desk, call: Call) -> Response:
    issue, wanted = call.issue(desk), call.query.get("globalId")
    return reply([link for link in issue.remote_links if wanted in (None, link.get("globalId"))])


def set_link(desk: Desk, call: Call) -> Response:
    """Add a link, or replace the one with the same `globalId`."""
    issue, payload = call.issue(desk), call.object()
    target = payload.get("object")
    target = target if isinstance(target, dict) else {}
    missing = {name: f"'{name}' is required." for name in ("url", "title") if not isinstance(target.get(name), str)}
    if missing:
        raise Refusal(400, errors=missing)
    known = payload.get("globalId")
    same = [link for link in issue.remote_links if known is not None and link.get("globalId") == known]
    number = same[0]["id"] if same else desk.book.next_link
    where = f"{call.wording.rest}/issue/{issue.key}/remotelink/{number}"
    link = {**payload, "id": number, "self": where}
    if same:
        issue.remote_links[issue.remote_links.index(same[0])] = link
    else:
        desk.book.next_link += 1
        issue.remote_links.append(link)
    return reply({"id": number, "self": where}, 200 if same else 201)


def new_comment(desk: Desk, call: Call, issue: Issue, text: str, properties: dict[str, Any]) -> Comment:
    """Add a comment and write down that it was made."""
    added = desk.book.add_comment(issue, text, properties, call.now)
    desk.book.journal.created("comment", added.id, call.entry, call.now)
    return added


def comment_of(desk: Desk, call: Call) -> tuple[Issue, Comment]:
    """The comment named in the path, with its issue. Raises Refusal."""
    issue, comment_id = call.issue(desk), call.params["comment"]
    comment = issue.comment(comment_id)
    if comment is None:
        raise Refusal(404, [f"Can not find a comment for the id: {comment_id}."])
    return issue, comment


def checked_text(call: Call) -> str:
    """The text of the comment in the body. Raises Refusal."""
    try:
        return comment_text(call.object().get("body", ""))
    except BadValue as wrong:
        raise Refusal(400, errors={"comment": str(wrong)}) from wrong


def ways_out(issue: Issue) -> list[catalogue.Status]:
    """The statuses an issue can go to: all but its own."""
    return [status for status in catalogue.WORKFLOW if status.id != issue.status_id]


def needs_resolution(desk: Desk, status: catalogue.Status) -> bool:
    """Whether the screen on the way to a status demands a resolution."""
    return desk.resolution_required and status.category == "done"


def resolution_field() -> dict[str, Any]:
    """The field that such a screen has."""
    return {
        "resolution": {
            "required": True,
            "name": "Resolution",
            "schema": {"type": "resolution", "system": "resolution"},
            "allowedValues": [resolution(name) for name in catalogue.RESOLUTIONS],
        }
    }


def properties_of(payload: dict[str, Any]) -> dict[str, Any]:
    """The entity properties that came along with an issue or comment, by key. Raises Refusal."""
    given = payload.get("properties") or []
    if not isinstance(given, list) or not all(
        isinstance(row, dict) and isinstance(row.get("key"), str) for row in given
    ):
        raise Refusal(400, ["'properties' must be a list of objects with 'key' and 'value'."])
    return {row["key"]: property_value(row["key"], row.get("value")) for row in given}


def property_value(key: str, value: Any) -> Any:
    """The value of a property, if key and value are not too long. Raises Refusal."""
    if not 1 <= len(key) <= PROPERTY_KEY_LIMIT:
        raise Refusal(400, [f"A property key has 1 to {PROPERTY_KEY_LIMIT} characters."])
    if len(msgspec.json.encode(value)) > PROPERTY_SIZE_BYTES:
        raise Refusal(400, [f"A property value has at most {PROPERTY_SIZE_BYTES} bytes."])
    return value


STEPS = (
    Step("create", "POST", "/issue", create),
    Step("get", "GET", "/issue/{issue}", get),
    Step("update", "PUT", "/issue/{issue}", update),
    Step("delete", "DELETE", "/issue/{issue}", delete),
    Step("list_comments", "GET", "/issue/{issue}/comment", list_comments),
    Step("comment", "POST", "/issue/{issue}/comment", comment),
    Step("get_comment", "GET", "/issue/{issue}/comment/{comment}", get_comment),
    Step("edit_comment", "PUT", "/issue/{issue}/comment/{comment}", edit_comment),
    Step("delete_comment", "DELETE", "/issue/{issue}/comment/{comment}", delete_comment),
    Step("list_transitions", "GET", "/issue/{issue}/transitions", list_transitions),
    Step("transition", "POST", "/issue/{issue}/transitions", transition),
    Step("list_properties", "GET", "/issue/{issue}/properties", list_properties),
    Step("get_property", "GET", "/issue/{issue}/properties/{key}", get_property),
    Step("set_property", "PUT", "/issue/{issue}/properties/{key}", set_property),
    Step("delete_property", "DELETE", "/issue/{issue}/properties/{key}", delete_property),
    Step("list_links", "GET", "/issue/{issue}/remotelink", list_links),
    Step("set_link", "POST", "/issue/{issue}/remotelink", set_link),
)
