"""Which values the simulated Jira accepts for the fields of an issue, and what it says to the others.

Values come out as `jira_state` keeps them: names and ids instead of the objects they arrive in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from casebridge.sandbox import jira_catalogue as catalogue
from casebridge.sandbox.jira_answers import Refusal, project_id
from casebridge.sandbox.jira_state import Book, Issue

TEXT_TOO_LONG = f"The entered text is too long. It exceeds the allowed limit of {catalogue.TEXT_LIMIT:,} characters."
NOT_A_STRING = "Operation value must be a string"


class BadValue(ValueError):
    """A value a field does not take; the text is Jira's answer."""


@dataclass(frozen=True)
class Draft:
    """What a create or update asks for, checked. `changes` is keyed by field, `comments` are texts to add."""

    project: str
    type_id: str
    changes: dict[str, Any]
    comments: list[str]


class FieldRules:
    """The rules, for the projects there are and the issues there are by now."""

    def __init__(self, projects: Sequence[str], book: Book) -> None:
        self.projects, self.book = projects, book
        self.readers: dict[str, Callable[[Any], Any]] = {
            "summary": summary,
            "description": long_text,
            "labels": labels,
            "priority": priority,
            "parent": self.parent,
            "duedate": day,
        }

    def read(self, payload: Any, issue: Issue | None = None) -> Draft:
        """What `payload` (`{"fields": ..., "update": ...}`) asks for. Raises Refusal with all that is wrong."""
        if not isinstance(payload, dict):
            raise Refusal(400, ["Can not instantiate the request from this JSON: an object is expected."])
        fields, update = part(payload, "fields"), part(payload, "update")
        errors = {
            name: f"Field '{name}' cannot appear in both 'fields' and 'update'" for name in update if name in fields
        }
        if errors:
            raise Refusal(400, errors=errors)
        comments = self._comments(update, errors)
        fields |= self._updated(update, issue, errors)
        project = self._project(fields.pop("project", None), issue, errors)
        kind = self._issue_type(fields.get("issuetype"), issue, errors)
        changes = self._changes(fields, kind, errors)
        self._complete(changes, kind, issue, errors)
        if errors or kind is None or project is None:
            raise Refusal(400, errors=errors)
        return Draft(project, kind.id, changes, comments)

    def parent(self, value: Any) -> str:
        """The key of the issue named by `{"key": ...}` or `{"id": ...}`."""
        name = value.get("key", value.get("id")) if isinstance(value, dict) else None
        found = self.book.find(name) if isinstance(name, str) else None
        if found is None:
            raise BadValue("Could not find issue by id or key.")
        kind = catalogue.issue_type(found.type_id)
        if kind is not None and kind.subtask:
            raise BadValue("Given parent issue does not belong to appropriate hierarchy.")
        return found.key

    def _project(self, value: Any, issue: Issue | None, errors: dict[str, str]) -> str | None:
        if value is None and issue is not None:
            return issue.project
        given = value if isinstance(value, dict) else {}
        key = next(
            (key for key in self.projects if key == given.get("key") or project_id(key) == given.get("id")), None
        )
        if key is None:
            errors["project"] = "valid project is required"
        elif issue is not None and key != issue.project:
            errors["project"] = "An issue cannot be moved to another project this way."
        return key

    def _issue_type(self, value: Any, issue: Issue | None, errors: dict[str, str]) -> catalogue.IssueType | None:
        if value is None and issue is not None:
            return catalogue.issue_type(issue.type_id)
        given = value if isinstance(value, dict) else {}
        kind = catalogue.issue_type(given.get("id")) or next(
            (kind for kind in catalogue.ISSUE_TYPES if "id" not in given and kind.name == given.get("name")), None
        )
        if kind is None:
            errors["issuetype"] = "valid issue type is required"
        return kind

    def _changes(
        self, fields: dict[str, Any], kind: catalogue.IssueType | None, errors: dict[str, str]
    ) -> dict[str, Any]:
        screen = catalogue.screen(kind) if kind else {known.id: known for known in catalogue.FIELDS}
        changes: dict[str, Any] = {}
        for name, value in fields.items():
            if name not in screen:
                errors[name] = f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            elif name == "issuetype":
                changes[name] = kind.id if kind else None
            else:
                reader = self.readers.get(name, lambda value, field=screen[name]: custom(field, value))
                try:
                    changes[name] = cleared(name) if value is None else reader(value)
                except BadValue as wrong:
                    errors[name] = str(wrong)
        return changes

    def _complete(
        self,
        changes: dict[str, Any],
        kind: catalogue.IssueType | None,
        issue: Issue | None,
        errors: dict[str, str],
    ) -> None:
        """Add what a new issue has by default; say what is missing."""
        if issue is None:
            if "summary" not in changes:
                errors.setdefault("summary", "You must specify a summary of the issue.")
            if changes.get("priority") is None:
                changes["priority"] = catalogue.DEFAULT_PRIORITY
        parent = changes.get("parent", issue.parent if issue else None)
        if kind is not None and kind.subtask and parent is None and "parent" not in errors:
            errors["issuetype"] = "Issue type is a sub-task but parent issue key or id not specified."

    def _updated(self, update: dict[str, Any], issue: Issue | None, errors: dict[str, str]) -> dict[str, Any]:
        """The fields of `update` as if they had been given whole."""
        fields: dict[str, Any] = {}
        for name, steps in update.items():
            if name == "comment":
                continue
            value: Any = list(issue.labels) if issue is not None and name == "labels" else []
            try:
                for verb, operand in operations(steps):
                    value = operated(name, value, verb, operand)
            except BadValue as wrong:
                errors[name] = str(wrong)
            else:
                fields[name] = value
        return fields

    def _comments(self, update: dict[str, Any], errors: dict[str, str]) -> list[str]:
        """The texts of the comments that `update` adds."""
        try:
            steps = operations(update.get("comment", []))
            return [comment_text(operand.get("body")) for verb, operand in steps if verb == "add"]
        except (BadValue, AttributeError) as wrong:
            errors["comment"] = str(wrong) if isinstance(wrong, BadValue) else NOT_A_STRING
            return []


