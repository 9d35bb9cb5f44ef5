"""User actions on the wire (contract activity.md 1 and 2)."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from casebridge.domain.user_action import PSEUDO_TYPES, TYPES
from casebridge.wire.user_actions import (
    ListedUserAction,
    Type,
    TypeFilter,
    UserActionShape,
    UserActionsPage,
    UserActionsQuery,
)
from tests.builders import OMAR, a_user_action


def test_a_found_record_has_id_and_version():
    record = a_user_action("comment", "create", comment_id="c-1", payload={"comment": {"type": "user"}})

    read = msgspec.to_builtins(UserActionShape.of(record))

    assert isinstance(read.pop("version"), str)
    assert read == {
        "id": "action-1",
        "type": "comment",
        "action": "create",
        "payload": {"comment": {"type": "user"}},
        "created_at": "2024-05-17T08:03:59.120Z",
        "created_by": {"username": "dana", "full_name": "Dana Lee", "email": "dana@example.org"},
        "owner": "cases",
        "comment_id": "c-1",
    }


def test_a_listed_record_has_action_id_and_case_id_instead():
    read = msgspec.to_builtins(ListedUserAction.of(a_user_action(created_by=OMAR)))

    assert (read["action_id"], read["case_id"], read["comment_id"]) == ("action-1", "case-1", None)
    assert read["created_by"]["profile_uid"] == "u_omar_0"
    assert not {"id", "version"} & set(read)


def test_a_page_of_records_spells_its_size_in_camel_case():
    assert msgspec.to_builtins(UserActionsPage(userActions=[], page=1, perPage=20, total=0)) == {
        "userActions": [], "page": 1, "perPage": 20, "total": 0,
    }  # fmt: skip


def test_the_wire_knows_the_types_of_the_domain_and_four_more_to_filter_by():
    assert get_args(Type) == TYPES
    assert get_args(TypeFilter) == (*TYPES, *PSEUDO_TYPES)
    assert msgspec.convert({"types": ["user", "delete_case"]}, UserActionsQuery).types == ["user", "delete_case"]


@pytest.mark.parametrize(
    "query", [{"types": ["nope"]}, {"types": ["title", "Title"]}, {"search": "x"}, {"sortOrder": ""}]
)
def test_a_query_knows_only_the_documented_words(query: dict[str, object]):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(query, UserActionsQuery)
