"""``lapel audit`` and ``lapel erase-recipient``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Command


def entries(lapel: Command, *options: str) -> list[dict[str, Any]]:
    outcome = lapel("audit", "list", "--json", *options)
    assert outcome.code == 0, outcome.err
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_what_a_command_did_is_told(lapel: Command, achievement: str, file: Path) -> None:
    assert lapel("issue", file, "--achievement", achievement).code == 0
    lapel("apikey", "create", "--name", "script")
    newest, issued, *_ = entries(lapel)
    assert (newest["action"], newest["actor"], newest["address"]) == ("api_key.created", "command-line", None)
    assert newest["after"]["name"] == "script"
    assert issued["action"] == "credential.issued"
    assert len(issued["issued"]) > 1
    (again,) = entries(lapel, "--entity", issued["issued"][0][0])
    assert again == issued
    assert entries(lapel, "--entity", f"https://b.example/v3/credentials/{issued['issued'][0][0]}") == [issued]


def test_the_log_is_shown_by_lines_and_filtered(lapel: Command, achievement: str) -> None:
    lines = lapel("audit", "list", "--action", "achievement.created", "--limit", "1").out.splitlines()
    assert len(lines) == 1
    assert "command-line" in lines[0]
    assert lapel("audit", "list", "--until", "1999-12-31").out == ""
    assert lapel("audit", "list", "--actor", "nobody").out == ""
    wrong = lapel("audit", "list", "--since", "yesterday")
    assert (wrong.code, "2026-01-31" in wrong.err) == (1, True)
    assert achievement


def test_what_is_pruned_is_gone(lapel: Command, achievement: str) -> None:
    assert achievement
    assert lapel("audit", "prune", "--before", "9999-01-01", "--yes").code == 1
    outcome = lapel("audit", "prune", "--before", "2020-01-01", "--yes")
    assert (outcome.code, outcome.out[:10]) == (0, "Removed 0 ")
    newest = entries(lapel)[0]
    assert (newest["action"], newest["after"]) == ("audit_log.pruned", {"before": "2020-01-01T00:00:00Z"})


def test_somebody_is_erased(lapel: Command, achievement: str) -> None:
    assert achievement
    outcome = lapel("erase-recipient", "ada@makerspace.example", "--yes")
    assert outcome.code == 0, outcome.err
    gone = outcome.out.splitlines()
    assert len(gone) == 1
    told = [entry["entity"] for entry in entries(lapel, "--action", "credential.erased")]
    assert sorted(address.rpartition("/")[2] for address in gone) == sorted(told)
    assert f"Erased: {len(gone)}." in outcome.err
    assert lapel("erase-recipient", "ada@makerspace.example", "--yes").out == ""


def test_who_is_to_be_erased_is_looked_at_before_anybody_is_asked(lapel: Command) -> None:
    refused = lapel("erase-recipient", "ada")

    assert (refused.code, refused.out) == (1, "")
    assert "must be an e-mail address" in refused.err
    assert "ada@makerspace.example" not in lapel("audit", "list", "--json").out
