"""Who works in the scene, and how the team has set its cases up."""

from __future__ import annotations

from typing import Any

from casebridge.domain.configuration import ObservableType
from casebridge.domain.custom_field import CustomFieldDefinition

PEOPLE = (
    ("amara", "Amara Okafor"), ("bjorn", "Björn Lund"), ("chiara", "Chiara Rossi"), ("farid", "Farid Haddad"),
    ("grace", "Grace Kim"), ("hugo", "Hugo Lefèvre"), ("ines", "Inês Duarte"), ("keiko", "Keiko Tanaka"),
)  # fmt: skip
"""User names and full names."""

FIELDS = (
    CustomFieldDefinition("affected-asset", "Affected asset", "text", required=False),
    CustomFieldDefinition("hosts", "Hosts affected", "number", required=False, default=1),
    CustomFieldDefinition("notifiable", "Notifiable breach", "toggle", required=True, default=False),
)
KINDS = (ObservableType("user-account", "User account"),)


_VALUES = [
    {"key": "affected-asset", "type": "text", "value": None},
    {"key": "hosts", "type": "number", "value": 1},
    {"key": "notifiable", "type": "toggle", "value": False},
]


def _template(key: str, name: str, about: str, **fields: Any) -> dict[str, Any]:
    return {
        "key": key,
        "name": name,
        "description": about,
        "tags": ["playbook"],
        "caseFields": {**fields, "customFields": _VALUES},
    }


TEMPLATES = (
    _template(
        "phishing", "Phishing report", "A mail that somebody reported.", title="Phishing: ", category="Phishing",
        severity="medium", tags=["email"],
        description="**Reported by**\n\n**Subject and sender**\n\n- [ ] Headers saved\n- [ ] Link detonated\n"
        "- [ ] Who else got it\n- [ ] Sender blocked",
    ),
    _template(
        "account", "Account takeover", "A sign-in that was not the user.", title="Account takeover: ",
        category="Account takeover", severity="high", tags=["identity"],
        description="- [ ] Sessions revoked\n- [ ] Password and second factor reset\n- [ ] Mailbox rules checked",
    ),
    _template(
        "malware", "Malware on a host", "The endpoint agent found something.", title="Malware: ", category="Malware",
        severity="high", tags=["endpoint"],
        description="- [ ] Host isolated\n- [ ] Memory image\n- [ ] Hash looked up\n- [ ] Other hosts searched",
    ),
)  # fmt: skip
