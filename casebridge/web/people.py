"""People as pages show them: names of assignees, and who may be chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from casebridge.domain.errors import Forbidden
from casebridge.domain.profile import Profile
from casebridge.domain.user import User
from casebridge.services import profiles
from casebridge.web.routing import Visit

MOST_CHOICES = 500


class Person(msgspec.Struct, frozen=True):
    """Somebody who may be assigned."""

    uid: str
    name: str
    username: str


class People:
    """Who may be chosen, and names by the id that cases keep of an assignee."""

    def __init__(self, choices: Sequence[Profile] = (), others: Iterable[Profile] = ()) -> None:
        self.known = [Person(each.uid, _name(each), each.username) for each in choices]
        self.usernames = frozenset(each.username for each in (*others, *choices))
        self._names = {each.uid: _name(each) for each in (*others, *choices)}

    def name(self, uid: str) -> str:
        """What to call an assignee; the id itself for one who is not known."""
        return self._names.get(uid, uid)

    def names(self, uids: Iterable[str]) -> list[str]:
        """The same for several."""
        return [self.name(each) for each in uids]


def _name(profile: Profile) -> str:
    return profile.full_name or profile.username


async def load(visit: Visit, assigned: Iterable[str] = ()) -> People:
    """Whom the visitor may choose, and the names of who is assigned; nobody for who may not look people up."""
    try:
        choices, _ = await profiles.search(visit.ground, visit.asking, "", MOST_CHOICES)
    except Forbidden:
        choices = []
    missing = set(assigned) - {each.uid for each in choices}
    try:
        others = await profiles.get_many(visit.ground, visit.asking, sorted(missing)[:MOST_CHOICES]) if missing else []
    except Forbidden:
        others = []
    return People(choices, others)


def own_uid(user: User) -> str:
    """The id under which the visitor is assigned; empty without a profile."""
    return user.profile_uid or ""
