"""`python -m casebridge.storage.migrations TARGET`: migrate one database; `-` reads the target from standard input."""

from __future__ import annotations

import sys

from casebridge.domain.errors import StorageUnavailable
from casebridge.storage.migrations import migrate


def main() -> int:
    """The exit code: 0 when the database is at the head."""
    if len(sys.argv) != 2:
        print("usage: python -m casebridge.storage.migrations TARGET|-", file=sys.stderr)
        return 2
    target = sys.stdin.readline().rstrip("\n") if sys.argv[1] == "-" else sys.argv[1]
    try:
        migrate(target)
    except StorageUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
