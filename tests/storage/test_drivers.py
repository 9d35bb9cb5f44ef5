"""The contract of `Database`, once per database."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest

from casebridge.domain.errors import NotFound, StorageUnavailable, VersionConflict
from casebridge.storage.opening import is_postgresql, open_database
from casebridge.storage.session import ConstraintBroken, Database, Query, Sql, Write, insert_many, insert_rows

CONFLICT = VersionConflict("cases", "x")


def keep(key: str, value: str = "v") -> Write:
    return Write("INSERT INTO meta (key, value) VALUES (:key, :value)", {"key": key, "value": value})


def change_space(version: int, doc: str = "{}", conflict: Any = CONFLICT) -> Write:
    return Write(
        "UPDATE space SET version = next_version(), doc = :doc WHERE id = :id AND version = :version RETURNING version",
        {"id": "default", "version": version, "doc": doc},
        conflict,
    )


def add(key: str, number: int = 1) -> Write:
    """An upsert of a counter, as PostgreSQL and SQLite both spell it."""
    return Write(
        "INSERT INTO case_count (space, owner, tag, slot, open, in_progress, closed)"
        " VALUES (:space, 'cases', '', 0, :n, 0, 0)"
        " ON CONFLICT (space, owner, tag, slot) DO UPDATE SET open = case_count.open + excluded.open",
        {"space": key, "n": number},
    )


async def kept(database: Database) -> set[str]:
    return {row[0] for row in await database.read("SELECT key FROM meta WHERE key NOT IN ('uuid', 'access')")}


async def test_a_written_row_is_read_back(database: Database) -> None:
    await database.commit([keep("a", "ä")])
    assert await database.read("SELECT key, value FROM meta WHERE key = :key", {"key": "a"}) == [("a", "ä")]


async def test_a_change_returns_the_rows_of_each_write(database: Database) -> None:
    returned = await database.commit(
        [
            Write(
                "INSERT INTO meta (key, value) VALUES (:a, 'x'), (:b, 'y') RETURNING key, value", {"a": "1", "b": "2"}
            ),
            keep("3"),
            Write("UPDATE meta SET value = 'z' WHERE key = 'missing' RETURNING key", {}),
            Write("SELECT 7 AS seven", {}),
        ]
    )
    assert returned == [[{"key": "1", "value": "x"}, {"key": "2", "value": "y"}], [], [], [{"seven": 7}]]


async def test_a_single_write_returns_its_rows_too(database: Database) -> None:
    assert await database.commit([change_space(1)]) == [[{"version": 2}]]


@pytest.mark.parametrize("others", [0, 1])
async def test_a_returned_document_is_text_as_in_a_read(database: Database, others: int) -> None:
    write = Write("UPDATE space SET doc = :doc RETURNING doc", {"doc": '{"a":{"b":["ü"]}}'})
    returned = await database.commit([write, *(keep(str(number)) for number in range(others))])
    [[read]] = await database.read("SELECT doc FROM space")
    assert msgspec.json.decode(returned[0][0]["doc"]) == msgspec.json.decode(read) == {"a": {"b": ["ü"]}}


async def test_an_empty_change_is_done_at_once(database: Database) -> None:
    assert await database.commit([]) == []


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_conflict_takes_the_whole_change_back(database: Database, place: int) -> None:
    writes = [keep("a"), keep("b")]
    writes.insert(place, change_space(version=99))
    with pytest.raises(VersionConflict) as refused:
        await database.commit(writes)
    assert refused.value is CONFLICT
    assert await kept(database) == set()


async def test_a_single_write_that_touches_no_row_conflicts(database: Database) -> None:
    for sql in ("UPDATE space SET version = 5 WHERE id = :id", "DELETE FROM space WHERE id = :id RETURNING id"):
        with pytest.raises(NotFound):
            await database.commit([Write(sql, {"id": "nowhere"}, NotFound("space", "nowhere"))])


async def test_the_first_of_several_conflicts_is_the_one_told(database: Database) -> None:
    gone = [
        Write("DELETE FROM meta WHERE key = :key", {"key": str(number)}, NotFound("m", str(number)))
        for number in range(3)
    ]
    with pytest.raises(NotFound, match=r"m/1"):
        await database.commit([keep("x"), gone[1], gone[0], gone[2]])


async def test_an_insert_that_finds_its_place_taken_can_conflict(database: Database) -> None:
    sql = "INSERT INTO meta (key, value) VALUES (:key, '') ON CONFLICT (key) DO NOTHING"
    await database.commit([Write(sql, {"key": "a"}, CONFLICT), add("s")])
    with pytest.raises(VersionConflict):
        await database.commit([Write(sql, {"key": "a"}, CONFLICT), add("s")])
    assert await database.read("SELECT open FROM case_count") == [(1,)]


async def test_a_conflict_leaves_the_changes_beside_it_alone(database: Database) -> None:
    changes = [[keep(str(n)), *([change_space(99)] if n % 3 == 0 else [])] for n in range(30)]
    outcomes = await asyncio.gather(*(database.commit(change) for change in changes), return_exceptions=True)
    assert [isinstance(outcome, VersionConflict) for outcome in outcomes] == [n % 3 == 0 for n in range(30)]
    assert await kept(database) == {str(n) for n in range(30) if n % 3}


async def test_of_parallel_updates_of_one_version_exactly_one_wins(database: Database) -> None:
    outcomes = await asyncio.gather(
        *(database.commit([change_space(1), keep(str(number))]) for number in range(20)), return_exceptions=True
    )
    won = [number for number, outcome in enumerate(outcomes) if not isinstance(outcome, VersionConflict)]
    assert len(won) == 1
    assert await kept(database) == {str(won[0])}


async def test_numbers_are_never_handed_out_twice(database: Database) -> None:
    def take() -> list[Write]:
        sql = "SELECT next_version() AS v, next_pk() AS p, next_delivery() AS d, next_audit() AS a"
        return [Write(sql, {}), add("s")]

    rows = [returned[0][0] for returned in await asyncio.gather(*(database.commit(take()) for _ in range(50)))]
    for name, first in (("v", 2), ("p", 1), ("d", 1), ("a", 1)):
        assert sorted(row[name] for row in rows) == list(range(first, first + 50))


async def test_numbers_follow_the_order_of_the_writes(database: Database) -> None:
    sql = "INSERT INTO account (username, version, doc) VALUES (:name, next_version(), :doc) RETURNING version"
    for _ in range(3):
        await database.commit([Write("DELETE FROM account", {})])
        writes = [Write(sql, {"name": str(number), "doc": "{}"}) for number in range(12)]
        versions = [rows[0]["version"] for rows in await database.commit(writes)]
        assert versions == list(range(versions[0], versions[0] + 12))


async def test_a_row_of_several_in_one_insert_gets_its_own_number(database: Database) -> None:
    rows = [(str(number), Sql("next_version()"), "{}") for number in range(4)]
    await database.commit([insert_rows("account", ["username", "version", "doc"], rows)])
    stored = await database.read("SELECT version FROM account ORDER BY username")
    assert stored == [(2,), (3,), (4,), (5,)]


async def test_every_space_counts_its_cases_from_one(database: Database) -> None:
    taken = {}
    for space in ("default", "a-b_9", "9", "x" * 300, "drop_table-meta--"):
        await database.commit([Write("SELECT start_numbers(:space)", {"space": space}), keep(space)])
        take = [Write("SELECT next_incremental(:space) AS n", {"space": space})]
        taken[space] = [(await database.commit(take))[0][0]["n"] for _ in range(2)]
    assert set(map(tuple, taken.values())) == {(1, 2)}


async def test_a_space_that_comes_back_goes_on_counting(database: Database) -> None:
    start, take = "SELECT start_numbers(:space)", "SELECT next_incremental(:space) AS n"
    for expected in (1, 2):
        await database.commit([Write(start, {"space": "s"})])
        assert await database.commit([Write(take, {"space": "s"})]) == [[{"n": expected}]]


async def test_reads_together_see_one_moment(database: Database) -> None:
    await database.commit([add("left"), add("right")])
    done = False

    async def write() -> None:
        while not done:
            await database.commit([add("left"), add("right")])

    writers = [asyncio.create_task(write()) for _ in range(2)]
    side = "SELECT open FROM case_count WHERE space = :side"
    seen: set[int] = set()
    while len(seen) < 10:
        left, right = await database.read_together([Query(side, {"side": "left"}), Query(side, {"side": "right"})])
        assert left == right
        seen.add(left[0][0])
    done = True
    await asyncio.gather(*writers)


async def test_counters_written_in_opposite_order_all_arrive(database_target: str) -> None:
    if is_postgresql(database_target):
        await notice_deadlocks_soon(database_target)
    database = await open_database(database_target)
    names = ["a", "b", "c"]
    orders = [names, names[::-1], ["b", "a", "c"], ["c", "a", "b"]]
    await asyncio.gather(*(database.commit([add(name) for name in orders[n % 4]]) for n in range(24)))
    assert await database.read("SELECT space, open FROM case_count ORDER BY space") == [(n, 24) for n in names]
    await database.close()


async def notice_deadlocks_soon(dsn: str) -> None:
    """PostgreSQL looks for deadlocks after a second; let it be 20 ms in this database."""
    connection = await asyncpg.connect(dsn)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f'ALTER DATABASE "{name}" SET deadlock_timeout = 20')
    await connection.close()


async def test_every_kind_of_value_comes_back(database: Database) -> None:
    await database.commit(
        [
            Write(
                "INSERT INTO connector (space, id, version, sealed, doc) VALUES (:s, :i, :v, :b, :d)",
                {"s": "", "i": "'\\ \"ü\U0001f600", "v": 2**62, "b": b"\x00\xff", "d": '{"n": null}'},
            ),
            Write(
                "INSERT INTO audit_event (seq, at, space, doc, sealed) VALUES (:seq, :at, :space, :doc, :sealed)",
                {"seq": 1, "at": 0, "space": None, "doc": "{}", "sealed": True},
            ),
        ]
    )
    assert await database.read("SELECT space, id, version, sealed FROM connector") == [
        ("", "'\\ \"ü\U0001f600", 2**62, b"\x00\xff")
    ]
    [(space, sealed)] = await database.read("SELECT space, sealed FROM audit_event WHERE sealed = :yes", {"yes": True})
    assert space is None
    assert bool(sealed) is True


async def test_a_list_is_kept(database: Database) -> None:
    params = {"tags": ["ä", 'b"c,d'], "none": [], "zero": 0, "text": "t", "doc": "{}"}
    sql = (
        "INSERT INTO cases (pk, id, space, owner, version, title, status, severity, tags, assignees, created_at,"
        " connector_id, doc) VALUES (next_pk(), :text, :text, :text, :zero, :text, 0, 0, :tags, :none, 0, :text, :doc)"
    )
    await database.commit([Write(sql, params), keep("a")])
    [(tags, assignees)] = await database.read("SELECT tags, assignees FROM cases")
    if database.dialect == "sqlite":
        tags, assignees = msgspec.json.decode(tags), msgspec.json.decode(assignees)
    assert (list(tags), list(assignees)) == (params["tags"], [])


async def test_colons_in_quotes_and_casts_are_no_parameters(database: Database) -> None:
    sql = "SELECT 'a:b', CAST(:n AS TEXT) AS \"c:d\", ':n' -- :no\n"
    assert await database.read(sql, {"n": "1"}) == [("a:b", "1", ":n")]


async def test_texts_sort_by_code_point(database: Database) -> None:
    await database.commit([keep(key) for key in ("a", "B", "ä", "_", "Z")])
    rows = await database.read("SELECT key FROM meta WHERE key NOT IN ('uuid', 'access') ORDER BY key")
    assert [row[0] for row in rows] == ["B", "Z", "_", "a", "ä"]


async def test_a_long_change_is_one_change(database: Database) -> None:
    writes = [keep(str(number)) for number in range(300)]
    await database.commit(writes)
    with pytest.raises(VersionConflict):
        await database.commit([*(keep(f"x{number}") for number in range(300)), change_space(99)])
    assert len(await kept(database)) == 300


async def test_a_broken_constraint_is_told_as_such_and_takes_the_change_back(database: Database) -> None:
    await database.commit([keep("a")])
    outcomes = await asyncio.gather(
        database.commit([keep("b"), keep("a")]), database.commit([keep("c")]), return_exceptions=True
    )
    assert isinstance(outcomes[0], ConstraintBroken)
    assert outcomes[0].__cause__ is not None
    assert await kept(database) == {"a", "c"}


@pytest.mark.parametrize(
    "faulty",
    [
        Write("INSERT INTO nowhere (key) VALUES (:key)", {"key": "a"}),
        Write("INSERT INTO meta (key, value) VALUES (:key, :value)", {"key": object(), "value": "a"}),
        Write("INSERT INTO meta (key, value) VALUES (:key, :value)", {"key": "a"}),
        Write("UPDATE space SET version = :number", {"number": 2**80}),
        Write("not SQL", {}),
    ],
)
async def test_a_faulty_statement_is_not_mistaken_for_an_absent_database(database: Database, faulty: Write) -> None:
    outcomes = await asyncio.gather(
        database.commit([keep("b"), faulty]), database.commit([keep("c")]), return_exceptions=True
    )
    assert isinstance(outcomes[0], Exception)
    assert not isinstance(outcomes[0], StorageUnavailable)
    with pytest.raises(Exception) as refused:
        await database.read(faulty.sql, faulty.params)
    assert not isinstance(refused.value, StorageUnavailable)
    assert await kept(database) == {"c"}


async def test_a_caller_who_left_breaks_nothing(database: Database) -> None:
    tasks = [asyncio.create_task(database.commit([keep(f"{n}a"), keep(f"{n}b")])) for n in range(30)]
    reads = [asyncio.create_task(database.read_together([Query("SELECT 1"), Query("SELECT 2")])) for n in range(30)]
    await asyncio.sleep(0.002)
    for task in (*tasks[::2], *reads[::2]):
        task.cancel()
    await asyncio.gather(*tasks, *reads, return_exceptions=True)
    await database.commit([keep("after")])
    present = await kept(database)
    assert {f"{n}a" for n in range(1, 30, 2)} | {"after"} <= present
    assert all((f"{n}a" in present) == (f"{n}b" in present) for n in range(30))


async def test_a_hint_reaches_every_listener_until_it_lets_go(database: Database) -> None:
    heard, other = asyncio.Event(), asyncio.Event()
    let_go = database.on_hint(heard.set)
    database.on_hint(other.set)
    for _ in range(2):
        await database.hint()
        await asyncio.wait_for(asyncio.gather(heard.wait(), other.wait()), 5)
        await asyncio.sleep(0.05)
        heard.clear()
        other.clear()
    let_go()
    await database.hint()
    await asyncio.wait_for(other.wait(), 5)
    assert not heard.is_set()


async def test_closing_finishes_what_was_asked_and_then_refuses(database: Database) -> None:
    changes = [asyncio.create_task(database.commit([keep(str(number))])) for number in range(20)]
    await asyncio.sleep(0)
    await database.close()
    await database.close()
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert all(outcome == [[]] or isinstance(outcome, StorageUnavailable) for outcome in outcomes)
    if database.dialect == "sqlite":
        assert outcomes == [[[]]] * 20
    for call in (database.commit([keep("late")]), database.read("SELECT 1"), database.read_together([])):
        with pytest.raises(StorageUnavailable):
            await call


async def test_a_change_of_thousands_of_writes_is_written_whole(database: Database):
    await database.commit([keep(f"k{number}") for number in range(2_000)])

    assert await database.read("SELECT count(*) FROM meta WHERE key LIKE 'k%'") == [(2_000,)]


async def test_a_conflict_at_the_end_of_thousands_of_writes_takes_all_of_them_back(database: Database):
    with pytest.raises(VersionConflict):
        await database.commit([*(keep(f"k{number}") for number in range(2_000)), change_space(-1)])

    assert await database.read("SELECT count(*) FROM meta WHERE key LIKE 'k%'") == [(0,)]


async def test_any_number_of_rows_goes_in_one_insert(database: Database):
    columns = {"space": "text", "owner": "text", "tag": "text", "slot": "bigint"}
    columns |= dict.fromkeys(("open", "in_progress", "closed"), "bigint")
    tags = [f"é'\"\\{number}" for number in range(40_000)]
    rows = [("s", "cases", tag, 0, 1, 2, 2**40) for tag in tags]

    await database.commit([insert_many("case_count", columns, rows, database.dialect)])

    found = await database.read("SELECT tag, open, in_progress, closed FROM case_count WHERE space = 's'")
    assert sorted(found) == sorted((tag, 1, 2, 2**40) for tag in tags)
