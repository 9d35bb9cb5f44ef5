"""`/api/cases/{case_id}/comments` with comments of type `user` (contract attachments.md 1 to 3)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from casebridge.domain.user import Account
from casebridge.services.ground import Ground
from casebridge.storage import accounts
from casebridge.storage.session import Database
from tests.api.calls import (
    ADMIN,
    CASES,
    Clock,
    activity,
    changed,
    commented,
    fetched,
    message_of,
    number_of,
    opened,
    patch,
    set_actions,
    trail,
    with_space,
    without,
)

AT, LATER = "2024-05-17T08:03:59.120Z", "2024-05-17T08:04:01.619Z"
ONE_DATABASE = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)
"""For what is decided before the store is asked."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ground(ground: Ground, clock: Clock) -> Ground:
    return msgspec.structs.replace(ground, now=clock)


def comments_of(case: dict[str, Any]) -> str:
    return f"{CASES}/{case['id']}/comments"


def a_comment(**given: Any) -> dict[str, Any]:
    return {"type": "user", "owner": "cases", "comment": "called the site"} | given


async def edit(client: Any, case: dict[str, Any], stored: dict[str, Any], **given: Any) -> Any:
    """The answer to a PATCH of a comment, at the version given."""
    body = a_comment(id=stored["id"], version=stored["version"], comment="second thoughts") | given
    return await client.patch(comments_of(case), json=body)


