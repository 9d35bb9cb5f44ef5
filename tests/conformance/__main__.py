"""Write the page of conformance anew: `python -m tests.conformance`."""

from __future__ import annotations

import sys

from casebridge.api.table import ROUTES
from tests.conformance.table import LIST, PAGE, differences, page, read

lines = read(LIST.read_text("utf-8"))
PAGE.write_text(page(lines), "utf-8")
told = differences(lines, ROUTES)
print(*told, sep="\n", file=sys.stderr)
sys.exit(bool(told))
