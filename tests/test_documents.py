"""The documents keep pace: indexes are complete, links lead somewhere, fragments of changes have a known type."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_index_names_every_page_and_decision():
    index = (ROOT / "docs" / "README.md").read_text("utf-8")

    for page in (ROOT / "docs").rglob("*.md"):
        if page.name != "README.md":
            assert f"({page.relative_to(ROOT / 'docs')})" in index, page


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_is_one_screen_with_its_four_parts_and_one_sentence_to_quote(decision: Path):
    text = decision.read_text("utf-8")

    assert re.match(rf"# {decision.stem[:4]}: ", text)
    assert re.findall(r"^## (\w+)$", text, re.M) == ["Context", "Decision", "Consequences", "Alternatives"]
    quoted = " ".join(re.findall(r"^> (.+)$", text, re.M))
    assert quoted.endswith(".")
    assert quoted.count(". ") == 0
    assert len(text.splitlines()) <= 60


def test_fragments_of_changes_have_a_known_type():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    types = {each["directory"] for each in project["tool"]["towncrier"]["type"]}

    for fragment in (ROOT / "changes").iterdir():
        if fragment.name not in project["tool"]["towncrier"]["ignore"]:
            assert re.fullmatch(rf"[a-z0-9-]+\.({'|'.join(types)})\.md", fragment.name), fragment.name
            assert fragment.read_text("utf-8").strip()


def test_the_locks_name_no_package_index_and_pin_everything_by_hash():
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text("utf-8")
        assert "://" not in text
        assert text.count("==") <= text.count("--hash=sha256:")
