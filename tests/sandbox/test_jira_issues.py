"""Issues of the simulated Jira: what it accepts, what it refuses, what it remembers."""

import pytest


async def test_a_created_issue_reads_back_as_it_was_sent(a_jira):
    jira = await a_jira()
    made = await jira.create(
        summary="Beacon from web-01",
        description="seen on two hosts",
        labels=["two-words", "casebridge-6f1c"],
        priority={"name": "High"},
        issuetype={"id": "10002"},
        customfield_10042="web-01",
    )
    assert (made["id"], made["key"]) == ("10000", "OPS-1")
    assert made["self"] == "http://jira.test/rest/api/2/issue/10000"
    fields = (await jira.issue(made["id"]))["fields"]
    assert fields["summary"] == "Beacon from web-01"
    assert fields["description"] == "seen on two hosts"
    assert fields["labels"] == ["two-words", "casebridge-6f1c"]
    assert fields["priority"]["name"] == "High"
    assert fields["issuetype"]["id"] == "10002"
    assert fields["customfield_10042"] == "web-01"
    assert fields["project"]["key"] == "OPS"
    assert fields["status"]["statusCategory"]["key"] == "new"
    assert fields["reporter"]["emailAddress"] == "bot@example.org"


async def test_times_have_milliseconds_and_no_colon_in_the_zone(a_jira):
    jira = await a_jira()
    made = await jira.create()
    assert (await jira.issue(made["key"]))["fields"]["created"] == "2026-03-04T05:06:07.000+0000"


async def test_each_project_counts_its_own_issues(a_jira):
    jira = await a_jira(project_keys=("OPS", "SOC"))
    keys = [(await jira.create(project={"key": key}))["key"] for key in ("OPS", "SOC", "OPS")]
    assert keys == ["OPS-1", "SOC-1", "OPS-2"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("project", {"key": "NOPE"}, "valid project is required"),
        ("summary", None, "You must specify a summary of the issue."),
        ("summary", "  ", "You must specify a summary of the issue."),
        ("summary", "x" * 256, "Summary must be less than 255 characters."),
        ("summary", "one\ntwo", "newline"),
        ("summary", 7, "must be a string"),
        ("description", "x" * 32_768, "exceeds the allowed limit of 32,767 characters"),
        ("description", {"type": "doc", "version": 1}, "must be a string"),
        ("labels", ["a b"], "The label 'a b' contains spaces which is invalid."),
        ("labels", ["x" * 256], "255"),
        ("labels", "vpn", "array"),
        ("issuetype", {"id": "999"}, "valid issue type is required"),
        ("issuetype", None, "valid issue type is required"),
        ("issuetype", {"id": "10004"}, "parent issue key or id not specified"),
        ("priority", {"name": "Urgent"}, "The priority selected is invalid."),
        ("priority", {"id": "2"}, "The priority selected is invalid."),
        ("priority", "High", "Specify the Priority (id or name) in the string format"),
        ("parent", {"key": "OPS-99"}, "Could not find issue"),
        ("duedate", "tomorrow", "Error parsing date"),
        ("customfield_10042", 5, "must be a string"),
        ("customfield_99999", "x", "Field 'customfield_99999' cannot be set. It is not on the appropriate screen"),
        ("customfield_10043", {"value": "EDR"}, "cannot be set"),
    ],
)
async def test_a_bad_value_is_refused_under_the_name_of_its_field(a_jira, field, value, said):
    jira = await a_jira()
    errors = await jira.errors(**{field: value})
    assert said in errors[field]
    assert (await jira.state())["counts"] == {"issue": 0, "comment": 0}


async def test_all_that_is_wrong_is_said_at_once(a_jira):
    jira = await a_jira()
    answer = await jira.try_create(summary=None, issuetype=None)
    assert answer.json() == {
        "errorMessages": [],
        "errors": {
            "summary": "You must specify a summary of the issue.",
            "issuetype": "valid issue type is required",
        },
    }


async def test_the_longest_values_allowed_are_accepted(a_jira):
    jira = await a_jira()
    await jira.create(summary="x" * 255, description="x" * 32_767, labels=["x" * 255])


async def test_custom_fields_take_values_of_their_own_kind(a_jira):
    jira = await a_jira()
    incident = {"id": "10002"}
    made = await jira.create(issuetype=incident, customfield_10043={"value": "EDR"}, customfield_10044=3)
    fields = (await jira.issue(made["key"]))["fields"]
    assert (fields["customfield_10043"], fields["customfield_10044"]) == ({"id": "10101", "value": "EDR"}, 3)
    errors = await jira.errors(issuetype=incident, customfield_10043={"value": "Guess"}, customfield_10044="3")
    assert set(errors) == {"customfield_10043", "customfield_10044"}


