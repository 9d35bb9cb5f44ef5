"""The connector a case or configuration names, and the connector itself."""

from __future__ import annotations

from typing import Any

import msgspec

NO_CONNECTOR_TYPE = ".none"
CASE_CONNECTOR_TYPES = (
    ".servicenow", ".servicenow-sir", ".jira", ".resilient", ".swimlane", ".cases-webhook", ".thehive",
)  # fmt: skip


class CaseConnector(msgspec.Struct, frozen=True):
    """Which connector a case uses. `fields`: the type's own keys as sent (connectors.md 5a), or None."""

    id: str
    name: str
    type: str
    fields: dict[str, Any] | None = None

    def normalised(self) -> CaseConnector:
        """The same, or the one form of "no connector" whatever id and name came (cases.md 1.1)."""
        return NO_CONNECTOR if self.type == NO_CONNECTOR_TYPE else self


NO_CONNECTOR = CaseConnector(id="none", name="none", type=NO_CONNECTOR_TYPE)


class Connector(msgspec.Struct, frozen=True):
    """A stored or preconfigured connector. `sealed` holds the encrypted secrets; None for preconfigured ones.

    `expose_config` only matters for preconfigured connectors: whether answers show `config`.
    """

    id: str
    space: str
    name: str
    type: str
    config: dict[str, Any]
    sealed: bytes | None = None
    version: int = 0
    is_preconfigured: bool = False
    is_missing_secrets: bool = False
    expose_config: bool = False
    referenced_by_count: int = 0

    @property
    def is_deprecated(self) -> bool:
        """ServiceNow through the Table API counts as deprecated, also when config does not say (connectors.md 2)."""
        return self.type in (".servicenow", ".servicenow-sir") and self.config.get("usesTableApi", True) is True


class MappingRow(msgspec.Struct, frozen=True):
    """One row of a connector type's fixed mapping: case field -> external field."""

    source: str
    target: str
    action_type: str


def _rows(title: str, description: str, comments: str, tags: str | None = None) -> tuple[MappingRow, ...]:
    rows = [MappingRow("title", title, "overwrite"), MappingRow("description", description, "overwrite")]
    if tags:
        rows.append(MappingRow("tags", tags, "overwrite"))
    return (*rows, MappingRow("comments", comments, "append"))


_THEHIVE = _rows("title", "description", "comments")

MAPPINGS: dict[str, tuple[MappingRow, ...]] = {
    ".servicenow": _rows("short_description", "description", "work_notes"),
    ".servicenow-sir": _rows("short_description", "description", "work_notes"),
    ".jira": _rows("summary", "description", "comments", tags="labels"),
    ".resilient": _rows("name", "description", "comments"),
    ".swimlane": _rows("caseName", "description", "comments"),
    ".thehive": (*_THEHIVE, MappingRow("tags", "tags", "overwrite")),
    ".cases-webhook": (),
    NO_CONNECTOR_TYPE: (),
}
"""Fixed per connector type, whether or not the connector exists (configure.md 1.2)."""