class TestAdding:
    async def test_the_answer_is_the_whole_case_with_all_its_comments(self, client: Any, clock: Clock) -> None:
        case = await opened(client)
        await client.post(comments_of(case), json=a_comment(comment="first"))
        clock.forward(2.499)
        answer = await client.post(comments_of(case), json=a_comment(comment="second"))
        assert answer.status_code == 200
        after = answer.json()
        first, second = after["comments"]
        assert without(second, "id", "version") == {
            "type": "user",
            "owner": "cases",
            "comment": "second",
            "created_at": LATER,
            "created_by": ADMIN,
            "updated_at": None,
            "updated_by": None,
            "pushed_at": None,
            "pushed_by": None,
        }
        assert (first["comment"], first["created_at"]) == ("first", AT)
        assert after["totalComment"] == 2
        assert (after["updated_at"], after["updated_by"]) == (LATER, ADMIN)
        touched = ("comments", "totalComment", "updated_at", "updated_by", "version")
        assert without(after, *touched) == without(case, *touched)
        assert await fetched(client, case) == without(after, "comments")

    async def test_the_untrimmed_text_is_stored(self, client: Any) -> None:
        text = " \n kept as sent\x1f\t "
        case = await commented(client, await opened(client), text)
        assert case["comments"][0]["comment"] == text
        assert (await trail(client, case))[0] == ("comment", "create", {"comment": a_comment(comment=text)})

    async def test_a_comment_makes_the_case_newer(self, client: Any) -> None:
        case = await opened(client)
        after = await commented(client, case)
        assert number_of(after["version"]) > number_of(case["version"])
        message_of(await patch(client, case, title="Stale"), 409)
        assert (await changed(client, after, title="Fresh"))["totalComment"] == 1

    async def test_a_closed_case_takes_comments(self, client: Any) -> None:
        case = await changed(client, await opened(client), status="closed")
        after = await commented(client, case)
        assert (after["totalComment"], after["status"], after["closed_at"]) == (1, "closed", AT)

    async def test_the_record_holds_the_request_alone(self, client: Any) -> None:
        case = await commented(client, await opened(client), "hello")
        record = (await activity(client, case))[-1]
        assert record["comment_id"] == case["comments"][0]["id"]
        assert record["payload"] == {"comment": a_comment(comment="hello")}

    @pytest.mark.parametrize("text", ["x", "x" * 30_000, " " * 10 + "x" * 30_000 + "\n"])
    async def test_a_text_within_its_limits_is_taken(self, client: Any, text: str) -> None:
        case = await commented(client, await opened(client), text)
        assert case["comments"][0]["comment"] == text

    @pytest.mark.parametrize("text", ["", " ", "\n\t\u3000", "x" * 30_001])
    @ONE_DATABASE
    async def test_an_empty_or_too_long_text_is_refused(self, client: Any, text: str) -> None:
        case = await opened(client)
        message = message_of(await client.post(comments_of(case), json=a_comment(comment=text)), 400)
        assert "comment" in message
        assert "30000" in message or not text.strip()
        assert await fetched(client, case) == without(case, "comments")

    @pytest.mark.parametrize(
        "body",
        [
            without(a_comment(), "type"),
            without(a_comment(), "owner"),
            without(a_comment(), "comment"),
            a_comment(comment=None),
            a_comment(comment=5),
            a_comment(owner=None),
            a_comment(owner=["cases"]),
            a_comment(type="User"),
            a_comment(type=None),
            a_comment(id="mine"),
            a_comment(created_at=AT),
            a_comment(alertId="a"),
            {
                "type": "alert",
                "owner": "cases",
                "alertId": "a",
                "index": ["i", "j"],
                "rule": {"id": None, "name": None},
            },
            [],
            [a_comment()],
            None,
        ],
        ids=str,
    )
    @ONE_DATABASE
    async def test_any_other_shape_is_refused_before_the_case_is_looked_up(self, client: Any, body: Any) -> None:
        for id_ in ((await opened(client))["id"], "unknown"):
            message_of(await client.post(f"{CASES}/{id_}/comments", json=body), 400)

    async def test_an_unknown_case_is_404_by_name(self, client: Any) -> None:
        message = message_of(await client.post(f"{CASES}/nope/comments", json=a_comment()), 404)
        assert "[cases/nope]" in message

    async def test_a_case_of_another_space_is_unknown(self, client: Any) -> None:
        case = await opened(client, await with_space(client, "ops"))
        message_of(await client.post(comments_of(case), json=a_comment()), 404)

    async def test_permission_for_the_owner_of_the_body_is_checked_before_the_case(self, client: Any) -> None:
        case = await opened(client)
        message_of(await client.post(f"{CASES}/nope/comments", json=a_comment(owner="nobody")), 403)
        message_of(await client.post(comments_of(case), json=a_comment(owner="nobody")), 403)
        space = await with_space(client, "ops", "observabilityCases")
        message_of(await client.post(f"{space}{CASES}/nope/comments", json=a_comment(owner="observability")), 403)

    async def test_another_owner_than_that_of_the_case_is_400(self, client: Any) -> None:
        case = await opened(client)
        assert "owner" in message_of(await client.post(comments_of(case), json=a_comment(owner="observability")), 400)

    async def test_at_ten_thousand_records_no_comment_is_taken(self, client: Any, database: Database) -> None:
        case = await opened(client)
        await set_actions(database, case, 9_999)
        await commented(client, case)
        message = message_of(await client.post(comments_of(case), json=a_comment()), 400)
        assert case["id"] in message
        assert "10000" in message
        message_of(await client.post(comments_of(case), json=a_comment(owner="nobody")), 400)
        assert (await fetched(client, case))["totalComment"] == 1

    async def test_thirty_comments_at_once_are_all_there(self, client: Any) -> None:
        case = await opened(client)
        texts = [str(number) for number in range(30)]
        answers = await asyncio.gather(*(commented(client, case, text) for text in texts))
        after = (await client.get(f"{CASES}/{case['id']}", params={"includeComments": "true"})).json()
        assert sorted(each["comment"] for each in after["comments"]) == sorted(texts)
        assert after["totalComment"] == 30
        for answer in answers:
            assert answer["totalComment"] == len(answer["comments"])
        records = await activity(client, case)
        assert [each["type"] for each in records] == ["create_case"] + ["comment"] * 30
        assert [each["comment_id"] for each in records[1:]] == [each["id"] for each in after["comments"]]
        assert len({each["version"] for each in records}) == 31
        assert len({each["version"] for each in after["comments"]}) == 30