async def test_a_subtask_hangs_on_its_parent_and_holds_it_in_place(a_jira):
    jira = await a_jira()
    parent = await jira.create(summary="The whole")
    part = await jira.create(summary="A part", issuetype={"id": "10004"}, parent={"key": parent["key"]})
    assert (await jira.issue(part["key"]))["fields"]["parent"]["key"] == parent["key"]
    assert (await jira.issue(parent["key"]))["fields"]["subtasks"][0]["key"] == part["key"]
    assert "parent" in await jira.errors(issuetype={"id": "10004"}, parent={"key": part["key"]})
    assert (await jira.send("DELETE", f"/issue/{parent['key']}")).status_code == 400


async def test_an_update_answers_204_and_replaces_the_labels(a_jira):
    jira = await a_jira()
    made = await jira.create(labels=["old", "casebridge-6f1c"], description="before")
    jira.clock.forward(60)
    change = {"project": {"key": "OPS"}, "summary": "Odd logons, confirmed", "labels": ["new"]}
    answer = await jira.send("PUT", f"/issue/{made['id']}", {"fields": change})
    assert (answer.status_code, answer.content) == (204, b"")
    fields = (await jira.issue(made["id"]))["fields"]
    assert (fields["summary"], fields["labels"], fields["description"]) == ("Odd logons, confirmed", ["new"], "before")
    assert fields["updated"] == "2026-03-04T05:07:07.000+0000"


async def test_an_issue_does_not_change_its_project(a_jira):
    jira = await a_jira(project_keys=("OPS", "SOC"))
    made = await jira.create()
    answer = await jira.send("PUT", f"/issue/{made['id']}", {"fields": {"project": {"key": "SOC"}}})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["project"])


async def test_labels_can_be_added_and_removed_one_by_one(a_jira):
    jira = await a_jira()
    made = await jira.create(labels=["a", "b"])
    steps = {"update": {"labels": [{"add": "c"}, {"remove": "a"}, {"add": "b"}]}}
    assert (await jira.send("PUT", f"/issue/{made['key']}", steps)).status_code == 204
    assert (await jira.issue(made["key"]))["fields"]["labels"] == ["b", "c"]
    bad = {"update": {"labels": [{"add": "two words"}], "summary": [{"add": "x"}]}}
    assert set((await jira.send("PUT", f"/issue/{made['key']}", bad)).json()["errors"]) == {"labels", "summary"}


async def test_a_field_may_not_be_in_both_fields_and_update(a_jira):
    jira = await a_jira()
    made = await jira.create()
    both = {"fields": {"labels": ["a"]}, "update": {"labels": [{"add": "b"}]}}
    answer = await jira.send("PUT", f"/issue/{made['key']}", both)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["labels"])


async def test_a_refused_update_changes_nothing(a_jira):
    jira = await a_jira()
    made = await jira.create(labels=["a"])
    answer = await jira.send("PUT", f"/issue/{made['key']}", {"fields": {"labels": ["b"], "summary": ""}})
    assert answer.status_code == 400
    assert (await jira.issue(made["key"]))["fields"]["labels"] == ["a"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/issue/OPS-9"), ("PUT", "/issue/10009"), ("POST", "/issue/OPS-9/comment"), ("GET", "/issue/x/comment")],
)
async def test_an_unknown_issue_is_not_found(a_jira, method, path):
    jira = await a_jira()
    answer = await jira.send(method, path, {} if method != "GET" else None)
    assert answer.status_code == 404
    assert answer.json() == {
        "errorMessages": ["Issue does not exist or you do not have permission to see it."],
        "errors": {},
    }


async def test_a_deleted_issue_is_gone_but_its_creation_stays_counted(a_jira):
    jira = await a_jira()
    made = await jira.create()
    assert (await jira.send("DELETE", f"/issue/{made['key']}")).status_code == 204
    assert (await jira.send("GET", f"/issue/{made['key']}")).status_code == 404
    assert (await jira.state())["counts"]["issue"] == 1


async def test_only_the_fields_asked_for_come_back(a_jira):
    jira = await a_jira()
    made = await jira.create()
    answer = (await jira.send("GET", f"/issue/{made['key']}", params={"fields": "summary,labels"})).json()
    assert set(answer["fields"]) == {"summary", "labels"}


async def test_comments_are_listed_in_pages_oldest_first(a_jira):
    jira = await a_jira(page_size=2)
    made = await jira.create()
    ids = [(await jira.comment(made["key"], text)).json()["id"] for text in ("one", "two", "three")]
    assert ids == ["20000", "20001", "20002"]
    first = (await jira.send("GET", f"/issue/{made['key']}/comment")).json()
    assert [comment["body"] for comment in first["comments"]] == ["one", "two"]
    assert (first["startAt"], first["maxResults"], first["total"]) == (0, 2, 3)
    rest = (await jira.send("GET", f"/issue/{made['key']}/comment", params={"startAt": 2})).json()
    assert [comment["body"] for comment in rest["comments"]] == ["three"]


