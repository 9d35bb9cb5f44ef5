"""ServiceNow ITSM: the table `incident` (contract external/servicenow-itsm.md)."""

from __future__ import annotations

from typing import Any

import structlog

from casebridge.connectors.base import Record, SubAction, iso
from casebridge.connectors.http import Effect
from casebridge.connectors.registry import register
from casebridge.connectors.servicenow_base import ServiceNowConnector
from casebridge.connectors.servicenow_shapes import CloseIncident, ItsmIncident

CLOSED = "7"
_log = structlog.get_logger(__name__)


@register
class ServiceNow(ServiceNowConnector):
    """The incidents of ITSM, which can be closed from here too."""

    type_id = ".servicenow"
    label = "ServiceNow ITSM"
    supported_feature_ids = ("alerting", "cases", "uptime", "siem")
    table = "incident"
    application = "x_elas2_inc_int"
    import_table = "x_elas2_inc_int_elastic_incident"
    incident = ItsmIncident
    choice_tables = "name=task^ORname=incident"

    async def _close(self, params: CloseIncident) -> dict[str, Any] | None:
        """Close an incident; None, and a warning in the log, when there is none to close."""
        record = await self._to_close(params)
        if record is None:
            _log.warning("no incident to close", connector_type=self.type_id)
            return None
        if record.raw.get("state") != CLOSED:
            state = {"state": CLOSED, "close_code": "Closed/Resolved by Caller", "close_notes": "Closed by Caller"}
            sent = {self._column(name): value for name, value in state.items()}
            await self._write("close incident", record.external_id, sent, Effect.OVERWRITES)
            record = await self.read(record.external_id)
        return {
            "id": record.external_id,
            "title": record.title,
            "url": record.url,
            "pushedDate": iso(record.changed_at),
        }

    async def _to_close(self, params: CloseIncident) -> Record | None:
        """By its id, else the oldest with the correlation id."""
        doing, wanted = "close incident", params.incident
        record = None
        if (wanted.external_id or "").strip():
            record = await self._first(doing, str(wanted.external_id))
        if record is None and wanted.correlation_id:
            found = await self.find_correlated(wanted.correlation_id)
            record = await self._first(doing, found[0].external_id) if found else None
        return record

    sub_actions = {**ServiceNowConnector.sub_actions, "closeIncident": SubAction(CloseIncident, _close)}
