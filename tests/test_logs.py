"""What is logged: form, severity, and never a secret."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import structlog

from casebridge import logs


@pytest.fixture
def logging_to() -> Iterator[Callable[..., io.StringIO]]:
    """Sets logging up into a text and puts everything back at the end."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in ("uvicorn.error", "httpx2", "httpcore2", "asyncio")}

    def set_up(form: str, least: str = "info") -> io.StringIO:
        stream = io.StringIO()
        logs.set_up(least, form, stream)
        return stream

    yield set_up
    root.handlers, root.level = handlers, level
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


def test_a_line_for_people_tells_time_severity_event_and_values(logging_to: Callable[..., io.StringIO]):
    stream = logging_to("text")
    structlog.get_logger("any").warning("a thing happened", case="c1", reason="two words")

    assert stream.getvalue().partition(" ")[2] == 'warning a thing happened case=c1 reason="two words"\n'


def test_a_json_line_is_one_object(logging_to: Callable[..., io.StringIO]):
    stream = logging_to("json")
    structlog.get_logger("any").info("a thing happened", values=[1, {"a": object}])

    (line,) = stream.getvalue().splitlines()
    event = msgspec.json.decode(line)
    assert (event["event"], event["level"], event["logger"]) == ("a thing happened", "info", "any")


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_event_never_breaks_its_line(logging_to: Callable[..., io.StringIO], form: str):
    stream = logging_to(form)
    structlog.get_logger("any").info("one\ntwo", value="three\nfour\x1b[31m")

    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_masked_wherever_they_stand(logging_to: Callable[..., io.StringIO], form: str):
    stream = logging_to(form)
    log = structlog.get_logger("any")
    log.info("x", password="hunter2", apiToken="hunter2", Authorization="Basic hunter2", api_key=["hunter2"])
    log.info("x", nested={"deep": [{"secrets": {"a": "hunter2"}}]})
    log.info("cannot reach postgresql://u:hunter2@db/x", url="https://u:hunter2@jira/y")
    logging.getLogger("library").warning("no way to %s", "https://u:hunter2@jira/")
    try:
        raise ValueError("cannot reach postgresql://u:hunter2@db/x")
    except ValueError:
        log.exception("failed")

    assert "hunter2" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


def test_less_severe_lines_are_left_out(logging_to: Callable[..., io.StringIO]):
    stream = logging_to("text", "warning")
    structlog.get_logger("any").info("not told")
    logging.getLogger("library").info("not told")

    assert stream.getvalue() == ""


def test_other_values_stay_as_they_are():
    event: dict[str, Any] = {"event": "x", "case": "c1", "count": 3, "token": None, "has_secret": True}

    assert logs.scrub(None, "info", dict(event)) == event
