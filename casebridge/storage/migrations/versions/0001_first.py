"""The first schema: spaces, accounts, cases and their parts, connectors, deliveries, the audit trail.

Frozen: a later change of `schema.py` comes with a revision of its own.
"""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql, sqlite

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
DOC = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
BIG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
WORDS = sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql")
TEXTS = sa.Text().with_variant(postgresql.ARRAY(postgresql.TEXT(collation="C")), "postgresql")

DEFAULT_SPACE = (
    '{"id":"default","name":"Default","description":null,"initials":null,"color":"#00bfb3","image_url":null,'
    '"disabled_features":[],"solution":null,"reserved":true}'
)


def upgrade() -> None:
    """Forward."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    _spaces()
    _cases()
    _parts_of_cases()
    _configuration()
    _deliveries()
    _indexes_of_deliveries()
    _audit()
    if on_postgresql:
        _only_postgresql()
    else:
        _only_sqlite()
    _first_rows(on_postgresql)


def _spaces() -> None:
    op.create_table(
        "meta",
        sa.Column("key", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "space",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "account",
        sa.Column("username", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("username"),
    )


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("pk", BIG, autoincrement=False, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("space", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("incremental_id", BIG),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("category", TEXT),
        sa.Column("tags", TEXTS, nullable=False),
        sa.Column("assignees", TEXTS, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("created_by", TEXT),
        sa.Column("created_by_uid", TEXT),
        sa.Column("updated_at", BIG),
        sa.Column("closed_at", BIG),
        sa.Column("connector_id", TEXT, nullable=False),
        sa.Column("words", WORDS),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("pk"),
    )
    op.create_index(
        "cases_connector",
        "cases",
        ["connector_id"],
        postgresql_where=sa.text("connector_id != 'none'"),
        sqlite_where=sa.text("connector_id != 'none'"),
    )
    op.create_index("cases_created", "cases", ["space", "created_at", "pk"])
    op.create_index("cases_id", "cases", ["id"], unique=True)
    op.create_index("cases_number", "cases", ["space", "incremental_id"])
    op.create_index("cases_owner_category", "cases", ["space", "owner", "category", "pk"])
    op.create_index("cases_owner_closed", "cases", ["space", "owner", "closed_at", "pk"])
    op.create_index("cases_owner_created", "cases", ["space", "owner", "created_at", "pk"])
    op.create_index("cases_owner_severity", "cases", ["space", "owner", "severity", "pk"])
    op.create_index("cases_owner_status", "cases", ["space", "owner", "status", "created_at", "pk"])
    op.create_index("cases_owner_title", "cases", ["space", "owner", "title", "pk"])
    op.create_index("cases_owner_updated", "cases", ["space", "owner", "updated_at", "pk"])
    op.create_index("cases_reporter", "cases", ["space", "created_by", "pk"])
    op.create_table(
        "case_count",
        sa.Column("space", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("tag", TEXT, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("open", BIG, nullable=False),
        sa.Column("in_progress", BIG, nullable=False),
        sa.Column("closed", BIG, nullable=False),
        sa.PrimaryKeyConstraint("space", "owner", "tag", "slot"),
    )


def _parts_of_cases() -> None:
    op.create_table(
        "attachment",
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("space", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "seq"),
    )
    op.create_index("attachment_id", "attachment", ["id"], unique=True)
    op.create_table(
        "user_action",
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("comment_id", TEXT),
        sa.Column("comment_type", TEXT),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "seq"),
    )


def _configuration() -> None:
    op.create_table(
        "configuration",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("space", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("connector_id", TEXT, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("configuration_owner", "configuration", ["space", "owner"], unique=True)
    op.create_table(
        "connector",
        sa.Column("space", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("space", "id"),
    )


def _deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("space", TEXT, nullable=False),
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("connector_id", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("next_attempt_at", BIG),
        sa.Column("lease_id", TEXT),
        sa.Column("lease_until", BIG),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "attempt",
        sa.Column("delivery_id", TEXT, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "number"),
    )
    op.create_table(
        "external_record",
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("connector_id", TEXT, nullable=False),
        sa.Column("space", TEXT, nullable=False),
        sa.Column("external_id", TEXT, nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "connector_id"),
    )
    op.create_table(
        "pushed_comment",
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("connector_id", TEXT, nullable=False),
        sa.Column("comment_id", TEXT, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("doc", DOC, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "connector_id", "comment_id"),
    )
    op.create_table(
        "idempotency",
        sa.Column("space", TEXT, nullable=False),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("delivery_id", TEXT, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("space", "username", "key"),
    )


def _indexes_of_deliveries() -> None:
    op.create_index("delivery_id", "delivery", ["id"], unique=True)
    op.create_index(
        "delivery_open",
        "delivery",
        ["state", "next_attempt_at"],
        postgresql_where=sa.text("state IN ('queued', 'sending', 'waiting', 'uncertain')"),
        sqlite_where=sa.text("state IN ('queued', 'sending', 'waiting', 'uncertain')"),
    )
    op.create_index("delivery_pair", "delivery", ["case_id", "connector_id", "seq"])
    op.create_index(
        "delivery_sending",
        "delivery",
        ["case_id", "connector_id"],
        unique=True,
        postgresql_where=sa.text("state = 'sending'"),
        sqlite_where=sa.text("state = 'sending'"),
    )
    op.create_index("delivery_space", "delivery", ["space", "seq"])
    op.create_index("external_record_id", "external_record", ["external_id"])


def _audit() -> None:
    op.create_table(
        "audit_event",
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("space", TEXT),
        sa.Column("doc", DOC, nullable=False),
        sa.Column("sealed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )


def _only_sqlite() -> None:
    op.create_table(
        "counter",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", BIG, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "case_tag",
        sa.Column("space", TEXT, nullable=False),
        sa.Column("tag", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("status", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", BIG, autoincrement=False, nullable=False),
        sa.Column("case_pk", BIG, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("space", "tag", "owner", "status", "created_at", "case_pk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "case_assignee",
        sa.Column("space", TEXT, nullable=False),
        sa.Column("uid", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("status", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", BIG, autoincrement=False, nullable=False),
        sa.Column("case_pk", BIG, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("space", "uid", "owner", "status", "created_at", "case_pk"),
        sqlite_with_rowid=False,
    )
    op.execute("""
