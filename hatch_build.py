"""Takes htmx out of the pinned wheel of django-htmx, which stands among the build requirements, into our static files.

Nothing third-party is committed and nothing is downloaded here; a file with other content than expected is refused.
"""

from __future__ import annotations

from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = Path("casebridge/web/static/vendor")
TAKEN = {
    "htmx.min.js": (
        "django_htmx/static/django_htmx/htmx-2.min.js",
        "71ea67185bfa8c98c39d31717c6fce5d852370fcdfd129db4543774d3145c0de",
    ),
}


class TakeHtmx(BuildHookInterface[Any]):
    """Runs before every build, editable ones included."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Copy what is missing, and have the wheel hold it although it is not committed."""
        donor = distribution("django-htmx")
        folder = Path(self.root) / VENDOR
        folder.mkdir(parents=True, exist_ok=True)
        for name, (source, expected) in TAKEN.items():
            content = Path(str(donor.locate_file(source))).read_bytes()
            if sha256(content).hexdigest() != expected:
                raise RuntimeError(f"{source} of django-htmx {donor.version} is not the expected file.")
            (folder / name).write_bytes(content)
        licence = next(each for each in donor.files or () if each.name == "LICENSE")
        (folder / "LICENSE.django-htmx").write_bytes(Path(str(licence.locate())).read_bytes())
        build_data["artifacts"].append(f"/{VENDOR}/*")
