"""ServiceNow SecOps: the table `sn_si_incident` and its observables (contract external/servicenow-sir.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from casebridge.connectors.base import Record
from casebridge.connectors.http import Effect
from casebridge.connectors.registry import register
from casebridge.connectors.servicenow_base import ServiceNowConnector
from casebridge.connectors.servicenow_shapes import SirIncident

TYPES = {"dest_ip": "ipv4-addr", "source_ip": "ipv4-addr", "malware_hash": "SHA256", "malware_url": "URL"}
"""Columns of observables, and what the application calls each kind."""
REMEMBERED_S = 24 * 3600.0


@register
class ServiceNowSir(ServiceNowConnector):
    """Security incidents. Their observables go into columns, or by a call of their own after the push."""

    type_id = ".servicenow-sir"
    label = "ServiceNow SecOps"
    supported_feature_ids = ("alerting", "cases", "siem")
    table = "sn_si_incident"
    application = "x_elas2_sir_int"
    import_table = "x_elas2_sir_int_elastic_si_incident"
    incident = SirIncident
    choice_tables = "name=task^ORname=sn_si_incident"

    def columns(self, fields: dict[str, Any]) -> dict[str, Any]:
        """With the Table API each list is one text; the import set is told nothing of them."""
        sent = super().columns({name: value for name, value in fields.items() if name not in TYPES})
        for name in TYPES:
            if not self._by_table:
                sent[name] = None
            elif fields.get(name) is not None:
                sent[name] = ",".join(_values(fields[name]))
        return sent

    def present(self, record: Record, names: Iterable[str]) -> dict[str, Any]:
        """A column of observables that holds nothing is an empty text with the Table API, as it is sent."""
        held = super().present(record, names)
        empty = "" if self._by_table else None
        return {name: empty if value is None and name in TYPES else value for name, value in held.items()}

    async def finish(self, external_id: str, fields: dict[str, Any]) -> None:
        """Hand over by one call the observables that this process has not sent before.

        Sending one again does no harm: the application links what it knows rather than copying it.
        """
        name, memory = f"observables {self._base} {external_id}", self._http.memory
        known = memory.get(name) or []
        observables = [each for each in observables_of(fields) if each not in known]
        if self._by_table or not observables:
            return
        doing = "add observables"
        where = f"incident/{self.segment(doing, external_id)}/observables/bulk"
        url = f"{self._base}/api/{self.application}/elastic_api/{where}"
        await self.check_application()
        answer = await self.call(doing, "POST", url, effect=Effect.OVERWRITES, payload=observables)
        self.key(doing, answer.value, "result")
        memory.put(name, [*known, *observables], REMEMBERED_S)


def observables_of(fields: dict[str, Any]) -> list[dict[str, str]]:
    """Every value once within its type, in the order of the columns."""
    found = {(value, type_): None for name, type_ in TYPES.items() for value in _values(fields.get(name))}
    return [{"value": value, "type": type_} for value, type_ in found]


def _values(given: str | list[str] | None) -> list[str]:
    """The parts of observables that came as text or as a list, each once."""
    texts = [given] if isinstance(given, str) else given or []
    return list(dict.fromkeys(part for text in texts for part in re.split(r"[ ,|\t\r\n]+", text) if part))
