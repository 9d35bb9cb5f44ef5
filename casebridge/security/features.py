"""The privilege table: what each privilege of each feature grants (access.md 2 and 3, connectors.md 9).

Features are known under three ids per owner; the older two are still accepted in roles. Route tags are operations like
any other: whoever has a tag through a feature has it as the right of that feature's owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from casebridge.domain.grants import EVERYWHERE, Grants, Layer, Right, Rights
from casebridge.domain.role import Role, RoleEntry
from casebridge.domain.space import FEATURE_STEMS, OWNERS
from casebridge.domain.user import SUPERUSER

READ = (
    "getCase", "getComment", "getTags", "getReporters", "getUserActions", "findConfigurations",
)  # fmt: skip
CREATE, UPDATE, PUSH = ("createCase",), ("updateCase", "updateComment"), ("pushCase",)
COMMENT, DELETE = ("createComment",), ("deleteCase", "deleteComment")
SETTINGS, REOPEN, ASSIGN = ("createConfiguration", "updateConfiguration"), ("reopenCase",), ("assignCase",)

# Route tags: of every primary privilege, and of two switches.
ANY_TAGS = ("suggestUserProfiles", "bulkGetUserProfiles", "getConnectorsConfigure", "readFiles")
COMMENT_TAGS, DELETE_TAGS = ("createFiles",), ("deleteFiles",)

OWNED_OPERATIONS = (
    *READ, *CREATE, *UPDATE, *PUSH, *COMMENT, *DELETE, *SETTINGS, *REOPEN, *ASSIGN,
    *ANY_TAGS, *COMMENT_TAGS, *DELETE_TAGS,
)  # fmt: skip

CONNECTORS_READ = ("useConnectors", "executeConnectors")
CONNECTORS_ALL = (*CONNECTORS_READ, "manageConnectors")
ACTIONS = "actions"

MANAGE_SPACES, MANAGE_SECURITY = "manageSpaces", "manageSecurity"
OPERATIONS = frozenset({*OWNED_OPERATIONS, *CONNECTORS_ALL, MANAGE_SPACES, MANAGE_SECURITY})

_BASIC = (*READ, *ANY_TAGS)
_SWITCHES = {
    "cases_delete": (*DELETE, *DELETE_TAGS),
    "cases_settings": SETTINGS,
    "create_comment": (*COMMENT, *COMMENT_TAGS),
    "case_reopen": REOPEN,
    "cases_assign": ASSIGN,
}
_VERSIONS = {"": 2, "V2": 4, "V3": 5}
"""Version -> how many of the switches it has; what the others grant is part of its `minimal_all`."""


def _privileges(owner: str, switch_count: int) -> dict[str, Rights]:
    names = list(_SWITCHES)
    switches = {name: _owned(owner, _SWITCHES[name]) for name in names[:switch_count]}
    fixed = [operation for name in names[switch_count:] for operation in _SWITCHES[name]]
    read = _owned(owner, _BASIC)
    minimal_all = read | _owned(owner, [*CREATE, *UPDATE, *PUSH, *fixed])
    return {
        "all": minimal_all.union(*switches.values()),
        "read": read,
        "minimal_all": minimal_all,
        "minimal_read": read,
        **switches,
    }


def _owned(owner: str | None, operations: Iterable[str]) -> Rights:
    return frozenset((operation, owner) for operation in operations)


FEATURES: Mapping[str, Mapping[str, Rights]] = {
    **{
        f"{FEATURE_STEMS[owner]}{version}": _privileges(owner, switch_count)
        for owner in OWNERS
        for version, switch_count in _VERSIONS.items()
    },
    ACTIONS: {
        name: _owned(None, CONNECTORS_ALL if name.endswith("all") else CONNECTORS_READ)
        for name in ("all", "read", "minimal_all", "minimal_read")
    },
}
"""Feature id -> privilege id -> what it grants."""

BASES: Mapping[str, Rights] = {
    name: frozenset[Right]().union(*(feature[name] for feature in FEATURES.values())) for name in ("all", "read")
}
"""Base privilege -> what it grants: every feature's privilege of that name."""

_GLOBAL = frozenset({(MANAGE_SPACES, None)})
EVERYTHING = BASES["all"] | _GLOBAL | {(MANAGE_SECURITY, None)}
SUPERUSER_GRANTS = Grants(Layer({EVERYWHERE: EVERYTHING}))


def entry_rights(entry: RoleEntry) -> Rights:
    """What an entry grants in each of its spaces; feature and privilege ids that are not known grant nothing."""
    rights = frozenset[Right]().union(*(BASES.get(each, frozenset()) for each in entry.base))
    for feature, privileges in entry.feature.items():
        known = FEATURES.get(feature, {})
        rights = rights.union(*(known.get(each, frozenset()) for each in privileges))
    if "all" in entry.base and EVERYWHERE in entry.spaces:
        rights |= _GLOBAL
    return rights


def layer_of(entries: Iterable[RoleEntry], *, is_superuser: bool = False) -> Layer:
    """The sum of the entries of any number of roles."""
    parts = [(entry.spaces, entry_rights(entry)) for entry in entries]
    return Layer.of([*parts, ((EVERYWHERE,), EVERYTHING)] if is_superuser else parts)


def grants_of(names: Iterable[str], roles: Iterable[Role]) -> Grants:
    """What a user with roles of these names may do, of which `roles` are those that exist."""
    if SUPERUSER in names:
        return SUPERUSER_GRANTS
    return Grants(layer_of(entry for role in roles for entry in role.entries))
