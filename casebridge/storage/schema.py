"""All tables on one page, as SQLAlchemy Core: the one source for migrations. The running server never imports it.

Habits: times are milliseconds since 1970 (BIGINT); a `doc` column holds the whole object as JSON, and a column
stands beside it only for what is filtered, sorted, joined or guarded by; every text sorts by code point.
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    event,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

metadata = MetaData()

TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
DOC = Text().with_variant(postgresql.JSONB(), "postgresql")
BIG = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
WORDS = Text().with_variant(postgresql.TSVECTOR(), "postgresql")
TEXTS = Text().with_variant(postgresql.ARRAY(postgresql.TEXT(collation="C")), "postgresql")


# `access` in it changes with every change of users and roles: what was worked out from them is good for one value.
meta = Table("meta", metadata, Column("key", TEXT, primary_key=True), Column("value", TEXT, nullable=False))

counter = Table(
    # Running numbers on SQLite (`version`, `pk`, `audit`, `incremental:<space>`); PostgreSQL has sequences instead.
    "counter",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("value", BIG, nullable=False),
)

space = Table(
    "space",
    metadata,
    Column("id", TEXT, primary_key=True),
    Column("version", BIG, nullable=False),
    Column("doc", DOC, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("username", TEXT, primary_key=True),
    Column("version", BIG, nullable=False),
    Column("doc", DOC, nullable=False),
)

role = Table(
    "role",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("version", BIG, nullable=False),
    Column("doc", DOC, nullable=False),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", TEXT, primary_key=True),
    Column("username", TEXT, nullable=False),
    Column("created_at", BIG, nullable=False),
    Column("version", BIG, nullable=False),
    Column("doc", DOC, nullable=False),
    Index("api_key_user", "username", "created_at"),
)

profile = Table(
    # Made at a user's first interactive sign-in; outlives the user, so that assignees keep their names.
    "profile",
    metadata,
    Column("uid", TEXT, primary_key=True),
    Column("username", TEXT, nullable=False),
    Column("version", BIG, nullable=False),
    Column("doc", DOC, nullable=False),
    Index("profile_user", "username", unique=True),
)

session = Table(
    # Browser sessions; `id` is the digest of a token that only the browser has.
    "session",
    metadata,
    Column("id", TEXT, primary_key=True),
    Column("username", TEXT, nullable=False),
    Column("created_at", BIG, nullable=False),
    Column("seen_at", BIG, nullable=False),
    Column("doc", DOC, nullable=False),
    Index("session_user", "username", "seen_at"),
)

saved_view = Table(
    # Ways of looking at the list of cases that somebody gave a name.
    "saved_view",
    metadata,
    Column("id", TEXT, primary_key=True),
    Column("space", TEXT, nullable=False),
    Column("username", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("query", TEXT, nullable=False),
    Index("saved_view_name", "space", "username", "name", unique=True),
    Index("saved_view_space", "space", "shared"),
)

mention = Table(
    # Who was mentioned in a comment, or a description (`comment_id` empty), and has not seen it.
    "mention",
    metadata,
    Column("username", TEXT, primary_key=True),
    Column("case_id", TEXT, primary_key=True),
    Column("comment_id", TEXT, primary_key=True),
    Column("space", TEXT, nullable=False),
    Column("at", BIG, nullable=False),
    Column("author", TEXT, nullable=False),
    Index("mention_case", "case_id"),
)

cases = Table(
    "cases",
    metadata,
    Column("pk", BIG, primary_key=True, autoincrement=False),
    Column("id", TEXT, nullable=False),
    Column("space", TEXT, nullable=False),
    Column("owner", TEXT, nullable=False),
    Column("version", BIG, nullable=False),
    Column("incremental_id", BIG),
    Column("title", TEXT, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("category", TEXT),
    Column("tags", TEXTS, nullable=False),
    Column("assignees", TEXTS, nullable=False),
    Column("created_at", BIG, nullable=False),
    Column("created_by", TEXT),
    Column("created_by_uid", TEXT),
    Column("updated_at", BIG),
    Column("closed_at", BIG),
    Column("connector_id", TEXT, nullable=False),
    # The words a search looks at, on PostgreSQL; SQLite has them in the FTS5 table `case_words`, rowid = pk.
    Column("words", WORDS),
    Column("doc", DOC, nullable=False),
    # Seconds from creation to closing; added later than `doc`, and read from its index alone.
    Column("duration", BIG),
    # The words of observables and custom fields, on PostgreSQL; SQLite has them in `part_words`.
    Column("value_words", WORDS),
    Index("cases_id", "id", unique=True),
    Index("cases_created", "space", "created_at", "pk"),
    Index("cases_owner_created", "space", "owner", "created_at", "pk"),
    Index("cases_owner_status", "space", "owner", "status", "created_at", "pk"),
    Index("cases_owner_state", "space", "owner", "status", "pk"),
    Index("cases_owner_severity", "space", "owner", "severity", "pk"),
    Index("cases_owner_updated", "space", "owner", "updated_at", "pk"),
    Index("cases_owner_closed", "space", "owner", "closed_at", "pk"),
    # A title may be longer than an index takes: its beginning finds the place, the title itself decides.
    Index("cases_owner_title", "space", "owner", text("substr(title, 1, 300)"), "pk"),
    Index("cases_owner_category", "space", "owner", "category", "pk"),
    Index("cases_reporter", "space", "created_by", "pk"),
    Index("cases_number", "space", "incremental_id"),
    Index("cases_walk", "space", "pk"),
)
Index(
    "cases_duration",
    cases.c.space,
    cases.c.owner,
    cases.c.created_at,
    cases.c.duration,
    postgresql_where=cases.c.duration.is_not(None),
    sqlite_where=cases.c.duration.is_not(None),
)
Index(
    "cases_connector",
    cases.c.connector_id,
    postgresql_where=cases.c.connector_id != "none",
    sqlite_where=cases.c.connector_id != "none",
)

case_count = Table(
    # Cases per status, changed in the case's own transaction; `tag` '' counts all. PostgreSQL spreads each
    # row over slots so that writers do not queue on it; SQLite has one writer and one slot.
    "case_count",
    metadata,
    Column("space", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("tag", TEXT, primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("open", BIG, nullable=False),
    Column("in_progress", BIG, nullable=False),
    Column("closed", BIG, nullable=False),
)

observable_link = Table(
    # Which cases have an observable, found by a digest of its type and value: a value may be longer than an index
    # takes. Every column is in the key, so a page of similar cases is a walk of the index.
    "observable_link",
    metadata,
    Column("space", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("created_at", BIG, primary_key=True, autoincrement=False),
    Column("case_pk", BIG, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

alert_link = Table(
    # Which cases hold an alert, found by a digest of its id; the other index is for the deletion of a case.
    "alert_link",
    metadata,
    Column("space", TEXT, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("created_at", BIG, primary_key=True, autoincrement=False),
    Column("case_pk", BIG, primary_key=True, autoincrement=False),
    Index("alert_link_case", "case_pk"),
    sqlite_with_rowid=False,
)

alert_update = Table(
    # What documents of alerts are still to be told, one row a document: a newer change goes on top of it. `version`
    # moves with each change; a row may go only if what was sent is what stands here.
    "alert_update",
    metadata,
    Column("space", TEXT, primary_key=True),
    Column("digest", TEXT, primary_key=True),
    Column("index_name", TEXT, nullable=False),
    Column("alert_id", TEXT, nullable=False),
    Column("status", TEXT),
    Column("cases", DOC, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("version", BIG, nullable=False),
    Column("sent_version", BIG),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", BIG),
    Column("lease_id", TEXT),
    Column("lease_until", BIG),
    Column("error", TEXT),
    Column("updated_at", BIG, nullable=False),
)
Index("alert_update_due", alert_update.c.space, alert_update.c.next_attempt_at)

attachment = Table(
    "attachment",
    metadata,
    Column("case_id", TEXT, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", TEXT, nullable=False),
    Column("space", TEXT, nullable=False),
    Column("type", TEXT, nullable=False),
    Column("version", BIG, nullable=False),
    Column("doc", DOC, nullable=False),
    # The words of a comment, on PostgreSQL; SQLite has them in the FTS5 table `part_words`.
    Column("words", WORDS),
    Index("attachment_id", "id", unique=True),
)

file = Table(
    # Records of files; `number` is the order in which they were begun.
    "file",
    metadata,
    Column("id", TEXT, primary_key=True),
    Column("space", TEXT, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("number", BIG, nullable=False),
    Column("version", BIG, nullable=False),
    Column("doc", DOC, nullable=False),
    Index("file_kind", "space", "kind", "number"),
)

file_link = Table(
    # The cases that a file says it belongs to.
    "file_link",
    metadata,
    Column("case_id", TEXT, primary_key=True),
    Column("file_id", TEXT, primary_key=True),
    Index("file_link_file", "file_id"),
)

user_action = Table(
    "user_action",
    metadata,
    Column("case_id", TEXT, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("type", TEXT, nullable=False),
    Column("action", TEXT, nullable=False),
    Column("comment_id", TEXT),
    Column("comment_type", TEXT),
    Column("doc", DOC, nullable=False),
)

configuration = Table(
    "configuration",
    metadata,
    Column("id", TEXT, primary_key=True),
    Column("space", TEXT, nullable=False),
    Column("owner", TEXT, nullable=False),
    Column("version", BIG, nullable=False),
    Column("created_at", BIG, nullable=False),
    Column("connector_id", TEXT, nullable=False),
    Column("doc", DOC, nullable=False),
    Index("configuration_owner", "space", "owner", unique=True),
)

connector = Table(
    "connector",
    metadata,
    Column("space", TEXT, primary_key=True),
    Column("id", TEXT, primary_key=True),
    Column("version", BIG, nullable=False),
    Column("sealed", LargeBinary),
    Column("doc", DOC, nullable=False),
)

connector_settings = Table(
    # What our server alone knows of a connector; preconfigured ones have such settings per space too.
    "connector_settings",
    metadata,
    Column("space", TEXT, primary_key=True),
    Column("connector_id", TEXT, primary_key=True),
    Column("version", BIG, nullable=False),
    Column("doc", DOC, nullable=False),
)

automation = Table(
    # What the cases of an owner do by themselves.
    "automation",
    metadata,
    Column("space", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("version", BIG, nullable=False),
    Column("doc", DOC, nullable=False),
)

connector_health = Table(
    # Passing faults of a connector in a row, and when its circuit may be probed next.
    "connector_health",
    metadata,
    Column("space", TEXT, primary_key=True),
    Column("connector_id", TEXT, primary_key=True),
    Column("faults", Integer, nullable=False),
    Column("probe_at", BIG),
    Column("last_success_at", BIG),
    Column("last_error", DOC),
)

delivery = Table(
    "delivery",
    metadata,
    Column("seq", BIG, primary_key=True, autoincrement=False),
    Column("id", TEXT, nullable=False),
    Column("space", TEXT, nullable=False),
    Column("case_id", TEXT, nullable=False),
    Column("connector_id", TEXT, nullable=False),
    Column("owner", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("version", BIG, nullable=False),
    Column("next_attempt_at", BIG),
    Column("lease_id", TEXT),
    Column("lease_until", BIG),
    Column("doc", DOC, nullable=False),
    # 1 while it takes in further changes: it waits, was asked for by a change and was never tried.
    Column("gathers", SmallInteger),
    Index("delivery_id", "id", unique=True),
    Index("delivery_pair", "case_id", "connector_id", "seq"),
    Index("delivery_space", "space", "seq"),
    Index("delivery_state", "state"),
)
Index(
    # At most one delivery of a case and connector is being sent at a time, on any number of processes.
    "delivery_sending",
    delivery.c.case_id,
    delivery.c.connector_id,
    unique=True,
    postgresql_where=delivery.c.state == "sending",
    sqlite_where=delivery.c.state == "sending",
)
Index(
    # At most one delivery of a case and connector takes in changes.
    "delivery_gathering",
    delivery.c.case_id,
    delivery.c.connector_id,
    unique=True,
    postgresql_where=delivery.c.gathers == 1,
    sqlite_where=delivery.c.gathers == 1,
)
_OPEN = delivery.c.state.in_(["queued", "sending", "waiting", "uncertain"])
Index("delivery_open", delivery.c.state, delivery.c.next_attempt_at, postgresql_where=_OPEN, sqlite_where=_OPEN)

attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", TEXT, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("doc", DOC, nullable=False),
)

external_record = Table(
    # The external record of a case, per connector; kept as soon as it is known.
    "external_record",
    metadata,
    Column("case_id", TEXT, primary_key=True),
    Column("connector_id", TEXT, primary_key=True),
    Column("space", TEXT, nullable=False),
    Column("external_id", TEXT, nullable=False),
    Column("doc", DOC, nullable=False),
    Index("external_record_id", "external_id"),
)

pushed_comment = Table(
    # What the external system has accepted of each comment, per connector.
    "pushed_comment",
    metadata,
    Column("case_id", TEXT, primary_key=True),
    Column("connector_id", TEXT, primary_key=True),
    Column("comment_id", TEXT, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("doc", DOC, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("space", TEXT, primary_key=True),
    Column("username", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("delivery_id", TEXT, nullable=False),
    Column("created_at", BIG, nullable=False),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("seq", BIG, primary_key=True, autoincrement=False),
    Column("at", BIG, nullable=False),
    Column("space", TEXT),
    Column("doc", DOC, nullable=False),
    Column("sealed", Boolean, nullable=False),
    Column("place", BIG),
    Column("digest", TEXT),
)
# None of these costs the change that writes an event, but for one that PostgreSQL needs: there, an event may be
# committed after one of a higher number was sealed. On SQLite whatever is above `audit_chain.seq` is unsealed.
Index(
    "audit_event_place",
    audit_event.c.place,
    unique=True,
    postgresql_where=audit_event.c.place.is_not(None),
    sqlite_where=audit_event.c.place.is_not(None),
)
Index("audit_event_unsealed", audit_event.c.seq, postgresql_where=text("NOT sealed")).ddl_if(dialect="postgresql")

audit_chain = Table(
    # One row: the last place of the chain and its digest, the highest `seq` sealed, the last place told to standard
    # output, and who seals at present.
    "audit_chain",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("place", BIG, nullable=False),
    Column("digest", TEXT, nullable=False),
    Column("seq", BIG, nullable=False),
    Column("told", BIG, nullable=False),
    Column("lease_id", TEXT),
    Column("lease_until", BIG, nullable=False),
)

# Only SQLite needs these two; on PostgreSQL the arrays of `cases` have GIN indexes. Every column is in the key,
# so a page by tag or assignee is one walk of one index.
case_tag = Table(
    "case_tag",
    metadata,
    Column("space", TEXT, primary_key=True),
    Column("tag", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("status", SmallInteger, primary_key=True, autoincrement=False),
    Column("created_at", BIG, primary_key=True, autoincrement=False),
    Column("case_pk", BIG, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
case_assignee = Table(
    "case_assignee",
    metadata,
    Column("space", TEXT, primary_key=True),
    Column("uid", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("status", SmallInteger, primary_key=True, autoincrement=False),
    Column("created_at", BIG, primary_key=True, autoincrement=False),
    Column("case_pk", BIG, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
SQLITE_ONLY = frozenset({"counter", "case_tag", "case_assignee"})
Index("cases_tags", cases.c.tags, postgresql_using="gin").ddl_if(dialect="postgresql")
Index("cases_assignees", cases.c.assignees, postgresql_using="gin").ddl_if(dialect="postgresql")
Index("cases_words", cases.c.words, postgresql_using="gin").ddl_if(dialect="postgresql")
Index(
    "cases_value_words",
    cases.c.value_words,
    postgresql_using="gin",
    postgresql_where=cases.c.value_words.is_not(None),
).ddl_if(dialect="postgresql")
Index(
    "attachment_words",
    attachment.c.words,
    postgresql_using="gin",
    postgresql_where=attachment.c.words.is_not(None),
).ddl_if(dialect="postgresql")

CASE_WORDS = """
CREATE VIRTUAL TABLE case_words USING fts5(
    title, description, keywords, content = '', prefix = '2 3',
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* Co'"
)"""
"""SQLite's word index: it is given words separated by blanks, and every sign but a blank belongs to its word."""

PART_WORDS = """
CREATE VIRTUAL TABLE part_words USING fts5(
    comment, observable, custom_field, content = '', prefix = '2 3',
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* Co'"
)"""
"""The same for comments and the values of observables and custom fields, a row each; see `parts.py`."""

event.listen(cases, "after_create", DDL(CASE_WORDS).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]
event.listen(cases, "before_drop", DDL("DROP TABLE IF EXISTS case_words").execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]
event.listen(attachment, "after_create", DDL(PART_WORDS).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]
event.listen(attachment, "before_drop", DDL("DROP TABLE IF EXISTS part_words").execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]
