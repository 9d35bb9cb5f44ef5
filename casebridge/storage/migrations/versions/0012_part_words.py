"""Words of comments, observables and custom fields, for cases and comments that are there already too.

The words are those that the program makes today: a change of how they are made must come with a revision that indexes
everything anew. Frozen otherwise: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case
from casebridge.storage import parts
from casebridge.storage.words import texts, vector, words_of

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WORDS = sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql")
BATCH = 500

PART_WORDS = """
CREATE VIRTUAL TABLE part_words USING fts5(
    comment, observable, custom_field, content = '', prefix = '2 3',
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* Co'"
)"""

_COMMENTS = """
SELECT a.case_id, a.seq, CAST(a.doc AS text), c.pk FROM attachment a JOIN cases c ON c.id = a.case_id
WHERE a.type IN ('user', 'actions') AND (a.case_id > :case_id OR a.case_id = :case_id AND a.seq > :seq)
ORDER BY a.case_id, a.seq LIMIT :most"""
_CASES = """
SELECT pk, CAST(doc AS text) FROM cases
WHERE pk > :pk AND (doc ->> 'observables' <> '[]' OR doc ->> 'custom_fields' <> '[]') ORDER BY pk LIMIT :most"""


def upgrade() -> None:
    """Forward."""
    connection = op.get_bind()
    op.add_column("cases", sa.Column("value_words", WORDS))
    op.add_column("attachment", sa.Column("words", WORDS))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(PART_WORDS)
    for comments in _batches(connection, _COMMENTS, {"case_id": "", "seq": 0}):
        _index_comments(connection, [(row[3], msgspec.json.decode(row[2], type=Attachment)) for row in comments])
    for cases in _batches(connection, _CASES, {"pk": 0}):
        _index_values(connection, [_case(row) for row in cases])
    if connection.dialect.name == "postgresql":
        for table, column in (("cases", "value_words"), ("attachment", "words")):
            where = sa.text(f"{column} IS NOT NULL")
            op.create_index(f"{table}_{column}", table, [column], postgresql_using="gin", postgresql_where=where)


def _batches(connection: sa.Connection, select: str, start: dict[str, Any]) -> Iterator[Sequence[Sequence[Any]]]:
    """The rows some at a time: there may be millions. `start` names the first columns, by which they are ordered."""
    after = start
    while rows := connection.execute(sa.text(select), {**after, "most": BATCH}).all():
        yield [tuple(row) for row in rows]
        after = dict(zip(start, rows[-1], strict=False))


def _case(row: Sequence[Any]) -> Case:
    return msgspec.structs.replace(msgspec.json.decode(row[1], type=Case), pk=row[0])


def _index_comments(connection: sa.Connection, comments: list[tuple[int, Attachment]]) -> None:
    rows = [(pk, each, text) for pk, each in comments if (text := parts.comment_text(each)) is not None]
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.text(
                "UPDATE attachment SET words = CAST(CAST(:words AS text) AS tsvector) "
                "WHERE case_id = :case_id AND seq = :seq"
            ),
            [{"case_id": a.case_id, "seq": a.seq, "words": parts.comment_vector(text)} for _, a, text in rows],
        )
        return
    connection.execute(
        sa.text(
            "INSERT INTO part_words (rowid, comment, observable, custom_field) "
            "VALUES (:pk * 16384 + :seq, :words, '', '')"
        ),
        [{"pk": pk, "seq": a.seq, "words": parts.words_of_text(text)} for pk, a, text in rows],
    )


def _index_values(connection: sa.Connection, cases: list[Case]) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.text(
                "UPDATE cases SET value_words = CAST(CAST(:value_words AS text) AS tsvector), "
                "words = CAST(CAST(:words AS text) AS tsvector) WHERE pk = :pk"
            ),
            [{"pk": c.pk, "value_words": parts.value_vector(c), "words": vector(words_of(c))} for c in cases],
        )
        return
    for case in cases:
        for write in parts.writes([(None, case)], []):
            connection.execute(sa.text(write.sql), dict(write.params))
        if case.observables:
            _index_observables_as_keywords(connection, case)


def _index_observables_as_keywords(connection: sa.Connection, case: Case) -> None:
    """A search without named fields looks at the values of observables too; until now it did not."""
    columns = "rowid, title, description, keywords"
    before = texts(words_of(msgspec.structs.replace(case, observables=())))
    for into, first, words in (
        (f"case_words, {columns}", "'delete', ", before),
        (columns, "", texts(words_of(case))),
    ):
        connection.execute(
            sa.text(f"INSERT INTO case_words ({into}) VALUES ({first}:pk, :title, :description, :keywords)"),
            {"pk": case.pk, **dict(zip(("title", "description", "keywords"), words, strict=True))},
        )
