"""Every command of Lapel's in the documentation is one, with its arguments and with options that it has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from lapel.cli.entry import app
from tests.docs.test_links import PAGES, README
from tests.support.source_tree import REPOSITORY, expect_none

LAPEL: Any = typer.main.get_command(app)
COMMAND = re.compile(r"(?:^|[\s(/;&])lapel (?=[a-z-])(.*)")
ENDS = re.compile(r"\s#|[|;&]|\s\d?[<>]|\)\s|\)$")
"""Where a shell's line goes on with something else."""
OPTIONS_OF_OTHERS = {"--rows", "--rounds", "--credentials"}
"""Those of the benchmarks."""


def commands_in(text: str) -> Iterator[tuple[int, str, bool]]:
    """Line number, what stands after `lapel`, and whether it is in a block, where it is whole."""
    begun, in_block = "", False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            in_block = not in_block
        elif in_block or line.startswith("    "):
            whole, begun = begun + line.strip(), ""
            if whole.endswith("\\"):
                begun = whole[:-1]
            elif (found := COMMAND.search(whole)) and not whole.startswith("#"):
                yield number, found[1], True
        else:
            for code in re.findall(r"`([^`]+)`", line):
                if found := COMMAND.fullmatch(code):
                    yield number, found[1], False


def leaf(words: list[str]) -> tuple[Any, list[str]]:
    """The command that these words begin with, and the words after it."""
    command = LAPEL
    while words and (below := getattr(command, "commands", {}).get(words[0])) is not None:
        command, words = below, words[1:]
    return command, words


def wrong_with(said: str, *, is_whole: bool) -> str | None:
    command, words = leaf(shlex.split(ENDS.split(said)[0]))
    if hasattr(command, "commands"):  # a group, or Lapel itself
        return f"no command {words[0]}" if words and words[0] not in ("--help", "--version") else None
    if words == ["--help"] or (not words and not is_whole):  # only its name
        return None
    context = command.context_class(command)
    try:
        given, more, _ = command.make_parser(context).parse_args(list(words))
    except Exception as error:
        return str(getattr(error, "message", error))
    if more:
        return f"takes no {more[0]}"
    missing = [one.name for one in command.params if one.required and not given.get(one.name)]
    return f"misses {', '.join(missing)}" if missing else None


def wrong_in(page: Path) -> Iterator[str]:
    for number, said, is_whole in commands_in(page.read_text(encoding="utf-8")):
        if wrong := wrong_with(said, is_whole=is_whole):
            yield f"{page.name}:{number}: lapel {said}: {wrong}"


def all_commands(command: Any) -> Iterator[tuple[str, Any]]:
    for name, below in command.commands.items():
        yield from all_commands(below) if hasattr(below, "commands") else [(name, below)]


def test_every_command_is_written_as_it_is_called() -> None:
    examples = sorted((REPOSITORY / "examples").glob("*/README.md"))
    expect_none(wrong for page in (README, *PAGES, *examples) for wrong in wrong_in(page))


def test_every_example_in_the_help_is_written_as_it_is_called() -> None:
    examples = [
        (name, found[1])
        for name, command in all_commands(LAPEL)
        if (found := re.search(r"Example: lapel (.+)", command.epilog or ""))
    ]
    assert len(examples) > 10
    expect_none(f"{name}: {wrong}" for name, said in examples if (wrong := wrong_with(said, is_whole=True)))


def test_every_option_that_is_named_alone_is_one() -> None:
    known = {option for _, command in all_commands(LAPEL) for one in command.params for option in one.opts}
    known |= {option for _, command in all_commands(LAPEL) for one in command.params for option in one.secondary_opts}
    expect_none(
        f"{page.name}: {option}"
        for page in (README, *PAGES)
        for code in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
        if code.startswith("--")
        for option in re.findall(r"(?<!\S)--[a-z-]+", code)
        if option not in known | OPTIONS_OF_OTHERS
    )


def test_a_command_named_without_lapel_has_its_arguments() -> None:
    """Such as `compromise --since TIME`, where a page speaks of the commands of one group."""
    by_name: dict[str, list[Any]] = {}
    for name, command in all_commands(LAPEL):
        by_name.setdefault(name, []).append(command)
    expect_none(
        f"{page.name}: {code}"
        for page in (README, *PAGES)
        for code in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
        if (name := code.partition(" ")[0]) in by_name and " --" in code
        if all(_wrong_words(command, code) for command in by_name[name])
    )


def _wrong_words(command: Any, code: str) -> bool:
    """Whether its arguments are not as many as it asks for."""
    given, more, _ = command.make_parser(command.context_class(command)).parse_args(shlex.split(code)[1:])
    return bool(more) or any(one.required and not given.get(one.name) for one in command.params)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("keys compromise --since TIME", "misses issuer, key"),
        ("keys list ISSUER KEY", "takes no KEY"),
        ("verify FILE --recipient", "requires an argument"),
        ("verify FILE --recipients x", "No such option"),
        ("badge", "no command badge"),
        ("issue class.csv", "misses achievement"),
    ],
)
def test_what_is_wrong_is_seen(said: str, wrong: str) -> None:
    assert wrong in (wrong_with(said, is_whole=True) or "")
