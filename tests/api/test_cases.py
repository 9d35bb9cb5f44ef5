"""`/api/cases`: opening, reading, changing and deleting cases (contract cases.md 1 to 6)."""

from __future__ import annotations

import asyncio
import json
import re
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
    JIRA,
    NO_CONNECTOR,
    Clock,
    a_body,
    activity,
    changed,
    commented,
    configured,
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

UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
AT, LATER = "2024-05-17T08:03:59.120Z", "2024-05-17T08:04:01.619Z"
ONE_DATABASE = pytest.mark.parametrize("database_target", ["sqlite"], indirect=True)
"""For what is decided before the store is asked."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ground(ground: Ground, clock: Clock) -> Ground:
    return msgspec.structs.replace(ground, now=clock)


class TestOpening:
    async def test_a_new_case_reads_as_the_contract_shows_it(self, client: Any) -> None:
        answer = await client.post(CASES, json=a_body())
        case = answer.json()
        assert answer.status_code == 200
        assert UUID_4.fullmatch(case["id"])
        assert number_of(case["version"]) > 0
        assert without(case, "id", "version") == {
            "owner": "cases",
            "title": "Badge reader offline",
            "description": "Door 4 stopped answering.",
            "tags": ["doors", "site-b"],
            "severity": "low",
            "status": "open",
            "category": None,
            "assignees": [],
            "customFields": [],
            "settings": {"syncAlerts": True},
            "connector": NO_CONNECTOR,
            "external_service": None,
            "observables": [],
            "total_observables": 0,
            "comments": [],
            "totalComment": 0,
            "totalAlerts": 0,
            "totalEvents": 0,
            "duration": None,
            "created_at": AT,
            "created_by": ADMIN,
            "updated_at": None,
            "updated_by": None,
            "closed_at": None,
            "closed_by": None,
            "incremental_id": 1,
            "in_progress_at": None,
            "time_to_acknowledge": None,
            "time_to_investigate": None,
            "time_to_resolve": None,
        }

    async def test_everything_given_is_stored(self, client: Any) -> None:
        given: dict[str, Any] = {
            "severity": "critical",
            "category": "Facilities",
            "assignees": [{"uid": "u_1"}, {"uid": "u_2"}],
            "settings": {"syncAlerts": False},
            "connector": JIRA,
            "owner": "observability",
            "customFields": [],
        }
        case = await opened(client, **given)
        assert {key: case[key] for key in given} == given

    async def test_a_case_reads_the_same_in_every_answer(self, client: Any) -> None:
        case = await opened(client, category="Facilities", assignees=[{"uid": "u_1"}], connector=JIRA)
        (found,) = (await client.get(f"{CASES}/_find")).json()["cases"]
        resolved = (await client.get(f"{CASES}/{case['id']}/resolve")).json()["case"]
        assert await fetched(client, case) == without(case, "comments")
        assert found == case
        assert resolved == case

    async def test_texts_are_stored_trimmed_and_tags_keep_order_and_repetitions(self, client: Any) -> None:
        case = await opened(
            client,
            title=" \t Title\n",
            description="\u2003two\n\nlines\u3000",
            category=" Cat ",
            tags=["b ", "a", " b"],
        )
        assert case["title"] == "Title"
        assert case["description"] == "two\n\nlines"
        assert case["category"] == "Cat"
        assert case["tags"] == ["b", "a", "b"]

    async def test_repeated_assignees_are_one_and_empty_ones_none(self, client: Any) -> None:
        uids = ["u_2", "", "u_1", "u_2", ""]
        case = await opened(client, assignees=[{"uid": uid} for uid in uids])
        assert case["assignees"] == [{"uid": "u_2"}, {"uid": "u_1"}]

    async def test_no_connector_has_one_form_whatever_name_came(self, client: Any) -> None:
        case = await opened(client, connector={"id": "x", "name": "y", "type": ".none", "fields": None})
        assert case["connector"] == NO_CONNECTOR

    @pytest.mark.parametrize(
        ("type_", "fields"),
        [
            (".jira", {"issueType": None, "priority": "High", "parent": "OPS-1"}),
            (".jira", {"issueType": "1", "priority": None, "parent": None, "otherFields": '{"a": 1}'}),
            (".servicenow", dict.fromkeys(("severity", "urgency", "impact", "category", "subcategory"), "1")),
            (".resilient", {"incidentTypes": ["19"], "severityCode": None}),
            (".swimlane", {"caseId": None}),
            (".cases-webhook", None),
            (".thehive", {"tlp": 2}),
            (".jira", None),
        ],
    )
    @ONE_DATABASE
    async def test_the_fields_of_a_connector_are_returned_as_sent(self, client: Any, type_: str, fields: Any) -> None:
        connector = {"id": "unknown", "name": "Whatever", "type": type_, "fields": fields}
        assert (await opened(client, connector=connector))["connector"] == connector

    @pytest.mark.parametrize(
        "connector",
        [
            without(JIRA, "fields"),
            without(JIRA, "id"),
            without(JIRA, "name"),
            without(JIRA, "type"),
            JIRA | {"type": ".email"},
            JIRA | {"type": ".JIRA"},
            JIRA | {"extra": 1},
            JIRA | {"fields": {}},
            JIRA | {"fields": {"issueType": "1", "priority": None}},
            JIRA | {"fields": {"issueType": "1", "priority": None, "parent": None, "more": 1}},
            JIRA | {"fields": {"issueType": 1, "priority": None, "parent": None}},
            NO_CONNECTOR | {"fields": {}},
            NO_CONNECTOR | {"id": None},
            None,
            "none",
        ],
    )
    @ONE_DATABASE
    async def test_a_connector_with_missing_or_foreign_fields_is_refused(self, client: Any, connector: Any) -> None:
        message_of(await client.post(CASES, json=a_body(connector=connector)), 400)

    @pytest.mark.parametrize("key", ["title", "description", "tags", "connector", "settings", "owner"])
    @ONE_DATABASE
    async def test_a_required_key_is_required(self, client: Any, key: str) -> None:
        assert key in message_of(await client.post(CASES, json=without(a_body(), key)), 400)
        assert key in message_of(await client.post(CASES, json=a_body(**{key: None})), 400)

    @pytest.mark.parametrize(
        "given",
        [
            {"title": "t" * 160},
            {"title": " " + "\N{GRINNING FACE}" * 160 + " "},
            {"description": "d" * 30_000},
            {"description": " d " + " " * 40_000},
            {"tags": []},
            {"tags": ["t" * 256 + " "]},
            {"tags": [str(number) for number in range(200)]},
            {"category": None},
            {"category": "c" * 50},
            {"assignees": [{"uid": str(number)} for number in range(10)]},
            {"assignees": []},
        ],
        ids=str,
    )
    async def test_a_value_at_its_limit_is_taken(self, client: Any, given: dict[str, Any]) -> None:
        case = await opened(client, **given)
        (key,) = given
        assert case[key] == (given[key].strip() if isinstance(given[key], str) else case[key])

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"title": "t" * 161}, ["title", "160"]),
            ({"title": ""}, ["title"]),
            ({"title": " \n"}, ["title"]),
            ({"description": "d" * 30_001}, ["description", "30000"]),
            ({"description": "\u2003"}, ["description"]),
            ({"tags": ["ok", "t" * 257]}, ["tags", "256"]),
            ({"tags": ["ok", " "]}, ["tags"]),
            ({"tags": [""]}, ["tags"]),
            ({"tags": ["same"] * 201}, ["tags", "200"]),
            ({"category": "c" * 51}, ["category", "50"]),
            ({"category": ""}, ["category"]),
            ({"category": "  "}, ["category"]),
            ({"assignees": [{"uid": "same"}] * 11}, ["assignees", "10"]),
            ({"assignees": [{"uid": ""}] * 11}, ["assignees", "10"]),
            ({"customFields": [{"key": str(n), "type": "text", "value": None} for n in range(11)]}, ["customFields"]),
        ],
    )
    @ONE_DATABASE
    async def test_a_value_over_its_limit_is_refused_by_name(
        self, client: Any, given: dict[str, Any], words: list[str]
    ) -> None:
        message = message_of(await client.post(CASES, json=a_body(**given)), 400)
        assert all(word in message for word in words), message

    @pytest.mark.parametrize(
        ("given", "key"),
        [
            ({"status": "open"}, "status"),
            ({"id": "mine"}, "id"),
            ({"observables": []}, "observables"),
            ({"comments": []}, "comments"),
            ({"version": "WzEsMV0="}, "version"),
            ({"created_at": AT}, "created_at"),
            ({"template": None}, "template"),
            ({"extended_fields": {}}, "extended_fields"),
            ({"settings": {"syncAlerts": True, "extractObservables": True}}, "settings.extractObservables"),
            ({"assignees": [{"uid": "u", "name": "n"}]}, "assignees[0].name"),
            ({"customFields": [{"key": "k", "type": "text", "value": "v", "label": "l"}]}, "customFields[0].label"),
            ({"connector": NO_CONNECTOR | {"config": {}}}, "connector.config"),
        ],
    )
    @ONE_DATABASE
    async def test_an_unknown_key_is_refused_by_name_at_any_depth(
        self, client: Any, given: dict[str, Any], key: str
    ) -> None:
        assert key in message_of(await client.post(CASES, json=a_body(**given)), 400)

    @pytest.mark.parametrize(
        "given",
        [
            {"title": 5},
            {"tags": "doors"},
            {"tags": [1]},
            {"tags": [None]},
            {"tags": {"0": "doors"}},
            {"severity": "Low"},
            {"severity": "none"},
            {"severity": None},
            {"severity": 1},
            {"settings": {}},
            {"settings": {"syncAlerts": "true"}},
            {"settings": {"syncAlerts": 1}},
            {"settings": []},
            {"assignees": None},
            {"assignees": ["u_1"]},
            {"assignees": [{}]},
            {"assignees": [{"uid": None}]},
            {"assignees": {"uid": "u_1"}},
            {"customFields": None},
            {"customFields": [{"key": "k", "type": "text"}]},
            {"customFields": [{"key": "k", "value": "v"}]},
            {"customFields": [{"type": "text", "value": "v"}]},
            {"customFields": [{"key": "k", "type": "date", "value": None}]},
            {"category": 7},
            {"owner": 7},
            {"owner": ["cases"]},
        ],
        ids=str,
    )
    @ONE_DATABASE
    async def test_nothing_is_coerced(self, client: Any, given: dict[str, Any]) -> None:
        (key,) = given
        assert key in message_of(await client.post(CASES, json=a_body(**given)), 400)

    @pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"{", b"", b"1", b'{"title":"t",}'])
    @ONE_DATABASE
    async def test_a_body_of_another_kind_is_refused(self, client: Any, body: bytes) -> None:
        answer = await client.post(CASES, content=body, headers={"content-type": "application/json"})
        message_of(answer, 400)

    @pytest.mark.parametrize("owner", ["nobody", "", "Cases", "generalCases", " cases", "\U0001f600"])
    @ONE_DATABASE
    async def test_an_unknown_owner_is_forbidden_to_everybody(self, client: Any, owner: str) -> None:
        message_of(await client.post(CASES, json=a_body(owner=owner)), 403)
        assert (await client.get(f"{CASES}/_find")).json()["total"] == 0

    async def test_shape_and_custom_fields_are_checked_before_the_owner(self, client: Any) -> None:
        for wrong in ({"title": ""}, {"customFields": [{"key": "k", "type": "text", "value": "v"}]}, {"nope": 1}):
            message_of(await client.post(CASES, json=a_body(owner="nobody", **wrong)), 400)

    async def test_the_owners_feature_may_be_switched_off_in_a_space(self, client: Any) -> None:
        space = await with_space(client, "ops", "generalCasesV2")
        assert "cases" in message_of(await client.post(space + CASES, json=a_body()), 403)
        assert (await opened(client, space, owner="observability"))["owner"] == "observability"

    async def test_running_numbers_belong_to_the_space_and_are_never_given_twice(self, client: Any) -> None:
        space = await with_space(client, "ops")
        first, second = await opened(client), await opened(client)
        other = await opened(client, space)
        await client.delete(CASES, params={"ids": json.dumps([second["id"]])})
        third = await opened(client)
        assert [each["incremental_id"] for each in (first, second, third)] == [1, 2, 3]
        assert other["incremental_id"] == 1

    async def test_versions_and_ids_of_parallel_creations_differ(self, client: Any) -> None:
        cases = await asyncio.gather(*(opened(client, title=str(number)) for number in range(20)))
        for key in ("id", "version", "incremental_id"):
            assert len({case[key] for case in cases}) == 20


class TestOddInput:
    @pytest.mark.parametrize("text", ["a\x01b\x1fc", "\x1bstart", "end\x7f", "\x1cfile\x1d", "a\ufeffb", "\ufffe"])
    async def test_control_characters_are_kept_as_sent(self, client: Any, text: str) -> None:
        case = await opened(client, title=text, tags=[text], category=text)
        assert (case["title"], case["tags"], case["category"]) == (text, [text], text)
        assert await fetched(client, case) == without(case, "comments")
        assert (await client.get(f"{CASES}/_find", params={"tags": text, "category": text})).json()["total"] == 1

    @pytest.mark.parametrize(
        "piece",
        [
            b'"a\\u0000b"',
            b'"\\ud800"',
            b'"\\udc00x"',
            b'"\\ud800\\ud800"',
            b'"\xff"',
            b'"\xed\xa0\x80"',
            b"NaN",
            b"Infinity",
            b'"a\x00b"',
            b'"a\nb"',
        ],
    )
    @ONE_DATABASE
    async def test_what_is_no_text_of_json_is_refused(self, client: Any, piece: bytes) -> None:
        for key in ("title", "category"):
            body = json.dumps(a_body(**{key: "HERE"})).encode().replace(b'"HERE"', piece)
            answer = await client.post(CASES, content=body, headers={"content-type": "application/json"})
            message_of(answer, 400)

    @ONE_DATABASE
    async def test_a_byte_order_mark_is_refused(self, client: Any) -> None:
        body = b"\xef\xbb\xbf" + json.dumps(a_body()).encode()
        message_of(await client.post(CASES, content=body, headers={"content-type": "application/json"}), 400)

    @ONE_DATABASE
    async def test_of_a_repeated_key_the_last_one_counts(self, client: Any) -> None:
        body = json.dumps(a_body()).encode()[:-1] + b', "title": 5, "title": "Last"}'
        answer = await client.post(CASES, content=body, headers={"content-type": "application/json"})
        assert answer.json()["title"] == "Last"

    @ONE_DATABASE
    async def test_a_body_of_two_megabytes_is_too_large(self, client: Any) -> None:
        message_of(await client.post(CASES, json=a_body(description="d" * 2_000_000)), 413)

    @pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 10**30, 1e400])
    @ONE_DATABASE
    async def test_numbers_beyond_64_bits_are_refused(self, client: Any, value: float) -> None:
        piece = b"1e400" if value == 1e400 else str(value).encode()
        fields = [{"key": "n", "type": "number", "value": "HERE"}]
        body = json.dumps(a_body(customFields=fields)).encode().replace(b'"HERE"', piece)
        message_of(await client.post(CASES, content=body, headers={"content-type": "application/json"}), 400)

    async def test_a_text_too_long_for_an_index_never_breaks_the_server(self, client: Any) -> None:
        """Neither uids nor connector ids have a limit upstream; ours is far above any real one."""
        long = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(5_000))
        for given in ({"assignees": [{"uid": long}]}, {"connector": JIRA | {"id": long}}):
            (key,) = given
            assert key in message_of(await client.post(CASES, json=a_body(**given)), 400)
            case = await opened(client)
            assert key in message_of(await patch(client, case, **given), 400)
        long = long[:512]
        case = await opened(client, assignees=[{"uid": long}], connector=JIRA | {"id": long})
        assert case["assignees"] == [{"uid": long}]
        assert case["connector"]["id"] == long


class TestReading:
    async def test_a_case_is_answered_without_its_comments_unless_asked_for(self, client: Any) -> None:
        case = await opened(client)
        await commented(client, case, "first")
        await commented(client, case, "second")
        address = f"{CASES}/{case['id']}"
        plain = (await client.get(address)).json()
        filled = (await client.get(address, params={"includeComments": "true"})).json()
        emptied = (await client.get(address, params={"includeComments": "false"})).json()
        assert "comments" not in plain
        assert [each["comment"] for each in filled["comments"]] == ["first", "second"]
        assert emptied["comments"] == []
        assert plain["totalComment"] == filled["totalComment"] == emptied["totalComment"] == 2
        assert without(filled, "comments") == without(emptied, "comments") == plain

    @pytest.mark.parametrize("value", ["", "1", "True", "yes", "null"])
    @ONE_DATABASE
    async def test_include_comments_is_true_or_false(self, client: Any, value: str) -> None:
        case = await opened(client)
        for address in (f"{CASES}/{case['id']}", f"{CASES}/{case['id']}/resolve", f"{CASES}/unknown"):
            assert "includeComments" in message_of(await client.get(address, params={"includeComments": value}), 400)

    @ONE_DATABASE
    async def test_other_parameters_are_ignored_by_get_and_refused_by_resolve(self, client: Any) -> None:
        case = await opened(client)
        params = {"nope": "1"}
        assert (await client.get(f"{CASES}/{case['id']}", params=params)).status_code == 200
        assert "nope" in message_of(await client.get(f"{CASES}/{case['id']}/resolve", params=params), 400)

    async def test_resolve_answers_an_exact_match_with_comments(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        answer = (await client.get(f"{CASES}/{case['id']}/resolve")).json()
        assert answer == {"case": case, "outcome": "exactMatch"}
        asked = (await client.get(f"{CASES}/{case['id']}/resolve", params={"includeComments": "true"})).json()
        assert asked == answer

    async def test_resolve_without_comments_does_not_count_them(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        answer = await client.get(f"{CASES}/{case['id']}/resolve", params={"includeComments": "false"})
        assert answer.json()["case"] == case | {"comments": [], "totalComment": 0, "totalAlerts": 0}

    @pytest.mark.parametrize("id_", ["unknown", "%F0%9F%98%80", "a%2Fb", "x" * 4000, "%20"])
    async def test_an_unknown_id_is_404_with_its_name(self, client: Any, id_: str) -> None:
        for rest in ("", "?includeComments=true", "/resolve", "/resolve?includeComments=false"):
            assert "[cases/" in message_of(await client.get(f"{CASES}/{id_}{rest}"), 404)

    async def test_head_is_get_without_a_body(self, client: Any) -> None:
        case = await opened(client)
        answer = await client.head(f"{CASES}/{case['id']}")
        assert (answer.status_code, answer.content) == (200, b"")
        assert (await client.head(f"{CASES}/unknown")).status_code == 404

    async def test_a_case_of_another_space_does_not_exist(self, client: Any) -> None:
        space = await with_space(client, "ops")
        case = await opened(client, space)
        assert (await client.get(f"{space}{CASES}/{case['id']}")).status_code == 200
        for prefix in ("", "/s/default"):
            message_of(await client.get(f"{prefix}{CASES}/{case['id']}"), 404)
            message_of(await client.get(f"{prefix}{CASES}/{case['id']}/resolve"), 404)
            message_of(await client.delete(f"{prefix}{CASES}", params={"ids": json.dumps([case["id"]])}), 404)
            message_of(await patch(client, case, prefix, title="Mine now"), 404)
        assert (await client.get("/s/default/api/cases/_find")).json()["total"] == 0

    async def test_a_known_case_of_an_owner_switched_off_is_forbidden_and_tells_nothing(self, client: Any) -> None:
        case = await opened(client, await with_space(client, "ops"), title="Sensitive")
        space = await with_space(client, "ops", "generalCasesV3")
        for answer in (
            await client.get(f"{space}{CASES}/{case['id']}"),
            await client.get(f"{space}{CASES}/{case['id']}/resolve"),
            await client.delete(f"{space}{CASES}", params={"ids": json.dumps([case["id"]])}),
            await patch(client, case, space, title="Other"),
        ):
            assert "Sensitive" not in message_of(answer, 403)


class TestForbidden:
    async def test_who_has_no_role_may_do_nothing(
        self, client: Any, app: Any, connect: Any, database: Database, admin: Account
    ) -> None:
        case = await opened(client)
        guest = msgspec.structs.replace(admin, username="guest", roles=())
        await accounts.create(database, guest)
        async with connect(app, auth=("guest", "correct horse battery")) as other:
            for answer in (
                await other.post(CASES, json=a_body()),
                await other.get(f"{CASES}/{case['id']}"),
                await other.get(f"{CASES}/{case['id']}/resolve"),
                await patch(other, case, title="Mine"),
                await patch(other, case, status="closed"),
                await other.delete(CASES, params={"ids": json.dumps([case["id"]])}),
                await other.get(f"{CASES}/_find"),
                await other.get(f"{CASES}/status"),
                await other.get(f"{CASES}/tags"),
                await other.get(f"{CASES}/reporters"),
            ):
                assert case["title"] not in message_of(answer, 403)
            message_of(await other.get(f"{CASES}/unknown"), 404)
        assert await fetched(client, case) == without(case, "comments")


class TestChanging:
    async def test_the_answer_is_the_changed_cases_alone_in_the_order_asked(self, client: Any, clock: Clock) -> None:
        first, second, third = [await opened(client, title=title) for title in ("one", "two", "three")]
        clock.forward(2.499)
        entries = [
            {"id": third["id"], "version": third["version"], "title": "three!"},
            {"id": second["id"], "version": second["version"], "title": "two"},
            {"id": first["id"], "version": first["version"], "severity": "high"},
        ]
        answer = await client.patch(CASES, json={"cases": entries})
        assert answer.status_code == 200
        changes = [(each["id"], each["title"], each["severity"]) for each in answer.json()]
        assert changes == [(third["id"], "three!", "low"), (first["id"], "one", "high")]
        for before, after in zip((third, first), answer.json(), strict=True):
            touched = ("title", "severity", "version", "updated_at", "updated_by")
            assert without(after, *touched) == without(before, *touched)
            assert (after["updated_at"], after["updated_by"]) == (LATER, ADMIN)
            assert number_of(after["version"]) > number_of(before["version"])
            assert await fetched(client, after) == without(after, "comments")
        assert await fetched(client, second) == without(second, "comments")

    async def test_totals_are_right_and_comments_empty_in_the_answer(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        after = await changed(client, case, title="Other")
        assert (after["totalComment"], after["comments"]) == (1, [])

    @pytest.mark.parametrize(
        ("key", "value", "stored"),
        [
            ("title", "  New \n", "New"),
            ("description", " New text ", "New text"),
            ("tags", [" x ", "y", "x"], ["x", "y", "x"]),
            ("tags", [], []),
            ("severity", "critical", "critical"),
            ("category", " New ", "New"),
            ("assignees", [{"uid": "a"}, {"uid": ""}, {"uid": "b"}, {"uid": "a"}], [{"uid": "a"}, {"uid": "b"}]),
            ("connector", JIRA, JIRA),
            ("settings", {"syncAlerts": False}, {"syncAlerts": False}),
            ("status", "in-progress", "in-progress"),
        ],
    )
    async def test_every_changeable_field_changes_whole(self, client: Any, key: str, value: Any, stored: Any) -> None:
        case = await opened(client, category="Old", assignees=[{"uid": "z"}])
        assert (await changed(client, case, **{key: value}))[key] == stored
        assert (await fetched(client, case))[key] == stored

    async def test_null_clears_the_category_once(self, client: Any) -> None:
        case = await opened(client, category="Old")
        case = await changed(client, case, category=None)
        assert case["category"] is None
        message_of(await patch(client, case, category=None), 406)

    @pytest.mark.parametrize(
        "same",
        [
            {},
            {"title": "Badge reader offline"},
            {"tags": ["site-b", "doors", "site-b"]},
            {"assignees": [{"uid": "b"}, {"uid": "a"}, {"uid": ""}, {"uid": "a"}]},
            {"status": "open", "severity": "low", "category": None, "settings": {"syncAlerts": True}},
            {"connector": {"id": "other", "name": "other", "type": ".none", "fields": None}},
            {"owner": "cases"},
            {"customFields": []},
        ],
        ids=str,
    )
    async def test_a_patch_that_changes_nothing_is_406_and_writes_nothing(
        self, client: Any, same: dict[str, Any]
    ) -> None:
        case = await opened(client, assignees=[{"uid": "a"}, {"uid": "b"}])
        assert (await patch(client, case, **same)).json()["error"] == "Not Acceptable"
        message_of(await patch(client, case, **same), 406)
        assert await fetched(client, case) == without(case, "comments")
        assert await trail(client, case) == []

    async def test_values_are_compared_before_they_are_trimmed(self, client: Any) -> None:
        case = await opened(client, title="Title", category="Cat", tags=["a"])
        for change in ({"title": "Title "}, {"category": " Cat"}, {"tags": ["a "]}):
            after = await changed(client, case, **change)
            assert after["version"] != case["version"]
            assert without(after, "version", "updated_at", "updated_by") == without(
                case, "version", "updated_at", "updated_by"
            )
            case = after

    async def test_an_unknown_id_is_404_even_beside_a_stale_version(self, client: Any) -> None:
        fresh, stale = await opened(client), await opened(client)
        await changed(client, stale, title="Changed")
        entries = [
            {"id": fresh["id"], "version": fresh["version"], "title": "New"},
            {"id": stale["id"], "version": stale["version"], "title": "New"},
            {"id": "nope-1", "version": "x", "title": "New"},
            {"id": "nope-2", "version": "x", "title": "New"},
        ]
        message = message_of(await client.patch(CASES, json={"cases": entries}), 404)
        assert "[cases/nope-1]" in message
        assert "[cases/nope-2]" in message
        assert fresh["id"] not in message
        assert await fetched(client, fresh) == without(fresh, "comments")

    async def test_every_stale_case_is_named_and_nothing_is_written(self, client: Any) -> None:
        fresh, one, two = [await opened(client) for _ in range(3)]
        for case in (one, two):
            await changed(client, case, title="Changed")
        entries = [{"id": each["id"], "version": each["version"], "title": "New"} for each in (fresh, one, two)]
        message = message_of(await client.patch(CASES, json={"cases": entries}), 409)
        assert one["id"] in message
        assert two["id"] in message
        assert fresh["id"] not in message
        assert await fetched(client, fresh) == without(fresh, "comments")

    async def test_a_stale_version_is_409_before_406_and_before_the_rules_of_fields(self, client: Any) -> None:
        case = await opened(client)
        await changed(client, case, title="Changed")
        message_of(await patch(client, case), 409)
        message_of(await patch(client, case, owner="observability"), 409)
        message_of(await patch(client, case, customFields=[{"key": "k", "type": "text", "value": "v"}]), 409)

    async def test_missing_permission_is_403_before_404_and_409(self, client: Any) -> None:
        case = await opened(client, await with_space(client, "ops"))
        space = await with_space(client, "ops", "generalCases")
        entries = [{"id": case["id"], "version": "stale"}, {"id": "nope", "version": "x", "title": "New"}]
        message_of(await client.patch(space + CASES, json={"cases": entries}), 403)

    @pytest.mark.parametrize("version", ["", "x", "WzEsMV0", "WzEsMV0==", "[1,1]", "\U0001f600"])
    async def test_a_garbage_version_is_only_unequal(self, client: Any, version: str) -> None:
        case = await opened(client)
        message_of(await patch(client, case | {"version": version}, title="New"), 409)

    @pytest.mark.parametrize("version", [None, 1, True, ["WzEsMV0="], {"a": 1}])
    @ONE_DATABASE
    async def test_a_version_that_is_no_text_is_400(self, client: Any, version: Any) -> None:
        case = await opened(client)
        assert "version" in message_of(await patch(client, case | {"version": version}, title="New"), 400)

    @pytest.mark.parametrize("key", ["id", "version"])
    @ONE_DATABASE
    async def test_id_and_version_are_required(self, client: Any, key: str) -> None:
        entry = without({"id": "x", "version": "y", "title": "t"}, key)
        assert key in message_of(await client.patch(CASES, json={"cases": [entry]}), 400)

    @pytest.mark.parametrize("other", ["observability", "nobody", ""])
    async def test_another_owner_is_400_known_or_not(self, client: Any, other: str) -> None:
        case = await opened(client)
        assert "owner" in message_of(await patch(client, case, owner=other, title="New"), 400)
        assert await fetched(client, case) == without(case, "comments")

    @pytest.mark.parametrize(
        ("change", "key"),
        [
            ({"observables": []}, "observables"),
            ({"comments": []}, "comments"),
            ({"external_service": None}, "external_service"),
            ({"totalComment": 0}, "totalComment"),
            ({"created_at": AT}, "created_at"),
            ({"closed_at": None}, "closed_at"),
            ({"closeReason": "other"}, "closeReason"),
            ({"incremental_id": 1}, "incremental_id"),
            ({"settings": {"syncAlerts": False, "more": 1}}, "cases[0].settings.more"),
            ({"assignees": [{"uid": "u", "more": 1}]}, "cases[0].assignees[0].more"),
        ],
    )
    @ONE_DATABASE
    async def test_read_only_and_unknown_keys_are_refused_by_name(
        self, client: Any, change: dict[str, Any], key: str
    ) -> None:
        case = await opened(client)
        assert key in message_of(await patch(client, case, title="New", **change), 400)
        assert await fetched(client, case) == without(case, "comments")

    @pytest.mark.parametrize(
        "change",
        [
            {"title": "t" * 161},
            {"title": " "},
            {"title": None},
            {"description": "d" * 30_001},
            {"description": ""},
            {"tags": ["x"] * 201},
            {"tags": ["x" * 257]},
            {"tags": [" "]},
            {"tags": None},
            {"category": "c" * 51},
            {"category": " "},
            {"assignees": [{"uid": "x"}] * 11},
            {"assignees": None},
            {"status": "done"},
            {"status": "Open"},
            {"status": None},
            {"severity": "urgent"},
            {"severity": None},
            {"settings": {}},
            {"settings": None},
            {"connector": None},
            {"connector": without(JIRA, "fields")},
            {"customFields": None},
            {"customFields": [{"key": str(n), "type": "text", "value": None} for n in range(11)]},
        ],
        ids=lambda change: str(change)[:60],
    )
    @ONE_DATABASE
    async def test_the_limits_are_those_of_creation(self, client: Any, change: dict[str, Any]) -> None:
        (key,) = change
        unknown = {"id": "unknown", "version": "x"}
        assert f"cases[0].{key}" in message_of(await patch(client, unknown, **change), 400)

    @pytest.mark.parametrize(
        "change",
        [
            {"title": "t" * 160},
            {"description": "d" * 30_000},
            {"tags": [str(n) for n in range(200)]},
            {"tags": ["x" * 256]},
            {"category": "c" * 50},
            {"assignees": [{"uid": str(n)} for n in range(10)]},
        ],
        ids=lambda change: str(change)[:40],
    )
    async def test_values_at_their_limits_are_taken(self, client: Any, change: dict[str, Any]) -> None:
        (key,) = change
        assert (await changed(client, await opened(client), **change))[key] == change[key]

    @pytest.mark.parametrize("body", [{"cases": []}, {"cases": None}, {}, [], {"cases": {}}, {"cases": [1]}])
    @ONE_DATABASE
    async def test_a_patch_names_at_least_one_case(self, client: Any, body: Any) -> None:
        message_of(await client.patch(CASES, json=body), 400)

    async def test_a_hundred_cases_may_change_at_once_and_no_more(self, client: Any) -> None:
        cases = [await opened(client, title=str(number), tags=[]) for number in range(100)]
        entries = [{"id": each["id"], "version": each["version"], "title": each["title"] + "!"} for each in cases]
        more = [*entries, {"id": "x", "version": "y"}]
        assert "100" in message_of(await client.patch(CASES, json={"cases": more}), 400)
        answer = await client.patch(CASES, json={"cases": entries})
        assert [each["title"] for each in answer.json()] == [f"{number}!" for number in range(100)]

    async def test_a_case_named_twice_is_refused(self, client: Any) -> None:
        case = await opened(client)
        entry = {"id": case["id"], "version": case["version"]}
        body = {"cases": [{**entry, "title": "A"}, {**entry, "severity": "high"}]}
        assert case["id"] in message_of(await client.patch(CASES, json=body), 400)

    @ONE_DATABASE
    async def test_of_a_repeated_key_the_last_one_counts(self, client: Any) -> None:
        case = await opened(client)
        text = (
            f'{{"cases": 5, "cases": [{{"id": "{case["id"]}", "version": "{case["version"]}", '
            f'"title": "A", "severity": "high", "title": "B"}}]}}'
        )
        answer = await client.patch(CASES, content=text.encode(), headers={"content-type": "application/json"})
        assert [(each["title"], each["severity"]) for each in answer.json()] == [("B", "high")]

    async def test_two_writers_with_one_version_at_most_one_wins(self, client: Any) -> None:
        for round_ in range(5):
            case = await opened(client)
            answers = await asyncio.gather(*(patch(client, case, title=f"{round_} {writer}") for writer in range(4)))
            assert sorted(each.status_code for each in answers) == [200, 409, 409, 409]
            (winner,) = [each.json()[0] for each in answers if each.status_code == 200]
            assert (await fetched(client, case)) == without(winner, "comments")
            assert await trail(client, case) == [("title", "update", {"title": winner["title"]})]

    async def test_crossing_patches_of_several_cases_are_whole_or_not_at_all(self, client: Any) -> None:
        cases = [await opened(client) for _ in range(4)]

        async def rename(title: str, order: list[dict[str, Any]]) -> int:
            entries = [{"id": each["id"], "version": each["version"], "title": title} for each in order]
            return (await client.patch(CASES, json={"cases": entries})).status_code  # type: ignore[no-any-return]

        statuses = await asyncio.gather(*(rename(f"w{n}", cases[:: (-1) ** n]) for n in range(6)))
        assert sorted(statuses) == [200, 409, 409, 409, 409, 409]
        assert len({(await fetched(client, case))["title"] for case in cases}) == 1

    async def test_at_ten_thousand_records_a_case_takes_no_more(self, client: Any, database: Database) -> None:
        case, other = await opened(client), await opened(client)
        await set_actions(database, case, 9_998)
        three = [
            {"id": other["id"], "version": other["version"], "title": "New"},
            {"id": case["id"], "version": case["version"], "title": "New", "tags": ["x"]},
        ]
        message = message_of(await client.patch(CASES, json={"cases": three}), 400)
        assert case["id"] in message
        assert "10000" in message
        assert await fetched(client, other) == without(other, "comments")
        case = await changed(client, case, title="New", severity="high")
        message_of(await patch(client, case, title="Once more"), 400)
        message_of(await patch(client, case), 406)


class TestStatus:
    async def test_closing_records_when_and_by_whom_and_reopening_forgets(self, client: Any, clock: Clock) -> None:
        case = await opened(client)
        clock.forward(2.499)
        case = await changed(client, case, status="closed")
        assert (case["closed_at"], case["closed_by"], case["duration"]) == (LATER, ADMIN, 2)
        clock.forward(100)
        message_of(await patch(client, case, status="closed"), 406)
        case = await changed(client, case, status="closed", title="Still closed")
        assert (case["closed_at"], case["duration"]) == (LATER, 2)
        for status in ("open", "in-progress"):
            case = await changed(client, case, status=status)
            assert (case["closed_at"], case["closed_by"], case["duration"]) == (None, None, None)

    @pytest.mark.parametrize("start", ["open", "in-progress", "closed"])
    @pytest.mark.parametrize("end", ["open", "in-progress", "closed"])
    async def test_every_transition_is_allowed(self, client: Any, start: str, end: str) -> None:
        case = await opened(client)
        if start != "open":
            case = await changed(client, case, status=start)
        if start == end:
            message_of(await patch(client, case, status=end), 406)
        else:
            assert (await changed(client, case, status=end))["status"] == end

    async def test_times_are_measured_as_the_table_says(self, client: Any, clock: Clock) -> None:
        def times(case: dict[str, Any]) -> tuple[Any, ...]:
            keys = ("in_progress_at", "time_to_acknowledge", "time_to_investigate", "time_to_resolve")
            return tuple(case[key] for key in keys)

        case = await opened(client)
        clock.forward(10.9)
        case = await changed(client, case, status="closed")
        assert times(case) == (None, 10, 0, 10)
        case = await changed(client, case, status="open")
        assert times(case) == (None, None, None, None)
        clock.forward(10)
        case = await changed(client, case, status="in-progress")
        begun = "2024-05-17T08:04:20.020Z"
        assert times(case) == (begun, 20, None, None)
        clock.forward(5.5)
        case = await changed(client, case, status="closed")
        assert times(case) == (begun, 20, 5, 26)
        case = await changed(client, case, status="open")
        assert times(case) == (begun, None, None, None)
        clock.forward(10)
        case = await changed(client, case, status="in-progress")
        assert times(case) == (begun, 36, None, None)
        case = await changed(client, case, status="closed")
        assert times(case) == (begun, 20, 15, 36)

    async def test_a_clock_set_back_leaves_the_times_alone(self, client: Any, clock: Clock) -> None:
        case = await opened(client)
        clock.forward(-60)
        case = await changed(client, case, status="closed")
        assert case["status"] == "closed"
        assert [case[key] for key in ("time_to_acknowledge", "time_to_investigate", "time_to_resolve")] == [None] * 3
        assert case["duration"] is None or case["duration"] >= 0


class TestCustomFields:
    TEXT = {"key": "region", "label": "Region", "type": "text", "required": False}
    TOGGLE = {"key": "vip", "label": "VIP", "type": "toggle", "required": False, "defaultValue": False}
    NUMBER = {"key": "floor", "label": "Floor", "type": "number", "required": True, "defaultValue": 3}

    @staticmethod
    def value(definition: dict[str, Any], value: Any) -> dict[str, Any]:
        return {"key": definition["key"], "type": definition["type"], "value": value}

    async def test_unsent_fields_are_filled_in_the_order_of_the_definitions(self, client: Any) -> None:
        await configured(client, self.TEXT, self.TOGGLE, self.NUMBER)
        case = await opened(client)
        assert case["customFields"] == [
            self.value(self.TEXT, None),
            self.value(self.TOGGLE, False),
            self.value(self.NUMBER, 3),
        ]

    async def test_sent_fields_come_first_in_their_own_order(self, client: Any) -> None:
        await configured(client, self.TEXT, self.TOGGLE, self.NUMBER)
        sent = [self.value(self.NUMBER, 7), self.value(self.TEXT, " as sent ")]
        case = await opened(client, customFields=sent)
        assert case["customFields"] == [*sent, self.value(self.TOGGLE, False)]

    async def test_an_explicit_null_beats_a_default(self, client: Any) -> None:
        await configured(client, self.TOGGLE)
        sent = [self.value(self.TOGGLE, None)]
        assert (await opened(client, customFields=sent))["customFields"] == sent

    async def test_a_patch_resets_what_it_does_not_send(self, client: Any) -> None:
        await configured(client, self.TEXT, self.TOGGLE)
        case = await opened(client, customFields=[self.value(self.TEXT, "EMEA"), self.value(self.TOGGLE, True)])
        case = await changed(client, case, customFields=[self.value(self.TOGGLE, True)])
        assert case["customFields"] == [self.value(self.TOGGLE, True), self.value(self.TEXT, None)]
        case = await changed(client, case, customFields=[])
        assert case["customFields"] == [self.value(self.TEXT, None), self.value(self.TOGGLE, False)]

    async def test_a_patch_drops_values_of_deleted_definitions_and_others_keep_them(self, client: Any) -> None:
        await configured(client, self.TEXT, self.TOGGLE)
        case = await opened(client)
        await configured(client, self.TOGGLE)
        case = await changed(client, case, title="Untouched fields are not checked")
        assert [each["key"] for each in case["customFields"]] == ["region", "vip"]
        case = await changed(client, case, customFields=[self.value(self.TOGGLE, True)])
        assert case["customFields"] == [self.value(self.TOGGLE, True)]

    async def test_a_patch_without_custom_fields_never_meets_a_later_required_one(self, client: Any) -> None:
        case = await opened(client)
        await configured(client, without(self.NUMBER, "defaultValue"))
        case = await changed(client, case, title="Fine")
        assert case["customFields"] == []
        message_of(await client.post(CASES, json=a_body()), 400)
        message_of(await patch(client, case, customFields=[self.value(self.TEXT, "x")]), 400)

    async def test_the_order_of_values_is_no_change(self, client: Any) -> None:
        await configured(client, self.TEXT, self.TOGGLE)
        case = await opened(client)
        same = [self.value(self.TOGGLE, False), self.value(self.TEXT, None)]
        message_of(await patch(client, case, customFields=same), 406)

    @pytest.mark.parametrize(
        "sent",
        [
            [{"key": "region", "type": "text", "value": "a"}, {"key": "region", "type": "text", "value": "b"}],
            [{"key": "unknown", "type": "text", "value": "a"}],
            [{"key": "region", "type": "toggle", "value": True}],
            [{"key": "region", "type": "toggle", "value": None}],
            [{"key": "floor", "type": "number", "value": None}],
            [{"key": "region", "type": "text", "value": ""}],
            [{"key": "region", "type": "text", "value": " \t"}],
            [{"key": "region", "type": "text", "value": "x" * 161}],
            [{"key": "region", "type": "text", "value": 5}],
            [{"key": "vip", "type": "toggle", "value": 1}],
            [{"key": "vip", "type": "toggle", "value": "true"}],
            [{"key": "floor", "type": "number", "value": "5"}],
            [{"key": "floor", "type": "number", "value": 5.5}],
            [{"key": "floor", "type": "number", "value": True}],
            [{"key": "floor", "type": "number", "value": 2**53}],
            [{"key": "floor", "type": "number", "value": -(2**53)}],
        ],
        ids=str,
    )
    @ONE_DATABASE
    async def test_values_that_break_a_rule_are_refused_at_creation_and_change(
        self, client: Any, sent: list[dict[str, Any]]
    ) -> None:
        await configured(client, self.TEXT, self.TOGGLE, self.NUMBER)
        case = await opened(client)
        assert "customFields" in message_of(await client.post(CASES, json=a_body(customFields=sent)), 400)
        assert "customFields" in message_of(await patch(client, case, customFields=sent), 400)
        assert await fetched(client, case) == without(case, "comments")

    @pytest.mark.parametrize(
        ("key", "type_", "value"),
        [
            ("region", "text", "x" * 160),
            ("region", "text", f" {'x' * 160} "),
            ("vip", "toggle", True),
            ("floor", "number", 2**53 - 1),
            ("floor", "number", -(2**53) + 1),
            ("floor", "number", 0),
        ],
    )
    async def test_values_at_their_limits_are_stored_as_sent(
        self, client: Any, key: str, type_: str, value: Any
    ) -> None:
        await configured(client, self.TEXT, self.TOGGLE, self.NUMBER)
        sent = {"key": key, "type": type_, "value": value}
        assert (await opened(client, customFields=[sent]))["customFields"][0] == sent

    async def test_a_missing_required_field_is_refused_without_a_default_only(self, client: Any) -> None:
        await configured(client, {**self.TEXT, "required": True}, self.NUMBER)
        assert "region" in message_of(await client.post(CASES, json=a_body()), 400)
        case = await opened(client, customFields=[self.value(self.TEXT, "EMEA")])
        assert case["customFields"][1] == self.value(self.NUMBER, 3)

    async def test_definitions_belong_to_one_owner_of_one_space(self, client: Any) -> None:
        await configured(client, self.TEXT)
        space = await with_space(client, "ops")
        sent = [self.value(self.TEXT, "EMEA")]
        message_of(await client.post(CASES, json=a_body(owner="observability", customFields=sent)), 400)
        message_of(await client.post(space + CASES, json=a_body(customFields=sent)), 400)
        assert (await opened(client, space))["customFields"] == []


class TestActivity:
    """What a creation and a PATCH record (activity.md 3); how it is read stands in test_user_actions."""

    async def test_records_follow_the_keys_of_the_request(self, client: Any) -> None:
        case = await opened(client, assignees=[{"uid": "a"}, {"uid": "b"}])
        await changed(
            client,
            case,
            severity="high",
            tags=["site-b", "new"],
            status="closed",
            title=" Other ",
            settings={"syncAlerts": False},
            assignees=[{"uid": "c"}, {"uid": "a"}],
            connector=JIRA,
            category="Cat",
            description="Other text",
        )
        assert await trail(client, case) == [
            ("severity", "update", {"severity": "high"}),
            ("tags", "add", {"tags": ["new"]}),
            ("tags", "delete", {"tags": ["doors"]}),
            ("status", "update", {"status": "closed"}),
            ("title", "update", {"title": "Other"}),
            ("settings", "update", {"settings": {"syncAlerts": False}}),
            ("assignees", "add", {"assignees": [{"uid": "c"}]}),
            ("assignees", "delete", {"assignees": [{"uid": "b"}]}),
            ("connector", "update", {"connector": JIRA}),
            ("category", "update", {"category": "Cat"}),
            ("description", "update", {"description": "Other text"}),
        ]

    async def test_only_what_changed_is_recorded(self, client: Any) -> None:
        case = await opened(client)
        await changed(client, case, title=case["title"], tags=["site-b", "doors"], severity="high", owner="cases")
        assert await trail(client, case) == [("severity", "update", {"severity": "high"})]

    async def test_removing_the_connector_and_the_category_is_recorded(self, client: Any) -> None:
        case = await opened(client, connector=JIRA, category="Cat")
        await changed(client, case, connector=NO_CONNECTOR, category=None)
        assert await trail(client, case) == [
            ("connector", "update", {"connector": NO_CONNECTOR}),
            ("category", "update", {"category": None}),
        ]

    async def test_each_changed_custom_field_is_recorded_alone(self, client: Any) -> None:
        text, toggle, number = TestCustomFields.TEXT, TestCustomFields.TOGGLE, TestCustomFields.NUMBER
        value = TestCustomFields.value
        await configured(client, text, toggle)
        case = await opened(client)
        other = {"key": "empty", "label": "Empty", "type": "text", "required": False}
        await configured(client, text, toggle, number, other)
        await changed(client, case, customFields=[value(toggle, True), value(text, None)])
        assert await trail(client, case) == [
            ("customFields", "update", {"customFields": [value(toggle, True)]}),
            ("customFields", "update", {"customFields": [value(number, 3)]}),
        ]

    async def test_a_refused_patch_leaves_no_record(self, client: Any) -> None:
        case, other = await opened(client), await opened(client)
        entries = [
            {"id": case["id"], "version": case["version"], "title": "New"},
            {"id": other["id"], "version": "stale", "title": "New"},
        ]
        message_of(await client.patch(CASES, json={"cases": entries}), 409)
        assert [each["type"] for each in await activity(client, case)] == ["create_case"]


class TestDeleting:
    @staticmethod
    async def delete(client: Any, *ids: str) -> Any:
        return await client.delete(CASES, params={"ids": json.dumps(ids)})

    async def test_a_deleted_case_is_gone_with_all_that_hung_on_it(self, client: Any) -> None:
        case = await commented(client, await opened(client))
        kept = await commented(client, await opened(client))
        answer = await self.delete(client, case["id"])
        assert (answer.status_code, answer.content) == (204, b"")
        comment_id = case["comments"][0]["id"]
        for path in ("", "/resolve", "/comments", f"/comments/{comment_id}", "/user_actions", "/user_actions/_find"):
            message_of(await client.get(f"{CASES}/{case['id']}{path}"), 404)
        message_of(await client.get(f"{CASES}/{kept['id']}/comments/{comment_id}"), 404)
        assert (await client.get(f"{CASES}/{case['id']}/comments/_find")).json()["total"] == 0
        assert [each["id"] for each in (await client.get(f"{CASES}/_find")).json()["cases"]] == [kept["id"]]
        assert len(await activity(client, kept)) == 2

    async def test_one_unknown_id_and_nothing_is_deleted(self, client: Any) -> None:
        case = await opened(client)
        message = message_of(await self.delete(client, case["id"], "nope"), 404)
        assert "[cases/nope]" in message
        assert case["id"] not in message
        assert (await client.get(f"{CASES}/{case['id']}")).status_code == 200

    async def test_a_case_is_deleted_once(self, client: Any) -> None:
        case = await opened(client)
        assert (await self.delete(client, case["id"], case["id"])).status_code == 204
        message_of(await self.delete(client, case["id"]), 404)

    async def test_no_version_is_needed_and_a_stale_reader_may_delete(self, client: Any) -> None:
        case = await opened(client)
        await changed(client, case, title="Newer")
        assert (await self.delete(client, case["id"])).status_code == 204

    async def test_ids_may_be_a_repeated_parameter(self, client: Any) -> None:
        ids = [(await opened(client))["id"] for _ in range(2)]
        assert (await client.delete(CASES, params={"ids": ids})).status_code == 204

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "?ids=abc",
            "?ids=",
            "?ids=%5B%5D",
            "?ids=%5B1%5D",
            "?ids=%5Bnull%5D",
            "?ids=%5B%22%22%5D",
            "?ids=%5B%22a%22%2C%22%20%22%5D",
            "?ids=%7B%22a%22%3A1%7D",
            "?ids=%22a%22",
            "?ids=%5B%22a%22",
            "?ids=%5B%22%5Cud800%22%5D",
            "?ids=%5B%22%5Cu0000%22%5D",
            "?ids=a&ids=%20",
            "?ids=a&ids=",
            "?ids=%5B%22a%22%5D&force=true",
        ],
    )
    @ONE_DATABASE
    async def test_other_forms_of_ids_are_refused(self, client: Any, query: str) -> None:
        message_of(await client.delete(f"{CASES}{query}"), 400)

    async def test_a_hundred_may_go_at_once_and_no_more(self, client: Any) -> None:
        ids = [(await opened(client, tags=[]))["id"] for _ in range(100)]
        assert "100" in message_of(await self.delete(client, *ids, ids[0]), 400)
        assert (await self.delete(client, *ids)).status_code == 204
        assert (await client.get(f"{CASES}/_find")).json()["total"] == 0

    async def test_deletions_that_race_with_comments_never_fail_on_our_side(self, client: Any) -> None:
        for _ in range(5):
            case = await opened(client)
            body = {"type": "user", "owner": "cases", "comment": "racing"}
            answers = await asyncio.gather(
                *(client.post(f"{CASES}/{case['id']}/comments", json=body) for _ in range(6)),
                self.delete(client, case["id"]),
                patch(client, case, title="racing"),
                self.delete(client, case["id"]),
                *(client.post(f"{CASES}/{case['id']}/comments", json=body) for _ in range(4)),
            )
            statuses = [each.status_code for each in answers]
            assert set(statuses) <= {200, 204, 404, 409}
            assert statuses.count(204) == 1
            message_of(await client.get(f"{CASES}/{case['id']}"), 404)
            assert (await client.get(f"{CASES}/{case['id']}/comments/_find")).json()["total"] == 0
        assert (await client.get(f"{CASES}/status")).json()["count_open_cases"] == 0