class TestEditing:
    async def test_the_answer_is_the_whole_case_with_the_new_text(self, client: Any, clock: Clock) -> None:
        case = await commented(client, await commented(client, await opened(client), "first"), "second")
        first, second = case["comments"]
        clock.forward(2.499)
        answer = await edit(client, case, first)
        after = answer.json()
        assert answer.status_code == 200
        edited = after["comments"][0]
        assert number_of(edited["version"]) > number_of(first["version"])
        assert without(edited, "version") == without(first, "version") | {
            "comment": "second thoughts",
            "updated_at": LATER,
            "updated_by": ADMIN,
        }
        assert after["comments"][1] == second
        assert (after["totalComment"], after["updated_at"], after["updated_by"]) == (2, LATER, ADMIN)
        assert number_of(after["version"]) > number_of(case["version"])
        assert (await trail(client, case))[-1] == (
            "comment",
            "update",
            {"comment": a_comment(comment="second thoughts")},
        )
        assert (await activity(client, case))[-1]["comment_id"] == first["id"]

    async def test_earlier_records_keep_the_earlier_text(self, client: Any) -> None:
        case = await commented(client, await opened(client), "first")
        await edit(client, case, case["comments"][0])
        texts = [payload["comment"]["comment"] for _, _, payload in await trail(client, case)]
        assert texts == ["first", "second thoughts"]

    async def test_a_newer_case_does_not_matter_but_a_newer_comment_does(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        (comment,) = case["comments"]
        await changed(client, case, title="Newer")
        assert (await edit(client, case, comment)).status_code == 200
        message = message_of(await edit(client, case, comment, comment="stale"), 409)
        assert comment["id"] in message

    @pytest.mark.parametrize("version", ["", "x", "WzEsMV0"])
    async def test_a_garbage_version_is_only_unequal(self, client: Any, version: str) -> None:
        case = await commented(client, await opened(client))
        message_of(await edit(client, case, case["comments"][0], version=version), 409)

    @pytest.mark.parametrize(
        "given",
        [
            {"version": None},
            {"version": 1},
            {"id": None},
            {"comment": ""},
            {"comment": " "},
            {"comment": "x" * 30_001},
            {"comment": None},
            {"owner": None},
            {"type": "alert"},
            {"type": None},
            {"created_at": AT},
            {"pushed_at": None},
        ],
        ids=lambda given: str(given)[:50],
    )
    @ONE_DATABASE
    async def test_any_other_shape_is_refused_before_the_comment_is_looked_up(self, client: Any, given: Any) -> None:
        case = await commented(client, await opened(client))
        (comment,) = case["comments"]
        message_of(await edit(client, case, comment, **given), 400)
        message_of(await edit(client, {"id": "nope"}, {"id": "nope", "version": "x"}, **given), 400)

    @pytest.mark.parametrize("key", ["id", "version", "type", "owner", "comment"])
    @ONE_DATABASE
    async def test_a_partial_body_is_refused(self, client: Any, key: str) -> None:
        body = without(a_comment(id="x", version="y"), key)
        message_of(await client.patch(f"{CASES}/nope/comments", json=body), 400)

    async def test_an_unknown_comment_is_404_by_name(self, client: Any) -> None:
        case = await opened(client)
        for owner in ("cases", "nobody"):
            message = message_of(await edit(client, case, {"id": "nope", "version": "x"}, owner=owner), 404)
            assert "[cases-comments/nope]" in message

    async def test_a_known_comment_of_an_unknown_case_is_404(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        message = message_of(await edit(client, {"id": "nope"}, case["comments"][0], owner="observability"), 404)
        assert "[cases/nope]" in message

    @pytest.mark.parametrize("owner", ["observability", "nobody"])
    async def test_the_owner_cannot_change(self, client: Any, owner: str) -> None:
        case = await commented(client, await opened(client))
        message_of(await edit(client, case, case["comments"][0], owner=owner, version="stale"), 400)

    async def test_a_comment_of_another_case_is_404_before_409(self, client: Any) -> None:
        case, other = await commented(client, await opened(client)), await opened(client)
        message_of(await edit(client, other, case["comments"][0], owner="observability"), 400)
        message = message_of(await edit(client, other, case["comments"][0], version="stale"), 404)
        assert case["comments"][0]["id"] in message

    async def test_at_ten_thousand_records_no_edit_is_taken(self, client: Any, database: Database) -> None:
        case = await commented(client, await opened(client))
        await set_actions(database, case, 10_000)
        message = message_of(await edit(client, case, case["comments"][0]), 400)
        assert case["id"] in message
        message_of(await edit(client, case, {"id": "nope", "version": "x"}), 400)

    async def test_two_editors_with_one_version_at_most_one_wins(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        (comment,) = case["comments"]
        answers = await asyncio.gather(*(edit(client, case, comment, comment=str(n)) for n in range(4)))
        assert sorted(each.status_code for each in answers) == [200, 409, 409, 409]
        assert len(await activity(client, case)) == 3

    async def test_editors_of_different_comments_do_not_disturb_each_other(self, client: Any) -> None:
        case = await opened(client)
        for number in range(5):
            case = await commented(client, case, str(number))
        answers = await asyncio.gather(
            *(edit(client, case, each, comment=each["comment"] + "!") for each in case["comments"])
        )
        assert [each.status_code for each in answers] == [200] * 5
        after = (await client.get(comments_of(case))).json()
        assert [each["comment"] for each in after] == ["0!", "1!", "2!", "3!", "4!"]


class TestReading:
    async def test_one_comment_reads_as_in_its_case(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        (comment,) = case["comments"]
        assert (await client.get(f"{comments_of(case)}/{comment['id']}")).json() == comment

    async def test_an_unknown_comment_or_one_of_another_case_is_404(self, client: Any) -> None:
        case, other = await commented(client, await opened(client)), await opened(client)
        id_ = case["comments"][0]["id"]
        for address in (f"{comments_of(case)}/nope", f"{comments_of(other)}/{id_}", f"{CASES}/nope/comments/{id_}"):
            assert "[cases-comments/" in message_of(await client.get(address), 404)

    async def test_a_comment_of_another_space_is_404(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        space = await with_space(client, "ops")
        for method, address in (
            ("GET", f"{comments_of(case)}/{case['comments'][0]['id']}"),
            ("DELETE", f"{comments_of(case)}/{case['comments'][0]['id']}"),
            ("GET", comments_of(case)),
            ("DELETE", comments_of(case)),
        ):
            message_of(await client.request(method, space + address), 404)
        assert (await client.get(f"{space}{comments_of(case)}/_find")).json()["total"] == 0

    async def test_the_full_list_is_oldest_first(self, client: Any) -> None:
        case = await opened(client)
        assert (await client.get(comments_of(case))).json() == []
        for text in ("one", "two", "three"):
            case = await commented(client, case, text)
        assert (await client.get(comments_of(case), params={"ignored": "1"})).json() == case["comments"]
        assert "[cases/nope]" in message_of(await client.get(f"{CASES}/nope/comments"), 404)

    async def test_find_gives_pages_in_both_orders(self, client: Any) -> None:
        case = await opened(client)
        for number in range(5):
            case = await commented(client, case, str(number))

        async def page(**params: Any) -> tuple[list[str], int, int, int]:
            answer = (await client.get(f"{comments_of(case)}/_find", params=params)).json()
            assert set(answer) == {"comments", "page", "per_page", "total"}
            texts = [each["comment"] for each in answer["comments"]]
            return texts, answer["page"], answer["per_page"], answer["total"]

        assert await page() == (["0", "1", "2", "3", "4"], 1, 20, 5)
        assert await page(sortOrder="desc", perPage=2) == (["4", "3"], 1, 2, 5)
        assert await page(sortOrder="asc", perPage=2, page=3) == (["4"], 3, 2, 5)
        assert await page(perPage=2, page=4) == ([], 4, 2, 5)
        assert await page(perPage=0) == ([], 1, 0, 5)
        assert await page(perPage=100, page=100) == ([], 100, 100, 5)

    async def test_find_gives_comments_as_they_read_elsewhere(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        assert (await client.get(f"{comments_of(case)}/_find")).json()["comments"] == case["comments"]

    async def test_find_of_an_unknown_case_is_an_empty_page(self, client: Any) -> None:
        answer = await client.get(f"{CASES}/nope/comments/_find", params={"page": 2, "perPage": 7})
        assert (answer.status_code, answer.json()) == (200, {"comments": [], "page": 2, "per_page": 7, "total": 0})

    @pytest.mark.parametrize(
        "query",
        [
            "page=0",
            "page=-1",
            "page=x",
            "page=1.5",
            "page=",
            "perPage=101",
            "perPage=-1",
            "page=10001&perPage=0",
            "page=501",
            "page=101&perPage=100",
            "sortOrder=ASC",
            "sortOrder=",
            "sortField=created_at",
            "per_page=5",
            "type=user",
            "page=1&page=2",
            "page=99999999999999999999",
        ],
    )
    @ONE_DATABASE
    async def test_find_refuses_what_it_does_not_know(self, client: Any, query: str) -> None:
        for id_ in ((await opened(client))["id"], "nope"):
            message_of(await client.get(f"{CASES}/{id_}/comments/_find?{query}"), 400)

    @pytest.mark.parametrize("query", ["page=500", "page=10000&perPage=1", "page=10000&perPage=0", "page=01"])
    @ONE_DATABASE
    async def test_find_takes_pages_up_to_the_window(self, client: Any, query: str) -> None:
        case = await opened(client)
        assert (await client.get(f"{comments_of(case)}/_find?{query}")).status_code == 200


class TestForbidden:
    async def test_comments_of_an_owner_switched_off_cannot_be_read_or_written(self, client: Any) -> None:
        case = await opened(client, await with_space(client, "ops"))
        comments = f"/s/ops{comments_of(case)}"
        comment = (await client.post(comments, json=a_comment())).json()["comments"][0]
        await with_space(client, "ops", "generalCasesV3")
        body = a_comment(id=comment["id"], version=comment["version"])
        for answer in (
            await client.post(comments, json=a_comment()),
            await client.patch(comments, json=body),
            await client.get(f"{comments}/{comment['id']}"),
            await client.delete(f"{comments}/{comment['id']}"),
            await client.delete(comments),
        ):
            assert "called the site" not in message_of(answer, 403)
        assert (await client.get(f"{comments}/_find")).json()["total"] == 0
        assert (await client.get(comments)).json() == []
        await with_space(client, "ops")
        assert (await client.get(f"{comments}/{comment['id']}")).json() == comment

    async def test_who_may_read_no_owner_at_all_gets_403_from_lists(
        self, client: Any, app: Any, connect: Any, database: Database, admin: Account
    ) -> None:
        case = await commented(client, await opened(client))
        await accounts.create(database, msgspec.structs.replace(admin, username="guest", roles=()))
        async with connect(app, auth=("guest", "correct horse battery")) as guest:
            for path in ("/_find", "", f"/{case['comments'][0]['id']}"):
                message_of(await guest.get(comments_of(case) + path), 403)
            message_of(await guest.get(f"{CASES}/nope/comments/_find"), 403)
            message_of(await guest.post(f"{CASES}/nope/comments", json=a_comment()), 403)
            message_of(await guest.get(f"{comments_of(case)}/nope"), 404)


class TestDeleting:
    async def test_one_comment_goes_and_leaves_a_record(self, client: Any, clock: Clock) -> None:
        case = await commented(client, await commented(client, await opened(client), "first"), "second")
        first, second = case["comments"]
        clock.forward(2.499)
        answer = await client.delete(f"{comments_of(case)}/{first['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await client.get(comments_of(case))).json() == [second]
        after = await fetched(client, case)
        assert (after["totalComment"], after["updated_at"], after["updated_by"]) == (1, LATER, ADMIN)
        message_of(await patch(client, case, title="Stale"), 409)
        record = (await activity(client, case))[-1]
        assert (record["type"], record["action"], record["comment_id"]) == ("comment", "delete", first["id"])
        assert record["payload"] == {"comment": a_comment(comment="first")}

    async def test_the_record_holds_the_text_at_deletion(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        await edit(client, case, case["comments"][0])
        await client.delete(f"{comments_of(case)}/{case['comments'][0]['id']}")
        assert (await trail(client, case))[-1] == (
            "comment",
            "delete",
            {"comment": a_comment(comment="second thoughts")},
        )

    async def test_an_unknown_comment_or_one_of_another_case_is_404(self, client: Any) -> None:
        case, other = await commented(client, await opened(client)), await opened(client)
        id_ = case["comments"][0]["id"]
        for address in (f"{comments_of(case)}/nope", f"{comments_of(other)}/{id_}", f"{CASES}/nope/comments/{id_}"):
            assert "[cases-comments/" in message_of(await client.delete(address), 404)
        assert (await client.delete(f"{comments_of(case)}/{id_}")).status_code == 204
        message_of(await client.delete(f"{comments_of(case)}/{id_}"), 404)

    async def test_all_go_at_once_with_a_record_each(self, client: Any) -> None:
        case = await opened(client)
        for text in ("one", "two", "three"):
            case = await commented(client, case, text)
        answer = await client.delete(comments_of(case))
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await fetched(client, case))["totalComment"] == 0
        records = [each for each in await activity(client, case) if each["action"] == "delete"]
        assert [each["comment_id"] for each in records] == [each["id"] for each in case["comments"]]

    async def test_deleting_all_of_none_is_404(self, client: Any) -> None:
        case = await opened(client)
        message_of(await client.delete(comments_of(case)), 404)
        assert "[cases/nope]" in message_of(await client.delete(f"{CASES}/nope/comments"), 404)

    async def test_a_comment_after_a_deletion_keeps_the_order(self, client: Any) -> None:
        case = await commented(client, await commented(client, await opened(client), "one"), "two")
        await client.delete(f"{comments_of(case)}/{case['comments'][1]['id']}")
        case = await commented(client, case, "three")
        assert [each["comment"] for each in case["comments"]] == ["one", "three"]
        assert case["totalComment"] == 2

    async def test_parallel_deletions_of_one_comment_delete_it_once(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        address = f"{comments_of(case)}/{case['comments'][0]['id']}"
        answers = await asyncio.gather(*(client.delete(address) for _ in range(4)))
        assert sorted(each.status_code for each in answers) == [204, 404, 404, 404]
        assert [each["action"] for each in await activity(client, case)] == ["create", "create", "delete"]
        assert (await fetched(client, case))["totalComment"] == 0

    async def test_adds_edits_and_deletions_at_once_leave_true_totals(self, client: Any) -> None:
        case = await opened(client)
        for number in range(6):
            case = await commented(client, case, str(number))
        answers = await asyncio.gather(
            *(client.post(comments_of(case), json=a_comment(comment=f"new {n}")) for n in range(6)),
            *(edit(client, case, each) for each in case["comments"]),
            *(client.delete(f"{comments_of(case)}/{each['id']}") for each in case["comments"][:3]),
            client.delete(comments_of(case)),
        )
        assert {each.status_code for each in answers} <= {200, 204, 404, 409}
        left = (await client.get(comments_of(case))).json()
        assert (await fetched(client, case))["totalComment"] == len(left)
        records = await activity(client, case)
        made = sum(each["action"] == "create" for each in records) - 1
        assert made - sum(each["action"] == "delete" for each in records) == len(left)


@pytest.mark.parametrize("piece", [b'"a\\u0000b"', b'"\\ud800"', b'"\xff"', b"NaN"])
@ONE_DATABASE
async def test_what_is_no_text_of_json_is_refused(client: Any, piece: bytes) -> None:
    case = await opened(client)
    body = json.dumps(a_comment(comment="HERE")).encode().replace(b'"HERE"', piece)
    answer = await client.post(comments_of(case), content=body, headers={"content-type": "application/json"})
    message_of(answer, 400)
