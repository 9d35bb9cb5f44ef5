"""Every route of the contract, whether it is served, and the test that shows it: read, checked and written as a page.

`routes.txt` holds a line for each route, `METHOD path dialect place test`: the place is file and section of the
contract, the test an id of pytest without parameters, or `-` as long as the route is not served. Lines that begin with
`#` are headings. To serve one more route, put its test in its line and run `make conformance`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from casebridge.api.routing import Route

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).parent / "routes.txt"
PAGE = ROOT / "docs" / "conformance.md"
NOT_SERVED = "-"

_HEAD = """# Conformance

Every route of the contract, whether this server serves it, and the test that shows it. This page is made from
`tests/conformance/routes.txt` by `make conformance`; tests hold it against the routes that are really served.

A route of the dialect `7.10` is reached below `/7.10`; every route also below `/s/{space_id}`.
"""


class Line(NamedTuple):
    """A route of the contract; `place` is such as `cases.md 2.1`, `test` is None while the route is not served."""

    heading: str
    method: str
    path: str
    dialect: str
    place: str
    test: str | None

    @property
    def key(self) -> tuple[str, str, str]:
        """Method, path and dialect, without the names of what varies in the path."""
        return self.method, nameless(self.path), self.dialect

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.dialect})"


def nameless(path: str) -> str:
    """A path whose parameters have no names."""
    return re.sub(r"\{\w+\}", "{}", path)


def read(text: str) -> list[Line]:
    """The lines of a list; ValueError for one that is not as it should be."""
    heading, found = "", []
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.strip():
            parts = line.split()
            if len(parts) != 5 or parts[2] not in ("today", "7.10"):
                raise ValueError(f"expected METHOD path dialect place test, given {line!r}")
            test = None if parts[4] == NOT_SERVED else parts[4]
            found.append(Line(heading, *parts[:3], parts[3].replace("#", " "), test))
    return found


def differences(lines: Sequence[Line], routes: Iterable[Route]) -> list[str]:
    """Where list and server disagree, in words."""
    served = {(each.method, nameless(each.path), dialect): each for each in routes for dialect in each.dialects}
    listed = {each.key: each for each in lines}
    told = [f"{each} is listed twice" for each in lines if listed[each.key] is not each]
    told += [f"{' '.join(key)} is served but not listed" for key in served.keys() - listed.keys()]
    for each in lines:
        if each.test is None and each.key in served:
            told.append(f"{each} is served, but its line names no test")
        if each.test is not None and each.key not in served:
            told.append(f"{each} is listed with a test, but not served")
    return sorted(told)


def has_test(id_: str) -> bool:
    """Whether there is a test of that id, looked up in the source."""
    file, *names = id_.split("::")
    if not (ROOT / file).is_file():
        return False
    inside: list[ast.stmt] = ast.parse((ROOT / file).read_text("utf-8")).body
    for name in names:
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = next((each for each in inside if isinstance(each, kinds) and each.name == name), None)
        if found is None:
            return False
        inside = found.body
    return bool(names)


def page(lines: Sequence[Line]) -> str:
    """The page of the documents."""
    parts, heading = [_HEAD], None
    for each in lines:
        if each.heading != heading:
            heading = each.heading
            parts.append(f"\n## {heading}\n\n| route | contract | served | shown by |\n|---|---|---|---|\n")
        prefix = "/7.10" if each.dialect == "7.10" else ""
        shown = "" if each.test is None else f"`{each.test.removeprefix('tests/')}`"
        served = "no" if each.test is None else "yes"
        parts.append(f"| `{each.method} {prefix}{each.path}` | {each.place} | {served} | {shown} |\n")
    return "".join(parts)
