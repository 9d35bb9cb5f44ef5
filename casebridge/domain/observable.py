"""Observables: the built-in types (cases.md 7)."""

from __future__ import annotations

BUILT_IN_TYPES = {
    "observable-type-ipv4": "IPv4",
    "observable-type-ipv6": "IPv6",
    "observable-type-url": "URL",
    "observable-type-hostname": "Hostname",
    "observable-type-file-hash": "File hash",
    "observable-type-file-path": "File path",
    "observable-type-email": "Email",
    "observable-type-domain": "Domain",
}
"""`typeKey` -> label of the types every owner has."""
