"""A part of JQL: enough to find an issue by project, label, words, reporter, key or time.

Known are AND, OR, NOT, parentheses, `= != ~ !~ < <= > >= in`, `not in`, and ORDER BY created, updated or key.
Words are compared whole, in any case, without stemming; a word may end in `*`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from casebridge.sandbox import jira_catalogue as catalogue
from casebridge.sandbox.jira_answers import Refusal
from casebridge.sandbox.jira_state import Issue, Revision

Test = Callable[[Issue, Revision], bool]

TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<sign>[<>!]=|!~|[=~<>(),])|(?P<word>[^\s"'=!<>~(),]+))""",
    re.DOTALL,
)
TIME_FORMATS = ("%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M", "%Y/%m/%d", "%Y-%m-%d")
PERIOD = re.compile(r"([+-]?)\s*(\d+)\s*([wdhm])")
UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
KEY_FIELDS = ("key", "issuekey", "issue", "id")
EXACT_FIELDS = ("project", "labels", "status", "statuscategory", "issuetype", "type", "priority", "reporter")
TEXT_FIELDS = ("summary", "description", "text")
TIME_FIELDS = ("created", "updated")


@dataclass(frozen=True)
class Surroundings:
    """What a query may refer to. `find` gives an issue by key or id."""

    now: datetime
    projects: Collection[str]
    me: Collection[str]
    find: Callable[[str], Issue | None]


@dataclass(frozen=True)
class Query:
    """A parsed query. `test` None: it has no restriction. `order` holds (field, descending) pairs."""

    test: Test | None
    order: tuple[tuple[str, bool], ...]

    def sorted(self, issues: list[Issue]) -> list[Issue]:
        """The issues in the order asked for; newest first if none was."""
        found = sorted(issues, key=lambda issue: int(issue.id), reverse=True)
        for name, descending in reversed(self.order):
            found.sort(key=ORDERS[name], reverse=descending)
        return found


ORDERS: dict[str, Callable[[Issue], tuple[object, ...]]] = {
    "created": lambda issue: (issue.created, int(issue.id)),
    "updated": lambda issue: (issue.updated, int(issue.id)),
    **{name: lambda issue: (issue.project, issue.number) for name in KEY_FIELDS},
}


def parse(jql: str, around: Surroundings) -> Query:
    """The query in `jql`. Raises Refusal (400) when it is not understood."""
    return Parser(jql, around).query()


@dataclass(frozen=True)
class Token:
    """A piece of a query: `text` (quoted), `sign`, `word`, or `end`. `at` counts characters from 1."""

    kind: str
    value: str
    at: int


