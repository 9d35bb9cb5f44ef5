"""Who has to do with a case: participants, assignees now and before, the reporter (activity.md 2.5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from casebridge.domain.case import Case, distinct
from casebridge.domain.user import User
from casebridge.domain.user_action import UserAction

ASSIGNMENT_TYPES = ("create_case", "assignees")
"""Types of records that name assignees."""
UNKNOWN = "Unknown"
"""Under which records without a user name are grouped."""


class CaseUsers(msgspec.Struct, frozen=True):
    """The users of a case. Of who is known by profile uid alone, all names are None."""

    participants: tuple[User, ...]
    assignees: tuple[User, ...]
    unassigned: tuple[User, ...]
    reporter: User


def users_of(case: Case, participants: Iterable[User], assignments: Sequence[UserAction]) -> CaseUsers:
    """The users of a case.

    `participants` are the authors of its records, each once and as recorded last; `assignments` are its records of
    ASSIGNMENT_TYPES, oldest first.
    """
    present = sorted(participants, key=lambda user: user.username or UNKNOWN)
    ever = distinct(each["uid"] for record in assignments for each in record.payload["assignees"])
    there = {*case.assignees, case.created_by.profile_uid, *(user.profile_uid for user in present)}
    return CaseUsers(
        participants=tuple(present),
        assignees=_known_by_uid(case.assignees),
        unassigned=_known_by_uid(uid for uid in ever if uid not in there),
        reporter=case.created_by,
    )


def _known_by_uid(uids: Iterable[str]) -> tuple[User, ...]:
    return tuple(User(None, None, None, profile_uid=uid) for uid in uids)
