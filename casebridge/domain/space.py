"""Spaces, and the owners every object belongs to."""

from __future__ import annotations

import re

import msgspec

from casebridge.domain.errors import InvalidInput

DEFAULT_SPACE_ID = "default"
SPACE_ID = re.compile(r"[a-z0-9_-]+")

SECURITY, OBSERVABILITY, GENERAL = "securitySolution", "observability", "cases"
OWNERS = (GENERAL, OBSERVABILITY, SECURITY)

APP_ROUTES = {
    SECURITY: "/app/security",
    OBSERVABILITY: "/app/observability",
    GENERAL: "/app/management/insightsAndAlerting",
}

FEATURE_STEMS = {GENERAL: "generalCases", OBSERVABILITY: "observabilityCases", SECURITY: "securitySolutionCases"}
"""Owner -> the id of its feature; the second and third version have V2 and V3 at the end."""


class Space(msgspec.Struct, frozen=True):
    """A space; optional texts are None when not given (access.md 5)."""

    id: str
    name: str
    description: str | None = None
    initials: str | None = None
    color: str | None = None
    image_url: str | None = None
    disabled_features: tuple[str, ...] = ()
    solution: str | None = None
    reserved: bool = False


DEFAULT_SPACE = Space(id=DEFAULT_SPACE_ID, name="Default", color="#00bfb3", reserved=True)


def check_space(space: Space) -> Space:
    """The same space, or InvalidInput naming the first key that breaks a rule of access.md 5."""
    if not SPACE_ID.fullmatch(space.id):
        raise InvalidInput("id", f"{space.id!r} may hold only lower-case letters, digits, _ and -.")
    if not space.name:
        raise InvalidInput("name", "must not be empty.")
    if space.initials is not None and len(space.initials) > 2:
        raise InvalidInput("initials", "at most 2 characters.")
    if space.color is not None and not re.fullmatch(r"#[a-zA-Z0-9]{6}", space.color):
        raise InvalidInput("color", "expected # and six letters or digits.")
    if space.image_url and not space.image_url.startswith("data:image"):
        raise InvalidInput("imageUrl", "must be empty or begin with data:image.")
    if len(space.disabled_features) > 100:
        raise InvalidInput("disabledFeatures", "at most 100 entries.")
    if space.solution not in (None, "es", "oblt", "security", "classic"):
        raise InvalidInput("solution", "expected one of es, oblt, security, classic.")
    return space


def is_available(owner: str, space: Space) -> bool:
    """Whether the feature of an owner is not disabled in a space, under any of its ids."""
    stem = FEATURE_STEMS[owner]
    return not any(f"{stem}{version}" in space.disabled_features for version in ("", "V2", "V3"))


def case_url(public_base_url: str, space_id: str, owner: str, case_id: str) -> str:
    """Address of the case's page (push.md 2.1): base, `/s/{space}` unless default, app route, `/cases/{id}`."""
    space = "" if space_id == DEFAULT_SPACE_ID else f"/s/{space_id}"
    return f"{public_base_url.rstrip('/')}{space}{APP_ROUTES[owner]}/cases/{case_id}"