class Parser:
    """One pass over one query."""

    def __init__(self, jql: str, around: Surroundings) -> None:
        self.around = around
        self.tokens = list(tokens(jql))
        self.place = 0

    def query(self) -> Query:
        """The whole: restrictions, then the order."""
        test = None if self.sees("order") or self.now.kind == "end" else self.any_of()
        order = self.order() if self.takes("order") else ()
        if self.now.kind != "end":
            self.stop("Expecting either 'OR' or 'AND'")
        return Query(test, order)

    def any_of(self) -> Test:
        """Restrictions joined by OR."""
        tests = [self.all_of()]
        while self.takes("or"):
            tests.append(self.all_of())
        return lambda issue, known: any(test(issue, known) for test in tests)

    def all_of(self) -> Test:
        """Restrictions joined by AND, which binds tighter."""
        tests = [self.one()]
        while self.takes("and"):
            tests.append(self.one())
        return lambda issue, known: all(test(issue, known) for test in tests)

    def one(self) -> Test:
        """A restriction, a negated one, or some in parentheses."""
        if self.takes("not"):
            inner = self.one()
            return lambda issue, known: not inner(issue, known)
        if self.takes("("):
            inside = self.any_of()
            self.need(")")
            return inside
        if self.now.kind not in ("word", "text"):
            self.stop("Expecting a field name")
        return self.clause(self.step().value)

    def clause(self, name: str) -> Test:
        """Field, operator and value."""
        field, sign = name.lower(), self.operator()
        values = self.values() if sign in ("in", "not in") else [self.value()]
        negated, plain = (
            sign in ("!=", "!~", "not in"),
            {"!=": "=", "!~": "~", "in": "=", "not in": "="}.get(sign, sign),
        )
        if field in EXACT_FIELDS and plain == "=":
            test = exact(field, values, self.around)
        elif field in KEY_FIELDS and plain == "=":
            test = by_key(name, values, self.around)
        elif field in TEXT_FIELDS and plain == "~":
            test = words(name, values[0])
        elif field in TIME_FIELDS and plain in COMPARISONS and not negated:
            test = by_time(field, plain, values[0], self.around)
        elif field in (*EXACT_FIELDS, *KEY_FIELDS, *TEXT_FIELDS, *TIME_FIELDS):
            raise Refusal(400, [f"The operator '{sign}' is not supported by the '{name}' field."])
        else:
            raise Refusal(400, [f"Field '{name}' does not exist or you do not have permission to view it."])
        return (lambda issue, known: not test(issue, known)) if negated else test

    def operator(self) -> str:
        """The operator after a field."""
        if self.takes("not"):
            self.need("in")
            return "not in"
        if self.takes("in"):
            return "in"
        if self.now.kind != "sign" or self.now.value in "(),":
            self.stop("Expecting operator but got")
        return self.step().value

    def values(self) -> list[str]:
        """The list after `in`."""
        self.need("(")
        found = [self.value()]
        while self.takes(","):
            found.append(self.value())
        self.need(")")
        return found

    def value(self) -> str:
        """One value: quoted, bare, or `currentUser()`."""
        if self.now.kind not in ("word", "text"):
            self.stop("Expecting either a value, list or function")
        token = self.step()
        if token.kind == "text" or not self.takes("("):
            return token.value
        self.need(")")
        if token.value.lower() != "currentuser":
            raise Refusal(400, [f"Unable to find JQL function '{token.value}()'."])
        return next(iter(self.around.me))

    def order(self) -> tuple[tuple[str, bool], ...]:
        """What follows ORDER."""
        self.need("by")
        found = []
        while True:
            name = self.step().value.lower()
            if name not in ORDERS:
                raise Refusal(400, [f"Not able to sort using field '{name}'."])
            descending = self.takes("desc") or not (self.takes("asc") or name in KEY_FIELDS)
            found.append((name, descending))
            if not self.takes(","):
                return tuple(found)

    @property
    def now(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.place]

    def step(self) -> Token:
        """The next token, used up."""
        token = self.now
        if token.kind != "end":
            self.place += 1
        return token

    def sees(self, wanted: str) -> bool:
        """Whether the next token is this sign or word."""
        return self.now.kind in ("word", "sign") and self.now.value.lower() == wanted

    def takes(self, wanted: str) -> bool:
        """Use up the next token if it is this sign or word; whether it was."""
        found = self.sees(wanted)
        self.place += found
        return found

    def need(self, wanted: str) -> None:
        """Use up this sign or word, which must come next."""
        if not self.takes(wanted):
            self.stop(f"Expecting '{wanted}'")

    def stop(self, expected: str) -> NoReturn:
        """Say what was expected instead of the next token."""
        found = "the end of the query" if self.now.kind == "end" else f"'{self.now.value}'"
        raise Refusal(400, [f"Error in the JQL Query: {expected} but found {found}. (line 1, character {self.now.at})"])


def tokens(jql: str) -> list[Token]:
    """The query in pieces, an `end` last."""
    found, place = [], 0
    end = len(jql.rstrip())
    while place < end:
        match = TOKEN.match(jql, place)
        if match is None:
            raise Refusal(
                400,
                [
                    f"Error in the JQL Query: the character '{jql[place:].lstrip()[0]}' or a quote is not closed. "
                    f"(line 1, character {place + 1})"
                ],
            )
        kind = match.lastgroup or ""
        value = match[kind]
        if kind == "text":
            value = re.sub(r"\\(.)", unescaped, value[1:-1], flags=re.DOTALL)
        found.append(Token(kind, value, match.start(kind) + 1))
        place = match.end()
    return [*found, Token("end", "", len(jql) + 1)]


