"""docs/verification.md says with which status and code a fetch that fails is answered."""

from __future__ import annotations

import re

from lapel.domain import fetching
from lapel.domain.fetching import FetchFailed
from lapel.http.problems import status_of_kind
from tests.support.source_tree import REPOSITORY


def test_every_fetch_that_fails_is_documented_with_its_status() -> None:
    text = (REPOSITORY / "docs" / "verification.md").read_text(encoding="utf-8")
    (paragraph,) = (one for one in text.split("\n\n") if "`fetch_failed`" in one)
    told = {
        (code, int(status))
        for sentence in re.split(r"(?<=[a-z`])\.\s+", paragraph)
        for status in re.findall(r"(?:\ba |\()([45]\d\d)\b(?! or)", sentence)
        for code in re.findall(r"`(fetch_\w+)`", sentence)
    }

    kinds = [FetchFailed, *(vars(fetching)[name] for name in fetching.__all__)]
    failures = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, FetchFailed)}
    assert told == {(kind.code, status_of_kind(kind)) for kind in failures}
