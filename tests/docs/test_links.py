"""Where the documentation leads, and how wide its lines are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.source_tree import REPOSITORY, expect_none

README = REPOSITORY / "README.md"
CHANGES = REPOSITORY / "CHANGELOG.md"
PAGES = sorted((REPOSITORY / "docs").glob("*.md"))
LINK = re.compile(r"\]\(([^)\s:#]*)(?:#([^)\s]+))?\)")


def anchors(page: Path) -> set[str]:
    """Those that GitHub gives to headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for name, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        there = page.parent / name if name else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            yield f"{page.name}: there is no {name}{anchor and '#'}{anchor}"


def test_every_link_leads_somewhere() -> None:
    examples = sorted((REPOSITORY / "examples").glob("*/README.md"))
    expect_none(wrong for page in (README, CHANGES, *PAGES, *examples) for wrong in broken_links(page))


def test_the_readme_names_every_page() -> None:
    text = README.read_text(encoding="utf-8")
    expect_none(page.name for page in PAGES if f"(docs/{page.name})" not in text)


def long_lines(page: Path) -> Iterator[str]:
    """Those of prose: a row of a table, or a line of code, cannot always be broken."""
    text = re.sub(
        r"```.*?```", lambda block: "\n" * block[0].count("\n"), page.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 120 and not line.startswith(("|", "[", "    ")):
            yield f"{page.name}:{number} has {len(line)} characters"


def test_no_line_of_prose_has_more_than_120_characters() -> None:
    expect_none(wrong for page in (README, CHANGES, *PAGES) for wrong in long_lines(page))