def unescaped(match: re.Match[str]) -> str:
    """The character a backslash in a quoted text stands for."""
    return {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1])


def exact(field: str, values: list[str], around: Surroundings) -> Test:
    """One of some exact values. An unknown project is an error, an unknown label is not."""
    if field == "labels":
        return lambda _, known: any(value in known.labels for value in values)
    wanted = {value.lower() for value in values}
    if field == "project":
        keys = {key.lower() for key in around.projects}
        for value in values:
            if value.lower() not in keys:
                raise Refusal(400, [f"The value '{value}' does not exist for the field 'project'."])
        return lambda issue, _: issue.project.lower() in wanted
    if field == "reporter":
        mine = bool(wanted & {name.lower() for name in around.me})
        return lambda *_: mine
    return lambda issue, _: bool(wanted & {name.lower() for name in names_of(field, issue)})


def names_of(field: str, issue: Issue) -> Collection[str]:
    """By what names and ids the value of a field may be called."""
    status = catalogue.status(issue.status_id)
    if field == "status":
        return (status.id, status.name)
    if field == "statuscategory":
        return (status.category, catalogue.CATEGORIES[status.category][1])
    if field == "priority":
        return (issue.priority, catalogue.PRIORITIES[issue.priority]) if issue.priority else ()
    kind = catalogue.issue_type(issue.type_id)
    return (kind.id, kind.name) if kind else ()


def by_key(name: str, values: list[str], around: Surroundings) -> Test:
    """One of some issues, which must exist."""
    ids = set()
    for value in values:
        issue = around.find(value)
        if issue is None:
            raise Refusal(400, [f"An issue with key '{value}' does not exist for field '{name}'."])
        ids.add(issue.id)
    return lambda issue, _: issue.id in ids


def words(name: str, text: str) -> Test:
    """All words of `text`, in any order."""
    if text.lstrip()[:1] in ("*", "?"):
        start = text.lstrip()[0]
        raise Refusal(
            400, [f"The text query '{text}' for field '{name}' is not allowed to start with character '{start}'."]
        )
    plain = re.sub(r"\\(.)", r" \1", text)
    bare = re.search(r"(?<!\\)[\[\]{}()!:/^]", text)
    if bare:
        raise Refusal(400, [f"Unable to parse the text '{text}' for field '{name}': '{bare[0]}' must be escaped."])
    wanted = re.findall(r"\w+\*?", plain.lower())

    def test(issue: Issue, known: Revision) -> bool:
        source = known.summary if name.lower() == "summary" else f"{known.summary} {issue.description or ''}"
        there = re.findall(r"\w+", source.lower())
        return bool(wanted) and all(has_word(there, word) for word in wanted)

    return test


def has_word(there: list[str], word: str) -> bool:
    """Whether a word, or the beginning of one when it ends in `*`, is among others."""
    if word.endswith("*"):
        return any(other.startswith(word[:-1]) for other in there)
    return word in there


COMPARISONS: dict[str, Callable[[datetime, datetime], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "=": lambda one, other: one == other,
}


def by_time(field: str, sign: str, text: str, around: Surroundings) -> Test:
    """Before or after a moment, in whole minutes."""
    moment, compare = moment_of(field, text, around.now), COMPARISONS[sign]
    return lambda issue, known: compare(minute(issue.created if field == "created" else issue.updated), moment)


def moment_of(field: str, text: str, now: datetime) -> datetime:
    """The moment that `-15m`, `2026/03/04 05:06` or `2026-03-04` means."""
    parts = PERIOD.findall(text)
    if parts and not PERIOD.sub("", text).strip():
        sign = -1 if text.strip().startswith("-") else 1
        return minute(now + sum((sign * timedelta(**{UNITS[unit]: int(n)}) for _, n, unit in parts), timedelta()))
    for form in TIME_FORMATS:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise Refusal(
        400,
        [
            f"Date value '{text}' for field '{field}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
            "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
        ],
    )


def minute(at: datetime) -> datetime:
    """The beginning of the minute."""
    return at.replace(second=0, microsecond=0)
