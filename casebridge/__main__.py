"""`python -m casebridge`: the same as the command `casebridge`."""

from __future__ import annotations

import sys

from casebridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
