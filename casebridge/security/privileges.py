"""Who may do what: one question, operation x owner, asked by every service function.

What the caller's roles come to was worked out when the request came in (`security/features.py` has the table); here it
is only looked up, and a refusal is worded.
"""

from __future__ import annotations

from collections.abc import Iterable

from casebridge.domain.errors import Forbidden
from casebridge.domain.grants import NO_GRANTS, Rights
from casebridge.domain.space import OWNERS, Space
from casebridge.domain.user import SUPERUSER, Actor
from casebridge.security.features import SUPERUSER_GRANTS

_WORDS = {
    "getCase": "access case", "getComment": "access comments", "getTags": "access tags",
    "getReporters": "access reporters", "getUserActions": "access user actions",
    "findConfigurations": "find configurations", "createCase": "create case",
    "updateCase": "update case", "updateComment": "update comments", "pushCase": "push case",
    "createComment": "create comment", "deleteCase": "delete case", "deleteComment": "delete comments",
    "createFiles": "create files", "readFiles": "access files", "deleteFiles": "delete files",
    "createConfiguration": "create configuration", "updateConfiguration": "update configuration",
    "reopenCase": "reopen case", "assignCase": "assign case", "suggestUserProfiles": "suggest user profiles",
    "bulkGetUserProfiles": "get user profiles", "getConnectorsConfigure": "get configured connectors",
    "useConnectors": "get connectors", "executeConnectors": "execute connectors",
    "manageConnectors": "manage connectors", "manageSpaces": "manage spaces",
    "manageSecurity": "manage users, roles and keys",
}  # fmt: skip
"""Operation -> how a refusal spells it. The last five belong to no owner."""


def rights_in(actor: Actor, space: Space) -> Rights:
    """All that the actor may do in a space."""
    grants = actor.grants
    if grants is None:
        grants = SUPERUSER_GRANTS if SUPERUSER in actor.roles else NO_GRANTS
    return grants.rights(space)


def may_use(actor: Actor, space: Space) -> bool:
    """Whether anything at all was granted to the actor in a space."""
    return bool(rights_in(actor, space))


def allowed(actor: Actor, operation: str, owner: str | None, space: Space) -> bool:
    """Whether the actor may do `operation` on objects of `owner` in `space`.

    `owner` None: the operation belongs to no owner (connectors, spaces). An unknown owner is allowed to nobody.
    """
    if operation not in _WORDS:
        raise ValueError(f"unknown operation {operation!r}")
    return (operation, owner) in rights_in(actor, space)


def require(actor: Actor, operation: str, owners: str | Iterable[str] | None, space: Space) -> None:
    """Forbidden, naming the owners that lack it, unless the actor may do `operation` on all of them."""
    if owners is None:
        if not allowed(actor, operation, None, space):
            raise Forbidden(operation, what=_WORDS[operation], is_owned=False)
        return
    named = (owners,) if isinstance(owners, str) else tuple(dict.fromkeys(owners))
    lacking = [owner for owner in named if not allowed(actor, operation, owner, space)]
    if lacking:
        raise Forbidden(operation, lacking, what=_WORDS[operation])


def permitted_owners(actor: Actor, operation: str, space: Space, asked: Iterable[str] | None = None) -> tuple[str, ...]:
    """Owners on which the actor may do `operation`, narrowed to those asked for; may be empty then.

    Forbidden when there is none at all, whatever was asked for.
    """
    every = tuple(owner for owner in OWNERS if allowed(actor, operation, owner, space))
    if not every:
        raise Forbidden(operation, what=_WORDS[operation])
    return every if asked is None else tuple(owner for owner in every if owner in set(asked))
