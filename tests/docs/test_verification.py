"""docs/verification.md: the program that it shows, and with which status and code a fetch that fails is answered."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from lapel.client import Client, Criteria, NewAchievement, NewCredential, NewIssuer, RecipientInput
from lapel.domain import fetching
from lapel.domain.fetching import FetchFailed
from lapel.http.problems import status_of_kind
from tests.http.live_server import ADMIN_KEY, live_server
from tests.support.source_tree import REPOSITORY


def test_the_program_that_the_page_shows_verifies_a_badge(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs" / "verification.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"<!-- verifier -->\n```python\n(.*?)```", text, re.DOTALL)

    with (
        live_server({"SQLITE_FILE": str(tmp_path / "lapel.sqlite")}) as server,
        Client(server.url, key=ADMIN_KEY) as lapel,
    ):
        issuer = lapel.create_issuer(NewIssuer(name="Riverside School"))
        criteria = Criteria(narrative="Tie ten knots.")
        knots = NewAchievement(issuer=issuer.value.id, name="Knots", description="Ties knots.", criteria=criteria)
        achievement = lapel.create_achievement(knots).value.id
        ada = RecipientInput(type="email", identity="ada@example.org")
        badge = lapel.issue_credential(NewCredential(achievement=achievement, recipient=ada))
        (tmp_path / "badge.json").write_bytes(badge.content)
        environment = {**os.environ, "LAPEL_FETCH_ALLOW_LOOPBACK": "true"}
        command = [sys.executable, "-W", "error", "-c", program]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "pass The badge belongs to the person you expect." in done.stdout.splitlines()
    assert done.stdout.endswith("True\n")


def test_every_fetch_that_fails_is_documented_and_a_400() -> None:
    text = (REPOSITORY / "docs" / "verification.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(fetch_\w+)` \|", text, re.MULTILINE)

    kinds = [FetchFailed, *(vars(fetching)[name] for name in fetching.__all__)]
    failures = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, FetchFailed)}
    assert set(told) == {kind.code for kind in failures}
    assert {status_of_kind(kind) for kind in failures} == {400}
