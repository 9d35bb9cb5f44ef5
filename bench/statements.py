"""The very statements a create sends, as literal SQL, for the limits to run without us in between."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from bench.rig import CASE
from casebridge.domain.case import open_case
from casebridge.domain.user import SUPERUSER, Actor, User
from casebridge.storage.session import Write
from casebridge.storage.unit import Unit
from casebridge.wire.cases import CreateCase

_USER = User("admin", None, None)


class _Recorder:
    """Stands where a database would, and keeps what it was given to write."""

    def __init__(self, dialect: Literal["sqlite", "postgresql"]) -> None:
        self.dialect = dialect
        self.writes: Sequence[Write] = ()

    async def commit(self, writes: Sequence[Write]) -> list[list[dict[str, Any]]]:
        self.writes = writes
        return [[{"pk": 1, "version": 1, "incremental_id": 1}] for _ in writes]


def writes_of_a_create(dialect: Literal["sqlite", "postgresql"], case_id: str) -> Sequence[Write]:
    """All writes of opening one case."""
    import msgspec

    recorder = _Recorder(dialect)
    now = datetime.now(UTC).replace(microsecond=0)
    new = msgspec.convert(CASE, CreateCase).to_domain()
    change = open_case(new, (), id_=case_id, space="default", by=_USER, at=now)
    unit = Unit(recorder, Actor(_USER, (SUPERUSER,)), "default", now, lambda: str(uuid.uuid4()))  # type: ignore[arg-type]
    unit.open(change.case, change.activity)
    unit.audit("case_create", "cases", [case_id])
    asyncio.run(unit.save())
    return recorder.writes


def literal(write: Write, instead: Mapping[Any, str] | None = None) -> str:
    """A write with its values in the text. `instead` maps a parameter's name or a whole value to SQL of its own."""
    given = instead or {}

    def spelled(found: re.Match[str]) -> str:
        name = found[1]
        value = write.params[name]
        if name in given:
            return given[name]
        if isinstance(value, str) and value in given:
            return given[value]
        return _quoted(value)

    return re.sub(r"(?<!:):([A-Za-z_]\w*)", spelled, write.sql)


def _quoted(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "ARRAY[" + ",".join(_quoted(each) for each in value) + "]::text[]"
    return "'" + str(value).replace("'", "''") + "'"
