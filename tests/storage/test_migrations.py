"""Migrations bring both databases to exactly the tables of `schema.py`."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case
from casebridge.domain.custom_field import CustomFieldValue
from casebridge.domain.errors import StorageUnavailable
from casebridge.domain.observable import Observable
from casebridge.domain.query import CaseFilter, CaseQuery
from casebridge.domain.search import read_search
from casebridge.domain.space import DEFAULT_SPACE, Space
from casebridge.domain.user import Actor, User
from casebridge.storage import cases
from casebridge.storage import words as word_room
from casebridge.storage.migrations import HEAD, migrate, migrate_apart, run, schema_number
from casebridge.storage.opening import is_postgresql, open_database
from casebridge.storage.schema import SQLITE_ONLY, metadata
from casebridge.storage.session import Database
from casebridge.storage.unit import Unit

ANNA = User("anna", "Anna", None)
NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database, or the path of a file to be, without any table."""
    if request.param == "sqlite":
        yield str(tmp_path / "100% new.db")
        return
    server = request.getfixturevalue("postgresql_server")
    name = server.create(empty=True)
    yield server.dsn_of(name)
    server.drop(name)


def with_connection(target: str, work: Callable[[sa.Connection], Any]) -> Any:
    """What `work` makes of a SQLAlchemy connection to the database."""
    if not is_postgresql(target):
        engine = sa.create_engine(f"sqlite:///{target}")
        try:
            with engine.begin() as connection:
                return work(connection)
        finally:
            engine.dispose()

    async def asynchronously() -> Any:
        engine = create_async_engine(
            "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(target), poolclass=sa.NullPool
        )
        async with engine.begin() as connection:
            return await connection.run_sync(work)

    return asyncio.run(asynchronously())


def catalogue(connection: sa.Connection) -> set[tuple[Any, ...]]:
    """Everything the database knows of our tables: columns with type and collation, keys, indexes."""
    if connection.dialect.name == "sqlite":
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
        facts = {("table", *row) for row in connection.exec_driver_sql("SELECT name, wr FROM pragma_table_list")}
        for table in tables:
            columns = connection.exec_driver_sql(f"SELECT * FROM pragma_table_info('{table}')")
            facts |= {(table, "column", *row[1:]) for row in columns}
        indexes = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index'"
        facts |= {(row[0], row[1], plain(row[2])) for row in connection.exec_driver_sql(indexes)}
    else:
        columns = """
            SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, l.collname,
                   pg_get_expr(d.adbin, d.adrelid)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            LEFT JOIN pg_collation l ON l.oid = a.attcollation
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"""
        indexes = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        facts = {tuple(row) for sql in (columns, indexes) for row in connection.exec_driver_sql(sql)}
    return {fact for fact in facts if "alembic_version" not in fact and "sqlite_schema" not in fact}


def plain(sql: str | None) -> str:
    return " ".join((sql or "").split())


def create_from_schema(connection: sa.Connection) -> None:
    on_postgresql = connection.dialect.name == "postgresql"
    tables = [table for table in metadata.sorted_tables if not (on_postgresql and table.name in SQLITE_ONLY)]
    metadata.create_all(connection, tables=tables)


def test_a_migrated_database_equals_the_schema(empty_target: str) -> None:
    with_connection(empty_target, create_from_schema)
    expected = with_connection(empty_target, catalogue)
    with_connection(empty_target, metadata.drop_all)
    migrate(empty_target)
    assert with_connection(empty_target, catalogue) == expected


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping")
def test_alembic_finds_nothing_left_to_do(database_target: str) -> None:
    with_connection(database_target, lambda connection: command.check(run.configuration(connection)))


def test_the_head_is_the_newest_revision() -> None:
    assert ScriptDirectory.from_config(run.configuration()).get_heads() == [HEAD]


def test_revisions_are_numbered_in_their_order() -> None:
    """A server tells an older schema from a newer one by its number."""
    chain = [each.revision for each in ScriptDirectory.from_config(run.configuration()).walk_revisions()]
    assert chain == sorted(chain, reverse=True)


async def test_a_fresh_database_comes_to_the_head(empty_target: str) -> None:
    database = await open_database(empty_target)
    assert await schema_number(database) is None
    await asyncio.to_thread(migrate, empty_target)
    assert await schema_number(database) == HEAD
    await database.close()


async def test_the_first_rows_are_there(database: Database) -> None:
    [(doc, version)] = await database.read("SELECT doc, version FROM space")
    assert msgspec.json.decode(doc, type=Space) == DEFAULT_SPACE
    assert version == 1
    [(uuid,)] = await database.read("SELECT value FROM meta WHERE key = 'uuid'")
    assert UUID(uuid).version == 4


