"""docs/verification.md says with which status and code a fetch that fails is answered."""

from __future__ import annotations

import re

from lapel.domain import fetching
from lapel.domain.fetching import FetchFailed
from lapel.http.problems import status_of_kind
from tests.support.source_tree import REPOSITORY


def test_every_fetch_that_fails_is_documented_with_its_status() -> None:
    text = (REPOSITORY / "docs" / "verification.md").read_text(encoding="utf-8")
    told = {(code, int(status)) for status, code in re.findall(r"^\| (\d{3}) \| `(fetch_\w+)` \|", text, re.MULTILINE)}

    kinds = [FetchFailed, *(vars(fetching)[name] for name in fetching.__all__)]
    failures = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, FetchFailed)}
    assert told == {(kind.code, status_of_kind(kind)) for kind in failures}
