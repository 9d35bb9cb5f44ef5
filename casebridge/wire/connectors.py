"""Connectors on the wire: in the actions API (snake_case), its 7.x names and the case configuration (camelCase);
and the connector object a case or configuration carries."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from casebridge.domain.connector import CaseConnector
from casebridge.domain.connector import Connector as DomainConnector
from casebridge.wire.base import Body, Shape

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
NumericText = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$(?!\n)")]


class JiraFields(Body):
    """Fields of a case for `.jira` (connectors.md 5a)."""

    issueType: str | None
    priority: str | None
    parent: str | None
    otherFields: str | UnsetType | None = UNSET


class ServiceNowFields(Body):
    """Fields of a case for `.servicenow`."""

    severity: str | None
    urgency: str | None
    impact: str | None
    category: str | None
    subcategory: str | None
    additionalFields: str | UnsetType | None = UNSET


class ServiceNowSirFields(Body):
    """Fields of a case for `.servicenow-sir`."""

    category: str | None
    subcategory: str | None
    priority: str | None
    destIp: bool | None
    sourceIp: bool | None
    malwareHash: bool | None
    malwareUrl: bool | None
    additionalFields: str | UnsetType | None = UNSET


class ResilientFields(Body):
    """Fields of a case for `.resilient`."""

    incidentTypes: list[str] | None
    severityCode: str | None
    additionalFields: str | UnsetType | None = UNSET


class SwimlaneFields(Body):
    """Fields of a case for `.swimlane`."""

    caseId: str | None


class TheHiveFields(Body):
    """Fields of a case for `.thehive`; a numeric text is tolerated."""

    tlp: Int64 | float | NumericText | None


class _Named(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    id: str
    name: str

    def to_domain(self) -> CaseConnector:
        """The connector as cases and configurations keep it; `fields` as sent."""
        sent = msgspec.to_builtins(self)
        return CaseConnector(id=self.id, name=self.name, type=sent["type"], fields=sent["fields"])


class NoConnector(_Named, tag=".none"):
    fields: None


class JiraConnector(_Named, tag=".jira"):
    fields: JiraFields | None


class ServiceNowConnector(_Named, tag=".servicenow"):
    fields: ServiceNowFields | None


class ServiceNowSirConnector(_Named, tag=".servicenow-sir"):
    fields: ServiceNowSirFields | None


class ResilientConnector(_Named, tag=".resilient"):
    fields: ResilientFields | None


class SwimlaneConnector(_Named, tag=".swimlane"):
    fields: SwimlaneFields | None


class WebhookConnector(_Named, tag=".cases-webhook"):
    fields: None


class TheHiveConnector(_Named, tag=".thehive"):
    fields: TheHiveFields | None


SentConnector = (
    NoConnector
    | JiraConnector
    | ServiceNowConnector
    | ServiceNowSirConnector
    | ResilientConnector
    | SwimlaneConnector
    | WebhookConnector
    | TheHiveConnector
)
"""The connector of a request: all four keys, `fields` null or exactly the type's object."""


class CaseConnectorShape(Shape):
    """The connector of an answer; `fields` as sent."""

    id: str
    name: str
    type: str
    fields: dict[str, Any] | None

    @classmethod
    def of(cls, connector: CaseConnector) -> CaseConnectorShape:
        return cls(id=connector.id, name=connector.name, type=connector.type, fields=connector.fields)


class MappingShape(Shape):
    """One row of `mappings`."""

    source: str
    target: str
    action_type: str


class CreateConnector(Body):
    name: str
    connector_type_id: str
    config: dict[str, Any] = {}
    secrets: dict[str, Any] = {}


class UpdateConnector(Body):
    name: str
    config: dict[str, Any] = {}
    secrets: dict[str, Any] = {}


class LegacyCreateConnector(Body):
    name: str
    actionTypeId: str
    config: dict[str, Any] = {}
    secrets: dict[str, Any] = {}


class ExecuteParams(Body):
    subAction: str
    subActionParams: dict[str, Any] = {}


class Execute(Body):
    """Body of `_execute`. What is inside `params` is judged by the connector: a fault there is no 400."""

    params: dict[str, Any]


