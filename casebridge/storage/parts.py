"""Words of what hangs on a case: its comments, and the values of its observables and custom fields.

PostgreSQL has them in columns, `attachment.words` and `cases.value_words`, written by the statements that write those
rows. SQLite has them in the FTS5 table `part_words`, kept by the statements made here: a row for each comment and each
value, numbered so that the case's `pk` can be told from the number. That index is contentless: whatever is taken out of
it must be handed to it again, word for word. So none of its statements is `late`: what a deletion takes out is read
from the comments of that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case
from casebridge.domain.custom_field import FieldValue
from casebridge.storage.session import Write
from casebridge.storage.words import keyword, placed, split

ROWS_PER_CASE = 16_384
"""Row numbers of one case on SQLite: `pk` times this, plus the `seq` of a comment or the place of a value."""

FIRST_VALUE = 10_001
"""The first number of a value: a case has at most 10,000 user actions, and so no larger `seq`."""

LONGEST_VALUE = 2_048
MOST_VALUE_WORDS = 256
"""Of one value; what is beyond is not indexed: all values of a case together must fit into one `tsvector`."""

Move = tuple[Case | None, Case | None]
AttachmentMove = tuple[Attachment | None, Attachment | None]
_Rows = Mapping[int, tuple[str, str, str]]


def value_words(text: str) -> list[str]:
    """The words of an observable or a custom field; a text without any is one word as a whole."""
    shown = text[:LONGEST_VALUE]
    whole = keyword(shown)
    return split(shown)[:MOST_VALUE_WORDS] or ([whole] if whole else [])


def comment_text(attachment: Attachment | None) -> str | None:
    """What a search by words finds of an attachment; None: it has no such text."""
    text = None if attachment is None else attachment.payload.get("comment")
    return text if isinstance(text, str) else None


def _spelled(value: FieldValue) -> str:
    """A custom field's value as text; none at all is no text."""
    if value is None or isinstance(value, str):
        return value or ""
    return str(value).lower()


def comment_vector(text: str) -> str:
    """The words of a comment as a `tsvector` literal."""
    return placed([("", split(text))])


def value_vector(case: Case) -> str | None:
    """The words of a case's values as a `tsvector` literal, observables A, custom fields B; None if it has none."""
    groups = [("A", value_words(each.value)) for each in case.observables]
    groups += [("B", value_words(_spelled(each.value))) for each in case.custom_fields]
    return placed(groups) or None


def has_same_values(old: Case, new: Case) -> bool:
    """Whether there is nothing to do for these words."""
    return old.observables == new.observables and old.custom_fields == new.custom_fields


# SQLite


def writes(moves: Iterable[Move], attached: Iterable[AttachmentMove]) -> list[Write]:
    """What the change of cases (None: created) and attachments (None: added, deleted) does to the index.

    Every attachment's case is among those changed. A deleted case is `unlink_writes`' business.
    """
    gone: dict[str, dict[int, tuple[str, str, str]]] = {}
    come: dict[str, dict[int, tuple[str, str, str]]] = {}
    for old, new in moves:
        if new is not None and not _is_idle(old, new):
            _compare(_value_rows(old), _value_rows(new), gone.setdefault(new.id, {}), come.setdefault(new.id, {}))
    for before, after in attached:
        for attachment, other, rows in ((before, after, gone), (after, before, come)):
            text = comment_text(attachment)
            if attachment is not None and text is not None and text != comment_text(other):
                rows.setdefault(attachment.case_id, {})[attachment.seq] = (" ".join(split(text)), "", "")
    return [*_each(gone, _take_out), *_each(come, _put_in)]


def _is_idle(old: Case | None, new: Case) -> bool:
    return not (new.custom_fields or new.observables) if old is None else has_same_values(old, new)


def _each(rows: Mapping[str, _Rows], write: Any) -> Iterator[Write]:
    for case_id, its in rows.items():
        if its:
            yield write("(SELECT pk FROM cases WHERE id = :id)", {"id": case_id}, its)


def _compare(before: _Rows, after: _Rows, gone: dict[int, Any], come: dict[int, Any]) -> None:
    gone |= {number: row for number, row in before.items() if after.get(number) != row}
    come |= {number: row for number, row in after.items() if before.get(number) != row}


def _value_rows(case: Case | None) -> _Rows:
    if case is None:
        return {}
    values = [("", " ".join(value_words(each.value)), "") for each in case.observables]
    values += [("", "", " ".join(value_words(_spelled(each.value)))) for each in case.custom_fields]
    return {number: row for number, row in enumerate(values, FIRST_VALUE) if any(row)}


def unlink_writes(case: Case) -> list[Write]:
    """What the deletion of a case does to the index, while its attachments are still there."""
    comments = Write(
        f"INSERT INTO part_words (part_words, rowid, comment, observable, custom_field) "
        f"SELECT 'delete', :pk * {ROWS_PER_CASE} + a.seq, words_of_text(a.doc ->> '$.payload.comment'), '', '' "
        f"FROM attachment a WHERE a.case_id = :id AND json_type(a.doc, '$.payload.comment') = 'text'",
        {"pk": case.pk, "id": case.id},
    )
    values = _value_rows(case)
    return [comments, _take_out(":pk", {"pk": case.pk}, values)] if values else [comments]


def words_of_text(text: str) -> str:
    """What SQLite's index is given of a comment: a function of that name in its SQL."""
    return " ".join(split(text))


def _put_in(pk: str, params: Mapping[str, Any], rows: _Rows) -> Write:
    return _index("rowid", "", pk, params, rows)


def _take_out(pk: str, params: Mapping[str, Any], rows: _Rows) -> Write:
    return _index("part_words, rowid", "'delete', ", pk, params, rows)


def _index(columns: str, command: str, pk: str, params: Mapping[str, Any], rows: _Rows) -> Write:
    listed = [[number, *row] for number, row in rows.items()]
    return Write(
        f"INSERT INTO part_words ({columns}, comment, observable, custom_field) "
        f"SELECT {command}{pk} * {ROWS_PER_CASE} + (given.value ->> 0), given.value ->> 1, given.value ->> 2, "
        f"given.value ->> 3 FROM json_each(:rows) given",
        {**params, "rows": msgspec.json.encode(listed).decode()},
    )
