"""`POST /internal/cases/_search`: `_find` by a body, in comments, observables and custom fields too (find.md 2)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from casebridge.domain import limits
from casebridge.security import privileges
from tests.api.calls import CASES, changed, commented, fetched, opened

SEARCH = "/internal/cases/_search"
COMMENT, ALERT, EVENT = "cases-comments.comment", "cases-comments.alertId", "cases-comments.eventId"
OBSERVABLE, CUSTOM = "cases.observables.value", "cases.customFields.value"
VIP = {"key": "vip", "label": "VIP", "type": "toggle", "required": False}
SEEN = {"key": "seen", "label": "Seen", "type": "toggle", "required": False}
NOTE = {"key": "note", "label": "Note", "type": "text", "required": False}
SCORE = {"key": "score", "label": "Score", "type": "number", "required": False}


async def search(client: Any, prefix: str = "", **body: Any) -> dict[str, Any]:
    answer = await client.post(prefix + SEARCH, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def ids(client: Any, text: str | None = None, *fields: str, **body: Any) -> list[str]:
    if text is not None:
        body["search"] = text
    if fields:
        body["searchFields"] = list(fields)
    found = await search(client, **body)
    assert found["total"] == len(found["cases"])
    return [case["id"] for case in found["cases"]]


def toggle(key: str, value: bool | None) -> dict[str, Any]:
    return {"key": key, "type": "toggle", "value": value}


async def attach(client: Any, case: dict[str, Any], *bodies: dict[str, Any]) -> dict[str, Any]:
    listed = [{"owner": case["owner"], **each} for each in bodies]
    answer = await client.post(f"/internal/cases/{case['id']}/attachments/_bulk_create", json=listed)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def a_comment(text: str) -> dict[str, Any]:
    return {"type": "user", "comment": text}


def an_alert(*alert_ids: str) -> dict[str, Any]:
    index = ["logs"] * len(alert_ids)
    return {"type": "alert", "alertId": list(alert_ids), "index": index, "rule": {"id": "r", "name": "R"}}


# As _find


async def test_an_empty_body_answers_what_find_answers(client: Any):
    for number in range(3):
        await commented(client, await opened(client, title=f"case {number}"))

    assert await search(client) == (await client.get(f"{CASES}/_find")).json()
    page = await search(client, page=2, perPage=2, sortField="title", sortOrder="desc")
    assert page == (await client.get(f"{CASES}/_find?page=2&perPage=2&sortField=title&sortOrder=desc")).json()


async def test_filters_take_one_text_or_a_list(client: Any):
    wanted = await opened(client, title="A", tags=["x"], severity="high", category="c", assignees=[{"uid": "u_1"}])
    await opened(client, title="B", tags=["y"])
    filters: dict[str, str] = {
        "status": "open",
        "severity": "high",
        "tags": "x",
        "reporters": "admin",
        "assignees": "u_1",
        "category": "c",
        "owner": "cases",
    }
    assert await ids(client, **filters) == [wanted["id"]]
    assert await ids(client, **{name: [value] for name, value in filters.items()}) == [wanted["id"]]
    assert await ids(client, searchFields="title", search="A") == [wanted["id"]]
    assert await ids(client, **{"from": "now-1d", "to": "now"}, tags=["x", "z"]) == [wanted["id"]]


async def test_a_search_leaves_the_counts_alone_and_so_does_the_status(client: Any):
    await commented(client, await opened(client), "needle")
    await changed(client, await opened(client), status="closed")

    found = await search(client, search="needle", searchFields=[COMMENT], status="open")

    assert found["total"] == 1
    assert (found["count_open_cases"], found["count_in_progress_cases"], found["count_closed_cases"]) == (1, 0, 1)


@pytest.mark.parametrize(
    "body",
    [
        {"unknown": 1},
        {"extendedFieldFilters": {}},
        {"searchFields": ["cases.ef_all_values"]},
        {"searchFields": ["incremental_id.text"]},
        {"searchFields": ["cases.title", "tags"]},
        {"searchFields": "comment"},
        {"searchFields": None},
        {"search": 1},
        {"search": None},
        {"status": "new"},
        {"status": ["open", "new"]},
        {"severity": "worst"},
        {"tags": ["x"] * 101},
        {"tags": [1]},
        {"reporters": ["x"] * 101},
        {"assignees": ["x"] * 101},
        {"category": ["x"] * 101},
        {"page": "1"},
        {"page": 0},
        {"perPage": 101},
        {"perPage": -1},
        {"page": 101, "perPage": 100},
        {"sortField": "created_at"},
        {"sortOrder": "up"},
        {"defaultSearchOperator": "and"},
        {"from": "<"},
        {"to": "yesterday"},
        {"owner": 1},
        [],
        "text",
        None,
    ],
    ids=repr,
)
async def test_a_body_outside_the_rules_is_refused(client: Any, body: Any):
    assert (await client.post(SEARCH, content=json.dumps(body))).status_code == 400


async def test_lists_of_a_hundred_values_and_the_last_page_of_the_window_are_accepted(client: Any):
    many = [f"v{number}" for number in range(100)]
    assert await ids(client, tags=many, reporters=many, assignees=many, category=many) == []
    assert (await search(client, page=100, perPage=100))["cases"] == []


# Where it looks


async def test_without_fields_titles_descriptions_and_numbers_are_searched_and_nothing_else(client: Any):
    one = await opened(client, title="needle", description="d", tags=["haystack"])
    two = await opened(client, title="t", description="a needle too", tags=[])
    three = await commented(client, await opened(client, title="t", tags=["needle"]), "needle")

    assert await ids(client, "needle") == [one["id"], two["id"]]
    assert await ids(client, str(three["incremental_id"])) == [three["id"]]
    assert await ids(client, three["id"]) == [three["id"]]
    assert await ids(client, "haystack") == []


@pytest.mark.parametrize("fields", [["title"], ["cases.title"], "cases.title"])
async def test_titles_have_two_names(client: Any, fields: Any):
    wanted = await opened(client, title="needle", description="hay")
    await opened(client, title="hay", description="needle")
    assert await ids(client, "needle", searchFields=fields) == [wanted["id"]]


async def test_descriptions_and_running_numbers_can_be_named(client: Any):
    await opened(client, title="needle", description="hay")
    wanted = await opened(client, title="hay", description="needle")
    assert await ids(client, "needle", "description") == [wanted["id"]]
    assert await ids(client, "needle", "cases.description") == [wanted["id"]]
    assert await ids(client, str(wanted["incremental_id"]), "cases.incremental_id.text") == [wanted["id"]]


async def test_one_comment_must_match_the_whole_text(client: Any):
    one = await commented(client, await commented(client, await opened(client), "red fox"), "blue whale")
    two = await commented(client, await opened(client), "red whale")

    assert await ids(client, "red whale", COMMENT, defaultSearchOperator="AND") == [two["id"]]
    assert await ids(client, "red + fox", COMMENT) == [one["id"]]
    assert await ids(client, "FOX | whale", COMMENT) == [one["id"], two["id"]]
    assert await ids(client, '"red fox"', COMMENT) == [one["id"]]
    assert await ids(client, "wha*", COMMENT) == [one["id"], two["id"]]
    assert await ids(client, "-red", COMMENT) == [one["id"]]


async def test_find_never_looks_at_comments(client: Any):
    await commented(client, await opened(client), "needle")
    assert (await client.get(f"{CASES}/_find?search=needle")).json()["total"] == 0


async def test_an_edited_comment_is_found_by_its_new_words_and_a_deleted_one_no_more(client: Any):
    case = await commented(client, await commented(client, await opened(client), "first words"), "others")
    comment = case["comments"][0]
    body = {"id": comment["id"], "version": comment["version"], **a_comment("second thoughts"), "owner": "cases"}
    answer = await client.patch(f"{CASES}/{case['id']}/comments", json=body)
    assert answer.status_code == 200, answer.text

    assert await ids(client, "first", COMMENT) == []
    assert await ids(client, "thoughts", COMMENT) == [case["id"]]

    await client.delete(f"{CASES}/{case['id']}/comments/{comment['id']}")
    assert await ids(client, "thoughts", COMMENT) == []
    assert await ids(client, "others", COMMENT) == [case["id"]]
    await client.delete(f"{CASES}/{case['id']}/comments")
    assert await ids(client, "others", COMMENT) == []


async def test_attachments_added_in_bulk_are_found_and_gone_with_their_case(client: Any):
    case, other = await opened(client), await opened(client)
    await attach(client, case, a_comment("bulk one"), an_alert("alert-7", "alert-8"), a_comment("bulk two"))
    await attach(client, other, a_comment("bulk three"))

    assert await ids(client, "bulk", COMMENT) == [case["id"], other["id"]]
    assert await ids(client, "alert-8", ALERT) == [case["id"]]

    await client.delete(CASES, params={"ids": json.dumps([case["id"]])})
    assert await ids(client, "bulk", COMMENT) == [other["id"]]
    assert await ids(client, "alert-8", ALERT) == []
    again = await commented(client, await opened(client), "bulk again")
    assert await ids(client, "bulk", COMMENT) == [other["id"], again["id"]]


async def test_alert_ids_are_found_exactly_and_event_ids_nowhere(client: Any):
    case = await opened(client)
    await attach(client, case, an_alert("a-1", "b c"))

    for text, found in {"a-1": 1, "b c": 1, '"b c"': 1, "a": 0, "A-1": 0, "a-*": 0, "b": 0}.items():
        assert len(await ids(client, text, ALERT)) == found, text
    assert await ids(client, "a-1", COMMENT, EVENT) == []
    assert await ids(client, "a-1", EVENT, ALERT) == [case["id"]]


async def test_comments_of_an_action_are_found(client: Any):
    case = await opened(client)
    action = {"type": "isolate", "targets": [{"hostname": "web-01", "endpointId": "e-1"}]}
    await attach(client, case, {"type": "actions", "comment": "isolating now", "actions": action})
    assert await ids(client, "isolating", COMMENT) == [case["id"]]


async def test_observables_are_found_by_whole_values_and_by_words_in_sequence(client: Any):
    case = await opened(client)
    path = f"/internal/cases/{case['id']}/observables"
    value = "https://evil.example.org/login"
    sent = {"observable": {"typeKey": "observable-type-url", "value": value, "description": None}}
    answer = await client.post(path, json=sent)
    assert answer.status_code == 200, answer.text

    for text in (value, "evil.example.org", "https://ev*", "EVIL.example.org"):
        assert await ids(client, text, OBSERVABLE) == [case["id"]], text
    for text in ("https://good.example.org/login", "evil", "login + nothing"):
        assert await ids(client, text, OBSERVABLE) == [], text
    assert await ids(client, "evil.example.org", "cases.title", CUSTOM, COMMENT) == []
    assert (await client.get(f"{CASES}/_find", params={"search": f'"{value}"'})).json()["total"] == 1

    edit = {"observable": {"value": "https://harmless.example.org", "description": None}}
    observable = answer.json()["observables"][0]["id"]
    await client.patch(f"{path}/{observable}", json=edit)
    assert await ids(client, "evil.example.org", OBSERVABLE) == []
    assert await ids(client, "harmless.example.org", OBSERVABLE) == [case["id"]]
    assert (await client.get(f"{CASES}/_find", params={"search": f'"{value}"'})).json()["total"] == 0
    await client.delete(f"{path}/{observable}")
    assert await ids(client, "harmless.example.org", OBSERVABLE) == []


async def test_custom_fields_are_found_by_their_values_and_follow_their_changes(
    client: Any, configure: Callable[..., Any]
):
    await configure(customFields=[NOTE, SCORE, VIP])
    values = [
        {"key": "note", "type": "text", "value": "Ask the night shift"},
        {"key": "score", "type": "number", "value": 4711},
    ]
    case = await opened(client, customFields=values)
    other = await opened(client)

    for text in ("night", "4711", '"night shift"', "SHIFT"):
        assert await ids(client, text, CUSTOM) == [case["id"]], text
    answer = await client.put(
        f"/internal/cases/{case['id']}/custom_fields/note", json={"value": "all quiet", "caseVersion": case["version"]}
    )
    assert answer.status_code == 200, answer.text
    assert await ids(client, "night", CUSTOM) == []
    assert await ids(client, "quiet", CUSTOM) == [case["id"]]
    await changed(client, other, customFields=[{"key": "note", "type": "text", "value": "quiet here"}])
    assert await ids(client, "quiet", CUSTOM) == [case["id"], other["id"]]
    await changed(client, await fetched(client, case), customFields=[])
    assert await ids(client, "quiet", CUSTOM) == [other["id"]]


async def test_only_the_space_that_is_asked_is_searched(client: Any):
    await client.post("/api/spaces/space", json={"id": "ops", "name": "Ops"})
    case = await opened(client, "/s/ops")
    for body in ({**a_comment("needle"), "owner": "cases"}, {**an_alert("a-1"), "owner": "cases"}):
        answer = await client.post(f"/s/ops{CASES}/{case['id']}/comments", json=body)
        assert answer.status_code == 200, answer.text

    for text in ("needle", "a-1", "-nothing"):
        assert await ids(client, text, COMMENT, ALERT) == []
        found = await search(client, "/s/ops", search=text, searchFields=[COMMENT, ALERT])
        assert found["total"] == 1


# Who may read


async def test_cases_and_comments_of_owners_that_may_not_be_read_are_not_found(
    client: Any, disable: Callable[..., Any]
):
    mine = await commented(client, await opened(client), "needle")
    await commented(client, await opened(client, owner="observability"), "needle")
    await disable("observabilityCases")

    assert await ids(client, "needle", COMMENT) == [mine["id"]]
    assert await ids(client, "needle", COMMENT, owner=["cases", "observability", "unknown"]) == [mine["id"]]
    assert await ids(client, owner="observability") == []


async def test_who_may_read_cases_and_not_their_comments_finds_none_by_them(
    client: Any, monkeypatch: pytest.MonkeyPatch
):
    case = await opened(client, title="needle in the title")
    other = await opened(client)
    await attach(client, other, a_comment("needle"), an_alert("a-1"))
    allowed = privileges.allowed
    monkeypatch.setattr(
        "casebridge.services.case_search.allowed",
        lambda actor, operation, *rest: operation != "getComment" and allowed(actor, operation, *rest),
    )

    assert await ids(client, "needle", "title", COMMENT) == [case["id"]]
    assert await ids(client, "a-1", ALERT) == []
    assert await ids(client, "-nothing", COMMENT) == []


async def test_who_may_read_nothing_is_forbidden_and_a_stranger_unauthenticated(nobody: Any, anonymous: Any):
    assert (await nobody.post(SEARCH, json={})).status_code == 403
    assert (await nobody.post(SEARCH, json={"search": "x", "searchFields": COMMENT})).status_code == 403
    assert (await anonymous.post(SEARCH, json={})).status_code == 401


# Custom fields as filters


@pytest.fixture
async def filed(client: Any, configure: Callable[..., Any]) -> dict[str, str]:
    """Cases by name, opened while toggles were defined and, the first of them, before."""
    none = await opened(client)
    await configure(customFields=[VIP, SEEN, NOTE, SCORE])
    cases = {
        "yes": await opened(client, customFields=[toggle("vip", True), toggle("seen", False)]),
        "no": await opened(client, customFields=[toggle("vip", False), toggle("seen", False)], severity="high"),
        "null": await opened(client, customFields=[toggle("vip", None), toggle("seen", True)]),
    }
    return {"none": none["id"], **{name: case["id"] for name, case in cases.items()}}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"vip": [True]}, ["yes"]),
        ({"vip": [False]}, ["no"]),
        ({"vip": [True, False]}, ["yes", "no"]),
        ({"vip": [None]}, ["none", "null"]),
        ({"vip": [None, True]}, ["none", "yes", "null"]),
        ({"vip": []}, ["yes", "no", "null"]),
        ({"vip": [True], "seen": [False]}, ["yes"]),
        ({"vip": [True], "seen": [True]}, []),
        ({"vip": [], "seen": [True, False]}, ["yes", "no", "null"]),
        ({}, ["none", "yes", "no", "null"]),
    ],
)
async def test_toggles_filter_cases_and_counts(client: Any, filed: dict[str, str], wanted: Any, expected: list[str]):
    for owner in ("cases", ["cases"]):
        found = await search(client, owner=owner, customFields=wanted)
        assert [case["id"] for case in found["cases"]] == [filed[name] for name in expected]
        assert found["total"] == found["count_open_cases"] == len(expected)


async def test_toggles_combine_with_all_other_filters(client: Any, filed: dict[str, str]):
    await commented(client, {"id": filed["no"], "owner": "cases"}, "needle")
    body = {"owner": "cases", "customFields": {"vip": [True, False]}}
    assert await ids(client, severity="high", **body) == [filed["no"]]
    assert await ids(client, "needle", COMMENT, **body) == [filed["no"]]
    assert await ids(client, tags="unknown", **body) == []
    found = await search(client, status="closed", **body)
    assert (found["total"], found["count_open_cases"]) == (0, 2)


@pytest.mark.parametrize(
    "body",
    [
        {"customFields": {"vip": [True]}},
        {"customFields": {"vip": [True]}, "owner": []},
        {"customFields": {"vip": [True]}, "owner": ""},
        {"customFields": {"vip": [True]}, "owner": [""]},
        {"customFields": {"vip": [True]}, "owner": ["cases", "observability"]},
        {"customFields": {"vip": [True]}, "owner": "observability"},
        {"customFields": {"vip": [True]}, "owner": "unknown"},
        {"customFields": {"unknown": [True]}, "owner": "cases"},
        {"customFields": {"vip": [True], "unknown": []}, "owner": "cases"},
        {"customFields": {"note": [None]}, "owner": "cases"},
        {"customFields": {"score": []}, "owner": "cases"},
        {"customFields": {"vip": ["true"]}, "owner": "cases"},
        {"customFields": {"vip": [1]}, "owner": "cases"},
        {"customFields": {"vip": [True, "x"]}, "owner": "cases"},
        {"customFields": {"vip": True}, "owner": "cases"},
        {"customFields": {"vip": None}, "owner": "cases"},
        {"customFields": [], "owner": "cases"},
        {"customFields": "vip", "owner": "cases"},
        {"customFields": None, "owner": "cases"},
        {"customFields": {"vip": [True] * 101}, "owner": "cases"},
        {"customFields": {f"k{number}": [] for number in range(limits.CUSTOM_FIELDS + 1)}, "owner": "cases"},
    ],
    ids=lambda body: json.dumps(body)[:70],
)
async def test_a_filter_by_custom_fields_outside_the_rules_is_refused(client: Any, filed: dict[str, str], body: Any):
    assert (await client.post(SEARCH, json=body)).status_code == 400


async def test_of_an_owner_that_may_not_be_read_no_field_is_told(
    client: Any, configure: Callable[..., Any], disable: Callable[..., Any]
):
    await configure("observability", customFields=[VIP])
    await opened(client, owner="observability", customFields=[toggle("vip", True)])
    await disable("observabilityCases")
    for key in ("vip", "unknown"):
        assert await ids(client, owner="observability", customFields={key: [True]}) == []


async def test_find_takes_no_custom_fields(client: Any, filed: dict[str, str]):
    answer = await client.get(f"{CASES}/_find", params={"owner": "cases", "customFields": '{"vip":[true]}'})
    assert answer.status_code == 400
