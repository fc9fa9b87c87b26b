"""What a command prints on a terminal, and where the locale does not have every character."""

from __future__ import annotations

import logging
import os
import pty
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lapel.logs import configure_logging

LAPEL = (sys.executable, "-c", "from lapel.cli import main; main()")


def on_a_terminal(*arguments: str) -> str:
    """What a command prints on one."""
    ours, its = pty.openpty()
    with closing(open(ours, "rb", buffering=0)) as screen:
        subprocess.run([*LAPEL, *arguments], stdout=its, stderr=its)
        os.close(its)
        return screen.read(10_000).decode()


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("", True), ("1", False)])
def test_errors_and_the_log_are_coloured_unless_nobody_wants_that(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)

    shown = on_a_terminal("verify", "no such file")
    assert "error: unreadable_file" in shown
    assert ("\x1b[" in shown) is coloured

    ours, its = pty.openpty()
    with open(ours, "rb", buffering=0) as screen, open(its, "w", encoding="utf-8") as terminal:
        configure_logging(level="info", form="console", stream=terminal)
        logging.getLogger("lapel").warning("said")
        assert (b"\x1b[" in screen.read(10_000)) is coloured


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_what_the_locale_cannot_show_is_spelt_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    badge = tmp_path / "badge.json"
    badge.write_text("{}")

    verified = subprocess.run([*LAPEL, "verify", str(badge)], capture_output=True)
    assert (verified.returncode, verified.stderr) == (1, b"")
    assert "NOT valid" in verified.stdout.decode("latin-1")
    assert "Traceback" not in subprocess.run([*LAPEL, "issue", "--help"], capture_output=True, text=True).stderr


@pytest.mark.parametrize(
    ("command", "answer", "code", "said"),
    [
        ("erase-recipient ada@example.org", "", 1, "hint: Answer on a terminal, or add --yes."),
        ("erase-recipient ada@example.org", "n\n", 1, "Aborted."),
        ("audit prune --before 2020-01-01", "", 1, "hint: Answer on a terminal, or add --yes."),
        ("audit prune --before 2020-01-01", "y\n", 0, ""),
        ("keys export 018f3c1a-0000-7000-8000-000000000000 --out key.pem", "", 1, "with --passphrase-file."),
    ],
)
def test_without_a_terminal_what_would_be_asked_is_an_option(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, answer: str, code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run([*LAPEL, "db", "migrate"], check=True, capture_output=True)
    ended = subprocess.run(
        [*LAPEL, *command.split()], input=answer, capture_output=True, text=True, start_new_session=True
    )
    assert (ended.returncode, "Warning" in ended.stderr) == (code, False)
    assert said in ended.stderr