async def test_a_comment_is_edited_in_place(a_jira):
    jira = await a_jira()
    made = await jira.create()
    path = f"/issue/{made['key']}/comment/{(await jira.comment(made['key'])).json()['id']}"
    jira.clock.forward(60)
    assert (await jira.send("PUT", path, {"body": "isolated"})).status_code == 200
    comment = (await jira.send("GET", path)).json()
    assert (comment["body"], comment["created"] < comment["updated"]) == ("isolated", True)
    assert (await jira.state())["counts"]["comment"] == 1


async def test_a_comment_that_is_not_there_cannot_be_edited(a_jira):
    jira = await a_jira()
    made = await jira.create()
    answer = await jira.send("PUT", f"/issue/{made['key']}/comment/5", {"body": "isolated"})
    assert (answer.status_code, answer.json()["errors"]) == (404, {})


@pytest.mark.parametrize("text", ["", " \n", "x" * 32_768, {"type": "doc"}, None])
async def test_a_comment_needs_a_text_of_a_fitting_length(a_jira, text):
    jira = await a_jira()
    made = await jira.create()
    answer = await jira.comment(made["key"], text)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["comment"])


async def test_a_comment_can_carry_properties(a_jira):
    jira = await a_jira()
    made = await jira.create()
    marked = {"body": "isolated", "properties": [{"key": "casebridge", "value": {"comment": "c-9"}}]}
    await jira.send("POST", f"/issue/{made['key']}/comment", marked)
    listed = (await jira.send("GET", f"/issue/{made['key']}/comment", params={"expand": "properties"})).json()
    assert listed["comments"][0]["properties"] == marked["properties"]


async def test_an_issue_is_closed_through_a_transition_to_a_done_status(a_jira):
    jira = await a_jira()
    made = await jira.create()
    path = f"/issue/{made['key']}/transitions"
    rows = (await jira.send("GET", path)).json()["transitions"]
    done = next(row for row in rows if row["to"]["statusCategory"]["key"] == "done")
    assert (await jira.send("POST", path, {"transition": {"id": done["id"]}})).status_code == 204
    fields = (await jira.issue(made["key"]))["fields"]
    assert (fields["status"]["name"], fields["resolution"]["name"]) == ("Done", "Done")
    assert (await jira.send("POST", path, {"transition": {"id": done["id"]}})).status_code == 400


async def test_a_screen_may_demand_a_resolution(a_jira):
    jira = await a_jira(resolution_required=True)
    made = await jira.create()
    path = f"/issue/{made['key']}/transitions"
    refused = await jira.send("POST", path, {"transition": {"id": "31"}})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["resolution"])
    chosen = {"transition": {"id": "31"}, "fields": {"resolution": {"name": "Duplicate"}}}
    assert (await jira.send("POST", path, chosen)).status_code == 204


async def test_a_property_is_new_once_and_replaced_after_that(a_jira):
    jira = await a_jira()
    made = await jira.create()
    path = f"/issue/{made['key']}/properties/casebridge"
    assert (await jira.send("GET", path)).status_code == 404
    assert [(await jira.send("PUT", path, {"n": n})).status_code for n in (1, 2)] == [201, 200]
    assert (await jira.send("GET", path)).json() == {"key": "casebridge", "value": {"n": 2}}


async def test_properties_ride_along_with_a_create(a_jira):
    jira = await a_jira()
    fields = {"project": {"key": "OPS"}, "summary": "Odd logons", "issuetype": {"id": "10001"}}
    await jira.send(
        "POST", "/issue", {"fields": fields, "properties": [{"key": "casebridge", "value": {"case": "6f"}}]}
    )
    assert (await jira.state())["issues"][0]["properties"] == {"casebridge": {"case": "6f"}}


async def test_a_remote_link_with_the_same_global_id_is_replaced(a_jira):
    jira = await a_jira()
    made = await jira.create()
    path = f"/issue/{made['key']}/remotelink"
    link = {"globalId": "casebridge:6f", "object": {"url": "https://cases.example.org/6f", "title": "Case"}}
    renamed = {**link, "object": {**link["object"], "title": "Case, closed"}}
    answers = [await jira.send("POST", path, one) for one in (link, renamed)]
    assert [answer.status_code for answer in answers] == [201, 200]
    rows = (await jira.send("GET", path)).json()
    assert [row["object"]["title"] for row in rows] == ["Case, closed"]