class ConnectorShape(Shape):
    """A connector in the actions API (connectors.md 1)."""

    id: str
    name: str
    connector_type_id: str
    is_preconfigured: bool
    is_deprecated: bool
    is_system_action: bool = False
    is_connector_type_deprecated: bool = False
    config: dict[str, Any] | UnsetType = UNSET
    is_missing_secrets: bool | UnsetType = UNSET
    referenced_by_count: int | UnsetType = UNSET

    @classmethod
    def of(cls, connector: DomainConnector, references: int | UnsetType = UNSET) -> ConnectorShape:
        return cls(
            id=connector.id,
            name=connector.name,
            connector_type_id=connector.type,
            config=_shown_config(connector),
            is_preconfigured=connector.is_preconfigured,
            is_deprecated=connector.is_deprecated,
            is_missing_secrets=UNSET if connector.is_preconfigured else connector.is_missing_secrets,
            referenced_by_count=references,
        )


class LegacyConnectorShape(Shape):
    """A connector under its 7.x names (connectors.md 8)."""

    id: str
    name: str
    actionTypeId: str
    isPreconfigured: bool
    isDeprecated: bool
    config: dict[str, Any] | UnsetType = UNSET
    isMissingSecrets: bool | UnsetType = UNSET
    referencedByCount: int | UnsetType = UNSET

    @classmethod
    def of(cls, connector: DomainConnector, references: int | UnsetType = UNSET) -> LegacyConnectorShape:
        return cls(
            id=connector.id,
            name=connector.name,
            actionTypeId=connector.type,
            config=_shown_config(connector),
            isPreconfigured=connector.is_preconfigured,
            isDeprecated=connector.is_deprecated,
            isMissingSecrets=UNSET if connector.is_preconfigured else connector.is_missing_secrets,
            referencedByCount=references,
        )


class ConfigureConnectorShape(Shape):
    """A connector as `configure/connectors/_find` lists it (configure.md 5)."""

    id: str
    actionTypeId: str
    name: str
    isPreconfigured: bool
    isDeprecated: bool
    isSystemAction: bool = False
    referencedByCount: int = 0
    config: dict[str, Any] | UnsetType = UNSET
    isMissingSecrets: bool | UnsetType = UNSET

    @classmethod
    def of(cls, connector: DomainConnector, references: int) -> ConfigureConnectorShape:
        return cls(
            id=connector.id,
            actionTypeId=connector.type,
            name=connector.name,
            config=UNSET if connector.is_preconfigured else connector.config,
            isPreconfigured=connector.is_preconfigured,
            isDeprecated=connector.is_deprecated,
            isMissingSecrets=UNSET if connector.is_preconfigured else connector.is_missing_secrets,
            referencedByCount=references,
        )


class OldConfigureConnectorShape(Shape):
    """The same list in the 7.10 dialect: these keys and no others (dialect-7.10.md 3.5)."""

    id: str
    actionTypeId: str
    name: str
    isPreconfigured: bool
    referencedByCount: int
    config: dict[str, Any] | UnsetType = UNSET

    @classmethod
    def of(cls, connector: DomainConnector, references: int) -> OldConfigureConnectorShape:
        return cls(
            id=connector.id,
            actionTypeId=connector.type,
            name=connector.name,
            config=UNSET if connector.is_preconfigured else connector.config,
            isPreconfigured=connector.is_preconfigured,
            referencedByCount=references,
        )


class ConnectorTypeShape(Shape):
    """A connector type (connectors.md 4)."""

    id: str
    name: str
    enabled: bool
    enabled_in_config: bool
    enabled_in_license: bool
    minimum_license_required: str
    supported_feature_ids: list[str]
    is_system_action_type: bool = False


class LegacyConnectorTypeShape(Shape):
    """The same under its 7.x names."""

    id: str
    name: str
    enabled: bool
    enabledInConfig: bool
    enabledInLicense: bool
    minimumLicenseRequired: str
    supportedFeatureIds: list[str]


class ExecuteResult(Shape):
    """What `_execute` answers, with HTTP 200 once the connector was found (connectors.md 6)."""

    status: str
    connector_id: str
    data: Any | UnsetType = UNSET
    message: str | UnsetType = UNSET
    service_message: str | UnsetType = UNSET
    retry: bool | str | UnsetType = UNSET
    errorSource: str | UnsetType = UNSET


class LegacyExecuteResult(Shape):
    """The same under its 7.x names."""

    status: str
    actionId: str
    data: Any | UnsetType = UNSET
    message: str | UnsetType = UNSET
    serviceMessage: str | UnsetType = UNSET
    retry: bool | str | UnsetType = UNSET


def _shown_config(connector: DomainConnector) -> dict[str, Any] | UnsetType:
    hidden = connector.is_preconfigured and not connector.expose_config
    return UNSET if hidden else connector.config