def part(payload: dict[str, Any], name: str) -> dict[str, Any]:
    """The object under `name`, a copy; empty if it is not there."""
    value = payload.get(name) or {}
    if not isinstance(value, dict):
        raise Refusal(400, [f"'{name}' must be an object."])
    return dict(value)


def operations(steps: Any) -> list[tuple[str, Any]]:
    """The steps of an update (`[{"add": "x"}, ...]`) as pairs of verb and operand."""
    if not isinstance(steps, list) or not all(isinstance(step, dict) and len(step) == 1 for step in steps):
        raise BadValue("Operations must be a list of objects with one verb each.")
    return [next(iter(step.items())) for step in steps]


def operated(name: str, value: Any, verb: str, operand: Any) -> Any:
    """A field after one step of an update."""
    if verb == "set":
        return operand
    if name == "labels" and verb in ("add", "remove"):
        others = [label for label in value if label != operand]
        if verb == "remove":
            return others
        return value if operand in value else [*others, operand]
    raise BadValue(f"Field with id '{name}' does not support operation '{verb}'")


def cleared(name: str) -> Any:
    """What a field holds after `null`."""
    if name == "summary":
        raise BadValue("You must specify a summary of the issue.")
    return [] if name == "labels" else None


def summary(value: Any) -> str:
    """One line of 1 to 255 characters."""
    text = string(value)
    if not text.strip():
        raise BadValue("You must specify a summary of the issue.")
    if re.search(r"[\r\n]", text):
        raise BadValue("The summary is invalid because it contains newline characters.")
    if len(text) > catalogue.SUMMARY_LIMIT:
        raise BadValue(f"Summary must be less than {catalogue.SUMMARY_LIMIT} characters.")
    return text


def long_text(value: Any) -> str | None:
    """Text over several lines; nothing at all counts as not set."""
    text = string(value)
    if len(text) > catalogue.TEXT_LIMIT:
        raise BadValue(TEXT_TOO_LONG)
    return text or None


def labels(value: Any) -> list[str]:
    """Labels without white space, each once."""
    if not isinstance(value, list):
        raise BadValue("data was not an array")
    for label in value:
        if not isinstance(label, str):
            raise BadValue("string expected at index 0")
        if re.search(r"\s", label):
            raise BadValue(f"The label '{label}' contains spaces which is invalid.")
        if len(label) > catalogue.LABEL_LIMIT:
            raise BadValue(f"The label '{label}' exceeds the limit of {catalogue.LABEL_LIMIT} characters.")
    return list(dict.fromkeys(label for label in value if label))


def priority(value: Any) -> str:
    """The name out of `{"name": "High"}`."""
    if not isinstance(value, dict) or not all(isinstance(part, str) for part in value.values()):
        raise BadValue("Specify the Priority (id or name) in the string format")
    if value.get("name") not in catalogue.PRIORITIES:
        raise BadValue("The priority selected is invalid.")
    return str(value["name"])


def day(value: Any) -> str:
    """A date such as 2026-03-04."""
    try:
        return date.fromisoformat(string(value)).isoformat()
    except ValueError as wrong:
        raise BadValue(f"Error parsing date string: {value}") from wrong


def custom(kind: catalogue.FieldKind, value: Any) -> Any:
    """The value of a custom field."""
    if kind.schema["type"] == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadValue("Operation value must be a number")
        return value
    if kind.schema["type"] == "option":
        given = value if isinstance(value, dict) else {}
        found = next((option for option in kind.allowed if given and given.items() <= option.items()), None)
        if found is None:
            raise BadValue(f"Option '{given.get('value', given.get('id', value))}' is not valid")
        return found
    text = string(value)
    if len(text) > (catalogue.TEXT_LIMIT if kind.schema["custom"].endswith("textarea") else catalogue.SUMMARY_LIMIT):
        raise BadValue(TEXT_TOO_LONG)
    return text


def comment_text(value: Any) -> str:
    """The text of a comment."""
    text = string(value)
    if not text.strip():
        raise BadValue("Comment body can not be empty!")
    if len(text) > catalogue.TEXT_LIMIT:
        raise BadValue(TEXT_TOO_LONG)
    return text


def string(value: Any) -> str:
    """The value, if it is text."""
    if not isinstance(value, str):
        raise BadValue(NOT_A_STRING)
    return value
