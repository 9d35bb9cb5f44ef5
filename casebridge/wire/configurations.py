"""Case configurations on the wire: today's form (configure.md) and that of 7.10 (dialect-7.10.md 3)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from casebridge.domain.configuration import Configuration, ConfigurationChanges, ObservableType
from casebridge.domain.connector import CaseConnector
from casebridge.domain.custom_field import CustomFieldDefinition
from casebridge.domain.errors import InvalidInput
from casebridge.domain.version import version_text
from casebridge.wire.base import Body, Shape, User, time_or_null, time_text
from casebridge.wire.cases import Assignee, CustomField, Settings, Severity
from casebridge.wire.connectors import CaseConnectorShape, Int64, MappingShape, SentConnector

ClosureType = Literal["close-by-user", "close-by-pushing"]


class TextDefinition(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="text"):
    key: str
    label: str
    required: bool
    defaultValue: str | UnsetType | None = UNSET


class ToggleDefinition(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="toggle"):
    key: str
    label: str
    required: bool
    defaultValue: bool | UnsetType | None = UNSET


class NumberDefinition(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="number"):
    key: str
    label: str
    required: bool
    defaultValue: int | UnsetType | None = UNSET


Definition = TextDefinition | ToggleDefinition | NumberDefinition


class TemplateCaseFields(Body):
    """What a template prefills; nothing is required, no status, owner or observables."""

    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    severity: Severity | UnsetType = UNSET
    category: str | UnsetType | None = UNSET
    assignees: list[Assignee] | UnsetType = UNSET
    connector: SentConnector | UnsetType = UNSET
    customFields: list[CustomField] | UnsetType = UNSET
    settings: Settings | UnsetType = UNSET


class Template(Body):
    key: str
    name: str
    caseFields: TemplateCaseFields | None
    description: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET


class ObservableTypeShape(Body):
    key: str
    label: str


class CreateConfiguration(Body):
    """Body of `POST /api/cases/configure`."""

    connector: SentConnector
    closure_type: ClosureType
    owner: str
    customFields: list[Definition] = []
    templates: list[Template] = []
    observableTypes: list[ObservableTypeShape] = []


class UpdateConfiguration(Body):
    """Body of `PATCH /api/cases/configure/{configuration_id}`."""

    version: str
    connector: SentConnector | UnsetType = UNSET
    closure_type: ClosureType | UnsetType = UNSET
    customFields: list[Definition] | UnsetType = UNSET
    templates: list[Template] | UnsetType = UNSET
    observableTypes: list[ObservableTypeShape] | UnsetType = UNSET

    def to_domain(self) -> ConfigurationChanges:
        return ConfigurationChanges(
            connector=UNSET if isinstance(self.connector, UnsetType) else self.connector.to_domain(),
            closure_type=self.closure_type,
            custom_fields=UNSET if isinstance(self.customFields, UnsetType) else definitions(self.customFields),
            templates=UNSET if isinstance(self.templates, UnsetType) else templates(self.templates),
            observable_types=UNSET
            if isinstance(self.observableTypes, UnsetType)
            else observable_types(self.observableTypes),
        )


def definitions(sent: list[Definition]) -> tuple[CustomFieldDefinition, ...]:
    """Custom field definitions as the domain knows them."""
    kinds: dict[type[Any], Literal["text", "toggle", "number"]] = {
        TextDefinition: "text",
        ToggleDefinition: "toggle",
        NumberDefinition: "number",
    }
    return tuple(
        CustomFieldDefinition(each.key, each.label, kinds[type(each)], each.required, each.defaultValue)
        for each in sent
    )


def templates(sent: list[Template]) -> tuple[dict[str, Any], ...]:
    """Templates as sent: absent keys stay absent."""
    return tuple(msgspec.to_builtins(each) for each in sent)


def observable_types(sent: list[ObservableTypeShape]) -> tuple[ObservableType, ...]:
    """Additional observable types as the domain knows them."""
    return tuple(ObservableType(each.key, each.label) for each in sent)


class ConfigureQuery(Body):
    owner: list[str] | None = None


class CustomFieldDefinitionShape(Shape):
    key: str
    label: str
    type: Literal["text", "toggle", "number"]
    required: bool
    defaultValue: str | bool | int | UnsetType | None = UNSET


class ConfigurationShape(Shape):
    """A configuration (configure.md 1)."""

    id: str
    version: str
    owner: str
    closure_type: ClosureType
    connector: CaseConnectorShape
    customFields: list[CustomFieldDefinitionShape]
    templates: list[Template]
    observableTypes: list[ObservableTypeShape]
    mappings: list[MappingShape]
    error: str | None
    created_at: str
    created_by: User
    updated_at: str | None
    updated_by: User | None


def configuration_shape(stored: Configuration) -> ConfigurationShape:
    """The configuration as answered."""
    return ConfigurationShape(
        id=stored.id,
        version=version_text(stored.version),
        owner=stored.owner,
        closure_type=stored.closure_type,  # type: ignore[arg-type]
        connector=CaseConnectorShape.of(stored.connector),
        customFields=[
            CustomFieldDefinitionShape(
                key=each.key, label=each.label, type=each.type, required=each.required, defaultValue=each.default
            )
            for each in stored.custom_fields
        ],
        templates=msgspec.convert(stored.templates, list[Template]),
        observableTypes=[ObservableTypeShape(key=each.key, label=each.label) for each in stored.observable_types],
        mappings=_mappings(stored),
        error=None,
        created_at=time_text(stored.created_at),
        created_by=User.of(stored.created_by),
        updated_at=time_or_null(stored.updated_at),
        updated_by=User.of_maybe(stored.updated_by),
    )


def _mappings(stored: Configuration) -> list[MappingShape]:
    return [MappingShape(source=row.source, target=row.target, action_type=row.action_type) for row in stored.mappings]


# The 7.10 dialect


class OldServiceNowFields(Body):
    urgency: str | None = None
    severity: str | None = None
    impact: str | None = None


class OldJiraFields(Body):
    issueType: str | None = None
    priority: str | None = None
    parent: str | None = None


class OldResilientFields(Body):
    """Published as `issueTypes` and numbers, served as `incidentTypes` and text: both are taken."""

    incidentTypes: list[str | Int64] | UnsetType | None = UNSET
    issueTypes: list[str | Int64] | UnsetType | None = UNSET
    severityCode: str | Int64 | None = None


class _OldNamed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    id: str
    name: str


class OldNoConnector(_OldNamed, tag=".none"):
    fields: None

    def to_domain(self) -> CaseConnector:
        return CaseConnector(id=self.id, name=self.name, type=".none").normalised()


class OldJiraConnector(_OldNamed, tag=".jira"):
    fields: OldJiraFields | None

    def to_domain(self) -> CaseConnector:
        fields = None if self.fields is None else msgspec.to_builtins(self.fields)
        return CaseConnector(self.id, self.name, ".jira", fields)


class OldServiceNowConnector(_OldNamed, tag=".servicenow"):
    fields: OldServiceNowFields | None

    def to_domain(self) -> CaseConnector:
        if self.fields is None:
            return CaseConnector(self.id, self.name, ".servicenow")
        # Today's form of the object has two keys more; both dialects share one store.
        fields = {**msgspec.to_builtins(self.fields), "category": None, "subcategory": None}
        return CaseConnector(self.id, self.name, ".servicenow", fields)


class OldResilientConnector(_OldNamed, tag=".resilient"):
    fields: OldResilientFields | None

    def to_domain(self) -> CaseConnector:
        if self.fields is None:
            return CaseConnector(self.id, self.name, ".resilient")
        sent = self.fields
        if sent.incidentTypes is not UNSET and sent.issueTypes is not UNSET:
            raise InvalidInput("connector.fields", "send incidentTypes or issueTypes, not both.")
        types = sent.issueTypes if isinstance(sent.incidentTypes, UnsetType) else sent.incidentTypes
        listed = None if types is None or isinstance(types, UnsetType) else [str(each) for each in types]
        code = None if sent.severityCode is None else str(sent.severityCode)
        return CaseConnector(self.id, self.name, ".resilient", {"incidentTypes": listed, "severityCode": code})


OldConnector = OldNoConnector | OldJiraConnector | OldServiceNowConnector | OldResilientConnector


class OldCreateConfiguration(Body):
    """Body of `POST /7.10/api/cases/configure`: exactly these two."""

    connector: OldConnector
    closure_type: ClosureType


class OldUpdateConfiguration(Body):
    """Body of `PATCH /api/cases/configure`, the founding call."""

    version: str
    connector: OldConnector | UnsetType = UNSET
    closure_type: ClosureType | UnsetType = UNSET

    def to_domain(self) -> ConfigurationChanges:
        return ConfigurationChanges(
            connector=UNSET if isinstance(self.connector, UnsetType) else self.connector.to_domain(),
            closure_type=self.closure_type,
        )


class OldUser(Shape):
    email: str | None
    full_name: str | None
    username: str | None


class OldConfigurationShape(Shape):
    """The configuration as 7.10 and 7.11 knew it (dialect-7.10.md 3.1)."""

    connector: CaseConnectorShape
    closure_type: ClosureType
    created_at: str
    created_by: OldUser
    updated_at: str | None
    updated_by: OldUser | None
    mappings: list[MappingShape]
    error: str | None
    version: str


class NoConfiguration(Shape):
    """`{}`: there is no configuration yet."""


def old_configuration_shape(stored: Configuration) -> OldConfigurationShape:
    """The configuration as answered in the 7.10 dialect: no rows for tags, which did not exist then."""
    updated_by = stored.updated_by
    return OldConfigurationShape(
        connector=old_connector(stored.connector),
        closure_type=stored.closure_type,  # type: ignore[arg-type]
        created_at=time_text(stored.created_at),
        created_by=old_user(stored.created_by),
        updated_at=time_or_null(stored.updated_at),
        updated_by=None if updated_by is None else old_user(updated_by),
        mappings=[row for row in _mappings(stored) if row.source != "tags"],
        error=None,
        version=version_text(stored.version),
    )


def old_user(user: Any) -> OldUser:
    """A recorded user without the profile, which did not exist then."""
    return OldUser(email=user.email, full_name=user.full_name, username=user.username)


_OLD_FIELDS = {
    ".servicenow": ("urgency", "severity", "impact"),
    ".jira": ("issueType", "priority", "parent"),
    ".resilient": ("incidentTypes", "severityCode"),
}


def old_connector(connector: CaseConnector) -> CaseConnectorShape:
    """A connector with the fields its type had then; one of a newer type as it is."""
    fields = connector.fields
    if fields is not None and connector.type in _OLD_FIELDS:
        fields = {name: fields.get(name) for name in _OLD_FIELDS[connector.type]}
    return CaseConnectorShape(id=connector.id, name=connector.name, type=connector.type, fields=fields)
