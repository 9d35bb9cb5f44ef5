"""Who gets in at the simulated Jira, and how often."""

import httpx2
import pytest

WRONG = ("bot@example.org", "wrong")


@pytest.mark.parametrize("auth", [None, WRONG, ("other@example.org", "the-right-token")])
async def test_wrong_credentials_are_a_401_in_the_words_of_cloud(a_jira, auth):
    jira = await a_jira(auth=auth)
    answer = await jira.send("GET", "/myself")
    assert (answer.status_code, set(answer.json())) == (401, {"message", "status-code"})


async def test_wrong_credentials_are_a_page_of_html_on_data_center(a_jira):
    jira = await a_jira(mode="datacenter", auth=WRONG)
    answer = await jira.send("GET", "/myself")
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_personal_access_token_opens_data_center_but_not_cloud(a_jira):
    headers = {"Authorization": "Bearer the-right-token"}
    data_center = await a_jira(mode="datacenter", auth=None)
    assert (await data_center.send("GET", "/myself", headers=headers)).status_code == 200
    assert (await data_center.send("GET", "/myself", headers={"Authorization": "Bearer x"})).status_code == 401
    cloud = await a_jira(auth=None)
    assert (await cloud.send("GET", "/myself", headers=headers)).status_code == 401


async def test_data_center_takes_a_user_name_in_place_of_the_address(a_jira):
    jira = await a_jira(mode="datacenter", auth=("bot", "the-right-token"))
    assert (await jira.send("GET", "/myself")).status_code == 200


async def test_a_wrong_token_can_count_as_nobody_on_cloud(a_jira):
    jira = await a_jira(auth=WRONG, anonymous_on_bad_token=True)
    search = await jira.search("project = OPS")
    assert (search.status_code, search.json()["issues"]) == (200, [])
    create = await jira.try_create()
    assert create.status_code == 404
    for answer in (search, create):
        assert answer.headers["X-Seraph-LoginReason"] == "AUTHENTICATED_FAILED"


async def test_repeated_failures_lead_to_a_captcha_on_data_center(a_jira):
    jira = await a_jira(mode="datacenter", captcha_after=2)
    for _ in range(2):
        assert (await jira.send("GET", "/myself", auth=WRONG)).status_code == 401
    answer = await jira.send("GET", "/myself")
    assert answer.status_code == 403
    assert answer.headers["X-Authentication-Denied-Reason"].startswith("CAPTCHA_CHALLENGE")
    await jira.http.post("/_sandbox/reset")
    assert (await jira.send("GET", "/myself")).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_write_that_is_not_json_is_a_415(a_jira, kind):
    jira = await a_jira()
    answer = await jira.http.post("/rest/api/2/issue", content=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 415


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1]", b'{"fields": 3}'])
async def test_a_body_that_makes_no_sense_is_a_400(a_jira, body):
    jira = await a_jira()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = await jira.http.post("/rest/api/2/issue", content=body, headers=headers)
    assert (answer.status_code, set(answer.json())) == (400, {"errorMessages", "errors"})


async def test_an_address_that_is_not_there_is_a_404(a_jira):
    assert (await (await a_jira()).send("GET", "/nothing")).json()["status-code"] == 404
    data_center = await (await a_jira(mode="datacenter")).send("GET", "/nothing")
    assert (data_center.status_code, data_center.text[:5]) == (404, "<?xml")


async def test_cloud_limits_the_rate_and_says_when_to_come_back(a_jira):
    jira = await a_jira(rate_limit_per_minute=2)
    left = [(await jira.send("GET", "/myself")).headers["X-RateLimit-Remaining"] for _ in range(2)]
    assert left == ["1", "0"]
    jira.clock.forward(20)
    refused = await jira.try_create()
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "41")
    assert refused.headers["X-RateLimit-Limit"] == "2"
    assert refused.headers["X-RateLimit-Reset"] == "2026-03-04T05:07Z"
    assert refused.headers["X-RateLimit-NearLimit"] == "true"
    jira.clock.forward(41)
    assert (await jira.try_create()).status_code == 201
    assert (await jira.state())["counts"]["issue"] == 1


async def test_data_center_words_its_rate_limit_in_its_own_headers(a_jira):
    jira = await a_jira(mode="datacenter", rate_limit_per_minute=1)
    await jira.send("GET", "/myself")
    refused = await jira.send("GET", "/myself")
    assert refused.status_code == 429
    assert refused.headers["X-RateLimit-Interval-Seconds"] == "60"
    assert int(refused.headers["retry-after"]) > 0


async def test_no_credential_gets_into_the_state(a_jira):
    jira = await a_jira()
    await jira.create()
    await jira.send("GET", "/myself", auth=WRONG)
    shown = (await jira.http.get("/_sandbox/state")).text
    secret = httpx2.BasicAuth("bot@example.org", "the-right-token")._auth_header.removeprefix("Basic ")
    for word in ("the-right-token", secret, "authorization"):
        assert word not in shown
