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


KIBANA = "kibana-.kibana"
"""The application whose privileges in the role descriptors of a key are ours; others mean nothing here."""

_SPACE_BASES = {"space_all": "all", "space_read": "read"}


def entry_of(privileges: Iterable[str], resources: Iterable[str]) -> RoleEntry | None:
    """What privileges of the application come to as an entry; None where no resource is a space.

    Privileges that are not known grant nothing, as with the other features of who wrote them.
    """
    spaces = tuple(each.removeprefix("space:") for each in resources if each == EVERYWHERE or each.startswith("space:"))
    base: list[str] = []
    feature: dict[str, list[str]] = {}
    for privilege in privileges:
        if privilege in BASES:
            base.append(privilege)
        elif privilege in _SPACE_BASES:
            for id_ in FEATURES:
                feature.setdefault(id_, []).append(_SPACE_BASES[privilege])
        elif privilege.startswith("feature_") and "." in privilege:
            id_, _, name = privilege.removeprefix("feature_").partition(".")
            feature.setdefault(id_, []).append(name)
    kept = {id_: tuple(names) for id_, names in feature.items()}
    return RoleEntry(spaces, tuple(base), kept) if spaces else None


def application_of(entry: RoleEntry) -> dict[str, object]:
    """The entry of a role as an application of a role descriptor: the other way round."""
    is_global = EVERYWHERE in entry.spaces
    names = [each if is_global else f"space_{each}" for each in entry.base]
    names += [f"feature_{id_}.{name}" for id_, privileges in entry.feature.items() for name in privileges]
    resources = [EVERYWHERE if space == EVERYWHERE else f"space:{space}" for space in entry.spaces]
    return {"application": KIBANA, "privileges": names, "resources": resources}
