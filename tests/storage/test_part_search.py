"""Searches in comments, observables, custom fields and alert ids, the same on both databases whatever the text."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case, NewCase, open_case
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.custom_field import CustomFieldDefinition, CustomFieldValue
from casebridge.domain.observable import Observable
from casebridge.domain.query import CaseFilter, CaseQuery, ToggleFilter
from casebridge.domain.search import ALL_SEARCH_FIELDS, Node, Not, Phrase, Search, Several, Term, read_search
from casebridge.domain.user import Actor, User
from casebridge.storage import alerts, cases, parts
from casebridge.storage.session import Database
from casebridge.storage.unit import Unit
from casebridge.storage.words import split

DANA = User("dana", "Dana Lee", None)
NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)
FILTER = CaseFilter(space="default", owners=("cases",))
FIELDS = tuple(dict.fromkeys(ALL_SEARCH_FIELDS.values()))
FIELDS_OF_VALUES = (
    CustomFieldDefinition("ref", "Reference", "text", required=False),
    CustomFieldDefinition("score", "Score", "number", required=False),
    CustomFieldDefinition("vip", "VIP", "toggle", required=False),
)


class Laden(msgspec.Struct, frozen=True):
    """A case and what hangs on it."""

    case: Case
    attached: tuple[Attachment, ...]
    alert_ids: tuple[str, ...] = ()

    @property
    def comments(self) -> list[str]:
        return [text for each in self.attached if (text := parts.comment_text(each)) is not None]


def unit(database: Database) -> Unit:
    return Unit(database, Actor(DANA, ("superuser",)), "default", NOON, lambda: str(uuid.uuid4()))


async def opened(database: Database, title: str = "x", **fields: Any) -> Case:
    values = tuple(
        CustomFieldValue(each.key, each.type, fields[each.key]) for each in FIELDS_OF_VALUES if each.key in fields
    )
    new = NewCase(
        owner="cases", title=title, description="y", tags=(), connector=NO_CONNECTOR, custom_fields=values or None
    )
    definitions = FIELDS_OF_VALUES if values else ()
    change = open_case(new, definitions, id_=str(uuid.uuid4()), space="default", by=DANA, at=NOON)
    work = unit(database)
    work.open(change.case, change.activity)
    return (await work.save())[0]


def comment(case: Case, seq: int, text: str, type_: str = "user") -> Attachment:
    payload = {"type": type_, "owner": case.owner, "comment": text}
    return Attachment(
        id=str(uuid.uuid4()),
        case_id=case.id,
        seq=seq,
        type=type_,
        owner=case.owner,
        payload=payload,
        created_at=NOON,
        created_by=DANA,
    )


def observables(*values: str) -> tuple[Observable, ...]:
    return tuple(Observable(str(n), "observable-type-url", value, None, NOON) for n, value in enumerate(values))


async def laden(
    database: Database,
    *,
    comments: Sequence[str] = (),
    seen: Sequence[str] = (),
    alert_ids: Sequence[str] = (),
    **given: Any,
) -> Laden:
    case = await opened(database, **given)
    attached = tuple(comment(case, seq, text) for seq, text in enumerate(comments, 1))
    work = unit(database)
    work.update(case, msgspec.structs.replace(case, observables=observables(*seen)), ())
    for each in attached:
        work.attach(each)
    work.also(*alerts.link_writes(case, (), alert_ids))
    (case,) = await work.save()
    rows = await database.read("SELECT id, version FROM attachment WHERE case_id = :id", {"id": case.id})
    versions = dict(rows)
    stored = tuple(msgspec.structs.replace(each, version=versions[each.id]) for each in attached)
    return Laden(case, stored, tuple(alert_ids))


@pytest.fixture
async def four(database: Database) -> list[Laden]:
    return [
        await laden(
            database,
            title="Door of 12",
            comments=["Badge reader is dead", "dead again, web-01 too", "***"],
            seen=["https://evil.example.org/a?b=1", "10.0.0.8"],
            alert_ids=["a-1", "dead again"],
        ),
        await laden(
            database, comments=["web reader", "01 door 日本"], seen=["10.0.0.9", "!!"], ref="IT 4711", vip=True
        ),
        await laden(database, title="reader", ref="it's RED", score=12, vip=False, alert_ids=["a-1", '"q" -x']),
        await laden(database, comments=["-"], seen=["fe80::1"]),
    ]


async def numbers(
    database: Database, four: Sequence[Laden], text: str, *fields: str, operator: str = "OR", owners: Any = ("cases",)
) -> list[int]:
    """Which of the cases are found, by their place."""
    search = read_search(text, operator, fields or FIELDS)  # type: ignore[arg-type]
    if search is not None:
        search = msgspec.structs.replace(search, comment_owners=owners)
    found = [case.id for case in await cases.find(database, CaseQuery(filter=FILTER, search=search))]
    if search is not None:
        assert await cases.count_found(database, FILTER, search) == len(found)
    return [place for place, each in enumerate(four) if each.case.id in found]


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        ("dead", ("comment",), [0]),
        ("DEAD + again", ("comment",), [0]),
        ("badge + again", ("comment",), []),
        ("badge again", ("comment",), [0]),
        ('"reader is"', ("comment",), [0]),
        ('"is reader"', ("comment",), []),
        ("rea*", ("comment",), [0, 1]),
        ("rea", ("comment",), []),
        ("-dead", ("comment",), [0, 1, 3]),
        ("reader + -dead", ("comment",), [1]),
        ("web-01", ("comment",), [0, 1]),
        ("日", ("comment",), [1]),
        ("***", ("comment",), []),
        ("12", ("comment",), []),
        ("10.0.0.8", ("observable",), [0]),
        ("evil.example.org", ("observable",), [0]),
        ("https://evil.example.org/a?b=1", ("observable",), [0]),
        ("https://evil.example.org/b", ("observable",), []),
        ("https://ev*", ("observable",), [0]),
        ("10.0.0.*", ("observable",), [0, 1]),
        ("fe80\\:\\:1", ("observable",), [3]),
        ("fe80::2", ("observable",), []),
        ("!!", ("observable",), [1]),
        ("4711", ("observable",), []),
        ("4711", ("custom_field",), [1]),
        ('"it 4711"', ("custom_field",), [1]),
        ("red", ("custom_field",), [2]),
        ("12", ("custom_field",), [2]),
        ("true", ("custom_field",), [1]),
        ("10.0.0.9 red", ("observable", "custom_field"), [1, 2]),
        ("10.0.0.9 + 4711", ("observable", "custom_field"), [1]),
        ("a-1", ("alert",), [0, 2]),
        ("A-1", ("alert",), []),
        ("a-*", ("alert",), []),
        ("a", ("alert",), []),
        ("dead again", ("alert",), [0]),
        ('"dead again"', ("alert",), [0]),
        ('"q" -x', ("alert",), [2]),
        ("a-1", ("event",), []),
        ("reader", ("title", "comment"), [0, 1, 2]),
        ("door + dead", ("title", "comment"), []),
        ("-reader", ("title", "alert"), [0, 1, 3]),
    ],
)
async def test_each_field_is_searched_as_the_contract_says(
    database: Database, four: list[Laden], text: str, fields: tuple[str, ...], expected: list[int]
):
    assert await numbers(database, four, text, *fields) == expected


async def test_a_search_without_named_fields_finds_observables_as_whole_values(database: Database, four: list[Laden]):
    for text, expected in (("10.0.0.8", 1), ("evil.example.org", 0), ("https://evil*", 1), ("4711", 0), ("dead", 0)):
        search = read_search(text)
        assert search is not None
        assert await cases.count_found(database, FILTER, search) == expected, text


async def test_comments_and_alerts_of_owners_that_may_not_be_read_find_nothing(database: Database, four: list[Laden]):
    for text in ("dead", "-nothing", "a-1"):
        assert await numbers(database, four, text, "comment", "alert", owners=()) == []
        assert await numbers(database, four, text, "comment", "alert", owners=("observability",)) == []
    assert await numbers(database, four, "reader", "title", "comment", owners=()) == [2]


# The index follows


async def test_an_edited_comment_is_found_by_its_new_words_alone(database: Database, four: list[Laden]):
    old = four[0].attached[0]
    new = msgspec.structs.replace(old, payload={**old.payload, "comment": "Lens cleaned"})
    work = unit(database)
    work.update(four[0].case, four[0].case, ())
    work.replace_attachment(old, new)
    await work.save()

    assert await numbers(database, four, "badge", "comment") == []
    assert await numbers(database, four, "lens", "comment") == [0]
    assert await numbers(database, four, "again", "comment") == [0]


async def test_a_deleted_comment_is_found_no_more(database: Database, four: list[Laden]):
    work = unit(database)
    work.update(four[0].case, four[0].case, ())
    work.detach(four[0].attached[0])
    await work.save()

    assert await numbers(database, four, "badge", "comment") == []
    assert await numbers(database, four, "again", "comment") == [0]


async def test_changed_observables_and_custom_fields_are_found_by_their_new_values(
    database: Database, four: list[Laden]
):
    case = four[1].case
    values = (CustomFieldValue("ref", "text", "gone fishing"), *case.custom_fields[1:])
    changed = msgspec.structs.replace(case, observables=case.observables[1:], custom_fields=values)
    work = unit(database)
    work.update(case, changed, ())
    await work.save()

    assert await numbers(database, four, "10.0.0.9", "observable") == []
    assert await numbers(database, four, "!!", "observable") == [1]
    assert await numbers(database, four, "4711", "custom_field") == []
    assert await numbers(database, four, '"gone fishing"', "custom_field") == [1]
    assert await numbers(database, four, "true", "custom_field") == [1]
    assert await numbers(database, four, "door", "comment") == [1]


async def test_a_change_that_is_taken_back_leaves_the_index_alone(database: Database, four: list[Laden]):
    stale = msgspec.structs.replace(four[0].case, version=1)
    for attempt in ("comments", "case"):
        work = unit(database)
        if attempt == "comments":
            work.update(stale, stale, ())
            work.detach(four[0].attached[0])
            work.attach(comment(stale, 9, "never there"))
        else:
            work.remove(stale)
        with pytest.raises(Exception, match="version"):
            await work.save()

    assert await numbers(database, four, "badge", "comment") == [0]
    assert await numbers(database, four, "never", "comment") == []
    assert await numbers(database, four, "10.0.0.8", "observable") == [0]


async def test_nothing_is_left_of_deleted_cases(database: Database, four: list[Laden]):
    extra = comment(four[3].case, 7, "an action's words", "actions")
    work = unit(database)
    work.update(four[3].case, four[3].case, ())
    work.attach(extra)
    (last,) = await work.save()
    work = unit(database)
    for case in (*(each.case for each in four[:3]), last):
        work.remove(case)
    await work.save()

    new = [await laden(database, comments=["new"], seen=["192.0.2.1"])]
    assert await numbers(database, new, "new", "comment") == [0]
    if database.dialect == "sqlite":
        assert await database.read("SELECT count(*) FROM part_words") == [(2,)]
        for word in ("dead", "door", "10", "4711", "action's", "evil.example.org"):
            query = {"word": f'"{word}" *'}
            assert await database.read("SELECT rowid FROM part_words WHERE part_words MATCH :word", query) == []


async def test_a_case_without_values_costs_its_creation_no_statement(database: Database):
    case = open_case(
        NewCase(owner="cases", title="x", description="y", tags=(), connector=NO_CONNECTOR),
        (),
        id_="1",
        space="default",
        by=DANA,
        at=NOON,
    ).case
    assert parts.writes([(None, case)], []) == []
    assert not any("value_words" in each.sql for each in cases.insert_writes(case, database.dialect))


# Toggles


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("vip", (True,), [1]),
        ("vip", (False,), [2]),
        ("vip", (True, False), [1, 2]),
        ("vip", (None,), [0, 3, 4]),
        ("vip", (None, True), [0, 1, 3, 4]),
        ("vip", (), [1, 2, 4]),
        ("ref", (None,), [0, 3, 4]),
        ("score", (True,), []),
        ("it's '\"\\", (True,), []),
        ("it's '\"\\", (None,), [0, 1, 2, 3, 4]),
    ],
)
async def test_toggles_filter_by_value_by_lack_of_one_and_by_entry(
    database: Database, four: list[Laden], key: str, values: tuple[bool | None, ...], expected: list[int]
):
    five = [*four, await laden(database, score=1)]
    wanted = msgspec.structs.replace(FILTER, toggles=(ToggleFilter(key, values),))
    found = [case.id for case in await cases.find(database, CaseQuery(filter=wanted))]
    assert [place for place, each in enumerate(five) if each.case.id in found] == expected
    assert (await cases.count(database, wanted)).open == len(expected)


# Whatever the text

WORDS = (
    "dead", "web", "01", "door", "reader", "10.0.0.8", "evil.example.org", "it's", "4711", "12", "true", "a-1", "日",
    "https://evil.example.org/a", "again", "!!", "***",
)  # fmt: skip
SIGNS = st.sampled_from(["+", "|", "-", "(", ")", '"', "*", "~2", "\\", " ", "'", ":", "!", "&", "<->", "AND ", "NOT "])
QUERIES = st.lists(st.one_of(st.sampled_from(WORDS), SIGNS, st.just(" ")), max_size=14).map("".join)
FIELD_SETS = st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3, unique=True).map(tuple)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=QUERIES | st.text(max_size=30), operator=st.sampled_from(["OR", "AND"]), fields=FIELD_SETS)
@example(text="-dead", operator="OR", fields=("comment",))
@example(text="-(dead | reader)", operator="AND", fields=("comment", "observable"))
@example(text="-***", operator="OR", fields=("comment",))
@example(text="a-1", operator="OR", fields=("alert", "event"))
async def test_both_databases_find_what_a_plain_reading_finds(
    database: Database, four: list[Laden], text: str, operator: str, fields: tuple[str, ...]
):
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        return
    search = read_search(text, operator, fields)  # type: ignore[arg-type]
    expected = [place for place, each in enumerate(four) if search is None or matches(each, search)]

    assert await numbers(database, four, text, *fields, operator=operator) == expected


def matches(laden: Laden, search: Search) -> bool:
    fields = search.fields or ()
    if "alert" in fields and set(search.ids) & set(laden.alert_ids):
        return True
    if search.tree is None:
        return False
    if "comment" in fields and any(holds(search.tree, [split(text)], search.operator) for text in laden.comments):
        return True
    return bool(set(fields) - {"comment", "alert", "event"}) and _case_holds(laden.case, search.tree, search)


def holds(node: Node, texts: list[list[str]], operator: str) -> bool:
    if isinstance(node, Not):
        return not holds(node.inner, texts, operator)
    if isinstance(node, Several):
        return (all if node.operator == "AND" else any)(holds(part, texts, operator) for part in node.parts)
    return _words_match(node, texts, operator)


def _case_holds(case: Case, node: Node, search: Search) -> bool:
    if isinstance(node, Not):
        return not _case_holds(case, node.inner, search)
    if isinstance(node, Several):
        return (all if node.operator == "AND" else any)(_case_holds(case, part, search) for part in node.parts)
    fields = search.fields or ()
    texts = [split(getattr(case, name)) for name in ("title", "description") if name in fields]
    if _words_match(node, texts, search.operator):
        return True
    prefix = isinstance(node, Term) and node.prefix
    values = []
    if "observable" in fields:
        values += [each.value for each in case.observables]
    if "custom_field" in fields:
        kept = [each.value for each in case.custom_fields if each.value is not None]
        values += [str(each).lower() if not isinstance(each, str) else each for each in kept]
    wanted = parts.value_words(node.text)
    if wanted and any(_in_sequence(wanted, parts.value_words(each), prefix) for each in values):
        return True
    number = node.text.strip()
    if "number" not in fields or not (number.isascii() and number.isdigit()) or number.startswith("0"):
        return False
    own = str(case.incremental_id)
    return own == number or (prefix and own.startswith(number))


def _words_match(node: Term | Phrase, texts: list[list[str]], operator: str) -> bool:
    wanted = split(node.text)
    if not wanted:
        return False
    if isinstance(node, Phrase):
        return any(_in_sequence(wanted, text, prefix=False) for text in texts)
    words = {word for text in texts for word in text}
    found = [word in words for word in wanted]
    if node.prefix:
        found[-1] = any(word.startswith(wanted[-1]) for word in words)
    return (all if operator == "AND" else any)(found)


def _in_sequence(wanted: list[str], text: list[str], prefix: bool) -> bool:
    for at in range(len(text) - len(wanted) + 1):
        piece = text[at : at + len(wanted)]
        if piece[:-1] == wanted[:-1] and (piece[-1].startswith(wanted[-1]) if prefix else piece[-1] == wanted[-1]):
            return True
    return False


@pytest.mark.parametrize(
    "text",
    [
        "-(a" * 40,
        "(a -" * 50,
        '"' + "a b " * 8_000 + '"',
        "1* | 2* " * 120,
        "a." * 20_000,
        "-(-(-(a b)))" * 20,
        " ".join(f"w{n} {'+|'[n % 2]}" for n in range(64)),
        "w-" * 200 + " + " + "(x | " * 11 + "y",
    ],
    ids=["negations", "groups", "long phrase", "numbers", "long word", "negated groups", "alternation", "nesting"],
)
async def test_no_text_is_too_much_for_a_database(database: Database, four: list[Laden], text: str):
    for operator in ("AND", "OR"):
        await numbers(database, four, text, operator=operator)


async def test_texts_of_any_size_can_be_kept(database: Database):
    wide = "\U00020000" * 9_000
    many = " ".join(f"w{n}" for n in range(7_000))
    filled = [
        await laden(database, comments=[wide, many[:30_000], "w " * 15_000], seen=[f"{wide}{n}" for n in range(50)])
    ]
    filled.append(await laden(database, seen=[f"{n} {many}" for n in range(50)], ref="x" * 160))

    assert await numbers(database, filled, '"w3000 w3001"', "comment") == [0]
    assert await numbers(database, filled, '"49 w0 w1"', "observable") == [1]
    assert await numbers(database, filled, '"w254 w255"', "observable") == []
    assert await numbers(database, filled, '"w253 w254"', "observable") == [1]
    work = unit(database)
    for each in filled:
        work.remove(each.case)
    await work.save()
    if database.dialect == "sqlite":
        assert await database.read("SELECT count(*) FROM part_words") == [(0,)]
