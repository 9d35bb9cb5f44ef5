"""Lines of CSV that a spreadsheet reads as text: a cell never begins a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any


def line(cells: Iterable[Any]) -> str:
    """
    >>> line(["a", 3, None, '=1+1', 'x "y", z'])
    'a,3,,\\'=1+1,"x ""y"", z"\\r\\n'
    """
    out = io.StringIO()
    csv.writer(out).writerow([_safe(each) for each in cells])
    return out.getvalue()


def _safe(cell: Any) -> Any:
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{cell}"
    return cell