async def test_migrating_twice_is_harmless(database_target: str) -> None:
    before = await tables_of(database_target)
    await asyncio.to_thread(migrate, database_target)
    assert await tables_of(database_target) == before


async def tables_of(target: str) -> list[list[tuple[Any, ...]]]:
    database = await open_database(target)
    rows = [await database.read(f"SELECT * FROM {table}") for table in ("meta", "space", "alembic_version")]
    await database.close()
    return rows


def test_cases_closed_before_there_was_a_column_for_it_bring_their_duration_along(empty_target: str) -> None:
    with_connection(empty_target, lambda connection: command.upgrade(run.configuration(connection), "0001"))
    with_connection(empty_target, insert_three_cases)

    migrate(empty_target)

    durations = sa.text("SELECT id, duration FROM cases ORDER BY id")
    rows = with_connection(empty_target, lambda connection: connection.execute(durations).all())
    assert [tuple(row) for row in rows] == [("closed", 61), ("open", None), ("reopened", None)]


def insert_three_cases(connection: sa.Connection) -> None:
    on_postgresql = connection.dialect.name == "postgresql"
    nothing, doc = ("'{}'", "CAST(:doc AS JSONB)") if on_postgresql else ("'[]'", ":doc")
    columns = "pk, id, space, owner, version, title, status, severity, tags, assignees, created_at, connector_id, doc"
    insert = f"VALUES (:pk, :id, 'default', 'cases', 1, 'T', 0, 0, {nothing}, {nothing}, 0, 'none', {doc})"
    docs = {"closed": '{"duration_s":61}', "open": "{}", "reopened": '{"duration_s":null}'}
    for pk, (id_, text) in enumerate(docs.items(), 1):
        connection.execute(sa.text(f"INSERT INTO cases ({columns}) {insert}"), {"pk": pk, "id": id_, "doc": text})


