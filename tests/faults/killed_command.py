"""A command that is killed before its first step on the files of a folder, before its second one, and so on.

Each is a process forked from one that has loaded everything. After each the folder is looked at, as it was left and
after the same command has been given again.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from lapel.cli import main as lapel
from lapel.database import connection_manager

__all__ = ["look", "main"]

_LOADED = ("lapel.bootstrap", "lapel.maintenance.backing_up", "lapel.maintenance.restoring", "rich.progress")
"""What the commands load only when they need it."""

_STEPS = ("open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "sqlite3.connect")


def look(file: Path) -> int | str:
    """How many credentials a sound database holds, log included; the beginning of what is none."""
    with tempfile.TemporaryDirectory() as aside:
        for path in file.parent.glob(f"{file.name}*"):
            if path.is_file():
                shutil.copy(path, aside)
        copy = Path(aside) / file.name
        if not copy.exists():
            return "nothing"
        try:
            with closing(sqlite3.connect(copy)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                return int(connection.execute("SELECT count(*) FROM credentials").fetchone()[0])
        except sqlite3.DatabaseError:
            return file.read_bytes()[:20].decode()


def _run(arguments: list[str], folder: Path, taken: mmap.mmap, *, killed_before: int | None) -> NoReturn:
    def step(event: str, given: tuple[object, ...]) -> None:
        about = os.fsdecode(given[0]) if given and isinstance(given[0], str | bytes | Path) else "/"
        if event in _STEPS and (str(folder) in about or not about.startswith("/")):
            taken[0] += 1
            if taken[0] == killed_before:
                os.kill(os.getpid(), signal.SIGKILL)

    # Otherwise it takes steps as time goes by.
    connection_manager._PROBE_EVERY_SECONDS = connection_manager._PROBE_TIMEOUT_SECONDS = 3_600
    sys.addaudithook(step)
    sys.argv = ["lapel", *arguments]
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    try:
        lapel()
    except SystemExit as ended:
        os._exit(int(ended.code or 0))
    os._exit(0)


def _ended(arguments: list[str], folder: Path, *, killed_before: int | None = None) -> tuple[int, int]:
    """How it ended, by its exit status or the signal as a negative number, and how many steps it took."""
    with mmap.mmap(-1, 1) as taken:  # which both see
        process = os.fork()
        if not process:
            _run(arguments, folder, taken, killed_before=killed_before)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), taken[0]


def main(pattern: Path, work: Path, result: str, most: str, *arguments: str) -> None:
    """Show, for each step, what `result` is after the kill, and after the command was given again.

    Args:
        pattern: the folder as it is before the command.
        work: where it is copied to.
        result: the name of the file that the command makes.
        most: so many steps at its end.
    """
    for name in _LOADED:
        importlib.import_module(name)

    def begin() -> None:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(pattern, work)
        os.chdir(work)

    begin()
    ended, steps = _ended(list(arguments), work)
    assert ended == 0
    for number in range(max(1, steps - int(most) + 1), steps + 1):
        begin()
        ended, _ = _ended(list(arguments), work, killed_before=number)
        left = look(work / result)
        again, _ = _ended(list(arguments), work)
        others = sorted(path.name for path in work.iterdir() if path.name.endswith(".partial"))
        told = {"ended": ended, "left": left, "again": again, "then": look(work / result), "others": others}
        print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