CREATE VIRTUAL TABLE case_words USING fts5(
    title, description, keywords, content = '', prefix = '2 3',
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* Co'"
)""")


NUMBERS = {
    "next_version": "version_seq",
    "next_pk": "case_pk_seq",
    "next_delivery": "delivery_seq",
    "next_audit": "audit_seq",
}


def _only_postgresql() -> None:
    """Arrays under GIN; sequences and the functions that every statement may use; what takes a whole change back."""
    op.create_index("cases_tags", "cases", ["tags"], postgresql_using="gin")
    op.create_index("cases_words", "cases", ["words"], postgresql_using="gin")
    op.create_index("cases_assignees", "cases", ["assignees"], postgresql_using="gin")
    for function, sequence in NUMBERS.items():
        op.execute(f"CREATE SEQUENCE {sequence}")
        op.execute(f"CREATE FUNCTION {function}() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('{sequence}') $$")
    op.execute(
        """
        CREATE FUNCTION numbers_of(space text) RETURNS text LANGUAGE sql IMMUTABLE STRICT
        AS $$ SELECT 'incremental_' || left(encode(sha256(convert_to(space, 'UTF8')), 'hex'), 40) $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION next_incremental(space text) RETURNS bigint LANGUAGE sql
        AS $$ SELECT nextval(numbers_of(space)::regclass) $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION start_numbers(space text) RETURNS bigint LANGUAGE plpgsql AS $$
        BEGIN
            EXECUTE format('CREATE SEQUENCE IF NOT EXISTS %I', numbers_of(space));
            RETURN 0;
        END $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION raise_conflict(write integer) RETURNS json LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'a write of the change touched no row' USING ERRCODE = 'CB001', DETAIL = write::text;
        END $$
        """
    )
    op.execute("SELECT start_numbers('default')")


def _first_rows(on_postgresql: bool) -> None:
    """The default space, which takes the first version, and the number by which this installation is known."""
    connection = op.get_bind()
    values = "next_version(), CAST(:doc AS JSONB)" if on_postgresql else "1, :doc"
    space = f"INSERT INTO space (id, version, doc) VALUES ('default', {values})"
    connection.execute(sa.text(space), {"doc": DEFAULT_SPACE})
    if not on_postgresql:
        op.execute("INSERT INTO counter (name, value) VALUES ('version', 1)")
    uuid = {"uuid": str(uuid4())}
    connection.execute(sa.text("INSERT INTO meta (key, value) VALUES ('uuid', :uuid)"), uuid)
