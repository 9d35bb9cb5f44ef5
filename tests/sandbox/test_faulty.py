"""Faults over a real socket: what the caller sees, and whether the work was done."""

import asyncio
import time

import httpx2
import pytest

from casebridge.sandbox.faulty import ConnectionDropped


async def counts(jira):
    return (await jira.state())["counts"]["issue"]


async def last_request(jira):
    return (await jira.state())["requests"][-1]


async def raw_answer(jira, fault: str) -> bytes:
    """All bytes that arrive for a create until the server closes the connection."""
    await jira.fault(fault)
    url = jira.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    request = jira.http.build_request(
        "POST",
        "/rest/api/2/issue",
        json={"fields": {"project": {"key": "OPS"}, "summary": "Odd logons", "issuetype": {"id": "10001"}}},
    )
    signed = next(httpx2.BasicAuth("bot@example.org", "the-right-token").auth_flow(request))
    head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
    writer.write(f"POST /rest/api/2/issue HTTP/1.1\r\n{head}\r\n".encode() + signed.read())
    try:
        return await asyncio.wait_for(reader.read(), 3)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(("fault", "done"), [("create=drop-before", 0), ("create=drop-after", 1)])
async def test_a_dropped_connection_is_closed_without_a_byte(a_served_jira, fault, done):
    jira = await a_served_jira()
    assert await raw_answer(jira, fault) == b""
    assert await counts(jira) == done


@pytest.mark.parametrize(("fault", "done"), [("create=drop-before", 0), ("create=drop-after", 1)])
async def test_the_caller_of_a_dropped_connection_sees_a_disconnect(a_served_jira, fault, done):
    jira = await a_served_jira(faults=[fault])
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        await jira.try_create()
    request = await last_request(jira)
    assert (request["status"], request["done"]) == (None, 201 if done else None)
    assert await counts(jira) == done
    assert (await jira.try_create()).status_code == 201


async def test_in_process_a_dropped_connection_is_an_error_of_its_own(a_jira):
    jira = await a_jira(faults=["create=drop-after"])
    with pytest.raises(ConnectionDropped):
        await jira.try_create()
    assert await counts(jira) == 1


async def test_half_an_answer_promises_more_than_it_brings(a_served_jira):
    jira = await a_served_jira()
    head, _, body = (await raw_answer(jira, "create=half-body")).partition(b"\r\n\r\n")
    promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert head.startswith(b"HTTP/1.1 201")
    assert 0 < len(body) < promised
    assert await counts(jira) == 1


async def test_half_an_answer_is_an_error_for_the_caller(a_served_jira):
    jira = await a_served_jira(faults=["create=half-body"])
    with pytest.raises(httpx2.RemoteProtocolError):
        await jira.try_create()


async def test_a_bodiless_answer_cut_in_half_never_comes(a_served_jira):
    jira = await a_served_jira(faults=["update=half-body"])
    made = await jira.create()
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        await jira.send("PUT", f"/issue/{made['key']}", {"fields": {"summary": "Changed"}})
    assert (await jira.issue(made["key"]))["fields"]["summary"] == "Changed"


async def test_a_hanging_request_does_nothing_until_the_caller_gives_up(a_served_jira):
    jira = await a_served_jira(faults=["create=hang"])
    with pytest.raises(httpx2.ReadTimeout):
        await jira.http.post("/rest/api/2/issue", json={}, timeout=0.1)
    assert (await last_request(jira))["status"] is None
    assert await counts(jira) == 0


async def test_a_delayed_request_is_worked_on_although_the_caller_has_left(a_served_jira):
    jira = await a_served_jira(faults=["create=delay:0.15"])
    with pytest.raises(httpx2.ReadTimeout):
        await jira.http.post(
            "/rest/api/2/issue",
            json={"fields": {"project": {"key": "OPS"}, "summary": "Late", "issuetype": {"id": "10001"}}},
            timeout=0.05,
        )
    assert await counts(jira) == 0
    await asyncio.sleep(0.15)
    assert await counts(jira) == 1


async def test_a_slow_answer_comes_after_the_work(a_served_jira):
    jira = await a_served_jira(faults=["create=slow-answer:0.1"])
    started = time.monotonic()
    creating = asyncio.create_task(jira.try_create())
    await asyncio.sleep(0.05)
    assert await counts(jira) == 1
    assert (await creating).status_code == 201
    assert time.monotonic() - started >= 0.1


async def test_a_slow_search_does_not_hold_up_others(a_jira):
    jira = await a_jira(faults=["search=delay:0.1"])
    searching = asyncio.create_task(jira.search("project = OPS"))
    await asyncio.sleep(0)
    await jira.create()
    assert not searching.done()
    await searching


@pytest.mark.parametrize(("fault", "done"), [("create=html", 0), ("create=html-after", 1)])
async def test_a_login_page_comes_in_place_of_the_answer(a_jira, fault, done):
    jira = await a_jira(faults=[fault])
    answer = await jira.try_create()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert await counts(jira) == done


async def test_an_answer_can_lack_the_id(a_jira):
    jira = await a_jira(faults=["create=no-id", "comment=no-id"])
    answer = await jira.try_create()
    assert (answer.status_code, "id" in answer.json(), answer.json()["key"]) == (201, False, "OPS-1")
    assert "id" not in (await jira.comment("OPS-1")).json()
    assert (await jira.state())["counts"] == {"issue": 1, "comment": 1}


@pytest.mark.parametrize("status", [400, 401, 404, 408, 500, 502, 503, 599])
async def test_any_status_can_be_had_in_the_words_of_jira(a_jira, status):
    jira = await a_jira(faults=[f"create=status:{status}"])
    answer = await jira.try_create()
    assert (answer.status_code, isinstance(answer.json(), dict)) == (status, True)
    assert await counts(jira) == 0
    assert (await jira.try_create()).status_code == 201


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ({"errorMessages": ["Down"]}, "application/json", '{"errorMessages":["Down"]}'),
        ("Down for repairs", "text/plain; charset=utf-8", "Down for repairs"),
        ('{"errorMessages":[]}', "application/json", '{"errorMessages":[]}'),
    ],
)
async def test_a_status_can_have_a_body_of_ones_own(a_jira, body, kind, text):
    jira = await a_jira()
    await jira.fault({"match": {"step": "create"}, "kind": "status:503", "body": body})
    answer = await jira.try_create()
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (503, kind, text)


async def test_a_rate_limit_names_the_seconds_to_wait(a_jira):
    jira = await a_jira(faults=["create=rate-limit:7"])
    answer = await jira.try_create()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.headers["X-RateLimit-Reset"] == "2026-03-04T05:06Z"


async def test_a_search_lag_lasts_until_the_index_has_caught_up(a_jira):
    jira = await a_jira(faults=["search=search-lag:5"])
    await jira.create(labels=["marker"])
    assert [await jira.found("labels = marker") for _ in range(2)] == [[], []]
    jira.clock.forward(5)
    assert await jira.found("labels = marker") == ["OPS-1"]


async def test_the_second_comment_can_be_the_one_that_fails(a_jira):
    jira = await a_jira(faults=["comment=status:503*2@1"])
    await jira.create()
    answers = [(await jira.comment("OPS-1", str(n))).status_code for n in range(4)]
    assert answers == [201, 503, 503, 201]
    assert [request["record"] for request in (await jira.state())["requests"]] == ["OPS-1"] * 5
    assert [creation["kind"] for creation in (await jira.state())["created"]] == ["issue", "comment", "comment"]
