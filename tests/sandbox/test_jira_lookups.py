"""What the simulated Jira says about itself, offers for a form, and finds."""

import pytest

from casebridge.sandbox.jira_answers import Refusal
from casebridge.sandbox.jql import Surroundings, parse


@pytest.mark.parametrize(("mode", "deployment"), [("cloud", "Cloud"), ("datacenter", "Server")])
async def test_the_kind_of_jira_is_told_without_credentials(a_jira, mode, deployment):
    jira = await a_jira(mode=mode, auth=None)
    answer = await jira.send("GET", "/serverInfo")
    assert (answer.status_code, answer.json()["deploymentType"]) == (200, deployment)


async def test_a_cloud_account_has_an_id_and_a_data_center_one_a_name(a_jira):
    cloud = (await (await a_jira()).send("GET", "/myself")).json()
    data_center = (await (await a_jira(mode="datacenter")).send("GET", "/myself")).json()
    assert "accountId" in cloud
    assert "name" not in cloud
    assert data_center["name"] == "bot"


@pytest.mark.parametrize(("mode", "key"), [("cloud", "issueTypes"), ("datacenter", "values")])
async def test_issue_types_come_in_pages_under_the_key_of_the_mode(a_jira, mode, key):
    jira = await a_jira(mode=mode, page_size=3)
    first = (await jira.send("GET", "/issue/createmeta/OPS/issuetypes")).json()
    rest = (await jira.send("GET", "/issue/createmeta/OPS/issuetypes", params={"startAt": 3})).json()
    assert [row["id"] for row in first[key] + rest[key]] == ["10001", "10002", "10003", "10004"]
    assert (first["total"], rest[key][0]["subtask"]) == (4, True)
    assert first.get("isLast") is (None if mode == "cloud" else False)


@pytest.mark.parametrize(("mode", "key"), [("cloud", "fields"), ("datacenter", "values")])
async def test_fields_of_an_issue_type_say_what_is_required_and_allowed(a_jira, mode, key):
    jira = await a_jira(mode=mode)
    rows = (await jira.send("GET", "/issue/createmeta/OPS/issuetypes/10002")).json()[key]
    fields = {row["fieldId"]: row for row in rows}
    assert fields["summary"]["required"] is True
    assert "allowedValues" not in fields["summary"]
    assert [value["name"] for value in fields["priority"]["allowedValues"]][:2] == ["Highest", "High"]
    assert fields["priority"]["defaultValue"]["name"] == "Medium"
    assert fields["customfield_10043"]["schema"]["type"] == "option"
    other = (await jira.send("GET", "/issue/createmeta/OPS/issuetypes/10001")).json()[key]
    assert "customfield_10043" not in {row["fieldId"] for row in other}


@pytest.mark.parametrize(
    "path", ["/project/NOPE", "/issue/createmeta/NOPE/issuetypes", "/issue/createmeta/OPS/issuetypes/9"]
)
async def test_an_unknown_project_or_issue_type_is_not_found(a_jira, path):
    jira = await a_jira()
    assert (await jira.send("GET", path)).status_code == 404


async def test_priorities_and_the_project_are_listed(a_jira):
    jira = await a_jira()
    assert [row["name"] for row in (await jira.send("GET", "/priority")).json()][-1] == "Lowest"
    assert (await jira.send("GET", "/project/OPS")).json()["key"] == "OPS"


async def test_the_marker_label_finds_the_one_issue_that_has_it(a_jira):
    jira = await a_jira(project_keys=("OPS", "SOC"))
    await jira.create(labels=["casebridge-other"])
    await jira.create(labels=["vpn", "casebridge-6f1c"])
    await jira.create(labels=["casebridge-6f1c"], project={"key": "SOC"})
    assert await jira.found('project = "OPS" AND labels = "casebridge-6f1c"') == ["OPS-2"]