async def test_comments_and_values_that_were_there_before_their_index_are_found_and_forgotten(
    empty_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = ScriptDirectory.from_config(run.configuration()).get_revision("0012")
    monkeypatch.setattr(revision.module, "BATCH", 2)
    upgrade_to = lambda connection: command.upgrade(run.configuration(connection), "0007")  # noqa: E731
    await asyncio.to_thread(with_connection, empty_target, upgrade_to)
    await asyncio.to_thread(with_connection, empty_target, insert_cases_with_parts)

    await asyncio.to_thread(migrate, empty_target)

    database = await open_database(empty_target)
    try:
        assert await found(database, "needle", "comment") == ["case 0", "case 1", "case 2", "case 3", "case 4"]
        assert await found(database, '"needle 3"', "comment") == ["case 3"]
        assert await found(database, "10.0.0.2", "observable") == ["case 2"]
        assert await found(database, "10.0.0.2") == ["case 2"]
        assert await found(database, "shift", "custom_field") == ["case 4"]
        assert await found(database, "-nothing", "comment") == ["case 0", "case 1", "case 2", "case 3", "case 4"]

        held = await cases.find(database, CaseQuery(filter=CaseFilter(space="default", owners=("cases",))))
        work = Unit(database, Actor(ANNA, ("superuser",)), "default", NOON, lambda: "id")
        work.update(held[2], msgspec.structs.replace(held[2], observables=()), ())
        for case in (held[3], held[4]):
            work.remove(case)
        await work.save()
        assert await found(database, "10.0.0.2", "observable") == await found(database, "10.0.0.2") == []
        assert await found(database, "needle", "comment") == ["case 0", "case 1", "case 2"]
        assert await found(database, "shift", "custom_field") == []
        if database.dialect == "sqlite":
            rows = await database.read("SELECT rowid FROM part_words ORDER BY rowid")
            assert rows == [(pk * 16_384 + 1,) for pk in (1, 2, 3)]
    finally:
        await database.close()


async def found(database: Database, text: str, *fields: str) -> list[str]:
    search = read_search(text, "OR", fields or None)
    assert search is not None
    search = msgspec.structs.replace(search, comment_owners=("cases",))
    wanted = CaseFilter(space="default", owners=("cases",))
    return [case.title for case in await cases.find(database, CaseQuery(filter=wanted, search=search))]


def insert_cases_with_parts(connection: sa.Connection) -> None:
    """Five cases as they were stored without an index of their parts, each with a comment and another attachment."""
    on_postgresql = connection.dialect.name == "postgresql"
    for number in range(5):
        case = case_with_parts(number)
        title, description, keywords = word_room.texts(word_room.words_of(without_observables(case)))
        params = {"pk": number + 1, "id": case.id, "title": case.title, "doc": msgspec.json.encode(case).decode()}
        columns = "pk, id, space, owner, version, title, status, severity, tags, assignees, created_at, connector_id"
        nothing, doc = ("'{}'", "CAST(:doc AS JSONB)") if on_postgresql else ("'[]'", ":doc")
        values = f":pk, :id, 'default', 'cases', 1, :title, 0, 0, {nothing}, {nothing}, :pk, 'none'"
        words, vector = "", ""
        if on_postgresql:
            words, vector = ", words", ", CAST(CAST(:words AS text) AS tsvector)"
            params["words"] = word_room.vector(word_room.words_of(without_observables(case)))
        connection.execute(
            sa.text(f"INSERT INTO cases ({columns}, doc{words}) VALUES ({values}, {doc}{vector})"), params
        )
        if not on_postgresql:
            connection.execute(
                sa.text("INSERT INTO case_words (rowid, title, description, keywords) VALUES (:pk, :t, :d, :k)"),
                {"pk": number + 1, "t": title, "d": description, "k": keywords},
            )
        for attachment in attachments_of(case, number):
            connection.execute(
                sa.text(
                    "INSERT INTO attachment (case_id, seq, id, space, type, version, doc) "
                    f"VALUES (:case_id, :seq, :id, 'default', :type, 1, {doc})"
                ),
                {
                    "case_id": case.id,
                    "seq": attachment.seq,
                    "id": attachment.id,
                    "type": attachment.type,
                    "doc": msgspec.json.encode(attachment).decode(),
                },
            )


def case_with_parts(number: int) -> Case:
    """Case 2 has an observable, case 4 a custom field."""
    seen = (Observable("o", "observable-type-ipv4", "10.0.0.2", None, NOON),) if number == 2 else ()
    fields = (CustomFieldValue("note", "text", "night shift"),) if number == 4 else ()
    return Case(
        id=f"{9 - number}",
        space="default",
        owner="cases",
        title=f"case {number}",
        description="d",
        tags=(),
        created_at=NOON,
        created_by=ANNA,
        observables=seen,
        custom_fields=fields,
    )


def without_observables(case: Case) -> Case:
    return msgspec.structs.replace(case, observables=())


def attachments_of(case: Case, number: int) -> list[Attachment]:
    alert = {"type": "alert", "owner": "cases", "alertId": ["needle"], "index": ["i"], "rule": {}}
    comment = {"type": "user", "owner": "cases", "comment": f"needle {number}"}
    return [
        Attachment(
            id=f"{case.id}-{seq}",
            case_id=case.id,
            seq=seq,
            type=str(payload["type"]),
            owner="cases",
            payload=payload,
            created_at=NOON,
            created_by=ANNA,
        )
        for seq, payload in enumerate((comment, alert), 1)
    ]


async def test_two_processes_at_once_migrate_once(empty_target: str) -> None:
    await asyncio.gather(*(migrate_apart(empty_target) for _ in range(3)))
    meta, space, versions = await tables_of(empty_target)
    assert (sorted(key for key, _ in meta), len(space), versions) == (["access", "uuid"], 1, [(HEAD,)])


async def test_a_migration_that_fails_leaves_nothing(empty_target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = run._upgrade

    def fail(connection: sa.Connection) -> None:
        upgrade(connection)
        raise sa.exc.OperationalError("x", None, Exception("out of luck"))

    monkeypatch.setattr(run, "_upgrade", fail)
    with pytest.raises(StorageUnavailable, match="out of luck"):
        await asyncio.to_thread(migrate, empty_target)
    database = await open_database(empty_target)
    assert await schema_number(database) is None
    await database.close()


async def test_a_database_of_a_newer_program_is_told(database_target: str) -> None:
    database = await open_database(database_target)
    await asyncio.to_thread(
        with_connection,
        database_target,
        lambda connection: connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")) and None,
    )
    assert await schema_number(database) == "9999"
    with pytest.raises(StorageUnavailable, match="9999"):
        await asyncio.to_thread(migrate, database_target)
    await database.close()


@pytest.mark.parametrize("target", ["postgresql://u:s3cret@127.0.0.1:1/x", "postgresql://u:s3cret/x@y:1/x", "/no/x.db"])
async def test_a_database_that_is_away_is_told_in_one_line(target: str) -> None:
    with pytest.raises(StorageUnavailable) as refused:
        await migrate_apart(target)
    assert "s3cret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_migrated_file_keeps_a_write_ahead_log(sqlite_target: Path) -> None:
    connection = sqlite3.connect(sqlite_target)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_neither_opening_a_database_nor_asking_for_its_schema_imports_the_migration_libraries(
    database_target: str,
) -> None:
    program = (
        "import asyncio, sys\n"
        "from casebridge.storage.migrations import schema_number, migrate_apart\n"
        "from casebridge.storage.opening import open_database\n"
        "async def main():\n"
        "    print(await schema_number(await open_database(sys.argv[1])))\n"
        "asyncio.run(main())\n"
        "assert not {'sqlalchemy', 'alembic'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, database_target], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{HEAD}\n"), done.stderr
