"""What every project of the simulated Jira offers: issue types, priorities, the workflow, the fields of a screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SUMMARY_LIMIT = 255
TEXT_LIMIT = 32_767
LABEL_LIMIT = 255


@dataclass(frozen=True)
class IssueType:
    """A kind of issue; a sub-task needs a parent."""

    id: str
    name: str
    description: str
    subtask: bool = False


@dataclass(frozen=True)
class Status:
    """A station of the workflow. `category` is Jira's own: `new`, `indeterminate` or `done`."""

    id: str
    name: str
    category: str
    transition: str


@dataclass(frozen=True)
class FieldKind:
    """A field on the screens of some issue types (`only`, by id; empty: of all)."""

    id: str
    name: str
    schema: dict[str, Any]
    required: bool = False
    allowed: tuple[dict[str, Any], ...] = ()
    default: dict[str, Any] | None = None
    only: frozenset[str] = field(default_factory=frozenset)

    def on_screen(self, issue_type: IssueType) -> bool:
        """Whether issues of this type have the field."""
        return not self.only or issue_type.id in self.only


ISSUE_TYPES = (
    IssueType("10001", "Task", "Something to be done."),
    IssueType("10002", "Incident", "Something that went wrong and is being looked into."),
    IssueType("10003", "Bug", "A fault in a product."),
    IssueType("10004", "Sub-task", "A part of another issue.", subtask=True),
)

PRIORITIES = {"Highest": "1", "High": "2", "Medium": "3", "Low": "4", "Lowest": "5"}
DEFAULT_PRIORITY = "Medium"

WORKFLOW = (
    Status("10000", "To Do", "new", "11"),
    Status("10001", "In Progress", "indeterminate", "21"),
    Status("10002", "Done", "done", "31"),
)
CATEGORIES: dict[str, tuple[int, str, str]] = {
    "new": (2, "To Do", "blue-gray"),
    "indeterminate": (4, "In Progress", "yellow"),
    "done": (3, "Done", "green"),
}
"""Per status category: its id, name and colour."""

RESOLUTIONS = {"Done": "10000", "Won't Do": "10001", "Duplicate": "10002"}

_INCIDENT = frozenset({"10002"})
_CUSTOM = "com.atlassian.jira.plugin.system.customfieldtypes:"


def _custom(number: int, kind: str, value: str) -> dict[str, Any]:
    return {"type": value, "custom": _CUSTOM + kind, "customId": number}


FIELDS = (
    FieldKind("summary", "Summary", {"type": "string", "system": "summary"}, required=True),
    FieldKind("issuetype", "Issue Type", {"type": "issuetype", "system": "issuetype"}, required=True),
    FieldKind("project", "Project", {"type": "project", "system": "project"}, required=True),
    FieldKind("parent", "Parent", {"type": "issuelink", "system": "parent"}),
    FieldKind("description", "Description", {"type": "string", "system": "description"}),
    FieldKind(
        "priority",
        "Priority",
        {"type": "priority", "system": "priority"},
        allowed=tuple({"id": number, "name": name} for name, number in PRIORITIES.items()),
        default={"id": PRIORITIES[DEFAULT_PRIORITY], "name": DEFAULT_PRIORITY},
    ),
    FieldKind("labels", "Labels", {"type": "array", "items": "string", "system": "labels"}),
    FieldKind("duedate", "Due date", {"type": "date", "system": "duedate"}),
    FieldKind("customfield_10042", "Affected host", _custom(10042, "textfield", "string")),
    FieldKind(
        "customfield_10043",
        "Detection source",
        _custom(10043, "select", "option"),
        allowed=(
            {"id": "10100", "value": "SIEM"},
            {"id": "10101", "value": "EDR"},
            {"id": "10102", "value": "Report by a person"},
        ),
        only=_INCIDENT,
    ),
    FieldKind("customfield_10044", "Hosts affected", _custom(10044, "float", "number"), only=_INCIDENT),
    FieldKind("customfield_10045", "Containment notes", _custom(10045, "textarea", "string"), only=_INCIDENT),
)


def issue_type(type_id: object) -> IssueType | None:
    """The issue type with this id, if there is one."""
    return next((kind for kind in ISSUE_TYPES if kind.id == type_id), None)


def status(status_id: str) -> Status:
    """The status with this id; it must exist."""
    return next(status for status in WORKFLOW if status.id == status_id)


def screen(kind: IssueType) -> dict[str, FieldKind]:
    """The fields that issues of this type have, by field id."""
    return {known.id: known for known in FIELDS if known.on_screen(kind)}