@pytest.mark.parametrize(
    ("jql", "keys"),
    [
        ('summary ~ "beacon"', ["OPS-1"]),
        ('summary ~ "WEB-01 beacon"', ["OPS-1"]),
        (r'summary ~ "web\\-01"', ["OPS-1"]),
        ('summary ~ "bea"', []),
        ('summary ~ "bea*"', ["OPS-1"]),
        ('summary !~ "beacon"', ["OPS-2"]),
        ("reporter = currentUser() order by created", ["OPS-2", "OPS-1"]),
        ('reporter = currentUser() AND created >= "-15m"', ["OPS-2"]),
        ('created >= "2026/03/04 05:06" ORDER BY created ASC', ["OPS-1", "OPS-2"]),
        ('created < "2026-03-04 06:00"', ["OPS-1"]),
        ("key = OPS-2", ["OPS-2"]),
        ('issuekey in ("OPS-1", OPS-2) ORDER BY key', ["OPS-1", "OPS-2"]),
        ("key = OPS-1 OR key = OPS-2 AND labels = nope", ["OPS-1"]),
        ("(key = OPS-1 OR key = OPS-2) AND labels = night", ["OPS-2"]),
        ("NOT labels = night AND project = ops", ["OPS-1"]),
        ("labels in (night, day) and statusCategory = new", ["OPS-2"]),
        ("project != OPS", []),
    ],
)
async def test_a_query_finds_what_it_says(a_jira, jql, keys):
    jira = await a_jira()
    await jira.create(summary="Beacon from web-01")
    jira.clock.forward(3600)
    await jira.create(summary="Odd logons", labels=["night"])
    assert await jira.found(jql) == keys


@pytest.mark.parametrize(
    "jql",
    [
        "project =",
        "project = NOPE",
        'project = "OPS',
        "project OPS",
        "project = OPS labels = a",
        "(project = OPS",
        "colour = red",
        "labels > a",
        'summary ~ "*x"',
        'summary ~ "a(b"',
        "created >= yesterday",
        "key = OPS-99",
        "reporter = somebody()",
        "project = OPS ORDER BY colour",
        "project = OPS ORDER created",
        "= OPS",
        "project = OPS AND",
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(a_jira, jql):
    jira = await a_jira()
    answer = await jira.search(jql)
    assert (answer.status_code, len(answer.json()["errorMessages"]), answer.json()["errors"]) == (400, 1, {})


def test_a_bad_query_says_where_it_went_wrong(clock):
    with pytest.raises(Refusal) as refused:
        parse("project = OPS labels", Surroundings(clock(), ("OPS",), ("me",), lambda key: None))
    assert "found 'labels'. (line 1, character 15)" in refused.value.messages[0]


@pytest.mark.parametrize("jql", ["", "ORDER BY created"])
async def test_cloud_refuses_a_query_without_a_restriction(a_jira, jql):
    jira = await a_jira()
    assert (await jira.search(jql)).status_code == 400


async def test_cloud_pages_follow_by_token_and_hold_ids_alone_unless_fields_are_asked_for(a_jira):
    jira = await a_jira()
    for _ in range(3):
        await jira.create()
    ask = {"jql": "project = OPS ORDER BY created ASC", "maxResults": 2}
    first = (await jira.send("POST", "/search/jql", ask)).json()
    assert first["issues"] == [{"id": "10000"}, {"id": "10001"}]
    assert (first["isLast"], "total" in first) == (False, False)
    token = {"nextPageToken": first["nextPageToken"], "fields": ["summary"]}
    last = (await jira.send("POST", "/search/jql", {**ask, **token})).json()
    assert [(issue["key"], issue["fields"]) for issue in last["issues"]] == [("OPS-3", {"summary": "Odd logons"})]
    assert last["isLast"] is True
    assert (await jira.search("project = OPS", nextPageToken="???")).status_code == 400


async def test_the_old_search_is_gone_on_cloud(a_jira):
    jira = await a_jira()
    assert (await jira.send("GET", "/search", params={"jql": "project = OPS"})).status_code == 410


async def test_data_center_pages_by_offset_and_knows_no_other_search(a_jira):
    jira = await a_jira(mode="datacenter")
    for _ in range(3):
        await jira.create()
    ask = {"jql": "project = OPS ORDER BY created ASC", "startAt": 1, "maxResults": 1, "fields": "summary"}
    page = (await jira.send("GET", "/search", params=ask)).json()
    assert (page["startAt"], page["maxResults"], page["total"]) == (1, 1, 3)
    assert [issue["key"] for issue in page["issues"]] == ["OPS-2"]
    assert (await jira.send("POST", "/search", {"jql": "labels = nope"})).json()["total"] == 0
    assert (await jira.search("project = OPS")).status_code == 404


async def test_the_search_index_lags_behind_writes(a_jira):
    jira = await a_jira(search_lag_s=5)
    made = await jira.create(labels=["first"])
    assert await jira.found("labels = first") == []
    jira.clock.forward(5)
    assert await jira.found("labels = first") == ["OPS-1"]
    await jira.send("PUT", f"/issue/{made['key']}", {"fields": {"labels": ["second"]}})
    assert (await jira.found("labels = first"), await jira.found("labels = second")) == (["OPS-1"], [])
    jira.clock.forward(5)
    assert (await jira.found("labels = first"), await jira.found("labels = second")) == ([], ["OPS-1"])
