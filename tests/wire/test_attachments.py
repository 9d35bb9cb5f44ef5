"""User comments on the wire (contract attachments.md 1 to 3)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from casebridge.wire.attachments import ChangedAttachment, CommentsQuery, NewAttachment, attachment_shape
from tests.builders import DANA, OMAR, a_user_comment, later

NEW = {"type": "user", "owner": "cases", "comment": " called "}
CHANGED = {**NEW, "id": "comment-1", "version": "WzEsMV0="}


def test_a_comment_is_taken_untrimmed():
    assert msgspec.convert(NEW, NewAttachment).comment == " called "
    assert msgspec.convert(CHANGED, ChangedAttachment).version == "WzEsMV0="


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        *((NewAttachment, {key: value for key, value in NEW.items() if key != left}) for left in NEW),
        *((ChangedAttachment, {key: value for key, value in CHANGED.items() if key != left}) for left in CHANGED),
        (NewAttachment, {**NEW, "created_at": "2024-05-17T08:03:59.120Z"}),
        (NewAttachment, {**NEW, "id": "x"}),
        (NewAttachment, {**NEW, "comment": None}),
        (NewAttachment, {**NEW, "comment": 5}),
        (NewAttachment, {**NEW, "type": "User"}),
        (ChangedAttachment, {**CHANGED, "version": 1}),
        (ChangedAttachment, {**CHANGED, "pushed_at": None}),
    ],
)
def test_a_partial_body_an_unknown_key_or_another_kind_is_refused(type_: Any, body: dict[str, Any]):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, type_)


def test_a_fresh_comment_shows_what_was_sent_and_null_where_nothing_is():
    assert msgspec.to_builtins(attachment_shape(a_user_comment("called"))) == {
        "id": "comment-1",
        "version": "Wzc3LDFd",
        "type": "user",
        "owner": "cases",
        "comment": "called",
        "created_at": "2024-05-17T08:03:59.120Z",
        "created_by": {"username": "dana", "full_name": "Dana Lee", "email": "dana@example.org"},
        "updated_at": None,
        "updated_by": None,
        "pushed_at": None,
        "pushed_by": None,
    }


def test_an_edited_and_pushed_comment_says_by_whom():
    comment = a_user_comment(updated_at=later(1), updated_by=OMAR, pushed_at=later(2), pushed_by=DANA)

    read = msgspec.to_builtins(attachment_shape(comment))

    assert (read["updated_at"], read["pushed_at"]) == ("2024-05-17T08:04:00.120Z", "2024-05-17T08:04:01.120Z")
    assert read["updated_by"]["profile_uid"] == "u_omar_0"
    assert "profile_uid" not in read["pushed_by"]


def test_comments_are_listed_oldest_first_unless_asked_otherwise():
    query = msgspec.convert({}, CommentsQuery)

    assert (query.page, query.perPage, query.sortOrder) == (1, 20, "asc")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"sortField": "created_at"}, CommentsQuery)
