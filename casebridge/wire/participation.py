"""Users of a case on the wire (activity.md 2.5)."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from casebridge.domain.participation import CaseUsers
from casebridge.domain.user import User
from casebridge.wire.base import Shape


class NamesShape(Shape):
    """Three keys always, null when unknown."""

    username: str | None
    full_name: str | None
    email: str | None


class AvatarShape(Shape):
    initials: str | UnsetType = UNSET
    color: str | UnsetType = UNSET
    imageUrl: str | UnsetType = UNSET


class CaseUserShape(Shape):
    """A user; `uid` and `avatar` only when known."""

    user: NamesShape
    uid: str | UnsetType = UNSET
    avatar: AvatarShape | UnsetType = UNSET

    @classmethod
    def of(cls, user: User) -> CaseUserShape:
        return cls(
            user=NamesShape(username=user.username, full_name=user.full_name, email=user.email),
            uid=UNSET if user.profile_uid is None else user.profile_uid,
        )


class CaseUsersShape(Shape):
    """Who has to do with a case."""

    participants: list[CaseUserShape]
    assignees: list[CaseUserShape]
    unassignedUsers: list[CaseUserShape]
    reporter: CaseUserShape

    @classmethod
    def of(cls, users: CaseUsers) -> CaseUsersShape:
        return cls(
            participants=[CaseUserShape.of(user) for user in users.participants],
            assignees=[CaseUserShape.of(user) for user in users.assignees],
            unassignedUsers=[CaseUserShape.of(user) for user in users.unassigned],
            reporter=CaseUserShape.of(users.reporter),
        )
