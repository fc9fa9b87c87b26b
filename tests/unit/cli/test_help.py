"""What `--help` says of each command."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lapel.cli.entry import app


def below(command: Any, *words: str) -> Iterator[tuple[str, ...]]:
    for name, each in getattr(command, "commands", {}).items():
        yield from below(each, *words, name)
    if not hasattr(command, "commands"):
        yield words


COMMANDS = list(below(typer.main.get_command(app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_paragraph_is_as_wide_as_the_terminal(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "900"}, terminal_width=900).output
    prose = [line.strip() for line in shown.partition("╭")[0].splitlines()]

    assert len(list(filter(None, prose))) >= 2
    assert not [pair for pair in pairwise(prose) if all(pair)]
