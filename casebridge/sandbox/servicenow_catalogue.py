"""The fixed parts of the simulated ServiceNow: tables, columns, choices, applications."""

from __future__ import annotations

from typing import NamedTuple

JOURNAL_FIELDS = ("work_notes", "comments")
TASK_COLUMNS = {
    "number": 40, "short_description": 160, "description": 4_000, "state": 40, "priority": 40, "category": 40,
    "subcategory": 40, "correlation_id": 100, "correlation_display": 100, "caller_id": 32, "opened_by": 32,
    "close_code": 40, "close_notes": 4_000, "u_affected_host": 100,
}  # fmt: skip


class Table(NamedTuple):
    """A table that records go to. `columns` maps a name to its length, `closed` names states that need close fields."""

    label: str
    prefix: str
    columns: dict[str, int]
    defaults: dict[str, str]
    closed: frozenset[str]


class Application(NamedTuple):
    """An application of the vendor's store: its scope, its import set and the table that it fills."""

    scope: str
    import_table: str
    table: str


TABLES = {
    "incident": Table(
        "Incident",
        "INC",
        {**TASK_COLUMNS, "severity": 40, "urgency": 40, "impact": 40},
        {"state": "1", "urgency": "3", "impact": "3", "severity": "3", "priority": "5", "category": "inquiry"},
        frozenset({"6", "7"}),
    ),
    "sn_si_incident": Table(
        "Security Incident",
        "SIR",
        {**TASK_COLUMNS, "dest_ip": 4_000, "source_ip": 4_000, "malware_hash": 4_000, "malware_url": 4_000},
        {"state": "10", "priority": "4"},
        frozenset({"3"}),
    ),
}

APPLICATIONS = (
    Application("x_elas2_inc_int", "x_elas2_inc_int_elastic_incident", "incident"),
    Application("x_elas2_sir_int", "x_elas2_sir_int_elastic_si_incident", "sn_si_incident"),
)

LABELS = {
    "short_description": "Short description", "description": "Description", "correlation_id": "Correlation ID",
    "correlation_display": "Correlation display", "close_notes": "Close notes", "u_affected_host": "Affected host",
}  # fmt: skip

_LEVELS = (("1", "1 - High"), ("2", "2 - Medium"), ("3", "3 - Low"))
_PRIORITIES = (("1", "1 - Critical"), ("2", "2 - High"), ("3", "3 - Moderate"), ("4", "4 - Low"), ("5", "5 - Planning"))

CHOICES: tuple[dict[str, str], ...] = tuple(
    {
        "name": name,
        "element": element,
        "value": value,
        "label": label,
        "dependent_value": dependent,
        "language": "en",
        "sys_id": f"{name}-{element}-{value}",
    }
    for name, element, value, label, dependent in (
        *(("incident", element, *level, "") for element in ("urgency", "impact", "severity") for level in _LEVELS),
        *(("task", "priority", *level, "") for level in _PRIORITIES),
        ("incident", "category", "inquiry", "Inquiry / Help", ""),
        ("incident", "category", "software", "Software", ""),
        ("incident", "category", "network", "Network", ""),
        ("incident", "subcategory", "os", "Operating System", "software"),
        ("incident", "subcategory", "dns", "DNS", "network"),
        ("incident", "subcategory", "vpn", "VPN", "network"),
        ("sn_si_incident", "category", "Denial of Service", "Denial of Service", ""),
        ("sn_si_incident", "category", "Malicious code activity", "Malicious code activity", ""),
        ("sn_si_incident", "subcategory", "26", "Inbound DDoS", "Denial of Service"),
        ("sn_si_incident", "subcategory", "12", "Ransomware", "Malicious code activity"),
    )
)

DICTIONARY: tuple[dict[str, str], ...] = tuple(
    {
        "name": "task" if column in TASK_COLUMNS else table,
        "element": column,
        "column_label": LABELS.get(column, column.replace("_", " ").capitalize()),
        "max_length": str(length),
        "mandatory": "true" if column == "short_description" else "false",
        "internal_type": "reference" if column in ("caller_id", "opened_by") else "string",
        "sys_id": f"{table}-{column}",
    }
    for table, known in TABLES.items()
    for column, length in known.columns.items()
    if table == "incident" or column not in TASK_COLUMNS
)
