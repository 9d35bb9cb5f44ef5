"""Searches find the same cases on both databases, whatever the text."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casebridge.domain.case import Case, NewCase, open_case
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.query import CaseFilter, CaseQuery
from casebridge.domain.search import Node, Not, Phrase, Search, Several, Term, read_search
from casebridge.domain.user import Actor, User
from casebridge.storage import cases
from casebridge.storage import words as word_room
from casebridge.storage.session import Database
from casebridge.storage.unit import Unit
from casebridge.storage.words import keyword, split, words_of

DANA = User("dana", "Dana Lee", None)
NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)
FILTER = CaseFilter(space="default", owners=("cases",))

TEXTS: list[dict[str, Any]] = [
    {"title": "Issue at web-01", "description": "logged on from 10.0.0.8 twice", "tags": ("front desk",)},
    {"title": "Badge reader offline", "description": "Door 4 stopped; see example.org/door", "category": "Facilities"},
    {"title": "ISSUES everywhere", "description": "cmd.exe ran foo_bar.dll", "tags": ("vpn", "issue")},
    {"title": "Straße gesperrt", "description": "Ünïcode, it's all here", "tags": ("a'b\\c",)},
    {"title": "the door of the issue", "description": "nothing 日本語 here"},
]


def unit(database: Database) -> Unit:
    return Unit(database, Actor(DANA, ("superuser",)), "default", NOON, lambda: str(uuid.uuid4()))


async def opened(database: Database, **given: Any) -> Case:
    new = NewCase(**{"owner": "cases", "tags": (), "connector": NO_CONNECTOR, **given})
    change = open_case(new, (), id_=str(uuid.uuid4()), space="default", by=DANA, at=NOON)
    work = unit(database)
    work.open(change.case, change.activity)
    return (await work.save())[0]


async def titles(
    database: Database, text: str, operator: str = "OR", fields: tuple[str, ...] | None = None
) -> list[str]:
    search = read_search(text, operator, fields)  # type: ignore[arg-type]
    found = await cases.find(database, CaseQuery(filter=FILTER, search=search))
    if search is not None:
        assert await cases.count_found(database, FILTER, search) == len(found)
    return [case.title for case in found]


@pytest.fixture
async def five(database: Database) -> list[Case]:
    return [await opened(database, **given) for given in TEXTS]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Issue", [0, 2, 4]),
        ("Iss", []),
        ("Iss*", [0, 2, 4]),
        ("issue + web", [0]),
        ("issue -web", [0, 1, 2, 3, 4]),
        ("issue + -web", [2, 4]),
        ("door badge", [1, 4]),
        ('"badge reader"', [1]),
        ('"reader badge"', []),
        ('"web-01"', [0]),
        ("web-02", [0]),
        ("10.0.0.8", [0]),
        ("10.0.0", []),
        ("10.0.*", [0]),
        ("foo_bar.dll", [2]),
        ("STRASSE", [3]),
        ("front", []),
        ('"front desk"', [0]),
        (r"front\ desk", [0]),
        ("facil*", [1]),
        ("vpn", [2]),
        ("3", [2]),
        ("dana", [0, 1, 2, 3, 4]),
        ("日", [4]),
        ("a'b\\\\c", [3]),
        ("()", []),
        ("(door + badge) | vpn", [1, 2]),
        ("-door", [0, 2, 3]),
        ("'; DROP TABLE cases; --", []),
    ],
)
async def test_a_search_finds_what_the_contract_says(
    database: Database, five: list[Case], text: str, expected: list[int]
):
    assert await titles(database, text) == [five[number].title for number in expected]


async def test_parts_of_a_word_are_combined_by_the_operator(database: Database, five: list[Case]):
    assert await titles(database, "web-02", "AND") == []
    assert await titles(database, "web-01", "AND") == [five[0].title]


async def test_named_fields_are_looked_at_alone(database: Database, five: list[Case]):
    assert await titles(database, "door", fields=("title",)) == [five[4].title]
    assert await titles(database, "door", fields=("description",)) == [five[1].title]
    assert await titles(database, "vpn", fields=("title", "description")) == []
    assert await titles(database, "2", fields=("number",)) == [five[1].title]
    assert await titles(database, "issue", fields=("number",)) == []


async def test_a_running_number_is_found_whole_or_by_its_beginning(database: Database):
    made = [await opened(database, title=f"case {number}", description="x") for number in range(12)]

    assert await titles(database, "1", fields=("number",)) == [made[0].title]
    assert await titles(database, "1*", fields=("number",)) == [made[n].title for n in (0, 9, 10, 11)]


async def test_a_case_is_found_by_its_whole_id_whatever_the_fields(database: Database, five: list[Case]):
    assert await titles(database, five[1].id, fields=("title",)) == [five[1].title]


async def test_the_index_follows_edits_and_deletions(database: Database, five: list[Case]):
    work = unit(database)
    work.update(five[0], msgspec.structs.replace(five[0], title="renamed", tags=("new tag",)), ())
    await work.save()
    work = unit(database)
    work.remove(five[4])
    await work.save()

    assert await titles(database, "issue") == [five[2].title]
    assert await titles(database, "renamed") == ["renamed"]
    assert await titles(database, '"new tag"') == ["renamed"]
    assert await titles(database, '"front desk"') == []


WORDS = ("issue", "web", "01", "door", "desk", "vpn", "is", "10.0.0.8", "front", "it's", "facilities", "x")
SIGNS = st.sampled_from(["+", "|", "-", "(", ")", '"', "*", "~2", "\\", " ", "'", ":", "!", "&", "<->"])
QUERIES = st.lists(st.one_of(st.sampled_from(WORDS), SIGNS, st.just(" ")), max_size=14).map("".join)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=QUERIES | st.text(max_size=30), operator=st.sampled_from(["OR", "AND"]))
async def test_both_databases_find_what_a_plain_reading_of_the_tree_finds(
    database: Database, five: list[Case], text: str, operator: str
):
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        return
    search = read_search(text, operator)  # type: ignore[arg-type]
    expected = [case.title for case in five if search is None or matches(case, search)]

    assert await titles(database, text, operator) == expected


def matches(case: Case, search: Search) -> bool:
    return search.tree is not None and holds(case, search.tree, search.operator)


def holds(case: Case, node: Node, operator: str) -> bool:
    if isinstance(node, Not):
        return not holds(case, node.inner, operator)
    if isinstance(node, Several):
        return (all if node.operator == "AND" else any)(holds(case, part, operator) for part in node.parts)
    return _leaf(case, node, operator)


def _leaf(case: Case, node: Term | Phrase, operator: str) -> bool:
    words = words_of(case)
    parts, value = split(node.text), keyword(node.text)
    prefix = isinstance(node, Term) and node.prefix
    number = node.text.strip()
    if number.isascii() and number.isdigit() and not number.startswith("0"):
        own = str(case.incremental_id)
        if own == number or (prefix and own.startswith(number)):
            return True
    if value and any(each == value or (prefix and each.startswith(value)) for each in words.keywords):
        return True
    if not parts:
        return False
    if isinstance(node, Phrase):
        return any(_in_sequence(parts, text) for text in (words.title, words.description))
    everything = {*words.title, *words.description}
    found = [part in everything for part in parts[:-1]]
    found.append(any(each == parts[-1] or (prefix and each.startswith(parts[-1])) for each in everything))
    return (all if operator == "AND" else any)(found)


def _in_sequence(parts: list[str], text: tuple[str, ...]) -> bool:
    return any(list(text[at : at + len(parts)]) == parts for at in range(len(text) - len(parts) + 1))


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=40) | st.text(alphabet="ab01.:'_,; -", max_size=20))
def test_ascii_texts_are_split_as_unicode_says(text: str):
    assert word_room._split_ascii(text) == word_room._split_any(text)


@pytest.mark.parametrize(
    "text",
    ["-(a" * 40, "(a -" * 50, '"' + "a b " * 8_000 + '"', "1* | 2* " * 120, "a." * 20_000, "-(-(-(a b)))" * 20],
    ids=["negations", "parentheses", "long phrase", "numbers", "long word", "negated groups"],
)
async def test_no_text_is_too_much_for_a_database(database: Database, five: list[Case], text: str):
    for operator in ("AND", "OR"):
        await titles(database, text, operator)
