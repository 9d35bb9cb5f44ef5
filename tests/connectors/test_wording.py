"""The words of a failure, and the secrets that are not among them."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from casebridge.connectors.wording import Scrubber, failure, readable, sentence

SECRETS = {"user": "ann@example.org", "password": 'p"ss/w<rd +é', "more": {"X-Token": "nested-secret"}}


@pytest.mark.parametrize(
    "form",
    [
        "ann@example.org",
        'p"ss/w<rd +é',
        'p\\"ss/w<rd +é',
        quote('p"ss/w<rd +é', safe=""),
        "p&quot;ss/w&lt;rd +é",
        "nested-secret",
        base64.b64encode('ann@example.org:p"ss/w<rd +é'.encode()).decode(),
        base64.b64encode('ann@example.org:p"ss/w<rd +é'.encode()).decode().rstrip("="),
        base64.b64encode(b"nested-secret").decode(),
    ],
)
def test_a_secret_is_taken_out_in_every_form_it_may_be_quoted_in(form: str):
    assert Scrubber(SECRETS)(f"before {form} after") == "before [redacted] after"


def test_a_short_secret_is_taken_out_only_as_a_word_of_its_own():
    scrub = Scrubber({"user": "bot"})
    assert scrub("robots: user bot, 'bot'") == "robots: user [redacted], '[redacted]'"


def test_without_secrets_nothing_changes():
    assert Scrubber({})("a b") == "a b"
    assert Scrubber({"user": None})("a b") == "a b"


def test_a_failure_names_system_deed_error_and_reason():
    assert failure("Jira", "create incident", "Jira answered 400", "No summary.") == (
        "[Action][Jira]: Unable to create incident. Error: Jira answered 400. Reason: No summary."
    )
    assert failure("Jira", "get incident", "it timed out", " ").endswith("Error: it timed out.")


def test_a_reason_is_one_line_and_not_endless():
    assert sentence("a\n  b") == "a b."
    assert len(sentence("x" * 5000)) < 1100


@pytest.mark.parametrize("page", ["<!DOCTYPE html>x", "before <html lang='en'>", '<?xml version="1.0"?>'])
def test_pages_are_not_readable(page: str):
    assert readable(page) == ""
    assert readable("a < b and <value>") == "a < b and <value>"
