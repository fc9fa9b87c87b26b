"""docs/resources.md names every filter of the list of credentials."""

from __future__ import annotations

import re

from lapel.http.routes.credential_lists import FILTERS
from tests.support.source_tree import REPOSITORY


def test_every_filter_is_documented() -> None:
    text = (REPOSITORY / "docs" / "resources.md").read_text(encoding="utf-8")
    section = text.partition("### Filters of `GET /v3/credentials`\n")[2].partition("\n#")[0]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([A-Za-z]+)`", row)} == set(FILTERS)
